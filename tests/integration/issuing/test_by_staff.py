"""Badges that staff award and revoke by hand: what is written, what is refused, and who wins at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from badges.exceptions import Refused
from badges.issuing import awards, by_staff
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeChange, BadgeProgress, BadgeTemplate, Delivery
from badges.processing.retries import retried
from tests.factories import COURSE, BadgeTemplateFactory, UserFactory, moment
from tests.integration.processing.helpers import passes, send
from tests.integration.test_lock_order import Locks, in_the_order
from tests.integration.test_lock_order import locks as _locks
from tests.integration.test_races import at_once

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
locks = _locks
ROUNDS = 10


def deliveries() -> list[tuple[str, str]]:
    return list(Delivery.objects.order_by("pk").values_list("action", "status"))


def award(template: BadgeTemplate, learner: Any, by: Any = None, reason: str = "At the fair.") -> Badge:
    return by_staff.award(template, learner, by=by, reason=reason)


def test_an_award_by_hand_is_one_like_any_other_and_says_who_and_why(template: BadgeTemplate) -> None:
    staff, learner = UserFactory(), UserFactory()

    badge = award(template, learner, staff, "  Took part in the trial.\n")

    assert (badge.user, badge.template, badge.status) == (learner, template, "awarded")
    assert deliveries() == [(Action.ANNOUNCE_AWARDED, Status.PENDING), (Action.ISSUE, Status.PENDING)]
    change = badge.changes.get()
    assert (change.action, change.by, change.reason) == ("awarded", staff, "Took part in the trial.")


def test_a_revocation_by_hand_goes_to_the_platform_and_the_provider(template: BadgeTemplate) -> None:
    staff, badge = UserFactory(), award(template, UserFactory())
    run_due(badge.pk)

    revoked = by_staff.revoke(badge, by=staff, reason="It was another Anna.")

    assert (revoked.status, revoked.revoked_at is not None) == ("revoked", True)
    assert deliveries()[2:] == [(Action.ANNOUNCE_REVOKED, Status.PENDING), (Action.REVOKE, Status.PENDING)]
    change = badge.changes.get(action="revoked")
    assert (change.by, change.reason) == (staff, "It was another Anna.")


def test_a_badge_of_a_template_that_is_not_active_any_more_can_be_revoked() -> None:
    badge = award(template := BadgeTemplateFactory(), UserFactory())
    BadgeTemplate.objects.filter(pk=template.pk).update(is_active=False)

    assert not by_staff.revoke(badge, by=None, reason="Wrong.").is_awarded


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501])
def test_without_a_reason_of_a_bearable_length_nothing_is_done(reason: str) -> None:
    template, learner = BadgeTemplateFactory(), UserFactory()
    badge = award(template, learner)

    with pytest.raises(by_staff.NotWithoutReason) as refused:
        award(template, UserFactory(), reason=reason)
    with pytest.raises(by_staff.NotWithoutReason):
        by_staff.revoke(badge, by=None, reason=reason)

    assert refused.value.field == "reason"
    assert [one.is_awarded for one in Badge.objects.all()] == [True]


def test_who_holds_it_gets_no_second_one() -> None:
    template, learner = BadgeTemplateFactory(), UserFactory()
    badge = award(template, learner)

    with pytest.raises(by_staff.HasItAlready) as refused:
        award(template, learner)

    assert refused.value.badge == badge
    assert BadgeChange.objects.count() == 1


def test_who_lost_it_does_not_get_it_again() -> None:
    template, learner = BadgeTemplateFactory(), UserFactory()
    badge = by_staff.revoke(award(template, learner), by=None, reason="Wrong.")

    with pytest.raises(by_staff.WasRevoked, match="not awarded again"):
        award(template, learner)
    with pytest.raises(by_staff.WasRevoked, match="taken away before"):
        by_staff.revoke(badge, by=None, reason="Once more.")

    assert BadgeChange.objects.count() == 2


def test_of_a_template_that_is_not_active_or_is_gone_nothing_is_awarded() -> None:
    template = BadgeTemplateFactory()
    # As somebody does between the page and the button.
    BadgeTemplate.objects.filter(pk=template.pk).update(is_active=False)

    with pytest.raises(by_staff.TemplateNotActive, match="not active"):
        award(template, UserFactory())
    BadgeTemplate.objects.filter(pk=template.pk).delete()
    with pytest.raises(by_staff.TemplateNotActive):
        award(template, UserFactory())


def test_what_fails_leaves_neither_badge_nor_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**values: Any) -> None:
        raise RuntimeError

    badge = award(BadgeTemplateFactory(), UserFactory())
    monkeypatch.setattr(BadgeChange.objects, "create", fail)

    with pytest.raises(RuntimeError):
        award(BadgeTemplateFactory(), UserFactory())
    with pytest.raises(RuntimeError):
        by_staff.revoke(badge, by=None, reason="Wrong.")

    assert [one.is_awarded for one in Badge.objects.all()] == [True]
    assert Delivery.objects.filter(action__contains="revoke").count() == 0


def test_an_event_that_completes_the_progress_later_changes_nothing() -> None:
    template = BadgeTemplateFactory()
    passes(template)
    award(template, UserFactory(username="anna"))

    send("anna")

    assert Badge.objects.count() == 1
    assert BadgeProgress.objects.get().is_complete


@pytest.mark.django_db(transaction=True)
def test_locks_are_taken_in_the_documented_order(template: BadgeTemplate, locks: Locks) -> None:
    passes(template, COURSE, "A")
    passes(template, "course-v1:edX+Other+2026", "B")
    send("anna")
    locks.transactions.clear()

    badge = award(template, BadgeProgress.objects.get().user)
    by_staff.revoke(badge, by=None, reason="Wrong.")

    rest = ["badging_badge", "badging_delivery", "badging_badgechange"]
    found = [one for one in in_the_order(locks) if "badging_badgechange" in one]
    assert found == [["badging_badgeprogress", *rest], rest]


def tried(action: Callable[[], Any]) -> str:
    """What came of it: done, or the code of the refusal."""
    try:
        retried(action)
    except Refused as refused:
        return refused.code
    return "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
class TestAtTheSameTime:
    def test_of_two_who_award_one_does(self) -> None:
        template = BadgeTemplateFactory()
        for _ in range(ROUNDS):
            act = partial(tried, partial(award, template, UserFactory()))
            assert Counter(at_once(act, act, act)) == {"done": 1, "already_awarded": 2}

        assert Badge.objects.count() == BadgeChange.objects.count() == ROUNDS

    def test_of_two_who_revoke_one_does(self) -> None:
        template = BadgeTemplateFactory()
        for _ in range(ROUNDS):
            badge = award(template, UserFactory())
            act = partial(tried, partial(by_staff.revoke, badge, by=None, reason="Wrong."))
            assert Counter(at_once(act, act)) == {"done": 1, "already_revoked": 1}

        assert BadgeChange.objects.filter(action="revoked").count() == ROUNDS

    @pytest.mark.parametrize("has_begun", [True, False])
    def test_with_an_event_there_is_one_badge_and_no_error(self, has_begun: bool) -> None:
        template = BadgeTemplateFactory()
        passes(template, COURSE, "A")
        if has_begun:
            passes(template, "course-v1:edX+Other+2026", "B")
        came: Counter[str] = Counter()
        for number in range(ROUNDS):
            name = f"learner{number}"
            learner = UserFactory(username=name)
            if has_begun:
                send(name, course="course-v1:edX+Other+2026")
            _, answer = at_once(partial(send, name), partial(tried, partial(award, template, learner)))
            came[answer] += 1

        assert set(came) <= {"done", "already_awarded"}
        assert Badge.objects.count() == ROUNDS
        assert BadgeChange.objects.count() == came["done"]
        assert Delivery.objects.filter(action=Action.ANNOUNCE_AWARDED).count() == ROUNDS
        assert all(progress.is_complete for progress in BadgeProgress.objects.all())

    def test_with_a_penalty_there_is_one_revocation(self) -> None:
        template = BadgeTemplateFactory()
        for _ in range(ROUNDS):
            badge = award(template, UserFactory())

            def lose(pk: int = badge.pk) -> Any:
                from django.db import transaction

                with transaction.atomic():
                    locked = Badge.objects.select_for_update().get(pk=pk)
                    return awards.revoke([locked], timezone.now()) if locked.is_awarded else []

            _, answer = at_once(lose, partial(tried, partial(by_staff.revoke, badge, by=None, reason="Wrong.")))
            assert answer in {"done", "already_revoked"}

        assert Delivery.objects.filter(action=Action.ANNOUNCE_REVOKED).count() == ROUNDS
        assert Badge.objects.filter(revoked_at__gt=moment(0)).count() == ROUNDS
