"""``retire_learner`` as an operator runs it: real processes, and a provider that deletes, refuses, and keeps silent."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from demo.processes import running, wait_until
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.project import ROOT, Project

NO_REDIS = "redis://127.0.0.1:1/0"
LEASE = 3


@frozen
class AtProvider:
    """An account at a provider of the sandbox, with a template."""

    make: str
    section: str
    """Where the sandbox holds its badges: ``credly.badges``."""

    def held(self, sandbox: RunningSandbox) -> list[str]:
        """To whom the provider shows a badge, in whatever state."""
        first, second = self.section.split(".")
        rows: list[dict[str, Any]] = sandbox.state()[first][second]
        addresses = [row.get("recipient_email") or row.get("email") or row["recipient"]["email"] for row in rows]
        return sorted(address for address in addresses if address.endswith("leaves@example.com") or "stays" in address)


CREDLY = AtProvider(
    f"a = CredlyOrganizationFactory(external_id={seed.ORGANIZATION_ID!r}, api_key={seed.ORGANIZATION_TOKEN!r})\n"
    f"t = CredlyBadgeTemplateFactory(account=a, external_id={seed.template_id('python-basics')!r})\n",
    "credly.badges",
)
ACCREDIBLE = AtProvider(
    f"a = AccredibleAPIConfigFactory(api_key={seed.ACCREDIBLE_KEY!r})\n"
    f"t = AccredibleGroupFactory(account=a, external_id={str(seed.GROUP_IDS[0])!r})\n",
    "accredible.credentials",
)
BADGEKIT = AtProvider(
    f"a = BadgeKitSystemFactory(external_id={seed.BADGEKIT_SYSTEM!r}, api_key={seed.BADGEKIT_SECRET!r}, "
    f"client_id={seed.BADGEKIT_KEY!r})\n"
    "t = BadgeKitTemplateFactory(account=a, external_id='city-guide')\n",
    "badgekit.instances",
)
PROVIDERS = {"credly": CREDLY, "accredible": ACCREDIBLE, "badgekit": BADGEKIT}


class Leaving:
    """An installation with two learners, both with a badge that is issued; one of them leaves."""

    def __init__(self, folder: Path, sandbox: RunningSandbox, provider: AtProvider) -> None:
        config = {**sandbox.badges_config(), "deliveries": {"lease": LEASE, "first_retry": 1}}
        self.project, self.provider, self.sandbox = Project(folder, NO_REDIS, config), provider, sandbox
        # Nobody is told of awards, so that no Redis is needed.
        self.project.environment.pop("BADGES_TEST_REDIS_URL")
        self.project.python(
            provider.make + "from badges.issuing import awards\n"
            "for number, name in enumerate(('leaves', 'stays')):\n"
            "    awards.award(UserFactory(username=name, lms_user_id=7 + number), {t.pk: moment(5)})\n"
            'WebhookEventFactory(account=a, body=\'{"email": "leaves@example.com"}\')\n'
        )
        assert self.held() == ["leaves@example.com", "stays@example.com"]

    def held(self) -> list[str]:
        return self.provider.held(self.sandbox)

    def retire(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", "retire_learner", *arguments],
            cwd=ROOT,
            env=self.project.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "leaves" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def anonymize(self) -> None:
        """What the host does next."""
        self.project.python(
            "from tests.core.models import User\n"
            "User.objects.filter(username='leaves').update(username='retired__user_1', email='', full_name='')"
        )

    def deletion(self) -> str:
        """The status of the deletion."""
        found: str = self.project.python("print(json.dumps(Delivery.objects.get(action='delete').status))")
        return found

    def badge(self) -> dict[str, Any]:
        values = "'status', 'state', 'external_id', 'url'"
        query = f"Badge.objects.filter(user__lms_user_id=7).values({values})[0]"
        found: dict[str, Any] = self.project.python(f"print(json.dumps({query}))")
        return found

    def deliver(self) -> None:
        with contextlib.suppress(AssertionError):
            self.project.manage("deliver_badges")

    def is_deleted(self) -> bool:
        self.deliver()
        return self.deletion() == "done"


GONE = {"status": "revoked", "state": "deleted", "external_id": "", "url": ""}


@pytest.fixture(params=PROVIDERS.values(), ids=list(PROVIDERS))
def leaving(request: pytest.FixtureRequest, tmp_path: Path, sandbox: RunningSandbox) -> Leaving:
    return Leaving(tmp_path, sandbox, request.param)


@pytest.fixture
def at_credly(tmp_path: Path, sandbox: RunningSandbox) -> Leaving:
    return Leaving(tmp_path, sandbox, CREDLY)


def test_a_learner_leaves_and_the_provider_has_the_badge_no_more(leaving: Leaving) -> None:
    would = leaving.retire("--lms-user-id", "7", "--at-provider", "delete", "--dry-run")
    assert "1 badge would be put down for deletion at the provider." in would
    assert leaving.held() == ["leaves@example.com", "stays@example.com"]

    told = leaving.retire("--lms-user-id", "7", "--at-provider", "delete")
    assert "1 deletion at the provider carried out." in told
    assert leaving.held() == ["stays@example.com"]
    assert leaving.badge() == GONE
    assert "Nothing to do" in leaving.retire("--lms-user-id", "7", "--at-provider", "delete")


def test_what_a_provider_that_is_down_still_has_is_deleted_after_the_record_was_anonymized(leaving: Leaving) -> None:
    leaving.sandbox.fault("status", status=503, count=1)
    assert "waits until" in leaving.retire("leaves", "--at-provider", "delete")
    leaving.anonymize()
    assert len(leaving.held()) == 2

    wait_until(leaving.is_deleted, "the deletion is done", timeout=60)
    assert leaving.held() == ["stays@example.com"]
    assert leaving.badge() == GONE


@pytest.mark.parametrize("after_commit", [True, False], ids=["after it was deleted", "before"])
def test_a_process_that_is_killed_in_the_middle_leaves_nothing_undone(at_credly: Leaving, after_commit: bool) -> None:
    # Requests of a process that was killed are still under way at the provider.
    before = at_credly.sandbox.state()["in_progress"]
    fault = {"delay": 300, "after_commit": after_commit, "method": "DELETE", "count": 1}
    at_credly.sandbox.fault("delay", **fault)
    command = [sys.executable, "manage.py", "retire_learner", "leaves", "--at-provider", "delete"]
    log = at_credly.project.folder / "retire.log"
    with running("retire", command, log=log, env=at_credly.project.environment, cwd=ROOT) as child:
        wait_until(lambda: at_credly.sandbox.state()["in_progress"] > before, "the provider is asked", alive=[child])
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()
    at_credly.sandbox.clear_faults()
    assert at_credly.deletion() == "in_progress"
    at_credly.anonymize()

    wait_until(at_credly.is_deleted, "the deletion is done", timeout=60)
    assert at_credly.held() == ["stays@example.com"]
    assert at_credly.badge() == GONE
    assert "Nothing to do" in at_credly.retire("--lms-user-id", "7", "--former-username", "leaves")


def test_a_token_without_the_right_to_delete_does_not_stop_the_account(at_credly: Leaving) -> None:
    at_credly.sandbox.fault("status", status=403, method="DELETE")
    told = at_credly.retire("leaves", "--at-provider", "delete", status=3)
    assert "the account's key has no right to delete" in told
    [health] = at_credly.project.python("print(json.dumps(list(AccountHealth.objects.values('stopped_at'))))")
    assert health["stopped_at"] is None

    at_credly.sandbox.clear_faults()
    at_credly.retire("leaves", "--at-provider", "delete")
    assert at_credly.held() == ["stays@example.com"]


def test_a_learner_whose_badge_is_revoked_keeps_no_valid_one(at_credly: Leaving) -> None:
    at_credly.retire("leaves", "--at-provider", "revoke")
    states = {one["recipient_email"]: one["state"] for one in at_credly.sandbox.state()["credly"]["badges"]}
    assert states["leaves@example.com"] == "revoked"
    assert states["stays@example.com"] == "pending"


def test_wrong_arguments_end_with_two(at_credly: Leaving) -> None:
    for arguments in ([], ["--at-provider", "burn", "leaves"], ["--lms-user-id", "seven"]):
        done = subprocess.run(
            [sys.executable, "manage.py", "retire_learner", *arguments],
            cwd=ROOT,
            env=at_credly.project.environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 2, done.stderr
