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

    def test_templates_are_listed_from_the_page_asked_for(self, provider: Provider) -> None:
        everything = list(provider.templates())
        assert list(provider.templates(2)) == everything[1:]

    def test_a_page_beyond_the_last_has_no_templates(self, provider: Provider) -> None:
        last = len(list(provider.templates()))
        assert [template for page in provider.templates(last + 1) for template in page.templates] == []

    def test_a_template_that_is_listed_is_there_and_another_is_not(self, provider: Provider) -> None:
        if type(provider).has_template is not Provider.has_template:
            assert provider.has_template(min(self.templates))
        assert not provider.has_template("404404")

    def test_an_image_is_a_web_address_or_none(self, provider: Provider) -> None:
        template = next(provider.templates()).templates[0]
        image = template.image_url or (provider.image_url(template.image_key) if template.image_key else "")
        assert image == "" or image.startswith("http")

    def test_an_image_of_nothing_is_none(self, provider: Provider) -> None:
        assert provider.image_url("404404") == ""

    def test_all_badges_are_listed_as_they_are_found(self, provider: Provider, award: Award) -> None:
        if not provider.features.lists_issued:
            with pytest.raises(ProviderRejected):
                list(provider.issued_badges())
            return
        other = make_award(award.template_external_id)
        provider.issue(award)
        provider.revoke(provider.issue(other).external_id, award=other, reason="A grade was corrected.")
        listed = {one.own_id: one for page in provider.issued_badges() for one in page}
        still_held = (award,) if provider.features.revocation_is_deletion else (award, other)
        for asked in still_held:
            found, one = provider.find_issued(asked), listed[str(asked.uuid)]
            assert found is not None
            # A list may leave out the page of a badge.
            assert (one.badge, one.badge.url or found.url) == (evolve(found, url=one.badge.url), found.url)
            assert (one.template_external_id, one.email) == (asked.template_external_id, asked.email)
        assert len(listed) == len(still_held)

    def test_what_did_not_change_for_long_may_be_left_out_of_the_list(self, provider: Provider, award: Award) -> None:
        if provider.features.lists_issued:
            provider.issue(award)
            before, after = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (-5, 5))
            assert [len(page) for page in provider.issued_badges(before) if page] == [1]
            assert sum(map(len, provider.issued_badges(after))) <= 1

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
        assert not issued.is_revoked

    def test_a_revoked_badge_is_found_as_such(self, provider: Provider, award: Award) -> None:
        revoked = provider.revoke(provider.issue(award).external_id, award=award, reason="A grade was corrected.")
        found = provider.find_issued(award)
        if provider.features.revocation_is_deletion:
            assert found is None
            return
        assert found is not None
        assert (found.state, found.is_valid) == (revoked.state, False)

    def test_a_deleted_badge_is_nowhere_any_more(self, provider: Provider, award: Award) -> None:
        other = make_award(award.template_external_id)
        issued, kept = provider.issue(award), provider.issue(other)
        if not provider.features.deletes:
            with pytest.raises(ProviderRejected, match="cannot delete"):
                provider.delete(issued.external_id, award=award)
            return
        deleted = provider.delete(issued.external_id, award=award)
        assert (deleted.external_id, deleted.state, deleted.is_valid) == (issued.external_id, "deleted", False)
        assert provider.find_issued(award) is None
        assert provider.find_issued(other) == kept
        if provider.features.lists_issued:
            assert [one.own_id for page in provider.issued_badges() for one in page] == [str(other.uuid)]

    def test_a_revoked_badge_can_be_deleted(self, provider: Provider, award: Award) -> None:
        if provider.features.deletes:
            issued = provider.issue(award)
            provider.revoke(issued.external_id, award=award, reason="A grade was corrected.")
            provider.delete(issued.external_id, award=award)
            assert provider.find_issued(award) is None

    def test_deleting_what_is_deleted_succeeds(self, provider: Provider, award: Award) -> None:
        if provider.features.deletes:
            issued = provider.issue(award)
            first = provider.delete(issued.external_id, award=award)
            assert provider.delete(issued.external_id, award=award) == first

    def test_a_badge_is_deleted_after_its_learner_was_anonymized(self, provider: Provider, award: Award) -> None:
        if provider.features.deletes:
            other = make_award(award.template_external_id)
            issued, kept = provider.issue(award), provider.issue(other)
            provider.delete(issued.external_id, award=evolve(award, email="", name="retired_user"))
            assert provider.find_issued(award) is None
            assert provider.find_issued(other) == kept

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
