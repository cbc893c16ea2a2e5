"""From an approved application to the badge: once, and never again where it was taken away."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from badges.applications.errors import NotNow
from badges.applications.moves import move
from badges.issuing import awards
from badges.models import Application, BadgeTemplate

Status = Application.Status


def award_now(application: Application, *, by: Any = None) -> None:
    """Award the badge of an approved application, with its deliveries. Call it in a transaction.

    A learner who has the badge already gets no second one, and one from whom it was taken away gets none; the
    application says so.

    Arguments:
        application: locked and approved; its learner is known.
        by: who does it; None for the platform, after an approval.

    Raises:
        NotNow: it is not approved, or its learner is not known.
    """
    learner = application.user
    if learner is None:
        raise NotNow(gettext("The learner of this application is not known here, so nothing can be awarded."))
    badge, is_new = awards.award_once(learner, application.template_id)
    if is_new:
        move(application, Status.AWARDED, by=by)
        return
    if not badge.is_awarded:
        application.note = gettext("The badge was taken away from this learner before, and is not awarded again.")
        move(application, Status.CLOSED, by=by, note=application.note)
        return
    application.note = gettext("The learner has had this badge already; no second one was awarded.")
    move(application, Status.AWARDED, by=by, note=application.note)


def may_award_by_itself(template: BadgeTemplate) -> bool:
    """Whether an approval awards the badge of a template."""
    return template.awards_on_approval and template.is_active
