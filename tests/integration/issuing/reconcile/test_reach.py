"""Which badges are compared, and at what cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount
from tests.factories import BadgeFactory, BadgeTemplateFactory, DeliveryFactory, UserFactory
from tests.integration.issuing.reconcile.helpers import applied, compared, report_of
from tests.integration.issuing.reconcile.listing import ListingProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def test_two_sides_that_agree_differ_in_nothing_and_cost_no_look_up(badge: Badge) -> None:
    assert compared() == []
    assert ListingProvider.calls == ["list"]


def test_without_apply_nothing_is_changed(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "revoked")

    assert compared() == ["revoked_there: found"]
    assert Badge.objects.get().is_awarded


def test_that_a_badge_is_not_in_the_list_proves_nothing(badge: Badge) -> None:
    ListingProvider.unlisted.add(badge.external_id)

    assert applied() == []
    assert ListingProvider.calls == ["find"]


def test_badges_of_no_learner_or_template_here_are_counted_and_no_difference(template: BadgeTemplate) -> None:
    known = {"template_external_id": template.external_id, "email": UserFactory().email}
    ListingProvider.hold(**known | {"email": "nobody@example.com"})
    ListingProvider.hold(**known | {"template_external_id": "other"})
    ListingProvider.hold(**known | {"email": ""})
    ListingProvider.hold(**known, state="revoked")

    report = report_of()

    assert (report.listed, report.strangers, report.differences) == (4, 3, 0)


def test_an_address_that_two_learners_share_names_neither(template: BadgeTemplate) -> None:
    for email in ("anna@example.com", "ANNA@example.com"):
        UserFactory(email=email)
    ListingProvider.hold(template_external_id=template.external_id, email="anna@example.com")

    assert report_of().strangers == 1


def test_one_badge_in_doubt_is_looked_up_once_however_often_it_is_listed(badge: Badge) -> None:
    for _ in range(3):
        ListingProvider.hold(badge)

    assert compared() == []
    assert ListingProvider.calls.count("find") == 1


def test_only_what_changed_since_then_is_asked_for_and_only_what_was_awarded_since_is_missed(
    template: BadgeTemplate,
) -> None:
    since = timezone.now() - timedelta(days=30)
    BadgeFactory(template=template, awarded_at=since - timedelta(seconds=1))
    BadgeFactory(template=template, awarded_at=since + timedelta(seconds=1))

    assert compared(since=since) == ["missing_there: found"]
    assert ListingProvider.asked_since == [since]


def test_a_provider_that_lists_nothing_is_left_out(badge: Badge, settings: Any) -> None:
    settings.BADGES_CONFIG = {"providers": {"scripted": "tests.integration.issuing.scripted.ScriptedProvider"}}

    assert report_of().skipped == "Scripted does not list the badges that it holds."


def test_badges_of_other_accounts_and_without_a_provider_are_not_missed(badge: Badge) -> None:
    BadgeFactory()
    BadgeFactory(template=scripted_template_of_another_account())

    assert compared(badge.template.account) == []


def scripted_template_of_another_account() -> BadgeTemplate:
    account = ProviderAccount.objects.create(provider="scripted", name="Other", api_key="k", external_id="other")
    template: BadgeTemplate = BadgeTemplateFactory(account=account, external_id="template-2")
    return template


def test_what_is_queued_is_carried_out_after_the_commit(
    template: BadgeTemplate, django_capture_on_commit_callbacks: Any
) -> None:
    badge = BadgeFactory(template=template)

    with django_capture_on_commit_callbacks(execute=True):
        applied()

    assert len(ListingProvider.valid(badge)) == 1


def test_the_number_of_queries_does_not_grow_with_the_badges_of_a_page(
    template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr("tests.integration.issuing.reconcile.listing.PAGE", 200)
    for number in range(60):
        badge = BadgeFactory(template=template, external_id="" if number % 2 else f"ours-{number}")
        DeliveryFactory(badge=badge, status=Status.PENDING)
        ListingProvider.hold(badge, own=number % 3 == 0)
        ListingProvider.hold(template_external_id=template.external_id, email=UserFactory().email)

    with django_assert_max_num_queries(20):
        report = report_of()

    assert report.differences == 60
