"""What a badge here and a badge at the provider have to do with each other, and in what they differ: pure decisions."""

from __future__ import annotations

import enum

from attrs import frozen

from badges.data import IssuedBadge
from badges.models import Delivery

_OPEN = frozenset({Delivery.Status.PENDING.value, Delivery.Status.IN_PROGRESS.value})
_ISSUED_AGAIN_AFTER = frozenset({None, Delivery.Status.DONE.value, Delivery.Status.DEAD.value})


class Kind(enum.StrEnum):
    """In what the two sides differ."""

    STATE = "different_state"
    """State, identifier or page are not what is written down here; both sides agree whether the learner holds it."""
    REVOKED_THERE = "revoked_there"
    """Awarded here; the issuer took it away at the provider."""
    VALID_THERE = "valid_there"
    """Revoked here; still valid at the provider, and nothing under way that takes it away."""
    DONE_THERE = "done_there"
    """The delivery was given up, and what it was to bring about is so all the same."""
    MISSING_THERE = "missing_there"
    """Awarded here; the provider does not hold it, and nothing is under way that issues it."""
    MISSING_HERE = "missing_here"
    """The provider holds it for a learner of ours and a template of ours; there is no badge here."""


class Match(enum.StrEnum):
    """By what a badge of the provider's list was found to be one of ours, the surest first."""

    OWN_ID = "own id"
    EXTERNAL_ID = "external id"
    EMAIL = "template and e-mail"


class Trust(enum.Enum):
    """What a row of the provider's list is worth."""

    TAKEN = "taken"
    """It says how the badge is."""
    LOOKED_UP = "looked up"
    """It may be one of several of this learner, or old: the provider is asked for this badge."""
    IGNORED = "ignored"
    """It is somebody else's badge, or a former one, and says nothing of ours."""


@frozen
class Ours:
    """A badge as it stands here."""

    is_awarded: bool
    external_id: str
    state: str
    url: str
    issue: str | None
    """The status of the delivery that issues it; None where there is none."""
    revoke: str | None
    """The same for the one that revokes it."""
    delete: str | None = None
    """The same for the one that deletes it there."""

    @property
    def is_under_way(self) -> bool:
        """Whether a delivery is still to change it at the provider: until then the sides may differ."""
        return not _OPEN.isdisjoint((self.issue, self.revoke, self.delete))

    @property
    def may_be_issued_again(self) -> bool:
        """Whether it should be at the provider. A cancelled issue is somebody's decision, which stands."""
        return self.is_awarded and not self.is_under_way and self.issue in _ISSUED_AGAIN_AFTER


def compare(ours: Ours, held: IssuedBadge) -> Kind | None:
    """In what a badge here and the same badge at the provider differ; None where they agree, or will by themselves."""
    if ours.is_under_way:
        return None
    if ours.is_awarded:
        if held.is_revoked:
            return Kind.REVOKED_THERE
        if held.is_valid and ours.issue == Delivery.Status.DEAD:
            return Kind.DONE_THERE
    elif ours.delete is not None and ours.delete != Delivery.Status.CANCELLED:
        # What is left of it there is not written down again: it names a learner who is gone.
        return Kind.VALID_THERE if held.is_valid else None
    elif held.is_valid:
        # A revocation that somebody cancelled is a decision, which stands.
        if ours.revoke != Delivery.Status.CANCELLED:
            return Kind.VALID_THERE
    elif ours.revoke == Delivery.Status.DEAD:
        return Kind.DONE_THERE
    return Kind.STATE if _differs(ours, held) else None


def gone(ours: Ours) -> IssuedBadge | None:
    """What a provider that keeps nothing of a revoked badge says by not holding one; None where it never had it."""
    if not ours.external_id or ours.issue != Delivery.Status.DONE:
        return None
    return IssuedBadge(external_id=ours.external_id, state="revoked", url=ours.url, is_valid=False, is_revoked=True)


def weigh(ours: Ours, held: IssuedBadge, match: Match) -> Trust:
    """What a row of the provider's list says of the badge that it was matched with.

    One learner can have several badges of one template at the provider: a former one that ended, one issued by hand.
    A badge that is taken from a learner, or adopted, must be the right one; a list can be older than what it lists.
    """
    if ours.is_under_way:
        return Trust.TAKEN
    if held.external_id == ours.external_id:
        is_bad_news = ours.is_awarded and not held.is_valid and compare(ours, held) is not None
        return Trust.LOOKED_UP if is_bad_news else Trust.TAKEN
    if ours.external_id and (match is Match.EMAIL or not held.is_valid):
        return Trust.IGNORED
    if not ours.is_awarded:
        # Only what was issued by us is taken away, not what somebody gave the learner by hand.
        return Trust.TAKEN if match is Match.OWN_ID else Trust.IGNORED
    return Trust.LOOKED_UP


def choose(ours: Ours, held: IssuedBadge, match: Match, found: IssuedBadge | None) -> IssuedBadge | None:
    """The badge that counts, after the provider was asked for it; None where none does.

    Arguments:
        held: what the list said.
        found: what the provider answered when it was asked.
    """
    if held.external_id == ours.external_id:
        return found if found is not None and found.is_valid else held
    if found is None:
        # A search can lag behind a list; an identifier of ours cannot be a mistake.
        return held if match is Match.OWN_ID else None
    is_the_same = found.external_id == held.external_id and found.is_valid == held.is_valid
    return held if is_the_same else found


def _differs(ours: Ours, held: IssuedBadge) -> bool:
    is_other_page = bool(held.url) and held.url != ours.url
    return (held.external_id, held.state) != (ours.external_id, ours.state) or is_other_page
