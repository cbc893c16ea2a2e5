"""Adopts the learners of one template, as the command does it once the template is here."""

from __future__ import annotations

import uuid
from typing import Any

from attrs import Factory, define
from django.db import transaction

from badges.host.adoption import tables
from badges.host.adoption.context import Adopted, TemplateContext
from badges.host.adoption.learners import adopt_learners
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.premature import PrematureBadge
from badges.models import BadgeRequirement, BadgeTemplate
from tests.factories import AccredibleAPIConfigFactory, CredlyOrganizationFactory
from tests.integration.host.built_in import BuiltIn

ACCOUNTS: dict[str, Any] = {"credly": CredlyOrganizationFactory, "accredible": AccredibleAPIConfigFactory}


@define
class Adoption:
    """A template there, and here."""

    built_in: BuiltIn
    there: Any
    here: BadgeTemplate
    requirements: dict[int, Adopted] = Factory(dict)
    kind: str = "credly"
    premature: list[PrematureBadge] = Factory(list)
    """The list of the last run."""
    advanced: int = 0

    def requirement(self, group: str = "A", **values: Any) -> Any:
        """One more requirement, there and here."""
        there = self.built_in.requirement(self.there, rules=(), blend=group or None, **values)
        here = BadgeRequirement.objects.create(template=self.here, event_type=there.event_type, group=group)
        self.requirements[there.pk] = Adopted(here.pk, group, here.event_type)
        return there

    def badge(self, username: str, **values: Any) -> Any:
        """A badge there."""
        make = self.built_in.credly_badge if self.kind == "credly" else self.built_in.accredible_badge
        return make(self.there, username, **values)

    def run(self, *, apply: bool = True, is_here: bool = True, is_stopping: Any = lambda: False) -> Report:
        """Adopt, or plan."""
        report, self.premature, self.advanced = Report(), [], 0
        account = self.here.account
        requirements = self.requirements
        if not is_here:
            requirements = {pk: Adopted(0, one.group, one.event_type) for pk, one in requirements.items()}
        context = TemplateContext(
            builtin_id=self.there.pk,
            name=self.there.name,
            kind=self.kind,
            created=self.there.created,
            template=self.here if is_here else None,
            is_issuing=account is not None and account.is_issuing if is_here else self.kind in ACCOUNTS,
            requirements=requirements,
            apply=apply,
            report=report,
            advance=self._advance,
            premature=self.premature.append,
            is_stopping=is_stopping,
        )
        with transaction.atomic():
            adopt_learners(context)
        return report

    def _advance(self, number: int) -> None:
        self.advanced += number


def adoption(built_in: BuiltIn, kind: str = "credly") -> Adoption:
    """An active template of a provider, there and here; without one where ``kind`` is ``openedx``."""
    makers: dict[str, Any] = {
        "credly": built_in.credly_template,
        "accredible": built_in.group,
        "openedx": built_in.bare_template,
    }
    there = makers[kind]()
    here = BadgeTemplate.objects.create(
        pk=there.pk,
        uuid=there.uuid,
        account=ACCOUNTS[kind]() if kind in ACCOUNTS else None,
        external_id=str(uuid.uuid4()) if kind in ACCOUNTS else None,
        name=there.name,
        is_active=True,
    )
    return Adoption(built_in, there, here, kind=kind)


def told(report: Report, kind: str) -> dict[tuple[Outcome, str], int]:
    """What the report says of rows of one kind."""
    return {(line.outcome, line.reason): line.number for line in report.lines() if line.kind == kind}


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the built-in module's tables, to see that they stay as they are."""
    return {
        model._meta.db_table: list(model._default_manager.order_by("pk").values_list())
        for model in (tables.UserCredential, *tables.BUILT_IN)
    }
