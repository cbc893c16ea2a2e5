"""The worker as operators run it: the documented command, a real Redis, a provider over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.processes import wait_until
from demo.redis import redis_server
from demo.sandbox.process import RunningSandbox, running_sandbox
from demo.sandbox.seed import ORGANIZATION_ID, ORGANIZATION_TOKEN
from tests.acceptance.project import Project

AWARDED = "org.openedx.learning.badge.awarded.v1"
REVOKED = "org.openedx.learning.badge.revoked.v1"
PASSED_DEMO = "rules=[('is_passing', 'eq', 'true'), ('course.course_key', 'eq', COURSE)]"


@pytest.fixture
def own_redis() -> Iterator[str]:
    """A Redis of the test's own: streams of other tests do not disturb it."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningSandbox]:
    """The provider sandbox, as a process."""
    with running_sandbox() as sandbox:
        yield sandbox


def badges(project: Project) -> list[dict[str, Any]]:
    """The badges of the project."""
    found: list[dict[str, Any]] = project.python(
        "rows = Badge.objects.order_by('pk').values('user__username', 'status', 'state', 'external_id');"
        "print(json.dumps(list(rows)))"
    )
    return found


def test_the_documented_command_awards_announces_and_revokes(tmp_path: Path, own_redis: str) -> None:
    project = Project(tmp_path, own_redis)
    project.python(
        f"r = RequirementFactory({PASSED_DEMO});"
        "PenaltyFactory(template=r.template, rules=[('is_passing', 'eq', 'no')], resets=[r])"
    )

    with project.consumer() as consumer:
        assert "with id" in project.produce("anna")
        wait_until(lambda: AWARDED in project.on_the_bus(), "the award is announced", alive=[consumer])
        project.produce("anna", is_passing=False)
        wait_until(lambda: REVOKED in project.on_the_bus(), "the revocation is announced", alive=[consumer])

    assert [(badge["user__username"], badge["status"]) for badge in badges(project)] == [("anna", "revoked")]


def test_an_event_that_cannot_be_read_is_parked_and_the_worker_goes_on(tmp_path: Path, own_redis: str) -> None:
    project = Project(tmp_path, own_redis)
    project.python(f"RequirementFactory({PASSED_DEMO})")

    with project.consumer() as consumer:
        project.produce("x" * 200)
        project.produce("anna")
        wait_until(lambda: AWARDED in project.on_the_bus(), "the award is announced", alive=[consumer])

    dead = project.python("print(json.dumps(list(DeadEvent.objects.values_list('error', 'status'))))")
    assert len(dead) == 1
    assert "user record holds 150" in dead[0][0]
    log = (tmp_path / "consumer.log").read_text()
    assert "was parked as dead event" in log


def credly_project(folder: Path, redis_url: str, provider: RunningSandbox, **config: Any) -> Project:
    """A project with an active template of the sandbox's Credly organization."""
    project = Project(folder, redis_url, {**provider.badges_config(), **config})
    project.python(f"CredlyOrganizationFactory(external_id='{ORGANIZATION_ID}', api_key='{ORGANIZATION_TOKEN}')")
    project.manage("sync_organization_badge_templates")
    project.python(
        "t = CredlyBadgeTemplate.objects.filter(state='active').first();"
        f"RequirementFactory(template=t, {PASSED_DEMO}); t.is_active = True; t.save()"
    )
    return project


def test_a_failed_issue_keeps_the_award_and_the_sweep_completes_it(
    tmp_path: Path, own_redis: str, provider: RunningSandbox
) -> None:
    provider.reset()
    project = credly_project(
        tmp_path, own_redis, provider, deliveries={"first_retry": 0.001}, consumer={"sweep_every": 3600}
    )
    provider.fault("status", status=503, method="POST", path="/badges", count=1)

    with project.consumer() as consumer:
        project.produce("anna")
        wait_until(lambda: AWARDED in project.on_the_bus(), "the award is announced", alive=[consumer])
        wait_until(
            lambda: "failed and is tried again" in (tmp_path / "consumer.log").read_text(),
            "the issue has failed",
            alive=[consumer],
        )
    assert [(badge["status"], badge["external_id"]) for badge in badges(project)] == [("awarded", "")]

    report = project.manage("deliver_badges")

    assert "1 attempt: 1 done" in report
    [badge] = badges(project)
    assert (badge["status"], badge["state"]) == ("awarded", "pending")
    assert badge["external_id"] in str(provider.state())


def test_a_worker_that_is_killed_while_the_provider_works_leaves_one_badge(
    tmp_path: Path, own_redis: str, provider: RunningSandbox
) -> None:
    provider.reset()
    project = credly_project(tmp_path, own_redis, provider, deliveries={"lease": 0.5})
    provider.fault("delay", delay=30, after_commit=True, method="POST", path="/badges", count=1)

    with project.consumer() as consumer:
        project.produce("anna")
        wait_until(lambda: provider.state()["credly"]["badges"], "the provider has done the work", alive=[consumer])
        consumer.process.kill()
        consumer.process.wait()

    wait_until(lambda: "1 done" in project.manage("deliver_badges"), "the sweep takes it up after its lease")
    [badge] = badges(project)
    [issued] = provider.state()["credly"]["badges"]
    assert badge["external_id"] == issued["id"]
