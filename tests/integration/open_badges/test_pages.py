"""The pages of a hosted badge: what stands in them, and what does not."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from badges.models import Badge, Criterion
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "https://credentials.example.com/badges"
ISSUER = {"name": "Example University", "url": "https://example.com/", "email": "badges@example.com"}
JSON_LD = "application/ld+json"


@pytest.fixture(autouse=True)
def _issuer(settings: Settings) -> None:
    settings.BADGES_CONFIG = {"public_url": "https://credentials.example.com/", "issuer": ISSUER}


def page(path: str, **options: Any) -> Any:
    return Client().get(f"/badges/{path}", **options)


class TestAssertion:
    def test_tells_who_got_what_when(self) -> None:
        badge = factories.BadgeFactory()
        answer = page(f"assertions/{badge.uuid}/")
        assert answer["Content-Type"] == JSON_LD
        told = answer.json()
        recipient = told.pop("recipient")
        assert told == {
            "@context": "https://w3id.org/openbadges/v2",
            "type": "Assertion",
            "id": f"{BASE}/assertions/{badge.uuid}/",
            "badge": f"{BASE}/badge-classes/{badge.template.uuid}/",
            "verification": {"type": "HostedBadge"},
            "issuedOn": "2026-01-01T00:00:00Z",
        }
        assert (recipient["type"], recipient["hashed"]) == ("email", True)
        assert recipient["identity"].startswith("sha256$")

    def test_names_no_learner(self) -> None:
        user = factories.UserFactory(username="anna.lee", email="anna.lee@example.com", full_name="Anna Maria Lee")
        badge = factories.BadgeFactory(user=user)
        text = page(f"assertions/{badge.uuid}/").content.decode().lower()
        assert not [word for word in ("anna", "lee", "maria", "@example") if word in text]

    def test_hashes_the_same_learner_differently_in_each_badge(self) -> None:
        user = factories.UserFactory()
        hashes = {
            page(f"assertions/{factories.BadgeFactory(user=user).uuid}/").json()["recipient"]["identity"]
            for _ in range(3)
        }
        assert len(hashes) == 3

    def test_of_a_revoked_badge_is_gone_and_says_so(self) -> None:
        badge = factories.BadgeFactory(status=Badge.Status.REVOKED)
        answer = page(f"assertions/{badge.uuid}/")
        assert answer.status_code == 410
        assert answer.json() == {
            "@context": "https://w3id.org/openbadges/v2",
            "type": "Assertion",
            "id": f"{BASE}/assertions/{badge.uuid}/",
            "revoked": True,
            "revocationReason": "The issuer has revoked this badge.",
        }

    def test_of_nothing_is_not_found(self) -> None:
        assert page(f"assertions/{uuid.uuid4()}/").status_code == 404
        assert page("assertions/1/").status_code == 404

    def test_of_a_learner_without_an_address_is_not_found(self) -> None:
        badge = factories.BadgeFactory(user=factories.UserFactory(email=""))
        assert page(f"assertions/{badge.uuid}/").status_code == 404

    def test_of_what_another_system_asserts_is_not_found(self) -> None:
        template = factories.CredlyBadgeTemplateFactory(account__is_issuing=False)
        badge = factories.BadgeFactory(template=template, url="https://badgekit.example.org/public/assertions/x")
        assert page(f"assertions/{badge.uuid}/").status_code == 404
        assert page(f"badge-classes/{template.uuid}/").status_code == 404

    def test_of_what_another_system_issues_and_has_no_page_of_is_asserted_here(self) -> None:
        template = factories.CredlyBadgeTemplateFactory(account__is_issuing=False)
        badge = factories.BadgeFactory(template=template)
        assert page(f"assertions/{badge.uuid}/").status_code == 200
        assert page(f"badge-classes/{template.uuid}/").status_code == 200

    def test_costs_one_query(self, django_assert_num_queries: Any) -> None:
        badge = factories.BadgeFactory()
        with django_assert_num_queries(1):
            page(f"assertions/{badge.uuid}/")


class TestBadgeClass:
    def test_tells_what_the_badge_stands_for(self) -> None:
        template = factories.BadgeTemplateFactory(
            name="Python", skills=["Python", 7], criteria=[{"title": "Know it", "url": "https://example.com/c"}]
        )
        Criterion.objects.create(template=template, description="It runs.")
        assert page(f"badge-classes/{template.uuid}/").json() == {
            "@context": "https://w3id.org/openbadges/v2",
            "type": "BadgeClass",
            "id": f"{BASE}/badge-classes/{template.uuid}/",
            "name": "Python",
            "description": "For those who finish.",
            "image": "https://images.example.com/badge.png",
            "criteria": {"id": "https://example.com/c", "narrative": "* Know it\n* It runs."},
            "issuer": f"{BASE}/issuer/",
            "tags": ["Python"],
        }

    def test_has_what_is_required_where_nothing_is_known(self) -> None:
        template = factories.BadgeTemplateFactory(name="Python", description="", image_url="")
        told = page(f"badge-classes/{template.uuid}/").json()
        assert told["description"] == "Python"
        assert told["criteria"] == {"narrative": "Python"}
        image = page(told["image"].removeprefix(f"{BASE}/"))
        assert image["Content-Type"] == "image/svg+xml"
        assert image.content.startswith(b"<svg")

    def test_of_a_template_that_nobody_can_earn_and_nobody_has_is_not_found(self) -> None:
        template = factories.BadgeTemplateFactory(is_active=False)
        assert page(f"badge-classes/{template.uuid}/").status_code == 404
        factories.BadgeFactory(template=template)
        assert page(f"badge-classes/{template.uuid}/").status_code == 200


class TestIssuer:
    def test_is_that_of_the_settings(self) -> None:
        assert page("issuer/").json() == {
            "@context": "https://w3id.org/openbadges/v2",
            "type": "Issuer",
            "id": f"{BASE}/issuer/",
            **ISSUER,
        }

    def test_is_the_site_where_nothing_is_set(self, settings: Settings) -> None:
        settings.BADGES_CONFIG = {}
        told = page("issuer/").json()
        assert (told["name"], told["url"]) == ("example.com", "https://example.com/")
        assert "email" not in told


@pytest.fixture(params=["assertion", "revoked", "class", "issuer", "image", "nothing"])
def path(request: pytest.FixtureRequest) -> str:
    badge = factories.BadgeFactory(status="revoked" if request.param == "revoked" else "awarded")
    return {
        "assertion": f"assertions/{badge.uuid}/",
        "revoked": f"assertions/{badge.uuid}/",
        "class": f"badge-classes/{badge.template.uuid}/",
        "issuer": "issuer/",
        "image": "badge-image.svg",
        "nothing": f"assertions/{uuid.uuid4()}/",
    }[str(request.param)]


class TestEveryPage:
    def test_can_be_read_by_scripts_of_other_sites(self, path: str) -> None:
        assert page(path)["Access-Control-Allow-Origin"] == "*"

    def test_can_be_kept_for_a_while(self, path: str) -> None:
        assert page(path)["Cache-Control"] == "public, max-age=300"

    def test_sets_no_cookie_and_needs_none(self, path: str, settings: Settings) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
        answer = page(path)
        assert answer.status_code in (200, 404, 410)
        assert not answer.cookies

    def test_is_not_sent_again_where_it_did_not_change(self, path: str) -> None:
        first = page(path)
        if first.status_code == 200:
            again = page(path, headers={"if-none-match": first["ETag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert page(path, headers={"if-none-match": '"another"'}).status_code == 200

    def test_cannot_be_posted_to(self, path: str) -> None:
        assert Client(enforce_csrf_checks=True).post(f"/badges/{path}").status_code == 405

    def test_is_not_there_while_the_feature_is_off(self, path: str, settings: Settings) -> None:
        settings.BADGES_ENABLED = False
        assert page(path).status_code == 404

    def test_does_not_depend_on_the_host_that_was_asked(self, path: str) -> None:
        answer = page(path, headers={"host": "evil.example"})
        assert b"evil.example" not in answer.content


def test_a_service_that_does_not_know_its_address_says_so_in_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    from django.contrib.sites.models import Site

    settings.BADGES_CONFIG = {}
    Site.objects.all().delete()
    Site.objects.clear_cache()
    badge = factories.BadgeFactory()
    answer = page(f"assertions/{badge.uuid}/")
    assert (answer.status_code, json.loads(answer.content)) == (503, {})
    assert 'BADGES_CONFIG["public_url"]' in caplog.text
    Site.objects.clear_cache()
