"""What a badge here and one at the provider have to do with each other."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from badges.data import IssuedBadge
from badges.issuing.reconcile_rules import Kind, Match, Ours, Trust, choose, compare, gone, weigh

AWARDED = Ours(is_awarded=True, external_id="e1", state="accepted", url="https://p/1", issue="done", revoke=None)
REVOKED = evolve(AWARDED, is_awarded=False, state="revoked", revoke="done")
VALID = IssuedBadge("e1", "accepted", "https://p/1")
TAKEN_AWAY = IssuedBadge("e1", "revoked", "https://p/1", is_valid=False, is_revoked=True)
REJECTED = IssuedBadge("e1", "rejected", "https://p/1", is_valid=False)

statuses = st.sampled_from([None, "pending", "in_progress", "done", "dead", "cancelled"])
texts = st.sampled_from(["", "a", "b"])
ours = st.builds(Ours, st.booleans(), texts, texts, texts, statuses, statuses)
held = st.builds(IssuedBadge, st.sampled_from("ab"), texts, texts, st.booleans()).map(
    lambda badge: evolve(badge, is_revoked=not badge.is_valid and badge.state == "a")
)


def one(ours: Ours, **values: Any) -> Ours:
    """A badge here with something else."""
    return evolve(ours, **values)


@pytest.mark.parametrize(
    ("here", "there", "kind"),
    [
        (AWARDED, VALID, None),
        (AWARDED, evolve(VALID, url=""), None),
        (AWARDED, evolve(VALID, state="pending"), Kind.STATE),
        (AWARDED, evolve(VALID, external_id="e2"), Kind.STATE),
        (AWARDED, evolve(VALID, url="https://p/2"), Kind.STATE),
        (AWARDED, TAKEN_AWAY, Kind.REVOKED_THERE),
        (AWARDED, REJECTED, Kind.STATE),
        (one(AWARDED, state="rejected"), REJECTED, None),
        (one(AWARDED, issue="dead"), VALID, Kind.DONE_THERE),
        (one(AWARDED, issue="dead"), TAKEN_AWAY, Kind.REVOKED_THERE),
        (one(AWARDED, issue="cancelled"), VALID, None),
        (REVOKED, TAKEN_AWAY, None),
        (REVOKED, VALID, Kind.VALID_THERE),
        (one(REVOKED, revoke=None), VALID, Kind.VALID_THERE),
        (one(REVOKED, revoke="dead"), VALID, Kind.VALID_THERE),
        (one(REVOKED, revoke="cancelled"), one(VALID, state="revoked"), None),  # type: ignore[arg-type]
        (one(REVOKED, revoke="dead"), TAKEN_AWAY, Kind.DONE_THERE),
        (one(REVOKED, state="accepted"), TAKEN_AWAY, Kind.STATE),
    ],
)
def test_the_difference_is(here: Ours, there: IssuedBadge, kind: Kind | None) -> None:
    assert compare(here, there) is kind


@given(ours, held)
def test_a_badge_with_a_delivery_under_way_never_differs(here: Ours, there: IssuedBadge) -> None:
    for open_one in ("pending", "in_progress"):
        assert compare(evolve(here, issue=open_one), there) is None
        assert compare(evolve(here, revoke=open_one), there) is None


@given(ours, held)
def test_what_is_adopted_does_not_differ_any_more(here: Ours, there: IssuedBadge) -> None:
    if compare(here, there) is Kind.STATE:
        adopted = evolve(here, external_id=there.external_id, state=there.state, url=there.url or here.url)
        assert compare(adopted, there) is None


@given(ours, held, st.sampled_from(Match))
def test_the_badge_is_taken_from_a_learner_only_after_the_provider_was_asked(
    here: Ours, there: IssuedBadge, match: Match
) -> None:
    if weigh(here, there, match) is Trust.TAKEN:
        assert compare(here, there) is not Kind.REVOKED_THERE


@given(ours, held, st.sampled_from([Match.EXTERNAL_ID, Match.EMAIL]))
def test_nothing_that_others_issued_is_taken_away(here: Ours, there: IssuedBadge, match: Match) -> None:
    here = evolve(here, is_awarded=False)
    if weigh(here, there, match) is Trust.TAKEN and compare(here, there) is Kind.VALID_THERE:
        assert there.external_id == here.external_id


@pytest.mark.parametrize(
    ("here", "there", "match", "trust"),
    [
        (AWARDED, VALID, Match.EXTERNAL_ID, Trust.TAKEN),
        (AWARDED, TAKEN_AWAY, Match.OWN_ID, Trust.LOOKED_UP),
        (one(AWARDED, state="rejected"), REJECTED, Match.OWN_ID, Trust.TAKEN),
        (AWARDED, evolve(VALID, external_id="e2"), Match.OWN_ID, Trust.LOOKED_UP),
        (AWARDED, evolve(VALID, external_id="e2"), Match.EMAIL, Trust.IGNORED),
        (AWARDED, evolve(TAKEN_AWAY, external_id="e2"), Match.OWN_ID, Trust.IGNORED),
        (one(AWARDED, external_id=""), VALID, Match.EMAIL, Trust.LOOKED_UP),
        (one(REVOKED, external_id=""), VALID, Match.EMAIL, Trust.IGNORED),
        (one(REVOKED, external_id=""), VALID, Match.OWN_ID, Trust.TAKEN),
    ],
)
def test_a_row_of_the_list_is(here: Ours, there: IssuedBadge, match: Match, trust: Trust) -> None:
    assert weigh(here, there, match) is trust


@pytest.mark.parametrize(
    ("here", "there", "match", "found", "chosen"),
    [
        # An own one ended, and another took its place.
        (AWARDED, TAKEN_AWAY, Match.OWN_ID, evolve(VALID, external_id="e2"), "e2"),
        # One issued by hand is found by nothing once it has ended, but the list knows its identifier.
        (AWARDED, TAKEN_AWAY, Match.EXTERNAL_ID, None, "e1"),
        # The list is older than what it lists.
        (AWARDED, TAKEN_AWAY, Match.OWN_ID, VALID, "e1"),
        # The search lags behind the list.
        (one(AWARDED, external_id=""), VALID, Match.OWN_ID, None, "e1"),
        (one(AWARDED, external_id=""), REJECTED, Match.EMAIL, None, None),
        (one(AWARDED, external_id=""), REJECTED, Match.EMAIL, evolve(VALID, external_id="e3"), "e3"),
    ],
)
def test_after_the_provider_was_asked_the_badge_that_counts_is(
    here: Ours, there: IssuedBadge, match: Match, found: IssuedBadge | None, chosen: str | None
) -> None:
    counting = choose(here, there, match, found)

    assert (counting.external_id if counting is not None else None) == chosen


@pytest.mark.parametrize(
    ("issue", "again"),
    [("done", True), ("dead", True), (None, True), ("cancelled", False), ("pending", False), ("in_progress", False)],
)
def test_a_missing_badge_is_issued_again_unless_that_is_under_way_or_was_cancelled(
    issue: str | None, again: bool
) -> None:
    assert evolve(AWARDED, issue=issue).may_be_issued_again is again
    assert not evolve(REVOKED, issue=issue).may_be_issued_again


@pytest.mark.parametrize(
    "here",
    [
        one(AWARDED, external_id=""),
        one(AWARDED, issue=None),
        one(AWARDED, issue="dead"),
        one(AWARDED, issue="cancelled"),
    ],
)
def test_what_a_provider_never_had_is_not_taken_away_there(here: Ours) -> None:
    assert gone(here) is None


def test_what_a_provider_had_and_keeps_nothing_of_is_taken_away_there() -> None:
    held = gone(AWARDED)
    assert held is not None
    assert compare(AWARDED, held) is Kind.REVOKED_THERE
