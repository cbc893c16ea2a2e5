"""Who may award and revoke by hand in the admin, what the pages say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from badges.issuing import by_staff
from badges.models import Badge, BadgeChange, BadgeTemplate
from tests.factories import BadgeTemplateFactory, CredlyBadgeTemplateFactory, UserFactory

pytestmark = pytest.mark.django_db
WHY = "Took part in the trial."


def client_of(*names: str) -> Client:
    """Staff with these permissions."""
    user = UserFactory(username="sara", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="badges", codename__in=names))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff() -> Client:
    return client_of("view_badgetemplate", "view_credlybadgetemplate", "add_badge", "view_badge", "change_badge")


@pytest.fixture
def template() -> BadgeTemplate:
    return BadgeTemplateFactory(name="Python")


@pytest.fixture
def badge(template: BadgeTemplate) -> Badge:
    return by_staff.award(template, UserFactory(username="anna"), by=None, reason=WHY)


def award(template: BadgeTemplate, model: str = "badgetemplate") -> str:
    return reverse(f"admin:badges_{model}_award", args=[template.pk])


def revoke(badge: Badge) -> str:
    return reverse("admin:badges_badge_revoke", args=[badge.pk])


def page(row: Any) -> str:
    return reverse(f"admin:badges_{row._meta.model_name}_change", args=[row.pk])


def test_the_pages_lead_there(staff: Client, badge: Badge) -> None:
    assert award(badge.template) in staff.get(page(badge.template)).text
    assert revoke(badge) in staff.get(page(badge)).text


def test_whoever_may_not_is_not_led_there_and_refused(badge: Badge) -> None:
    client = client_of("view_badgetemplate", "change_badgetemplate", "view_badge")

    assert award(badge.template) not in client.get(page(badge.template)).text
    assert revoke(badge) not in client.get(page(badge)).text
    for address in (award(badge.template), revoke(badge)):
        assert client.get(address).status_code == 403
        assert client.post(address, {"learner": "anna", "reason": WHY}).status_code == 403
    assert badge.changes.count() == 1


@pytest.mark.parametrize("names", [("add_badge",), ("change_badge", "view_badge", "add_badge")])
def test_a_template_that_may_not_be_seen_is_not_awarded_from(template: BadgeTemplate, names: tuple[str, ...]) -> None:
    UserFactory(username="anna")

    assert client_of(*names).post(award(template), {"learner": "anna", "reason": WHY}).status_code == 403
    assert not Badge.objects.exists()


def test_whoever_may_not_see_badges_is_led_back_to_the_template(template: BadgeTemplate) -> None:
    UserFactory(username="anna")

    answer = client_of("view_badgetemplate", "add_badge").post(award(template), {"learner": "anna", "reason": WHY})

    assert (answer.status_code, answer["Location"]) == (302, page(template))
    assert Badge.objects.count() == 1


def test_to_look_at_the_pages_changes_nothing(staff: Client, badge: Badge) -> None:
    for address in (award(badge.template), revoke(badge)):
        assert staff.get(address).status_code == 200

    badge.refresh_from_db()
    assert badge.is_awarded
    assert not LogEntry.objects.exists()


def test_a_badge_of_a_provider_is_awarded_on_its_own_screen_too(staff: Client) -> None:
    template, learner = CredlyBadgeTemplateFactory(), UserFactory(username="anna")
    address = award(template, "credlybadgetemplate")

    assert template.account.name in staff.get(address).text
    answer = staff.post(address, {"learner": learner.email.upper(), "reason": WHY})

    made = Badge.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page(made))
    assert (made.user, str(made.changes.get().by)) == (learner, "sara")


def test_a_template_that_is_not_active_awards_nothing_and_says_so(staff: Client, template: BadgeTemplate) -> None:
    UserFactory(username="anna")
    BadgeTemplate.objects.update(is_active=False)

    assert award(template) not in staff.get(page(template)).text
    assert "is not active. Activate it" in staff.post(award(template), {"learner": "anna", "reason": WHY}).text
    assert not Badge.objects.exists()


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_without_a_reason_of_a_bearable_length_nothing_is_done(staff: Client, badge: Badge, reason: str) -> None:
    UserFactory(username="ben")

    for address in (award(badge.template), revoke(badge)):
        answer = staff.post(address, {"learner": "ben", "reason": reason})
        assert (answer.status_code, "reason" in answer.context["form"].errors) == (200, True)
    assert [one.is_awarded for one in Badge.objects.all()] == [True]


def test_what_somebody_else_has_done_meanwhile_is_told(staff: Client, badge: Badge) -> None:
    again = staff.post(award(badge.template), {"learner": "anna", "reason": WHY})
    by_staff.revoke(badge, by=None, reason="Wrong.")
    lost = staff.post(award(badge.template), {"learner": "anna", "reason": WHY})
    twice = staff.post(revoke(badge), {"reason": WHY})

    assert "has this badge already" in again.text
    assert "is not awarded again" in lost.text
    assert "taken away before" in twice.text
    for answer in (again, lost):
        assert page(badge) in answer.text
    assert BadgeChange.objects.count() == 2
    assert revoke(badge) not in staff.get(page(badge)).text


def test_what_is_not_there_is_not_found_or_led_away(staff: Client) -> None:
    for name in ("badgetemplate_award", "badge_revoke"):
        assert staff.get(reverse(f"admin:badges_{name}", args=[10**17])).status_code == 404


def test_titles_name_no_learner(staff: Client, badge: Badge) -> None:
    for address in (award(badge.template), revoke(badge)):
        title = staff.get(address).text.partition("<title>")[2].partition("</title>")[0]
        assert "anna" not in title


def test_the_pages_are_no_transaction_by_themselves(staff: Client) -> None:
    from django.urls import resolve

    for address in ("/admin/badges/badgetemplate/1/award/", "/admin/badges/badge/1/revoke/"):
        assert "default" in resolve(address).func._non_atomic_requests  # type: ignore[attr-defined]
