"""Reads from the environment what shall go wrong in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.apps import AppConfig

VARIABLE = "BADGES_TEST_CRASHING"


class CrashingConfig(AppConfig):
    """Installed by ``settings_test`` where ``BADGES_TEST_CRASHING`` is set: JSON of ``point``, ``folder``, ``seed``."""

    name = "tests.crashing"

    def ready(self) -> None:
        from tests.crashing.dice import Dice
        from tests.crashing.points import POINTS

        wanted = json.loads(os.environ[VARIABLE])
        POINTS[wanted["point"]](Dice(Path(wanted["folder"]), wanted["seed"], wanted.get("probability", 1 / 3)))
