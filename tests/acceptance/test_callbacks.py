"""A system far away is told of a badge: by a real consumer, over HTTP, with the pages to which it is led."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from openbadgeslib.ob2.verifier import OB2Verifier
from standardwebhooks import Webhook

from badges.issuing.callback_signing import standard_form
from demo.processes import free_port, wait_until
from demo.redis import redis_server
from tests.acceptance.project import Project
from tests.acceptance.test_worker import PASSED_DEMO
from tests.integration.callbacks.receiver import Received, Receiver, receiving

SECRET = "a secret that only the receiver knows, too"


@pytest.fixture
def own_redis() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def genuine(request: Received) -> Any:
    """A message, as a receiver believes it: once by BadgeKit's signature, once by that of Standard Webhooks."""
    token = request.headers["authorization"].removeprefix('JWT token="').removesuffix('"')
    assert jwt.decode(token, SECRET, algorithms=["HS256"])["body"]["alg"] == "sha256"
    return Webhook(standard_form(SECRET)).verify(request.body, request.headers)


def telling(folder: Path, redis_url: str, receiver: Receiver, port: int, **config: Any) -> Project:
    """A project with an endpoint, and a badge for who passes and does not fail."""
    issuer = {"name": "University", "url": "https://example.org/", "email": "badges@example.org"}
    settings = {
        "callbacks": {"allow_private_addresses": True},
        "public_url": f"http://127.0.0.1:{port}/",
        "issuer": issuer,
    }
    project = Project(folder, redis_url, {**settings, **config})
    project.python(
        f"CallbackEndpointFactory(url='{receiver.url}', secret='{SECRET}');"
        f"r = RequirementFactory({PASSED_DEMO});"
        "PenaltyFactory(template=r.template, rules=[('is_passing', 'eq', 'no')], resets=[r])"
    )
    return project


def test_an_award_is_told_verified_and_taken_back(tmp_path: Path, own_redis: str, receiver: Receiver) -> None:
    port = free_port()
    project = telling(tmp_path, own_redis, receiver, port)
    with project.consumer() as consumer:
        project.produce("anna")
        wait_until(lambda: receiver.received, "the award is told", alive=[consumer])
        told = genuine(receiver.received[0])
        assert (told["action"], told["email"]) == ("award", "anna@example.com")

        with project.start("web", "runserver", "--noreload", f"127.0.0.1:{port}") as web:
            wait_until(lambda: is_up(port), "the pages are there", alive=[web])
            document = fetched(told["assertionUrl"])
            OB2Verifier(download=fetched).verify_hosted(document.decode(), expected_recipient=told["email"])

            project.produce("anna", is_passing=False)
            wait_until(lambda: len(receiver.received) == 2, "the revocation is told", alive=[consumer, web])
            assert requests.get(told["assertionUrl"], timeout=10).status_code == 410
    revoked = genuine(receiver.received[1])
    assert (revoked["action"], revoked["uid"]) == ("revoke", told["uid"])


def test_a_receiver_that_was_away_is_told_later_with_the_same_identity(
    tmp_path: Path, own_redis: str, receiver: Receiver
) -> None:
    project = telling(
        tmp_path, own_redis, receiver, 1, deliveries={"first_retry": 0.001}, consumer={"sweep_every": 3600}
    )
    receiver.answer(503)
    with project.consumer() as consumer:
        project.produce("anna")
        wait_until(
            lambda: "failed and is tried again" in (tmp_path / "consumer.log").read_text(),
            "the callback has failed",
            alive=[consumer],
        )
    assert "1 attempt: 1 done" in project.manage("deliver_badges")

    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert genuine(second)["action"] == "award"
    log = (tmp_path / "consumer.log").read_text()
    assert SECRET not in log
    assert "anna@example.com" not in log
    health = json.loads(project.manage("badges_health", "--format", "json"))
    assert health["callbacks"] == {
        "waiting": 0,
        "oldest_waiting_at": None,
        "oldest_waiting_seconds": None,
        "dead": 0,
        "resting": [],
    }


def is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/badges/issuer/", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def fetched(url: str) -> bytes:
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return answer.content
