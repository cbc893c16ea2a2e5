"""What a provider tells of a badge beside its state: who may see it, and which messages the learner got."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext

from badges.changes import NotificationSent, VisibilityChange
from badges.issuing.adoption import find
from badges.models import Badge, BadgeNotification, ProviderAccount
from badges.rules.payload import storable_text
from badges.webhooks.applying import provider_badges
from badges.webhooks.applying.provider_badges import visibility


def apply_visibility_change(change: VisibilityChange, account: ProviderAccount) -> str:
    """Note who may see a badge. One that nobody knows here stays unknown: a user's badges may be anybody's."""
    if not _can_be_asked_for(change.external_id):
        return ""
    badge = find(account.pk, change.external_id, change.own_id)
    if badge is not None and badge.external_id != change.external_id:
        # A former one, or one that is not known yet: it says nothing of ours.
        badge = None
    row = provider_badges.locked(account, change.external_id)
    if row is not None:
        provider_badges.write(row, visibility(change.is_public, change.at, row.is_public, row.is_public_at))
    told = visibility(change.is_public, change.at, badge.is_public, badge.is_public_at) if badge is not None else {}
    if badge is None or not told:
        return ""
    is_changed = badge.is_public != change.is_public
    Badge.objects.filter(pk=badge.pk).update(**told, modified=timezone.now())
    public = gettext("Badge %(badge)s is now visible to everybody at the provider.")
    private = gettext("Badge %(badge)s is now hidden from others at the provider.")
    return (public if change.is_public else private) % {"badge": badge.uuid} if is_changed else ""


def apply_notification_sent(change: NotificationSent, account: ProviderAccount) -> str:
    """Keep in a badge's history that the learner was notified of it, once."""
    if not _can_be_asked_for(change.external_id):
        return ""
    badge = find(account.pk, change.external_id, change.own_id)
    if badge is None and (badge := provider_badges.formerly(account, change.external_id)) is None:
        return ""
    kind = BadgeNotification.Kind(change.kind.value)
    _, is_new = BadgeNotification.objects.get_or_create(badge=badge, kind=kind, sent_at=change.at)
    return gettext("Badge %(badge)s: %(what)s") % {"badge": badge.uuid, "what": kind.label} if is_new else ""


def _can_be_asked_for(external_id: str) -> bool:
    return bool(external_id) and storable_text(external_id) == external_id
