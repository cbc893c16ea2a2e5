"""Providers with documented hosts, for tests with mocked HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from badges.data import Account, Award
from badges.providers.registry import connect

CREDLY_ORGANIZATION = "a0d325d9-d8cb-466f-b515-c767949f7e9a"
CREDLY = f"https://api.credly.com/v1/organizations/{CREDLY_ORGANIZATION}"
ACCREDIBLE = "https://api.accredible.com/v1"
ACCREDIBLE_2 = "https://api.accredible.com/v2"
BADGEKIT_API = "https://badgekit.example.com"
BADGEKIT = f"{BADGEKIT_API}/systems/city"
KEY = "k3y-of-the-account"

AWARD = Award(
    uuid=uuid.UUID("628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"),
    template_external_id="83a895ad-1ef6-4b39-a8b7-e102c6c48926",
    email="anna@example.com",
    name="Anna Maria Lee",
    issued_at=datetime(2026, 4, 1, 23, 41, 0, 123456, tzinfo=UTC),
)
BADGEKIT_AWARD = evolve(AWARD, template_external_id="explorer")
ACCREDIBLE_AWARD = evolve(AWARD, template_external_id="9001")


def credly(**account: Any) -> Any:
    """Credly, on its production host."""
    return connect(evolve(Account("credly", "Academy", CREDLY_ORGANIZATION, KEY), **account))


def accredible(**account: Any) -> Any:
    """Accredible, on its production host."""
    return connect(evolve(Account("accredible", "Academy", "", KEY), **account))


def badgekit(**account: Any) -> Any:
    """A system at a BadgeKit, which has to be configured as :data:`BADGEKIT_API`."""
    return connect(evolve(Account("badgekit", "City", "city", KEY), **account))
