"""System checks: each says what is wrong, under its own id, with a hint."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from badges import checks
from badges.models import ProviderAccount

REDIS = "redis://localhost:6379/0"


def ids() -> list[str]:
    """The ids of what our checks say, each of which has a hint."""
    messages = [message for message in run_checks(databases=[]) if str(message.id).startswith("badges.")]
    assert all(message.hint for message in messages)
    return [str(message.id) for message in messages if message.id != "badges.W007"]


def test_the_default_configuration_is_fine() -> None:
    assert ids() == []


def test_with_the_feature_off_nothing_is_said(settings: Any) -> None:
    settings.BADGES_ENABLED = False
    settings.BADGES_CONFIG = {"events": []}
    settings.EVENT_BUS_CONSUMER = None

    assert ids() == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"events": 5}, ["badges.E001"]),
        ({"events": []}, ["badges.E002"]),
        ({"events": ["org.openedx.nonsense.v1"]}, ["badges.E003"]),
        ({"events": ["org.openedx.learning.course.persistent_grade_summary.changed.v1"]}, ["badges.W001"]),
        ({"credley": {}}, ["badges.W002"]),
        ({"credly": {"CREDLY_API_BASE_URL": ""}}, ["badges.E004"]),
        ({"credly": {"CREDLY_API_BASE_URL": "api.credly.com"}}, ["badges.E004"]),
        ({"credly": {"CREDLY_API_BASE_URL": "http://api.credly.com/v1/"}}, ["badges.E005"]),
        ({"credly": {"CREDLY_SANDBOX_API_BASE_URL": "http://x.example.com/", "USE_SANDBOX": True}}, ["badges.E005"]),
        ({"credly": {"CREDLY_OAUTH_TOKEN_URL": "http://www.credly.com/oauth/token"}}, ["badges.E005"]),
        ({"credly": {"CREDLY_OAUTH_TOKEN_URL": ""}}, ["badges.E004"]),
        ({"credly": {"CREDLY_API_BASE_URL": "http://127.0.0.1:9/v1/"}}, []),
        ({"credly": {"CREDLY_API_BASE_URL": "http://localhost/v1/"}}, []),
        ({"credly": {"CREDLY_API_BASE_URL": "http://[::1]/v1/"}}, []),
        ({"accredible": {"ACCREDIBLE_BASE_URL": "http://dashboard.accredible.com/"}}, ["badges.E005"]),
        ({"credly": {"CREDLY_API_BASE_URL": "https://[bad/v1/"}}, ["badges.E004"]),
        ({1: {}, "x": {}}, ["badges.E001"]),
        ({"deliveries": {"lease": 40}}, ["badges.W009"]),
        ({"credly": {"USE_SANDBOX": "yes"}}, ["badges.E006"]),
        ({"providers": {"acme": "nowhere.Provider"}}, ["badges.E006"]),
        ({"providers": {"acme": "badges.conf.parse"}}, ["badges.E006"]),
    ],
)
def test_what_is_wrong_in_the_configuration(settings: Any, config: Any, expected: list[str]) -> None:
    settings.BADGES_CONFIG = config

    assert ids() == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("USE_TZ", False, ["badges.E009"]),
        ("BADGES_ENCRYPTION_KEYS", "one string", ["badges.E011"]),
        ("BADGES_ENCRYPTION_KEYS", None, ["badges.W011"]),
        ("EVENT_BUS_CONSUMER", None, ["badges.W003"]),
        ("EVENT_BUS_PRODUCER", None, ["badges.W004"]),
        ("EVENT_BUS_REDIS_CONNECTION_URL", None, ["badges.W005"]),
        ("EVENT_BUS_REDIS_CONNECTION_URL", "redis://[oops", ["badges.E013"]),
        ("BADGES_ENABLED", "false", ["badges.E012"]),
    ],
)
def test_what_is_wrong_in_the_project(settings: Any, name: str, value: Any, expected: list[str]) -> None:
    setattr(settings, name, value)

    assert ids() == expected


@pytest.mark.parametrize(("options", "told"), [({}, ["badges.W010"]), ({"transaction_mode": "immediate"}, [])])
def test_a_sqlite_database_that_several_processes_cannot_share_is_told(
    options: dict[str, str], told: list[str]
) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}

    found = checks._shared_databases({"default": database})

    assert [message.id for message in found] == told


def test_the_documentation_lists_every_check() -> None:
    root = Path(checks.__file__).parents[1]
    said = set(re.findall(r'"badges\.([EW]\d{3})"', Path(checks.__file__).read_text()))

    assert set(re.findall(r"^``([EW]\d{3})``", (root / "docs" / "checks.rst").read_text(), re.MULTILINE)) == said


def test_a_redis_client_that_gives_up_too_early_is_told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = REDIS
    monkeypatch.setattr("redis.__version__", "8.0.0")

    assert ids() == ["badges.W006"]


def test_an_older_redis_client_is_fine(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = REDIS
    monkeypatch.setattr("redis.__version__", "7.1.0")

    assert ids() == []


@pytest.mark.parametrize("enabled", [True, False])
def test_announcements_that_reach_no_topic_are_told(settings: Any, enabled: bool) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        event_type: {"learning-badges-lifecycle": {"event_key_field": "badge.uuid", "enabled": enabled}}
        for event_type in ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1")
    }

    told = [message.id for message in checks.check_event_bus(None)]
    assert told == ([] if enabled else ["badges.W007", "badges.W007"])


@pytest.mark.django_db
def test_accounts_of_a_provider_that_is_gone_are_told() -> None:
    ProviderAccount.objects.create(provider="gone", name="Old account")

    [message] = checks.check_accounts(None, databases=["default"])
    assert message.id == "badges.E007"


def test_the_sandbox_in_production_is_told_by_the_deployment_check(settings: Any) -> None:
    settings.BADGES_CONFIG = {"credly": {"USE_SANDBOX": True}}

    assert [message.id for message in checks.check_sandbox(None)] == ["badges.W008"]
    assert ids() == []


def test_a_project_without_openedx_events_is_told() -> None:
    code = (
        "import settings_test; settings_test.INSTALLED_APPS.remove('openedx_events');"
        "import django; django.setup();"
        "from badges.checks import check_settings; print([m.id for m in check_settings(None)])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "settings_test", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)

    assert "badges.E008" in done.stdout, done.stderr
