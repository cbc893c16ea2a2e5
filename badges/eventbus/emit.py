"""Signals out: telling the platform that a badge was awarded or revoked."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from typing import Any

from openedx_events.learning.data import BadgeData, BadgeTemplateData, UserData, UserPersonalData
from openedx_events.learning.signals import BADGE_AWARDED, BADGE_REVOKED
from openedx_events.tooling import OpenEdxPublicSignal, SenderValidationError

from badges.eventbus.producer import is_published, require_bus
from badges.exceptions import BadgesError
from badges.issuing import actions, callback_delivery, provider_calls
from badges.issuing.actions import Done
from badges.models import Badge, Delivery
from badges.models.users import full_name_of, lms_user_id_of, username_of

PRODUCER_HANDLER = "general_signal_handler"
"""The function of openedx-events that hands a signal to the bus."""


class AnnouncementFailed(BadgesError):
    """The public signal could not be handed to the event bus."""


def badge_data(badge: Badge) -> BadgeData:
    """A badge as the public signals carry it."""
    user: Any = badge.user
    template = badge.template
    return BadgeData(
        uuid=str(badge.uuid),
        user=UserData(
            id=lms_user_id_of(user),
            is_active=user.is_active,
            pii=UserPersonalData(username=username_of(user), email=user.email, name=full_name_of(user)),
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
    return _announce(BADGE_AWARDED, delivery.own_badge, delivery.own_badge.awarded_at)


def announce_revoked(delivery: Delivery) -> Done:
    """Send ``BADGE_REVOKED``."""
    return _announce(BADGE_REVOKED, delivery.own_badge, delivery.own_badge.revoked_at or delivery.own_badge.modified)


def register_handlers() -> None:
    """Let these functions and those of the issuing package carry out the actions of deliveries."""
    actions.register(Delivery.Action.ANNOUNCE_AWARDED, announce_awarded)
    actions.register(Delivery.Action.ANNOUNCE_REVOKED, announce_revoked)
    provider_calls.register_handlers()
    callback_delivery.register_handlers()


def _announce(signal: OpenEdxPublicSignal, badge: Badge, happened_at: datetime) -> Done:
    if is_published(signal.event_type):
        require_bus()
    try:
        responses = signal.send_event(time=happened_at.astimezone(UTC), badge=badge_data(badge))
    except SenderValidationError as error:
        raise AnnouncementFailed(f"openedx-events refused the signal: {error}") from error
    except Exception as error:  # noqa: BLE001 - with DEBUG on, the error of any receiver comes through
        responses = [(None, error)]
    failures = [response for _, response in responses or () if isinstance(response, Exception)]
    for failure in failures:
        # Other receivers look after their own errors; only what keeps the event from the bus is ours to repeat.
        if any(frame.name == PRODUCER_HANDLER for frame in traceback.extract_tb(failure.__traceback__)):
            raise AnnouncementFailed(f"The event bus's producer failed: {type(failure).__name__}. Is the bus up?")
    return Done(detail=f"Announced; {len(failures)} receivers failed." if failures else "Announced.")
