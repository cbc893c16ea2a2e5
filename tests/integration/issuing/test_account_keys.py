"""What an account is called with: keys of the settings, keys that are lost, changes, and plug-ins that are broken."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from badges.data import AccountInfo, Award, IssuedBadge
from badges.exceptions import ProviderAuthError
from badges.issuing.deliveries import run_due
from badges.issuing.sweep import sweep
from badges.models import AccountHealth, Badge, Delivery, ProviderAccount
from tests.factories import BadgeFactory, BadgeTemplateFactory, DeliveryFactory
from tests.integration.issuing.helpers import issue_of
from tests.integration.issuing.scripted import SETTINGS, ScriptedProvider

pytestmark = pytest.mark.django_db
Status = Delivery.Status


@pytest.fixture
def keys(provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys with which badges are issued."""
    used: list[str] = []
    issue = provider.issue

    def remember(self: ScriptedProvider, award: Award) -> IssuedBadge:
        used.append(str(self.account.api_key))
        return issue(self, award)

    monkeypatch.setattr(provider, "issue", remember)
    return used


def test_a_key_of_the_settings_is_used_although_the_stored_one_cannot_be_decrypted(
    badge: Badge, keys: list[str], settings: Any
) -> None:
    ProviderAccount.objects.update(external_id="org")
    settings.BADGES_ENCRYPTION_KEYS = ["lost-the-former-one"]
    settings.BADGES_CONFIG = {**SETTINGS, "scripted": {"ORGANIZATIONS": {"ORG": "a-key-of-the-settings"}}}

    run_due(badge.pk)

    assert (issue_of(badge).status, keys) == (Status.DONE, ["a-key-of-the-settings"])


def test_a_stored_key_that_cannot_be_decrypted_stops_its_account(badge: Badge, settings: Any) -> None:
    settings.BADGES_ENCRYPTION_KEYS = ["lost-the-former-one"]

    sweep()

    assert "cannot be decrypted" in AccountHealth.objects.get().stop_reason


def test_a_stored_key_that_can_be_decrypted_again_lets_the_deliveries_go_on(
    badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    former = settings.BADGES_ENCRYPTION_KEYS
    settings.BADGES_ENCRYPTION_KEYS = ["lost-the-former-one"]
    sweep()
    settings.BADGES_ENCRYPTION_KEYS = ["lost-the-former-one", *former]

    sweep()

    assert issue_of(badge).status == Status.DONE


@pytest.fixture
def refused(badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch) -> Badge:
    """A badge whose account was stopped a moment ago, at a provider whose address can be set."""
    monkeypatch.setattr(provider, "settings_defaults", {"SCRIPTED_API_BASE_URL": "https://api.example.com/"})
    provider.script.append(ProviderAuthError("Refused.", status_code=401))
    run_due(badge.pk)
    return badge


def test_an_account_that_nobody_changed_is_not_checked_before_its_time(
    refused: Badge, provider: type[ScriptedProvider]
) -> None:
    sweep()

    assert "check" not in provider.calls


def test_another_identifier_of_the_account_leads_to_a_check(refused: Badge, provider: type[ScriptedProvider]) -> None:
    ProviderAccount.objects.update(external_id="the-right-one")

    sweep()

    assert "check" in provider.calls
    assert issue_of(refused).status == Status.DONE


def test_another_address_of_the_provider_leads_to_a_check(
    refused: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "scripted": {"SCRIPTED_API_BASE_URL": "https://api2.example.com/"}}

    sweep()

    assert "check" in provider.calls
    assert issue_of(refused).status == Status.DONE


def test_a_change_that_does_not_help_is_checked_once(
    refused: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: ScriptedProvider) -> AccountInfo:
        self.calls.append("check")
        raise ProviderAuthError("Refused.", status_code=401)

    monkeypatch.setattr(provider, "check_account", refuse)
    ProviderAccount.objects.update(external_id="a-wrong-one")

    sweep()
    sweep()

    assert provider.calls.count("check") == 1


@pytest.mark.parametrize("trouble", ["raise RuntimeError('no licence')", "import no_such_module", "def"])
def test_a_plug_in_that_cannot_be_imported_stops_its_account_and_not_the_sweep(
    badge: Badge, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    name = f"plug_in_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(trouble)
    monkeypatch.syspath_prepend(tmp_path)
    settings.BADGES_CONFIG = {"providers": {**SETTINGS["providers"], "broken": f"{name}.Provider"}}
    account = ProviderAccount.objects.create(provider="broken", name="Broken", api_key="key")
    broken = BadgeFactory(template=BadgeTemplateFactory(account=account))
    DeliveryFactory(badge=broken, next_attempt_at=timezone.now() - timedelta(hours=1))

    report = sweep()

    assert "cannot be imported" in AccountHealth.objects.get(account=account).stop_reason
    assert issue_of(badge).status == Status.DONE
    assert report.broken == []
