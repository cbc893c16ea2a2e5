"""The providers of Credly, Accredible and BadgeKit against the provider sandbox, a real process with real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from badges.data import Account, Award, TemplateState
from badges.exceptions import (
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from badges.providers import oauth
from badges.providers.accredible import provider as accredible_provider
from badges.providers.base import Provider
from badges.providers.registry import connect
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox, running_sandbox
from tests.integration.providers.contract import ProviderContract, make_award

pytestmark = pytest.mark.any_database
CREDLY = Account("credly", "Large College", seed.LARGE_ORGANIZATION_ID, seed.LARGE_ORGANIZATION_TOKEN)
ACCREDIBLE = Account("accredible", "Large Academy", "", seed.LARGE_ACCREDIBLE_KEY)
BADGEKIT = Account(
    "badgekit", "Large City", seed.LARGE_BADGEKIT_SYSTEM, seed.LARGE_BADGEKIT_SECRET, "sandbox-large-consumer"
)
CREDLY_TEMPLATES = [seed.template_id(f"large-{number}") for number in range(1, seed.MANY + 1)]
ACCREDIBLE_GROUPS = [str(20000 + number) for number in range(1, seed.MANY + 1)]

BADGEKIT_BADGES = [f"place-{number:03}" for number in range(1, seed.MANY + 1)]


@pytest.fixture(autouse=True)
def _configured(configured: RunningSandbox) -> None:
    """All providers lead to the sandbox."""


class OnTheSandbox(ProviderContract):
    """The contract, and what a failing network does to it."""

    account: Account
    first_template: str
    issuing: str
    """The path on which a badge is issued."""
    deleting_is_a_right_of_its_own = True
    """Otherwise a refusal is one of the whole account."""

    @pytest.fixture
    def provider(self, sandbox: RunningSandbox) -> Provider:
        return connect(self.account)

    @pytest.fixture
    def wrong_key(self, sandbox: RunningSandbox) -> Provider:
        return connect(evolve(self.account, api_key="wrong-key"))

    @pytest.fixture
    def award(self) -> Award:
        return make_award(self.first_template)

    def held(self, sandbox: RunningSandbox) -> int:
        state = sandbox.state()
        held = (state["credly"]["badges"], state["accredible"]["credentials"], state["badgekit"]["instances"])
        return sum(map(len, held))

    def test_a_lost_answer_leaves_the_outcome_unknown_and_the_badge_is_found(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        sandbox.fault("drop", after_commit=True, method="POST", path=self.issuing, count=1)
        with pytest.raises(ProviderUnavailable) as caught:
            provider.issue(award)
        assert caught.value.outcome_unknown
        assert self.held(sandbox) == 1
        assert provider.find_issued(award) is not None

    def test_a_late_answer_leaves_the_outcome_unknown_and_the_badge_is_found(
        self, provider: Provider, award: Award, sandbox: RunningSandbox, settings: Any
    ) -> None:
        sandbox.fault("delay", delay=60, after_commit=True, path=self.issuing, count=1)
        settings.BADGES_CONFIG = {**sandbox.badges_config(), "http": {"read_timeout": 0.5}}
        with pytest.raises(ProviderUnavailable) as caught:
            connect(self.account).issue(award)
        assert caught.value.outcome_unknown
        assert provider.find_issued(award) is not None

    def test_a_request_that_was_lost_is_not_found_and_can_be_repeated(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        sandbox.fault("drop", method="POST", path=self.issuing, count=1)
        with pytest.raises(ProviderUnavailable) as caught:
            provider.issue(award)
        assert caught.value.outcome_unknown
        assert provider.find_issued(award) is None
        assert provider.issue(award).is_valid

    @pytest.mark.parametrize("is_done", [True, False])
    def test_a_deletion_whose_answer_was_lost_can_be_repeated(
        self, provider: Provider, award: Award, sandbox: RunningSandbox, is_done: bool
    ) -> None:
        issued = provider.issue(award)
        sandbox.fault("drop", after_commit=is_done, method="DELETE", count=1)
        with pytest.raises(ProviderUnavailable) as caught:
            provider.delete(issued.external_id, award=award)
        assert caught.value.outcome_unknown
        assert self.held(sandbox) == (0 if is_done else 1)
        provider.delete(issued.external_id, award=award)
        assert self.held(sandbox) == 0

    def test_a_key_without_the_right_to_delete_does_not_stop_the_account(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        issued = provider.issue(award)
        sandbox.fault("status", status=403, method="DELETE", count=1)
        with pytest.raises(ProviderError) as caught:
            provider.delete(issued.external_id, award=award)
        assert caught.value.status_code == 403
        assert isinstance(caught.value, ProviderRejected) == self.deleting_is_a_right_of_its_own
        assert self.held(sandbox) == 1

    @pytest.mark.parametrize("body", ["html", "empty", "malformed"])
    def test_nonsense_leaves_the_outcome_unknown(
        self, provider: Provider, award: Award, sandbox: RunningSandbox, body: str
    ) -> None:
        sandbox.fault("status", status=200, body=body, after_commit=True, path=self.issuing, count=1)
        with pytest.raises(UnexpectedAnswer) as caught:
            provider.issue(award)
        assert caught.value.outcome_unknown
        assert provider.find_issued(award) is not None

    def test_a_redirect_is_not_followed(self, provider: Provider, award: Award, sandbox: RunningSandbox) -> None:
        with running_sandbox() as other:
            sandbox.fault("redirect", location=f"{other.url}/credly/v1/", count=1)
            with pytest.raises(UnexpectedAnswer, match="redirect"):
                provider.issue(award)
            assert other.state()["request_count"] == 0

    def test_too_many_requests_say_how_long_to_wait(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        sandbox.fault("status", status=429, retry_after="7", count=1)
        with pytest.raises(ProviderRateLimited) as caught:
            provider.issue(award)
        assert (caught.value.retry_after, caught.value.outcome_unknown) == (7, False)

    def test_nobody_listening_is_not_an_unknown_outcome(self, award: Award, settings: Any) -> None:
        with running_sandbox() as gone:
            settings.BADGES_CONFIG = gone.badges_config()
        with pytest.raises(ProviderUnavailable) as caught:
            connect(self.account).issue(award)
        assert not caught.value.outcome_unknown

    def test_no_error_holds_the_key_or_the_address(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        sandbox.fault("drop", count=2)
        for call in (provider.issue, provider.find_issued):
            with pytest.raises(ProviderError) as caught:
                call(award)
            error: BaseException | None = caught.value
            while error is not None:
                assert award.email not in f"{error} {error!r}"
                assert self.account.api_key not in f"{error} {error!r}"
                error = error.__cause__ or error.__context__


class TestCredly(OnTheSandbox):
    """Credly."""

    account = CREDLY
    account_name = "Sandbox Large College"
    templates = frozenset(CREDLY_TEMPLATES)
    first_template = CREDLY_TEMPLATES[0]
    issuing = "/badges$"

    def test_the_learner_accepts_and_the_link_changes(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        pending = provider.issue(award)
        sandbox.accept(pending.external_id)
        accepted = provider.find_issued(award)
        assert accepted is not None
        assert (pending.state, accepted.state) == ("pending", "accepted")
        assert pending.url.endswith("/accept")
        assert not accepted.url.endswith("/accept")

    def test_a_rejected_badge_is_not_valid(self, provider: Provider, award: Award, sandbox: RunningSandbox) -> None:
        sandbox.reject(provider.issue(award).external_id)
        found = provider.find_issued(award)
        assert found is not None
        assert not found.is_valid

    def test_a_badge_that_somebody_issued_by_hand_is_adopted(self, provider: Provider, award: Award) -> None:
        by_hand = provider.issue(award)
        ours = evolve(award, uuid=make_award(self.first_template).uuid)
        assert provider.find_issued(ours) == by_hand

    def test_the_state_of_a_template_is_the_providers_word(self, sandbox: RunningSandbox) -> None:
        small = connect(Account("credly", "Small", seed.ORGANIZATION_ID, seed.ORGANIZATION_TOKEN))
        states = {template.state for page in small.templates() for template in page.templates}
        assert states == {TemplateState.ACTIVE, TemplateState.DRAFT, TemplateState.ARCHIVED}

    def test_a_badge_deleted_at_the_provider_counts_as_taken_away(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        revoked = provider.revoke("b0000000-0000-4000-8000-000000000000", award=award, reason="A grade was corrected.")
        assert (revoked.state, revoked.is_valid) == ("deleted", False)


class TestAccredible(OnTheSandbox):
    """Accredible."""

    account = ACCREDIBLE
    account_name = "Sandbox Large Academy"
    templates = frozenset(ACCREDIBLE_GROUPS)
    first_template = ACCREDIBLE_GROUPS[0]
    issuing = "/credentials$"

    def test_without_credits_a_credential_is_made_but_not_published(self, provider: Provider, award: Award) -> None:
        assert provider.issue(award).state == "unpublished"

    def test_with_credits_it_is_published(self, provider: Provider, award: Award, sandbox: RunningSandbox) -> None:
        sandbox.control("POST", "accounts/502", {"credits": 1})
        assert provider.issue(award).state == "published"

    def test_a_credential_issued_today_can_be_taken_away_today(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        today = evolve(award, issued_at=datetime.now(UTC))
        issued = provider.issue(today)
        assert provider.revoke(issued.external_id, award=today, reason="A mistake.").state == "expired"
        [credential] = sandbox.state()["accredible"]["credentials"]
        assert credential["expired_on"] == credential["issued_on"]

    def test_every_group_names_a_design_that_has_an_image(self, provider: Provider) -> None:
        [first, *_] = provider.templates()
        assert all(template.image_key and not template.image_url for template in first.templates)
        assert provider.image_url(first.templates[0].image_key).endswith(".svg")

    def test_a_credential_beyond_what_an_offset_reaches_is_listed(
        self, provider: Provider, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The sandbox refuses offsets beyond 10,000 only; a client that is more careful uses its cursor early.
        monkeypatch.setattr(accredible_provider, "FURTHEST_START", 50)
        awards = [make_award(self.first_template) for _ in range(120)]
        for one in awards:
            provider.issue(one)
        pages = list(provider.issued_badges())
        assert [len(page) for page in pages] == [50, 50, 20]
        assert {one.own_id for page in pages for one in page} == {str(one.uuid) for one in awards}
        assert "cursor" in sandbox.state()["requests"][-1]["body"]["page"]


class TestBadgeKit(OnTheSandbox):
    """BadgeKit."""

    account = BADGEKIT
    account_name = "Sandbox Large City"
    templates = frozenset(BADGEKIT_BADGES)
    first_template = BADGEKIT_BADGES[0]
    issuing = "/instances$"
    deleting_is_a_right_of_its_own = False

    def test_the_master_key_works_where_no_key_is_named(self, sandbox: RunningSandbox) -> None:
        master = evolve(self.account, api_key=seed.BADGEKIT_MASTER_SECRET, client_id="")
        assert connect(master).check_account().name == self.account_name

    def test_an_address_with_unusual_letters_is_issued_found_and_revoked(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        unusual = evolve(award, email=f"o'anna+badges#?&%25-{award.uuid}@example.com")
        issued = provider.issue(unusual)
        assert provider.find_issued(unusual) == issued
        assert not provider.revoke(issued.external_id, award=unusual, reason="A mistake.").is_valid
        assert self.held(sandbox) == 0

    def test_a_badge_that_somebody_issued_by_hand_is_adopted(self, provider: Provider, award: Award) -> None:
        by_hand = provider.issue(award)
        assert provider.find_issued(evolve(award, uuid=make_award(self.first_template).uuid)) == by_hand

    def test_a_badge_is_found_after_the_learner_has_changed_the_address(self, provider: Provider, award: Award) -> None:
        issued = provider.issue(award)
        moved = evolve(award, email=f"moved-{award.email}")
        assert provider.find_issued(moved) == issued
        with pytest.raises(ProviderRejected, match="another e-mail address"):
            provider.revoke(issued.external_id, award=moved, reason="A mistake.")

    def test_what_somebody_else_awarded_afterwards_is_not_taken_away(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        ours = provider.issue(award)
        by_hand = {"badge": award.template_external_id, "email": award.email}
        sandbox.control("DELETE", f"badgekit/{self.account.external_id}/instances/{ours.external_id}")
        sandbox.control("POST", f"badgekit/{self.account.external_id}/instances", by_hand)
        assert not provider.revoke(ours.external_id, award=award, reason="A mistake.").is_valid
        assert self.held(sandbox) == 1

    def test_a_badge_that_does_not_exist_does_not_pass_for_one_that_was_never_issued(
        self, provider: Provider, award: Award
    ) -> None:
        with pytest.raises(ProviderRejected):
            provider.find_issued(evolve(award, template_external_id="404404"))

    def test_an_archived_badge_is_listed_as_such(self, sandbox: RunningSandbox) -> None:
        sandbox.control("POST", f"badgekit/{seed.BADGEKIT_SYSTEM}/badges", {"slug": "city-guide", "archived": True})
        account = Account("badgekit", "City", seed.BADGEKIT_SYSTEM, seed.BADGEKIT_SECRET, seed.BADGEKIT_KEY)
        [page] = connect(account).templates()
        states = {template.external_id: template.state for template in page.templates}
        assert states["city-guide"] == TemplateState.ARCHIVED
        assert states["city-explorer"] == TemplateState.ACTIVE


class TestCredlyWithOAuth(TestCredly):
    """Credly, with an OAuth client's id and secret instead of a token."""

    account = evolve(CREDLY, api_key=seed.LARGE_CLIENT_SECRET, client_id=seed.LARGE_CLIENT_ID)

    @pytest.fixture(autouse=True)
    def _no_token_is_kept(self) -> Iterator[None]:
        oauth.tokens.clear()
        yield
        oauth.tokens.clear()

    @pytest.fixture
    def provider(self, sandbox: RunningSandbox) -> Provider:
        connected = connect(self.account)
        # Faults are to strike the calls of the tests, not the one for the token.
        connected.check_account()
        return connected

    def test_a_token_that_has_ended_is_replaced_unseen(self, provider: Provider, sandbox: RunningSandbox) -> None:
        sandbox.revoke_oauth_tokens()
        assert provider.check_account().name == self.account_name
        paths = [request["path"] for request in sandbox.state()["requests"]]
        assert paths.count("/credly/oauth/token") == 2

    def test_a_client_that_is_refused_is_an_auth_error_until_it_is_accepted_again(
        self, provider: Provider, sandbox: RunningSandbox
    ) -> None:
        sandbox.expire_credly_token(seed.LARGE_ORGANIZATION_ID)
        with pytest.raises(ProviderAuthError, match="invalid_client"):
            provider.check_account()
        sandbox.expire_credly_token(seed.LARGE_ORGANIZATION_ID, expired=False)
        assert provider.check_account().name == self.account_name

    def test_a_token_endpoint_that_is_down_leaves_nothing_unknown(
        self, provider: Provider, award: Award, sandbox: RunningSandbox
    ) -> None:
        oauth.tokens.clear()
        sandbox.fault("status", status=503, body="html", path="oauth/token$")
        with pytest.raises(ProviderUnavailable) as caught:
            provider.issue(award)
        assert not caught.value.outcome_unknown
