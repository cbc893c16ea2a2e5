"""``manage.py produce_event``: put one event on the bus, to try a configuration out."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from openedx_events.event_bus import get_producer

from badges.eventbus.producer import require_bus
from badges.exceptions import BadgesError
from badges.rules.payload import from_json
from badges.rules.schema import EventSchema, event_schema, find_signal
from badges.toggles import is_badges_enabled

TOPIC = "learning-badges-lifecycle"
EXAMPLE = (
    """'{"course_passing_status": {"is_passing": true, "user": {"id": 7, "is_active": true, "pii": """
    """{"username": "anna", "email": "anna@example.com", "name": "Anna Lee"}}, """
    """"course": {"course_key": "course-v1:edX+DemoX+2026"}}}'"""
)


class Command(BaseCommand):
    """Builds an event from JSON and sends it with the producer that ``EVENT_BUS_PRODUCER`` names."""

    help = f"Put one event on the bus, as the LMS would. Example of --data: {EXAMPLE}"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("event_type", help="for example org.openedx.learning.course.passing.status.updated.v1")
        parser.add_argument("--data", required=True, help="the signal's arguments, as one JSON object")
        parser.add_argument("--topic", default=TOPIC, help=f"without the prefix; default: {TOPIC}")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            signal = find_signal(options["event_type"])
            schema = event_schema(options["event_type"])
            arguments = from_json(schema, json.loads(options["data"]))
        except json.JSONDecodeError as error:
            raise CommandError(f"--data is not JSON: {error}") from error
        except BadgesError as error:
            raise CommandError(str(error)) from error
        if not getattr(settings, "EVENT_BUS_PRODUCER", None):
            raise CommandError('Set EVENT_BUS_PRODUCER, for Redis to "edx_event_bus_redis.create_producer".')
        try:
            require_bus()
        except BadgesError as error:
            raise CommandError(str(error)) from error
        if not is_badges_enabled():
            self.stderr.write("BADGES_ENABLED is off here: this service will take no notice of the event.")
        metadata = signal.generate_signal_metadata()
        get_producer().send(
            signal=signal,
            topic=options["topic"],
            event_key_field=self._key_field(schema),
            event_data=arguments,
            event_metadata=metadata,
        )
        self.stdout.write(f"Produced {options['event_type']} with id {metadata.id} on topic {options['topic']}.")

    def _key_field(self, schema: EventSchema) -> str:
        """The course where the event names one, as in the settings document: Kafka orders by it, Redis ignores it."""
        keys = [path for path, kind in schema.kinds.items() if kind.is_key]
        argument = next(iter(schema.arguments))
        path = (keys or list(schema.kinds) or [""])[0]
        return path if len(schema.arguments) > 1 else f"{argument}.{path}"
