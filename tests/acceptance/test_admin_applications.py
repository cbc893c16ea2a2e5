"""Staff apply for a learner, reviewers ask again and approve, staff award: in a real browser, by the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from badges.applications import applying
from badges.models import Application, Badge
from tests.acceptance.pages import fits
from tests.factories import BadgeTemplateFactory, CriterionFactory, UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


def test_an_application_from_the_first_to_the_badge(admin: Page, tmp_path: Path) -> None:
    template = BadgeTemplateFactory(takes_applications=True, name="Python")
    CriterionFactory(template=template, description="The program works.", note="Start it.")
    CriterionFactory(template=template, description="It has tests.", is_required=False)
    learner = UserFactory(username="anna")
    work = tmp_path / "work.txt"
    work.write_text("print('Hello')")

    admin.goto("/admin/badges/application/")
    admin.get_by_role("link", name="Add application").press("Enter")
    admin.get_by_label("Badge template").select_option(label="Python")
    admin.get_by_label("Learner").fill("nobody")
    admin.get_by_label("Links").fill("https://example.com/" + "work/" * 30)
    admin.get_by_role("button", name="Hand in").press("Enter")
    expect(admin.locator(".errorlist")).to_contain_text("There is no active user")
    assert fits(admin)
    admin.get_by_label("Learner").fill("anna")
    admin.get_by_label("Files").set_input_files(work)
    admin.get_by_role("button", name="Hand in").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("The application was handed in.")
    assert fits(admin)
    with admin.expect_download() as download:
        admin.get_by_role("link", name="work.txt").press("Enter")
    assert download.value.path().read_text() == "print('Hello')"
    assert download.value.suggested_filename == "work.txt"

    admin.get_by_role("button", name="Assign to me").press("Enter")
    expect(admin.locator(".field-assigned")).to_contain_text("admin")
    admin.get_by_role("button", name="Approve").press("Enter")
    expect(admin.get_by_role("alert")).to_contain_text("not satisfied: The program works.")
    admin.get_by_label("Comment for the learner").fill("It does not start.")
    admin.get_by_role("button", name="Ask again").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("More is asked of the learner.")

    applying.resubmit(Application.objects.get(), statement="Now it does.", by=learner)
    admin.reload()
    expect(admin.locator(".field-statement")).to_contain_text("Now it does.")
    admin.get_by_role("group", name="The program works. (required)").get_by_label("Satisfied").press("Space")
    admin.get_by_role("button", name="Approve").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("Approved.")
    assert fits(admin)
    assert not Badge.objects.exists()

    admin.get_by_role("button", name="Award").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("The badge was awarded.")
    expect(admin.locator(".field-badge")).to_contain_text("Python - anna")
    expect(admin.get_by_role("button", name="Award")).to_have_count(0)
    assert Badge.objects.get().user == learner
    for words in ("It does not start.", "more is asked of the learner", "approved, to be awarded"):
        expect(admin.locator(".badges-application")).to_contain_text(words)


def test_an_application_is_closed_with_a_reason(admin: Page) -> None:
    application = applying.submit(BadgeTemplateFactory(takes_applications=True), UserFactory(), statement="Please.")

    admin.goto(f"/admin/badges/application/{application.pk}/change/")
    admin.get_by_role("button", name="Close the application").press("Enter")
    expect(admin.locator(".errorlist")).to_contain_text("Enter a reason.")
    admin.get_by_label("Reason").fill("The course has ended.")
    admin.get_by_role("button", name="Close the application").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("The application was closed.")
    expect(admin.locator(".field-said")).to_contain_text("The course has ended.")
