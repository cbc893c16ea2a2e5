"""Carrying out deliveries: those of the batch after it is acknowledged, and what is due while nothing comes.

What is due in the inbox of webhooks is processed, too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from attrs import define, field

from badges.conf import ConsumerSettings
from badges.eventbus.redis.stopping import Stop
from badges.exceptions import describe
from badges.issuing.sweep import sweep
from badges.issuing.tasks import enqueue_all
from badges.toggles import is_badges_enabled
from badges.webhooks.processing import process_due

logger = logging.getLogger(__name__)

BUSY = 6
"""A consumer that is never idle sweeps so many times more rarely."""
INBOX_SHARE = 0.5
"""The largest part of a turn that the inbox takes: deliveries must have their time, too."""


@define
class Deliveries:
    """A consumer's turns of deliveries. Each ends after ``work_for`` seconds; then messages are looked for again."""

    config: ConsumerSettings
    stop: Stop
    beat: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    was_cut: bool = field(init=False, default=False)
    """Whether the last sweep had no time for everything."""
    _swept: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._swept = self.clock()

    def begin(self, badge_ids: Iterable[int]) -> None:
        """Start what the last batch caused. What there is no time for is left to the sweep."""
        try:
            enqueue_all(badge_ids, is_stopping=self._turn())
        except Exception as error:  # noqa: BLE001 - an engine that is away is no reason to stop
            logger.warning(
                "Deliveries could not be started and are left to the sweep: %s",
                describe(error),
                extra={"action": "deliveries_not_started"},
            )

    def sweep_if_due(self, *, is_idle: bool) -> None:
        """Sweep, every ``sweep_every`` seconds, or at once where the last sweep was cut short."""
        waited = self.clock() - self._swept
        pause = self.config.sweep_every * (1 if is_idle else BUSY)
        if not is_badges_enabled() or (waited < pause and not (is_idle and self.was_cut)):
            return
        self._swept = self.clock()
        is_over = self._turn()
        inbox_was_cut = self._process_inbox()
        try:
            # A call that has to wait for its turn below a ceiling is left to the next one.
            report = sweep(patience=0.0, is_stopping=is_over)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with deliveries, events come first
            self.was_cut = False
            logger.error(  # noqa: TRY400 - described without what the database quotes
                "The sweep failed and is tried again: %s", describe(error), extra={"action": "sweep_failed"}
            )
            return
        self.was_cut = (is_over() or inbox_was_cut) and not self.stop.requested
        attempts = sum(report.outcomes.values())
        if attempts or report.broken:
            logger.info(
                "A sweep made %d attempts at deliveries; %d wait.",
                attempts,
                report.waiting,
                extra={"action": "swept", "attempts": attempts, "waiting": report.waiting, "broken": report.broken},
            )

    def _process_inbox(self) -> bool:
        """Process what is due in the inbox; True where there was no time for everything."""
        is_over = self._turn(INBOX_SHARE)
        try:
            outcomes = process_due(patience=0.0, is_stopping=is_over)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with webhooks, events come first
            logger.error(  # noqa: TRY400 - described without what the database quotes
                "The inbox could not be processed and is tried again: %s",
                describe(error),
                extra={"action": "inbox_failed"},
            )
            return False
        if outcomes:
            logger.info(
                "%d attempts were made at webhook events.",
                outcomes.total(),
                extra={"action": "inbox_swept", "attempts": outcomes.total(), "outcomes": dict(outcomes)},
            )
        return is_over()

    def _turn(self, share: float = 1.0) -> Callable[[], bool]:
        """What tells when a turn that begins now, or a share of one, is over."""
        end = self.clock() + self.config.work_for * share

        def is_over() -> bool:
            self.beat()
            return self.stop.requested or self.clock() >= end

        return is_over
