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
from badges.checks import project
from badges.eventbus.kinds import DURABLE_CONSUMER
from badges.models import ProviderAccount


def ids() -> list[str]:
    """The ids of what our checks say, each of which has a hint."""
    messages = [message for message in run_checks(databases=[]) if str(message.id).startswith("badges.")]
    assert all(message.hint for message in messages)
    return [str(message.id) for message in messages if message.id != "badges.W007"]


def test_the_default_configuration_is_fine(settings: Any) -> None:
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER

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
        ("BADGES_ENABLED", "false", ["badges.E012"]),
    ],
)
def test_what_is_wrong_in_the_project(settings: Any, name: str, value: Any, expected: list[str]) -> None:
    setattr(settings, name, value)

    assert ids() == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, []),
        ({"isolation_level": "read committed"}, []),
        ({"isolation_level": "repeatable read"}, ["badges.W014"]),
        ({"isolation_level": "SERIALIZABLE"}, ["badges.W014"]),
        ({"isolation_level": None}, ["badges.W014"]),
    ],
)
def test_an_isolation_level_that_makes_consumers_deadlock_is_told(options: dict[str, Any], told: list[str]) -> None:
    mysql = {"ENGINE": "django.db.backends.mysql", "OPTIONS": options}

    assert [message.id for message in project._isolation({"default": mysql})] == told
    assert [message.id for message in project._isolation({"other": mysql})] == []
    assert [message.id for message in project._isolation({"default": {**mysql, "ENGINE": "x.sqlite3"}})] == []


@pytest.mark.parametrize(("options", "told"), [({}, ["badges.W010"]), ({"transaction_mode": "immediate"}, [])])
def test_a_sqlite_database_that_several_processes_cannot_share_is_told(
    options: dict[str, str], told: list[str]
) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}

    found = project._shared_databases({"default": database})

    assert [message.id for message in found] == told


def test_the_documentation_lists_every_check() -> None:
    package = Path(checks.__file__).parent
    said = re.findall(r'"badges\.([EWI]\d{3})"', "".join(module.read_text() for module in package.glob("*.py")))
    documentation = (package.parents[1] / "docs" / "checks.rst").read_text()

    assert set(re.findall(r"^``([EWI]\d{3})``", documentation, re.MULTILINE)) == set(said)


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


class Replica:
    """A router that reads somewhere else."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"


def test_a_router_that_reads_from_a_replica_is_refused(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]

    [message] = [message for message in project.check_settings(None) if message.id == "badges.E015"]

    assert "replica" in message.msg
