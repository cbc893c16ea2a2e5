"""Connects the receivers, as the environment says."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from tests.acceptance.consumer.history import History

VARIABLE = "BADGES_TEST_WITNESS"


class WitnessConfig(AppConfig):
    """Installed where ``BADGES_TEST_WITNESS`` is set: JSON of ``history`` (a path), ``pause`` and ``meeting``."""

    name = "tests.acceptance.consumer.witness"
    label = "witness"

    def ready(self) -> None:
        from openedx_events.learning.signals import (
            BADGE_AWARDED,
            BADGE_REVOKED,
            CCX_COURSE_PASSING_STATUS_UPDATED,
            COURSE_PASSING_STATUS_UPDATED,
        )

        wanted = json.loads(os.environ[VARIABLE])
        history, pause, meeting = History(Path(wanted["history"])), wanted.get("pause", 0.0), wanted.get("meeting", "")

        def dispatched(metadata: Any, from_event_bus: bool = False, **kwargs: Any) -> None:
            history.write("dispatched", event=str(metadata.id), type=metadata.event_type)
            if pause:
                time.sleep(pause)
            if meeting:
                from tests.acceptance.consumer.meeting import meet

                meet(meeting, kwargs["course_passing_status"].user.pii.username)
                history.write("met", event=str(metadata.id))

        def announced(signal: Any, badge: Any, from_event_bus: bool = False, **kwargs: Any) -> None:
            history.write(
                "announced",
                type=signal.event_type,
                badge=badge.uuid,
                learner=badge.user.pii.username,
                template=badge.template.name,
                from_bus=from_event_bus,
            )

        for signal in (COURSE_PASSING_STATUS_UPDATED, CCX_COURSE_PASSING_STATUS_UPDATED):
            signal.connect(dispatched, weak=False, dispatch_uid=self.name)
        for signal in (BADGE_AWARDED, BADGE_REVOKED):
            signal.connect(announced, weak=False, dispatch_uid=self.name)
