"""API keys: encrypted at rest, readable here, shown nowhere."""

from __future__ import annotations

import io

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from badges.exceptions import ConfigurationError
from badges.models import CallbackEndpoint, ProviderAccount
from tests.factories import CredlyOrganizationFactory

pytestmark = pytest.mark.django_db


def test_an_api_key_is_encrypted_in_the_database_and_readable_here() -> None:
    account = CredlyOrganizationFactory(api_key="very-secret")

    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM badging_provideraccount")
        stored = cursor.fetchone()[0]
    assert "very-secret" not in stored
    assert ProviderAccount.objects.get(pk=account.pk).as_data().api_key == "very-secret"


def test_an_api_key_shows_in_no_text_and_no_fixture() -> None:
    account = CredlyOrganizationFactory(api_key="very-secret")

    shown = repr([account.api_key, account, account.as_data()]) + serializers.serialize("json", [account])
    assert "very-secret" not in shown
    assert "enc1:" not in shown


def test_a_rotated_encryption_key_still_reads_what_the_former_one_wrote() -> None:
    account = CredlyOrganizationFactory(api_key="very-secret")

    with override_settings(BADGES_ENCRYPTION_KEYS=["new", "only-for-tests-too"]):
        assert ProviderAccount.objects.get(pk=account.pk).api_key == "very-secret"


def test_a_lost_encryption_key_is_told_and_does_not_keep_the_row_from_being_listed() -> None:
    account = CredlyOrganizationFactory(api_key="very-secret")

    with override_settings(BADGES_ENCRYPTION_KEYS=["another"]):
        found = ProviderAccount.objects.get(pk=account.pk)
        assert found.name == account.name
        with pytest.raises(ConfigurationError, match="cannot be decrypted"):
            found.as_data()


def test_saving_an_account_leaves_its_key_as_it_is() -> None:
    account = CredlyOrganizationFactory(api_key="very-secret")
    found = ProviderAccount.objects.get(pk=account.pk)

    found.name = "Another name"
    found.save()

    assert ProviderAccount.objects.get(pk=account.pk).api_key == "very-secret"


def test_without_keys_of_its_own_the_secret_key_encrypts() -> None:
    with override_settings(BADGES_ENCRYPTION_KEYS=None, SECRET_KEY="old"):
        account = CredlyOrganizationFactory(api_key="very-secret")
    with override_settings(BADGES_ENCRYPTION_KEYS=None, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert ProviderAccount.objects.get(pk=account.pk).api_key == "very-secret"


def test_a_key_from_the_settings_is_known() -> None:
    account = CredlyOrganizationFactory(external_id="org-1")

    assert not account.has_preconfigured_key
    with override_settings(BADGES_CONFIG={"credly": {"ORGANIZATIONS": {"org-1": "key"}}}):
        assert account.has_preconfigured_key


def test_keys_are_encrypted_anew_so_that_the_former_secret_can_go() -> None:
    accounts = [CredlyOrganizationFactory(api_key="very-secret"), CredlyOrganizationFactory(api_key="")]
    secrets = [row.webhook_secret for row in accounts]
    output = io.StringIO()

    with override_settings(BADGES_ENCRYPTION_KEYS=["new", "only-for-tests-too"]):
        call_command("reencrypt_api_keys", stdout=output)

    # Of two accounts, one key and two webhook secrets.
    assert "3 API keys and secrets are encrypted" in output.getvalue()
    assert "very-secret" not in output.getvalue()
    with override_settings(BADGES_ENCRYPTION_KEYS=["new"]):
        found = [ProviderAccount.objects.get(pk=row.pk) for row in accounts]
        assert [row.api_key for row in found] == ["very-secret", ""]
        assert [row.webhook_secret for row in found] == secrets


def test_a_key_that_no_secret_fits_is_told_and_does_not_hold_up_the_others() -> None:
    with override_settings(BADGES_ENCRYPTION_KEYS=["lost"]):
        lost = CredlyOrganizationFactory(api_key="lost-key")
    kept = CredlyOrganizationFactory(api_key="very-secret")

    told = pytest.raises(CommandError, match=f"account {lost.pk}, api_key: A stored API key cannot be decrypted")
    with override_settings(BADGES_ENCRYPTION_KEYS=["new", "only-for-tests-too"]), told:
        call_command("reencrypt_api_keys", stdout=io.StringIO())
    with override_settings(BADGES_ENCRYPTION_KEYS=["new"]):
        assert ProviderAccount.objects.get(pk=kept.pk).api_key == "very-secret"


def test_the_secret_of_a_callback_endpoint_is_encrypted_anew_too() -> None:
    endpoint = CallbackEndpoint.objects.create(name="One", url="https://receiver.example.com/", secret="very-secret")

    with override_settings(BADGES_ENCRYPTION_KEYS=["new", "only-for-tests-too"]):
        call_command("reencrypt_api_keys", stdout=io.StringIO())

    with override_settings(BADGES_ENCRYPTION_KEYS=["new"]):
        assert CallbackEndpoint.objects.get(pk=endpoint.pk).secret == "very-secret"
