"""The provider sandbox as a Workforce organization has it: employees, the badges that may be seen, their events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.receiver import Receiver, receiving
from tests.acceptance.test_sandbox import badge_body
from tests.acceptance.test_sandbox_webhooks import events_of, issue, settled

pytestmark = pytest.mark.any_database
EMPLOYMENT = {
    *("id", "email", "created_at", "employee_state", "employee_state_updated_at", "last_invitation_sent_at"),
    *("first_name", "last_name", "full_name", "photo_url", "team", "external_id", "position_title"),
    *("manager_first_name", "manager_last_name", "manager_external_id"),
    *("country", "zip_code", "state_or_province", "department", "badges"),
}
BADGE = {
    *("id", "issued_to", "issued_to_first_name", "issued_to_middle_name", "issued_to_last_name", "issued_at"),
    *("expires_at", "state", "public", "badge_url", "badge_template", "issuer"),
}
TEMPLATE = {"id", "image", "image_url", "description", "name", "skills"}
ISSUER = {"name", "image_url"}


@pytest.fixture
def receiver(sandbox: RunningSandbox) -> Iterator[Receiver]:
    """Where the employer's events are posted."""
    with receiving() as running:
        sandbox.control("POST", f"organizations/{seed.ORGANIZATION_ID}", {"workforce": True})
        sandbox.set_webhook_url(seed.ORGANIZATION_ID, running.url)
        yield running


@pytest.fixture
def employee(sandbox: RunningSandbox, receiver: Receiver) -> str:
    """Anna, employed."""
    values = {
        "email": "anna@example.com",
        "first_name": "Anna",
        "last_name": "Lee",
        "external_id": "ext-id",
        "department": "Engineering",
    }
    body = {"organization": seed.ORGANIZATION_ID, **values}
    return str(sandbox.control("POST", "employees", body)["id"])


def connect(sandbox: RunningSandbox, employee: str, state: str) -> None:
    sandbox.control("POST", f"employees/{employee}/connection", {"state": state})


def issued_by_another(sandbox: RunningSandbox, **values: Any) -> str:
    """A badge of another organization, accepted by its learner."""
    template = {"badge_template_id": seed.template_id("large-1")}
    badge = issue(sandbox, organization=seed.LARGE_ORGANIZATION_ID, **template, **values)
    sandbox.accept(badge)
    return badge


def employment_types(sandbox: RunningSandbox, receiver: Receiver) -> list[str]:
    settled(sandbox)
    return sorted(one.removeprefix("employment.") for one in receiver.types() if one.startswith("employment."))


def test_a_new_employee_is_shown_with_every_value_of_the_document(sandbox, receiver):
    issue(sandbox, issued_to_middle_name="Maria")
    sandbox.control("POST", "employees", {"organization": seed.ORGANIZATION_ID, "email": "anna@example.com"})
    [made] = events_of(sandbox, receiver, "employment.created")
    assert set(made) == {"id", "event_type", "organization_id", "occurred_at", "employment"}
    assert set(made["employment"]) == EMPLOYMENT
    [badge] = made["employment"]["badges"]
    assert (set(badge), set(badge["badge_template"]), set(badge["issuer"])) == (BADGE, TEMPLATE, ISSUER)
    assert (badge["issued_to"], badge["issuer"]["name"]) == ("Anna Maria Lee", "Sandbox University")
    assert badge["badge_template"]["skills"] == ["Python Basics", "Learning"]


def test_a_badge_that_is_added_is_shown_besides_all_of_them(sandbox, receiver, employee):
    first = issue(sandbox)
    second = issue(sandbox, badge_template_id=seed.template_id("data-science"))
    by_badge = {one["badge"]["id"]: one for one in events_of(sandbox, receiver, "employment.badges.added")}
    assert set(by_badge) == {first, second}
    assert [one["id"] for one in by_badge[second]["employment"]["badges"]] == [first, second]
    assert set(by_badge[second]["badge"]) == BADGE


def test_state_and_visibility_of_a_badge_that_the_employer_sees_are_told_without_the_badge(sandbox, receiver, employee):
    badge = issue(sandbox)
    sandbox.accept(badge)
    sandbox.set_public(badge, public=False)
    [state] = events_of(sandbox, receiver, "employment.badges.state_changed")
    assert "badge" not in state
    assert [one["state"] for one in state["employment"]["badges"]] == ["accepted"]
    # Accepting shows it to everybody as well.
    assert receiver.types().count("employment.badges.privacy_changed") == 2


def test_a_badge_that_is_gone_is_removed(sandbox, receiver, employee):
    badge = issue(sandbox)
    sandbox.delete_badge(badge)
    [gone] = events_of(sandbox, receiver, "employment.badges.removed")
    assert (gone["badge"]["id"], gone["employment"]["badges"]) == (badge, [])


def test_a_connection_that_is_accepted_shows_badges_of_others_at_once(sandbox, receiver, employee):
    badge = issued_by_another(sandbox)
    connect(sandbox, employee, "pending")
    connect(sandbox, employee, "accepted")
    [asked] = events_of(sandbox, receiver, "employment.connection.pending")
    [accepted] = events_of(sandbox, receiver, "employment.connection.accepted")
    assert (asked["employment"]["employee_state"], asked["employment"]["badges"]) == ("pending", [])
    assert [one["id"] for one in accepted["employment"]["badges"]] == [badge]
    assert employment_types(sandbox, receiver) == ["connection.accepted", "connection.pending", "created"]


def test_of_a_connected_employee_what_others_issue_is_added_and_hiding_it_removes_it(sandbox, receiver, employee):
    connect(sandbox, employee, "accepted")
    badge = issued_by_another(sandbox)
    sandbox.set_public(badge, public=False)
    for what in ("added", "removed"):
        [told] = events_of(sandbox, receiver, f"employment.badges.{what}")
        assert told["badge"]["id"] == badge


def test_an_associated_account_shows_the_badges_of_its_address(sandbox, receiver, employee):
    connect(sandbox, employee, "accepted")
    badge = issued_by_another(sandbox, recipient_email="anna.private@example.com")
    account = f"employees/{employee}/account"
    sandbox.control("POST", account, {"email": "anna.private@example.com"})
    sandbox.control("POST", account, {"email": None})
    connect(sandbox, employee, "rejected")
    [with_account] = events_of(sandbox, receiver, "employment.user_account.associated")
    [without] = events_of(sandbox, receiver, "employment.user_account.disassociated")
    [rejected] = events_of(sandbox, receiver, "employment.connection.rejected")
    assert [one["id"] for one in with_account["employment"]["badges"]] == [badge]
    assert without["employment"]["badges"] == rejected["employment"]["badges"] == []


def test_of_a_deleted_employee_little_is_shown(sandbox, receiver, employee):
    sandbox.control("DELETE", f"employees/{employee}")
    [gone] = events_of(sandbox, receiver, "employment.deleted")
    assert gone["employment"] == {"id": employee, "email": "anna@example.com", "external_id": "ext-id"}


def test_who_is_no_workforce_organization_any_more_is_shown_little(sandbox, receiver, employee):
    sandbox.control("POST", f"organizations/{seed.ORGANIZATION_ID}", {"workforce": False})
    [made] = events_of(sandbox, receiver, "employment.created")
    assert set(made["employment"]) == {"id", "email", "external_id"}


def test_without_workforce_nothing_is_told_of_employees(sandbox, receiver):
    sandbox.control("POST", f"organizations/{seed.ORGANIZATION_ID}", {"workforce": False})
    sandbox.control(
        "POST", "employees", {"organization": seed.ORGANIZATION_ID, "email": badge_body()["recipient_email"]}
    )
    issue(sandbox)
    assert employment_types(sandbox, receiver) == []


def test_an_event_may_show_the_employee_as_it_is_now(sandbox, receiver, employee):
    sandbox.webhooks(snapshots=False)
    badge = issue(sandbox)
    [made] = events_of(sandbox, receiver, "employment.created")
    assert [one["id"] for one in made["employment"]["badges"]] == [badge]
    sandbox.control("DELETE", f"employees/{employee}")
    [made] = events_of(sandbox, receiver, "employment.created")
    assert "badges" not in made["employment"]
