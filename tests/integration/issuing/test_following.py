"""Our badge follows what its provider says: the newest counts, in whatever order it is heard."""

from __future__ import annotations

import itertools

import pytest

from badges.data import IssuedBadge
from badges.issuing.following import find, follow
from badges.models import Badge
from tests.factories import BadgeFactory, CredlyBadgeTemplateFactory, moment

pytestmark = pytest.mark.django_db


@pytest.fixture
def badge() -> Badge:
    """A badge that is pending at Credly since second 10."""
    found: Badge = BadgeFactory(
        template=CredlyBadgeTemplateFactory(), external_id="c-1", state="pending", state_at=moment(10)
    )
    return found


def held(state: str, at: float | None = None, **more: object) -> IssuedBadge:
    """The badge as the provider tells it; ``at`` in seconds."""
    values = {"state_at": None if at is None else moment(at), "url": "https://credly.test/1", **more}
    return IssuedBadge("c-1", state, **values)  # type: ignore[arg-type]


def stored(badge: Badge) -> Badge:
    """The badge as it is in the database now."""
    return Badge.objects.get(pk=badge.pk)


def test_what_is_newer_is_written_down(badge: Badge) -> None:
    assert follow(badge, held("accepted", 20), None)

    now = stored(badge)
    assert (now.state, now.state_at, now.url) == ("accepted", moment(20), "https://credly.test/1")


def test_what_is_older_changes_nothing(badge: Badge) -> None:
    assert not follow(badge, held("accepted", 5), None)

    assert (stored(badge).state, stored(badge).url) == ("pending", "")


def test_the_same_again_changes_nothing(badge: Badge) -> None:
    follow(badge, held("accepted", 20), None)

    assert not follow(badge, held("accepted", 20), None)


@pytest.mark.parametrize("states", list(itertools.permutations(["pending", "accepted", "revoked"])))
def test_of_several_at_the_same_time_the_latest_in_a_badges_life_counts(badge: Badge, states: tuple[str, ...]) -> None:
    for state in states:
        follow(badge, held(state, 20), None)

    assert stored(badge).state == "revoked"


def test_the_time_of_the_event_counts_where_the_badge_has_none(badge: Badge) -> None:
    follow(badge, held("accepted"), moment(20))

    assert stored(badge).state_at == moment(20)


def test_an_answer_without_a_time_does_not_take_a_later_state_back(badge: Badge) -> None:
    follow(badge, held("accepted", 20), None)

    follow(badge, held("pending"), None)

    assert stored(badge).state == "accepted"


def test_an_answer_without_a_time_goes_on_in_a_badges_life(badge: Badge) -> None:
    follow(badge, held("revoked"), None)

    assert stored(badge).state == "revoked"


def test_where_no_time_is_ever_told_the_last_answer_counts() -> None:
    badge = BadgeFactory(template=CredlyBadgeTemplateFactory(), external_id="c-1", state="accepted")

    follow(badge, held("pending"), None)

    assert stored(badge).state == "pending"


def test_visibility_has_a_time_of_its_own(badge: Badge) -> None:
    follow(badge, held("accepted", 20, is_public=True), moment(30))
    follow(badge, held("accepted", 20, is_public=False), moment(25))

    assert stored(badge).is_public is True


def test_what_the_provider_does_not_say_leaves_visibility_alone(badge: Badge) -> None:
    follow(badge, held("accepted", 20, is_public=True), moment(30))

    follow(badge, held("revoked", 40), moment(40))

    assert stored(badge).is_public is True


def test_an_empty_address_leaves_the_known_one(badge: Badge) -> None:
    follow(badge, held("accepted", 20), None)

    follow(badge, held("revoked", 30, url=""), None)

    assert stored(badge).url == "https://credly.test/1"


class TestFinding:
    """Which of our badges a provider speaks of."""

    def test_by_our_identifier_before_the_providers(self, badge: Badge) -> None:
        account_id = badge.template.account_id
        other = BadgeFactory(template=badge.template)
        assert account_id is not None

        found = find(account_id, "c-1", str(other.uuid))

        assert found == other

    def test_by_the_providers_identifier(self, badge: Badge) -> None:
        assert badge.template.account_id is not None
        assert find(badge.template.account_id, "c-1", "not-a-uuid") == badge

    def test_not_in_another_account(self, badge: Badge) -> None:
        other = CredlyBadgeTemplateFactory()
        assert find(other.account_id, "c-1", str(badge.uuid)) is None

    def test_not_by_an_empty_identifier(self, badge: Badge) -> None:
        Badge.objects.update(external_id="")
        assert badge.template.account_id is not None
        assert find(badge.template.account_id, "") is None
