"""Learners are adopted while consumers take events of the same template. Only databases whose threads really race."""

from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from attrs import define
from django.db import connection

from badges.host.adoption import learners, progress, tables
from badges.issuing import awards
from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from badges.processing.retries import retried
from tests.factories import COURSE, BadgeProgressFactory, FulfillmentFactory, UserFactory
from tests.integration.host.adopting import Adoption, adoption
from tests.integration.host.built_in import BuiltIn
from tests.integration.processing.helpers import OTHER_COURSE, PASSED, in_course, send
from tests.integration.test_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]
LEARNERS = 30


@define
class Template:
    """An active template of two courses. There, everybody has passed the first one, and every third has the badge."""

    adoption: Adoption
    names: list[str]

    def adopt(self) -> None:
        """As the command does it: again where somebody was in the way."""
        retried(self.adoption.run)

    def consume(self, course: str, seed: int) -> None:
        """Take an event of every learner, in an order of one's own."""
        names = list(self.names)
        random.Random(seed).shuffle(names)
        for name in names:
            send(name, course=course)


@pytest.fixture
def template(transactional_db: None, built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch) -> Template:
    """Some learners have progress here already; a few learners are adopted at a time."""
    monkeypatch.setattr(learners, "AT_ONCE", 4)
    monkeypatch.setattr(progress, "AT_ONCE", 5)
    # Nobody is to be called for what is awarded meanwhile.
    monkeypatch.setattr(awards, "enqueue_on_commit", lambda *badge_ids: None)
    made = adoption(built_in)
    first, second = made.requirement("A"), made.requirement("B")
    for there, course in ((first, COURSE), (second, OTHER_COURSE)):
        here = made.here.requirements.get(pk=made.requirements[there.pk].id)
        for path, operator, value in (PASSED, in_course(course)):
            here.rules.create(data_path=path, operator=operator, value=value)
    names = [f"learner{number}" for number in range(LEARNERS)]
    for number, name in enumerate(names):
        user = UserFactory(username=name)
        made.built_in.progress(made.there, name, [first])
        if number % 3 == 0:
            made.badge(name)
        if number % 5 == 0:
            record = BadgeProgressFactory(user=user, template=made.here)
            FulfillmentFactory(progress=record, requirement=made.here.requirements.get(group="B"))
    return Template(made, names)


def test_every_learner_ends_with_one_record_and_one_badge(template: Template) -> None:
    at_once(
        template.adopt,
        partial(template.consume, OTHER_COURSE, 1),
        partial(template.consume, OTHER_COURSE, 2),
        partial(template.consume, COURSE, 3),
    )

    # What became complete by the adoption itself is awarded with the next event, which repeats what is known.
    template.consume(COURSE, 4)
    assert BadgeProgress.objects.count() == LEARNERS
    assert Fulfillment.objects.filter(is_fulfilled=True).count() == 2 * LEARNERS
    assert Badge.objects.filter(status="awarded").count() == LEARNERS
    assert Delivery.objects.filter(action="issue").count() == LEARNERS
    assert template.adoption.run().changes == 0


def test_a_badge_of_there_is_not_made_anew_by_events_that_come_in_between(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin when the first progress records are written, and no badge is."""
    there = set(tables.UserCredential.objects.values_list("uuid", flat=True))
    consumers: list[Future[None]] = []
    write = progress.Changes.write

    with ThreadPoolExecutor(1) as pool:

        def write_and_go_on(changes: progress.Changes, template_id: int) -> None:
            write(changes, template_id)
            if not consumers:
                consumers.append(pool.submit(_consume, template))

        monkeypatch.setattr(progress.Changes, "write", write_and_go_on)
        template.adopt()
        consumers[0].result(timeout=60)

    template.consume(COURSE, 2)
    assert Badge.objects.count() == LEARNERS
    assert there <= set(Badge.objects.values_list("uuid", flat=True))


def _consume(template: Template) -> None:
    try:
        template.consume(OTHER_COURSE, 1)
    finally:
        connection.close()
