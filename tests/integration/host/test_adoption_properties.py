"""Whatever the built-in module's tables hold of learners: it is adopted once, and no badge is lost."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from tests.factories import BadgeFactory, BadgeProgressFactory, FulfillmentFactory, UserFactory
from tests.integration.host.adopting import Adoption, adoption
from tests.integration.host.built_in import BuiltIn

KNOWN = ("anna", "berta", "Clara")
NAMES = st.sampled_from((*KNOWN, "ANNA", "clara", "gone", ""))
REQUIREMENTS = st.one_of(st.none(), st.integers(0, 3))
"""The last one belongs to another template."""
STATES = st.sampled_from(("created", "no_response", "error", "pending", "accepted", "rejected", "revoked", "expired"))


@frozen
class There:
    """A badge of the built-in module."""

    status: str
    state: str
    is_issued: bool
    is_of_provider: bool


@frozen
class Here:
    """What is here before: requirements that are fulfilled or reset, and a badge."""

    words: dict[int, bool]
    badge: str | None


@frozen
class Data:
    """What is there, and what is here."""

    groups: tuple[str, ...]
    progress: list[tuple[str, list[int | None]]]
    badges: dict[str, There]
    here: dict[str, Here]


BADGES = st.builds(
    There,
    status=st.sampled_from(("awarded", "revoked", "strange")),
    state=STATES,
    is_issued=st.booleans(),
    is_of_provider=st.sampled_from((True, True, True, False)),
)
BEFORE = st.builds(
    Here,
    words=st.dictionaries(st.integers(0, 2), st.booleans(), max_size=3),
    badge=st.sampled_from((None, None, "awarded", "revoked")),
)
EVERYTHING = st.builds(
    Data,
    groups=st.tuples(*[st.sampled_from(("A", "B"))] * 3),
    progress=st.lists(st.tuples(NAMES, st.lists(REQUIREMENTS, max_size=4)), max_size=8),
    badges=st.dictionaries(NAMES, BADGES, max_size=6),
    here=st.dictionaries(st.sampled_from(KNOWN), BEFORE, max_size=2),
)


pytestmark = pytest.mark.usefixtures("built_in")


@contextlib.contextmanager
def example(data: Data) -> Iterator[Adoption]:
    """What is there and what is here, undone at the end."""
    with transaction.atomic():
        yield made(BuiltIn(), data)
        transaction.set_rollback(True)


def made(built_in: BuiltIn, data: Data) -> Adoption:
    """Make what is there and what is here."""
    users = {name: UserFactory(username=name) for name in KNOWN}
    template = adoption(built_in)
    requirements = [template.requirement(group) for group in data.groups]
    requirements.append(built_in.requirement(built_in.credly_template()))
    for username, fulfilled in data.progress:
        rows = [None if number is None else requirements[number] for number in fulfilled]
        built_in.progress(template.there, username, rows)
    for username, badge in data.badges.items():
        values: dict[str, Any] = {"status": badge.status, "state": badge.state}
        if badge.is_of_provider:
            template.badge(username, external_uuid=uuid.uuid4() if badge.is_issued else None, **values)
        else:
            built_in.accredible_badge(template.there, username, **values)
    for username, before in data.here.items():
        if before.words:
            record = BadgeProgressFactory(user=users[username], template=template.here)
            for number, is_fulfilled in before.words.items():
                own = template.here.requirements.get(pk=template.requirements[requirements[number].pk].id)
                FulfillmentFactory(progress=record, requirement=own, is_fulfilled=is_fulfilled)
        if before.badge:
            BadgeFactory(user=users[username], template=template.here, status=before.badge)
    return template


def is_of(name: str, username: str) -> bool:
    """Whether a name there is that of a learner here: in another case, where the database takes both for one."""
    return name == username or (connection.vendor == "mysql" and name.casefold() == username.casefold())


def everything() -> list[list[Any]]:
    """All that is here of learners."""
    return [list(model.objects.order_by("pk").values()) for model in (BadgeProgress, Fulfillment, Badge, Delivery)]


@settings(max_examples=60)
@given(data=EVERYTHING)
def test_it_is_adopted_as_planned_and_a_second_time_changes_nothing(data: Data) -> None:
    with example(data) as template:
        before = everything()

        planned = list(template.run(apply=False).lines())
        premature = list(template.premature)
        assert everything() == before

        assert list(template.run().lines()) == planned
        assert template.premature == premature
        after = everything()

        assert template.run().changes == 0
        assert template.premature == premature
        assert everything() == after


@settings(max_examples=60)
@given(data=EVERYTHING)
def test_no_awarded_badge_is_lost_and_nothing_of_here_is_changed(data: Data) -> None:
    with example(data) as template:
        before = everything()

        template.run()

        for old, new in zip(before, everything(), strict=True):
            assert [row for row in new if row["id"] in {one["id"] for one in old}] == old
        for username in KNOWN:
            held = Badge.objects.filter(user__username=username, template=template.here)
            here = data.here.get(username)
            there = [one for name, one in data.badges.items() if is_of(name, username) and one.is_of_provider]
            if here is not None and here.badge:
                assert held.get().status == here.badge
            elif any(one.status == "awarded" for one in there):
                assert held.get().is_awarded
            elif not there:
                assert not held.exists()


@settings(max_examples=60)
@given(data=EVERYTHING)
def test_fulfilled_is_what_some_record_says_and_nobody_reset_here(data: Data) -> None:
    with example(data) as template:
        own = [one.id for one in template.requirements.values()]

        template.run()

        assert get_user_model().objects.count() == len(KNOWN)
        for username in KNOWN:
            words = (
                {own[number]: word for number, word in data.here[username].words.items()}
                if (username in data.here)
                else {}
            )
            there = {
                own[number]
                for name, fulfilled in data.progress
                if is_of(name, username)
                for number in fulfilled
                if number is not None and number < len(own)
            }
            rows = Fulfillment.objects.filter(progress__user__username=username, progress__template=template.here)
            found = dict(rows.values_list("requirement_id", "is_fulfilled"))
            assert found == dict.fromkeys(there, True) | words
        assert not BadgeProgress.objects.filter(fulfillments=None).exists()
