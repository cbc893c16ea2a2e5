"""Signals out: telling the platform that a badge was awarded or revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from openedx_events.learning.data import BadgeData, BadgeTemplateData, UserData, UserPersonalData
from openedx_events.learning.signals import BADGE_AWARDED, BADGE_REVOKED
from openedx_events.tooling import OpenEdxPublicSignal, SenderValidationError

from badges.exceptions import BadgesError
from badges.issuing import actions, provider_calls
from badges.issuing.actions import Done
from badges.models import Badge, Delivery
from badges.processing.learners import lms_user_id


class AnnouncementFailed(BadgesError):
    """The public signal could not be handed to the event bus."""


def badge_data(badge: Badge) -> BadgeData:
    """A badge as the public signals carry it."""
    user: Any = badge.user
    template = badge.template
    return BadgeData(
        uuid=str(badge.uuid),
        user=UserData(
            id=lms_user_id(user),
            is_active=user.is_active,
            pii=UserPersonalData(username=user.get_username(), email=user.email, name=user.get_full_name()),
        ),
        template=BadgeTemplateData(
            uuid=str(template.uuid),
            origin=template.origin,
            name=template.name,
            description=template.description,
            image_url=template.image_url,
        ),
    )


def announce_awarded(delivery: Delivery) -> Done:
    """Send ``BADGE_AWARDED``."""
    return _announce(BADGE_AWARDED, delivery.badge, delivery.badge.awarded_at)


def announce_revoked(delivery: Delivery) -> Done:
    """Send ``BADGE_REVOKED``."""
    return _announce(BADGE_REVOKED, delivery.badge, delivery.badge.revoked_at or delivery.badge.modified)


def register_handlers() -> None:
    """Let these functions and those of the issuing package carry out the actions of deliveries."""
    actions.register(Delivery.Action.ANNOUNCE_AWARDED, announce_awarded)
    actions.register(Delivery.Action.ANNOUNCE_REVOKED, announce_revoked)
    provider_calls.register_handlers()


def _announce(signal: OpenEdxPublicSignal, badge: Badge, happened_at: datetime) -> Done:
    try:
        responses = signal.send_event(time=happened_at.astimezone(UTC), badge=badge_data(badge))
    except SenderValidationError as error:
        raise AnnouncementFailed(f"openedx-events refused the signal: {error}") from error
    for receiver, response in responses or ():
        # Other receivers look after their own errors; only what keeps the event from the bus is ours to repeat.
        if isinstance(response, Exception) and getattr(receiver, "__name__", "") == "general_signal_handler":
            raise AnnouncementFailed(f"The event bus's producer failed: {type(response).__name__}. Is the bus up?")
    return Done(detail="Announced.")
