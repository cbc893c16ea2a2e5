"""A worker that is killed while it processes the inbox: what it had is done by the next one, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.project import ROOT, Project

NO_REDIS = "redis://127.0.0.1:1/0"
EVENTS = 4
RECEIVED = f"""
account = BadgeKitSystem.objects.create(name="System", external_id="system")
for number in range({EVENTS}):
    uid = f"uid{{number}}"
    body = {{"action": "award", "uid": uid, "badge": {{"id": 1, "slug": "badge-slug"}}, "email": "anna@example.com",
             "assertionUrl": "https://example.com/1", "issuedOn": 1400094712, "comment": None}}
    path = f"/badges/badgekit/webhook/{{account.pk}}/"
    from demo.sandbox.badgekit_sender import signed
    from django.test import Client
    content = json.dumps(body).encode()
    token = signed(content, str(account.webhook_secret))
    headers = {{"Authorization": f'JWT token="{{token}}"'}}
    answer = Client().generic("POST", path, content, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
"""
STRUCK = """
import os, signal
from django.db.backends.base.base import BaseDatabaseWrapper
from badges.providers.badgekit.webhooks import BadgeKitWebhooks
from badges.webhooks.processing import process_due
commit, die = BaseDatabaseWrapper.commit, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
def dying(self):
    if point == "after the commit":
        commit(self)
    die()
if point == "with the event in hand":
    BadgeKitWebhooks.event = die
BaseDatabaseWrapper.commit = dying
process_due()
"""
STATE = """
print(json.dumps([
    sorted(ProviderBadge.objects.values_list("external_id", flat=True)),
    sorted(WebhookEvent.objects.values_list("status", flat=True)),
]))
"""


@pytest.mark.parametrize("point", ["with the event in hand", "before the commit", "after the commit"])
def test_what_a_killed_worker_had_is_processed_once(tmp_path: Path, point: str) -> None:
    project = Project(tmp_path, NO_REDIS, {"deliveries": {"lease": 0.01}})
    project.environment.pop("BADGES_TEST_REDIS_URL")
    project.python(RECEIVED)

    for _ in range(2):
        code = f"point = {point!r}\n{STRUCK}"
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
        died = subprocess.run(command, cwd=ROOT, env=project.environment, check=False, timeout=120)
        assert died.returncode == -signal.SIGKILL
    done = 2 if point == "after the commit" else 0
    assert len(project.python(STATE)[0]) == done

    project.manage("deliver_badges")

    badges, statuses = project.python(STATE)
    assert badges == [f"uid{number}" for number in range(EVENTS)]
    assert statuses == ["processed"] * EVENTS
