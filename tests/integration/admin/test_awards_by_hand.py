"""Who may award and revoke by hand in the admin, what the pages say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from badges.issuing import by_staff
from badges.models import Badge, BadgeChange, BadgeTemplate
from tests.factories import BadgeTemplateFactory, CredlyBadgeTemplateFactory, UserFactory
from tests.integration.admin.pages import Staff

pytestmark = pytest.mark.django_db
WHY = "Took part in the trial."


@pytest.fixture
def sara(staff: Staff) -> Client:
    """Who may award and revoke by hand."""
    return staff("view_badgetemplate", "view_credlybadgetemplate", "add_badge", "view_badge", "change_badge")


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


def test_the_pages_lead_there(sara: Client, badge: Badge) -> None:
    assert award(badge.template) in sara.get(page(badge.template)).text
    assert revoke(badge) in sara.get(page(badge)).text


def test_whoever_may_not_is_not_led_there_and_refused(staff: Staff, badge: Badge) -> None:
    client = staff("view_badgetemplate", "change_badgetemplate", "view_badge")

    assert award(badge.template) not in client.get(page(badge.template)).text
    assert revoke(badge) not in client.get(page(badge)).text
    for address in (award(badge.template), revoke(badge)):
        assert client.get(address).status_code == 403
        assert client.post(address, {"learner": "anna", "reason": WHY}).status_code == 403
    assert badge.changes.count() == 1


@pytest.mark.parametrize("names", [("add_badge",), ("change_badge", "view_badge", "add_badge")])
def test_a_template_that_may_not_be_seen_is_not_awarded_from(
    staff: Staff, template: BadgeTemplate, names: tuple[str, ...]
) -> None:
    UserFactory(username="anna")

    assert staff(*names).post(award(template), {"learner": "anna", "reason": WHY}).status_code == 403
    assert not Badge.objects.exists()


def test_whoever_may_not_see_badges_is_led_back_to_the_template(staff: Staff, template: BadgeTemplate) -> None:
    UserFactory(username="anna")

    answer = staff("view_badgetemplate", "add_badge").post(award(template), {"learner": "anna", "reason": WHY})

    assert (answer.status_code, answer["Location"]) == (302, page(template))
    assert Badge.objects.count() == 1


def test_whoever_may_not_see_badges_is_not_led_to_the_one_in_the_way(staff: Staff, badge: Badge) -> None:
    client = staff("view_badgetemplate", "add_badge")

    answer = client.post(award(badge.template), {"learner": "anna", "reason": WHY})

    assert "has this badge already" in answer.text
    assert page(badge) not in answer.text


@pytest.mark.parametrize("said", ["off", "off@example.com", "two@example.com", "two@EXAMPLE.com", "no one"])
def test_whom_nobody_or_several_people_may_mean_is_awarded_nothing(
    sara: Client, template: BadgeTemplate, said: str
) -> None:
    UserFactory(username="off", email="off@example.com", is_active=False)
    UserFactory(username="one", email="two@example.com")
    UserFactory(username="two", email="Two@example.com")

    answer = sara.post(award(template), {"learner": said, "reason": WHY})

    assert "There is no active user with this username or e-mail address, or more than one." in answer.text
    assert not Badge.objects.exists()


def test_one_whose_username_is_anothers_address_is_not_awarded_in_place_of_the_other(
    sara: Client, template: BadgeTemplate
) -> None:
    UserFactory(username="anna@example.com", email="sly@example.com")
    anna = UserFactory(username="anna", email="anna@example.com")

    refused = sara.post(award(template), {"learner": "anna@example.com", "reason": WHY})
    sara.post(award(template), {"learner": "anna", "reason": WHY})

    assert "or more than one" in refused.text
    assert Badge.objects.get().user == anna


def test_one_whose_username_is_the_own_address_is_awarded(sara: Client, template: BadgeTemplate) -> None:
    anna = UserFactory(username="anna@example.com", email="anna@example.com")

    sara.post(award(template), {"learner": "anna@example.com", "reason": WHY})

    assert Badge.objects.get().user == anna


def test_to_look_at_the_pages_changes_nothing(sara: Client, badge: Badge) -> None:
    for address in (award(badge.template), revoke(badge)):
        assert sara.get(address).status_code == 200

    badge.refresh_from_db()
    assert badge.is_awarded
    assert not LogEntry.objects.exists()


def test_a_badge_of_a_provider_is_awarded_on_its_own_screen_too(sara: Client) -> None:
    template, learner = CredlyBadgeTemplateFactory(), UserFactory(username="anna")
    address = award(template, "credlybadgetemplate")

    assert template.account.name in sara.get(address).text
    answer = sara.post(address, {"learner": learner.email.upper(), "reason": WHY})

    made = Badge.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page(made))
    assert (made.user, str(made.changes.get().by)) == (learner, "staff5")


def test_a_template_that_is_not_active_awards_nothing_and_says_so(sara: Client, template: BadgeTemplate) -> None:
    UserFactory(username="anna")
    BadgeTemplate.objects.update(is_active=False)

    assert award(template) not in sara.get(page(template)).text
    assert "is not active. Activate it" in sara.post(award(template), {"learner": "anna", "reason": WHY}).text
    assert not Badge.objects.exists()


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_without_a_reason_of_a_bearable_length_nothing_is_done(sara: Client, badge: Badge, reason: str) -> None:
    UserFactory(username="ben")

    for address in (award(badge.template), revoke(badge)):
        answer = sara.post(address, {"learner": "ben", "reason": reason})
        assert (answer.status_code, "reason" in answer.context["form"].errors) == (200, True)
    assert [one.is_awarded for one in Badge.objects.all()] == [True]


def test_what_somebody_else_has_done_meanwhile_is_told(sara: Client, badge: Badge) -> None:
    again = sara.post(award(badge.template), {"learner": "anna", "reason": WHY})
    by_staff.revoke(badge, by=None, reason="Wrong.")
    lost = sara.post(award(badge.template), {"learner": "anna", "reason": WHY})
    twice = sara.post(revoke(badge), {"reason": WHY})

    assert "has this badge already" in again.text
    assert "is not awarded again" in lost.text
    assert "taken away before" in twice.text
    for answer in (again, lost):
        assert page(badge) in answer.text
    assert BadgeChange.objects.count() == 2
    assert revoke(badge) not in sara.get(page(badge)).text


def test_what_is_not_there_is_not_found(sara: Client) -> None:
    for name in ("badgetemplate_award", "badge_revoke"):
        assert sara.get(reverse(f"admin:badges_{name}", args=[10**17])).status_code == 404


def test_a_badge_that_is_deleted_at_this_moment_is_not_found(
    sara: Client, badge: Badge, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke_by_staff = by_staff.revoke

    def too_late(*args: Any, **kwargs: Any) -> Badge:
        Badge.objects.all().delete()
        return revoke_by_staff(*args, **kwargs)

    monkeypatch.setattr(by_staff, "revoke", too_late)

    assert sara.post(revoke(badge), {"reason": WHY}).status_code == 404


def test_every_screen_of_a_badge_has_its_whole_history(admin_client: Client) -> None:
    template, learner = CredlyBadgeTemplateFactory(), UserFactory(username="anna")
    admin_client.post(award(template, "credlybadgetemplate"), {"learner": learner.username, "reason": WHY})
    badge = Badge.objects.get()
    admin_client.post(reverse("admin:badges_credlybadge_revoke", args=[badge.pk]), {"reason": "It was another Anna."})

    for model in ("badge", "credlybadge"):
        told = admin_client.get(reverse(f"admin:badges_{model}_history", args=[badge.pk])).text
        assert "Awarded by hand: Took part in the trial." in told
        assert "Revoked by hand: It was another Anna." in told


def test_the_end_of_a_line_counts_as_one_character_as_in_the_browser(sara: Client, badge: Badge) -> None:
    lines = "\n".join(["x" * 99] * 5)

    sara.post(revoke(badge), {"reason": lines.replace("\n", "\r\n") + "."})

    assert badge.changes.get(action="revoked").reason == lines + "."


def test_titles_name_no_learner(sara: Client, badge: Badge) -> None:
    for address in (award(badge.template), revoke(badge)):
        title = sara.get(address).text.partition("<title>")[2].partition("</title>")[0]
        assert "anna" not in title


def test_the_pages_are_no_transaction_by_themselves(sara: Client) -> None:
    from django.urls import resolve

    for address in ("/admin/badges/badgetemplate/1/award/", "/admin/badges/badge/1/revoke/"):
        assert "default" in resolve(address).func._non_atomic_requests  # type: ignore[attr-defined]
