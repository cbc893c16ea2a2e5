"""Deliveries, for staff's programs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.exceptions import ProviderAuthError, ProviderUnavailable
from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate, Callback, CallbackEndpoint, Delivery
from tests.factories import BadgeTemplateFactory, UserFactory, moment
from tests.integration.issuing.scripted import SETTINGS, ScriptedProvider, scripted_template
from tests.integration.rest_api.conftest import Api
from tests.integration.rest_api.test_by_hand import allowed

pytestmark = pytest.mark.django_db
ALL = "deliveries/"
Action, Status = Delivery.Action, Delivery.Status


@pytest.fixture
def provider(settings: Any) -> Iterator[type[ScriptedProvider]]:
    settings.BADGES_CONFIG = SETTINGS
    ScriptedProvider.reset()
    yield ScriptedProvider
    ScriptedProvider.reset()


@pytest.fixture
def issued(provider: type[ScriptedProvider]) -> BadgeTemplate:
    return scripted_template()


@pytest.fixture
def staff(api: Callable[..., Api]) -> Api:
    return api(allowed("change_delivery"))


def awarded(template: BadgeTemplate, **user: Any) -> Badge:
    [badge] = awards.award(UserFactory(**user), {template.pk: moment(5)})
    return badge


def of(badge: Badge, action: str = Action.ISSUE) -> Delivery:
    return Delivery.objects.get(badge=badge, action=action)


def give_up(delivery: Delivery) -> None:
    one = Delivery.objects.filter(pk=delivery.pk)
    one.move(Status.IN_PROGRESS, lease_token=uuid.uuid4(), leased_until=moment(60))
    assert one.move(Status.DEAD) == 1


def ids(answer: Any) -> set[int]:
    assert answer.status_code == 200, answer.content
    return {one["id"] for one in answer.json()["results"]}


def test_a_delivery_says_what_it_is_about_and_what_came_of_it(staff: Api, issued: BadgeTemplate) -> None:
    badge = awarded(issued, username="anna")
    ScriptedProvider.script.append(ProviderUnavailable("The provider is down.", status_code=503))
    run_due(badge.pk)

    told = staff.get(f"{ALL}{of(badge).pk}/").json()

    account = issued.account
    assert account is not None
    assert told["badge"] == str(badge.uuid)
    assert told["template"] == {"uuid": str(issued.uuid), "name": issued.name}
    assert told["account"] == {"id": account.pk, "provider": account.provider, "name": account.name, "stopped": None}
    assert (told["action"], told["status"], told["attempts"], told["endpoint"]) == ("issue", "pending", 1, None)
    assert told["last_error"] == "The provider is down."
    assert told["next_attempt_at"] > told["created"]
    assert [(one["number"], one["outcome"], one["status_code"]) for one in told["history"]] == [(1, "retry", 503)]
    assert "anna" not in str(told)


def test_a_stopped_account_says_why(staff: Api, issued: BadgeTemplate) -> None:
    badge = awarded(issued)
    ScriptedProvider.script.append(ProviderAuthError("The key was refused.", status_code=401))
    run_due(badge.pk)

    assert "The key was refused." in staff.get(f"{ALL}{of(badge).pk}/").json()["account"]["stopped"]


def test_deliveries_are_listed_newest_first_and_filtered(staff: Api, issued: BadgeTemplate) -> None:
    first, second = awarded(issued), awarded(BadgeTemplateFactory())
    endpoint = CallbackEndpoint.objects.create(name="Elsewhere", url="https://callbacks.example.com/")
    callback = Callback.objects.create(endpoint=endpoint, action="award", badge=second)
    told = Delivery.objects.create(callback=callback, action=Action.CALLBACK)
    run_due(first.pk)
    announced, issue, other = of(first, Action.ANNOUNCE_AWARDED), of(first), of(second, Action.ANNOUNCE_AWARDED)

    listed = staff.get(ALL).json()["results"]
    assert [one["id"] for one in listed] == [told.pk, other.pk, issue.pk, announced.pk]
    assert (listed[0]["endpoint"], listed[0]["badge"]) == ("Elsewhere", str(second.uuid))
    for query, found in (
        ({"status": "done"}, {announced, issue}),
        ({"status": "pending,dead"}, {other, told}),
        ({"action": "issue,callback"}, {issue, told}),
        ({"badge": str(second.uuid)}, {other, told}),
        ({"template": str(second.template.uuid)}, {other, told}),
        ({"account": issued.account_id}, {issue}),
        ({"account": 2**63 - 1}, set()),
        ({"status": "done", "action": "issue"}, {issue}),
    ):
        assert ids(staff.get(ALL, **query)) == {one.pk for one in found}, query


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("status", ""),
        ("action", "award"),
        ("badge", "5"),
        ("template", ""),
        ("account", "x"),
        ("account", str(2**63)),
        ("page_size", "0"),
        ("page_size", "many"),
        ("color", "red"),
    ],
)
def test_a_filter_that_is_not_understood_is_refused(staff: Api, name: str, value: str) -> None:
    answer = staff.get(ALL, **{name: value})

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [name])


def test_a_list_costs_the_same_however_long_it_is(
    staff: Api, issued: BadgeTemplate, django_assert_num_queries: Any
) -> None:
    numbers = []
    for _ in range(2):
        awarded(issued)
        with django_assert_num_queries(6, exact=False) as queries:
            staff.get(ALL)
        numbers.append(len(queries))

    assert numbers[0] == numbers[1]


def test_those_of_one_badge_are_found_without_reading_all(staff: Api, issued: BadgeTemplate) -> None:
    badge = awarded(issued)

    with CaptureQueriesContext(connection) as queries:
        assert len(ids(staff.get(ALL, badge=str(badge.uuid)))) == 2

    (page,) = [one["sql"] for one in queries if " LIMIT 51" in one["sql"]]
    assert "uuid" not in page.partition(" WHERE ")[2]


def test_a_dead_delivery_is_tried_again(
    staff: Api, issued: BadgeTemplate, django_capture_on_commit_callbacks: Any
) -> None:
    badge = awarded(issued)
    delivery = of(badge)
    give_up(delivery)

    with django_capture_on_commit_callbacks(execute=True):
        answer = staff.post(f"{ALL}{delivery.pk}/retry/")

    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert of(badge).status == Status.DONE
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id, entry.change_message) == (
        "sara",
        str(delivery.pk),
        "Retried by hand.",
    )


def test_a_delivery_is_cancelled_with_a_reason(staff: Api, issued: BadgeTemplate) -> None:
    delivery = of(awarded(issued))

    answer = staff.post(f"{ALL}{delivery.pk}/cancel/", {"reason": "It was given on paper."})

    told = answer.json()
    assert (answer.status_code, told["status"], told["next_attempt_at"]) == (200, "cancelled", None)
    assert told["note"] == "Cancelled by hand: It was given on paper."
    assert LogEntry.objects.get().change_message == "Cancelled by hand: It was given on paper."


@pytest.mark.parametrize("reason", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": None}])
def test_without_a_reason_nothing_is_cancelled(staff: Api, issued: BadgeTemplate, reason: dict[str, Any]) -> None:
    delivery = of(awarded(issued))

    assert staff.post(f"{ALL}{delivery.pk}/cancel/", reason).status_code == 400
    delivery.refresh_from_db()
    assert delivery.status == Status.PENDING


@pytest.mark.parametrize("way", ["retry", "cancel"])
def test_what_is_finished_is_left_alone(staff: Api, issued: BadgeTemplate, way: str) -> None:
    badge = awarded(issued)
    run_due(badge.pk)

    answer = staff.post(f"{ALL}{of(badge).pk}/{way}/", {"reason": "Why not."})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert of(badge).status == Status.DONE
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("way", ["retry", "cancel"])
def test_nothing_is_done_that_is_not_noted(
    staff: Api, issued: BadgeTemplate, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = of(awarded(issued))
    give_up(delivery)

    def fail(*values: Any, **more: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(LogEntry.objects, "log_actions", fail)
    answer = staff.post(f"{ALL}{delivery.pk}/{way}/", {"reason": "Why not."})

    assert answer.status_code == 500
    delivery.refresh_from_db()
    assert delivery.status == Status.DEAD


@pytest.mark.django_db(transaction=True)
def test_who_retried_is_noted_before_the_provider_is_asked(staff: Api, issued: BadgeTemplate) -> None:
    """A call may take longer than the web server waits for the process."""
    ScriptedProvider.script.append(ProviderUnavailable("The provider is down.", status_code=503))
    badge = awarded(issued)
    noted: list[int] = []
    ScriptedProvider.script.append(lambda award: noted.append(LogEntry.objects.count()))

    answer = staff.post(f"{ALL}{of(badge).pk}/retry/")

    assert (answer.json()["status"], noted) == ("done", [1])


def test_who_may_see_them_may_not_change_them(api: Callable[..., Api], issued: BadgeTemplate) -> None:
    delivery = of(awarded(issued))
    seeing = api(allowed("view_delivery"))

    assert seeing.get(f"{ALL}{delivery.pk}/").status_code == 200
    for way in ("retry", "cancel"):
        assert seeing.post(f"{ALL}{delivery.pk}/{way}/", {"reason": "Why not."}).status_code == 403
    delivery.refresh_from_db()
    assert delivery.status == Status.PENDING


def test_learners_see_none(api: Callable[..., Api], issued: BadgeTemplate) -> None:
    delivery = of(awarded(issued))

    for asking in (api(UserFactory()), api()):
        for path in (ALL, f"{ALL}{delivery.pk}/", f"{ALL}{delivery.pk + 1}/"):
            assert asking.get(path).status_code == 403
