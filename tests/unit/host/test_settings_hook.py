"""The plugin's hook in the finished settings of the Credentials service."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from badges.apps import BadgesConfig
from badges.host import base_settings
from badges.host import settings as hook
from badges.host.settings import plugin_settings, replaced, require_alone

HOST = ["django.contrib.admin", "rest_framework", "openedx_events", "credentials.apps.core", "credentials.apps.badges"]
PLUGIN = "badges.apps.BadgesConfig"


@pytest.fixture(autouse=True)
def _as_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "_has_replaced", None)
    monkeypatch.setattr(hook, "_told", "as it was installed by hand")
    monkeypatch.setattr(hook, "_before", ())
    monkeypatch.delenv(hook.SWITCH, raising=False)


def settings(*installed: str, **others: Any) -> ModuleType:
    """A settings module, finished."""
    module = ModuleType("credentials.settings.production")
    vars(module).update({"INSTALLED_APPS": list(installed), "EVENT_BUS_PRODUCER_CONFIG": {}, **others})
    return module


class TestInTheFinishedSettings:
    def test_this_app_is_there_instead_of_the_built_in_one_and_before_openedx_events(self):
        module = settings(*HOST, PLUGIN)

        plugin_settings(module)

        assert [
            *("django.contrib.admin", "rest_framework", "badges", "openedx_events", "credentials.apps.core")
        ] == module.INSTALLED_APPS

    def test_the_hook_may_run_twice(self):
        module = settings(*HOST, PLUGIN)
        plugin_settings(module)
        once = list(module.INSTALLED_APPS)

        plugin_settings(module)

        assert once == module.INSTALLED_APPS

    def test_the_list_is_the_same_object_for_those_who_have_it_under_another_name(self):
        module = settings(*HOST, PLUGIN)
        known = module.INSTALLED_APPS

        plugin_settings(module)

        assert module.INSTALLED_APPS is known

    def test_a_tuple_stays_a_tuple(self):
        module = settings(INSTALLED_APPS=(*HOST, PLUGIN))

        plugin_settings(module)

        assert tuple(replaced([*HOST, PLUGIN])) == module.INSTALLED_APPS

    @pytest.mark.parametrize(
        ("installed", "expected"),
        [
            (["a", "credentials.apps.badges", "b", PLUGIN], ["a", "badges", "b"]),
            (["a", "credentials.apps.badges.apps.BadgesConfig", "openedx_events"], ["a", "badges", "openedx_events"]),
            (["badges", "a", *HOST, PLUGIN], ["badges", "a", *HOST[:-1]]),
            (
                ["openedx_events.apps.OpenedxEventsConfig", PLUGIN],
                ["badges", "openedx_events.apps.OpenedxEventsConfig"],
            ),
            (["a", PLUGIN], ["a", "badges"]),
            (["badges", PLUGIN], ["badges"]),
            (["a", "badges_of_others"], ["a", "badges_of_others", "badges"]),
        ],
    )
    def test_it_is_there_once_however_it_was_spelled(self, installed, expected):
        assert replaced(installed) == expected

    def test_nothing_is_decided_by_the_feature_which_is_switched_on_later(self):
        off, on = settings(*HOST, PLUGIN, BADGES_ENABLED=False), settings(*HOST, PLUGIN, BADGES_ENABLED=True)

        plugin_settings(off)
        plugin_settings(on)

        assert off.INSTALLED_APPS == on.INSTALLED_APPS
        assert off.EVENT_BUS_PRODUCER_CONFIG == on.EVENT_BUS_PRODUCER_CONFIG

    def test_what_was_done_is_told_once_there_is_a_log(self, caplog):
        plugin_settings(settings(*HOST, PLUGIN))
        plugin_settings(settings(*replaced([*HOST, PLUGIN])))
        assert not caplog.records

        with caplog.at_level(logging.INFO):
            hook.tell()

        assert caplog.messages == ["The badges module runs in the place of credentials.apps.badges."]


class TestTheSwitch:
    @pytest.mark.parametrize("value", [False, "False", "no", "0", 0, " off "])
    def test_off_takes_this_app_out_again_and_leaves_the_built_in_one(self, value, caplog):
        module = settings(*HOST, PLUGIN, "badges", BADGES_REPLACE_BUILT_IN=value)
        config = module.EVENT_BUS_PRODUCER_CONFIG

        with caplog.at_level(logging.INFO):
            plugin_settings(module)

        assert module.INSTALLED_APPS == HOST
        assert module.EVENT_BUS_PRODUCER_CONFIG is config
        assert caplog.messages == ["BADGES_REPLACE_BUILT_IN is off: the built-in badges module stays."]

    @pytest.mark.parametrize("value", [True, "True", 1, None, ""])
    def test_on_is_the_default(self, value):
        module = settings(*HOST, PLUGIN, BADGES_REPLACE_BUILT_IN=value)

        plugin_settings(module)

        assert "credentials.apps.badges" not in module.INSTALLED_APPS

    @pytest.mark.parametrize(("value", "is_there"), [("False", False), ("True", True)])
    def test_the_environment_has_the_last_word(self, monkeypatch, value, is_there):
        monkeypatch.setenv("BADGES_REPLACE_BUILT_IN", value)
        module = settings(*HOST, PLUGIN, BADGES_REPLACE_BUILT_IN=not is_there)

        plugin_settings(module)

        assert ("badges" in module.INSTALLED_APPS) is is_there

    @pytest.mark.parametrize("value", ["nein", 2, []])
    def test_what_is_neither_is_refused_and_changes_nothing(self, value):
        module = settings(*HOST, PLUGIN, BADGES_REPLACE_BUILT_IN=value)

        with pytest.raises(ImproperlyConfigured, match=r"BADGES_REPLACE_BUILT_IN is .* in the settings"):
            plugin_settings(module)

        assert [*HOST, PLUGIN] == module.INSTALLED_APPS


class TestTwoBadgesModulesAtOnce:
    """Django would say that labels are not unique, and nothing of what to do."""

    def test_one_of_them_is_well(self):
        require_alone(replaced([*HOST, PLUGIN]))

    @pytest.mark.parametrize("built_in", [HOST[-1], "credentials.apps.badges.apps.BadgesConfig"])
    def test_settings_that_run_no_hook_are_told_the_line_that_helps(self, monkeypatch, built_in):
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "ours.settings")
        installed = [*HOST[:-1], built_in, PLUGIN]

        with pytest.raises(ImproperlyConfigured, match=r"ours\.settings\) do not run the hooks") as raised:
            require_alone(installed)

        line = str(raised.value)[str(raised.value).index("INSTALLED_APPS = ") :]
        names = {"INSTALLED_APPS": installed}
        exec(line, names)
        require_alone(names["INSTALLED_APPS"])
        assert names["INSTALLED_APPS"] == ["badges", *HOST[:-1]]

    @pytest.mark.parametrize("later", [["credentials.apps.badges"], ["credentials.apps.badges", PLUGIN]])
    def test_what_came_after_the_hook_is_told_as_that(self, later):
        module = settings(*HOST, PLUGIN)
        plugin_settings(module)

        with pytest.raises(ImproperlyConfigured, match="EXTRA_APPS"):
            require_alone([*module.INSTALLED_APPS, *later])

    def test_with_the_switch_off_this_app_is_what_is_too_much(self):
        module = settings(*HOST, PLUGIN, BADGES_REPLACE_BUILT_IN=False)
        plugin_settings(module)

        with pytest.raises(ImproperlyConfigured, match="BADGES_REPLACE_BUILT_IN is off"):
            require_alone([*module.INSTALLED_APPS, "badges"])

    def test_this_app_twice_is_told_in_any_project(self):
        with pytest.raises(ImproperlyConfigured, match=r'"badges", "badges\.apps\.BadgesConfig"\. It is one app'):
            require_alone(["badges", "a", PLUGIN])


class TestInTheBaseSettings:
    """Before what else they define, and before the YAML file is read."""

    def test_this_app_is_there_instead_of_the_built_in_one_and_nothing_else_is_touched(self):
        base = ModuleType("credentials.settings.base")
        vars(base)["INSTALLED_APPS"] = [*HOST, PLUGIN]

        base_settings.plugin_settings(base)

        assert replaced([*HOST, PLUGIN]) == base.INSTALLED_APPS
        assert not hasattr(base, "EVENT_BUS_PRODUCER_CONFIG")
        require_alone(base.INSTALLED_APPS)

    @pytest.mark.parametrize("place", [0, 2, 4])
    def test_a_switch_that_is_off_in_the_finished_ones_has_the_built_in_one_back_in_its_place(self, place):
        host = [*HOST[:place], "credentials.apps.badges", *(app for app in HOST[place:] if app != HOST[-1])]
        module = settings(*host, PLUGIN)
        base_settings.plugin_settings(module)
        vars(module).update(BADGES_REPLACE_BUILT_IN=False)
        module.INSTALLED_APPS.append("extra")

        plugin_settings(module)
        plugin_settings(module)

        assert [*host, "extra"] == module.INSTALLED_APPS
        assert hook.has_replaced() is False

    def test_one_that_is_off_in_the_environment_leaves_the_built_in_one(self, monkeypatch):
        monkeypatch.setenv("BADGES_REPLACE_BUILT_IN", "off")
        module = settings(*HOST, PLUGIN)

        base_settings.plugin_settings(module)

        assert module.INSTALLED_APPS == HOST

    def test_what_the_finished_ones_find_done_is_told_as_done(self, caplog):
        module = settings(*HOST, PLUGIN)
        base_settings.plugin_settings(module)
        plugin_settings(module)

        with caplog.at_level(logging.INFO):
            hook.tell()

        assert caplog.messages == ["The badges module runs in the place of credentials.apps.badges."]


def test_the_plugin_names_a_hook_for_the_finished_settings_and_one_for_the_base():
    kinds = BadgesConfig.plugin_app["settings_config"]["credentials.djangoapp"]

    names = {kind: f"badges.{values['relative_path']}" for kind, values in kinds.items()}
    assert names.pop("base") == base_settings.__name__
    assert names == dict.fromkeys(("production", "devstack", "test"), hook.__name__)
