"""``badges_health`` tells how everything does, and its exit status says whether that is well."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from badges.eventbus.kinds import DURABLE_CONSUMER
from badges.management.spans import WIDTH
from badges.models import AccountHealth, Badge, BadgeTemplate, Delivery, ProviderAccount, TemplateSync, WebhookEvent
from tests import factories
from tests.factories import DeliveryFactory

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
HOUR = timedelta(hours=1)
SECRET = "very-secret-key"


@pytest.fixture(autouse=True)
def _durable(settings: Settings) -> None:
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER


def run(*arguments: str) -> tuple[int, str]:
    """Exit status, and what was printed."""
    out = StringIO()
    try:
        call_command("badges_health", *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def as_json(*arguments: str) -> tuple[int, dict[str, Any]]:
    status, text = run("--format", "json", *arguments)
    return status, json.loads(text)


def waiting(account: ProviderAccount | None = None, *, hours: float = 0, **values: Any) -> Delivery:
    """A delivery that was written so long ago."""
    template = factories.CredlyBadgeTemplateFactory(**({"account": account} if account else {}))
    delivery: Delivery = DeliveryFactory(badge__template=template, **values)
    Delivery.objects.filter(pk=delivery.pk).update(created=timezone.now() - HOUR * hours)
    return delivery


def account(**health: Any) -> ProviderAccount:
    made: ProviderAccount = factories.CredlyOrganizationFactory(name="Acme", api_key=SECRET)
    if health:
        AccountHealth.objects.create(account=made, **health)
    return made


class TestTheExitStatus:
    def test_is_0_where_there_is_nothing(self) -> None:
        assert run()[0] == 0

    @pytest.mark.parametrize(("hours", "status"), [(0.9, 0), (1.1, 1)])
    def test_is_1_once_the_oldest_waiting_delivery_is_older_than_an_hour(self, hours: float, status: int) -> None:
        waiting(hours=hours)
        assert run()[0] == status

    @pytest.mark.parametrize(
        ("limit", "status"), [("60", 1), ("60s", 1), ("89m", 1), ("2h", 0), ("1d", 0), ("7200", 0)]
    )
    def test_takes_the_limit_in_several_units(self, limit: str, status: int) -> None:
        waiting(hours=1.5)
        assert run("--max-age", limit)[0] == status

    def test_is_1_where_an_account_is_stopped(self) -> None:
        account(stopped_at=timezone.now(), stop_reason="Credly refused the key.")
        status, text = run()
        assert status == 1
        assert 'The credly account "Acme" is stopped: Credly refused the key.' in text

    @pytest.mark.parametrize("status", [Status.DONE, Status.CANCELLED])
    def test_does_not_count_what_is_finished(self, status: str) -> None:
        waiting(hours=100, status=status)
        assert run()[0] == 0

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (1, "1 delivery was given up; retry, cancel or mark it as done in the admin."),
            (2, "2 deliveries were given up; retry, cancel or mark them as done in the admin."),
        ],
    )
    def test_is_1_where_deliveries_were_given_up(self, number: int, told: str) -> None:
        for _ in range(number):
            waiting(status=Status.DEAD)
        status, found = as_json()
        assert (status, found["healthy"], found["troubles"]) == (1, False, [told])

    def test_is_0_where_what_was_given_up_is_ignored(self) -> None:
        waiting(status=Status.DEAD)
        status, found = as_json("--ignore-dead")
        assert (status, found["healthy"], found["troubles"], found["dead"]) == (0, True, [], 1)
        assert "not all is well" not in run("--ignore-dead")[1]

    def test_does_not_ignore_the_rest_with_what_was_given_up(self) -> None:
        waiting(status=Status.DEAD)
        waiting(hours=2)
        assert run("--ignore-dead")[0] == 1

    def test_does_not_count_dead_events_that_were_dealt_with(self) -> None:
        factories.DeadEventFactory(status="replayed")
        factories.DeadEventFactory(status="discarded", kind="lost")
        assert run()[0] == 0

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (1, "1 dead event waits; replay or discard it in the admin."),
            (2, "2 dead events wait; replay or discard them in the admin."),
        ],
    )
    def test_is_1_where_dead_events_wait(self, number: int, told: str) -> None:
        factories.DeadEventFactory.create_batch(number)
        assert as_json()[1]["troubles"] == [told]
        assert (run()[0], run("--ignore-dead")[0]) == (1, 0)

    def test_is_1_where_events_are_lost_and_that_cannot_be_ignored(self) -> None:
        factories.DeadEventFactory(kind="lost")
        status, found = as_json("--ignore-dead")
        [told] = found["troubles"]
        assert (status, told.split(":")[0]) == (1, "1 event is lost")

    def test_counts_announcements_and_what_a_worker_has(self) -> None:
        waiting(hours=2, action=Action.ANNOUNCE_AWARDED)
        assert run()[0] == 1
        Delivery.objects.all().delete()
        waiting(hours=2, status=Status.IN_PROGRESS)
        assert run()[0] == 1

    def test_is_0_where_an_account_rests(self) -> None:
        account(paused_until=timezone.now() + HOUR)
        assert run()[0] == 0

    @pytest.mark.parametrize("limit", ["0", "-1", "1w", "", "1.5h", "9" * 12, "x"])
    def test_is_2_for_a_limit_that_is_none(self, limit: str) -> None:
        with pytest.raises(CommandError, match=r"is not a time\. .* with s, m, h or d"):
            run(f"--max-age={limit}")

    def test_is_2_where_the_feature_is_off(self, settings: Settings) -> None:
        settings.BADGES_ENABLED = False
        with pytest.raises(CommandError, match="BADGES_ENABLED is off") as raised:
            run()
        assert raised.value.returncode == 2

    def test_is_2_where_the_database_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> None:
            raise OperationalError("could not connect to user:password@host")

        monkeypatch.setattr("badges.management.commands.badges_health.summary", away)
        with pytest.raises(CommandError, match="The database could not be read: OperationalError") as raised:
            run()
        assert raised.value.returncode == 2
        assert "password" not in str(raised.value)


class TestTheJSON:
    def test_has_the_documented_shape(self) -> None:
        now = timezone.now()
        acme = account(
            stopped_at=now - HOUR,
            stop_reason="Refused.",
            next_check_at=now + HOUR,
            last_success_at=now - 2 * HOUR,
            last_error_at=now - HOUR,
            last_error="Refused.",
            failures=0,
        )
        TemplateSync.objects.create(account=acme, started_at=now - 3 * HOUR, finished_at=now - 2 * HOUR)
        waiting(acme, hours=2)
        waiting(acme, status=Status.DEAD)
        waiting(acme, hours=3, action=Action.ANNOUNCE_AWARDED)
        factories.DeadEventFactory()
        factories.DeadEventFactory(kind="unreadable")
        factories.DeadEventFactory(status="replayed")

        status, found = as_json()

        oldest = Delivery.objects.order_by("created")
        announced, waits = oldest[0].created, oldest[1].created
        iso = {key: value.isoformat(timespec="seconds") for key, value in (("a", announced), ("w", waits))}
        assert status == 1
        assert datetime.fromisoformat(found.pop("at")) >= now.replace(microsecond=0)
        assert found == {
            "version": 1,
            "healthy": False,
            "troubles": [
                'The credly account "Acme" is stopped: Refused.',
                "The oldest waiting delivery is 3 h old; the limit is 1 h.",
                "1 delivery was given up; retry, cancel or mark it as done in the admin.",
                "2 dead events wait; replay or discard them in the admin.",
            ],
            "max_age_seconds": 3600,
            "waiting": 2,
            "oldest_waiting_at": iso["a"],
            "oldest_waiting_seconds": 10800,
            "dead": 1,
            "accounts": [
                {
                    "id": acme.pk,
                    "provider": "credly",
                    "name": "Acme",
                    "state": "stopped",
                    "reason": "Refused.",
                    "stopped_at": (now - HOUR).isoformat(timespec="seconds"),
                    "resting_until": None,
                    "next_check_at": (now + HOUR).isoformat(timespec="seconds"),
                    "failures": 0,
                    "last_success_at": (now - 2 * HOUR).isoformat(timespec="seconds"),
                    "last_error_at": (now - HOUR).isoformat(timespec="seconds"),
                    "last_error": "Refused.",
                    "waiting": 1,
                    "oldest_waiting_at": iso["w"],
                    "oldest_waiting_seconds": 7200,
                    "dead": 1,
                    "sync": {
                        "started_at": (now - 3 * HOUR).isoformat(timespec="seconds"),
                        "finished_at": (now - 2 * HOUR).isoformat(timespec="seconds"),
                        "last_error": "",
                    },
                }
            ],
            "announcements": {
                "waiting": 1,
                "oldest_waiting_at": iso["a"],
                "oldest_waiting_seconds": 10800,
                "dead": 0,
            },
            "without_account": {
                "waiting": 0,
                "oldest_waiting_at": None,
                "oldest_waiting_seconds": None,
                "dead": 0,
            },
            "callbacks": {
                "waiting": 0,
                "oldest_waiting_at": None,
                "oldest_waiting_seconds": None,
                "dead": 0,
                "resting": [],
            },
            "inbox": {"waiting": 0, "oldest_waiting_at": None, "oldest_waiting_seconds": None, "dead": 0},
            "events": {"dead": 2, "by_kind": {"failed": 1, "unreadable": 1, "unknown_type": 0, "lost": 0}},
            "bus": {"error": "", "note": "No consumer of this app has run yet.", "groups": []},
        }

    def test_names_each_state_of_an_account(self) -> None:
        now = timezone.now()
        states = {
            account().pk: "unused",
            account(last_success_at=now).pk: "works",
            account(paused_until=now + HOUR).pk: "resting",
            account(paused_until=now - HOUR, failures=9).pk: "trying",
            account(stopped_at=now, paused_until=now + HOUR).pk: "stopped",
        }
        assert {one["id"]: one["state"] for one in as_json()[1]["accounts"]} == states

    def test_keeps_what_has_lost_its_account(self) -> None:
        DeliveryFactory()
        found = as_json()[1]
        assert (found["without_account"]["waiting"], found["waiting"]) == (1, 1)


class TestTheText:
    def test_is_at_most_80_columns_wide_and_tells_the_essential(self) -> None:
        acme = account(
            failures=7,
            paused_until=timezone.now() + HOUR,
            last_error_at=timezone.now() - HOUR,
            last_error="Credly did not answer within 20 seconds while issuing a badge. " * 4,
            last_success_at=timezone.now() - HOUR * 30,
        )
        ProviderAccount.objects.filter(pk=acme.pk).update(name="The Open University of Everything " * 3)
        TemplateSync.objects.create(account=acme, last_error="Credly answered 500 to page 3 of the list. " * 3)
        waiting(acme, hours=50)
        _, text = run()
        assert max(len(line) for line in text.splitlines()) <= WIDTH
        for told in (
            "not all is well",
            "! The oldest waiting delivery is 2 d old; the limit is 1 h.",
            "resting",
            "after 7 failures in a row",
            "last success 1 d ago",
            "last error 1 h ago: Credly did not answer",
        ):
            assert told in text, text

    @pytest.mark.parametrize(
        ("failures", "told"),
        [(0, "as the provider asked for a pause"), (1, "after 1 failure in a row"), (6, "after 6 failures in a row")],
    )
    @pytest.mark.parametrize("hours", [1, -1])
    def test_says_why_an_account_rests_or_has_rested(self, hours: int, failures: int, told: str) -> None:
        account(failures=failures, paused_until=timezone.now() + HOUR * hours)
        assert told in " ".join(run()[1].split())

    def test_counts_dead_events_by_kind(self) -> None:
        assert "Dead events: 0\n" in run()[1]
        factories.DeadEventFactory()
        factories.DeadEventFactory.create_batch(2, kind="unknown_type")
        assert "Dead events: 3 (1 failed, 2 unknown type)\n" in run()[1]

    def test_says_that_all_is_well(self) -> None:
        account(last_success_at=timezone.now())
        assert "all is well." in run()[1]


@pytest.mark.parametrize("output", ["text", "json"])
def test_nothing_secret_is_printed(output: str) -> None:
    acme = account(stopped_at=timezone.now(), refused_key="f" * 64)
    waiting(acme, badge__user__username="anna")
    text = run("--format", output)[1]
    for secret in (SECRET, str(acme.webhook_secret), "f" * 64, "anna"):
        assert secret not in text


@pytest.mark.parametrize("number", [1, 300])
def test_takes_7_queries_however_much_there_is(number: int, django_assert_num_queries: Any) -> None:
    accounts = factories.in_bulk(ProviderAccount(provider="credly", name=f"A{n}") for n in range(number))
    templates = factories.in_bulk(
        BadgeTemplate(provider="credly", account=one, external_id=str(one.pk), name="T") for one in accounts
    )
    user, now = factories.UserFactory(), timezone.now()
    badges = factories.in_bulk(Badge(user=user, template=one, awarded_at=now) for one in templates)
    Delivery.objects.bulk_create(Delivery(badge=badge, action=Action.ISSUE) for badge in badges)
    with django_assert_num_queries(7):
        assert as_json()[1]["waiting"] == number


def test_tells_of_endpoints_that_rest() -> None:
    until = timezone.now() + timedelta(hours=1)
    endpoint = factories.CallbackEndpointFactory(
        name="Backpack", failures=5, paused_until=until, last_error="It is away."
    )
    factories.CallbackDeliveryFactory(callback__endpoint=endpoint)
    factories.CallbackDeliveryFactory(callback__endpoint=endpoint, status="dead")

    text = run()[1]
    assert 'the endpoint "Backpack" rests until' in text
    assert "It is away." in text
    _, told = as_json()
    assert (told["waiting"], told["dead"]) == (1, 1)
    assert (told["callbacks"]["waiting"], told["callbacks"]["dead"]) == (1, 1)
    assert told["callbacks"]["resting"] == [
        {
            "id": endpoint.pk,
            "name": "Backpack",
            "resting_until": until.isoformat(timespec="seconds"),
            "failures": 5,
            "last_error": "It is away.",
        }
    ]


class TestTheInbox:
    """Events that providers sent, and that are not applied."""

    def event(self, hours: float, **values: Any) -> None:
        """An event that came so long ago."""
        WebhookEvent.objects.create(
            account=factories.CredlyOrganizationFactory(),
            event_id=f"{hours} {values}",
            event_type="badge.created",
            body="{}",
            received_at=timezone.now() - HOUR * hours,
            **values,
        )

    @pytest.mark.parametrize(("hours", "status"), [(0.9, 0), (1.1, 1)])
    def test_makes_it_1_once_the_oldest_one_is_older_than_an_hour(self, hours: float, status: int) -> None:
        self.event(hours)
        assert run()[0] == status

    def test_makes_it_1_where_one_was_given_up_unless_that_is_ignored(self) -> None:
        self.event(9, status=WebhookEvent.Status.DEAD)
        assert "1 webhook event was given up" in run()[1]
        assert (run()[0], run("--ignore-dead")[0]) == (1, 0)

    def test_is_told_in_numbers(self) -> None:
        self.event(0.5)
        self.event(9, status=WebhookEvent.Status.DEAD)
        self.event(9, status=WebhookEvent.Status.PROCESSED)
        told = as_json()[1]["inbox"]
        assert (told["waiting"], told["oldest_waiting_seconds"], told["dead"]) == (1, 1800, 1)
