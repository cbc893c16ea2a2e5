"""The synchronization as an operator runs it: it breaks off in the middle, says how to go on, and goes on."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo.processes import wait_until
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.project import ROOT, Project

CREDLY, ACCREDIBLE = "sync_organization_badge_templates", "sync_accredible_groups"
HOW_TO_GO_ON = "Everything before page 2 is stored. Synchronize again to go on there; from "
STATES = "print(json.dumps([[t.external_id, t.state, t.is_active] for t in BadgeTemplate.objects.all()]))"


@pytest.fixture
def project(tmp_path: Path, sandbox: RunningSandbox) -> Project:
    """A project whose calls our own ceiling does not slow down."""
    return Project(tmp_path, "", {**sandbox.badges_config(), "rate": {"calls": 10_000}})


@pytest.fixture
def organization(project: Project) -> Project:
    """With the large organization: 120 templates on three pages."""
    key = seed.LARGE_ORGANIZATION_TOKEN
    project.python(
        f"CredlyOrganizationFactory(name='Large', external_id='{seed.LARGE_ORGANIZATION_ID}', api_key='{key}')"
    )
    return project


@pytest.fixture
def api_config(project: Project) -> Project:
    """With the large account: 120 groups on three pages, each with a design of its own."""
    project.python(f"AccredibleAPIConfigFactory(name='Large', api_key='{seed.LARGE_ACCREDIBLE_KEY}')")
    return project


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=project.environment, capture_output=True, text=True, timeout=120, check=False
    )


def only_the(call: int) -> dict[str, Any]:
    """What lets a fault strike once: at this call, of those that match."""

    def strikes_first_at_it(number: int) -> bool:
        dice = random.Random(number)
        thrown = [dice.random() < 0.1 for _ in range(call)]
        return thrown[-1] and not any(thrown[:-1])

    return {"seed": next(filter(strikes_first_at_it, range(100_000))), "probability": 0.1, "count": 1}


def activate_all(project: Project) -> None:
    project.python("BadgeTemplate.objects.update(is_active=True)")


def states(project: Project) -> dict[str, tuple[str, bool]]:
    """State and activity of every template, by its identifier at the provider."""
    return {external_id: (state, active) for external_id, state, active in project.python(STATES)}


def asked(sandbox: RunningSandbox, path: str) -> int:
    """How often the provider was asked for this."""
    return sum(path in request["path"] for request in sandbox.state()["requests"])


@pytest.mark.parametrize("fault", [{"kind": "drop"}, {"kind": "status", "status": 429}])
def test_a_list_that_breaks_off_is_gone_on_with(
    organization: Project, sandbox: RunningSandbox, fault: dict[str, Any]
) -> None:
    sandbox.fault(**fault, path="badge_templates$", **only_the(2))

    first = run(organization, CREDLY)

    assert first.returncode == 1, first.stdout
    assert HOW_TO_GO_ON in first.stderr
    assert len(states(organization)) == 50

    second = run(organization, CREDLY)

    assert second.returncode == 0, second.stderr
    assert "Large: goes on at page 2 with the synchronization of " in second.stdout
    assert "page 1 of 3" not in second.stdout
    assert second.stdout.endswith(
        "Large: 70 created, 0 updated, 0 unchanged, 0 archived. Counted from page 2 on, where it was resumed.\n"
    )
    assert len(states(organization)) == seed.MANY
    assert asked(sandbox, "badge_templates") == 4


def test_what_is_deleted_between_two_runs_takes_nothing_else_along(
    organization: Project, sandbox: RunningSandbox
) -> None:
    assert run(organization, CREDLY).returncode == 0
    activate_all(organization)
    sandbox.fault("drop", path="badge_templates$", **only_the(2))
    assert run(organization, CREDLY).returncode == 1
    read, unread = seed.template_id("large-1"), seed.template_id("large-120")
    for deleted in (read, unread):
        sandbox.control("DELETE", f"templates/{deleted}")

    resumed = run(organization, CREDLY)

    assert resumed.returncode == 0, resumed.stderr
    assert '"Course 120" is no longer at the provider: archived and deactivated.' in resumed.stdout
    assert resumed.stdout.endswith(
        "1 template was not in the list, but the provider still has it; it stays as it is.\n"
    )
    off = {external_id for external_id, state in states(organization).items() if state != ("active", True)}
    assert off == {unread}

    undisturbed = run(organization, CREDLY)

    assert '"Course 001" is no longer at the provider' in undisturbed.stdout
    off = {external_id for external_id, state in states(organization).items() if state != ("active", True)}
    assert off == {read, unread}


def test_a_rate_limit_on_the_designs_breaks_off_and_no_image_is_asked_for_twice(
    api_config: Project, sandbox: RunningSandbox
) -> None:
    sandbox.fault("status", status=429, retry_after="30", path="/designs/", **only_the(60))

    first = run(api_config, ACCREDIBLE)

    assert first.returncode == 1, first.stdout
    assert HOW_TO_GO_ON in first.stderr

    second = run(api_config, ACCREDIBLE)

    assert second.returncode == 0, second.stderr
    groups = api_config.python("print(json.dumps(list(AccredibleGroup.objects.values_list('image_url', 'state'))))")
    assert len(groups) == seed.MANY
    assert all(image and state == "active" for image, state in groups)
    assert asked(sandbox, "/designs/") == seed.MANY + 1


def test_a_killed_synchronization_is_gone_on_with(organization: Project, sandbox: RunningSandbox) -> None:
    sandbox.fault("delay", delay=60.0, path="badge_templates$", **only_the(2))
    with organization.start("sync", CREDLY) as sync:
        wait_until(lambda: sandbox.state()["faults"][0]["happened"], "the second page is asked for", alive=[sync])
        sync.process.kill()
        sync.process.wait()

    resumed = run(organization, CREDLY)

    assert resumed.returncode == 0, resumed.stderr
    assert "which did not come to its end." in resumed.stdout
    assert len(states(organization)) == seed.MANY


def test_a_key_that_is_refused_stops_nothing_but_the_synchronization(
    organization: Project, sandbox: RunningSandbox
) -> None:
    assert run(organization, CREDLY).returncode == 0
    activate_all(organization)
    sandbox.fault("status", status=401, path="badge_templates")

    refused = run(organization, CREDLY)

    assert refused.returncode == 1
    assert "Large: " in refused.stderr
    assert set(states(organization).values()) == {("active", True)}
