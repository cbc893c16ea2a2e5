"""At MySQL's own isolation level a plain read shows what was, and the badge of that moment is not in it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from badges.models import Badge, BadgeProgress
from badges.processing import standing
from badges.processing.dead_events import incoming
from badges.processing.pipeline import process_batch
from tests import factories
from tests.factories import BadgeTemplateFactory
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="Other databases fail such a transaction, or have none."),
]


@pytest.fixture
def repeatable_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connection.ensure_connection()
    monkeypatch.setattr(connection, "isolation_level", "repeatable read", raising=False)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    yield
    connection.close()


def process(*learners: str, at: float, **payload: Any) -> None:
    process_batch(
        [
            incoming(factories.metadata(at=at), {"course_passing_status": factories.passing_status(learner, **payload)})
            for learner in learners
        ]
    )


def in_another_consumer(learner: str, **event: Any) -> None:
    def work() -> None:
        process(learner, **event)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=30)


@pytest.mark.usefixtures("repeatable_read")
def test_a_penalty_takes_away_what_was_awarded_while_it_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    passes(template, OTHER_COURSE)
    process("anna", "berta", at=1)
    found_first = standing._found_first
    awards = [lambda: in_another_consumer("anna", at=2, course=OTHER_COURSE)]

    def found_before_the_award(rows: Any, pairs: Any) -> Any:
        found = found_first(rows, pairs)
        if awards and connection.in_atomic_block and rows.model is BadgeProgress:
            awards.pop()()
        return found

    monkeypatch.setattr(standing, "_found_first", found_before_the_award)

    process("anna", "berta", at=3, is_passing=False)

    assert Badge.objects.get().status == "revoked"
