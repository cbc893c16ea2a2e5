"""People who do the same at the same time. Only databases whose threads really race are asked."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from badges.applications import applying, reviewing
from badges.applications.errors import ApplicationRefused
from badges.applications.external import store_review
from badges.models import Application, Badge, BadgeKitSystem, BadgeKitTemplate, Delivery, Review
from badges.processing.retries import retried
from tests.factories import ApplicationFactory, BadgeTemplateFactory, UserFactory
from tests.integration.applications.helpers import manager, reviewer, upload
from tests.integration.applications.test_external import REVIEW
from tests.integration.processing.helpers import passes, send
from tests.integration.test_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]
ROUNDS = 10
Status = Application.Status


def tried(action: Any) -> str:
    """What came of it: done, or the kind of the refusal."""
    try:
        action()
    except ApplicationRefused as error:
        return error.code
    return "done"


def test_of_applications_at_the_same_time_one_is_taken(media: Any) -> None:
    template = BadgeTemplateFactory(takes_applications=True)

    for _ in range(ROUNDS):
        act = partial(applying.submit, template, UserFactory(), evidence=[])
        came = at_once(*[partial(tried, partial(act, statement=str(n))) for n in range(3)])
        assert sorted(came) == ["conflict", "conflict", "done"]

    learner = UserFactory()
    came = at_once(*[partial(tried, partial(applying.submit, template, learner, evidence=[upload()]))] * 3)
    assert sorted(came) == ["conflict", "conflict", "done"]
    assert len([path for path in media.rglob("*") if path.is_file()]) == 1
    assert Application.objects.count() == ROUNDS + 1


@pytest.mark.parametrize("approves", [(True, True), (True, False)])
def test_of_reviewers_at_the_same_time_one_wins(approves: tuple[bool, bool]) -> None:
    template = BadgeTemplateFactory(takes_applications=True, awards_on_approval=True)
    people = [reviewer(), reviewer()]

    for _ in range(ROUNDS):
        application = ApplicationFactory(template=template)
        acts = [
            partial(reviewing.review, application, author, comment="Hm.", approves=one)
            for author, one in zip(people, approves, strict=True)
        ]
        assert Counter(at_once(*[partial(tried, act) for act in acts])) == {"done": 1, "conflict": 1}

    assert Review.objects.count() == ROUNDS
    assert Badge.objects.count() == Review.objects.filter(is_approved=True).count()


def test_of_staff_who_award_at_the_same_time_one_awards() -> None:
    people = [manager(), manager()]

    for _ in range(ROUNDS):
        application = ApplicationFactory(status=Status.APPROVED)
        acts = [partial(reviewing.award, application, one) for one in people]
        assert Counter(at_once(*[partial(tried, act) for act in acts])) == {"done": 1, "conflict": 1}

    assert Badge.objects.count() == ROUNDS
    assert Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_AWARDED).count() == ROUNDS


def test_an_approval_beside_an_event_that_earns_the_badge_awards_one() -> None:
    template = BadgeTemplateFactory(takes_applications=True, awards_on_approval=True)
    passes(template)
    author = reviewer()

    for number in range(ROUNDS):
        application = ApplicationFactory(template=template, user=UserFactory(username=f"racer{number}"))
        act = partial(reviewing.review, application, author, approves=True)
        at_once(partial(tried, act), partial(send, f"racer{number}"))

    assert Application.objects.filter(status=Status.AWARDED).count() == ROUNDS
    assert Badge.objects.count() == ROUNDS
    assert Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_AWARDED).count() == ROUNDS


def test_the_same_review_of_a_badgekit_system_at_the_same_time_is_one() -> None:
    system = BadgeKitSystem.objects.create(name="BadgeKit")
    BadgeKitTemplate.objects.create(
        account=system, external_id="badge-slug", name="Python", is_active=True, awards_on_approval=True
    )
    UserFactory(email="anna@example.com")

    def store() -> None:
        with transaction.atomic():
            store_review(REVIEW, system)

    at_once(*[partial(retried, store)] * 3)

    assert (Application.objects.count(), Review.objects.count(), Badge.objects.count()) == (1, 1, 1)
