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
    also_held: set[str] = field(factory=set)
    """Templates that it has and its pages do not show."""
    before_look_up: Callable[[str], None] = lambda external_id: None
    images: dict[str, str] = field(factory=dict)
    """Address by key; none under another key."""
    before_image: Callable[[str], None] = lambda key: None
    checked: list[Account] = field(factory=list)
    listed: list[Account] = field(factory=list)
    first_pages: list[int] = field(factory=list)
    looked_up: list[str] = field(factory=list)
    asked_images: list[str] = field(factory=list)
    before_check: Callable[[], None] = lambda: None


class FakeProvider(Provider):
    """Answers what ``answers`` of its class says."""

    slug = "fake"
    label = "Fake"
    answers: ClassVar[Answers] = Answers()

    def check_account(self) -> AccountInfo:
        self.answers.checked.append(self.account)
        self.answers.before_check()
        if self.answers.check_error is not None:
            raise self.answers.check_error
        return AccountInfo(name=self.answers.name)

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        self.answers.listed.append(self.account)
        self.answers.first_pages.append(first_page)
        number = first_page
        while True:
            self.answers.before_page(number)
            if number > len(self.answers.pages):
                break
            yield TemplatePage(number, tuple(self.answers.pages[number - 1]), len(self.answers.pages))
            number += 1
            if number > len(self.answers.pages):
                break
        if self.answers.list_error is not None:
            raise self.answers.list_error

    def has_template(self, external_id: str) -> bool:
        self.answers.looked_up.append(external_id)
        self.answers.before_look_up(external_id)
        listed = (template.external_id for page in self.answers.pages for template in page)
        return external_id in self.answers.also_held or external_id in listed

    def image_url(self, image_key: str) -> str:
        self.answers.asked_images.append(image_key)
        self.answers.before_image(image_key)
        return self.answers.images.get(image_key, "")

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
