"""Events of an employee in any order, some of them twice, end as they do in the order of their times."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from badges.changes import EmployeeBadgeData, EmploymentChange
from badges.models import CredlyOrganization
from tests.factories import CredlyOrganizationFactory, UserFactory, moment
from tests.integration.webhooks.employees import FULL, apply, badge, change, minimal, now_of

pytestmark = pytest.mark.django_db

BADGES = st.builds(
    lambda number, state: badge(number, state=state), st.integers(1, 3), st.sampled_from(["pending", "accepted"])
)
LISTS = st.lists(BADGES, max_size=3, unique_by=lambda one: one.external_id).map(tuple)
EMPLOYMENTS = st.builds(
    lambda department, email: evolve(FULL, department=department, email=email),
    st.sampled_from(["Engineering", "Sales"]),
    st.sampled_from(["email1@example.com", "other@example.com", ""]),
)


@st.composite
def events(draw: Any, *, has_parts: bool = True) -> EmploymentChange:
    """An event, whose time does not matter yet."""
    kind = draw(st.sampled_from(["full", "full", "minimal", "deleted", *(["part", "part"] if has_parts else [])]))
    if kind in ("minimal", "deleted"):
        return minimal(0, is_deleted=kind == "deleted")
    listed: tuple[EmployeeBadgeData, ...] | None = None if kind == "part" else draw(LISTS)
    about: dict[str, Any] = draw(
        st.one_of(
            st.just({}),
            st.builds(lambda one: {"added": one}, BADGES),
            st.builds(lambda one: {"removed": one.external_id}, BADGES),
        )
    )
    return change(
        0,
        employment=draw(EMPLOYMENTS),
        badges=listed,
        has_provider_user=draw(st.sampled_from([None, True, False])),
        **about,
    )


@contextlib.contextmanager
def undone() -> Iterator[tuple[CredlyOrganization, CredlyOrganization]]:
    """Two organizations, of which nothing is left afterwards."""
    with transaction.atomic():
        UserFactory(username="one", email="email1@example.com")
        UserFactory(username="two", email="other@example.com")
        yield CredlyOrganizationFactory(), CredlyOrganizationFactory()
        transaction.set_rollback(True)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_order_with_repetitions_ends_as_the_true_one(data: st.DataObject) -> None:
    told = data.draw(st.lists(events(), min_size=1, max_size=6), label="history")
    history = [evolve(one, at=moment(number)) for number, one in enumerate(told, start=1)]
    repeated = data.draw(st.lists(st.sampled_from(history), max_size=3), label="repeated")
    came = data.draw(st.permutations([*history, *repeated]), label="came")
    with undone() as (true, disordered):
        apply(true, *history)
        apply(disordered, *came)

        assert now_of(disordered) == now_of(true)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_events_of_one_instant_end_the_same_in_any_order(data: st.DataObject) -> None:
    told = data.draw(st.lists(events(has_parts=False), min_size=2, max_size=4), label="history")
    instants = data.draw(st.lists(st.integers(1, 2), min_size=len(told), max_size=len(told)), label="instants")
    history = [evolve(one, at=moment(at)) for one, at in zip(told, instants, strict=True)]
    came = data.draw(st.permutations(history), label="came")
    with undone() as (one, another):
        apply(one, *history)
        apply(another, *came)

        assert now_of(another) == now_of(one)
