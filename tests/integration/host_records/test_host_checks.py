"""What is said at start of a Credentials service that has this app in halves."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as checked_settings
from django.db import connection, models
from django.http import HttpResponse
from django.urls import include, path
from pytest_django import Settings

from badges.checks import check_host, check_host_addresses, check_host_data
from badges.host import builtin_urls, installed
from badges.host import settings as hook
from badges.models import AdoptedRow
from tests.host.builtin import model

pytestmark = pytest.mark.django_db
SWITCH = "BADGES_REPLACE_BUILT_IN"


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Credentials service in which all is well: the hook ran, and the model is there."""
    monkeypatch.setattr(installed, "is_host", lambda: True)
    monkeypatch.setattr(installed, "_user_credential", lambda: model("credentials.UserCredential"))
    monkeypatch.setattr(hook, "_has_replaced", True)
    monkeypatch.delenv(SWITCH, raising=False)


def told(databases: Any = None) -> list[Any]:
    """What is said."""
    messages = [*check_host(None), *check_host_addresses(None), *check_host_data(None, databases=databases)]
    assert all(message.hint for message in messages)
    return messages


def ids(databases: Any = None) -> list[str]:
    """The ids of what is said."""
    return [str(message.id).removeprefix("badges.") for message in told(databases)]


def test_a_service_that_is_well_is_told_nothing() -> None:
    assert ids() == []


class TestTheSwitch:
    def test_set_after_the_hook_ran_comes_too_late(self, settings: Settings) -> None:
        settings.BADGES_REPLACE_BUILT_IN = False

        [message] = told()
        assert message.id == "badges.W021"
        assert "environment variable: BADGES_REPLACE_BUILT_IN=False" in message.hint

    def test_too_late_is_told_with_the_feature_off_too(self, settings: Settings) -> None:
        settings.BADGES_REPLACE_BUILT_IN = settings.BADGES_ENABLED = False
        assert ids() == ["W021"]

    @pytest.mark.parametrize("did", [False, None])
    def test_off_where_this_app_was_installed_by_hand_is_well(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, did: Any
    ) -> None:
        settings.BADGES_REPLACE_BUILT_IN = False
        monkeypatch.setattr(hook, "_has_replaced", did)
        assert ids() == []

    def test_that_is_neither_on_nor_off_is_told(self, settings: Settings) -> None:
        settings.BADGES_REPLACE_BUILT_IN = "perhaps"
        assert ids() == ["E019"]


class TestTheAddresses:
    def test_of_the_built_in_module_that_were_imported_before_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, builtin_urls.REPLACED, ModuleType(builtin_urls.REPLACED))
        assert ids() == ["E017"]

    def test_of_the_built_in_module_that_are_served_are_told(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        def webhook(request: Any) -> HttpResponse:
            return HttpResponse()

        webhook.__module__ = "credentials.apps.badges.credly.webhooks"
        addresses, project = ModuleType("theirs"), ModuleType("project_of_theirs")
        vars(addresses).update(app_name="badges", urlpatterns=[path("credly/webhook/", webhook, name="credly-webhook")])
        monkeypatch.setitem(sys.modules, "theirs", addresses)
        vars(project)["urlpatterns"] = [path("badges/", include("theirs"))]
        monkeypatch.setitem(sys.modules, "project_of_theirs", project)
        settings.ROOT_URLCONF = "project_of_theirs"

        assert ids() == ["E017"]

    def test_that_are_not_there_at_all_are_anothers_matter(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.core.no_addresses"
        assert ids() == []

    def test_of_ours_stand_in_for_theirs(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        monkeypatch.delitem(sys.modules, builtin_urls.REPLACED, raising=False)
        # For this test alone: what it sets is taken away again.
        monkeypatch.setitem(sys.modules, builtin_urls.REPLACED, builtin_urls)
        builtin_urls.stand_in()
        project = ModuleType("project_of_the_host")
        vars(project)["urlpatterns"] = [path("badges/", include(builtin_urls.REPLACED, namespace="badges"))]
        monkeypatch.setitem(sys.modules, "project_of_the_host", project)
        settings.ROOT_URLCONF = "project_of_the_host"

        assert ids() == []


class TestWhatStandsInThePlaceOfTheirs:
    def test_asks_for_nothing_before_it_is_asked(self) -> None:
        with pytest.raises(AttributeError, match="__warningregistry_of_others__"):
            _ = builtin_urls.__warningregistry_of_others__

    def test_has_what_ours_has(self) -> None:
        from badges import urls

        assert builtin_urls.app_name == "badges"
        assert builtin_urls.urlpatterns is urls.urlpatterns
        with pytest.raises(AttributeError):
            _ = builtin_urls.nonsense

    def test_does_not_take_the_place_of_what_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs = ModuleType(builtin_urls.REPLACED)
        monkeypatch.setitem(sys.modules, builtin_urls.REPLACED, theirs)

        builtin_urls.stand_in()

        assert builtin_urls.genuine() is theirs


@pytest.mark.parametrize("spelled", ["openedx_events", "openedx_events.apps.OpenedxEventsConfig"])
def test_openedx_events_before_this_app_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    others = [entry for entry in settings.INSTALLED_APPS if entry != "openedx_events"]
    # The setting alone: the apps stay as they are.
    monkeypatch.setattr(checked_settings, "INSTALLED_APPS", [spelled, *others])
    assert ids() == ["W022"]


class TestTheRecordsOfBadges:
    def test_in_a_service_without_their_model_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(installed, "_user_credential", lambda: None)

        [message] = told()
        assert message.id == "badges.E018"
        assert "no model UserCredential" in message.msg
        assert installed.user_credential() is None

    def test_in_a_model_without_what_is_known_of_it_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A user has a name, and nothing else of it.
        monkeypatch.setattr(installed, "_user_credential", lambda: apps.get_model("core", "User"))

        [message] = told()
        assert message.id == "badges.E018"
        assert "no field created, modified, status, uuid" in message.msg

    def test_in_a_model_that_asks_for_more_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        genuine = model("credentials.UserCredential")
        more = models.IntegerField(name="points")
        more.set_attributes_from_name("points")
        fields = [*genuine._meta.concrete_fields, more]
        monkeypatch.setattr(type(genuine._meta), "concrete_fields", property(lambda meta: fields))

        assert installed.why_no_user_credential().endswith("what is not known of a badge: points.")

    def test_in_the_model_as_it_is_are_kept(self) -> None:
        assert installed.user_credential() is model("credentials.UserCredential")


@pytest.mark.usefixtures("host_tables")
class TestTheData:
    def test_nothing_is_asked_unless_databases_are_checked(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            assert ids(None) == []

    def test_no_template_leaves_nothing_to_say(self) -> None:
        assert ids(["default"]) == []

    def test_templates_of_the_built_in_module_wait_for_their_adoption(self) -> None:
        model("badges.BadgeTemplate").objects.create(name="Old", uuid="0" * 32)

        [message] = told(["default"])
        assert message.id == "badges.I002"
        assert "adopt_builtin_badges" in message.hint

    def test_once_adopted_they_do_not(self) -> None:
        model("badges.BadgeTemplate").objects.create(name="Old", uuid="0" * 32)
        AdoptedRow.objects.create(table_name="badges_badgetemplate", source_id=1, target_id=1)
        assert ids(["default"]) == []

    @pytest.mark.parametrize(("built_in", "said"), [(True, "are not used"), (False, "Neither are those")])
    def test_tables_that_were_not_made_are_told(
        self, monkeypatch: pytest.MonkeyPatch, built_in: bool, said: str
    ) -> None:
        present = frozenset({installed.BUILT_IN_TEMPLATES} if built_in else ())
        monkeypatch.setattr(installed, "tables", lambda: present)

        [message] = told(["default"])
        assert message.id == "badges.W023"
        assert said in message.msg

    def test_one_that_is_missing_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        present = frozenset(connection.introspection.table_names())
        monkeypatch.setattr(installed, "tables", lambda: present - {"badging_adoptedrow"})

        [message] = told(["default"])
        assert message.msg.startswith("Tables of this app are missing (1)")

    def test_with_the_feature_off_nothing_is_said(self, settings: Settings, django_assert_num_queries: Any) -> None:
        settings.BADGES_ENABLED = False
        with django_assert_num_queries(0):
            assert ids(["default"]) == []


def test_a_project_that_is_not_the_service_is_told_nothing(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(installed, "is_host", lambda: False)
    monkeypatch.setattr(installed, "_user_credential", lambda: None)
    settings.BADGES_REPLACE_BUILT_IN = False

    assert ids(["default"]) == []
    assert installed.user_credential() is None
