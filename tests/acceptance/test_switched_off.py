"""With ``BADGES_ENABLED`` off the app has tables and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A migrated project with the feature off."""
    monkeypatch.setenv("BADGES_TEST_ENABLED", "0")
    return Project(tmp_path, "redis://127.0.0.1:1/0")


def test_it_migrates_checks_clean_and_shows_and_hears_nothing(project: Project) -> None:
    state = project.python(
        "from django.contrib import admin; from django.urls import get_resolver;"
        "from openedx_events.tooling import OpenEdxPublicSignal;"
        "print(json.dumps({"
        "'screens': [m.__name__ for m in admin.site._registry if m._meta.app_label == 'badges'],"
        "'receivers': [s.event_type for s in OpenEdxPublicSignal.all_events()"
        " for r in s.receivers if 'badges' in str(r[0])],"
        "'rows': BadgeTemplate.objects.count()}))"
    )

    assert state == {"screens": [], "receivers": [], "rows": 0}
    assert "no issues" in project.manage("check")


def test_it_can_be_switched_on_later(project: Project) -> None:
    project.environment["BADGES_TEST_ENABLED"] = "1"

    screens = project.python(
        "from django.contrib import admin;"
        "print(json.dumps([m.__name__ for m in admin.site._registry if m._meta.app_label == 'badges']))"
    )

    assert "BadgeProgress" in screens
