"""Credly as a provider: what its badges and templates mean to this app."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import Account, AccountInfo, Award, IssuedBadge, ListedBadge, TemplatePage
from badges.exceptions import ProviderAuthError, ProviderRejected, UnexpectedAnswer
from badges.providers.answers import Record, all_pages, changed_since, identifier, record, text
from badges.providers.base import Features, Provider
from badges.providers.credly.client import CredlyClient
from badges.providers.credly.reading import issued, listed, template
from badges.providers.credly.webhooks import CredlyWebhooks
from badges.providers.recipients import private_words, require_recipient
from badges.providers.webhooks import Webhooks

TIME_FORMAT = "%Y-%m-%d %H:%M:%S %z"
CHANGED = ("created_at", "updated_at", "state_updated_at")
MOST_SEARCH_PAGES = 10
MOST_LISTED_PAGES = 20_000


class CredlyProvider(Provider):
    """One organization at Credly."""

    slug: ClassVar[str] = "credly"
    label: ClassVar[str] = "Credly"
    features: ClassVar[Features] = Features(
        account_has_external_id=True,
        learner_accepts=True,
        deletes=True,
        lists_issued=True,
        takes_client_credentials=True,
    )
    states: ClassVar[tuple[str, ...]] = ("pending", "accepted", "rejected", "replaced", "revoked", "deleted")
    settings_defaults: ClassVar[Mapping[str, Any]] = {
        "CREDLY_BASE_URL": "https://credly.com/",
        "CREDLY_API_BASE_URL": "https://api.credly.com/v1/",
        "CREDLY_OAUTH_TOKEN_URL": "https://www.credly.com/oauth/token",
        "CREDLY_SANDBOX_BASE_URL": "https://sandbox.credly.com/",
        "CREDLY_SANDBOX_API_BASE_URL": "https://sandbox-api.credly.com/v1/",
        # Not documented: by analogy with the one above.
        "CREDLY_SANDBOX_OAUTH_TOKEN_URL": "https://sandbox.credly.com/oauth/token",
        "USE_SANDBOX": False,
    }
    webhooks: ClassVar[type[Webhooks] | None] = CredlyWebhooks

    def __init__(self, account: Account, settings: ProviderSettings, http: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the account or the settings cannot work.
        """
        super().__init__(account, settings, http)
        self.client = CredlyClient(account, settings, http)

    def check_account(self) -> AccountInfo:
        """Ask for the organization itself."""
        answer = self.client.organization()
        if identifier(answer, "id").lower() != self.account.external_id.lower():
            raise UnexpectedAnswer("Credly did not answer with the organization asked for. Check the provider's URLs.")
        return AccountInfo(name=text(answer, "name"))

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        """The organization's badge templates, in whatever state."""
        for number, page in all_pages(self.client.badge_templates, self.label, first=first_page):
            templates = tuple(template(row) for row in page.rows)
            yield TemplatePage(number=number, templates=templates, total_pages=page.total_pages)

    def has_template(self, external_id: str) -> bool:
        """Ask for the badge template itself."""
        try:
            answer = self.client.badge_template(external_id)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong organization gives 404 as well; this raises then.
            self.client.organization()
            return False
        if identifier(answer, "id").lower() != external_id.lower():
            raise UnexpectedAnswer("Credly did not answer with the badge template asked for.")
        return True

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        """All badges of the organization, the oldest first.

        Credly documents no filter by time, and a badge that is old may change; so every page is read in any case, and
        ``since`` leaves out what Credly says did not change.
        """
        for _, page in all_pages(self.client.all_badges, self.label, most=MOST_LISTED_PAGES):
            rows = (row for row in page.rows if changed_since(row, since, *CHANGED))
            yield tuple(listed(row) for row in rows if identifier(row, "id"))

    def issue(self, award: Award) -> IssuedBadge:
        """Issue a badge. Credly mails the learner, who accepts or rejects it."""
        require_recipient(award)
        answer = self.client.issue(_body(award), private=private_words(award))
        if not identifier(answer, "id"):
            raise UnexpectedAnswer(
                "Credly answered an issued badge without its id. It is looked up before it is issued again.",
                outcome_unknown=True,
            )
        return issued(answer)

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        """Revoke a badge. One that is revoked or deleted at Credly already counts as done."""
        try:
            answer = self.client.revoke(external_id, reason or "Revoked by the issuer.", private_words(award))
        except ProviderRejected as refusal:
            return self._after_refused_revocation(external_id, refusal, award)
        revoked = issued({"state": "revoked", **answer}, external_id)
        if revoked.is_valid:
            raise UnexpectedAnswer(
                "Credly accepted a revocation, and answered a badge that is not revoked.", outcome_unknown=True
            )
        return revoked

    def delete(self, external_id: str, *, award: Award) -> IssuedBadge:
        """Delete a badge and its page, as for a learner who leaves. A token needs a right of its own for that."""
        try:
            self.client.delete(external_id, private_words(award))
        except ProviderAuthError as refusal:
            if refusal.status_code != 403:
                raise
            # A token that may do nothing at all raises here; one that may not delete must not stop the account.
            self.client.organization()
            raise ProviderRejected(
                f"Credly refused to delete badge {award.uuid} (HTTP 403): the account's key has no right to delete. "
                "Give the organization's token this right at Credly, then retry the delivery. Or delete the badge on "
                "Credly's pages, and retry or mark the delivery as done.",
                status_code=403,
            ) from None
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong organization gives 404 as well; this raises then.
            self.client.organization()
        return IssuedBadge(external_id=external_id, state="deleted", is_valid=False)

    def find_issued(self, award: Award) -> IssuedBadge | None:
        """The badge with our identifier; else a valid one of the same template and e-mail address.

        A badge that was merely sent to the same address belongs to another award (issued by hand, or before this app
        was installed). It is adopted because Credly would not issue a second one, but not when it has ended.
        """
        of_template = {"badge_template_id": award.template_external_id}
        ours = self._search(
            {**of_template, "issuer_earner_id": str(award.uuid)},
            lambda row: text(row, "issuer_earner_id").lower() == str(award.uuid),
            award,
        )
        if ours:
            return next((badge for badge in ours if badge.is_valid), ours[0])
        if not award.email:
            return None
        sent = self._search(
            {**of_template, "recipient_email": award.email},
            lambda row: (
                text(row, "recipient_email").casefold() == award.email.strip().casefold()
                and identifier(record(row, "badge_template"), "id") == award.template_external_id
            ),
            award,
        )
        return next((badge for badge in sent if badge.is_valid), None)

    def _search(
        self, conditions: Mapping[str, str], matches: Callable[[Record], bool], award: Award
    ) -> list[IssuedBadge]:
        # The filter's keys are not all documented: were one ignored, the whole organization would come back.
        private = private_words(award)
        pages = all_pages(
            lambda page: self.client.badges(page, conditions, private), self.label, most=MOST_SEARCH_PAGES
        )
        return [issued(row) for _, page in pages for row in page.rows if identifier(row, "id") and matches(row)]

    def _after_refused_revocation(self, external_id: str, refusal: ProviderRejected, award: Award) -> IssuedBadge:
        try:
            held = issued(self.client.badge(external_id, private_words(award)), external_id)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise refusal from None
            # A wrong organization gives 404 as well; this raises then.
            self.client.organization()
            return IssuedBadge(external_id=external_id, state="deleted", is_valid=False)
        if held.state == "revoked":
            return held
        raise refusal


def _body(award: Award) -> dict[str, object]:
    return {
        "recipient_email": award.email,
        "issued_to_first_name": award.first_name,
        "issued_to_last_name": award.last_name,
        "badge_template_id": award.template_external_id,
        "issued_at": award.issued_at.astimezone(UTC).strftime(TIME_FORMAT),
        "issuer_earner_id": str(award.uuid),
    }
