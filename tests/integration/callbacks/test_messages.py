"""What callbacks tell: the messages of BadgeKit's documentation, with all the fields of their structure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from badges.changes import BadgeChange, ProviderEvent, ReviewChange
from badges.data import WebhookRequest
from badges.exceptions import CallbackRefused, ConfigurationError
from badges.issuing.callback_delivery import message_of
from badges.issuing.callback_messages import encoded
from badges.issuing.callback_signing import headers
from badges.models import Application, Callback, Criterion, Evidence, Review, ReviewItem
from badges.providers.badgekit.webhooks import BadgeKitWebhooks
from tests import factories

pytestmark = pytest.mark.django_db

AT = datetime(2014, 5, 12, 15, 13, 7, tzinfo=UTC)
BADGE_FIELDS = {
    *("id", "slug", "name", "strapline", "earnerDescription", "consumerDescription", "issuerUrl", "rubricUrl"),
    *("timeValue", "timeUnits", "limit", "unique", "created", "imageUrl", "type", "archived", "system"),
    *("criteriaUrl", "criteria", "alignments", "evidenceType", "categories", "tags", "milestones"),
}
"""Of BadgeKit's badge, those that are not about its own programs."""


@pytest.fixture(autouse=True)
def _address(settings: Settings) -> None:
    settings.BADGES_CONFIG = {
        "public_url": "https://credentials.example.com",
        "issuer": {"name": "Example University", "url": "https://example.com/", "email": "badges@example.com"},
    }


def told(callback: Callback) -> Any:
    """The message as the receiver reads it."""
    return json.loads(encoded(message_of(callback)))


def about_award(**badge: Any) -> Callback:
    made: Callback = factories.CallbackFactory(badge=factories.BadgeFactory(**badge))
    return made


class TestAward:
    def test_has_the_structure_of_the_documentation(self) -> None:
        callback = about_award(awarded_at=datetime.fromtimestamp(1400094712, UTC))
        badge = callback.badge
        assert badge is not None
        message = told(callback)
        assert list(message) == ["action", "uid", "badge", "email", "assertionUrl", "issuedOn", "comment"]
        assert message | {"badge": None} == {
            "action": "award",
            "uid": str(badge.uuid),
            "badge": None,
            "email": badge.user.email,
            "assertionUrl": f"https://credentials.example.com/badges/assertions/{badge.uuid}/",
            "issuedOn": 1400094712,
            "comment": None,
        }

    def test_describes_the_badge(self) -> None:
        template = factories.CredlyBadgeTemplateFactory(
            name="Python",
            description="For those who\nknow. " + "x" * 200,
            skills=["Python", "Snakes"],
            criteria=[{"title": "Know it", "url": ""}, {"title": "", "url": "https://example.com/criteria"}],
        )
        criterion = Criterion.objects.create(template=template, description="It runs.", note="Run it.")
        badge = told(about_award(template=template))["badge"]
        assert set(badge) == BADGE_FIELDS
        assert badge["slug"] == template.external_id
        assert len(badge["strapline"]) == 140
        assert badge["strapline"].startswith("For those who know.")
        assert badge["earnerDescription"] == template.description
        assert badge["imageUrl"] == "https://images.example.com/badge.png"
        assert badge["criteriaUrl"] == "https://example.com/criteria"
        assert badge["criteria"] == [{"id": criterion.pk, "description": "It runs.", "required": 1, "note": "Run it."}]
        assert badge["tags"] == ["Python", "Snakes"]
        assert badge["archived"] is False
        assert badge["system"]["name"] == "Example University"

    def test_of_a_template_of_ours_has_our_identifier_and_pages(self) -> None:
        template = factories.BadgeTemplateFactory(image_url="")
        badge = told(about_award(template=template))["badge"]
        assert badge["slug"] == str(template.uuid)
        assert badge["criteriaUrl"] == f"https://credentials.example.com/badges/badge-classes/{template.uuid}/"
        assert badge["imageUrl"] == "https://credentials.example.com/badges/badge-image.svg"

    def test_of_another_system_leads_to_its_assertion(self) -> None:
        template = factories.CredlyBadgeTemplateFactory(account__is_issuing=False)
        message = told(about_award(template=template, url="https://badgekit.example.org/public/assertions/x"))
        assert message["assertionUrl"] == "https://badgekit.example.org/public/assertions/x"
        assert message["badge"]["criteriaUrl"] == ""

    def test_of_another_system_that_told_no_page_leads_to_pages_of_ours(self) -> None:
        template = factories.CredlyBadgeTemplateFactory(account__is_issuing=False)
        message = told(about_award(template=template))
        ours = "https://credentials.example.com/badges"
        assert message["assertionUrl"] == f"{ours}/assertions/{template.badges.get().uuid}/"
        assert message["badge"]["criteriaUrl"] == f"{ours}/badge-classes/{template.uuid}/"

    def test_is_of_the_site_where_no_public_url_is_set(self, settings: Settings) -> None:
        settings.BADGES_CONFIG = {}
        assert told(about_award())["assertionUrl"].startswith("https://example.com/badges/assertions/")

    def test_of_a_learner_without_an_address_is_refused_with_what_to_do(self) -> None:
        with pytest.raises(CallbackRefused, match="Enter it in the user record"):
            told(about_award(user=factories.UserFactory(email="")))

    def test_waits_where_the_project_has_no_addresses_of_ours(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "django.contrib.auth.urls"
        with pytest.raises(ConfigurationError, match=r'include\("badges\.urls"\)'):
            told(about_award())

    def test_survives_any_text(self) -> None:
        template = factories.BadgeTemplateFactory(name="Ünï\u2028 \U0001f3c5 <b>", description="a\x0bb")
        assert told(about_award(template=template))["badge"]["name"] == template.name


class TestRevoke:
    def test_has_the_structure_of_the_documentation(self) -> None:
        callback = factories.CallbackFactory(action=Callback.Action.REVOKE)
        message = told(callback)
        assert list(message) == ["action", "uid", "badge", "email"]
        assert (message["action"], message["uid"]) == ("revoke", str(callback.badge.uuid))
        assert set(message["badge"]) == BADGE_FIELDS


@pytest.fixture
def review() -> Review:
    template = factories.BadgeTemplateFactory()
    criterion = Criterion.objects.create(template=template, description="It runs.")
    application = Application.objects.create(
        template=template,
        user=factories.UserFactory(email="earner@example.com"),
        assigned_to=factories.UserFactory(email="assigned@example.com"),
        submitted_at=AT,
    )
    Evidence.objects.create(application=application, kind="link", url="https://work.example.com/1", reflection="Mine.")
    Evidence.objects.create(application=application, kind="text", text="I did it.", reflection="")
    Evidence.objects.create(application=application, kind="file", file="badging/evidence/x.png", media_type="image/png")
    review = Review.objects.create(
        application=application,
        author=factories.UserFactory(email="reviewer@example.com"),
        comment="Comment from reviewer to earner.",
        is_approved=True,
        reviewed_at=AT,
    )
    ReviewItem.objects.create(review=review, criterion=criterion, is_satisfied=True, comment="Exactly right.")
    ReviewItem.objects.create(review=review, criterion_external_id=221)
    return review


class TestReview:
    def test_has_the_structure_of_the_documentation(self, review: Review) -> None:
        application, items = review.application, list(review.items.all())
        message = told(Callback(badge=None, review=review, action="review"))
        assert list(message) == ["action", "application", "review", "approved"]
        assert set(message["application"].pop("badge")) == BADGE_FIELDS
        assert message == {
            "action": "review",
            "application": {
                "id": application.pk,
                "slug": application.slug,
                "learner": "earner@example.com",
                "created": "2014-05-12T15:13:07.000Z",
                "assignedTo": "assigned@example.com",
                "assignedExpiration": None,
                "processed": None,
                "evidence": [
                    {"url": "https://work.example.com/1", "mediaType": "link", "reflection": "Mine."},
                    {"url": None, "mediaType": "link", "reflection": "I did it."},
                    {"url": None, "mediaType": "image", "reflection": None},
                ],
            },
            "review": {
                "id": review.pk,
                "slug": review.slug,
                "author": "reviewer@example.com",
                "comment": "Comment from reviewer to earner.",
                "reviewItems": [
                    {"criterionId": items[0].criterion_id, "satisfied": 1, "comment": "Exactly right."},
                    {"criterionId": 221, "satisfied": 0, "comment": None},
                ],
            },
            "approved": True,
        }

    def test_of_a_system_elsewhere_has_the_addresses_that_it_told(self, review: Review) -> None:
        Application.objects.update(user=None, learner_email="far@example.com", assigned_to=None, processed_at=AT)
        Review.objects.update(author=None, author_email="judge@example.com", comment="")
        message = told(Callback(badge=None, review=Review.objects.get(), action="review"))
        assert message["application"]["learner"] == "far@example.com"
        assert message["application"]["assignedTo"] is None
        assert message["application"]["processed"] == "2014-05-12T15:13:07.000Z"
        assert (message["review"]["author"], message["review"]["comment"]) == ("judge@example.com", None)


class TestOurOwnReceiver:
    """An installation of this app may be told by another one."""

    def read(self, callback: Callback) -> ProviderEvent:
        body, secret = encoded(message_of(callback)), "a secret of at least thirty-two bytes"
        signed = headers(secret=secret, url="https://other.example/", body=body, message_id="1", now=datetime.now(UTC))
        request = WebhookRequest(body, {name.lower(): value for name, value in signed.items()})
        webhooks = BadgeKitWebhooks()
        assert webhooks.is_genuine(request, [secret])
        assert not webhooks.is_genuine(request, ["another"])
        return webhooks.event(None, webhooks.read(request), body)

    def test_understands_an_award(self) -> None:
        callback = about_award()
        badge = callback.badge
        assert badge is not None
        [change] = [one for one in self.read(callback).changes if isinstance(one, BadgeChange)]
        assert change.badge.own_id == str(badge.uuid)
        assert change.badge.email == badge.user.email
        assert change.badge.template_external_id == str(badge.template.uuid)
        assert change.badge.issued_at == badge.awarded_at

    def test_understands_a_revocation(self) -> None:
        [change] = self.read(factories.CallbackFactory(action=Callback.Action.REVOKE)).changes
        assert isinstance(change, BadgeChange)
        assert change.badge.badge.is_revoked

    def test_understands_a_review(self, review: Review) -> None:
        event = self.read(Callback(badge=None, review=review, action="review"))
        [change] = [one for one in event.changes if isinstance(one, ReviewChange)]
        assert (change.learner_email, change.author_email) == ("earner@example.com", "reviewer@example.com")
        assert change.is_approved
        assert [item.is_satisfied for item in change.items] == [True, False]
