"""``BADGES_CONFIG``: typed, with the defaults of the settings document, and refused where it is wrong."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from badges.conf import DeliverySettings, RetirementSettings, get_config, parse
from badges.exceptions import ConfigurationError
from badges.toggles import is_badges_enabled

DEFAULTS = {
    "ACME_BASE_URL": "https://acme.example.com/",
    "ACME_API_BASE_URL": "https://api.acme.example.com/v1",
    "ACME_SANDBOX_BASE_URL": "https://sandbox.acme.example.com/",
    "ACME_SANDBOX_API_BASE_URL": "https://sandbox-api.acme.example.com/v1/",
}


def test_the_defaults_are_those_of_the_settings_document() -> None:
    config = parse({})

    assert config.events == (
        "org.openedx.learning.course.passing.status.updated.v1",
        "org.openedx.learning.ccx.course.passing.status.updated.v1",
    )
    assert config.ignored_keypaths == {
        "user.id",
        "user.is_active",
        "user.pii.username",
        "user.pii.email",
        "user.pii.name",
        "course.display_name",
        "course.start",
        "course.end",
    }
    assert config.deliveries == DeliverySettings()


def test_what_is_set_replaces_its_default_and_nothing_else() -> None:
    config = parse({"events": ["a", "b", "a"], "deliveries": {"lease": 60}})

    assert config.events == ("a", "b")
    assert config.deliveries == DeliverySettings(lease=60)
    assert "user.id" in config.ignored_keypaths


def test_the_configuration_follows_override_settings() -> None:
    with override_settings(BADGES_CONFIG={"events": ["a"]}):
        assert get_config().events == ("a",)
    assert get_config().events != ("a",)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([], "BADGES_CONFIG must be a dict"),
        ({1: {}}, "keys of BADGES_CONFIG must be strings"),
        ({"events": "org.openedx"}, r'BADGES_CONFIG\["events"\] must be a list of strings'),
        ({"events": [1]}, "must be a list of strings"),
        ({"rules": []}, r'BADGES_CONFIG\["rules"\] must be a dict'),
        ({"rules": {"ignored_keypaths": "user.id"}}, "ignored_keypaths"),
        ({"credly": "x"}, r'BADGES_CONFIG\["credly"\] must be a dict'),
        ({"providers": {"x": 1}}, "dotted paths"),
        ({"deliveries": {"lease": "long"}}, "must be a positive number"),
        ({"deliveries": {"lease": -1}}, "must be a positive number"),
        ({"deliveries": {"lease": True}}, "must be a positive number"),
        ({"deliveries": {"lease": math.nan}}, "must be a positive number"),
        ({"deliveries": {"lease": -math.inf}}, "must be a positive number"),
        ({"deliveries": {"lease": math.inf}}, "must be at most 315360000, ten years in seconds"),
        ({"deliveries": {"pause": 1e300}}, r'"pause"\] must be at most 315360000'),
        ({"deliveries": {"pause": 10**400}}, r'"pause"\] must be at most 315360000'),
        ({"deliveries": {"failures": math.inf}}, r'"failures"\] must be at most 1000000, a million'),
        ({"rate": {"calls": 1_000_001}}, r'"calls"\] must be at most 1000000, a million'),
        ({"http": {"read_timeout": 86_401}}, r'"read_timeout"\] must be at most 86400, a day in seconds'),
        ({"deliveries": {"failures": 1.5}}, r'"failures"\] must be a whole number from 1'),
        ({"rate": {"calls": 0.5}}, r'BADGES_CONFIG\["rate"\]\["calls"\] must be a whole number from 1'),
        ({"rate": {"per_minute": 5}}, "is not a setting. Known: calls, seconds"),
        ({"http": {"timeout": 1}}, "is not a setting. Known: connect_timeout, read_timeout"),
    ],
)
def test_what_has_the_wrong_type_is_refused_by_its_name(raw: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        parse(raw)


def test_the_greatest_numbers_that_are_taken_can_be_computed_with() -> None:
    ten_years = 315_360_000
    config = parse({"deliveries": {"lease": ten_years}, "rate": {"calls": 1_000_000}, "http": {"read_timeout": 86_400}})

    assert timezone.now() + timedelta(seconds=config.deliveries.lease) > timezone.now()


def test_a_providers_own_rate_is_held_to_the_same() -> None:
    with pytest.raises(ConfigurationError, match=r'BADGES_CONFIG\["acme"\]\["RATE"\]\["seconds"\] must be at most'):
        parse({"acme": {"RATE": {"seconds": math.inf}}}).provider("acme", DEFAULTS)


def test_a_providers_section_is_over_its_own_defaults() -> None:
    settings = parse({"acme": {"ACME_BASE_URL": "https://other.example.com"}}).provider("acme", DEFAULTS)

    assert (settings.base_url, settings.api_base_url) == (
        "https://other.example.com/",
        "https://api.acme.example.com/v1/",
    )
    assert not settings.use_sandbox


def test_the_sandbox_toggle_changes_both_hosts() -> None:
    settings = parse({"acme": {"USE_SANDBOX": True}}).provider("acme", DEFAULTS)

    assert settings.base_url == "https://sandbox.acme.example.com/"
    assert settings.api_base_url == "https://sandbox-api.acme.example.com/v1/"


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"USE_SANDBOXX": True}, r'"USE_SANDBOXX"\] is not a setting. Known: '),
        ({"USE_SANDBOX": "yes"}, "must be True or False"),
        ({"ACME_BASE_URL": 5}, "must be a string"),
        ({"ORGANIZATIONS": []}, "dict of id to API key"),
    ],
)
def test_a_providers_section_with_a_wrong_type_is_refused(section: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        parse({"acme": section}).provider("acme", DEFAULTS)


def test_preconfigured_keys_do_not_show_themselves() -> None:
    config = parse({"acme": {"ORGANIZATIONS": {"ORG": "very-secret", "none": ""}}})

    assert config.provider("acme", DEFAULTS).preconfigured_keys == {"org": "very-secret"}
    assert "very-secret" not in repr(config)
    assert "very-secret" not in repr(config.provider("acme", DEFAULTS))


@pytest.mark.parametrize(
    ("value", "enabled"), [(True, True), (False, False), (None, False), ("false", False), (1, False)]
)
def test_the_feature_is_on_only_when_it_is_switched_on(settings: Any, value: Any, enabled: bool) -> None:
    settings.BADGES_ENABLED = value

    assert is_badges_enabled() is enabled


def test_the_feature_is_off_by_default(settings: Any) -> None:
    del settings.BADGES_ENABLED

    assert not is_badges_enabled()


def test_nobody_is_retired_by_an_event_and_badges_stay_at_their_providers_unless_it_is_set() -> None:
    assert parse({}).retirement == RetirementSettings(events=(), at_provider="keep")
    raw = {"retirement": {"events": ["org.example.retired.v1"], "at_provider": "delete"}}
    assert parse(raw).retirement == RetirementSettings(("org.example.retired.v1",), "delete")


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("delete", 'BADGES_CONFIG["retirement"] must be a dict.'),
        ({"at_provider": "burn"}, 'BADGES_CONFIG["retirement"]["at_provider"] must be one of: keep, revoke, delete.'),
        ({"at_provider": ["keep"]}, "must be one of"),
        ({"events": "org.example.retired.v1"}, 'BADGES_CONFIG["retirement"]["events"] must be a list of strings.'),
        ({"event": []}, 'BADGES_CONFIG["retirement"]["event"] is not a setting. Known: at_provider, events.'),
    ],
)
def test_what_is_wrong_with_retirement_is_refused_by_its_name(section: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse({"retirement": section})
    assert reason in str(caught.value)
