"""What BadgeKit's messages change here, from the request on."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse

from badges.issuing import callback_delivery, callback_messages, callback_signing
from badges.models import (
    Application,
    Badge,
    BadgeTemplate,
    Callback,
    Delivery,
    ProviderAccount,
    ProviderBadge,
    Review,
    WebhookEvent,
)
from badges.webhooks.processing import process_due
from demo.sandbox.badgekit_sender import signed
from tests.factories import BadgeFactory, BadgeKitSystemFactory, BadgeKitTemplateFactory, UserFactory
from tests.integration.webhooks.sending import encoded, post

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
UID = "8f14e45fceea167a5a36dedd4bea2543"
AWARD: dict[str, Any] = {
    "action": "award",
    "uid": UID,
    "badge": {"id": 11, "slug": "explorer"},
    "email": "anna@example.com",
    "assertionUrl": f"https://badgekit.example.com/public/assertions/{UID}",
    "issuedOn": 1400094712,
    "comment": None,
}
REVOKE: dict[str, Any] = {"action": "revoke", "uid": UID, "badge": AWARD["badge"], "email": AWARD["email"]}


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> Any:
    settings.BADGES_CONFIG = {"webhooks": {"calls": 1_000_000, "refused_calls": 1_000_000}}
    cache.clear()


@pytest.fixture
def system() -> ProviderAccount:
    """A system that only tells of its badges, and has no key."""
    account: ProviderAccount = BadgeKitSystemFactory(api_key="", is_issuing=False)
    return account


@pytest.fixture
def template(system: ProviderAccount) -> BadgeTemplate:
    found: BadgeTemplate = BadgeKitTemplateFactory(account=system, external_id="explorer")
    return found


@pytest.fixture
def anna() -> Any:
    return UserFactory(username="anna", email="Anna@Example.com")


def send(system: ProviderAccount, *messages: dict[str, Any]) -> None:
    """Post messages as BadgeKit does, and process what came."""
    path = reverse("badges:webhook-account", args=["badgekit", system.pk])
    for message in messages:
        body = encoded(message)
        headers = {"Authorization": f'JWT token="{signed(body, str(system.webhook_secret))}"'}
        assert post(path, body, headers).status_code == 200
        process_due()


def deliveries() -> set[tuple[str, str]]:
    return set(Delivery.objects.values_list("action", "status"))


# Awards and revocations.
def test_an_award_becomes_a_badge_that_is_announced_and_not_issued_again(
    system: ProviderAccount, template: BadgeTemplate, anna: Any
) -> None:
    send(system, AWARD)
    badge = Badge.objects.get()
    assert (badge.user, badge.template_id, badge.status) == (anna, template.pk, Badge.Status.AWARDED)
    assert (badge.external_id, badge.state, badge.url) == (UID, "awarded", AWARD["assertionUrl"])
    assert badge.awarded_at == datetime(2014, 5, 14, 19, 11, 52, tzinfo=UTC)
    assert badge.template.origin == "badgekit"
    assert deliveries() == {(Action.ANNOUNCE_AWARDED, Status.PENDING), (Action.ISSUE, Status.DONE)}


@pytest.mark.parametrize("is_issuing", [True, False])
def test_a_revocation_takes_the_badge_away_and_sends_nothing_back(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, is_issuing: bool
) -> None:
    ProviderAccount.objects.update(is_issuing=is_issuing)
    send(system, AWARD, REVOKE)
    badge = Badge.objects.get()
    assert (badge.status, badge.state) == (Badge.Status.REVOKED, "revoked")
    assert badge.revoked_at is not None
    assert WebhookEvent.objects.get(event_type="revoke").status == WebhookEvent.Status.PROCESSED
    assert (Action.ANNOUNCE_REVOKED, Status.PENDING) in deliveries()
    assert (Action.REVOKE, Status.PENDING) not in deliveries()


def test_messages_that_come_again_change_nothing(system: ProviderAccount, template: BadgeTemplate, anna: Any) -> None:
    send(system, AWARD, AWARD, REVOKE, AWARD, REVOKE)
    assert [(badge.status, badge.state) for badge in Badge.objects.all()] == [(Badge.Status.REVOKED, "revoked")]
    assert WebhookEvent.objects.count() == 2
    assert Delivery.objects.filter(action=Action.ANNOUNCE_AWARDED).count() == 1


@pytest.mark.parametrize("issued_on", [1400094712, "now", 2**33 - 1, None])
def test_an_award_that_its_revocation_overtook_ends_as_a_revoked_badge(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, issued_on: Any
) -> None:
    """Whatever time it says, and even where BadgeKit's clock is ahead."""
    issued = int(datetime.now(UTC).timestamp()) + 60 if issued_on == "now" else issued_on
    send(system, REVOKE, {**AWARD, "issuedOn": issued})
    assert [(badge.status, badge.state) for badge in Badge.objects.all()] == [(Badge.Status.REVOKED, "revoked")]


def test_an_award_of_a_badge_that_is_not_known_here_is_recorded_and_adopted_later(
    system: ProviderAccount, anna: Any
) -> None:
    send(system, AWARD)
    assert not Badge.objects.exists()
    row = ProviderBadge.objects.get()
    assert (row.external_id, row.template_external_id, row.badge_id) == (UID, "explorer", None)


def test_an_award_that_describes_its_badge_brings_it_here_inactive(system: ProviderAccount, anna: Any) -> None:
    send(system, {**AWARD, "badge": {**AWARD["badge"], "name": "Explorer", "archived": False}})
    template = BadgeTemplate.objects.get()
    assert (template.name, template.external_id, template.is_active) == ("Explorer", "explorer", False)
    assert Badge.objects.get().template_id == template.pk


def test_an_award_without_its_badge_is_recorded_without_template(
    system: ProviderAccount, template: BadgeTemplate, anna: Any
) -> None:
    send(system, {key: value for key, value in AWARD.items() if key not in ("badge", "comment")})
    assert not Badge.objects.exists()
    assert ProviderBadge.objects.get().template_external_id == ""


@pytest.mark.parametrize("others", [0, 2])
def test_an_address_of_nobody_or_of_several_is_nobodys(
    system: ProviderAccount, template: BadgeTemplate, others: int
) -> None:
    for number in range(others):
        UserFactory(username=f"anna{number}", email="anna@example.com")
    send(system, AWARD)
    assert not Badge.objects.exists()
    assert ProviderBadge.objects.get().note != ""


def test_our_own_badge_is_known_by_our_identifier_before_its_delivery_is_done(anna: Any) -> None:
    """BadgeKit tells of an instance while it answers the call that made it."""
    issuing: ProviderAccount = BadgeKitSystemFactory()
    mine = BadgeFactory(user=anna, template=BadgeKitTemplateFactory(account=issuing, external_id="explorer"))
    own = {**AWARD, "uid": str(mine.uuid)}
    del own["issuedOn"]
    send(issuing, own)
    badge = Badge.objects.get()
    assert (badge.external_id, badge.state, badge.url) == (str(mine.uuid), "awarded", AWARD["assertionUrl"])


def test_our_own_badge_that_somebody_deleted_there_is_revoked_here(anna: Any) -> None:
    issuing: ProviderAccount = BadgeKitSystemFactory()
    template = BadgeKitTemplateFactory(account=issuing, external_id="explorer")
    mine = BadgeFactory(user=anna, template=template, state="awarded")
    Badge.objects.update(external_id=str(mine.uuid))
    send(issuing, {**REVOKE, "uid": str(mine.uuid)})
    assert Badge.objects.get().status == Badge.Status.REVOKED


def test_what_one_system_tells_changes_nothing_of_another(
    system: ProviderAccount, template: BadgeTemplate, anna: Any
) -> None:
    send(system, AWARD)
    other: ProviderAccount = BadgeKitSystemFactory()
    send(other, REVOKE)
    assert Badge.objects.get().status == Badge.Status.AWARDED


def test_an_action_that_is_not_known_is_ignored(system: ProviderAccount) -> None:
    send(system, {"action": "celebrate"})
    event = WebhookEvent.objects.get()
    assert (event.status, event.event_type) == (WebhookEvent.Status.IGNORED, "celebrate")
    assert "no such action" in event.note


# Reviews.
def review(
    *, approved: bool = True, satisfied: Any = 1, comment: str = "Well done.", slug: str = "r1"
) -> dict[str, Any]:
    application = {
        "id": 123,
        "slug": "a1",
        "learner": "anna@example.com",
        "created": "2026-05-12T15:13:07.000Z",
        "badge": AWARD["badge"],
        "evidence": [],
    }
    items = [{"criterionId": 221, "satisfied": satisfied, "comment": "Exactly right."}]
    told = {"id": 456, "slug": slug, "author": "ben@example.com", "comment": comment, "reviewItems": items}
    return {"action": "review", "application": application, "review": told, "approved": approved}


def test_a_review_is_kept_with_its_application_and_items(
    system: ProviderAccount, template: BadgeTemplate, anna: Any
) -> None:
    send(system, review())
    application = Application.objects.get()
    assert (application.slug, application.user, application.account_id) == ("a1", anna, system.pk)
    assert application.status == Application.Status.APPROVED
    [kept] = application.reviews.all()
    assert (kept.slug, kept.external_id, kept.author_email, kept.is_approved) == ("r1", 456, "ben@example.com", True)
    [item] = kept.items.all()
    assert (item.criterion_external_id, item.is_satisfied, item.comment) == (221, True, "Exactly right.")
    assert not Badge.objects.exists()


def test_updates_of_one_review_are_one_review(system: ProviderAccount, template: BadgeTemplate, anna: Any) -> None:
    send(system, review(approved=False, satisfied=0), review(), review(comment="Better words."), review(approved=False))
    kept = Review.objects.get()
    assert (kept.is_approved, WebhookEvent.objects.count()) == (False, 4)


def test_the_same_review_again_is_one_event(system: ProviderAccount, template: BadgeTemplate, anna: Any) -> None:
    send(system, review(), review())
    assert (Review.objects.count(), WebhookEvent.objects.get().times_received) == (1, 2)


def test_an_approval_awards_the_badge_once_where_the_template_says_so(
    system: ProviderAccount, template: BadgeTemplate, anna: Any
) -> None:
    BadgeTemplate.objects.filter(pk=template.pk).update(awards_on_approval=True)
    send(system, review(), review(comment="Again."), review(slug="r2"))
    badge = Badge.objects.get()
    assert (badge.user, badge.template_id, badge.status) == (anna, template.pk, Badge.Status.AWARDED)
    assert Delivery.objects.filter(action=Action.ANNOUNCE_AWARDED).count() == 1


def test_any_order_of_award_revocation_and_review_ends_without_a_badge(
    system: ProviderAccount, template: BadgeTemplate, anna: Any
) -> None:
    for order in permutations([AWARD, REVOKE, review()]):
        Delivery.objects.all().delete()
        WebhookEvent.objects.all().delete()
        ProviderBadge.objects.all().delete()
        Badge.objects.all().delete()
        send(system, *order)
        assert not Badge.objects.filter(status=Badge.Status.AWARDED).exists()


# What this app sends is what it takes.
@pytest.mark.parametrize("action", ["award", "revoke"])
def test_a_callback_of_another_installation_of_this_app_is_taken(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, settings: Any, action: str
) -> None:
    settings.BADGES_CONFIG = {**settings.BADGES_CONFIG, "public_url": "https://badges.example.org/"}
    theirs = BadgeFactory(user=anna)
    callback = Callback(action=action, badge=theirs)
    body = callback_messages.encoded(callback_delivery.message_of(callback))
    url = reverse("badges:webhook-account", args=["badgekit", system.pk])
    headers = callback_signing.headers(
        secret=str(system.webhook_secret), url=url, body=body, message_id="m1", now=datetime.now(UTC)
    )
    assert post(url, body, headers).status_code == 200
    process_due()
    event = WebhookEvent.objects.get()
    assert (event.event_type, event.status) == (action, WebhookEvent.Status.PROCESSED)
    assert ProviderBadge.objects.get().external_id == str(theirs.uuid)
