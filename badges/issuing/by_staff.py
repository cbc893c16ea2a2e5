"""Badges that staff award and revoke by hand, with a reason that stays."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from badges.exceptions import Refused
from badges.issuing import awards
from badges.models import Badge, BadgeChange, BadgeProgress, BadgeTemplate
from badges.rules.payload import storable_text

LONGEST_REASON = 500


class NotWithoutReason(Refused):
    """There is no reason, or it is too long."""

    code: ClassVar[str] = "invalid"


class TemplateNotActive(Refused):
    """Nothing is awarded of a template that is not active."""

    code: ClassVar[str] = "template_not_active"


class BadgeInTheWay(Refused):
    """The learner's badge is not as it would have to be; ``badge`` is that badge, as it is."""

    def __init__(self, message: str, badge: Badge) -> None:
        """
        Arguments:
            message: a translated sentence.
            badge: the learner's badge of the template.
        """
        super().__init__(message)
        self.badge = badge


class HasItAlready(BadgeInTheWay):
    """The learner holds the badge."""

    code: ClassVar[str] = "already_awarded"


class WasRevoked(BadgeInTheWay):
    """The badge was taken away from the learner, which is for good."""

    code: ClassVar[str] = "already_revoked"


def award(template: BadgeTemplate, learner: Any, *, by: Any, reason: str) -> Badge:
    """Award a badge by hand: announced and issued as one that was earned.

    It is one transaction. A caller who has none around it repeats it where it loses against another one, see
    :func:`badges.processing.retries.retried`.

    Arguments:
        template: an active one.
        learner: who gets it.
        by: the user who awards it, already allowed to; None for the platform.
        reason: why; kept with the badge, ``LONGEST_REASON`` characters at most.

    Raises:
        NotWithoutReason: there is no reason, or a longer one.
        TemplateNotActive: the template is not active, or not there any more.
        HasItAlready: the learner holds it, perhaps because an event or somebody else was faster.
        WasRevoked: it was taken away from the learner.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        # An event that completes the learner's progress at this moment waits here, or is waited for.
        rows = BadgeProgress.objects.select_for_update().filter(user_id=learner.pk, template_id=template.pk)
        list(rows.order_by("pk").values_list("pk", flat=True))
        current = BadgeTemplate.objects.filter(pk=template.pk).first()
        if current is None or not current.is_active:
            text = gettext('The badge template "%(name)s" is not active. Activate it; then the badge can be awarded.')
            raise TemplateNotActive(text % {"name": template.name}, field="template")
        badge, is_new = awards.award_once(learner, current.pk)
        if not is_new and badge.is_awarded:
            raise HasItAlready(gettext("The learner has this badge already. Nothing was changed."), badge)
        if not is_new:
            text = gettext("This badge was taken away from the learner, and is not awarded again. Nothing was changed.")
            raise WasRevoked(text, badge)
        _record(badge, BadgeChange.Action.AWARDED, by, reason)
    return badge


def revoke(badge: Badge, *, by: Any, reason: str) -> Badge:
    """Take a badge away by hand, for good: announced, and revoked at the provider, as after a penalty.

    It is one transaction; see :func:`award`.

    Arguments:
        badge: an awarded one, of a template that need not be active any more.
        by: the user who revokes it, already allowed to; None for the platform.
        reason: why; kept with the badge, ``LONGEST_REASON`` characters at most.

    Returns:
        The badge as it is now.

    Raises:
        NotWithoutReason: there is no reason, or a longer one.
        WasRevoked: it was taken away before, perhaps because an event or somebody else was faster.
        Badge.DoesNotExist: it is not there any more.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        locked = Badge.objects.select_for_update().get(pk=badge.pk)
        if not locked.is_awarded:
            raise WasRevoked(gettext("This badge was taken away before. Nothing was changed."), locked)
        awards.revoke([locked], timezone.now())
        _record(locked, BadgeChange.Action.REVOKED, by, reason)
    return locked


def checked_reason(reason: str) -> str:
    """A reason, as it is stored.

    Raises:
        NotWithoutReason: it is empty, or too long.
    """
    checked = storable_text(reason).strip()
    if not checked:
        raise NotWithoutReason(
            gettext("Enter a reason: whoever looks at this later will want to know."), field="reason"
        )
    if len(checked) > LONGEST_REASON:
        text = gettext("The reason is longer than %(most)d characters.")
        raise NotWithoutReason(text % {"most": LONGEST_REASON}, field="reason")
    return checked


def _record(badge: Badge, action: str, by: Any, reason: str) -> None:
    BadgeChange.objects.create(badge=badge, action=action, by=by, reason=reason)
