"""The consumer: takes messages from a Redis stream, and acknowledges them when their effect is committed.

Name it in ``EVENT_BUS_CONSUMER`` as ``badges.eventbus.redis.DurableConsumer``.
"""

from __future__ import annotations

import logging
from pathlib import Path

from edx_event_bus_redis.internal.config import get_full_topic
from edx_event_bus_redis.internal.consumer import REDIS_CONSUMERS_ENABLED
from openedx_events.event_bus import EventBusConsumer

from badges.eventbus.redis.loop import Run
from badges.eventbus.redis.options import Options, read_options
from badges.eventbus.redis.presence import OnProgress, Presence, Tally
from badges.eventbus.redis.stopping import Stop, stop_on_signals
from badges.eventbus.redis.stream import Stream
from badges.exceptions import BadgesError, ConfigurationError, describe

logger = logging.getLogger(__name__)

FAILED = 1
"""The exit code of a crash."""


class DurableConsumer(EventBusConsumer):  # type: ignore[misc]  # openedx-events ships no types
    """A consumer of one group of one topic that loses nothing.

    Constructing one asks neither Redis nor the database: openedx-events takes an error there for a missing setting,
    and goes on with a consumer that does nothing. Wrong arguments are told by :meth:`consume_indefinitely`.

    Arguments:
        topic: without its prefix.
        group_id: the consumer group; made when there is none.
        consumer_name: one that no other consumer of the group has, and that stays the same.
        last_read_msg_id: a new group starts after this message, and an existing one goes back to it.
        check_backlog: accepted, and of no effect: nothing is ever skipped.
        claim_msgs_older_than: milliseconds after which it takes over what another consumer left.
        batch_size: messages that one read takes at most.
        max_wait_ms: milliseconds to wait for messages before it does what is to be done when idle.
        until_empty: end when the group has read everything and this consumer has nothing in hand.
        heartbeat: a file to touch once a second while alive, from when it minds signals.
        on_progress: is given the :class:`Tally` about twice a second.
    """

    def __init__(
        self,
        topic: str,
        group_id: str,
        consumer_name: str | None = None,
        last_read_msg_id: str | None = None,
        check_backlog: bool | None = None,
        claim_msgs_older_than: int | None = None,
        batch_size: int | None = None,
        max_wait_ms: int | None = None,
        *,
        until_empty: bool = False,
        heartbeat: Path | None = None,
        on_progress: OnProgress | None = None,
        **unknown: object,
    ) -> None:
        self.options: Options | None = None
        self.problem: ConfigurationError | None = None
        """What is wrong with the arguments or the settings."""
        self.stop = Stop()
        self.tally = Tally()
        self.full_topic: str = get_full_topic(topic)
        """The name of the stream."""
        self.group_id = group_id
        self._until_empty, self._heartbeat, self._on_progress = until_empty, heartbeat, on_progress
        extra = {
            "consumer_name": consumer_name,
            "last_read_msg_id": last_read_msg_id,
            "check_backlog": check_backlog,
            "claim_msgs_older_than": claim_msgs_older_than,
            "batch_size": batch_size,
            "max_wait_ms": max_wait_ms,
        }
        try:
            self.options = read_options(topic, group_id, {**extra, **unknown})
        except ConfigurationError as error:
            self.problem = error

    def consume_indefinitely(self) -> None:
        """Consume until somebody asks to end, by SIGTERM or SIGINT; with ``until_empty`` at most until all is read.

        Raises:
            SystemExit: with 1 after a crash, which is logged; with 0 when the grace time after a signal was over; with
                128 and its number at a second signal.
        """
        if not REDIS_CONSUMERS_ENABLED.is_enabled():
            logger.error(
                "EVENT_BUS_REDIS_CONSUMERS_ENABLED is off: this consumer takes nothing.",
                extra={"action": "consumers_disabled"},
            )
            return
        if self.options is None:
            logger.error("The consumer cannot start: %s", self.problem, extra={"action": "consumer_refused"})
            raise SystemExit(FAILED)
        options = self.options
        topic = self.full_topic
        presence = Presence(
            topic, options.group_id, options.consumer_name, self.tally, self._heartbeat, self._on_progress
        )
        self.stop.on_nap = presence.beat
        run = Run(
            options,
            self.stop,
            self.tally,
            presence,
            Stream(topic, options.group_id, options.consumer_name),
            self._until_empty,
        )
        with stop_on_signals(self.stop, options.settings.grace):
            try:
                run.consume()
            except Exception as error:  # noqa: BLE001 - logged, and told by the exit code
                self.tally.last_error = describe(error)
                presence.tell_stopped()
                # The traceback of an error that tells itself would say nothing more.
                log = logger.error if isinstance(error, BadgesError) else logger.exception
                log("The consumer ends: %s", describe(error), extra={"action": "consumer_crashed"})
                raise SystemExit(FAILED) from None
            presence.tell_stopped()
