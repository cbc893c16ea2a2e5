"""A provider whose answers a test decides: what it lists, how it answers a check, and with which error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from attrs import define, field

from badges.data import Account, AccountInfo, Award, IssuedBadge, ProviderTemplate, TemplatePage
from badges.providers.base import Features, Provider


@define
class Answers:
    """What the provider answers, and what it was asked."""

    name: str = "Known at the provider"
    pages: list[list[ProviderTemplate]] = field(factory=list)
    check_error: Exception | None = None
    list_error: Exception | None = None
    """Raised after the last of the pages."""
    before_page: Callable[[int], None] = lambda number: None
    checked: list[Account] = field(factory=list)
    listed: list[Account] = field(factory=list)


class FakeProvider(Provider):
    """Answers what ``answers`` of its class says."""

    slug = "fake"
    label = "Fake"
    answers: ClassVar[Answers] = Answers()

    def check_account(self) -> AccountInfo:
        self.answers.checked.append(self.account)
        if self.answers.check_error is not None:
            raise self.answers.check_error
        return AccountInfo(name=self.answers.name)

    def templates(self) -> Iterator[TemplatePage]:
        self.answers.listed.append(self.account)
        for number, templates in enumerate(self.answers.pages, start=1):
            self.answers.before_page(number)
            yield TemplatePage(number, tuple(templates), len(self.answers.pages))
        if self.answers.list_error is not None:
            raise self.answers.list_error

    def issue(self, award: Award) -> IssuedBadge:
        raise AssertionError("no test of this provider issues")

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        raise AssertionError("no test of this provider revokes")

    def find_issued(self, award: Award) -> IssuedBadge | None:
        return None


class FakeCredly(FakeProvider):
    """In the place of Credly."""

    slug = "credly"
    label = "Credly"
    features = Features(account_has_external_id=True)


class FakeAccredible(FakeProvider):
    """In the place of Accredible."""

    slug = "accredible"
    label = "Accredible"


class Unlisted(FakeProvider):
    """A provider whose templates are added by hand."""

    slug = "unlisted"
    label = "Unlisted"
    features = Features(lists_templates=False)


_HERE = "tests.integration.fake_provider"
PROVIDERS = {
    "credly": f"{_HERE}.FakeCredly",
    "accredible": f"{_HERE}.FakeAccredible",
    "fake": f"{_HERE}.FakeProvider",
    "unlisted": f"{_HERE}.Unlisted",
}


def config(**sections: Any) -> dict[str, Any]:
    """``BADGES_CONFIG`` with these providers."""
    return {"providers": PROVIDERS, **sections}
