"""The producer configuration of the two badge signals follows the feature, unless somebody has said otherwise."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from types import ModuleType
from typing import Any

import pytest
from openedx_events.apps import OpenedxEventsConfig
from openedx_events.event_bus import merge_producer_configs

from badges.eventbus.producer import is_published
from badges.host import installed, producer
from badges.host.producer import EVENT_TYPES, TOPIC, Following, follow_switch, following

AWARDED, REVOKED = EVENT_TYPES
OTHER = "org.openedx.learning.certificate.created.v1"


def of_the_host() -> dict[str, Any]:
    """What the service defines, with the feature off."""
    entries = {kind: {TOPIC: {"event_key_field": "badge.uuid", "enabled": False}} for kind in EVENT_TYPES}
    return {OTHER: {"certificates": {"event_key_field": "certificate.user", "enabled": True}}, **entries}


@pytest.fixture
def base(monkeypatch) -> ModuleType:
    """The service's settings, read."""
    module = ModuleType(producer.BASE)
    module.EVENT_BUS_PRODUCER_CONFIG = of_the_host()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, producer.BASE, module)
    return module


def after_the_hook(base: ModuleType) -> Any:
    """The configuration as the hook leaves it for an operator's own settings file."""
    return following(base.EVENT_BUS_PRODUCER_CONFIG, base.EVENT_BUS_PRODUCER_CONFIG)


def enabled(settings) -> dict[str, Any]:
    follow_switch()
    config = settings.EVENT_BUS_PRODUCER_CONFIG
    return {kind: {topic: entry["enabled"] for topic, entry in config[kind].items()} for kind in EVENT_TYPES}


@pytest.mark.parametrize("is_on", [True, False])
class TestFollows:
    def test_the_feature_as_it_is_in_the_end(self, settings, base, is_on):
        settings.EVENT_BUS_PRODUCER_CONFIG = after_the_hook(base)
        settings.BADGES_ENABLED = is_on

        assert enabled(settings) == {AWARDED: {TOPIC: is_on}, REVOKED: {TOPIC: is_on}}
        assert is_published(AWARDED) is is_on

    def test_it_without_the_hook_too(self, settings, base, is_on):
        settings.EVENT_BUS_PRODUCER_CONFIG = base.EVENT_BUS_PRODUCER_CONFIG
        settings.BADGES_ENABLED = is_on

        assert enabled(settings) == {AWARDED: {TOPIC: is_on}, REVOKED: {TOPIC: is_on}}

    @pytest.mark.parametrize(
        "copied",
        [
            copy.deepcopy,
            copy.copy,
            lambda config: pickle.loads(pickle.dumps(config)),
            lambda config: {kind: {t: entry.copy() for t, entry in topics.items()} for kind, topics in config.items()},
            lambda config: merge_producer_configs(config, {OTHER: {"more": {"event_key_field": "x", "enabled": True}}}),
        ],
        ids=["deepcopy", "copy", "pickle", "each", "merge_producer_configs"],
    )
    def test_it_in_a_copy(self, settings, base, is_on, copied):
        settings.EVENT_BUS_PRODUCER_CONFIG = copied(after_the_hook(base))
        settings.BADGES_ENABLED = is_on

        assert enabled(settings) == {AWARDED: {TOPIC: is_on}, REVOKED: {TOPIC: is_on}}

    def test_it_where_a_file_replaced_all_by_what_knows_nothing_of_badges(self, settings, base, is_on):
        settings.EVENT_BUS_PRODUCER_CONFIG = {OTHER: of_the_host()[OTHER]}
        settings.BADGES_ENABLED = is_on

        assert enabled(settings) == {AWARDED: {TOPIC: is_on}, REVOKED: {TOPIC: is_on}}
        assert settings.EVENT_BUS_PRODUCER_CONFIG[AWARDED][TOPIC]["event_key_field"] == "badge.uuid"

    def test_it_when_it_changes(self, settings, base, is_on):
        settings.EVENT_BUS_PRODUCER_CONFIG = after_the_hook(base)
        settings.BADGES_ENABLED = not is_on
        follow_switch()
        settings.BADGES_ENABLED = is_on

        assert enabled(settings)[AWARDED] == {TOPIC: is_on}


def test_it_follows_where_tests_of_the_service_switch_the_feature(settings, base, monkeypatch):
    monkeypatch.setattr(installed, "is_host", lambda: True)
    settings.EVENT_BUS_PRODUCER_CONFIG = after_the_hook(base)

    for is_on in (False, True, False):
        settings.BADGES_ENABLED = is_on
        assert is_published(REVOKED) is is_on


def _item(config):
    config[AWARDED][TOPIC]["enabled"] = False


def _update(config):
    config[AWARDED][TOPIC].update(enabled=False)


def _or(config):
    config[AWARDED][TOPIC] |= {"enabled": False}


def _entry(config):
    config[AWARDED] = {TOPIC: {"event_key_field": "badge.uuid", "enabled": False}}


class TestWhatAnOperatorSetsWins:
    @pytest.mark.parametrize("change", [_item, _update, _or, _entry])
    def test_after_the_hook(self, settings, base, change):
        config = after_the_hook(base)
        change(config)
        settings.EVENT_BUS_PRODUCER_CONFIG = config
        settings.BADGES_ENABLED = True

        assert enabled(settings) == {AWARDED: {TOPIC: False}, REVOKED: {TOPIC: True}}

    def test_by_a_merge(self, settings, base):
        own = {AWARDED: {TOPIC: {"event_key_field": "badge.uuid", "enabled": False}}}
        settings.EVENT_BUS_PRODUCER_CONFIG = merge_producer_configs(after_the_hook(base), own)
        settings.BADGES_ENABLED = True

        assert enabled(settings) == {AWARDED: {TOPIC: False}, REVOKED: {TOPIC: True}}

    def test_in_a_file_that_was_read_before_the_hook(self, settings, base):
        own = {AWARDED: {"own-topic": {"event_key_field": "badge.user.id", "enabled": False}}, REVOKED: {}}
        settings.EVENT_BUS_PRODUCER_CONFIG = following(own, base.EVENT_BUS_PRODUCER_CONFIG)
        settings.BADGES_ENABLED = True

        assert enabled(settings) == {AWARDED: {"own-topic": False}, REVOKED: {}}

    def test_another_key_field_is_kept_and_still_follows(self, settings, base):
        config = after_the_hook(base)
        config[AWARDED][TOPIC]["event_key_field"] = "badge.user.id"
        settings.EVENT_BUS_PRODUCER_CONFIG = config
        settings.BADGES_ENABLED = True

        assert enabled(settings)[AWARDED] == {TOPIC: True}
        assert settings.EVENT_BUS_PRODUCER_CONFIG[AWARDED][TOPIC]["event_key_field"] == "badge.user.id"


def test_the_services_own_objects_are_not_changed(settings, base):
    settings.EVENT_BUS_PRODUCER_CONFIG = after_the_hook(base)
    settings.BADGES_ENABLED = True
    follow_switch()

    assert of_the_host() == base.EVENT_BUS_PRODUCER_CONFIG


def test_openedx_events_takes_it_and_json_too(settings, base):
    settings.EVENT_BUS_PRODUCER_CONFIG = after_the_hook(base)
    settings.BADGES_ENABLED = True
    follow_switch()
    config = settings.EVENT_BUS_PRODUCER_CONFIG

    for event_type, topics in config.items():
        OpenedxEventsConfig._get_validated_signal_config(None, event_type, topics)
    assert json.loads(json.dumps(config)) == config
    assert {**config[AWARDED][TOPIC]} == {"event_key_field": "badge.uuid", "enabled": True}


@pytest.mark.parametrize("nonsense", ["text", None, [1]])
def test_a_configuration_that_is_none_is_left_to_openedx_events(settings, base, nonsense):
    settings.EVENT_BUS_PRODUCER_CONFIG = nonsense

    follow_switch()

    assert nonsense == settings.EVENT_BUS_PRODUCER_CONFIG


def test_one_that_is_not_there_is_made(settings, base):
    del settings.EVENT_BUS_PRODUCER_CONFIG
    settings.BADGES_ENABLED = True

    assert enabled(settings)[REVOKED] == {TOPIC: True}


def test_a_copy_of_an_entry_that_was_set_stays_set():
    entry = Following({"enabled": False})
    entry["enabled"] = False
    entry = copy.deepcopy(entry)
    entry.follow(is_enabled=True)

    assert entry == {"enabled": False}
