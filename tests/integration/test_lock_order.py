"""Whatever takes locks takes them in the order of docs/locking.rst. Read from the statements, on every database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from badges.exceptions import ProviderAuthError, ProviderUnavailable, UnreadablePayload
from badges.issuing import awards, by_hand, health
from badges.issuing.deliveries import run_due
from badges.issuing.sync.run import sync_templates
from badges.models import (
    Badge,
    BadgeTemplate,
    ConfigurationVersion,
    DataRule,
    DeadEvent,
    Delivery,
    DeliveryAttempt,
    ProviderAccount,
)
from badges.privacy.retention import KINDS, purge
from badges.processing import dead_events, replaying
from badges.processing.dead_events import incoming
from badges.processing.pipeline import process_batch
from tests import factories
from tests.factories import COURSE, PASSING, UserFactory, moment
from tests.integration.callbacks.conftest import PRIVATE
from tests.integration.callbacks.receiver import receiving
from tests.integration.fake_provider import Answers, FakeProvider, config
from tests.integration.issuing.reconcile.helpers import applied
from tests.integration.issuing.reconcile.listing import SETTINGS, ListingProvider
from tests.integration.issuing.scripted import scripted_template
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes
from tests.integration.sync.helpers import listed

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(__file__).parents[2] / "docs" / "locking.rst"
WRITES = re.compile(r'^(?:INSERT(?: OR IGNORE| IGNORE)? INTO|UPDATE|DELETE FROM) ["`](\w+)["`]')
READS = re.compile(r'^SELECT .*? FROM ["`](\w+)["`]', re.DOTALL)
ONE_ROW = re.compile(r"LIMIT (?:1|21) FOR UPDATE$|WHERE \S+ = \S+ FOR UPDATE$")
"""As ``first()`` and ``get()`` ask."""
IS_SQLITE = connection.vendor == "sqlite"


def documented_order() -> dict[str, int]:
    """Table -> its place in the list of the page."""
    return {table: int(number) for number, text in _items() for table in _tables(text)}


def of_applications() -> set[str]:
    """The tables of what belongs to an application, by the page."""
    return {table for _, text in _items() if "at any place after it" in text for table in _tables(text)}


def _items() -> list[tuple[str, str]]:
    return re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\n\n)", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def _tables(text: str) -> list[str]:
    users = get_user_model()._meta.db_table
    found = re.findall(r"``(badging_\w+|AUTH_USER_MODEL)``", text)
    return [users if table == "AUTH_USER_MODEL" else table for table in found]


@define
class Locks:
    """The statements that lock, transaction by transaction; what runs on its own is a transaction of one."""

    transactions: list[list[str]] = field(factory=list)
    unordered: list[str] = field(factory=list)
    """Statements that lock several rows in whatever order the database comes upon them."""
    joined: list[str] = field(factory=list)
    """Statements that lock rows of other tables beside, where a database cannot be told not to."""

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if table := self._locked_by(sql):
            if not connection.in_atomic_block or not self.transactions:
                self.transactions.append([])
            self.transactions[-1].append(table)
        # SQLite locks no rows, and is asked all the same; it is not told.
        return execute(sql.replace(" FOR UPDATE", "") if IS_SQLITE else sql, params, many, context)

    def _locked_by(self, sql: str) -> str:
        if found := WRITES.match(sql):
            return found[1]
        found = READS.match(sql) if " FOR UPDATE" in sql else None
        if found is None:
            return ""
        table = found[1]
        if " JOIN " in sql:
            self.joined.append(sql)
        by_key = re.search(rf'ORDER BY ["`]{table}["`]\.["`]id["`] ASC', sql) or re.search(r"ORDER BY 1 ASC", sql)
        if not by_key and not ONE_ROW.search(sql):
            self.unordered.append(sql)
        return table


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Locks]:
    """What is locked from here on."""
    recorded = Locks()
    set_autocommit = connection.set_autocommit

    def begins_or_ends(*arguments: Any, **options: Any) -> None:
        recorded.transactions.append([])
        set_autocommit(*arguments, **options)

    monkeypatch.setattr(connection, "set_autocommit", begins_or_ends)
    monkeypatch.setattr(connection.features, "has_select_for_update", True)
    with connection.execute_wrapper(recorded):
        yield recorded


def in_the_order(locks: Locks) -> list[list[str]]:
    """What was locked, each table at its first time; fails where that is not the documented order."""
    order, belonging, firsts = documented_order(), of_applications(), []
    for tables in locks.transactions:
        first = [table for table in dict.fromkeys(tables) if table in order]
        if (found := belonging & set(first)) and len(first) > 1:
            assert first.index("badging_application") < min(map(first.index, found)), first
            first = [table for table in first if table not in belonging]
        assert [order[table] for table in first] == sorted(order[table] for table in first), first
        firsts.append(first)
    assert locks.unordered == []
    assert locks.joined == []
    return [first for first in firsts if first]


def event(username: str, at: float = 0, **payload: Any) -> Any:
    """A passing-status event."""
    data = factories.passing_status(username, **payload)
    return incoming(factories.metadata(PASSING, at=at), {"course_passing_status": data})


@pytest.fixture
def rewarded() -> BadgeTemplate:
    """A template at a provider, for two courses; failing one takes its badge away."""
    template = scripted_template()
    fails(template, passes(template, COURSE, "A"))
    passes(template, OTHER_COURSE, "B")
    factories.PenaltyFactory(template=template, rules=[("is_passing", "eq", "false")])
    return template


@pytest.fixture(autouse=True)
def provider(settings: Any) -> Iterator[None]:
    settings.BADGES_CONFIG = SETTINGS
    ListingProvider.reset()
    yield
    ListingProvider.reset()


def issued(template: BadgeTemplate, number: int = 1) -> list[Badge]:
    """Badges that were issued."""
    badges = [badge for _ in range(number) for badge in awards.award(UserFactory(), {template.pk: moment(5)})]
    for badge in badges:
        run_due(badge.pk)
        badge.refresh_from_db()
    return badges


def test_the_page_names_every_table_that_is_locked_and_no_other() -> None:
    from django.apps import apps

    models = apps.get_app_config("badges").get_models(include_auto_created=True)
    alone = {"badging_provideraccount", "badging_busconsumer"}
    """Of these, a transaction locks one row and nothing else."""
    users = get_user_model()._meta.db_table
    assert set(documented_order()) == {model._meta.db_table for model in models} - alone | {users}


def test_batches_lock_learners_progress_fulfilments_badges_and_deliveries(
    rewarded: BadgeTemplate, locks: Locks
) -> None:
    process_batch([event(name, course=course) for name in ("b", "a") for course in (OTHER_COURSE, COURSE)])
    process_batch([event(name, at=1, is_passing=False) for name in ("a", "c")])
    process_batch([event(name, at=2, course=course) for name in ("d", "a") for course in (OTHER_COURSE, COURSE)])

    assert Badge.objects.count() == 3
    users = get_user_model()._meta.db_table
    first = [users, "badging_badgeprogress", "badging_fulfillment", "badging_badge", "badging_delivery"]
    assert first in in_the_order(locks)


def test_dead_events_are_locked_before_what_their_replay_locks(rewarded: BadgeTemplate, locks: Locks) -> None:
    parked = [event("a", course=course) for course in (COURSE, OTHER_COURSE)]
    rows = [dead_events.park(one, UnreadablePayload("It failed.")) for one in parked * 2]
    ConfigurationVersion.bump()
    replaying.replay(rows[0])
    replaying.discard_all([row.pk for row in rows], "Not wanted.")

    assert set(DeadEvent.objects.values_list("status", flat=True)) == {"replayed", "discarded"}
    replay = next(one for one in in_the_order(locks) if len(one) > 1)
    assert replay[0] == "badging_deadevent"


def test_workers_lock_badges_before_deliveries_and_no_account_with_them(rewarded: BadgeTemplate, locks: Locks) -> None:
    ListingProvider.script[:] = [ProviderUnavailable("Down."), ProviderAuthError("Refused.", status_code=401)]
    badges = issued(rewarded, 3)
    account = ProviderAccount.objects.get()
    by_hand.retry(Delivery.objects.all())
    health.resume(account.pk)
    by_hand.retry(Delivery.objects.all())
    for badge in badges:
        run_due(badge.pk)
    process_batch([event(badge.user.username, at=1, is_passing=False) for badge in badges])
    by_hand.end(list(Delivery.objects.values_list("pk", flat=True)), "cancelled", "Not wanted.")

    seen = in_the_order(locks)
    assert ["badging_badge", "badging_delivery", "badging_deliveryattempt"] in seen
    assert ["badging_delivery", "badging_accounthealth"] in seen
    assert not [one for one in seen if {"badging_accounthealth", "badging_deliveryattempt"} <= set(one)]


def test_reconciling_locks_the_badge_before_its_deliveries(rewarded: BadgeTemplate, locks: Locks) -> None:
    revoked_there, missing_there, valid_there = issued(rewarded, 3)
    ListingProvider.put(revoked_there.external_id, "revoked")
    del ListingProvider.rows[missing_there.external_id]
    with transaction.atomic():
        awards.revoke([valid_there], moment(9))
    ListingProvider.put(valid_there.external_id, "accepted")
    newcomer = UserFactory()
    ListingProvider.hold(template_external_id=rewarded.external_id, email=newcomer.email, own_id="")
    locks.transactions.clear()

    assert len(applied()) == 4

    assert ["badging_badge", "badging_delivery"] in in_the_order(locks)


def test_a_synchronization_locks_its_row_the_version_and_then_templates(
    settings: Any, monkeypatch: pytest.MonkeyPatch, locks: Locks
) -> None:
    settings.BADGES_CONFIG = config()
    answers = Answers()
    monkeypatch.setattr(FakeProvider, "answers", answers)
    account = factories.CredlyOrganizationFactory()
    answers.pages = [[listed("1"), listed("2"), listed("gone")], [listed("3")]]
    sync_templates(account)
    answers.pages = [[listed("1", "Renamed"), listed("2", "Renamed")], [listed("3")]]
    sync_templates(account)
    sync_templates(account)

    seen = in_the_order(locks)
    assert ["badging_templatesync", "badging_configurationversion", "badging_badgetemplate"] in seen
    with_templates = [one for one in seen if "badging_badgetemplate" in one]
    assert all("badging_configurationversion" in one for one in with_templates)


def test_whoever_changes_the_configuration_locks_the_version_first(
    rewarded: BadgeTemplate, admin_client: Any, locks: Locks
) -> None:
    requirement, other = rewarded.requirements.order_by("pk")
    requirement.description = "Changed"
    requirement.save()
    rewarded.penalties.earliest("pk").requirements.set([requirement, other])
    DataRule.objects.filter(requirement=requirement).update(value="no")
    DataRule.objects.filter(requirement=other).delete()
    BadgeTemplate.objects.create(name="New")
    chosen = {"action": "deactivate", "_selected_action": [rewarded.pk]}
    assert admin_client.post("/admin/badges/badgetemplate/", chosen).status_code == 302
    rewarded.refresh_from_db()
    assert not rewarded.is_active

    configuration = {table for table, place in documented_order().items() if place == 4}
    changes = [one for one in in_the_order(locks) if configuration & set(one)]
    assert len(changes) >= 6
    assert all(one[0] == "badging_configurationversion" for one in changes)


def test_a_consumer_that_reads_the_rules_locks_nothing(rewarded: BadgeTemplate, locks: Locks) -> None:
    ConfigurationVersion.bump()
    locks.transactions.clear()

    process_batch([event("a", course="course-v1:edX+Unknown+2026")])

    assert in_the_order(locks) == []


def test_how_endpoints_of_callbacks_do_is_written_with_no_other_lock_or_after_the_deliveries(
    settings: Any, rewarded: BadgeTemplate, locks: Locks
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "callbacks": PRIVATE}
    with receiving() as good, receiving() as bad:
        bad.answer(500)
        for receiver in (bad, good):
            factories.CallbackEndpointFactory(url=receiver.url)
        badge = issued(rewarded)[0]
        by_hand.retry(Delivery.objects.filter(action="callback"))
        with transaction.atomic():
            awards.revoke([badge], moment(9))
        run_due(badge.pk)
        by_hand.end(list(Delivery.objects.values_list("pk", flat=True)), "cancelled", "Not wanted.")

    assert good.received
    assert DeliveryAttempt.objects.filter(outcome="retry").exists()
    seen = in_the_order(locks)
    assert ["badging_badge", "badging_delivery", "badging_callback"] in seen
    assert ["badging_delivery", "badging_callbackendpoint"] in seen
    assert ["badging_callbackendpoint"] in seen


def test_what_is_old_is_deleted_by_id_a_record_before_what_belongs_to_it(settings: Any, locks: Locks) -> None:
    settings.BADGES_CONFIG = {"retention": dict.fromkeys(KINDS, 1)}
    factories.ProviderBadgeFactory.create_batch(2)
    factories.WebhookEventFactory.create_batch(2, status="processed")
    factories.DeadEventFactory(status="discarded")
    factories.EmployeeBadgeFactory(employee__is_minimal=True)
    done = factories.DeliveryFactory(status="done")
    DeliveryAttempt.objects.create(delivery=done, number=1, started_at=moment(1), duration_ms=1, outcome="done")
    locks.transactions.clear()

    assert set(purge(timezone.now() + timedelta(days=2)).values()) == {1, 2}

    assert in_the_order(locks) == [
        ["badging_webhookevent"],
        ["badging_deadevent"],
        ["badging_providerbadge"],
        ["badging_employeerecord", "badging_employeebadge"],
        ["badging_deliveryattempt"],
    ]
