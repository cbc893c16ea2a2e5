"""What every provider must do; a test class of each provider inherits it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from badges.data import Award
from badges.exceptions import DuplicateBadge, ProviderAuthError, ProviderRejected
from badges.providers.base import Provider


class ProviderContract:
    """Inherit it, and give the fixtures ``provider``, ``wrong_key`` and ``award``."""

    templates: frozenset[str]
    """The external ids of all templates that the account has."""
    account_name: str

    def test_a_good_account_is_answered_with_its_name(self, provider: Provider) -> None:
        assert provider.check_account().name == self.account_name

    def test_a_wrong_key_is_an_auth_error(self, wrong_key: Provider) -> None:
        with pytest.raises(ProviderAuthError):
            wrong_key.check_account()

    def test_every_template_of_every_page_is_listed_once(self, provider: Provider) -> None:
        pages = list(provider.templates())
        listed = [template.external_id for page in pages for template in page.templates]
        assert sorted(listed) == sorted(self.templates)
        assert [page.number for page in pages] == list(range(1, len(pages) + 1))
        assert len(pages) > 1

    def test_nothing_is_found_before_it_is_issued(self, provider: Provider, award: Award) -> None:
        assert provider.find_issued(award) is None

    def test_an_issued_badge_has_an_id_a_state_and_a_page(self, provider: Provider, award: Award) -> None:
        issued = provider.issue(award)
        assert issued.external_id
        assert issued.state
        assert issued.url.startswith("http")
        assert issued.is_valid

    def test_an_issued_badge_is_found_again(self, provider: Provider, award: Award) -> None:
        issued = provider.issue(award)
        assert provider.find_issued(award) == issued

    def test_a_second_badge_for_one_award_is_a_duplicate(self, provider: Provider, award: Award) -> None:
        provider.issue(award)
        with pytest.raises(DuplicateBadge):
            provider.issue(award)

    def test_a_template_that_does_not_exist_is_refused_for_good(self, provider: Provider, award: Award) -> None:
        with pytest.raises(ProviderRejected) as caught:
            provider.issue(evolve(award, template_external_id="404404"))
        assert not caught.value.retryable

    def test_a_revoked_badge_is_no_longer_valid(self, provider: Provider, award: Award) -> None:
        issued = provider.issue(award)
        revoked = provider.revoke(issued.external_id, award=award, reason="A grade was corrected.")
        assert (revoked.external_id, revoked.is_valid) == (issued.external_id, False)

    def test_a_revoked_badge_is_found_as_such(self, provider: Provider, award: Award) -> None:
        revoked = provider.revoke(provider.issue(award).external_id, award=award, reason="A grade was corrected.")
        found = provider.find_issued(award)
        assert found is not None
        assert (found.state, found.is_valid) == (revoked.state, False)

    def test_revoking_what_is_revoked_succeeds(self, provider: Provider, award: Award) -> None:
        issued = provider.issue(award)
        first = provider.revoke(issued.external_id, award=award, reason="A grade was corrected.")
        assert provider.revoke(issued.external_id, award=award, reason="A grade was corrected.") == first


def make_award(template: str, *, days_ago: float = 10) -> Award:
    """An award of a learner of its own."""
    number = uuid.uuid4()
    return Award(
        uuid=number,
        template_external_id=template,
        email=f"anna-{number}@example.com",
        name="Anna Maria Lee",
        issued_at=datetime.now(UTC) - timedelta(days=days_ago),
    )
