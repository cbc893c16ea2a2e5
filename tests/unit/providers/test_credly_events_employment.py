"""Credly's eleven ``employment.*`` event types, with the examples of its document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.changes import EmployeeBadgeData, EmploymentChange, EmploymentData
from badges.exceptions import ProviderError, UnexpectedAnswer
from badges.providers.credly.employment import EMPLOYMENT
from badges.providers.credly.events import EVENT_TYPES, read_event
from tests.credly_events import BADGE, ORGANIZATION, Held, badge, event, example, template

AT = datetime(2014, 4, 1, 14, 41, tzinfo=UTC)
WITH_ONE_BADGE = {"employment.badges.added", "employment.badges.removed"}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([BADGE, "\x00", "\ud800", "accepted", 10**400, "9999-12-31T23:59:59-23:59", "x" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*badge(), *template(), "badge", "badges", "badge_id", "employment", "badge_template"]),
            inner,
        )
    ),
    max_leaves=20,
)


def answer(name: str) -> Any:
    """An answer of the document, without its envelope."""
    return json.loads(example(name))["data"]


def change(data: Any, event_type: str | None = None) -> EmploymentChange:
    (found,), note = read_event(data, event_type or data["event_type"], AT, ORGANIZATION, Held())
    assert isinstance(found, EmploymentChange)
    assert note == ""
    return found


def test_employment_created_with_every_field_of_the_example() -> None:
    found = change(answer("employment_created_event"))
    assert found.employment == EmploymentData(
        employment_id="ba5cb1ed-0793-4164-a68b-a3fea142051e",
        email="email1@example.com",
        external_id="ext-id",
        employed_since=AT,
        employee_state="accepted",
        employee_state_updated_at=AT,
        first_name="John",
        last_name="Doe",
        full_name="John Doe",
        department="Engineering",
    )
    assert found.badges is not None
    assert [one.external_id for one in found.badges] == [
        "faa0629c-55f3-4293-9964-9346e22d2edd",
        "202f48ae-3379-4eec-aae2-24770544bc66",
        "44a515e7-ece6-497e-b1d0-6ab93a6997eb",
        "3fd71e3e-df71-43d6-8721-ce5b664f8506",
        "c5e12bab-e4d4-4762-abbf-02200a44db84",
    ]
    assert found.badges[0] == EmployeeBadgeData(
        external_id="faa0629c-55f3-4293-9964-9346e22d2edd",
        issued_to="Alfred Beaker Skiles",
        issued_to_first_name="Alfred",
        issued_to_middle_name="Beaker",
        issued_to_last_name="Skiles",
        issued_at=AT,
        expires_at=datetime(2016, 4, 1, 14, 41, tzinfo=UTC),
        state="accepted",
        is_public=True,
        url="https://localhost/badges/faa0629c-55f3-4293-9964-9346e22d2edd/userdataservice",
        template_external_id="83a895ad-1ef6-4b39-a8b7-e102c6c48926",
        template_name="Badge Template 3",
        template_description="Dynamically deliver go forward e-tailers",
        skills=("Skill 7", "Skill 8", "Skill 9"),
        issuer_name="Organization 4",
    )
    assert (found.at, found.added, found.removed) == (AT, None, "")
    assert (found.has_provider_user, found.is_connected, found.is_minimal, found.is_deleted) == (None, *3 * (False,))


def test_no_field_of_the_example_is_left_unread() -> None:
    data = answer("employment_created_event")
    filled: dict[str, Any] = {
        key: value if value is not None else f"the {key}" for key, value in data["employment"].items()
    }
    filled |= {"photo_url": "https://x.example/photo", "last_invitation_sent_at": "2014-04-02T00:00:00Z"}
    filled["badges"] = [
        {
            **one,
            "badge_template": {**one["badge_template"], "image_url": "https://x.example/image"},
            "issuer": {**one["issuer"], "image_url": "https://x.example/issuer"},
        }
        for one in filled["badges"]
    ]
    found = change({**data, "employment": filled})
    assert found.badges is not None
    unread = [
        name for one in (found.employment, found.badges[0]) for name, value in attrs.asdict(one).items() if not value
    ]
    assert unread == []


def test_employment_badges_added() -> None:
    found = change(answer("employment_badge_added_event"))
    assert found.badges is not None
    assert (len(found.badges), found.removed) == (6, "")
    assert found.added == found.badges[0]
    assert found.added.external_id == "f0a1ca9a-51a4-4ce3-b850-712b176d7e53"


def test_employment_badges_removed() -> None:
    found = change({**answer("employment_badge_added_event"), "event_type": "employment.badges.removed"})
    assert (found.added, found.removed) == (None, "f0a1ca9a-51a4-4ce3-b850-712b176d7e53")


@pytest.mark.parametrize("event_type", ["employment.badges.state_changed", "employment.badges.privacy_changed"])
def test_employment_badges_changed(event_type: str) -> None:
    data = answer("employment_created_event")
    data["employment"]["badges"][0] |= {"state": "revoked", "public": False}
    found = change(data, event_type)
    assert found.badges is not None
    assert [(one.state, one.is_public) for one in found.badges[:2]] == [("revoked", False), ("accepted", True)]


@pytest.mark.parametrize("state", ["pending", "accepted", "rejected"])
def test_employment_connection(state: str) -> None:
    data = answer("employment_created_event")
    data["employment"]["employee_state"] = state
    found = change(data, f"employment.connection.{state}")
    assert found.employment.employee_state == state
    assert found.is_connected == (state == "accepted")
    assert found.badges is not None
    assert len(found.badges) == 5


@pytest.mark.parametrize(("what", "has_user"), [("associated", True), ("disassociated", False)])
def test_employment_user_account(what: str, has_user: bool) -> None:
    found = change(answer("employment_created_event"), f"employment.user_account.{what}")
    assert found.has_provider_user is has_user


def test_employment_deleted() -> None:
    found = change(answer("employment_deleted_event"))
    assert found == EmploymentChange(
        EmploymentData("2dc325fc-f561-4277-b4cf-d0790d633c3f", "email1@example.com", "ext-id"),
        AT,
        is_minimal=True,
        is_deleted=True,
    )


def test_a_deletion_that_tells_more_than_it_should_is_minimal_all_the_same() -> None:
    found = change(answer("employment_created_event"), "employment.deleted")
    assert (found.employment.full_name, found.badges, found.is_minimal) == ("", None, True)


@pytest.mark.parametrize("event_type", sorted(EMPLOYMENT - {"employment.deleted"}))
def test_an_organization_that_is_not_authorized_is_shown_the_minimum(event_type: str) -> None:
    found = change(answer("employment_deleted_event"), event_type)
    assert (found.is_minimal, found.is_deleted, found.badges, found.added) == (True, False, None, None)


@pytest.mark.parametrize("badges", [None, "x", {}, [{"id": None}], [None], ["x"]])
def test_a_list_of_badges_that_cannot_be_read_whole_is_no_list(badges: Any) -> None:
    data = answer("employment_created_event")
    data["employment"]["badges"] = badges
    assert change(data).badges is None


def test_an_empty_list_of_badges_is_a_list() -> None:
    data = answer("employment_created_event")
    data["employment"]["badges"] = []
    assert change(data).badges == ()


def test_more_than_a_hundred_badges_are_all_read() -> None:
    data = answer("employment_created_event")
    data["employment"]["badges"] = [{"id": f"badge-{number}"} for number in range(500)]
    assert len(change(data).badges or ()) == 500


@pytest.mark.parametrize("event_type", sorted(EMPLOYMENT))
@pytest.mark.parametrize("employment", [None, {}, [], {"id": ""}, {"id": "x" * 65}, {"id": "\x00"}])
def test_an_employment_event_without_its_employee_is_an_unexpected_answer(event_type: str, employment: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        change(event(event_type, employment=employment))


def test_no_personal_data_stands_in_a_repr() -> None:
    shown = repr(change(answer("employment_created_event")))
    for private in ("email1", "Doe", "Skiles", "ext-id"):
        assert private not in shown


@given(
    st.sampled_from(sorted(EVENT_TYPES)),
    st.dictionaries(st.sampled_from(["badge", "badges", "badge_id", "badge_template", "employment", "user"]), JUNK),
)
def test_junk_raises_nothing_but_errors_of_the_provider(event_type: str, values: dict[str, Any]) -> None:
    try:
        found, note = read_event({**event(event_type), **values}, event_type, AT, ORGANIZATION, Held())
    except ProviderError:
        return
    assert found or note
