"""``manage.py consume_events``: take events from the bus.

The command of openedx-events with the same options, and more for the consumer of this app. Django runs this one if
``badges`` stands before ``openedx_events`` in ``INSTALLED_APPS``; with the other one the consumer works as well.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string
from openedx_events.event_bus import make_single_consumer
from openedx_events.tooling import load_all_signals

from badges.eventbus.redis import DurableConsumer, stats
from badges.eventbus.redis.options import EXTRA
from badges.exceptions import BadgesError
from badges.management.consuming import ProgressLine, report
from badges.models import Delivery

logger = logging.getLogger(__name__)

OURS = "badges.eventbus.redis.DurableConsumer"
CRASHED, NOT_EMPTY = 1, 3


class Command(BaseCommand):
    """Runs the consumer that ``EVENT_BUS_CONSUMER`` names."""

    help = (
        "Consume messages from a topic and send each with the correct signal. Example: consume_events "
        """-t learning-badges-lifecycle -g credentials_dev --extra '{"consumer_name": "credentials_dev.consumer1"}'"""
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-t", "--topic", nargs=1, required=True, help="Topic to consume (without environment prefix)"
        )
        parser.add_argument("-g", "--group_id", nargs=1, required=True, help="Consumer group id")
        parser.add_argument(
            "--extra",
            nargs="?",
            type=str,
            help=f"JSON object of more arguments for the consumer. The consumer of badges takes: {', '.join(EXTRA)}",
        )
        parser.add_argument(
            "--until-empty",
            action="store_true",
            help="read all that the group has not read, report, and exit; with 3 if it was stopped before",
        )
        parser.add_argument(
            "--heartbeat-file",
            type=Path,
            metavar="PATH",
            help="touch this file once a second while the consumer is alive, for a liveness probe",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        topic, group_id = options["topic"][0], options["group_id"][0]
        extra = self._extra(options.get("extra"))
        load_all_signals()
        if self._is_ours():
            self._consume(topic, group_id, extra, options["until_empty"], options["heartbeat_file"])
        elif options["until_empty"] or options["heartbeat_file"]:
            raise CommandError(
                f"--until-empty and --heartbeat-file need the consumer of badges: EVENT_BUS_CONSUMER = {OURS!r}."
            )
        else:
            self._consume_as_ever(topic, group_id, extra)

    def _extra(self, text: str | None) -> dict[str, Any]:
        try:
            extra = json.loads(text or "{}")
        except json.JSONDecodeError as error:
            raise CommandError(f"--extra is not JSON: {error}") from error
        if not isinstance(extra, dict):
            raise CommandError('--extra must be a JSON object, for example {"consumer_name": "consumer1"}.')
        return extra

    def _is_ours(self) -> bool:
        try:
            consumer = import_string(getattr(settings, "EVENT_BUS_CONSUMER", None) or "")
        except ImportError:
            # openedx-events says what is wrong with it.
            return False
        return isinstance(consumer, type) and issubclass(consumer, DurableConsumer)

    def _consume(
        self, topic: str, group_id: str, extra: dict[str, Any], until_empty: bool, heartbeat: Path | None
    ) -> None:
        if unknown := sorted(set(extra) - set(EXTRA)):
            raise CommandError(f'--extra has the unknown key "{unknown[0]}". Known: {", ".join(EXTRA)}.')
        if heartbeat is not None:
            _check_heartbeat(heartbeat)
        line = ProgressLine(self.stdout) if self.stdout.isatty() else None
        consumer = import_string(settings.EVENT_BUS_CONSUMER)(
            topic,
            group_id,
            **extra,
            until_empty=until_empty,
            heartbeat=heartbeat,
            on_progress=line.show if line else None,
        )
        if consumer.problem is not None:
            raise CommandError(str(consumer.problem))
        began = time.monotonic()
        try:
            consumer.consume_indefinitely()
        finally:
            if line:
                line.clear()
        if until_empty:
            consumer.tally.seconds = time.monotonic() - began
            self._report(consumer)

    def _report(self, consumer: DurableConsumer) -> None:
        is_empty = not consumer.stop.requested
        open_deliveries = Delivery.objects.filter(status__in=Delivery.OPEN).count()
        self.stdout.write(report(consumer.tally, self._stats(consumer), open_deliveries, is_empty=is_empty))
        if not is_empty:
            raise SystemExit(NOT_EMPTY)

    def _stats(self, consumer: DurableConsumer) -> stats.GroupStats | None:
        try:
            client = stats.connect()
            try:
                return stats.group_stats(client, consumer.full_topic, consumer.group_id)
            finally:
                client.close()
        except BadgesError:
            return None

    def _consume_as_ever(self, topic: str, group_id: str, extra: dict[str, Any]) -> None:
        try:
            make_single_consumer(topic=topic, group_id=group_id, **extra).consume_indefinitely()
        except Exception:
            logger.exception("Error consuming events", extra={"action": "consumer_crashed"})
            raise SystemExit(CRASHED) from None


def _check_heartbeat(path: Path) -> None:
    """Make sure that it can be written. It is not touched here: the consumer does not mind signals yet."""
    try:
        if path.exists():
            path.open("ab").close()
        else:
            tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise CommandError(f"The heartbeat file {path} cannot be written: {error.strerror}.") from None
