"""An upgrade keeps the rows that are there, also those that an older version let in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from badges.host.adoption import tables
from badges.models import BadgeTemplate, Delivery, ProviderAccount
from badges.models.sequences import begin_above
from tests.factories import BadgeTemplateFactory
from tests.integration.host.built_in import BuiltIn

pytestmark = pytest.mark.django_db(transaction=True)
Status = Delivery.Status
FIRST, SECOND = ("badges", "0001_badging"), ("badges", "0002_provider_failures")
FOURTH, FIFTH = ("badges", "0004_webhooks_and_applications"), ("badges", "0005_drop_in")
AN_HOUR_AGO = timezone.now().replace(microsecond=0) - timedelta(hours=1)


def migrate(to: tuple[str, str]) -> Any:
    """Bring the tables there, and give the models of that time."""
    MigrationExecutor(connection).migrate([to])
    return MigrationExecutor(connection).loader.project_state([to]).apps


@pytest.fixture
def before() -> Iterator[Any]:
    """The models before the upgrade; at the end the newest tables are there again, whatever failed."""
    yield migrate(FIRST)
    executor = MigrationExecutor(connection)
    executor.loader.project_state([FIRST]).apps.get_model("badges", "Delivery").objects.all().delete()
    executor.migrate(executor.loader.graph.leaf_nodes())


def written(models: Any, **values: Any) -> int:
    """A delivery with an attempt, of a badge of its own."""
    name = uuid.uuid4().hex
    user = get_user_model().objects.create(username=name)
    template = models.get_model("badges", "BadgeTemplate").objects.create(name=name, provider="")
    badge = models.get_model("badges", "Badge").objects.create(
        user_id=user.pk, template=template, awarded_at=AN_HOUR_AGO
    )
    delivery = models.get_model("badges", "Delivery").objects.create(badge=badge, action="issue", **values)
    models.get_model("badges", "Delivery").objects.filter(pk=delivery.pk).update(modified=AN_HOUR_AGO)
    models.get_model("badges", "DeliveryAttempt").objects.create(
        delivery=delivery, number=1, started_at=AN_HOUR_AGO, duration_ms=1, outcome="retry"
    )
    return int(delivery.pk)


@pytest.mark.parametrize("status", Status.values)
@pytest.mark.parametrize("has_end", [True, False])
def test_deliveries_are_kept_and_have_an_end_exactly_if_they_have_ended(
    before: Any, status: str, has_end: bool
) -> None:
    end = AN_HOUR_AGO - timedelta(hours=1)
    lease = {"lease_token": uuid.uuid4(), "leased_until": AN_HOUR_AGO} if status == Status.IN_PROGRESS else {}
    written(before, status=status, finished_at=end if has_end else None, **lease)

    models = migrate(SECOND)

    delivery = models.get_model("badges", "Delivery").objects.get()
    expected = None if status in Delivery.OPEN else end if has_end else AN_HOUR_AGO
    assert (delivery.status, delivery.finished_at, delivery.failures) == (status, expected, 0)
    assert models.get_model("badges", "DeliveryAttempt").objects.get().exchanges == []


def test_an_upgrade_can_be_taken_back(before: Any) -> None:
    pk = written(before, status=Status.DEAD, finished_at=None)
    migrate(SECOND)

    models = migrate(FIRST)

    assert models.get_model("badges", "Delivery").objects.get().pk == pk


def test_each_account_gets_a_webhook_secret_of_its_own(before: Any) -> None:
    for name in ("One", "Two"):
        before.get_model("badges", "ProviderAccount").objects.create(provider="credly", name=name)

    migrate(FOURTH)

    secrets = {str(account.webhook_secret) for account in ProviderAccount.objects.all()}
    assert len(secrets) == 2
    assert all(len(secret) > 40 for secret in secrets)
    ProviderAccount.objects.all().delete()


@pytest.fixture
def highest(before: Any) -> Iterator[int]:
    """Before the upgrade: the id of a template in the built-in module's table, high as that of an Accredible group."""
    migrate(FOURTH)
    # A sequence goes on from where earlier tests left it.
    pk = next_id() + 100_000
    with connection.schema_editor() as editor:
        editor.create_model(tables.BadgeTemplate)
    BuiltIn().bare_template(pk=pk)
    yield pk
    with connection.schema_editor() as editor:
        editor.delete_model(tables.BadgeTemplate)


def next_id() -> int:
    """The id of a new template here, which is gone again."""
    template = BadgeTemplateFactory(is_active=False)
    pk = template.pk
    template.delete()
    return int(pk)


def test_new_templates_leave_the_ids_of_the_built_in_ones(highest: int) -> None:
    """One that is adopted keeps its id, because the host's records of badges point to it."""
    migrate(FIFTH)

    assert [next_id(), next_id()] == [highest + 1, highest + 2]


def test_new_templates_leave_the_ids_of_those_of_which_only_badges_are_left(highest: int) -> None:
    content_type = ContentType.objects.get_or_create(app_label="badges", model="credlybadgetemplate")[0]
    with connection.schema_editor() as editor:
        editor.create_model(tables.UserCredential)
    try:
        tables.UserCredential.objects.create(
            created=AN_HOUR_AGO,
            modified=AN_HOUR_AGO,
            username="anna",
            status="awarded",
            uuid=uuid.uuid4(),
            credential_content_type_id=content_type.pk,
            credential_id=highest + 50,
        )
        migrate(FIFTH)
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(tables.UserCredential)

    assert next_id() == highest + 51


def test_where_ids_are_higher_already_they_go_on_from_there(highest: int) -> None:
    begin_above(connection, BadgeTemplate._meta.db_table, highest + 1000)

    migrate(FIFTH)

    assert next_id() == highest + 1001


def test_without_the_built_in_module_ids_go_on(before: Any) -> None:
    migrate(FOURTH)
    pk = next_id()

    migrate(FIFTH)

    assert next_id() == pk + 1
