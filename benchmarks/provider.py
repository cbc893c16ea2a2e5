"""A provider that answers at once, so that only our own work is measured."""

from __future__ import annotations

from collections.abc import Iterator

from badges.data import AccountInfo, Award, IssuedBadge, TemplatePage
from badges.providers.base import Provider


class InstantProvider(Provider):
    """Issues whatever it is asked for."""

    slug = "instant"
    label = "Instant"

    def check_account(self) -> AccountInfo:
        return AccountInfo(name="Instant")

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        yield TemplatePage(number=1, templates=())

    def issue(self, award: Award) -> IssuedBadge:
        return IssuedBadge(external_id=str(award.uuid), state="issued")

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        return IssuedBadge(external_id=external_id, state="revoked", is_valid=False)

    def find_issued(self, award: Award) -> IssuedBadge | None:
        return None
