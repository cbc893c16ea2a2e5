"""Who may do what with applications. Nobody judges their own, whatever permissions they have."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from badges.applications.errors import NotAllowed
from badges.models import Application

REVIEW = "badges.review_application"
MANAGE = "badges.change_application"
APPLY_FOR_OTHERS = "badges.add_application"
VIEW = "badges.view_application"


def may_review(user: Any) -> bool:
    """Whether a user reviews applications."""
    return _has(user, REVIEW)


def may_manage(user: Any) -> bool:
    """Whether a user awards, closes and withdraws applications of others."""
    return _has(user, MANAGE)


def may_apply_for_others(user: Any) -> bool:
    """Whether a user hands in applications for learners."""
    return _has(user, APPLY_FOR_OTHERS)


def may_see_all(user: Any) -> bool:
    """Whether a user sees applications of others: whoever has something to do with them."""
    return any(_has(user, permission) for permission in (VIEW, REVIEW, MANAGE))


def is_own(user: Any, application: Application) -> bool:
    """Whether an application is this user's; one that came from elsewhere under their e-mail address is."""
    if user is None:
        return False
    if application.user_id is not None:
        return bool(application.user_id == user.pk)
    email = str(getattr(user, user.get_email_field_name(), "") or "")
    return bool(email) and email.lower() == application.learner_email.lower()


def require_reviewer(user: Any, application: Application) -> None:
    """
    Raises:
        NotAllowed: the user may not review this application.
    """
    if not may_review(user):
        raise NotAllowed(gettext("You have no permission to review applications."))
    if is_own(user, application):
        raise NotAllowed(gettext("Nobody reviews their own application."))


def require_manager(user: Any, application: Application) -> None:
    """
    Raises:
        NotAllowed: the user may not award or close this application.
    """
    if not may_manage(user):
        raise NotAllowed(gettext("You have no permission to change applications."))
    if is_own(user, application):
        raise NotAllowed(gettext("Nobody decides on their own application."))


def require_applicant(user: Any, application: Application) -> None:
    """
    Raises:
        NotAllowed: the application is not the user's, and the user may not act for others.
    """
    if application.is_copy:
        raise NotAllowed(gettext("This application is a copy: it is changed at the BadgeKit system it came from."))
    if not is_own(user, application) and not may_apply_for_others(user):
        raise NotAllowed(gettext("You have no permission to act for other learners."))


def _has(user: Any, permission: str) -> bool:
    return bool(getattr(user, "has_perm", lambda name: False)(permission))
