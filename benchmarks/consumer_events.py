"""Templates, learners and messages for the consumer: messages as the real producer writes them, only faster."""

from __future__ import annotations

import functools
import io
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import redis
from attrs import frozen
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from edx_event_bus_redis.internal.config import get_full_topic
from edx_event_bus_redis.internal.message import RedisMessage
from opaque_keys.edx.keys import CourseKey
from openedx_events.data import EventsMetadata
from openedx_events.event_bus.avro.serializer import AvroSignalSerializer
from openedx_events.learning.data import CourseData, CoursePassingStatusData, UserData, UserPersonalData
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from badges.models import (
    Badge,
    BadgeProgress,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    DataRule,
    Delivery,
    Fulfillment,
    ProviderAccount,
)
from benchmarks.events import course, make_templates

SIGNAL = COURSE_PASSING_STATUS_UPDATED
NOWHERE = "course-v1:edX+Nothing+2026"
START = datetime(2026, 1, 1, tzinfo=UTC)
_seconds = itertools.count(1)


@frozen
class Target:
    """A requirement, and the course that fulfils it."""

    course_key: str
    requirement_id: int
    template_id: int


@frozen
class Targets:
    """What an event can be about."""

    first: tuple[Target, ...]
    """One of two groups, and no penalty undoes it: fulfils, and awards nothing."""
    undoable: tuple[Target, ...]
    """One of two groups, and a penalty undoes it."""
    whole: tuple[Target, ...]
    """All that a template wants: awards at once."""


def make_configuration(templates: int) -> None:
    """Make so many active templates: half of two groups and a penalty, half of one requirement."""
    make_templates(templates - templates // 2)
    account = ProviderAccount.objects.get()
    made = BadgeTemplate.objects.bulk_create(
        BadgeTemplate(name=f"Single {n}", account=account, provider="instant", external_id=f"single {n}")
        for n in range(templates // 2)
    )
    requirements = BadgeRequirement.objects.bulk_create(
        BadgeRequirement(template=template, event_type=SIGNAL.event_type) for template in made
    )
    DataRule.objects.bulk_create(
        DataRule(requirement=requirement, data_path=path, value=value)
        for number, requirement in enumerate(requirements)
        for path, value in (("is_passing", "true"), ("course.course_key", course(number, "S")))
    )
    activate(templates)


def activate(number: int) -> None:
    """Let only so many templates be active, half of each sort."""
    BadgeTemplate.objects.filter(is_active=True).update(is_active=False)
    for sort in ("Badge", "Single"):
        chosen = BadgeTemplate.objects.filter(name__startswith=sort).order_by("pk").values_list("pk", flat=True)
        BadgeTemplate.objects.filter(pk__in=list(chosen[: max(1, number // 2)])).update(is_active=True)
    ConfigurationVersion.bump()


def targets() -> Targets:
    """The targets of the active templates."""
    rules = DataRule.objects.filter(data_path="course.course_key", requirement__template__is_active=True)
    found: dict[str, list[Target]] = {"A": [], "B": [], "": []}
    for key, requirement_id, template_id, group in rules.order_by("pk").values_list(
        "value", "requirement_id", "requirement__template_id", "requirement__group"
    ):
        found[group].append(Target(key, requirement_id, template_id))
    return Targets(first=tuple(found["B"]), undoable=tuple(found["A"]), whole=tuple(found[""]))


def make_learners(names: Sequence[str]) -> dict[str, int]:
    """Make user records; gives username -> id."""
    model: Any = get_user_model()
    made = model._default_manager.bulk_create(
        (model(username=name, email=f"{name}@example.com", full_name="Anna Lee") for name in names), batch_size=1_000
    )
    return {user.username: user.pk for user in made}


def analyze() -> None:
    """Let the database see what it holds, as it does by itself on a machine that runs for long."""
    models = (get_user_model(), BadgeProgress, Fulfillment, Badge, Delivery, BadgeTemplate)
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"{'ANALYZE TABLE' if connection.vendor == 'mysql' else 'ANALYZE'} {model._meta.db_table}")
            cursor.fetchall() if connection.vendor == "mysql" else None


def empty() -> None:
    """Forget all learners, and what they have."""
    for model in (Delivery, Badge, Fulfillment, BadgeProgress, get_user_model()):
        queryset: Any = model._default_manager.all()
        queryset._raw_delete(queryset.db)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    analyze()


def drop(client: redis.Redis, topic: str) -> None:
    """Remove a topic that was taken."""
    client.delete(get_full_topic(topic))


@frozen
class Fact:
    """One message: who, where, and how it went."""

    username: str
    course_key: str
    is_passing: bool = True


def fill(client: redis.Redis, topic: str, facts: Iterable[Fact]) -> int:
    """Put messages on a topic, each a second after the one before; gives how many."""
    stream, number = get_full_topic(topic), 0
    for chunk in _chunks(facts, 1_000):
        with client.pipeline(transaction=False) as pipe:
            for fact in chunk:
                pipe.xadd(stream, message(fact))  # type: ignore[arg-type]
            pipe.execute()
        number += len(chunk)
    return number


def message(fact: Fact) -> dict[bytes, bytes]:
    """The fields of a message, as the producer of ``edx-event-bus-redis`` writes them."""
    metadata = EventsMetadata(
        event_type=SIGNAL.event_type, id=uuid.uuid4(), time=START + timedelta(seconds=next(_seconds))
    )
    data = CoursePassingStatusData(
        is_passing=fact.is_passing,
        user=UserData(
            id=1,
            is_active=True,
            pii=UserPersonalData(username=fact.username, email=f"{fact.username}@example.com", name="Anna Lee"),
        ),
        course=CourseData(course_key=_key(fact.course_key)),
    )
    serializer, schema = _serializer()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, serializer.to_dict({"course_passing_status": data}))
    fields: dict[bytes, bytes] = RedisMessage(
        topic="", event_data=out.getvalue(), event_metadata=metadata
    ).to_binary_dict()
    return fields


def redis_client() -> redis.Redis:
    """A client of the bus's Redis."""
    return redis.Redis.from_url(settings.EVENT_BUS_REDIS_CONNECTION_URL)


@functools.cache
def _serializer() -> tuple[Any, Any]:
    serializer = AvroSignalSerializer(SIGNAL)
    return serializer, fastavro.parse_schema(serializer.schema)


@functools.lru_cache(maxsize=50_000)
def _key(text: str) -> Any:
    return CourseKey.from_string(text)


def _chunks(items: Iterable[Fact], size: int) -> Iterator[list[Fact]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
