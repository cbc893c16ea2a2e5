"""A provider in memory that answers as a test tells it to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

from badges.data import AccountInfo, Award, IssuedBadge, TemplatePage
from badges.exceptions import DuplicateBadge
from badges.models import BadgeTemplate, ProviderAccount
from badges.providers.base import Provider
from tests.factories import BadgeTemplateFactory

SETTINGS = {"providers": {"scripted": "tests.integration.issuing.scripted.ScriptedProvider"}}
Answer = Exception | Callable[[Award], object] | None


class ScriptedProvider(Provider):
    """Keeps badges by award, and before each call takes the next answer of the script: an error, or something to do."""

    slug = "scripted"
    label = "Scripted"
    held: ClassVar[dict[uuid.UUID, IssuedBadge]] = {}
    script: ClassVar[list[Answer]] = []
    lose_answers: ClassVar[list[Exception]] = []
    """Errors that are raised after the work is done."""
    calls: ClassVar[list[str]] = []

    @classmethod
    def registered(cls, settings: Any) -> Iterator[type[Self]]:
        """The only provider, and empty, before and after; for a fixture."""
        settings.BADGES_CONFIG = {"providers": {cls.slug: f"{cls.__module__}.{cls.__qualname__}"}}
        cls.reset()
        yield cls
        cls.reset()

    @classmethod
    def reset(cls) -> None:
        """Forget everything."""
        for kept in (cls.held, cls.script, cls.lose_answers, cls.calls):
            kept.clear()

    def check_account(self) -> AccountInfo:
        self.calls.append("check")
        return AccountInfo(name="Scripted")

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        yield TemplatePage(number=1, templates=())

    def issue(self, award: Award) -> IssuedBadge:
        self._play("issue", award)
        if award.uuid in self.held:
            raise DuplicateBadge("The learner has this badge already.")
        self.held[award.uuid] = IssuedBadge(f"ext-{len(self.held) + 1}", "pending", "https://provider.example.com/1")
        if self.lose_answers:
            raise self.lose_answers.pop(0)
        return self.held[award.uuid]

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        self._play("revoke", award)
        self.held[award.uuid] = IssuedBadge(external_id, "revoked", is_valid=False)
        return self.held[award.uuid]

    def find_issued(self, award: Award) -> IssuedBadge | None:
        self.calls.append("find")
        return self.held.get(award.uuid)

    def _play(self, call: str, award: Award) -> None:
        self.calls.append(call)
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            answer(award)


def killed(award: Award) -> None:
    """The worker dies in the middle of its call, before the provider has done anything; for the script."""
    raise SystemExit


def scripted_template() -> BadgeTemplate:
    """An active template at the scripted provider."""
    account = ProviderAccount.objects.create(provider="scripted", name="Scripted", api_key="very-secret-key")
    template: BadgeTemplate = BadgeTemplateFactory(account=account, external_id="template-1")
    return template
