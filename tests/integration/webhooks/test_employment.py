"""Employees and their badges follow what the provider tells of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from attrs import asdict, evolve
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.changes import EmployeeBadgeData, EmploymentData
from badges.models import CredlyOrganization, EmployeeBadge, EmployeeRecord
from badges.webhooks.applying.employment import link_employees
from tests.factories import CredlyOrganizationFactory, UserFactory, moment
from tests.integration.test_races import at_once
from tests.integration.webhooks.employees import EMAIL, EMPLOYMENT_ID, FULL, apply, badge, change, minimal, now_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> CredlyOrganization:
    organization: CredlyOrganization = CredlyOrganizationFactory()
    return organization


def test_every_field_of_an_employee_is_stored(account: CredlyOrganization) -> None:
    (told,) = apply(account, change(1))

    record = EmployeeRecord.objects.get()
    assert {name: getattr(record, name) for name in asdict(FULL)} == asdict(FULL)
    assert (record.as_of, record.badges_refreshed_at, record.is_minimal, record.deleted_at) == (
        moment(1),
        moment(1),
        False,
        None,
    )
    assert told == "The employee's record was made."


def test_every_field_of_a_badge_is_stored(account: CredlyOrganization) -> None:
    (told,) = apply(account, change(1, badge(1), badge(2, is_public=None, expires_at=None)))

    rows = {row.external_id: row for row in EmployeeBadge.objects.all()}
    for given in (badge(1), badge(2, is_public=None, expires_at=None)):
        values = {**asdict(given), "skills": list(given.skills)}
        assert {name: getattr(rows[given.external_id], name) for name in values} == values
    assert told == "The employee's record was made. 2 badges were added."


def test_badges_that_cannot_be_seen_any_more_are_deleted(account: CredlyOrganization) -> None:
    *_, told = apply(
        account, change(1, badge(1), badge(2), badge(3)), change(2, badge(2), badge(3, state="expired"), badge(4))
    )

    assert {row.template_name: row.state for row in EmployeeBadge.objects.all()} == {
        "Badge Template 2": "accepted",
        "Badge Template 3": "expired",
        "Badge Template 4": "accepted",
    }
    assert told == ("The employee's record was updated. 1 badge was added. 1 badge was changed. 1 badge was removed.")


def test_a_badge_that_was_added_makes_the_record_of_an_employee_who_is_not_known(account: CredlyOrganization) -> None:
    apply(account, change(1, badges=None, added=badge(1)))

    assert EmployeeRecord.objects.get().full_name == "John Doe"
    assert [row.template_name for row in EmployeeBadge.objects.all()] == ["Badge Template 1"]


def test_an_event_without_a_list_changes_the_badge_that_it_is_about_and_no_other(account: CredlyOrganization) -> None:
    apply(
        account,
        change(1, badge(1), badge(2)),
        change(2, badges=None, added=badge(3)),
        change(3, badges=None, removed=badge(1).external_id),
    )

    visible = EmployeeBadge.objects.filter(is_visible=True)
    assert {row.template_name for row in visible} == {"Badge Template 2", "Badge Template 3"}


def test_nothing_is_kept_of_a_badge_that_was_taken_away(account: CredlyOrganization) -> None:
    apply(account, change(1, badge(1)), change(2, badges=None, removed=badge(1).external_id))

    row = EmployeeBadge.objects.get()
    assert not row.is_visible
    assert (row.issued_to, row.template_name, row.url, row.skills, row.issued_at) == ("", "", "", [], None)


def test_what_an_event_is_about_weighs_more_than_its_list(account: CredlyOrganization) -> None:
    apply(account, change(1, badge(1), badge(2), removed=badge(1).external_id), change(2, badge(2), added=badge(3)))

    assert {row.template_name for row in EmployeeBadge.objects.all()} == {"Badge Template 2", "Badge Template 3"}


def test_the_same_event_twice_changes_nothing_and_writes_nothing(account: CredlyOrganization) -> None:
    apply(account, change(1, badge(1)))
    record = EmployeeRecord.objects.get()

    assert apply(account, change(1, badge(1))) == [""]
    assert EmployeeRecord.objects.get().modified == record.modified


def test_an_older_event_changes_nothing(account: CredlyOrganization) -> None:
    apply(account, change(2, badge(1)))
    before = now_of(account)

    assert apply(account, change(1, badge(2), employment=evolve(FULL, department="Sales"))) == [""]
    assert now_of(account) == before


def test_a_newer_event_that_says_the_same_is_no_news(account: CredlyOrganization) -> None:
    apply(account, change(1, badge(1)))

    assert apply(account, change(2, badge(1))) == [""]
    assert EmployeeRecord.objects.get().as_of == moment(2)


def test_of_a_deleted_employee_nothing_is_left_but_the_identifier(account: CredlyOrganization) -> None:
    UserFactory(email=EMAIL)
    apply(account, change(1, badge(1), has_provider_user=True))
    (told,) = apply(account, minimal(2, is_deleted=True))

    record = EmployeeRecord.objects.get()
    assert not any(getattr(record, name) for name in asdict(FULL) if name != "employment_id")
    assert (record.user, record.has_provider_user, record.badges.count()) == (None, None, 0)
    assert (record.employment_id, record.is_minimal, record.deleted_at) == (EMPLOYMENT_ID, True, moment(2))
    assert told == "The provider deleted the employee's record: it was emptied here."


def test_of_an_employee_who_is_not_shown_any_more_the_identifiers_are_left(account: CredlyOrganization) -> None:
    learner = UserFactory(email=EMAIL)
    apply(account, change(1, badge(1)), minimal(2))

    record = EmployeeRecord.objects.get()
    kept = {"employment_id", "email", "external_id"}
    assert {name for name in asdict(FULL) if getattr(record, name)} == kept
    assert (record.user, record.is_minimal, record.deleted_at, record.badges.count()) == (learner, True, None, 0)


def test_a_deletion_of_an_employee_who_was_never_known_keeps_older_events_away(account: CredlyOrganization) -> None:
    apply(account, minimal(2, is_deleted=True), change(1, badge(1)))

    assert EmployeeRecord.objects.get().full_name == ""
    assert not EmployeeBadge.objects.exists()


def test_a_deletion_wins_a_tie_whatever_comes_first(account: CredlyOrganization) -> None:
    other = CredlyOrganizationFactory()
    deletion, update = minimal(2, is_deleted=True), change(2, badge(1))
    apply(account, deletion, update)
    apply(other, update, deletion)

    assert now_of(account) == now_of(other)
    assert now_of(account)["deleted_at"] == moment(2)


def test_a_record_that_is_made_again_is_filled_again(account: CredlyOrganization) -> None:
    *_, told = apply(account, change(1, badge(1)), minimal(2, is_deleted=True), change(3, badge(2)))

    record = EmployeeRecord.objects.get()
    assert (record.full_name, record.deleted_at, record.is_minimal) == ("John Doe", None, False)
    assert [row.template_name for row in record.badges.all()] == ["Badge Template 2"]
    assert told == "The employee's record was filled again. 1 badge was added."


def test_an_accepted_connection_refreshes_all_badges(account: CredlyOrganization) -> None:
    apply(account, change(1, badge(1)), change(2, badge(2), badge(3), is_connected=True))

    record = EmployeeRecord.objects.get()
    assert {row.template_name for row in record.badges.all()} == {"Badge Template 2", "Badge Template 3"}
    assert record.badges_refreshed_at == moment(2)


def test_an_accepted_connection_without_a_list_is_noted(account: CredlyOrganization) -> None:
    (told,) = apply(account, change(1, badges=None, is_connected=True))

    assert told.endswith("The provider did not list the badges; the next event that does refreshes them.")
    assert EmployeeRecord.objects.get().badges_refreshed_at is None


def test_whether_there_is_an_account_at_the_provider_is_kept_by_events_that_do_not_say(
    account: CredlyOrganization,
) -> None:
    apply(account, change(1, has_provider_user=True), change(2, badge(1)))
    assert EmployeeRecord.objects.get().has_provider_user is True

    apply(account, change(4), change(3, has_provider_user=False))
    assert EmployeeRecord.objects.get().has_provider_user is False


class TestLearners:
    def test_an_employee_is_linked_to_the_learner_with_the_address_in_whatever_case(
        self, account: CredlyOrganization
    ) -> None:
        learner = UserFactory(email=EMAIL.upper())
        apply(account, change(1))

        assert EmployeeRecord.objects.get().user == learner

    @pytest.mark.parametrize("others", [[{}, {}], [{"is_active": False}], []], ids=["two", "inactive", "nobody"])
    def test_no_learner_is_linked_where_it_is_not_exactly_one(
        self, account: CredlyOrganization, others: list[dict[str, Any]]
    ) -> None:
        for values in others:
            UserFactory(email=EMAIL, **values)
        apply(account, change(1))

        assert EmployeeRecord.objects.get().user is None

    def test_the_link_follows_the_address(self, account: CredlyOrganization) -> None:
        UserFactory(email=EMAIL)
        other = UserFactory(email="other@example.com")
        apply(account, change(1), change(2, employment=evolve(FULL, email="Other@example.com")))
        assert EmployeeRecord.objects.get().user == other

        apply(account, change(3, employment=evolve(FULL, email="nobody@example.com")))
        assert EmployeeRecord.objects.get().user is None

    def test_a_learner_who_comes_later_is_linked_at_the_next_event(self, account: CredlyOrganization) -> None:
        apply(account, change(1))
        learner = UserFactory(email=EMAIL)
        apply(account, change(2))

        assert EmployeeRecord.objects.get().user == learner

    def test_learners_who_came_later_are_linked_without_an_event(self, account: CredlyOrganization) -> None:
        apply(account, change(1))
        apply(CredlyOrganizationFactory(), change(1, employment=evolve(FULL, email="nobody@example.com")))
        learner = UserFactory(email=EMAIL)

        assert (link_employees(), link_employees()) == (1, 0)
        assert EmployeeRecord.objects.get(account=account).user == learner


STRANGE = "\x00\ud800<script>" + "x" * 2000


def test_texts_of_strangers_are_cleaned_and_cut(account: CredlyOrganization) -> None:
    texts: dict[str, Any] = {name: STRANGE for name, value in asdict(FULL).items() if isinstance(value, str)}
    told = EmploymentData(**{**texts, "employment_id": EMPLOYMENT_ID, "employed_since": moment(1)})
    strange: dict[str, Any] = {name: STRANGE for name, value in asdict(badge()).items() if isinstance(value, str)}
    given = EmployeeBadgeData(**{**strange, "external_id": "1", "skills": (STRANGE,) * 1000})
    apply(account, change(1, given, employment=told))

    record, row = EmployeeRecord.objects.get(), EmployeeBadge.objects.get()
    assert record.first_name.startswith("\ufffd?<script>xxx")
    assert (len(record.first_name), len(record.zip_code)) == (255, 50)
    assert (record.email, record.photo_url, row.url, row.template_image_url) == ("", "", "", "")
    assert (len(row.skills), len(row.skills[0]), len(row.template_description)) == (200, 255, 2010)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//example.com/x", "https://", "ftp://example.com/", "http:x"]
)
def test_only_web_addresses_are_kept(account: CredlyOrganization, url: str) -> None:
    apply(account, change(1, badge(1, url=url, issuer_image_url=url), employment=evolve(FULL, photo_url=url)))

    row = EmployeeBadge.objects.get()
    assert (EmployeeRecord.objects.get().photo_url, row.url, row.issuer_image_url) == ("", "", "")


@pytest.mark.parametrize("employment_id", ["", " ", "a" * 65, "é", "a b", "\x00", "../x"])
def test_an_event_without_an_identifier_changes_nothing(account: CredlyOrganization, employment_id: str) -> None:
    (told,) = apply(account, change(1, employment=evolve(FULL, employment_id=employment_id)))

    assert told == "The event names no employee, or no time."
    assert not EmployeeRecord.objects.exists()


def test_a_badge_that_is_listed_twice_or_without_identifier_does_no_harm(account: CredlyOrganization) -> None:
    listed = (badge(external_id="A-1", state="pending"), badge(external_id="a-1"), badge(external_id="x" * 65))
    apply(account, change(1, *listed))

    assert EmployeeBadge.objects.get().state == "accepted"


def test_what_is_said_names_nobody(account: CredlyOrganization) -> None:
    steps = [
        change(1, badge(1)),
        change(2, badge(1, state="expired"), badge(2)),
        change(3, badge(2)),
        minimal(4),
        change(5),
        minimal(6, is_deleted=True),
    ]
    for told in apply(account, *steps):
        assert told
        assert not [word for word in ("John", "Doe", EMAIL, "ext-id", EMPLOYMENT_ID, "Alfred") if word in told]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no locks on rows")
def test_the_record_is_locked_and_nothing_else(account: CredlyOrganization) -> None:
    apply(account, change(1))
    with CaptureQueriesContext(connection) as queries:
        apply(account, change(2, badge(1)))

    locking = [one["sql"] for one in queries if one["sql"].endswith("FOR UPDATE")]
    assert len(locking) == 1
    assert "badging_provideraccount" not in locking[0]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
@pytest.mark.django_db(transaction=True)
def test_workers_that_make_one_record_at_the_same_time_make_one(account: CredlyOrganization) -> None:
    for number in range(20):
        employment = evolve(FULL, employment_id=f"{EMPLOYMENT_ID}-{number}")
        at_once(
            *(partial(apply, account, change(at, badge(at), employment=employment)) for at in (1, 2, 3)),
        )

    assert EmployeeRecord.objects.count() == 20
    assert set(EmployeeRecord.objects.values_list("as_of", flat=True)) == {moment(3)}
    assert set(EmployeeBadge.objects.values_list("template_name", flat=True)) == {"Badge Template 3"}
