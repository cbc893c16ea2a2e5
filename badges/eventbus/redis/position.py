"""Where a consumer group stands: it starts at the beginning, goes on where it stopped, and skips nothing."""

from __future__ import annotations

import logging

from attrs import define
from django.db import Error, transaction

from badges.eventbus.redis.options import Options
from badges.eventbus.redis.stream import BEGINNING, END, Stream, order
from badges.models import BusConsumer

logger = logging.getLogger(__name__)


@define
class Position:
    """The position of a consumer's group."""

    stream: Stream
    options: Options
    _is_settled: bool = False

    def ensure(self) -> None:
        """Make sure that the group exists, and, the first time, that it stands where ``last_read_msg_id`` says.

        Raises:
            redis.RedisError: Redis is away.
        """
        if self._is_settled:
            if self.stream.create_group(BEGINNING):
                logger.error(
                    "The group %s of %s was gone: Redis lost its data, or somebody removed the group. It is made anew "
                    "and reads all that the stream has. What was not read before and is gone with it is lost: give "
                    "Redis its append-only file.",
                    self.stream.group_id,
                    self.stream.topic,
                    extra={"action": "group_made_anew"},
                )
            return
        wanted = self._wanted()
        if self.stream.create_group(wanted or self._start()):
            logger.info(
                "The group %s of %s is new and starts %s.",
                self.stream.group_id,
                self.stream.topic,
                f"after {wanted}" if wanted else f"at the {self.options.settings.start} of the stream",
                extra={"action": "group_made"},
            )
        elif wanted:
            self._go_back(wanted)
        if not self.options.check_backlog:
            logger.info(
                "check_backlog is not set. That makes no difference: this consumer skips nothing.",
                extra={"action": "backlog_is_read"},
            )
        self._is_settled = True

    def _wanted(self) -> str | None:
        if self.options.last_read_msg_id == END:
            logger.error(
                'last_read_msg_id is "$": that would skip what was not read, and is refused. To have a new group start '
                'at the end of the stream, set BADGES_CONFIG["consumer"]["start"] to "end".',
                extra={"action": "position_refused"},
            )
            return None
        return self.options.last_read_msg_id

    def _start(self) -> str:
        if self.options.settings.start == "beginning" or self._was_known():
            return BEGINNING
        return END

    def _was_known(self) -> bool:
        """Whether a consumer of this group ran before, so that the group is not new but lost."""
        try:
            with transaction.atomic():
                rows = BusConsumer.objects.filter(topic=self.stream.topic, group_id=self.stream.group_id)
                return rows.exclude(last_message_id="").exists()
        except Error:
            # Reading too much changes nothing; skipping would.
            return True

    def _go_back(self, wanted: str) -> None:
        present = self.stream.position()
        if order(wanted) < order(present):
            self.stream.go_back(wanted)
            logger.warning(
                "The group %s of %s stood at %s and goes back to %s, as last_read_msg_id says: all after that is read "
                "again, which changes nothing where it was processed. Take last_read_msg_id out of the command, or "
                "each start does the same.",
                self.stream.group_id,
                self.stream.topic,
                present,
                wanted,
                extra={"action": "group_went_back"},
            )
        elif order(wanted) > order(present) and self.stream.has_messages_between(present, wanted):
            logger.error(
                "last_read_msg_id is %s, and the group %s of %s stands at %s: that would skip messages that were not "
                "read, and is refused. The group goes on where it stands.",
                wanted,
                self.stream.group_id,
                self.stream.topic,
                present,
                extra={"action": "position_refused"},
            )
