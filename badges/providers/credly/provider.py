"""Credly as a provider: what its badges and templates mean to this app."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import (
    Account,
    AccountInfo,
    Award,
    Criterion,
    IssuedBadge,
    ListedBadge,
    ProviderTemplate,
    TemplatePage,
    TemplateState,
)
from badges.exceptions import ProviderRejected, UnexpectedAnswer
from badges.providers.answers import (
    Record,
    all_pages,
    changed_since,
    has_passed,
    identifier,
    moment,
    own_uuid,
    record,
    records,
    text,
    texts,
    url,
)
from badges.providers.base import Features, Provider
from badges.providers.credly.client import CredlyClient
from badges.providers.recipients import private_words, require_recipient

logger = logging.getLogger(__name__)

TIME_FORMAT = "%Y-%m-%d %H:%M:%S %z"
ENDED_STATES = frozenset({"revoked", "rejected", "replaced"})
LONGEST_TITLE = 500
CHANGED = ("created_at", "updated_at", "state_updated_at")
MOST_SEARCH_PAGES = 10
MOST_LISTED_PAGES = 20_000


class CredlyProvider(Provider):
    """One organization at Credly."""

    slug: ClassVar[str] = "credly"
    label: ClassVar[str] = "Credly"
    features: ClassVar[Features] = Features(
        account_has_external_id=True, learner_accepts=True, lists_issued=True, takes_client_credentials=True
    )
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

    def __init__(self, account: Account, settings: ProviderSettings, http: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the account or the settings cannot work.
        """
        super().__init__(account, settings, http)
        self._client = CredlyClient(account, settings, http)

    def check_account(self) -> AccountInfo:
        """Ask for the organization itself."""
        answer = self._client.organization()
        if identifier(answer, "id").lower() != self.account.external_id.lower():
            raise UnexpectedAnswer("Credly did not answer with the organization asked for. Check the provider's URLs.")
        return AccountInfo(name=text(answer, "name"))

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        """The organization's badge templates, in whatever state."""
        for number, page in all_pages(self._client.badge_templates, self.label, first=first_page):
            templates = tuple(_template(row) for row in page.rows)
            yield TemplatePage(number=number, templates=templates, total_pages=page.total_pages)

    def has_template(self, external_id: str) -> bool:
        """Ask for the badge template itself."""
        try:
            answer = self._client.badge_template(external_id)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong organization gives 404 as well; this raises then.
            self._client.organization()
            return False
        if identifier(answer, "id").lower() != external_id.lower():
            raise UnexpectedAnswer("Credly did not answer with the badge template asked for.")
        return True

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        """All badges of the organization, the oldest first.

        Credly documents no filter by time, and a badge that is old may change; so every page is read in any case, and
        ``since`` leaves out what Credly says did not change.
        """
        for _, page in all_pages(self._client.all_badges, self.label, most=MOST_LISTED_PAGES):
            rows = (row for row in page.rows if changed_since(row, since, *CHANGED))
            yield tuple(_listed(row) for row in rows if identifier(row, "id"))

    def issue(self, award: Award) -> IssuedBadge:
        """Issue a badge. Credly mails the learner, who accepts or rejects it."""
        require_recipient(award)
        answer = self._client.issue(_body(award), private=private_words(award))
        if not identifier(answer, "id"):
            raise UnexpectedAnswer(
                "Credly answered an issued badge without its id. It is looked up before it is issued again.",
                outcome_unknown=True,
            )
        return _issued(answer)

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        """Revoke a badge. One that is revoked or deleted at Credly already counts as done."""
        try:
            answer = self._client.revoke(external_id, reason or "Revoked by the issuer.", private_words(award))
        except ProviderRejected as refusal:
            return self._after_refused_revocation(external_id, refusal, award)
        revoked = _issued({"state": "revoked", **answer}, external_id)
        if revoked.is_valid:
            raise UnexpectedAnswer(
                "Credly accepted a revocation, and answered a badge that is not revoked.", outcome_unknown=True
            )
        return revoked

    def find_issued(self, award: Award) -> IssuedBadge | None:
        """The badge with our identifier; else a valid one of the same template and e-mail address.

        A badge that was merely sent to the same address belongs to another award (issued by hand, or before this app
        was installed). It is adopted because Credly would not issue a second one, but not when it has ended.
        """
        template = {"badge_template_id": award.template_external_id}
        ours = self._search(
            {**template, "issuer_earner_id": str(award.uuid)},
            lambda row: text(row, "issuer_earner_id").lower() == str(award.uuid),
            award,
        )
        if ours:
            return next((badge for badge in ours if badge.is_valid), ours[0])
        if not award.email:
            return None
        sent = self._search(
            {**template, "recipient_email": award.email},
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
            lambda page: self._client.badges(page, conditions, private), self.label, most=MOST_SEARCH_PAGES
        )
        return [_issued(row) for _, page in pages for row in page.rows if identifier(row, "id") and matches(row)]

    def _after_refused_revocation(self, external_id: str, refusal: ProviderRejected, award: Award) -> IssuedBadge:
        try:
            held = _issued(self._client.badge(external_id, private_words(award)), external_id)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise refusal from None
            # A wrong organization gives 404 as well; this raises then.
            self._client.organization()
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


def _issued(row: Record, external_id: str = "") -> IssuedBadge:
    state = text(row, "state")[:50]
    links = ("accept_badge_url", "badge_url") if state == "pending" else ("badge_url", "accept_badge_url")
    return IssuedBadge(
        external_id=external_id or identifier(row, "id"),
        state=state,
        url=url(row, *links),
        is_valid=state not in ENDED_STATES and not has_passed(row, "expires_at", datetime.now(UTC)),
        is_revoked=state == "revoked",
    )


def _listed(row: Record) -> ListedBadge:
    return ListedBadge(
        badge=_issued(row),
        own_id=own_uuid(row, "issuer_earner_id"),
        template_external_id=identifier(record(row, "badge_template"), "id"),
        email=text(row, "recipient_email"),
        issued_at=moment(row, "issued_at", "created_at"),
    )


def _template(row: Record) -> ProviderTemplate:
    external_id = identifier(row, "id")
    if not external_id:
        raise UnexpectedAnswer("Credly listed a badge template without its id. Nothing was changed; try again later.")
    return ProviderTemplate(
        external_id=external_id,
        name=text(row, "name"),
        description=text(row, "description"),
        image_url=url(row, "image_url") or url(record(row, "image"), "url"),
        state=_template_state(external_id, text(row, "state")),
        skills=texts(row, "skills", "name"),
        criteria=_criteria(row),
    )


def _criteria(row: Record) -> tuple[Criterion, ...]:
    activities = tuple(
        Criterion(title=text(one, "title")[:LONGEST_TITLE], url=url(one, "activity_url"))
        for one in records(row, "badge_template_activities")
    )
    general = Criterion(url=url(row, "global_activity_url"))
    known = {one.url for one in activities}
    everything = activities if general.url in known else (*activities, general)
    return tuple(one for one in everything if one.title or one.url)


def _template_state(external_id: str, word: str) -> TemplateState:
    try:
        return TemplateState(word)
    except ValueError:
        # A draft cannot be issued, and unlike an archived template it is not a reason to take anything down.
        logger.warning('Credly template %s has the unknown state "%.50s": it counts as a draft.', external_id, word)
        return TemplateState.DRAFT
