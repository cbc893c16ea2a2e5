"""Whatever a built-in module holds: what is planned is done, and every row of it is in the report."""

from __future__ import annotations

import io
import uuid
from typing import Any

from attrs import frozen
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badges.host.adoption import accounts, awards, penalties, progress, requirements, tables, templates
from badges.host.adoption.outcome import Report
from badges.host.adoption.premature import PrematureRows
from badges.host.adoption.run import Adoption
from badges.models import (
    AdoptedRow,
    Badge,
    BadgePenalty,
    BadgeProgress,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    DataRule,
    Delivery,
    Fulfillment,
    PenaltyDataRule,
    ProviderAccount,
)
from tests.factories import CCX_PASSING, PASSING, BadgeFactory, BadgeTemplateFactory, UserFactory
from tests.integration.host.adopting import everything as everything_there
from tests.integration.host.built_in import RULES, BuiltIn

OURS: tuple[Any, ...] = (
    *(ProviderAccount, BadgeTemplate, BadgeRequirement, DataRule, BadgePenalty, PenaltyDataRule),
    *(BadgePenalty.requirements.through, AdoptedRow, BadgeProgress, Fulfillment, Badge, Delivery),
)
COUNTED: dict[str, tuple[Any, ...]] = {
    accounts.ORGANIZATIONS: (tables.CredlyOrganization,),
    accounts.CONFIGS: (tables.AccredibleAPIConfig,),
    templates.KIND: (tables.BadgeTemplate,),
    requirements.KIND: (tables.BadgeRequirement,),
    requirements.RULES: (tables.DataRule,),
    penalties.KIND: (tables.BadgePenalty,),
    penalties.RULES: (tables.PenaltyDataRule,),
    penalties.LINKS: (tables.PenaltyRequirement,),
    progress.PROGRESS: (tables.BadgeProgress,),
    progress.FULFILMENTS: (tables.Fulfillment,),
    awards.BADGES: (tables.CredlyBadge, tables.AccredibleBadge),
}
"""What the report calls rows -> where they are."""
IS_SQLITE = connection.vendor == "sqlite"
# No other database lets rows be longer than their columns.
LONG = "x" * (256 if IS_SQLITE else 255)
KNOWN = ("anna", "ben")
NAMES = (*KNOWN, *KNOWN, *KNOWN, "ANNA", "anna ", "gone", "")
GONE, FREE = 999_999, 10_000
GONE_PLACE = 5
"""A badge at that place is of a template that was deleted."""

_keys = st.sampled_from(("", "same", " same\n", "other", "\N{SNAKE}"))
_index = st.integers(0, 3)
_rules = st.lists(
    st.sampled_from((*RULES, ("is_passing", "eq", "yes"), ("no.such", "eq", "1"), ("is_passing", "gt", "1"))),
    max_size=3,
    unique=True,
)
_events = st.sampled_from((PASSING, PASSING, PASSING, CCX_PASSING, "no.such.event", LONG))
_owner = st.tuples(_index, _events, _rules)


@frozen
class There:
    """What the built-in module has; what belongs to something names it by its place in that list."""

    organizations: list[str]
    configs: list[str]
    templates: list[tuple[str, int, bool, str]]
    requirements: list[tuple[tuple[int, str, Any], str | None]]
    penalties: list[tuple[tuple[int, str, Any], list[int]]]
    progress: list[tuple[str, int | None, list[int | None]]]
    badges: dict[tuple[str, int, str], tuple[str, str, str, bool]]


THERE = st.builds(
    There,
    organizations=st.lists(_keys, min_size=1, max_size=3),
    configs=st.lists(_keys, min_size=1, max_size=3),
    templates=st.lists(
        st.tuples(
            st.sampled_from(("credly", "credly", "group", "overwritten", "openedx", "childless")),
            _index,
            st.booleans(),
            st.sampled_from(("active", "active", "active", "draft", "archived")),
        ),
        min_size=1,
        max_size=3,
    ),
    requirements=st.lists(st.tuples(_owner, st.sampled_from((None, "A", "A", "B"))), min_size=1, max_size=5),
    penalties=st.lists(st.tuples(_owner, st.lists(_index, max_size=3)), max_size=2),
    progress=st.lists(
        st.tuples(
            st.sampled_from(NAMES), st.one_of(st.none(), _index), st.lists(st.one_of(st.none(), _index), max_size=3)
        ),
        min_size=2,
        max_size=6,
    ),
    badges=st.dictionaries(
        st.tuples(
            st.sampled_from(NAMES), st.integers(0, GONE_PLACE), st.sampled_from(("credly", "credly", "accredible"))
        ),
        st.tuples(
            st.sampled_from(("own", "own", "own", "own", "credlybadgetemplate", "coursecertificate", "")),
            st.sampled_from(("awarded", "awarded", "awarded", "revoked", "revoked", "strange")),
            st.sampled_from(
                ("created", "no_response", "error", "pending", "accepted", "rejected", "revoked", "expired")
            ),
            st.booleans(),
        ),
        min_size=4,
        max_size=8,
    ),
)
HERE = st.sets(st.sampled_from(("organization", "config", "id", "uuid", "badge")))
"""What is here before: accounts that only tell, and what stands in the way of the first template and badge."""


def make(there: There, here: set[str]) -> None:
    """Put it into the tables."""
    built_in = BuiltIn()
    users = {name: UserFactory(username=name) for name in KNOWN}
    organizations = [built_in.organization(api_key=key, name=None) for key in there.organizations]
    configs = [built_in.api_config(api_key=key, name="The same") for key in there.configs]
    made = [template(built_in, one, organizations, configs) for one in there.templates]
    needs = [
        built_in.requirement(at(made, place), rules, event_type=event_type, blend=blend)
        for (place, event_type, rules), blend in there.requirements
    ]
    for (place, event_type, rules), resets in there.penalties:
        linked = [at(needs, one) for one in resets] if needs else []
        built_in.penalty(at(made, place), linked, rules, event_type=event_type)
    for username, of, fulfilled in there.progress:
        rows = [None if one is None or not needs else at(needs, one) for one in fulfilled]
        built_in.progress(None if of is None else at(made, of), username, rows)
    credentials = [badge(built_in, made, key, values) for key, values in there.badges.items()]
    if "organization" in here:
        ProviderAccount.objects.create(
            provider="credly", external_id=str(organizations[0].uuid), name="Mine", is_issuing=False
        )
    if "config" in here:
        ProviderAccount.objects.create(provider="accredible", name="Mine", api_key="same", is_issuing=False)
    if "id" in here:
        BadgeTemplateFactory(pk=made[-1].pk)
    if "uuid" in here:
        BadgeTemplateFactory(pk=FREE, uuid=made[0].uuid)
    if "badge" in here and credentials and credentials[0] is not None:
        BadgeFactory(uuid=credentials[0].uuid, user=users["anna"], template__pk=FREE + 1)


def at(rows: list[Any], place: int) -> Any:
    """One of them, whatever the number."""
    return rows[place % len(rows)]


def template(built_in: BuiltIn, one: tuple[str, int, bool, str], organizations: Any, configs: Any) -> Any:
    """A template of some kind."""
    kind, place, is_active, state = one
    values = {"is_active": is_active, "state": state}
    if kind == "credly":
        return built_in.credly_template(at(organizations, place), **values)
    if kind in ("openedx", "childless"):
        return built_in.bare_template(origin="credly" if kind == "childless" else kind, **values)
    made = built_in.group(at(configs, place), **values)
    if kind == "overwritten":
        tables.CredlyBadgeTemplate.objects.create(badgetemplate_ptr=made, organization=at(organizations, place))
    return made


def badge(
    built_in: BuiltIn, made: list[Any], key: tuple[str, int, str], values: tuple[str, str, str, bool]
) -> Any | None:
    """A badge, whose record in the host may be of something else, or gone."""
    (username, place, provider), (model, status, state, is_issued) = key, values
    of = at(made, place) if place < GONE_PLACE else tables.BadgeTemplate(pk=GONE)
    own: dict[str, Any] = {"status": status, "state": state, **({} if model in ("", "own") else {"model": model})}
    if provider == "credly":
        credential = built_in.credly_badge(of, username, external_uuid=uuid.uuid4() if is_issued else None, **own)
    else:
        credential = built_in.accredible_badge(of, username, **own, **({} if is_issued else {"external_id": None}))
    if model:
        return credential
    credential.delete()
    return None


def run(*, apply: bool) -> tuple[Report, str]:
    """Plan, or adopt: the report, and the list of premature badges."""
    file, advanced = io.StringIO(), [0]

    def advance(number: int) -> None:
        advanced[0] += number

    adoption = Adoption(apply, premature=PrematureRows(file), advance=advance)
    adoption.run()
    assert advanced[0] <= adoption.total()
    return adoption.report, file.getvalue()


def everything_here() -> list[Any]:
    """All that is here."""
    return [list(model._default_manager.order_by("pk").values_list()) for model in OURS]


@settings(
    max_examples=30 if IS_SQLITE else 10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(there=THERE, here=HERE)
def test_it_is_done_as_planned_and_once_and_every_row_is_told_of(
    built_in: BuiltIn, there: There, here: set[str]
) -> None:
    with transaction.atomic():
        make(there, here)
        rows = {kind: sum(model.objects.count() for model in models) for kind, models in COUNTED.items()}
        before_there, before_here = everything_there(), everything_here()

        planned = run(apply=False)
        assert everything_here() == before_here
        adopted = run(apply=True)

        assert adopted == planned
        assert {kind: adopted[0].count(kind) for kind in COUNTED} == rows
        after, version = everything_here(), ConfigurationVersion.current()
        again = run(apply=True)
        assert not again[0].changes
        assert {kind: again[0].count(kind) for kind in COUNTED} == rows
        assert (everything_here(), ConfigurationVersion.current()) == (after, version)
        assert everything_there() == before_there
        transaction.set_rollback(True)
