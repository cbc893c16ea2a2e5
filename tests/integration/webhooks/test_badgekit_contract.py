"""BadgeKit's webhook, against what the webhook of every provider must do."""

from __future__ import annotations

from typing import Any, ClassVar

from badges.models import ProviderAccount, ProviderBadge
from demo.sandbox.badgekit_sender import signed
from tests.factories import BadgeKitSystemFactory
from tests.integration.webhooks.contract import WebhookContract

UID = "abcdefghijkl1234567890"


class TestContract(WebhookContract):
    """BadgeKit."""

    slug: ClassVar[str] = "badgekit"

    def make_account(self) -> ProviderAccount:
        account: ProviderAccount = BadgeKitSystemFactory()
        return account

    def message(self, account: ProviderAccount, number: int) -> dict[str, Any]:
        """An award, its revocation, and awards of others."""
        uid = UID if number <= 2 else f"other{number}"
        badge = {"id": 11, "slug": "badge-slug", "name": "Explorer", "criteria": [{"id": 221, "description": "Go."}]}
        if number == 2:
            return {"action": "revoke", "uid": uid, "badge": badge, "email": "anna@example.com"}
        return {
            "action": "award",
            "uid": uid,
            "badge": badge,
            "email": "anna@example.com",
            "assertionUrl": f"http://issuersite.com/public/assertions/{uid}",
            "issuedOn": 1400094712,
            "comment": None,
        }

    def state(self, account: ProviderAccount) -> object:
        rows = ProviderBadge.objects.filter(account=account, external_id=UID)
        return list(rows.values_list("state", "is_valid", "email", "template_external_id"))

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        return {"Authorization": f'JWT token="{signed(body, secret)}"'}
