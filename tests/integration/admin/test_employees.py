"""The screen of employees: who they are here and at the provider, and which badges the employer may see."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from badges.models import EmployeeBadge, EmployeeRecord
from tests import factories
from tests.integration.admin.pages import Staff, act, url

pytestmark = pytest.mark.django_db
MODEL = "employeerecord"


def shown(response: Any) -> set[str]:
    """The names in a list."""
    assert response.status_code == 200
    return {row.full_name for row in response.context["cl"].result_list}


def page_of(client: Client, employee: Any) -> str:
    response = client.get(url(MODEL, employee.pk, "change"))
    assert response.status_code == 200
    return str(response.content.decode())


def test_the_list_tells_who_and_how_many_badges(admin_client: Client) -> None:
    learner = factories.UserFactory(username="anna")
    employee = factories.EmployeeRecordFactory(
        full_name="John Doe", department="Engineering", employee_state="accepted", user=learner
    )
    factories.EmployeeBadgeFactory.create_batch(2, employee=employee)
    factories.EmployeeBadgeFactory(employee=employee, is_visible=False)

    page = admin_client.get(url(MODEL)).content.decode()

    for told in ("John Doe", "Engineering", "accepted", "anna", str(employee.account)):
        assert told in page
    assert '<td class="field-number_of_badges">2</td>' in page


def test_the_list_costs_the_same_for_one_and_for_many(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    factories.EmployeeBadgeFactory(employee__user=factories.UserFactory())
    with django_assert_max_num_queries(20) as few:
        admin_client.get(url(MODEL))
    for _ in range(10):
        factories.EmployeeBadgeFactory(employee__user=factories.UserFactory())
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert len(shown(admin_client.get(url(MODEL)))) == 11


def test_a_page_costs_the_same_for_one_badge_and_for_many(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    employee = factories.EmployeeBadgeFactory().employee
    with django_assert_max_num_queries(20) as few:
        page_of(admin_client, employee)
    factories.EmployeeBadgeFactory.create_batch(10, employee=employee)
    with django_assert_max_num_queries(len(few.captured_queries)):
        page_of(admin_client, employee)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"Engineer", "Seller", "Gone", "Hidden"}),
        ("employee_state=accepted", {"Engineer"}),
        ("department=Sales", {"Seller"}),
        ("learner=yes", {"Engineer"}),
        ("learner=no", {"Seller", "Gone", "Hidden"}),
        ("shown=yes", {"Engineer", "Seller"}),
        ("shown=minimal", {"Hidden"}),
        ("shown=deleted", {"Gone"}),
        ("q=engineer", {"Engineer"}),
        ("q=seller%40example.com", {"Seller"}),
        ("q=ext-7", {"Seller"}),
        ("q=nobody", set()),
    ],
)
def test_employees_are_found(admin_client: Client, query: str, names: set[str]) -> None:
    factories.EmployeeRecordFactory(
        full_name="Engineer", department="Engineering", employee_state="accepted", user=factories.UserFactory()
    )
    factories.EmployeeRecordFactory(
        full_name="Seller",
        department="Sales",
        employee_state="pending",
        email="seller@example.com",
        external_id="ext-7",
    )
    factories.EmployeeRecordFactory(full_name="Hidden", is_minimal=True)
    factories.EmployeeRecordFactory(full_name="Gone", is_minimal=True, deleted_at=factories.EPOCH)

    response = admin_client.get(f"{url(MODEL)}?{query}", follow=True)

    assert shown(response) == names


def test_employees_are_found_by_account(admin_client: Client) -> None:
    mine, _ = factories.EmployeeRecordFactory(full_name="Mine"), factories.EmployeeRecordFactory(full_name="Other")

    assert shown(admin_client.get(f"{url(MODEL)}?account={mine.account.pk}")) == {"Mine"}


@pytest.mark.parametrize("name", ["account", "employee_state", "department", "learner", "shown", "q"])
@pytest.mark.parametrize("value", ["%00", "%ED%A0%80", "9" * 40, "x" * 3000, "%D9%A1", "-1", "<script>"])
def test_crafted_filters_find_nothing_and_break_nothing(admin_client: Client, name: str, value: str) -> None:
    factories.EmployeeRecordFactory()

    response = admin_client.get(f"{url(MODEL)}?{name}={value}", follow=True)

    assert response.status_code == 200
    assert "<script>x" not in response.content.decode()


def test_of_many_departments_the_most_frequent_are_offered_and_the_chosen_one(admin_client: Client) -> None:
    factories.EmployeeRecordFactory.create_batch(2, department="Large")
    for number in range(60):
        factories.EmployeeRecordFactory(department=f"Small {number:02}")

    page = admin_client.get(f"{url(MODEL)}?department=Small+59").content.decode()

    assert "?department=Large" in page
    assert "Small 59" in page
    assert len(set(re.findall(r'"\?department=Small\+\d\d"', page))) == 50


def test_a_page_tells_all_of_an_employee_and_the_badges(admin_client: Client) -> None:
    employee = factories.EmployeeRecordFactory(full_name="John Doe", team="Platform", zip_code="101")
    factories.EmployeeBadgeFactory(
        employee=employee,
        template_name="Welding",
        issuer_name="Guild",
        skills=["Iron", "Steel"],
        url="https://credly.example.com/badges/1",
    )
    factories.EmployeeBadgeFactory(employee=employee, template_name="Hidden one", is_visible=False)

    page = page_of(admin_client, employee)

    for told in ("Platform", "101", "Welding", "Guild", "Iron, Steel", 'href="https://credly.example.com/badges/1"'):
        assert told in page
    assert "Hidden one" not in page


def test_what_strangers_wrote_is_no_html(admin_client: Client) -> None:
    evil = "<script>alert(1)</script>"
    employee = factories.EmployeeRecordFactory(full_name=evil, team=evil, photo_url="javascript:alert(1)")
    factories.EmployeeBadgeFactory(
        employee=employee, template_name=evil, issuer_name=evil, skills=[evil, {"x": evil}], url="javascript:alert(1)"
    )

    for page in (page_of(admin_client, employee), admin_client.get(url(MODEL)).content.decode()):
        assert evil not in page
        assert "javascript:alert" not in page


def test_no_address_is_in_a_title_and_no_picture_is_loaded_from_elsewhere(admin_client: Client) -> None:
    employee = factories.EmployeeRecordFactory(full_name="", photo_url="https://images.example.com/john.png")

    page = page_of(admin_client, employee)

    assert employee.email not in page.partition("</title>")[0]
    assert 'src="http' not in page


def test_nothing_can_be_added_or_changed(admin_client: Client) -> None:
    employee = factories.EmployeeRecordFactory()

    assert 'name="_save"' not in page_of(admin_client, employee)
    assert admin_client.get(url(MODEL, "add")).status_code == 403
    assert admin_client.post(url(MODEL, employee.pk, "change"), {}).status_code == 403


def test_who_may_view_sees_and_deletes_nothing(staff: Staff) -> None:
    employee = factories.EmployeeRecordFactory()
    viewer, stranger = staff(f"view_{MODEL}"), staff()

    assert page_of(viewer, employee)
    assert viewer.post(url(MODEL, employee.pk, "delete"), {"post": "yes"}).status_code == 403
    assert stranger.get(url(MODEL)).status_code == 403
    assert EmployeeRecord.objects.exists()


@pytest.mark.parametrize("how", ["page", "list"])
def test_who_may_delete_deletes_with_the_badges_and_the_log_keeps_no_name(staff: Staff, how: str) -> None:
    employee = factories.EmployeeBadgeFactory(employee__full_name="John Doe", employee__external_id="ext-1").employee
    client = staff(f"view_{MODEL}", f"delete_{MODEL}")
    if how == "page":
        client.post(url(MODEL, employee.pk, "delete"), {"post": "yes"})
    else:
        act(client, MODEL, "delete_selected", employee, post="yes")

    assert not EmployeeRecord.objects.exists()
    assert not EmployeeBadge.objects.exists()
    assert LogEntry.objects.get().object_repr == employee.employment_id
