"""Fixtures of the tests of applications."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """Where uploaded files are kept."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"
