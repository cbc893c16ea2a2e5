"""``reconcile_badges`` as an operator runs it, after a person has been at work on the providers' own pages."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.project import ROOT, Project

LEARNERS = ("accepts", "revoked", "deleted", "kept", "lost")


class Credly:
    """A person in the pages of the Credly organization."""

    make = f"CredlyOrganization(name='O', external_id={seed.ORGANIZATION_ID!r}, api_key={seed.ORGANIZATION_TOKEN!r})"
    sync = "sync_organization_badge_templates"
    template = seed.template_id("python-basics")
    taken_away = "awarded here, revoked at the provider"
    status_after_taken_away = "revoked"

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._badges = f"{sandbox.credly_api_url}organizations/{seed.ORGANIZATION_ID}/badges"
        self._key = (seed.ORGANIZATION_TOKEN, "")

    def valid(self, learner: str) -> list[str]:
        """The identifiers of what a learner validly holds."""
        badges = self._sandbox.state()["credly"]["badges"]
        sent = [one for one in badges if one["recipient_email"] == f"{learner}@example.com"]
        return [one["id"] for one in sent if one["state"] in ("pending", "accepted")]

    def take_away(self, badge_id: str) -> None:
        body = {"reason": "By hand"}
        requests.put(f"{self._badges}/{badge_id}/revoke", json=body, auth=self._key, timeout=9).raise_for_status()

    def delete(self, badge_id: str) -> None:
        requests.delete(f"{self._badges}/{badge_id}", auth=self._key, timeout=9).raise_for_status()

    def change(self, badge_id: str) -> str:
        """Give a badge another state, and tell which."""
        self._sandbox.accept(badge_id)
        return "accepted"

    def issue(self, learner: str) -> None:
        body = {
            "recipient_email": f"{learner}@example.com",
            "issued_to_first_name": "Anna",
            "issued_to_last_name": "Lee",
            "badge_template_id": self.template,
            "issued_at": "2026-04-01 09:41:00 -0500",
        }
        requests.post(self._badges, json=body, auth=self._key, timeout=9).raise_for_status()


class Accredible:
    """A person in the pages of the Accredible account."""

    make = f"AccredibleAPIConfig(name='A', api_key={seed.ACCREDIBLE_KEY!r})"
    sync = "sync_accredible_groups"
    template = seed.GROUP_IDS[0]
    # Accredible does not tell a credential that was let expire from one that expired.
    taken_away = "the provider says something else than is written down here"
    status_after_taken_away = "awarded"

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._credentials = f"{sandbox.accredible_api_url}credentials"
        self._key = {"Authorization": f"Token token={seed.ACCREDIBLE_KEY}"}

    def valid(self, learner: str) -> list[str]:
        """The identifiers of what a learner validly holds."""
        credentials = self._sandbox.state()["accredible"]["credentials"]
        sent = [one for one in credentials if one["recipient"]["email"] == f"{learner}@example.com"]
        today = datetime.now(UTC).date().isoformat()
        return [one["id"] for one in sent if not one["expired_on"] or one["expired_on"] >= today]

    def take_away(self, badge_id: str) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        self._put(badge_id, expired_on=yesterday.isoformat())

    def delete(self, badge_id: str) -> None:
        requests.delete(f"{self._credentials}/{badge_id}", headers=self._key, timeout=9).raise_for_status()

    def change(self, badge_id: str) -> str:
        """Give a badge another state, and tell which."""
        self._put(badge_id, approve=False)
        return "unpublished"

    def issue(self, learner: str) -> None:
        recipient = {"name": "Anna Lee", "email": f"{learner}@example.com"}
        body = {"credential": {"recipient": recipient, "group_id": int(self.template)}}
        requests.post(self._credentials, json=body, headers=self._key, timeout=9).raise_for_status()

    def _put(self, badge_id: str, **values: Any) -> None:
        address = f"{self._credentials}/{badge_id}"
        requests.put(address, json={"credential": values}, headers=self._key, timeout=9).raise_for_status()


class Badges:
    """An installation with an account, its templates, and badges that were issued."""

    def __init__(self, project: Project, person: Credly | Accredible) -> None:
        self.project, self.person = project, person
        project.python(f"{person.make}.save()")
        project.manage(person.sync)
        project.python(
            "from django.db import transaction; from django.utils import timezone; from badges.issuing import awards\n"
            f"template = BadgeTemplate.objects.get(external_id={person.template!r})\n"
            "long_ago = timezone.now() - timezone.timedelta(days=60)\n"
            f"for name in {LEARNERS!r}:\n"
            "    with transaction.atomic(): awards.award(UserFactory(username=name), {template.pk: long_ago})\n"
            "UserFactory(username='newcomer', email='Newcomer@Example.com')"
        )

    def reconcile(self, *arguments: str) -> tuple[int, str]:
        """Run the command, and give its exit code and all that it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", "reconcile_badges", *arguments],
            cwd=ROOT,
            env=self.project.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def here(self) -> dict[str, dict[str, str]]:
        """Learner -> what stands here of the badge."""
        values = "Badge.objects.values('user__username', 'status', 'state', 'external_id', 'uuid')"
        rows = self.project.python(f"print(json.dumps(list({values}), default=str))")
        return {row["user__username"]: row for row in rows}

    def everything(self) -> Any:
        """All rows here that concern badges."""
        rows = "[list(model.objects.order_by('pk').values()) for model in (Badge, Delivery, DeliveryAttempt)]"
        return self.project.python(f"print(json.dumps({rows}, default=str))")


@pytest.fixture(params=[Credly, Accredible])
def badges(request: pytest.FixtureRequest, sandbox: RunningSandbox, tmp_path: Path, redis_url: str) -> Badges:
    return Badges(Project(tmp_path, redis_url, sandbox.badges_config()), request.param(sandbox))


def test_what_people_did_at_the_provider_is_seen_settled_and_then_agreed_on(badges: Badges) -> None:
    code, said = badges.reconcile()
    assert (code, "5 badges listed there, no differences." in said) == (0, True), said

    person = badges.person
    once = badges.here()
    held = {learner: badge["external_id"] for learner, badge in once.items()}
    new_state = person.change(held["accepts"])
    person.take_away(held["revoked"])
    person.delete(held["deleted"])
    person.issue("newcomer")
    badges.project.python(
        "from django.utils import timezone\n"
        "Badge.objects.filter(user__username='lost').update(status='revoked', revoked_at=timezone.now())"
    )
    before = badges.everything()

    code, said = badges.reconcile()
    assert code == 3
    assert badges.everything() == before
    assert "In all: 5 differences" in said
    for learner, words in (
        ("accepts", f'("{once["accepts"]["state"]}" here, "{new_state}" there)'),
        ("revoked", person.taken_away),
        ("deleted", "awarded here, missing at the provider"),
        ("lost", "revoked here, still valid at the provider"),
    ):
        [line] = [line for line in said.splitlines() if once[learner]["uuid"] in line]
        assert words in line
    assert "held at the provider, missing here" in said
    assert "@" not in said

    code, said = badges.reconcile("--apply")
    assert (code, "5 settled, 0 changed meanwhile, 0 not settled." in said) == (0, True), said

    for arguments in ([], ["--since", "30d"]):
        code, said = badges.reconcile(*arguments)
        assert (code, "In all: no differences" in said) == (0, True), said
    now = badges.here()
    assert now["accepts"]["state"] == new_state
    assert now["revoked"]["status"] == person.status_after_taken_away
    assert person.valid("revoked") == []
    assert person.valid("deleted") == [now["deleted"]["external_id"]] != [held["deleted"]]
    assert person.valid("kept") == [held["kept"]]
    assert person.valid("lost") == []
    assert person.valid("newcomer") == [now["newcomer"]["external_id"]]


def test_a_provider_that_is_away_ends_it_with_1_and_changes_nothing(badges: Badges, sandbox: RunningSandbox) -> None:
    sandbox.fault("status", status=503)
    before = badges.everything()

    code, said = badges.reconcile("--apply", "--format", "json")

    assert code == 1
    assert "The comparison ended before its end" in said
    assert badges.everything() == before
    assert json.loads(said[: said.rindex("}") + 1])["totals"]["differences"] == 0
