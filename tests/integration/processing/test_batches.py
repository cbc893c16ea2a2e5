"""A batch of events has the effect of its events one after another, for less."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from badges.data import IncomingEvent
from badges.exceptions import UnreadablePayload
from badges.models import Badge, BadgeProgress, BadgeTemplate, Delivery, Fulfillment
from badges.processing.configuration import current_ruleset
from badges.processing.dead_events import incoming
from badges.processing.pipeline import BatchOutcome, process_batch
from tests import factories
from tests.factories import PASSING, BadgeTemplateFactory, UserFactory, moment
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes

pytestmark = pytest.mark.django_db
DAYS = 24 * 60


def event(username: str = "anna", *, at: float = 0, **payload: Any) -> IncomingEvent:
    """A passing-status event."""
    data = factories.passing_status(username, **payload)
    return incoming(factories.metadata(PASSING, at=at), {"course_passing_status": data})


@pytest.fixture
def template() -> BadgeTemplate:
    """Awarded for two courses."""
    template = BadgeTemplateFactory(is_active=True)
    passes(template)
    passes(template, OTHER_COURSE)
    return template


def test_events_of_one_learner_complete_a_badge_together(template: BadgeTemplate) -> None:
    done = process_batch([event(at=1), event(at=2, course=OTHER_COURSE)])

    badge = Badge.objects.get()
    assert done.awarded == (badge.pk,)
    assert badge.awarded_at == moment(2)
    assert len(done.fulfilled) == 2


def test_a_badge_is_awarded_for_when_it_was_complete_not_for_what_came_after(template: BadgeTemplate) -> None:
    process_batch([event(at=1), event(at=2, course=OTHER_COURSE), event(at=9)])

    assert Badge.objects.get().awarded_at == moment(2)


def test_a_badge_that_is_awarded_and_lost_in_one_batch_is_revoked_and_never_issued(template: BadgeTemplate) -> None:
    fails(template, *template.requirements.all())

    done = process_batch([event(at=1), event(at=2, course=OTHER_COURSE), event(at=3, is_passing=False)])

    badge = Badge.objects.get()
    assert (done.awarded, done.revoked) == ((badge.pk,), (badge.pk,))
    assert (badge.status, badge.revoked_at) == ("revoked", moment(3))
    assert list(badge.deliveries.order_by("pk").values_list("action", flat=True)) == [
        "announce_awarded",
        "announce_revoked",
    ]


def test_what_was_lost_before_the_badge_was_complete_does_not_revoke_it(template: BadgeTemplate) -> None:
    fails(template, *template.requirements.all())

    done = process_batch([event(at=1), event(at=2, is_passing=False), event(at=3), event(at=4, course=OTHER_COURSE)])

    assert done.revoked == ()
    assert Badge.objects.get().status == "awarded"


def test_the_newest_event_of_a_batch_decides_whatever_its_place(template: BadgeTemplate) -> None:
    fails(template, *template.requirements.all())

    process_batch([event(at=5, is_passing=False), event(at=9), event(at=7, is_passing=False), event(at=3)])

    [row] = Fulfillment.objects.all()
    assert (row.is_fulfilled, row.event_time) == (True, moment(9))


def test_an_event_that_cannot_be_applied_is_refused_and_the_others_are_applied(template: BadgeTemplate) -> None:
    impossible = event("a" * 200)

    done = process_batch([event("anna"), impossible, event("berta")])

    [refusal] = done.refused
    assert refusal.event is impossible
    assert isinstance(refusal.error, UnreadablePayload)
    assert set(BadgeProgress.objects.values_list("user__username", flat=True)) == {"anna", "berta"}


def test_nothing_is_changed_if_it_fails(template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("badges.processing.effects.Effects._award_and_revoke", fail)

    with pytest.raises(RuntimeError):
        process_batch([event("anna"), event("berta")])

    assert not get_user_model().objects.exists()
    assert not BadgeProgress.objects.exists()


def test_nothing_in_it_costs_nothing() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert process_batch([]) == BatchOutcome()

    assert not queries.captured_queries


@pytest.mark.parametrize("number", [2, 60])
def test_the_statements_of_a_batch_do_not_grow_with_it(
    template: BadgeTemplate, number: int, django_capture_on_commit_callbacks: Any
) -> None:
    several = [
        event(f"learner{n}", course=course) for n in range(number) for course in (factories.COURSE, OTHER_COURSE)
    ]

    current_ruleset()

    with CaptureQueriesContext(connection) as queries, django_capture_on_commit_callbacks(execute=False):
        process_batch(several)

    assert Badge.objects.count() == number
    statements = [query["sql"] for query in queries.captured_queries if "SAVEPOINT" not in query["sql"]]
    # SQLite takes at most 999 values in a statement, so that 60 learners need a few more. MySQL does not tell the
    # ids of rows, which are read then.
    most = 20 if number > 2 and connection.vendor == "sqlite" else 14
    reads = 0 if connection.features.can_return_rows_from_bulk_insert else 4
    assert len(statements) <= most + reads


def test_repeats_of_what_is_known_read_and_write_nothing(template: BadgeTemplate) -> None:
    process_batch([event("anna"), event("berta"), event("berta", course=OTHER_COURSE)])

    with CaptureQueriesContext(connection) as queries:
        done = process_batch([event("anna", at=5), event("berta", at=6), event("carla", is_passing=False)] * 20)

    assert not done
    assert len(queries.captured_queries) == 3, "the version of the configuration, who is known, and what of them"


def test_learners_of_one_batch_do_not_share_progress(template: BadgeTemplate) -> None:
    process_batch(
        [event("anna"), event("berta", course=OTHER_COURSE), event("carla"), event("anna", course=OTHER_COURSE)]
    )

    assert list(Badge.objects.values_list("user__username", flat=True)) == ["anna"]
    assert BadgeProgress.objects.count() == 3


def test_the_project_is_told_of_every_user_record_if_it_listens(template: BadgeTemplate) -> None:
    told: list[str] = []

    def listen(instance: Any, created: bool, **kwargs: Any) -> None:
        told.append(instance.username)

    post_save.connect(listen, sender=get_user_model())
    try:
        process_batch([event("anna"), event("berta")])
    finally:
        post_save.disconnect(listen, sender=get_user_model())

    assert told == ["anna", "berta"]


def test_known_learners_and_new_ones_go_together(template: BadgeTemplate) -> None:
    known = UserFactory(username="berta", email="berta@known.example")

    process_batch([event("anna"), event("berta"), event("carla")])

    assert get_user_model().objects.count() == 3
    known.refresh_from_db()
    assert known.email == "berta@known.example"


def test_names_that_the_database_takes_for_one_are_one_learner(template: BadgeTemplate) -> None:
    if connection.vendor != "mysql":
        pytest.skip("This database tells the case of letters apart.")
    UserFactory(username="Berta")

    process_batch([event("anna"), event("Anna", course=OTHER_COURSE), event("berta"), event("BERTA", at=3)])

    assert get_user_model().objects.count() == 2
    assert Badge.objects.count() == 1


def test_two_of_the_same_event_in_one_batch_are_one(template: BadgeTemplate) -> None:
    one, other = event(at=1), event(at=2, course=OTHER_COURSE)

    done = process_batch([one, one, other, other, one])

    assert len(done.awarded) == 1
    assert Delivery.objects.filter(badge_id=done.awarded[0]).count() == 1


def test_a_user_model_that_does_more_when_it_is_saved_is_saved(
    template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []

    def save(self: Any, *args: Any, **kwargs: Any) -> None:
        saved.append(self.username)
        models.Model.save(self, *args, **kwargs)

    monkeypatch.setattr(get_user_model(), "save", save)

    process_batch([event("anna"), event("berta")])

    assert saved == ["anna", "berta"]


def test_the_names_of_new_learners_are_kept_whatever_way_they_are_made(template: BadgeTemplate) -> None:
    data = factories.passing_status("anna")
    process_batch([incoming(factories.metadata(PASSING), {"course_passing_status": data}), event("berta")])

    anna = get_user_model().objects.get(username="anna")
    assert (anna.email, anna.full_name) == (data.user.pii.email, data.user.pii.name)
    assert not anna.has_usable_password()
    assert not anna.is_staff
