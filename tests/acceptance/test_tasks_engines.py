"""Deliveries by the workers of a task engine: real worker processes, a real Redis, a provider over HTTP.

No line of ours differs between the engines: only ``TASKS`` and ``INSTALLED_APPS`` do (see ``settings_test.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo.processes import Child, wait_until
from demo.redis import redis_server
from demo.sandbox.process import RunningSandbox
from demo.sandbox.seed import ORGANIZATION_ID, ORGANIZATION_TOKEN, template_id
from tests.acceptance.project import Project

LEARNERS = 120
LEASE = 3.0
WORKERS = {
    "db": ("db_worker", "--interval", "0.1", "--no-startup-delay", "--worker-id"),
    "rq": ("rqworker", "default", "--job-class", "django_tasks_rq.Job", "--name"),
}
"""Engine -> the command of a worker, to which its name is added."""
READY = {"db": "Starting worker", "rq": "Listening on"}
"""Engine -> what a worker writes before it looks for tasks."""


@pytest.fixture
def own_redis() -> Iterator[str]:
    """A Redis of the test's own: jobs of other tests do not disturb it."""
    with redis_server() as url:
        yield url


@pytest.fixture(params=sorted(WORKERS))
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A task engine, which every process that the test starts has in its settings."""
    monkeypatch.setenv("BADGES_TEST_TASKS", request.param)
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, own_redis: str, sandbox: RunningSandbox, engine: str) -> Project:
    """A project with a template at the provider, whose lease is short and whose ceiling of calls is out of the way."""
    config = {
        **sandbox.badges_config(),
        "deliveries": {"lease": LEASE},
        "rate": {"calls": 1_000_000},
        # A call that hangs does so until its worker is killed.
        "http": {"read_timeout": 200},
    }
    project = Project(tmp_path, own_redis, config)
    project.python(
        f"a = CredlyOrganizationFactory(external_id='{ORGANIZATION_ID}', api_key='{ORGANIZATION_TOKEN}');"
        f"CredlyBadgeTemplateFactory(account=a, external_id='{template_id('python-basics')}')"
    )
    return project


def award(project: Project, learners: int) -> None:
    """Award the badge to so many learners, each in a transaction of its own, in a process that then ends."""
    project.python(
        "from badges.issuing.awards import award\n"
        "from django.db import transaction\n"
        "[template] = BadgeTemplate.objects.all()\n"
        f"for user in UserFactory.create_batch({learners}):\n"
        "    with transaction.atomic():\n"
        "        award(user, {template.pk: moment(5)})\n"
    )


def worker(project: Project, engine: str, name: str) -> AbstractContextManager[Child]:
    """A worker of the engine, as its documentation starts it."""
    return project.start(name, *WORKERS[engine], name)


def tasks_done(project: Project, engine: str) -> list[int]:
    """How many tasks each worker has done, as its engine tells it."""
    if engine == "rq":
        logs = [(project.folder / f"{name}.log").read_text() for name in ("one", "two")]
        return [log.count("Job OK") for log in logs]
    workers = Counter(
        project.python(
            "from django_tasks_db.models import DBTaskResult\n"
            "print(json.dumps([one.worker_ids[-1] for one in DBTaskResult.objects.successful()]))"
        )
    )
    return [workers["one"], workers["two"]]


def statuses(project: Project) -> Counter[str]:
    """How many deliveries have which status."""
    return Counter(project.python("print(json.dumps(list(Delivery.objects.values_list('status', flat=True))))"))


def all_but(project: Project, left: int, learners: int = LEARNERS) -> Callable[[], bool]:
    """Whether all deliveries but so many are done: one that announces and one that issues, for each learner."""
    return lambda: statuses(project)["done"] == 2 * learners - left


def assert_each_is_issued_once(project: Project, sandbox: RunningSandbox, learners: int = LEARNERS) -> None:
    """Every learner has one badge at the provider, and we know it."""
    held: list[dict[str, Any]] = sandbox.state()["credly"]["badges"]
    ours = project.python("print(json.dumps(sorted(Badge.objects.values_list('external_id', flat=True))))")
    assert ours == sorted(badge["id"] for badge in held)
    assert len({badge["recipient_email"] for badge in held}) == len(held) == learners


def kill(child: Child) -> None:
    """End a worker and what it forked as an operating system without memory does."""
    for forked in psutil.Process(child.process.pid).children(recursive=True):
        forked.kill()
    child.process.kill()
    child.process.wait()


def test_two_workers_share_the_deliveries_and_each_badge_is_issued_once(
    project: Project, engine: str, sandbox: RunningSandbox
) -> None:
    with worker(project, engine, "one") as one, worker(project, engine, "two") as two:
        wait_until(
            lambda: all(READY[engine] in child.log.read_text() for child in (one, two)),
            "both look for tasks",
            alive=[one, two],
        )
        award(project, LEARNERS)
        wait_until(all_but(project, 0), "all is delivered", timeout=200, alive=[one, two])
        wait_until(lambda: sum(tasks_done(project, engine)) == LEARNERS, "all tasks have ended", alive=[one, two])

    assert_each_is_issued_once(project, sandbox)
    assert min(tasks_done(project, engine)) > LEARNERS / 10


def test_what_a_killed_worker_had_in_hand_is_taken_up_by_the_sweep_and_issued_once(
    project: Project, engine: str, sandbox: RunningSandbox
) -> None:
    sandbox.fault("delay", delay=300, after_commit=True, method="POST", path="/badges", count=1)
    award(project, LEARNERS)

    with worker(project, engine, "one") as one:
        wait_until(lambda: sandbox.state()["credly"]["badges"], "the provider has done the work", alive=[one])
        with worker(project, engine, "two") as two:
            wait_until(all_but(project, 1), "the other worker did the rest", timeout=200, alive=[one, two])
            kill(one)
            assert statuses(project)["in_progress"] == 1
            wait_until(lambda: "1 done" in project.manage("deliver_badges"), "the sweep takes it up after its lease")

    assert statuses(project) == {"done": 2 * LEARNERS}
    assert_each_is_issued_once(project, sandbox)
