"""The toy provider: the contract on top of its client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count
from typing import Any, ClassVar

from badges.data import AccountInfo, Award, IssuedBadge, ListedBadge, ProviderTemplate, TemplatePage
from badges.providers.base import Features, Provider
from badges.providers.webhooks import Webhooks
from tests.toy_provider.client import PAGE, TEMPLATES, ToyBadge, ToyClient
from tests.toy_provider.webhooks import ToyWebhooks


class ToyProvider(Provider):
    """One key of the toy provider."""

    slug: ClassVar[str] = "toy"
    label: ClassVar[str] = "Toy"
    features: ClassVar[Features] = Features(deletes=True, lists_issued=True)
    settings_defaults: ClassVar[Mapping[str, Any]] = {
        "TOY_BASE_URL": "https://toys.example.com/",
        "TOY_API_BASE_URL": "https://api.toys.example.com/",
        "TOY_SANDBOX_BASE_URL": "https://sandbox.toys.example.com/",
        "TOY_SANDBOX_API_BASE_URL": "https://sandbox-api.toys.example.com/",
        "USE_SANDBOX": False,
    }
    webhooks: ClassVar[type[Webhooks] | None] = ToyWebhooks

    @property
    def client(self) -> ToyClient:
        return ToyClient(self.account.api_key)

    def check_account(self) -> AccountInfo:
        """Ask whose shelf it is."""
        return AccountInfo(name=self.client.name())

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        """All templates, a few a page."""
        total = -(-len(TEMPLATES) // PAGE)
        for number in range(first_page, total + 1):
            rows = tuple(ProviderTemplate(external_id=one, name=f"Toy {one}") for one in self.client.templates(number))
            yield TemplatePage(number=number, templates=rows, total_pages=total)

    def issue(self, award: Award) -> IssuedBadge:
        """Put a badge on the shelf."""
        return self._issued(self.client.give(str(award.uuid), award.template_external_id, award.email))

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        """Take a badge from its learner."""
        return self._issued(self.client.take(external_id))

    def delete(self, external_id: str, *, award: Award) -> IssuedBadge:
        """Take a badge off the shelf."""
        self.client.remove(external_id)
        return IssuedBadge(external_id, "deleted", is_valid=False)

    def find_issued(self, award: Award) -> IssuedBadge | None:
        """The badge with our identifier."""
        found = self.client.find(str(award.uuid))
        return self._issued(found) if found else None

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        """The whole shelf, a few a page; it knows no times."""
        for number in count(1):
            rows = self.client.badges(number)
            if not rows:
                return
            yield tuple(ListedBadge(self._issued(one), one.reference, one.template, one.email) for one in rows)

    def _issued(self, badge: ToyBadge) -> IssuedBadge:
        page = f"{self.settings.base_url}badges/{badge.number}"
        taken = badge.state == "taken"
        return IssuedBadge(badge.number, badge.state, page, is_valid=not taken, is_revoked=taken)
