"""The sandbox's BadgeKit: what it answers, and the webhooks that it sends, received over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from attrs import evolve

from badges.data import Account, WebhookRequest
from badges.providers.badgekit.signing import authorization
from badges.providers.badgekit.webhooks import BadgeKitWebhooks
from badges.providers.base import Provider
from badges.providers.registry import connect
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.hooks import SECRET, Hook, hook
from tests.integration.providers.contract import make_award

__all__ = ["hook"]

pytestmark = pytest.mark.any_database
ACCOUNT = Account("badgekit", "City", seed.BADGEKIT_SYSTEM, seed.BADGEKIT_SECRET, seed.BADGEKIT_KEY)
SYSTEM = f"badgekit/{seed.BADGEKIT_SYSTEM}"
EMAIL = "anna@example.com"


@pytest.fixture
def hooked(configured: RunningSandbox, hook: Hook) -> RunningSandbox:
    """The sandbox, whose BadgeKit calls."""
    configured.control("POST", SYSTEM, {"webhook": {"url": hook.url, "secret": SECRET}})
    return configured


@pytest.fixture
def provider(hooked: RunningSandbox) -> Provider:
    return connect(ACCOUNT)


def criteria(sandbox: RunningSandbox, badge: str = "city-explorer") -> list[dict[str, Any]]:
    badges = sandbox.state()["badgekit"]["badges"]
    return next(one["criteria"] for one in badges if one["slug"] == badge)


# Webhooks.
def test_an_award_and_its_revocation_are_told_once_each_whatever_is_answered(
    provider: Provider, hooked: RunningSandbox, hook: Hook
) -> None:
    award = make_award("city-explorer")
    issued = provider.issue(award)
    [told] = hook.messages(1)
    assert (told["action"], told["uid"], told["email"]) == ("award", str(award.uuid), award.email)
    assert (told["badge"]["slug"], told["assertionUrl"], told["comment"]) == ("city-explorer", issued.url, None)
    # It was dated, and a time that was given is none to the sender.
    assert "issuedOn" not in told
    provider.revoke(issued.external_id, award=award, reason="A mistake.")
    [told] = hook.messages(1)
    assert {key: told[key] for key in ("action", "uid", "email")} == {
        "action": "revoke",
        "uid": str(award.uuid),
        "email": award.email,
    }
    assert set(told) == {"action", "uid", "badge", "email"}
    assert hook.received.empty()


def test_an_award_by_hand_has_its_time_in_seconds(hooked: RunningSandbox, hook: Hook) -> None:
    values = {"badge": "city-explorer", "email": EMAIL, "comment": "Well done."}
    hooked.control("POST", f"{SYSTEM}/instances", values)
    [told] = hook.messages(1)
    assert isinstance(told["issuedOn"], int)
    assert len(str(told["issuedOn"])) == 10
    assert told["comment"] == "Well done."


def test_a_milestone_names_the_badge_that_completed_it_and_its_assertion_the_right_one(
    hooked: RunningSandbox, hook: Hook
) -> None:
    for badge in ("city-explorer", "city-guide"):
        hooked.control("POST", f"{SYSTEM}/instances", {"badge": badge, "email": EMAIL})
    told = hook.messages(3)
    [milestone] = [one for one in told if "comment" not in one]
    assert milestone["badge"]["slug"] == "city-guide"
    body, webhooks = json.dumps(milestone).encode(), BadgeKitWebhooks()
    changes = webhooks.event(None, webhooks.read(WebhookRequest(body=body)), body).changes
    assert changes[-1].badge.template_external_id == "city-friend"  # type: ignore[union-attr]


def test_a_review_and_each_change_of_it_are_told(hooked: RunningSandbox, hook: Hook) -> None:
    required, other = criteria(hooked)
    values = {"badge": "city-explorer", "learner": EMAIL, "author": "ben@example.com", "comment": "Almost."}
    items = [{"criterionId": other["id"], "satisfied": 1, "comment": ""}]
    made = hooked.control("POST", f"{SYSTEM}/reviews", {**values, "reviewItems": items})
    items = [*items, {"criterionId": required["id"], "satisfied": "1", "comment": "Now."}]
    hooked.control("POST", f"{SYSTEM}/reviews", {**values, **made, "reviewItems": items})
    told = sorted(hook.messages(2), key=lambda one: one["approved"])
    assert [one["approved"] for one in told] == [False, True]
    assert {one["review"]["slug"] for one in told} == {made["review"]}
    assert {one["application"]["slug"] for one in told} == {made["application"]}
    assert told[1]["application"]["learner"] == EMAIL
    assert told[1]["application"]["badge"]["slug"] == "city-explorer"
    assert told[1]["review"]["reviewItems"] == items


def test_what_it_sends_is_what_the_app_reads(hooked: RunningSandbox, hook: Hook) -> None:
    hooked.control("POST", f"{SYSTEM}/instances", {"badge": "city-explorer", "email": EMAIL})
    request = hook.received.get(timeout=20)
    webhooks = BadgeKitWebhooks()
    assert webhooks.is_genuine(request, [SECRET])
    assert webhooks.read(request).event_type == "award"


def test_without_a_webhook_nobody_is_called(hooked: RunningSandbox, hook: Hook) -> None:
    hooked.control("POST", SYSTEM, {"webhook": None})
    hooked.control("POST", f"{SYSTEM}/instances", {"badge": "city-explorer", "email": EMAIL})
    hooked.control("POST", SYSTEM, {"webhook": {"url": hook.url, "secret": SECRET}})
    hooked.control("POST", f"{SYSTEM}/instances", {"badge": "city-guide", "email": "other@example.com"})
    assert [one["badge"]["slug"] for one in hook.messages(1)] == ["city-guide"]


def test_no_secret_is_shown(hooked: RunningSandbox) -> None:
    shown = json.dumps(hooked.state())
    for secret in (SECRET, seed.BADGEKIT_SECRET, seed.BADGEKIT_MASTER_SECRET):
        assert secret not in shown


# Its authentication.
def get(sandbox: RunningSandbox, path: str = f"systems/{seed.BADGEKIT_SYSTEM}", **changes: Any) -> requests.Response:
    """A call with a header that is right but for what is said."""
    values = {
        "key": seed.BADGEKIT_KEY,
        "secret": seed.BADGEKIT_SECRET,
        "method": "GET",
        "path": changes.pop("signed", f"/badgekit/{path}"),
        "body": b"",
        **changes,
    }
    headers = {"Authorization": authorization(**values)}
    return requests.get(f"{sandbox.badgekit_api_url}{path}", headers=headers, timeout=10)


def test_a_request_that_is_signed_is_answered(sandbox: RunningSandbox) -> None:
    assert get(sandbox).json()["system"]["name"] == "Sandbox City"
    assert get(sandbox, key="master", secret=seed.BADGEKIT_MASTER_SECRET).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "wrong"},
        {"key": "master"},
        {"key": "nobody"},
        {"method": "POST"},
        {"signed": "/systems/sandbox-city"},
        {"signed": "/badgekit/systems/sandbox-city?page=1"},
    ],
)
def test_a_request_that_is_signed_otherwise_is_refused(sandbox: RunningSandbox, changes: dict[str, str]) -> None:
    answer = get(sandbox, **changes)
    assert (answer.status_code, answer.json()["code"]) == (403, "NotAuthorized")


def test_a_request_without_a_signature_is_refused(sandbox: RunningSandbox) -> None:
    answer = requests.get(f"{sandbox.badgekit_api_url}systems/{seed.BADGEKIT_SYSTEM}", timeout=10)
    assert answer.status_code == 403


def test_a_body_that_was_changed_on_the_way_is_refused(sandbox: RunningSandbox) -> None:
    path = f"systems/{seed.BADGEKIT_SYSTEM}/badges/city-explorer/instances"
    value = authorization(seed.BADGEKIT_KEY, seed.BADGEKIT_SECRET, "POST", f"/badgekit/{path}", b'{"email": "a@b.de"}')
    answer = requests.post(
        f"{sandbox.badgekit_api_url}{path}", data=b'{"email": "x@b.de"}', headers={"Authorization": value}, timeout=10
    )
    assert answer.status_code == 403
    assert sandbox.state()["badgekit"]["instances"] == []


def test_a_consumers_key_is_bound_to_its_system(sandbox: RunningSandbox) -> None:
    assert get(sandbox, f"systems/{seed.LARGE_BADGEKIT_SYSTEM}").status_code == 403


def test_a_key_that_is_switched_off_is_refused(sandbox: RunningSandbox) -> None:
    sandbox.control("POST", SYSTEM, {"expired": True})
    assert get(sandbox).status_code == 403


# Its data.
@pytest.mark.parametrize("issued_on", [1400094712, "2026-04-01T23:41:00Z", "soon"])
def test_a_time_that_its_database_does_not_take_is_an_error(provider: Provider, issued_on: Any) -> None:
    path = f"/badgekit/systems/{seed.BADGEKIT_SYSTEM}/badges/city-explorer/instances"
    body = json.dumps({"email": EMAIL, "issuedOn": issued_on}).encode()
    value = authorization(seed.BADGEKIT_KEY, seed.BADGEKIT_SECRET, "POST", path, body)
    url = provider.settings.api_base_url.removesuffix("/badgekit/") + path
    answer = requests.post(url, data=body, headers={"Authorization": value}, timeout=10)
    assert answer.status_code == 500


def test_the_learners_own_spelling_of_an_address_is_the_same_address(provider: Provider) -> None:
    award = make_award("city-explorer")
    issued = provider.issue(award)
    assert provider.find_issued(evolve(award, email=award.email.upper())) == issued
