"""``pip install``, ``BADGES_ENABLED = True``, ``migrate``: the service has this module instead of its own."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.paths import TOP
from tests.acceptance.host.conftest import CONSUMER, MakeService
from tests.acceptance.host.environment import Environment
from tests.acceptance.host.service import Service
from tests.host.builtin import BUILT_IN, MIGRATIONS

pytestmark = [pytest.mark.xdist_group("host"), pytest.mark.timeout(600)]
BUILT_IN_APP = "credentials.apps.badges"
SHOWN = (
    "from django.apps import apps; from django.conf import settings; "
    "print(json.dumps({'apps': [app for app in settings.INSTALLED_APPS if 'badges' in app], "
    "'file': apps.get_app_config('badges').module.__file__, "
    "'enabled': settings.BADGES_ENABLED, "
    "'signals': [topic['enabled'] for name in settings.EVENT_BUS_PRODUCER_CONFIG "
    "for topic in settings.EVENT_BUS_PRODUCER_CONFIG[name].values() if 'badge' in name]}))"
)
ADDRESSES = (
    "from django.urls import resolve, reverse; match = resolve('/badges/credly/webhook/'); "
    "print(json.dumps([reverse('badges:credly-webhook'), match.func.__module__]))"
)


def shown(service: Service, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = service.python(SHOWN, **variables)
    return found


def of_settings(name: str, folder: Path, **more: str) -> dict[str, str]:
    """The variables that have the service read one of its kinds of settings."""
    database = {"DB_ENGINE": "django.db.backends.sqlite3", "DB_NAME": str(folder / "other.sqlite3")}
    return {"DJANGO_SETTINGS_MODULE": f"credentials.settings.{name}", **database, **more}


def test_the_wheel_is_what_the_service_finds(with_wheel: Environment, without: Environment) -> None:
    code = (
        "import importlib.metadata as m, importlib.util as u, json; spec = u.find_spec('badges'); "
        "print(json.dumps([[e.value for e in m.entry_points(group='credentials.djangoapp') if e.name == 'badges'], "
        "spec and spec.origin]))"
    )
    assert json.loads(without.run("-c", code).stdout) == [[], None]
    points, origin = json.loads(with_wheel.run("-c", code).stdout)
    assert points == ["badges.apps:BadgesConfig"]
    assert Path(origin).is_relative_to(with_wheel.folder / "venv")


def test_the_operators_settings_have_this_app_in_the_place_of_the_built_in_one(make_service: MakeService) -> None:
    service = make_service()
    found = shown(service)
    assert found["apps"] == ["badges"]
    assert Path(found["file"]).is_relative_to(service.environment.folder / "venv")
    assert found["signals"] == [True, True], "what the host read while the feature was off follows the switch"


@pytest.mark.parametrize(
    ("settings", "more", "enabled"),
    [
        ("production", {}, False),
        ("devstack", {}, False),
        ("devstack", {"BADGES_ENABLED": "true"}, True),
        ("test", {}, False),
    ],
)
def test_each_kind_of_settings_has_it(
    make_service: MakeService, tmp_path: Path, settings: str, more: dict[str, str], enabled: bool
) -> None:
    variables = of_settings(settings, tmp_path, **more)
    service = make_service()
    found = shown(service, **variables)
    assert found["apps"] == ["badges"]
    assert found["signals"] == [enabled, enabled]
    service.manage("check", **variables)
    service.manage("migrate", "--verbosity", "0", **variables)


def test_an_image_collects_the_static_files_of_this_app(make_service: MakeService) -> None:
    """With settings that begin with the base, run no other hook of plugins, and know no database."""
    service = make_service()
    service.variables["DJANGO_SETTINGS_MODULE"] = "credentials.settings.assets"
    assert "badges/static/badges/admin.css" in service.manage("findstatic", "badges/admin.css")
    service.variables["BADGES_REPLACE_BUILT_IN"] = "off"
    assert "No matching file" in service.run("findstatic", "badges/admin.css").stderr, "the built-in module stays"


def test_the_service_checks_clean(make_service: MakeService) -> None:
    service = make_service(EVENT_BUS_CONSUMER=CONSUMER, BADGES_ENCRYPTION_KEYS=["only-for-tests-too"])
    service.manage("migrate", "--verbosity", "0")
    done = service.run("check", "--database", "default", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_the_webhook_that_operators_entered_at_credly_is_ours(make_service: MakeService) -> None:
    service = make_service()
    service.manage("migrate", "--verbosity", "0")
    assert service.python(ADDRESSES) == ["/badges/credly/webhook/", "badges.webhooks.views"]
    with service.web() as url:
        answer = requests.post(f"{url}/badges/credly/webhook/", json={"id": "1"}, timeout=30)
    assert "X-Answered-By" not in answer.headers, "the built-in module answered"
    assert answer.status_code not in (204, 404)


def test_an_app_that_is_ready_before_this_one_may_ask_for_the_hosts_addresses(
    make_service: MakeService, tmp_path: Path
) -> None:
    service = make_service()
    (tmp_path / "early.py").write_text(
        "from django.apps import AppConfig\n\n\nclass Early(AppConfig):\n    name = 'early'\n    path = '.'\n\n"
        "    def ready(self):\n        from django.urls import reverse\n\n        reverse('badges:credly-webhook')\n"
    )
    (tmp_path / "with_early.py").write_text(
        "from credentials.settings.operator import *\n\nINSTALLED_APPS.insert(0, 'early.Early')\n"
    )
    service.manage("check", DJANGO_SETTINGS_MODULE="with_early", PYTHONPATH=f"{service.environment.site}:{tmp_path}")


def test_a_service_whose_feature_is_off_runs_and_has_no_addresses(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service()
    service.variables.update(of_settings("production", tmp_path))
    service.manage("migrate", "--verbosity", "0")
    with service.web() as url:
        assert requests.get(f"{url}/health/", timeout=30).text == "OK"
        assert requests.post(f"{url}/badges/credly/webhook/", json={}, timeout=30).status_code == 404


def test_a_service_that_is_new_gets_our_tables_alone(make_service: MakeService) -> None:
    service = make_service()
    service.manage("migrate", "--verbosity", "0")
    tables = service.database.tables()
    assert "badging_badgetemplate" in tables
    assert not tables & set(BUILT_IN)
    assert "there is nothing to adopt" in service.run("adopt_builtin_badges").stderr


def test_migrating_leaves_the_built_in_tables_as_they_are(make_service: MakeService, filled: str) -> None:
    service = make_service(filled)
    before = service.database.dump(BUILT_IN)
    planned = service.manage("showmigrations", "badges")
    assert "[ ] 0001_badging" in planned
    assert "0001_initial" not in planned
    service.manage("migrate", "--verbosity", "0")
    assert "[ ]" not in service.manage("showmigrations", "badges")
    assert service.database.dump(BUILT_IN) == before
    recorded = {name for (name,) in service.query("SELECT name FROM django_migrations WHERE app = 'badges'")}
    assert set(MIGRATIONS["badges"]) < recorded


@pytest.mark.parametrize("where", ["environment", "settings"])
def test_the_switch_keeps_the_built_in_module(make_service: MakeService, filled: str, where: str) -> None:
    service = make_service(filled)
    if where == "environment":
        service.variables["BADGES_REPLACE_BUILT_IN"] = "false"
    else:
        service.configure(BADGES_REPLACE_BUILT_IN=False)
    assert shown(service)["apps"] == [BUILT_IN_APP]
    service.manage("check")
    assert "No planned migration operations" in service.manage("migrate", "--plan")
    with service.web() as url:
        answer = requests.post(f"{url}/badges/credly/webhook/", timeout=30)
    assert answer.headers["X-Answered-By"] == "badges.CredlyOrganization"


def test_every_step_that_is_left_out_is_told(make_service: MakeService, filled: str) -> None:
    service = make_service(filled)
    check = ("check", "--database", "default")
    assert "(badges.W023)" in service.run(*check).stderr, "installed and not migrated"
    service.manage("migrate", "--verbosity", "0")
    told = service.run(*check).stderr
    assert "(badges.I002)" in told, "migrated, and nothing adopted"
    assert "(badges.W023)" not in told
    service.manage("adopt_builtin_badges", "--apply")
    assert "(badges.I002)" not in service.run(*check).stderr


def test_a_switch_that_is_set_too_late_is_told(make_service: MakeService) -> None:
    """In the operator's own settings file, which is read after the hook."""
    service = make_service()
    own = service.environment.host / "credentials" / "settings" / "late.py"
    own.write_text("from credentials.settings.operator import *\n\nBADGES_REPLACE_BUILT_IN = False\n")
    done = service.run("check", DJANGO_SETTINGS_MODULE="credentials.settings.late")
    own.unlink()
    assert "(badges.W021)" in done.stderr


def test_both_modules_at_once_are_refused_with_what_to_do(make_service: MakeService) -> None:
    service = make_service()
    own = service.environment.host / "credentials" / "settings" / "both.py"
    own.write_text(f"from credentials.settings.operator import *\n\nINSTALLED_APPS.append({BUILT_IN_APP!r})\n")
    done = service.run("check", DJANGO_SETTINGS_MODULE="credentials.settings.both")
    own.unlink()
    assert done.returncode != 0
    assert "put it back" in done.stderr
    assert BUILT_IN_APP in done.stderr


def by_hand() -> str:
    """The lines that the documentation gives to whoever does it by hand."""
    page = (TOP / "docs" / "installation.rst").read_text(encoding="utf-8")
    section = page.partition("\nBy hand\n~~~~~~~\n")[2].partition("::\n\n")[2]
    return textwrap.dedent(section.partition("\n\n")[0])


AS_WITHOUT_HOOKS = (
    "INSTALLED_APPS = [*(app for app in INSTALLED_APPS if app != 'badges'), 'credentials.apps.badges', "
    "'badges.apps.BadgesConfig']"
)


@pytest.mark.parametrize("way", ["hook of the base", "by hand"])
def test_settings_that_begin_with_the_base_have_it_by_its_hook_and_by_hand_without(
    make_service: MakeService, filled: str, way: str
) -> None:
    service = make_service(filled)
    own = service.environment.host / "credentials" / "settings" / "own.py"
    lines = (
        "import json, os",
        "from credentials.settings.base import *",
        "with open(os.environ['CREDENTIALS_CFG']) as file:",
        "    vars().update(json.load(file))",
        "BADGES_ENABLED = True",
        *((AS_WITHOUT_HOOKS, by_hand()) if way == "by hand" else ()),
    )
    own.write_text("\n".join(lines))
    service.variables["DJANGO_SETTINGS_MODULE"] = "credentials.settings.own"
    try:
        found = shown(service)
        assert found["apps"] == ["badges"]
        assert found["signals"] == [True, True]
        service.manage("check")
        service.manage("migrate", "--verbosity", "0")
        assert service.python(ADDRESSES) == ["/badges/credly/webhook/", "badges.webhooks.views"]
    finally:
        own.unlink()


def test_nothing_of_this_runs_in_another_project(with_wheel: Environment, tmp_path: Path) -> None:
    """One that has this app by its own settings, and that loads plugins of another kind."""
    (tmp_path / "elsewhere.py").write_text(
        "from edx_django_utils.plugins import add_plugins, get_plugin_apps\n"
        "SECRET_KEY = 'only-for-tests'\n"
        "USE_TZ = True\n"
        "INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sites', 'badges',\n"
        "    'openedx_events', *get_plugin_apps('lms.djangoapp')]\n"
        f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': {str(tmp_path / 'db')!r}}}}}\n"
        "BADGES_ENABLED = True\n"
        "ROOT_URLCONF = 'badges.urls'\n"
        "EVENT_BUS_PRODUCER_CONFIG = {}\n"
        "before = list(INSTALLED_APPS)\n"
        "add_plugins(__name__, 'lms.djangoapp', 'production')\n"
        "assert before == INSTALLED_APPS\n"
    )
    code = (
        "import django, json, sys; django.setup(); from django.conf import settings; "
        "from django.core.management import call_command as c; from badges.issuing import records; "
        "c('migrate', verbosity=0); c('check'); "
        "print(json.dumps([settings.EVENT_BUS_PRODUCER_CONFIG, 'credentials.apps.badges.urls' in sys.modules, "
        "len(records._keepers)]))"
    )
    env = {"DJANGO_SETTINGS_MODULE": "elsewhere", "PYTHONPATH": str(tmp_path)}
    done = with_wheel.run("-c", code, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [{}, False, 0]
    refused = with_wheel.run("-m", "django", "adopt_builtin_badges", env=env)
    assert "there is nothing to adopt" in refused.stderr
