"""Adopting accounts: organizations and configurations of the built-in module, with their keys."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection

from badges.models import AdoptedRow, ProviderAccount
from tests.factories import AccredibleAPIConfigFactory, CredlyOrganizationFactory
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt, plan

ORGANIZATION = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def test_an_organization_keeps_its_identifier_name_and_key(built_in: BuiltIn) -> None:
    built_in.organization(uuid=uuid.UUID(ORGANIZATION), name="Open University", api_key="the-key")

    adopt()

    account = ProviderAccount.objects.get()
    assert (account.provider, account.external_id, account.name) == ("credly", ORGANIZATION, "Open University")
    assert str(account.api_key) == "the-key"


def test_a_key_is_encrypted_here(built_in: BuiltIn) -> None:
    built_in.organization(api_key="the-key")

    adopt()

    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM badging_provideraccount")
        (stored,) = cursor.fetchone()
    assert stored.startswith("enc1:")
    assert "the-key" not in stored


def test_a_configuration_keeps_its_name_and_key(built_in: BuiltIn) -> None:
    built_in.api_config(name="Department", api_key="the-key")

    adopt()

    account = ProviderAccount.objects.get()
    assert (account.provider, account.external_id, account.name) == ("accredible", None, "Department")
    assert str(account.api_key) == "the-key"


@pytest.mark.parametrize("values", [{"name": None}, {"name": ""}])
def test_an_account_without_a_name_gets_one(built_in: BuiltIn, values: dict[str, Any]) -> None:
    built_in.organization(uuid=uuid.UUID(ORGANIZATION), **values)

    adopt()

    assert ProviderAccount.objects.get().name == ORGANIZATION


def test_blanks_around_a_key_are_left_out(built_in: BuiltIn) -> None:
    built_in.api_config(api_key=" the-key\n")

    adopt()

    assert str(ProviderAccount.objects.get().api_key) == "the-key"


def test_an_organization_that_is_here_is_not_made_twice(built_in: BuiltIn) -> None:
    here = CredlyOrganizationFactory(external_id=ORGANIZATION.upper(), name="Mine", api_key="newer-key")
    built_in.organization(uuid=uuid.UUID(ORGANIZATION), api_key="older-key")

    adopt()

    here.refresh_from_db()
    assert ProviderAccount.objects.count() == 1
    assert (here.name, str(here.api_key)) == ("Mine", "newer-key")


def test_an_organization_that_is_here_without_a_key_gets_it(built_in: BuiltIn) -> None:
    here = CredlyOrganizationFactory(external_id=ORGANIZATION, api_key="")
    built_in.organization(uuid=uuid.UUID(ORGANIZATION), api_key="the-key")

    ended = adopt()

    here.refresh_from_db()
    assert str(here.api_key) == "the-key"
    assert "it gets the key, for it has none" in ended.out


def test_a_configuration_is_recognised_by_its_key(built_in: BuiltIn) -> None:
    here = AccredibleAPIConfigFactory(api_key="the-key")
    there = built_in.api_config(api_key="the-key")

    adopt()

    assert ProviderAccount.objects.get().pk == here.pk
    assert AdoptedRow.objects.get(table_name="badges_accredibleapiconfig", source_id=there.pk).target_id == here.pk


def test_configurations_with_one_key_become_one_account(built_in: BuiltIn) -> None:
    built_in.api_config(api_key="the-key")
    built_in.api_config(api_key="the-key")

    planned = plan()
    adopted = adopt()

    assert ProviderAccount.objects.count() == 1
    for ended in (planned, adopted):
        assert "another configuration there has the same key" in ended.out


def test_configurations_without_a_key_are_not_the_same(built_in: BuiltIn) -> None:
    built_in.api_config(api_key="")
    built_in.api_config(api_key="")

    adopt()

    assert ProviderAccount.objects.count() == 2


def test_an_account_whose_key_cannot_be_decrypted_is_another_one(built_in: BuiltIn, settings: Any) -> None:
    AccredibleAPIConfigFactory(api_key="the-key")
    settings.BADGES_ENCRYPTION_KEYS = ["another"]
    built_in.api_config(api_key="the-key")

    adopt()

    assert ProviderAccount.objects.count() == 2


def test_a_person_is_told_of_an_organization_without_a_key(built_in: BuiltIn) -> None:
    there = built_in.organization(api_key="", name="Open University")

    ended = adopt()

    assert f'Credly organization {there.pk} "Open University": It has no API key' in ended.out


def test_a_key_from_the_settings_is_one(built_in: BuiltIn, settings: Any) -> None:
    settings.BADGES_CONFIG = {"credly": {"ORGANIZATIONS": {ORGANIZATION: "from-the-environment"}}}
    built_in.organization(uuid=uuid.UUID(ORGANIZATION), api_key="")

    ended = adopt()

    assert "It has no API key" not in ended.out


def test_what_staff_changed_here_is_not_overwritten(built_in: BuiltIn) -> None:
    built_in.organization(name="There", api_key="older-key")
    adopt()
    account = ProviderAccount.objects.get()
    account.name, account.api_key = "Here", "newer-key"
    account.save()

    adopt()

    account.refresh_from_db()
    assert (account.name, str(account.api_key)) == ("Here", "newer-key")


def test_what_staff_deleted_here_does_not_come_back(built_in: BuiltIn) -> None:
    built_in.organization()
    adopt()
    ProviderAccount.objects.all().delete()

    ended = adopt()

    assert not ProviderAccount.objects.exists()
    assert "adopted before, and deleted here since" in ended.out


@pytest.mark.parametrize("arguments", [(), ("--apply",)])
def test_no_key_is_printed(built_in: BuiltIn, arguments: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    organization = built_in.organization(api_key="the-secret-key")
    built_in.api_config(api_key="the-secret-key")
    built_in.credly_template(organization)

    with caplog.at_level("DEBUG", logger="badges"):
        ended = plan(*arguments)

    assert "the-secret-key" not in ended.out + ended.errors + caplog.text


def test_a_plan_makes_nothing(built_in: BuiltIn) -> None:
    built_in.organization()
    built_in.api_config()

    plan()

    assert not ProviderAccount.objects.exists()
    assert not AdoptedRow.objects.exists()
