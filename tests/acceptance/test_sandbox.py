"""The provider sandbox as a process: how it starts, ends, answers, fails on demand, and what a person sees of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.sandbox import seed
from demo.sandbox.process import ROOT, RunningSandbox, running_sandbox

pytestmark = pytest.mark.any_database
BASIC = (seed.ORGANIZATION_TOKEN, "")
TOKEN = {"Authorization": f"Token token={seed.ACCREDIBLE_KEY}"}
KEYS = (
    seed.ORGANIZATION_TOKEN,
    seed.LARGE_ORGANIZATION_TOKEN,
    seed.ACCREDIBLE_KEY,
    seed.LARGE_ACCREDIBLE_KEY,
)


@pytest.fixture
def organization(sandbox: RunningSandbox) -> str:
    return f"{sandbox.credly_api_url}organizations/{seed.ORGANIZATION_ID}"


def badge_body(**values: Any) -> dict[str, Any]:
    """What Credly needs to issue a badge."""
    return {
        "recipient_email": "anna@example.com",
        "issued_to_first_name": "Anna",
        "issued_to_last_name": "Lee",
        "badge_template_id": seed.template_id("python-basics"),
        "issued_at": "2026-04-01 09:41:00 -0500",
        **values,
    }


def credential_body(**values: Any) -> dict[str, Any]:
    """What Accredible needs to create a credential."""
    recipient = {"name": "Anna Lee", "email": "anna@example.com"}
    return {"credential": {"recipient": recipient, "group_id": int(seed.GROUP_IDS[0]), **values}}


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command, as a person starts it."""
    command = [sys.executable, "-m", "demo.sandbox", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT, **options}
    return subprocess.Popen(command, **pipes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with start("--port", "0") as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        url = line.removeprefix("Provider sandbox ready at ").strip()
        assert requests.get(url, timeout=5).status_code == 200
        running.send_signal(number)
        out, err = running.communicate(timeout=10)
    assert (running.returncode, out, err) == (0, "", "")


def test_it_ends_with_the_process_that_started_it() -> None:
    with start("--port", "0", "--until-input-ends", stdin=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        out, err = running.communicate(timeout=10)
    assert (running.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "A seed is a JSON object"),
        ('{"credly": {}}', '"credly" must be a list'),
        ('{"credly": [{"id": "1", "name": "A"}]}', "has no token"),
        ('{"accredible": [{"id": 1, "name": "A", "key": "k", "groups": [{"name": "G"}]}]}', "no id or no name"),
    ],
)
def test_a_seed_that_cannot_be_used_ends_it_with_the_reason(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "seed.json"
    file.write_text(content, encoding="utf-8")
    with start("--port", "0", "--seed", str(file)) as running:
        _, err = running.communicate(timeout=10)
    assert running.returncode == 2
    assert complaint in err
    assert "Traceback" not in err


def test_an_address_in_use_ends_it_with_the_reason(sandbox: RunningSandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    with pytest.raises(RuntimeError, match=r"did not start\..*cannot start"), running_sandbox(port=int(port)):
        pass


def test_the_seed_that_it_prints_can_be_given_back() -> None:
    with start("--print-seed") as printing:
        out, _ = printing.communicate(timeout=10)
    own = json.loads(out)
    own["credly"][0]["name"] = "Renamed"
    with running_sandbox(own) as running:
        names = [one["name"] for one in running.state()["credly"]["organizations"]]
    assert names == ["Renamed", "Sandbox Large College"]


@pytest.mark.parametrize("auth", [None, ("wrong", ""), (seed.ORGANIZATION_TOKEN, "password")])
def test_credly_refuses_a_wrong_token(organization: str, auth: Any) -> None:
    assert requests.get(organization, auth=auth, timeout=5).status_code == 401


@pytest.mark.parametrize("header", ["", "Token token=wrong", f"Bearer {seed.ACCREDIBLE_KEY}", "Basic eDp5"])
def test_accredible_refuses_a_wrong_key(sandbox: RunningSandbox, header: str) -> None:
    url = f"{sandbox.accredible_api_url}issuer/details"
    assert requests.get(url, headers={"Authorization": header}, timeout=5).status_code == 401


def test_a_key_does_not_open_another_organization(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.credly_api_url}organizations/{seed.LARGE_ORGANIZATION_ID}"
    assert requests.get(url, auth=BASIC, timeout=5).status_code == 404


def test_credly_pages_have_at_most_50_rows_and_end_with_null(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.credly_api_url}organizations/{seed.LARGE_ORGANIZATION_ID}/badge_templates"
    sizes = []
    while url:
        answer = requests.get(url, auth=(seed.LARGE_ORGANIZATION_TOKEN, ""), timeout=5).json()
        sizes.append(len(answer["data"]))
        url = answer["metadata"]["next_page_url"]
    assert sizes == [50, 50, 20]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"recipient_email": ""}, "Recipient email can't be blank"),
        ({"issued_to_last_name": None}, "Issued to last name can't be blank"),
        ({"badge_template_id": "1"}, "Invalid or missing Badge Template ID"),
        ({"badge_template_id": seed.template_id("pioneer-2019")}, "archived"),
        ({"issued_at": "yesterday"}, "Issued at"),
    ],
)
def test_credly_refuses_what_the_documents_refuse(organization: str, values: dict[str, Any], words: str) -> None:
    answer = requests.post(f"{organization}/badges", auth=BASIC, json=badge_body(**values), timeout=5)
    assert answer.status_code == 422
    assert words in answer.json()["data"]["message"]


@pytest.mark.parametrize(
    "same",
    [
        {"issuer_earner_id": "another"},
        {"recipient_email": "other@example.com"},
        {"recipient_email": "ANNA@example.com"},
    ],
)
def test_a_duplicate_has_the_template_and_the_address_or_the_earner(organization: str, same: dict[str, str]) -> None:
    first = badge_body(issuer_earner_id="one")
    assert requests.post(f"{organization}/badges", auth=BASIC, json=first, timeout=5).status_code == 201
    answer = requests.post(f"{organization}/badges", auth=BASIC, json={**first, **same}, timeout=5)
    assert (answer.status_code, "already has this badge" in answer.text) == (422, True)


def test_a_replaced_badge_leads_to_the_new_one_and_cannot_be_revoked(organization: str) -> None:
    old = requests.post(f"{organization}/badges", auth=BASIC, json=badge_body(), timeout=5).json()["data"]["id"]
    body = {"badge_template_id": seed.template_id("python-basics"), "issued_at": "2026-05-01T00:00:00Z"}
    new = requests.post(f"{organization}/badges/{old}/replace", auth=BASIC, json=body, timeout=5).json()["data"]
    shown = requests.get(f"{organization}/badges/{old}", auth=BASIC, timeout=5).json()["data"]
    assert (new["replaces_badge_id"], shown["state"], shown["replacement_badge_id"]) == (old, "replaced", new["id"])
    answer = requests.put(f"{organization}/badges/{old}/revoke", auth=BASIC, json={"reason": "R"}, timeout=5)
    assert answer.status_code == 422


def test_a_deleted_badge_is_gone(organization: str) -> None:
    badge = requests.post(f"{organization}/badges", auth=BASIC, json=badge_body(), timeout=5).json()["data"]["id"]
    assert requests.delete(f"{organization}/badges/{badge}", auth=BASIC, timeout=5).status_code == 204
    assert requests.get(f"{organization}/badges/{badge}", auth=BASIC, timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"recipient": {}}, "without recipient data"),
        ({"group_id": 1}, "Invalid Group"),
        ({"issued_on": "2026-04-01 09:41:00"}, "not a valid date"),
        ({"issued_on": "2026-13-01"}, "not a valid date"),
        ({"issued_on": "2026-04-02", "expired_on": "2026-04-01"}, "must not be before"),
    ],
)
def test_accredible_refuses_what_the_documents_refuse(sandbox: RunningSandbox, values: Any, words: str) -> None:
    url = f"{sandbox.accredible_api_url}credentials"
    answer = requests.post(url, headers=TOKEN, json=credential_body(**values), timeout=5)
    assert answer.status_code == 422
    assert words in answer.text


def test_accredible_takes_one_credential_of_a_group_and_address(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.accredible_api_url}credentials"
    assert requests.post(url, headers=TOKEN, json=credential_body(), timeout=5).status_code == 200
    answer = requests.post(url, headers=TOKEN, json=credential_body(), timeout=5)
    assert (answer.status_code, "do not allow duplicates" in answer.text) == (422, True)


def test_a_credential_can_be_shown_changed_and_deleted(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.accredible_api_url}credentials"
    made = requests.post(url, headers=TOKEN, json=credential_body(approve=False), timeout=5).json()["credential"]
    one = f"{url}/{made['id']}"
    body = {"credential": {"approve": True}}
    assert requests.put(one, headers=TOKEN, json=body, timeout=5).json()["credential"]["approve"] is True
    assert requests.delete(one, headers=TOKEN, timeout=5).json()["credential"]["id"] == made["id"]
    assert requests.get(one, headers=TOKEN, timeout=5).status_code == 404


def test_the_search_of_version_2_has_operators(sandbox: RunningSandbox) -> None:
    for day in ("2026-01-01", "2026-02-01"):
        recipient = {"name": "Anna", "email": f"{day}@example.com"}
        body = credential_body(issued_on=day, recipient=recipient)
        requests.post(f"{sandbox.accredible_api_url}credentials", headers=TOKEN, json=body, timeout=5)
    url = f"{sandbox.url}/accredible/v2/credentials/search"
    query = {"group.id": int(seed.GROUP_IDS[0]), "issued_on[gte]": "2026-01-15"}
    answer = requests.post(url, headers=TOKEN, json={"query": query}, timeout=5).json()
    assert [row["issued_on"] for row in answer["credentials"]] == ["2026-02-01"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_a_bad_request(organization: str, body: bytes) -> None:
    assert requests.post(f"{organization}/badges", auth=BASIC, data=body, timeout=5).status_code == 400


def test_a_body_that_is_too_long_is_not_read(organization: str) -> None:
    answer = requests.post(f"{organization}/badges", auth=BASIC, data=iter([b"x"]), timeout=5)
    assert answer.status_code == 413


def test_a_fault_happens_as_often_as_asked(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.fault("status", status=500, count=2)
    assert [requests.get(organization, auth=BASIC, timeout=5).status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_happens_only_to_calls_that_match(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.fault("status", status=500, method="POST", path="/badges$")
    assert requests.get(f"{organization}/badges", auth=BASIC, timeout=5).status_code == 200
    assert requests.post(f"{organization}/badges", auth=BASIC, json=badge_body(), timeout=5).status_code == 500
    assert sandbox.state()["credly"]["badges"] == []


def test_a_fault_after_the_commit_does_the_work(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.fault("drop", after_commit=True, count=1)
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{organization}/badges", auth=BASIC, json=badge_body(), timeout=5)
    state = sandbox.state()
    assert len(state["credly"]["badges"]) == 1
    assert [(one["status"], one["done"], one["faults"]) for one in state["requests"]] == [(None, 201, ["drop"])]


def test_a_probable_fault_strikes_the_same_calls_with_the_same_seed(organization: str, sandbox: RunningSandbox) -> None:
    def run(number: int) -> list[int]:
        sandbox.reset()
        sandbox.fault("status", status=503, probability=0.5, seed=number)
        return [requests.get(organization, auth=BASIC, timeout=5).status_code for _ in range(20)]

    assert run(1) == run(1) != run(2)
    assert set(run(1)) == {200, 503}


def test_faults_can_be_switched_off(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.fault("status", status=500)
    sandbox.clear_faults()
    assert requests.get(organization, auth=BASIC, timeout=5).status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "flood"},
        {"kind": "status", "status": 99},
        {"kind": "status", "status": "500"},
        {"kind": "status", "body": "pdf"},
        {"kind": "drop", "probability": 2},
        {"kind": "drop", "count": 0},
        {"kind": "drop", "count": True},
        {"kind": "drop", "path": "("},
        {"kind": "delay", "delay": -1},
        {"kind": "drop", "colour": "red"},
        {"status": 500},
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_the_reason(sandbox: RunningSandbox, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="refused POST faults"):
        sandbox.control("POST", "faults", values)
    assert sandbox.state()["faults"] == []


def test_no_key_is_in_the_state_or_on_a_page(organization: str, sandbox: RunningSandbox) -> None:
    requests.get(organization, auth=BASIC, timeout=5)
    requests.get(f"{sandbox.accredible_api_url}issuer/details", headers=TOKEN, timeout=5)
    shown = json.dumps(sandbox.state()) + requests.get(sandbox.url, timeout=5).text
    assert [key for key in KEYS if key in shown] == []


def test_templates_and_groups_can_be_changed_as_if_at_the_provider(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.control("DELETE", f"templates/{seed.template_id('mentor')}")
    sandbox.control("POST", "templates", {"organization": seed.ORGANIZATION_ID, "name": "New"})
    names = {
        one["name"] for one in requests.get(f"{organization}/badge_templates", auth=BASIC, timeout=5).json()["data"]
    }
    assert "New" in names
    assert "Community Mentor" not in names
    sandbox.control("DELETE", f"groups/{seed.GROUP_IDS[0]}")
    sandbox.control("POST", "groups", {"account": 501, "id": 77, "name": "New"})
    answer = requests.post(
        f"{sandbox.accredible_api_url}issuer/groups/search", headers=TOKEN, json={}, timeout=5
    ).json()
    assert [group["id"] for group in answer["groups"]] == [9002, 9003, 77]


def test_a_person_sees_the_badge_and_accepts_it(organization: str) -> None:
    body = badge_body(issued_to_last_name="<script>alert(1)</script>")
    badge = requests.post(f"{organization}/badges", auth=BASIC, json=body, timeout=5).json()["data"]
    page = requests.get(badge["accept_badge_url"], timeout=5).text
    assert "Python Basics" in page
    assert "<script>" not in page
    accepted = requests.post(badge["accept_badge_url"], timeout=5)
    assert accepted.status_code == 200
    assert "accepted" in accepted.text
    assert "Accept this badge" not in accepted.text


def test_a_person_sees_a_credential_and_that_it_has_expired(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.accredible_api_url}credentials"
    body = credential_body(issued_on="2026-01-01", expired_on="2026-01-02")
    made = requests.post(url, headers=TOKEN, json=body, timeout=5).json()["credential"]
    assert "has expired" in requests.get(made["url"], timeout=5).text


def test_images_are_served_and_unknown_pages_are_not_found(organization: str, sandbox: RunningSandbox) -> None:
    [first, *_] = requests.get(f"{organization}/badge_templates", auth=BASIC, timeout=5).json()["data"]
    assert requests.get(first["image_url"], timeout=5).headers["Content-Type"] == "image/svg+xml"
    assert requests.get(f"{sandbox.url}/nowhere", timeout=5).status_code == 404


def test_the_log_is_written_without_keys_and_addresses(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_sandbox(log=log) as running:
        url = f"{running.credly_api_url}organizations/{seed.ORGANIZATION_ID}/badges"
        requests.get(url, auth=BASIC, params={"filter": "recipient_email::anna@example.com"}, timeout=5)
    written = log.read_text(encoding="utf-8")
    assert "GET /credly/v1/organizations/" in written
    assert "anna" not in written
