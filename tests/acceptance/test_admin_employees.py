"""Staff find an employee and see the badges, in a real browser, on a narrow window and by the keyboard alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from badges.models import EmployeeRecord
from tests import factories
from tests.acceptance.pages import fits

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def employee() -> Any:
    """An employee with two badges, among others."""
    factories.EmployeeRecordFactory.create_batch(3, department="Sales")
    account = factories.CredlyOrganizationFactory(name="A company with a long name and many departments")
    employee = factories.EmployeeRecordFactory(
        account=account,
        user=factories.UserFactory(username="john.doe@example.com"),
        full_name="John Jacob Jingleheimer-Doe",
        email="john.jacob.jingleheimer.doe.the.third@example.com",
        department="Engineering",
        employee_state="accepted",
        team="Platform",
    )
    for name in ("Welding of thick plates", "Riveting"):
        factories.EmployeeBadgeFactory(
            employee=employee,
            template_name=name,
            issuer_name="The Honourable Guild of Smiths",
            skills=["Iron", "Steel", "Patience"],
            url="https://credly.example.com/badges/faa0629c-55f3-4293-9964-9346e22d2edd",
            issued_at=factories.EPOCH,
        )
    return employee


def test_an_employee_is_found_and_the_badges_are_seen(admin: Page, employee: Any) -> None:
    admin.goto("/admin/badges/employeerecord/")
    search = admin.locator("#searchbar")
    search.fill("jingleheimer")
    search.press("Enter")
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)
    assert fits(admin)

    admin.locator("#result_list").get_by_role("link", name="John Jacob Jingleheimer-Doe").press("Enter")
    expect(admin.locator(".field-department .readonly").first).to_have_text("Engineering")
    badges = admin.locator("#badges-group")
    for told in ("Welding of thick plates", "Riveting", "The Honourable Guild of Smiths", "Iron, Steel, Patience"):
        expect(badges).to_contain_text(told)
    assert fits(admin)
    expect(admin.get_by_role("button", name="Save")).to_have_count(0)


def test_employees_are_filtered_and_one_is_deleted(admin: Page, employee: Any) -> None:
    admin.goto("/admin/badges/employeerecord/")
    expect(admin.locator("#result_list tbody tr")).to_have_count(4)
    for name in ("Engineering", "known here", "shown"):
        admin.locator("#changelist-filter").get_by_role("link", name=name, exact=True).press("Enter")
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)
    assert fits(admin)

    admin.locator("#result_list").get_by_role("link", name="John Jacob Jingleheimer-Doe").press("Enter")
    admin.get_by_role("link", name="Delete").press("Enter")
    assert fits(admin)
    admin.get_by_role("button", name="Yes").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("was deleted successfully")
    assert EmployeeRecord.objects.count() == 3
