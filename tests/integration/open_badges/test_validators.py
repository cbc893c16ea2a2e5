"""A hosted badge is accepted by a validator that is not ours, which fetches all that it consists of."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from openbadgeslib.ob2.verifier import OB2VerificationError, OB2Verifier
from pytest_django import Settings

from badges.models import Badge
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "https://credentials.example.com"


@pytest.fixture(autouse=True)
def _issuer(settings: Settings) -> None:
    settings.BADGES_CONFIG = {
        "public_url": BASE,
        "issuer": {"name": "Example University", "url": "https://example.com/", "email": "badges@example.com"},
    }


class World:
    """The pages of this service, as somebody far away fetches them."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    def fetch(self, url: str) -> bytes:
        assert url.startswith(BASE), url
        self.fetched.append(url.removeprefix(BASE))
        answer = Client().get(url.removeprefix(BASE), headers={"host": "credentials.example.com"})
        if answer.status_code != 200:
            raise ValueError(f"HTTP {answer.status_code}")
        return answer.content


def document(badge: Badge) -> Any:
    """The assertion as it is served."""
    return Client().get(f"/badges/assertions/{badge.uuid}/").json()


def test_an_assertion_is_accepted_with_all_that_it_leads_to() -> None:
    badge, world = factories.BadgeFactory(), World()
    found = OB2Verifier(download=world.fetch).verify_hosted(
        document(badge), expected_recipient=badge.user.email, check_revocation=True
    )
    assert found.id == f"{BASE}/badges/assertions/{badge.uuid}/"
    assert set(world.fetched) == {
        f"/badges/assertions/{badge.uuid}/",
        f"/badges/badge-classes/{badge.template.uuid}/",
        "/badges/issuer/",
    }


def test_it_is_nobody_elses() -> None:
    badge = factories.BadgeFactory()
    with pytest.raises(OB2VerificationError):
        OB2Verifier(download=World().fetch).verify_hosted(document(badge), expected_recipient="somebody@example.com")


def test_a_revoked_one_is_not_accepted() -> None:
    badge = factories.BadgeFactory()
    before = document(badge)
    Badge.objects.update(status=Badge.Status.REVOKED)
    with pytest.raises(OB2VerificationError):
        OB2Verifier(download=World().fetch).verify_hosted(before)
