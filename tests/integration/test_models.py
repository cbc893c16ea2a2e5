"""What the tables keep, refuse and never show."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from badges.models import (
    AccredibleAPIConfig,
    AccredibleBadge,
    AccredibleGroup,
    Badge,
    BadgeProgress,
    BadgeTemplate,
    ConfigurationVersion,
    CredlyBadge,
    CredlyBadgeTemplate,
    CredlyOrganization,
    DataRule,
    Delivery,
    Fulfillment,
    PenaltyDataRule,
)
from badges.models.lookups import OneOf
from tests import factories
from tests.factories import (
    AccredibleAPIConfigFactory,
    AccredibleGroupFactory,
    BadgeFactory,
    BadgeProgressFactory,
    BadgeTemplateFactory,
    CredlyBadgeTemplateFactory,
    CredlyOrganizationFactory,
    DeliveryFactory,
    FulfillmentFactory,
    PenaltyFactory,
    RequirementFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def test_rows_of_no_keys_at_all_are_none() -> None:
    BadgeFactory()

    assert not Badge.objects.filter(OneOf("pk", [])).exists()
    assert not Badge.objects.filter(OneOf("pk", set()), OneOf("user_id", [1])).select_for_update().exists()


def test_no_table_name_collides_with_those_of_the_module_that_is_replaced() -> None:
    tables = [name for name in connection.introspection.table_names() if "badg" in name]

    assert tables
    assert all(name.startswith("badging_") for name in tables)


@pytest.mark.parametrize("config", [{}, {"events": ["a"], "providers": {"toy": "nowhere.Toy"}}])
def test_migrations_are_complete_whatever_the_settings_say(settings: Any, config: dict[str, Any]) -> None:
    settings.BADGES_CONFIG = config

    call_command("makemigrations", "--check", "--dry-run", verbosity=0, skip_checks=True)


def test_proxies_set_their_provider_and_see_only_its_rows() -> None:
    credly, accredible = CredlyBadgeTemplateFactory(), AccredibleGroupFactory()
    badges = [BadgeFactory(template=credly), BadgeFactory(template=accredible)]

    assert (credly.provider, credly.account.provider) == ("credly", "credly")
    assert (accredible.provider, accredible.account.provider) == ("accredible", "accredible")
    assert [row.pk for row in CredlyOrganization.objects.all()] == [credly.account.pk]
    assert [row.pk for row in AccredibleAPIConfig.objects.all()] == [accredible.account.pk]
    assert [row.pk for row in CredlyBadgeTemplate.objects.all()] == [credly.pk]
    assert [row.pk for row in AccredibleGroup.objects.all()] == [accredible.pk]
    assert [row.pk for row in CredlyBadge.objects.all()] == [badges[0].pk]
    assert [row.pk for row in AccredibleBadge.objects.all()] == [badges[1].pk]


def test_a_template_takes_the_provider_of_its_account() -> None:
    template = BadgeTemplateFactory(account=AccredibleAPIConfigFactory(), external_id="7")

    assert BadgeTemplate.objects.get(pk=template.pk).provider == "accredible"


@pytest.mark.parametrize(
    "twice",
    [
        lambda row: BadgeProgress.objects.create(user=row.user, template=row.template),
        lambda row: Badge.objects.create(user=row.user, template=row.template, awarded_at=row.created),
    ],
)
def test_a_learner_has_one_progress_and_one_badge_of_a_template(twice: Callable[[Any], Any]) -> None:
    user, template = UserFactory(), BadgeTemplateFactory()
    progress = BadgeProgressFactory(user=user, template=template)
    BadgeFactory(user=user, template=template)

    with pytest.raises(IntegrityError), transaction.atomic():
        twice(progress)


def test_a_requirement_has_one_fulfilment_in_a_progress() -> None:
    row = FulfillmentFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        FulfillmentFactory(progress=row.progress, requirement=row.requirement)


def test_a_badge_has_one_delivery_of_an_action() -> None:
    row = DeliveryFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryFactory(badge=row.badge)


def test_a_delivery_in_progress_has_a_lease() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryFactory(status=Delivery.Status.IN_PROGRESS, leased_until=None, lease_token=None)


def test_an_account_has_one_template_of_an_identifier_and_accounts_do_not_disturb_each_other() -> None:
    template = AccredibleGroupFactory(external_id="7")
    AccredibleGroupFactory(external_id="7")

    with pytest.raises(IntegrityError), transaction.atomic():
        AccredibleGroupFactory(account=template.account, external_id="7")


def test_a_credly_organization_is_there_once_and_accredible_keys_may_be_many() -> None:
    organization = CredlyOrganizationFactory()
    AccredibleAPIConfigFactory.create_batch(2)

    with pytest.raises(IntegrityError), transaction.atomic():
        CredlyOrganizationFactory(external_id=organization.external_id)


def test_an_active_template_cannot_be_deleted_by_whatever_way() -> None:
    template = BadgeTemplateFactory()

    for delete in (template.delete, BadgeTemplate.objects.all().delete, CredlyBadgeTemplateFactory().delete):
        with pytest.raises(ProtectedError, match="is active"), transaction.atomic():
            delete()


def test_an_inactive_template_goes_with_its_requirements() -> None:
    template = BadgeTemplateFactory(is_active=False)
    RequirementFactory(template=template)

    template.delete()

    assert not BadgeTemplate.objects.exists()


def test_a_template_with_badges_cannot_be_deleted() -> None:
    template = BadgeFactory(template__is_active=False).template

    with pytest.raises(ProtectedError):
        template.delete()


def test_deactivating_a_template_keeps_its_badges() -> None:
    badge = BadgeFactory()

    badge.template.is_active = False
    badge.template.save()

    assert Badge.objects.get().is_awarded


@pytest.mark.parametrize(
    "change",
    [
        lambda template, requirement, penalty: template.save(),
        lambda template, requirement, penalty: requirement.save(),
        lambda template, requirement, penalty: penalty.save(),
        lambda template, requirement, penalty: requirement.delete(),
        lambda template, requirement, penalty: penalty.delete(),
        lambda template, requirement, penalty: requirement.rules.all().delete(),
        lambda template, requirement, penalty: requirement.rules.get().save(),
        lambda template, requirement, penalty: penalty.rules.get().delete(),
        lambda template, requirement, penalty: penalty.requirements.clear(),
        lambda template, requirement, penalty: penalty.requirements.add(RequirementFactory(template=template).pk),
        lambda template, requirement, penalty: requirement.penalties.remove(penalty),
        lambda template, requirement, penalty: BadgeTemplate.objects.update(is_active=True),
        lambda template, requirement, penalty: CredlyBadgeTemplate.objects.update(is_active=True),
        lambda template, requirement, penalty: BadgeTemplate.objects.bulk_update([template], ["name"]),
        lambda template, requirement, penalty: DataRule.objects.bulk_create(
            [DataRule(requirement=requirement, data_path="user.id", value="1")]
        ),
        lambda template, requirement, penalty: BadgeTemplate.objects.filter(pk=template.pk).delete(),
    ],
)
def test_whatever_changes_the_configuration_changes_its_version(change: Callable[..., Any]) -> None:
    template = CredlyBadgeTemplateFactory(is_active=False)
    requirement = RequirementFactory(template=template, rules=[("is_passing", "eq", "true")])
    penalty = PenaltyFactory(template=template, rules=[("is_passing", "eq", "no")])
    penalty.requirements.add(requirement)
    before = ConfigurationVersion.current()

    change(template, requirement, penalty)

    assert ConfigurationVersion.current() != before


def test_configuration_that_is_loaded_from_a_fixture_changes_the_version() -> None:
    requirement = RequirementFactory()
    fixture = serializers.serialize("json", [requirement])
    before = ConfigurationVersion.current()

    for item in serializers.deserialize("json", fixture):
        item.save()

    assert ConfigurationVersion.current() != before


def test_a_change_that_is_rolled_back_leaves_the_version() -> None:
    template = BadgeTemplateFactory()
    before = ConfigurationVersion.current()

    with transaction.atomic():
        template.save()
        transaction.set_rollback(True)

    assert ConfigurationVersion.current() == before


def test_the_version_of_an_empty_configuration_is_none() -> None:
    assert ConfigurationVersion.current() is None


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [("course.nonsense", "x", "data_path"), ("is_passing", "perhaps", "value"), ("course", "x", "data_path")],
)
def test_a_rule_that_its_event_cannot_have_is_refused_with_the_reason(path: str, value: str, field: str) -> None:
    requirement, penalty = RequirementFactory(), PenaltyFactory()

    for rule in (
        DataRule(requirement=requirement, data_path=path, value=value),
        PenaltyDataRule(penalty=penalty, data_path=path, value=value),
    ):
        with pytest.raises(ValidationError) as refused:
            rule.full_clean()
        assert list(refused.value.message_dict) == [field]


def test_an_unknown_event_type_is_refused() -> None:
    with pytest.raises(ValidationError, match="openedx-events knows no event type"):
        RequirementFactory.build(template=BadgeTemplateFactory(), event_type="org.openedx.nonsense.v1").full_clean()


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [({"state": "archived"}, "only an active one can be issued"), ({"provider": "credly"}, "no account")],
)
def test_a_template_that_cannot_be_issued_cannot_be_activated(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        BadgeTemplateFactory.build(uuid=uuid.uuid4(), **overrides).full_clean()


@pytest.mark.parametrize(
    ("groups", "fulfilled", "ratio"),
    [
        (["A", "A", "B"], [], 0.0),
        (["A", "A", "B"], [0], 0.5),
        (["A", "A", "B"], [0, 1], 0.5),
        (["A", "A", "B"], [1, 2], 1.0),
        (["", ""], [0], 0.5),
        (["", ""], [0, 1], 1.0),
        (["", "A", "A"], [0, 2], 1.0),
        (["a", "A"], [0], 0.5),
        ([], [], 0.0),
    ],
)
def test_completion_is_the_same_computed_here_and_in_the_database(
    groups: list[str], fulfilled: list[int], ratio: float
) -> None:
    template = BadgeTemplateFactory()
    requirements = [RequirementFactory(template=template, group=group) for group in groups]
    progress = BadgeProgressFactory(template=template)
    other = BadgeProgressFactory(template=template)
    for number, requirement in enumerate(requirements):
        FulfillmentFactory(progress=progress, requirement=requirement, is_fulfilled=number in fulfilled)
        FulfillmentFactory(progress=other, requirement=requirement, is_fulfilled=False)

    found: Any = BadgeProgress.objects.with_completion().get(pk=progress.pk)

    assert (progress.ratio, progress.is_complete) == (ratio, ratio == 1.0)
    assert found.complete == (ratio == 1.0)
    assert (found.fulfilled_count / found.group_count if found.group_count else 0.0) == ratio


def test_a_group_that_is_called_like_an_id_is_not_taken_for_it() -> None:
    progress = BadgeProgressFactory()
    alone = RequirementFactory(template=progress.template)
    RequirementFactory(template=progress.template, group=f"#{alone.pk}")
    FulfillmentFactory(progress=progress, requirement=alone)

    assert progress.ratio == 0.5
    found: Any = BadgeProgress.objects.with_completion().get()
    assert (found.fulfilled_count, found.group_count) == (1, 2)


def test_300_groups_are_not_complete_before_the_last_one() -> None:
    progress = BadgeProgressFactory()
    requirements = RequirementFactory.create_batch(300, template=progress.template)
    for requirement in requirements[:-1]:
        FulfillmentFactory(progress=progress, requirement=requirement)

    assert not progress.is_complete
    assert progress.ratio < 1


@pytest.mark.parametrize(
    "factory",
    [
        factories.CredlyOrganizationFactory,
        factories.BadgeTemplateFactory,
        factories.RequirementFactory,
        factories.PenaltyFactory,
        factories.BadgeFactory,
        factories.BadgeProgressFactory,
        factories.FulfillmentFactory,
        factories.DeliveryFactory,
        factories.DeadEventFactory,
    ],
)
def test_every_row_has_a_name_for_people(factory: Any) -> None:
    assert str(factory())


def test_a_deleted_user_takes_progress_and_badges_along() -> None:
    badge = BadgeFactory()
    FulfillmentFactory(progress__user=badge.user, progress__template=badge.template)
    DeliveryFactory(badge=badge)

    badge.user.delete()

    assert not Badge.objects.exists()
    assert not Fulfillment.objects.exists()
