"""A learner retires because an event says so: ``BADGES_CONFIG["retirement"]``."""

from __future__ import annotations

import logging
from typing import Any

from badges.conf import get_config
from badges.data import IncomingEvent, Learner
from badges.exceptions import UnreadablePayload
from badges.issuing.erasure import AtProvider
from badges.privacy import people
from badges.privacy.retirement import retire
from badges.processing import learners, retirements
from badges.rules.schema import event_schema

logger = logging.getLogger(__name__)


def retire_learner_of(event: IncomingEvent) -> None:
    """Retire the learner of an event: the user record, and whatever bears the names that the event has.

    Raises:
        UnreadablePayload: several user records may be meant, or its learner has no username.
        django.db.Error: the database failed; another call does the rest.
    """
    learner = learners.identify(event)
    extra = {"action": "learner_retired", "event_id": str(event.event_id)}
    if learner is None and event_schema(event.event_type).learner_path is not None:
        raise UnreadablePayload(
            f"Event {event.event_id} tells of a retirement, and its learner has no username. Use retire_learner "
            "--lms-user-id, then discard this."
        )
    if learner is None:
        logger.warning(
            "Event %s of type %s tells of a retirement and names no learner. Nothing was done.",
            event.event_id,
            event.event_type,
            extra={**extra, "action": "event_dropped"},
        )
        return
    user = _user_of(learner, event)
    counts = retire(
        user,
        usernames=(learner.username,),
        emails=(learner.email,),
        lms_user_id=learner.lms_user_id,
        at_provider=AtProvider(get_config().retirement.at_provider),
    )
    logger.info(
        "%s was retired, as event %s of type %s says: %s.",
        "A learner without a user record" if user is None else f"User {user.pk}",
        event.event_id,
        event.event_type,
        ", ".join(f"{name} {number}" for name, number in counts.items() if number) or "nothing was left to do",
        extra=extra,
    )


def register() -> None:
    """Let this module carry out retirements."""
    retirements.register(retire_learner_of)


def _user_of(learner: Learner, event: IncomingEvent) -> Any | None:
    user = people.named(learner.username)
    if user is not None or learner.lms_user_id is None:
        return user
    # The record may have been anonymized before the event came.
    found = people.of_lms_user(learner.lms_user_id)
    if len(found) > 1:
        ids = ", ".join(str(user.pk) for user in found)
        raise UnreadablePayload(
            f"Event {event.event_id} tells of a retirement, no user has its username, and several have its LMS user "
            f"id: users {ids}. Use retire_learner --user-id for those that are meant, then discard this."
        )
    return found[0] if found else None
