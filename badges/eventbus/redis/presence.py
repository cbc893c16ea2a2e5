"""What a running consumer tells of itself: its row in the database, a heartbeat file, and its progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from attrs import define, field
from django.db import transaction
from django.utils import timezone

from badges.exceptions import describe
from badges.models import BusConsumer

logger = logging.getLogger(__name__)

BEAT_EVERY = 1.0
TELL_EVERY = 10.0
SHOW_EVERY = 0.5


@define
class Tally:
    """What a consumer has done since its start."""

    events: int = 0
    """Messages that are finished: applied, parked or recorded as lost."""
    awards: int = 0
    revocations: int = 0
    parked: int = 0
    """Those of them that became dead events, the lost ones included."""
    retried: int = 0
    """Messages that failed and are tried again later."""
    lag: int | None = None
    """Messages that nobody in the group has taken yet, as last asked for; None: not asked, or not known."""
    lag_is_at_least: bool = False
    seconds: float = 0.0
    waits_for: str = ""
    """``Redis`` or ``database`` while it waits for that; else empty."""
    last_message_id: str = ""
    """At first where the group stood at the start."""
    last_error: str = ""


OnProgress = Callable[[Tally], None]


@define
class Presence:
    """Tells, at most so often as is worth it. Nothing that goes wrong with that disturbs the consumer."""

    topic: str
    group_id: str
    name: str
    tally: Tally
    heartbeat: Path | None = None
    on_progress: OnProgress | None = None
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _started_at: datetime = field(init=False, factory=timezone.now)
    _beaten: float = field(init=False, default=float("-inf"))
    _shown: float = field(init=False, default=float("-inf"))
    _told: float = field(init=False, default=float("-inf"))
    _is_heartbeat_broken: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def beat(self) -> None:
        """Tell that the consumer is alive. To be called often; cheap."""
        now = self.clock()
        if self.heartbeat is not None and now - self._beaten >= BEAT_EVERY:
            self._beaten = now
            self._touch(self.heartbeat)
        if self.on_progress is not None and now - self._shown >= SHOW_EVERY:
            self._shown = now
            self.show()

    def show(self) -> None:
        """Tell whoever watches how far it is."""
        if self.on_progress is not None:
            self.tally.seconds = self.clock() - self._began
            self.on_progress(self.tally)

    def tell(self) -> None:
        """Write the row, if that was not done a moment ago."""
        if self.clock() - self._told >= TELL_EVERY:
            self._write(is_stopped=False)

    def tell_stopped(self) -> None:
        """Write the row for the last time."""
        self._write(is_stopped=True)

    def _write(self, *, is_stopped: bool) -> None:
        self._told = self.clock()
        tally, now = self.tally, timezone.now()
        values = {
            "started_at": self._started_at,
            "seen_at": now,
            "stopped_at": now if is_stopped else None,
            "events": tally.events,
            "awards": tally.awards,
            "last_error": tally.last_error,
        }
        if tally.last_message_id:
            # What an earlier start wrote tells that there was a group.
            values["last_message_id"] = tally.last_message_id
        try:
            with transaction.atomic():
                BusConsumer.objects.update_or_create(
                    topic=self.topic, group_id=self.group_id, name=self.name, defaults=values
                )
        except Exception as error:  # noqa: BLE001 - a page that shows an old time is no reason to stop
            logger.warning(
                "The consumer could not tell of itself: %s", describe(error), extra={"action": "presence_failed"}
            )

    def _touch(self, path: Path) -> None:
        try:
            path.touch()
        except OSError as error:
            if not self._is_heartbeat_broken:
                logger.error(  # noqa: TRY400 - the place in the code says nothing
                    "The heartbeat file %s cannot be written (%s): a liveness probe will take this consumer for dead.",
                    path,
                    error.strerror,
                    extra={"action": "heartbeat_failed"},
                )
            self._is_heartbeat_broken = True
        else:
            self._is_heartbeat_broken = False
