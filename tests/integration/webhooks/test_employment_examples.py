"""What the document's examples of Workforce events leave behind, as Credly answers them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from badges.models import CredlyOrganization, EmployeeBadge, EmployeeRecord
from tests.factories import CredlyOrganizationFactory, UserFactory
from tests.integration.webhooks.credly import apply_event, credly, make_world

pytestmark = pytest.mark.django_db
EXAMPLES = Path(__file__).parents[2] / "data" / "credly_webhooks"
ELEVEN = [
    *(f"employment.badges.{what}" for what in ("added", "removed", "state_changed", "privacy_changed")),
    *("employment.created", "employment.deleted"),
    *(f"employment.connection.{what}" for what in ("pending", "accepted", "rejected")),
    *("employment.user_account.associated", "employment.user_account.disassociated"),
]


@pytest.fixture
def account() -> CredlyOrganization:
    organization: CredlyOrganization = CredlyOrganizationFactory()
    return organization


def example(name: str, **values: Any) -> Any:
    """An answer of the document, with other values in it."""
    data = json.loads((EXAMPLES / f"{name}_event.json").read_text())["data"]
    return {**data, **values}


def happens(account: CredlyOrganization, answer: Any) -> list[str]:
    with transaction.atomic():
        return apply_event(answer, account)


def test_the_example_of_a_new_employee_is_stored_whole(account: CredlyOrganization) -> None:
    answer = example("employment_created")
    happens(account, answer)

    record, told = EmployeeRecord.objects.get(), answer["employment"]
    own = {"id": record.employment_id, "email": record.email, "external_id": record.external_id}
    assert own == {name: told[name] for name in own}
    assert (record.full_name, record.department, record.employee_state) == ("John Doe", "Engineering", "accepted")
    assert (record.team, record.photo_url, record.country, record.last_invitation_sent_at) == ("", "", "", None)
    badges = {row.external_id: row for row in record.badges.all()}
    assert set(badges) == {badge["id"] for badge in told["badges"]}
    for badge in told["badges"]:
        row = badges[badge["id"]]
        template, issuer = badge["badge_template"], badge["issuer"]
        assert (row.skills, row.template_name, row.issuer_name) == (
            template["skills"],
            template["name"],
            issuer["name"],
        )
        assert (row.state, row.is_public, row.issued_to) == (badge["state"], badge["public"], badge["issued_to"])
        assert row.issued_at == datetime(2014, 4, 1, 14, 41, tzinfo=UTC)
        assert row.url == badge["badge_url"]


def test_the_example_of_a_new_badge_makes_an_employee_who_is_not_known(account: CredlyOrganization) -> None:
    answer = example("employment_badge_added")
    happens(account, answer)

    assert set(EmployeeBadge.objects.values_list("external_id", flat=True)) == {
        badge["id"] for badge in answer["employment"]["badges"]
    }


def test_the_example_of_a_deleted_employee_empties_the_record(account: CredlyOrganization) -> None:
    created = example("employment_created")
    deleted = example("employment_deleted", occurred_at="2014-04-01T14:42:00.000Z")
    deleted["employment"]["id"] = created["employment"]["id"]
    happens(account, created)
    (told,) = happens(account, deleted)

    record = EmployeeRecord.objects.get()
    assert (record.email, record.external_id, record.full_name, record.badges.count()) == ("", "", "", 0)
    assert told == "The provider deleted the employee's record: it was emptied here."


@pytest.mark.parametrize("event_type", ELEVEN)
def test_an_answer_to_an_organization_without_authorization_empties_the_record(
    account: CredlyOrganization, event_type: str
) -> None:
    created = example("employment_created")
    minimal = example("employment_deleted", event_type=event_type, occurred_at="2014-04-01T14:42:00.000Z")
    minimal["employment"]["id"] = created["employment"]["id"]
    happens(account, created)
    happens(account, minimal)

    record = EmployeeRecord.objects.get()
    assert (record.full_name, record.is_minimal, record.badges.count()) == ("", True, 0)
    assert (record.deleted_at is not None) == (event_type == "employment.deleted")


@pytest.mark.parametrize("event_type", [one for one in ELEVEN if one != "employment.deleted"])
def test_every_other_event_brings_the_whole_record_and_all_badges(account: CredlyOrganization, event_type: str) -> None:
    name = "employment_badge_added" if event_type.startswith("employment.badges") else "employment_created"
    answer = example(name, event_type=event_type)
    if event_type.endswith("removed"):
        answer["employment"]["badges"] = answer["employment"]["badges"][1:]
    happens(account, answer)

    record = EmployeeRecord.objects.get()
    assert (record.full_name, record.is_minimal) == ("John Doe", False)
    assert record.badges_refreshed_at == record.as_of
    assert set(record.badges.values_list("external_id", flat=True)) == {
        badge["id"] for badge in answer["employment"]["badges"]
    }
    expected = {"associated": True, "disassociated": False}.get(event_type.rpartition(".")[2])
    assert record.has_provider_user is expected


def test_an_event_is_posted_confirmed_and_mirrored() -> None:
    with credly() as mock:
        world = make_world(mock)
        learner = UserFactory(email="email1@example.com")
        row = world.tell(example("employment_created", organization_id=world.account.external_id))

    assert (row.status, row.note) == ("processed", "The employee's record was made. 5 badges were added.")
    assert EmployeeRecord.objects.get().user == learner
    assert "email1" not in row.body
