"""What staff see after the adoption, in a real browser, of the service as the wheel made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from demo.sandbox import seed
from tests.acceptance.host.conftest import CONSUMER, Installed
from tests.acceptance.pages import WIDE, logged_in
from tests.host.anomalies import BOTH_COURSES, OVERWRITTEN

pytestmark = [pytest.mark.xdist_group("host"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def page(
    browser: Browser, installed: Installed, adopted: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page of the service on what was adopted, logged in; these tests change nothing."""
    with installed(tmp_path_factory.mktemp("screens"), adopted, EVENT_BUS_CONSUMER=CONSUMER) as service:
        service.manage(
            "createsuperuser",
            "--noinput",
            "--username=admin",
            "--email=admin@example.com",
            DJANGO_SUPERUSER_PASSWORD="password",
        )
        with service.web() as url, logged_in(browser, url, WIDE) as page:
            yield page


def test_the_badges_section_is_there_once_beside_the_hosts_own(page: Page, tmp_path: Path) -> None:
    page.goto("/admin/")
    expect(page.locator("#content-main .app-badges")).to_have_count(1)
    expect(page.locator(".app-credentials")).to_contain_text("User credentials")
    expect(page.locator(".app-badges")).to_contain_text("Credly badge templates")


def test_templates_are_listed_where_operators_know_them(page: Page) -> None:
    page.goto("/admin/badges/credlybadgetemplate/")
    expect(page.locator("#result_list")).to_contain_text("Python Basics")
    expect(page.locator("#result_list tbody tr")).to_have_count(8)
    page.goto("/admin/badges/accrediblegroup/")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    expect(page.locator("#result_list")).to_contain_text("Cloud Practitioner")
    assert page.goto(f"/admin/badges/accrediblegroup/{OVERWRITTEN}/change/").ok  # type: ignore[union-attr]


def test_a_template_has_its_requirements_and_its_address_of_before(page: Page) -> None:
    page.goto(f"/admin/badges/credlybadgetemplate/{BOTH_COURSES}/change/")
    expect(page.get_by_label("Active")).to_be_checked()
    expect(page.locator("#requirements-group")).to_contain_text("course.course_key")
    groups = page.locator("#requirements-group input[name$='-group']:visible")
    assert [groups.nth(index).input_value() for index in range(groups.count())][:3] == ["A", "A", "B"]


def test_progress_is_listed_by_learner(page: Page) -> None:
    page.goto("/admin/badges/badgeprogress/?q=ben")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("ben")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator("#content")).to_contain_text("Python Basics")


def test_badges_are_listed_with_what_became_of_them(page: Page) -> None:
    page.goto("/admin/badges/credlybadge/")
    expect(page.locator("#result_list tbody tr")).to_have_count(14)
    page.goto("/admin/badges/credlybadge/?q=gus")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("revoked", ignore_case=True)


def test_the_api_answers_to_the_hosts_session(page: Page) -> None:
    answer = page.request.get("/badges/api/v1/badges/")
    assert answer.ok
    assert len(answer.json()["results"]) == 17
    assert page.request.get("/badges/api/v1/schema/").ok


def test_no_key_is_shown(page: Page) -> None:
    for address in ("/admin/badges/credlyorganization/", "/admin/badges/credlyorganization/1/change/"):
        page.goto(address)
        assert seed.ORGANIZATION_TOKEN not in page.content()
    expect(page.get_by_label("Organization UUID")).to_have_value(seed.ORGANIZATION_ID)
