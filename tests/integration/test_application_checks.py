"""What is said at start of what learners may hand in."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from badges.applications.sniffing import EXTENSIONS
from badges.checks import check_file_types


def allow(settings: Settings, *types: str) -> None:
    settings.BADGES_CONFIG = {"applications": {"file_types": list(types)}}


def test_without_settings_all_is_well() -> None:
    assert check_file_types(None) == []


def test_every_type_that_is_recognized_is_well(settings: Settings) -> None:
    allow(settings, *EXTENSIONS)
    assert check_file_types(None) == []


@pytest.mark.parametrize("unknown", ["application/x-tar", "image/*", "IMAGE/PNG", "pdf"])
def test_one_that_is_not_is_named_with_those_that_are(settings: Settings, unknown: str) -> None:
    allow(settings, "image/png", unknown)
    (message,) = check_file_types(None)
    assert message.id == "badges.W020"
    assert f"recognized: {unknown}." in message.msg
    assert all(media_type in str(message.hint) for media_type in EXTENSIONS)


@pytest.mark.parametrize("broken", ["image/png", [1], None])
def test_settings_that_cannot_be_read_are_told_by_another_check(settings: Settings, broken: Any) -> None:
    settings.BADGES_CONFIG = {"applications": {"file_types": broken}}
    assert check_file_types(None) == []


def test_with_the_feature_off_nothing_is_said(settings: Settings) -> None:
    settings.BADGES_ENABLED = False
    allow(settings, "application/x-tar")
    assert check_file_types(None) == []
