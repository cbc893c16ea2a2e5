"""Whatever fails, and whatever changes at the provider meanwhile: in the end here and there agree, and nothing that
lives there was ever deactivated here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from attrs import define, field
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples

from badges.data import ProviderTemplate, TemplatePage
from badges.exceptions import BadgesError, CeilingReached, ProviderRateLimited, ProviderUnavailable
from badges.issuing.sync.run import sync_templates
from badges.models import BadgeTemplate, CredlyOrganization, TemplateSync
from tests import factories
from tests.integration.fake_provider import Answers, FakeProvider

pytestmark = pytest.mark.django_db

PAGE = 2
FAILURES = {
    "network": ProviderUnavailable("Down."),
    "rate limit": ProviderRateLimited("Slow down."),
    "our ceiling": CeilingReached("Wait."),
    "bug": KeyError("x"),
}
HAPPENINGS = (
    "nothing",
    "nothing",
    "nothing",
    "add first",
    "add last",
    "delete",
    "rival",
    "restarting rival",
    *FAILURES,
)


class Killed(BaseException):
    """The process ends where it stands."""


@define
class World:
    """A provider whose list changes, and fails, between any two calls; and what must hold here all along."""

    account: CredlyOrganization
    script: list[tuple[str, int]]
    """What happens before the next call, and to which template; afterwards nothing does."""
    living: list[str] = field(factory=list)
    made: int = 0
    rivals: int = 0
    activated: set[int] = field(factory=set)

    def add(self, *, first: bool) -> None:
        """Somebody makes a template at the provider."""
        self.made += 1
        self.living.insert(0 if first else len(self.living), str(self.made))

    def before_call(self) -> None:
        """Whatever the script has for this moment."""
        self.activate_and_check()
        what, which = self.script.pop(0) if self.script else ("nothing", 0)
        if what.startswith("add"):
            self.add(first=what == "add first")
        elif what == "delete" and len(self.living) > 1:
            del self.living[which % len(self.living)]
        elif what.endswith("rival") and not self.rivals:
            self.rivals += 1
            self.run(restart=what.startswith("restarting"))
            self.rivals -= 1
        elif what == "killed":
            raise Killed
        elif what in FAILURES:
            raise FAILURES[what]

    def activate_and_check(self) -> None:
        """Staff activates all that is new; and nothing that lives may have been deactivated since."""
        new = BadgeTemplate.objects.filter(account=self.account).exclude(pk__in=self.activated)
        pks = set(new.values_list("pk", flat=True))
        BadgeTemplate.objects.filter(pk__in=pks).update(is_active=True)
        self.activated |= pks
        rows = BadgeTemplate.objects.filter(account=self.account, external_id__in=self.living)
        assert not rows.exclude(state="active", is_active=True).exists()

    def run(self, *, restart: bool = False) -> bool:
        """Synchronize; whether it came to its end."""
        try:
            sync_templates(self.account, restart=restart)
        except (BadgesError, KeyError, Killed):
            return False
        finally:
            self.activate_and_check()
        return True


class LivingProvider(FakeProvider):
    """Answers what the world is at that moment."""

    slug = "credly"
    world: World

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        number = first_page
        while True:
            self.world.before_call()
            rows = self.world.living[(number - 1) * PAGE : number * PAGE]
            total = max(1, -(-len(self.world.living) // PAGE))
            entries = (ProviderTemplate(one, f"Template {one}", image_key=one) for one in rows)
            yield TemplatePage(number, tuple(entries), total)
            if number >= total:
                return
            number += 1

    def has_template(self, external_id: str) -> bool:
        self.world.before_call()
        return external_id in self.world.living

    def image_url(self, image_key: str) -> str:
        self.world.before_call()
        return f"https://example.com/{image_key}.png"


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    """What happens within leaves nothing: each example of hypothesis begins with the same database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    script=lists(tuples(sampled_from((*HAPPENINGS, *FAILURES)), integers(0, 20)), min_size=5, max_size=40),
    held=integers(1, 9),
    known=booleans(),
)
@example(script=[("nothing", 0), ("delete", 0)], held=5, known=True)
@example(script=[("nothing", 0), ("network", 0), ("delete", 0), ("rival", 0)], held=9, known=True)
def test_in_the_end_here_and_there_agree(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, script: list[tuple[str, int]], held: int, known: bool
) -> None:
    with rolled_back(), monkeypatch.context() as patch:
        world = World(factories.CredlyOrganizationFactory(), script=[])
        patch.setattr("tests.integration.fake_provider.FakeCredly", LivingProvider)
        patch.setattr("badges.providers.registry._import", lambda slug, path: LivingProvider)
        patch.setattr(LivingProvider, "world", world, raising=False)
        for _ in range(held):
            world.add(first=False)
        if known:
            assert world.run()
        world.script = list(script)
        while world.script:
            world.run()

        assert world.run(), "what was broken off is gone on with"
        assert world.run(), "and read once more, undisturbed"

        rows = BadgeTemplate.objects.filter(account=world.account)
        active = rows.filter(state="active", is_active=True)
        assert set(active.values_list("external_id", flat=True)) == set(world.living)
        assert not rows.exclude(pk__in=active).exclude(state="archived", is_active=False).exists()
        assert all(row.image_url == f"https://example.com/{row.external_id}.png" for row in active)
        sync = TemplateSync.objects.get(account=world.account)
        assert (sync.finished_at is None, sync.last_error) == (False, "")
