"""The webhooks that the provider sandbox posts, to a receiver with real HTTP; and the events behind them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from demo.processes import wait_until
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.receiver import Receiver, receiving
from tests.acceptance.test_sandbox import BASIC, badge_body

pytestmark = pytest.mark.any_database
FAST = [0.01, 0.02, 0.03]


@pytest.fixture
def receiver(sandbox: RunningSandbox) -> Iterator[Receiver]:
    """Where the organization's events are posted; with retries that come soon."""
    with receiving() as running:
        sandbox.set_webhook_url(seed.ORGANIZATION_ID, f"{running.url}/hook/secret/")
        sandbox.webhooks(retries=FAST)
        yield running


def issue(sandbox: RunningSandbox, **values: Any) -> str:
    """Somebody issues a badge on Credly's pages; gives its id."""
    body = {"organization": seed.ORGANIZATION_ID, **badge_body(**values)}
    return str(sandbox.control("POST", "badges", body)["id"])


def settled(sandbox: RunningSandbox) -> dict[str, Any]:
    """What was sent, when nothing waits any more."""

    def is_settled() -> dict[str, Any]:
        state = sandbox.webhooks()
        return {} if state["waiting"] or state["retrying"] or state["in_progress"] else state

    return wait_until(is_settled, "everything is sent")


def event(sandbox: RunningSandbox, event_id: str) -> dict[str, Any]:
    """The event as Credly's API shows it."""
    url = f"{sandbox.credly_api_url}organizations/{seed.ORGANIZATION_ID}/events/{event_id}"
    answer = requests.get(url, auth=BASIC, timeout=5)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["data"]
    return found


def events_of(sandbox: RunningSandbox, receiver: Receiver, event_type: str) -> list[dict[str, Any]]:
    """The events of a type that were posted, as Credly's API shows them."""
    settled(sandbox)
    return [event(sandbox, one.body["id"]) for one in receiver.requests if one.event_type == event_type]


def test_a_post_has_the_four_values_of_the_document_and_nothing_else(sandbox, receiver):
    issue(sandbox)
    settled(sandbox)
    first = min(receiver.requests, key=lambda one: one.event_type)
    assert set(first.body) == {"id", "organization_id", "event_type", "occurred_at"}
    assert (first.body["event_type"], first.body["organization_id"]) == ("badge.created", seed.ORGANIZATION_ID)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.body["occurred_at"])
    assert (first.path, first.headers["content-type"]) == ("/hook/secret/", "application/json")


def test_what_happens_to_a_badge_is_told_with_the_badge_as_it_was_then(sandbox, receiver):
    badge = issue(sandbox)
    sandbox.accept(badge)
    sandbox.set_public(badge, public=False)
    sandbox.revoke_badge(badge)
    sandbox.delete_badge(badge)
    told = events_of(sandbox, receiver, "badge.state.changed")
    assert sorted(one["badge"]["state"] for one in told) == ["accepted", "revoked"]
    [hidden] = events_of(sandbox, receiver, "badge.privacy.changed")
    [gone] = events_of(sandbox, receiver, "badge.deleted")
    [made] = events_of(sandbox, receiver, "badge.created")
    assert [one["badge"]["state"] for one in (made, hidden, gone)] == ["pending", "accepted", "revoked"]
    assert [one["badge"]["public"] for one in (made, hidden, gone)] == [False, False, False]
    assert {one["badge"]["id"] for one in (*told, hidden, gone, made)} == {badge}


def test_an_event_may_show_the_badge_as_it_is_now(sandbox, receiver):
    sandbox.webhooks(snapshots=False)
    badge = issue(sandbox)
    sandbox.accept(badge)
    [made] = events_of(sandbox, receiver, "badge.created")
    assert made["badge"]["state"] == "accepted"
    sandbox.delete_badge(badge)
    assert event(sandbox, made["id"])["badge"]["state"] == "pending"


@pytest.mark.parametrize(("act", "state"), [("accept", "accepted"), ("reject", "rejected")])
def test_what_a_learner_does_on_the_page_is_posted(sandbox, receiver, act, state):
    badge = issue(sandbox)
    requests.post(f"{sandbox.url}/credly/badges/{badge}/{act}", timeout=5)
    assert [one["badge"]["state"] for one in events_of(sandbox, receiver, "badge.state.changed")] == [state]


def test_a_learner_hides_a_badge_on_its_page_and_shows_it_again(sandbox, receiver):
    badge = issue(sandbox)
    sandbox.accept(badge)
    page = f"{sandbox.url}/credly/badges/{badge}"
    assert "Hide this badge" in requests.get(page, timeout=5).text
    assert "Show this badge" in requests.post(f"{page}/hide", timeout=5).text
    assert "Hide this badge" in requests.post(f"{page}/show", timeout=5).text
    assert sorted(one["badge"]["public"] for one in events_of(sandbox, receiver, "badge.privacy.changed")) == [
        False,
        True,
    ]


def test_what_is_seen_by_everybody_is_told_by_the_events_of_public_badges(sandbox, receiver):
    badge = issue(sandbox)
    sandbox.accept(badge)
    sandbox.set_public(badge, public=False)
    [added] = events_of(sandbox, receiver, "user.public_badges.added")
    [removed] = events_of(sandbox, receiver, "user.public_badges.removed")
    assert added["badge"]["id"] == removed["badge"]["id"] == badge
    assert receiver.types().count("user.public_badges.changed") == 2


@pytest.mark.parametrize(
    ("account", "told"), [("confirmed", "sent"), ("none", "no_user.sent"), ("unconfirmed", "unconfirmed_email.sent")]
)
def test_who_has_not_claimed_a_badge_is_notified(sandbox, receiver, account, told):
    sandbox.control("POST", "learners", {"email": "anna@example.com", "account": account})
    badge = issue(sandbox)
    sandbox.control("POST", f"badges/{badge}/notify")
    shown = events_of(sandbox, receiver, f"pending_badge_notification.{told}")
    assert [one["badge"]["id"] for one in shown] == [badge, badge]


def test_a_replaced_badge_and_the_new_one_are_told(sandbox, receiver):
    old = issue(sandbox)
    new = sandbox.control("POST", f"badges/{old}/replace", {})["id"]
    [changed] = events_of(sandbox, receiver, "badge.state.changed")
    assert (changed["badge"]["state"], changed["badge"]["replacement_badge_id"]) == ("replaced", new)
    made = {
        one["badge"]["id"]: one["badge"]["replaces_badge_id"] for one in events_of(sandbox, receiver, "badge.created")
    }
    assert made == {old: None, new: old}


def test_what_happens_to_a_template_is_told(sandbox, receiver):
    made = sandbox.control("POST", "templates", {"organization": seed.ORGANIZATION_ID, "name": "New"})["id"]
    sandbox.control("POST", "templates", {"organization": seed.ORGANIZATION_ID, "id": made, "state": "archived"})
    sandbox.control("DELETE", f"templates/{made}")
    shown = [*(events_of(sandbox, receiver, f"badge_template.{what}") for what in ("created", "changed", "deleted"))]
    assert [[one["badge_template"]["state"] for one in each] for each in shown] == [
        ["active"],
        ["archived"],
        ["archived"],
    ]


def test_a_badge_issued_for_another_organization_is_told_to_both(sandbox, receiver):
    ours = {"organization": seed.ORGANIZATION_ID, "id": seed.template_id("python-basics")}
    sandbox.control("POST", "templates", {**ours, "authorized_issuer": seed.LARGE_ORGANIZATION_ID})
    sandbox.control("POST", "badges", {"organization": seed.LARGE_ORGANIZATION_ID, **badge_body()})
    [made] = events_of(sandbox, receiver, "badge.created")
    entities = [(one["label"], one["entity"]["id"]) for one in made["badge"]["issuer"]["entities"]]
    assert entities == [("Issued by", seed.LARGE_ORGANIZATION_ID), ("Authorized by", seed.ORGANIZATION_ID)]
    told = [
        one["organization_id"] for one in sandbox.state()["credly"]["events"] if one["event_type"] == "badge.created"
    ]
    assert sorted(told) == [seed.ORGANIZATION_ID, seed.LARGE_ORGANIZATION_ID]


def test_an_organization_gives_its_address_in_its_profile_and_no_state_shows_it(sandbox, receiver):
    url = f"{sandbox.credly_api_url}organizations/{seed.ORGANIZATION_ID}"
    address = f"{receiver.url}/another/secret/"
    answer = requests.put(url, auth=BASIC, json={"webhook_url": address, "bio": "Old and wise."}, timeout=5)
    assert (answer.status_code, answer.json()["data"]["webhook_url"]) == (200, address)
    assert requests.put(url, auth=BASIC, json={"webhook_url": 7}, timeout=5).status_code == 422
    issue(sandbox)
    settled(sandbox)
    assert {one.path for one in receiver.requests} == {"/another/secret/"}
    assert address not in str(sandbox.state())


def test_only_the_events_that_are_wanted_are_posted(sandbox, receiver):
    sandbox.set_webhook_url(seed.ORGANIZATION_ID, receiver.url, ["badge.state.changed"])
    sandbox.accept(issue(sandbox))
    settled(sandbox)
    assert receiver.types() == ["badge.state.changed"]


@pytest.mark.parametrize("status", [0, 201, 204, 302, 404, 500])
def test_whatever_is_not_200_is_tried_again(sandbox, receiver, status):
    sandbox.set_webhook_url(seed.ORGANIZATION_ID, receiver.url, ["badge.created"])
    answers = iter([status, status])
    receiver.answer = lambda received: next(answers, 200)
    issue(sandbox)
    sent = settled(sandbox)
    assert [one.body for one in receiver.requests] == [receiver.requests[0].body] * 3
    assert sent["answers"] == {str(status or "none"): 2, "200": 1}
    assert (sent["sent"], sent["delivered"], sent["given_up"]) == (3, 1, 0)


def test_an_answer_that_does_not_come_soon_is_none(sandbox, receiver):
    sandbox.webhooks(timeout=0.1, retries=[])
    sandbox.set_webhook_url(seed.ORGANIZATION_ID, receiver.url, ["badge.created"])
    free = threading.Event()
    receiver.answer = lambda received: 200 if free.wait(10) else 500
    issue(sandbox)
    sent = settled(sandbox)
    free.set()
    assert (sent["answers"], sent["given_up"]) == ({"none": 1}, 1)


def test_after_the_last_retry_it_is_given_up(sandbox, receiver):
    sandbox.set_webhook_url(seed.ORGANIZATION_ID, receiver.url, ["badge.created"])
    receiver.answer = lambda received: 500
    issue(sandbox)
    sent = settled(sandbox)
    assert (len(receiver.requests), sent["given_up"]) == (1 + len(FAST), 1)


def test_retries_come_less_and_less_frequently_for_25_days(sandbox):
    retries = sandbox.webhooks()["options"]["retries"]
    assert retries == sorted(retries)
    assert 24 <= sum(retries) / 86_400 <= 25


def test_events_come_twice_and_in_disorder_where_that_is_wished(sandbox, receiver):
    sandbox.webhooks(duplicates=1, shuffle=0.3, seed=1)
    sandbox.set_webhook_url(seed.ORGANIZATION_ID, receiver.url, ["badge.created"])
    made = [issue(sandbox, recipient_email=f"learner{number}@example.com") for number in range(10)]
    sent = settled(sandbox)
    assert (sent["events"], sent["duplicates"], sent["delivered"]) == (10, 10, 20)
    told = [event(sandbox, one.body["id"])["badge"]["id"] for one in receiver.requests]
    assert sorted(told) == sorted([*made, *made])
    assert list(dict.fromkeys(told)) != made


@pytest.mark.parametrize(
    ("precision", "posted", "shown"), [("documented", 20, 24), ("milliseconds", 24, 24), ("seconds", 20, 24)]
)
def test_times_are_as_precise_as_wished(sandbox, receiver, precision, posted, shown):
    sandbox.webhooks(precision=precision)
    issue(sandbox)
    [made] = events_of(sandbox, receiver, "badge.created")
    [post] = [one.body for one in receiver.requests if one.event_type == "badge.created"]
    assert (len(post["occurred_at"]), len(made["occurred_at"])) == (posted, shown)
    if precision == "seconds":
        assert made["occurred_at"].endswith(".000Z")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("webhooks", {"duplicates": 2}),
        ("webhooks", {"retries": [True]}),
        ("webhooks", {"retries": [-1]}),
        ("webhooks", {"timeout": 0}),
        ("webhooks", {"precision": "years"}),
        ("webhooks", {"colour": "red"}),
        ("learners", {"email": "anna@example.com", "account": "many"}),
        ("badges", {"organization": "none"}),
        ("employees", {"organization": "none", "email": "anna@example.com"}),
        (f"organizations/{seed.ORGANIZATION_ID}", {"webhook_url": "ftp://example.com"}),
        (f"organizations/{seed.ORGANIZATION_ID}", {"allowed_webhooks": [1]}),
        ("many", {"calls": [1]}),
        ("many", {"calls": [{"path": "nowhere"}]}),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(sandbox, path, body):
    with pytest.raises(ValueError, match="refused POST"):
        sandbox.control("POST", path, body)
