"""Accredible as a provider: what its credentials and groups mean to this app."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
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
)
from badges.exceptions import NotSent, ProviderAuthError, ProviderRejected, UnexpectedAnswer
from badges.providers.accredible.client import FURTHEST_START, AccredibleClient
from badges.providers.answers import (
    FULL_PAGE,
    Record,
    all_pages,
    changed_since,
    has_passed,
    identifier,
    moment,
    own_uuid,
    record,
    text,
    texts,
    url,
)
from badges.providers.base import Features, Provider
from badges.providers.recipients import private_words, require_recipient

DESIGNS = ("primary_design_id", "badge_design_id", "certificate_design_id", "design_id")
"""How a group names its design; the first one is the newest way."""
BEFORE_ACCREDIBLE = datetime(2000, 1, 1, tzinfo=UTC)
MOST_LISTED_PAGES = 20_000


class AccredibleProvider(Provider):
    """One API key at Accredible, of an account or of one of its departments."""

    slug: ClassVar[str] = "accredible"
    label: ClassVar[str] = "Accredible"
    features: ClassVar[Features] = Features(revocation_is_expiry=True, deletes=True, lists_issued=True)
    settings_defaults: ClassVar[Mapping[str, Any]] = {
        "ACCREDIBLE_BASE_URL": "https://dashboard.accredible.com/",
        "ACCREDIBLE_API_BASE_URL": "https://api.accredible.com/v1/",
        "ACCREDIBLE_SANDBOX_BASE_URL": "https://sandbox.dashboard.accredible.com/",
        "ACCREDIBLE_SANDBOX_API_BASE_URL": "https://sandbox.api.accredible.com/v1/",
        "USE_SANDBOX": False,
    }

    def __init__(self, account: Account, settings: ProviderSettings, http: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the account or the settings cannot work.
        """
        super().__init__(account, settings, http)
        self._client = AccredibleClient(account, settings, http)

    def check_account(self) -> AccountInfo:
        """Ask for the issuer that the key belongs to."""
        answer = self._client.issuer()
        if not identifier(answer, "id"):
            raise UnexpectedAnswer("Accredible answered the issuer without its id. Check the provider's URLs.")
        return AccountInfo(name=text(answer, "name"))

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        """The groups that the key can see. A group has no state, so all are active."""
        for number, page in all_pages(self._client.groups, self.label, first=first_page):
            templates = tuple(_template(row) for row in page.rows)
            yield TemplatePage(number=number, templates=templates, total_pages=page.total_pages)

    def has_template(self, external_id: str) -> bool:
        """Ask for the group itself."""
        try:
            answer = self._client.group(external_id)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong key or address must not pass for a deleted group: this raises then.
            self.check_account()
            return False
        if identifier(answer, "id") != external_id:
            raise UnexpectedAnswer("Accredible did not answer with the group asked for.")
        return True

    def image_url(self, image_key: str) -> str:
        """Ask for a design. Empty where it is gone, or has no picture."""
        try:
            return url(self._client.design(image_key), "rasterized_content_url")
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            return ""

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        """All credentials that the key can see, the oldest first; the search is an index, and may be behind."""
        # Down to the second: nothing is known of fractions.
        asked = (since or BEFORE_ACCREDIBLE).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        before: tuple[Record, ...] = ()
        start, cursor = 0, ""
        for _ in range(MOST_LISTED_PAGES):
            # Only an empty page is the end: neither what "count" counts nor how large a page may be is certain.
            rows, following = self._client.changed(asked, start, cursor)
            if not rows:
                return
            if rows == before:
                raise UnexpectedAnswer("Accredible answered a page of credentials with the one before it.")
            wanted = (row for row in rows if changed_since(row, since, "created_at", "updated_at"))
            yield tuple(filter(None, map(self._listed, wanted)))
            before, start = rows, start + len(rows)
            if start + FULL_PAGE > FURTHEST_START:
                if cursor and not following:
                    return
                cursor = following
            if not cursor and start > FURTHEST_START:
                raise UnexpectedAnswer(
                    f"Accredible gave no cursor for what comes after {start} credentials. Ask for a shorter time."
                )
        raise UnexpectedAnswer(f"Accredible did not end a list after {MOST_LISTED_PAGES} pages.")

    def issue(self, award: Award) -> IssuedBadge:
        """Create a credential. Without credits left, Accredible creates it unpublished."""
        require_recipient(award)
        answer = self._client.create(_body(award), private=private_words(award))
        if not identifier(answer, "id"):
            raise UnexpectedAnswer(
                "Accredible answered a new credential without its id. It is looked up before it is created again.",
                outcome_unknown=True,
            )
        return _issued(answer)

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        """Let a credential expire: Accredible has no revocation and takes no reason.

        The date is yesterday, because nothing says whether a credential is valid on its last day; but not before the
        day on which it was issued.
        """
        ends = max(_utc_date(award.issued_at), datetime.now(UTC).date() - timedelta(days=1))
        try:
            answer = self._client.update(external_id, {"expired_on": ends.isoformat()}, private_words(award))
        except ProviderRejected as refusal:
            if refusal.status_code != 404:
                raise
            # A wrong key or address must not pass for a deleted credential: this raises then.
            self.check_account()
            return IssuedBadge(external_id=external_id, state="deleted", is_valid=False)
        if "expired_on" in answer and not has_passed(answer, "expired_on", datetime.now(UTC)):
            raise UnexpectedAnswer(
                "Accredible was asked to let a credential expire, and answered one that is still valid.",
                outcome_unknown=True,
            )
        return IssuedBadge(external_id=external_id, state="expired", url=url(answer, "url"), is_valid=False)

    def delete(self, external_id: str, *, award: Award) -> IssuedBadge:
        """Delete a credential and its page."""
        try:
            self._client.delete(external_id, private_words(award))
        except ProviderAuthError as refusal:
            if refusal.status_code != 403:
                raise
            # A key that may do nothing at all raises here; one that may not delete must not stop the account.
            self.check_account()
            raise ProviderRejected(
                f"Accredible refused to delete the credential of badge {award.uuid} (HTTP 403): the account's key may "
                "not. Use a key that may delete it, then retry the delivery. Or delete the credential in Accredible's "
                "dashboard, and retry or mark the delivery as done.",
                status_code=403,
            ) from None
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong key or address must not pass for a deleted credential: this raises then.
            self.check_account()
        return IssuedBadge(external_id=external_id, state="deleted", is_valid=False)

    def find_issued(self, award: Award) -> IssuedBadge | None:
        """The credential with our identifier; else a valid one of the same group and e-mail address.

        A credential that was merely sent to the same address belongs to another award (created by hand, or before this
        app was installed). It is adopted because the group would not take a second one, but not when it has expired.
        """
        own_id = str(award.uuid)
        ours = self._search({"license_id": own_id}, lambda row: identifier(row, "license_id").lower() == own_id, award)
        if ours:
            return next((badge for badge in ours if badge.is_valid), ours[0])
        if not award.email:
            return None
        sent = self._search(
            {"group.id": _group_id(award), "recipient_email": award.email},
            lambda row: (
                text(row, "recipient_email").casefold() == award.email.strip().casefold()
                and identifier(record(row, "group"), "id") == award.template_external_id
            ),
            award,
        )
        return next((badge for badge in sent if badge.is_valid), None)

    def _search(
        self, query: Mapping[str, object], matches: Callable[[Record], bool], award: Award
    ) -> list[IssuedBadge]:
        # Conditions are checked again: were one not known to the API and ignored, any credential could come back.
        rows = self._client.search(query, private_words(award))
        found = [row for row in rows if matches(row)]
        if rows and not found:
            raise UnexpectedAnswer(
                "Accredible searched for a credential and answered others. It is not known whether it holds this one."
            )
        return [self._full(row, award) for row in found]

    def _listed(self, row: Record) -> ListedBadge | None:
        badge = _issued(row)
        if not badge.external_id:
            # The number is what we know a credential by. The documents show rows without it, with other names.
            other = identifier(row, "encoded_id", "uuid")
            badge = self._by_another_name(other, row) if other else badge
        if not badge.external_id:
            return None
        return ListedBadge(
            badge=badge,
            own_id=own_uuid(row, "license_id"),
            template_external_id=identifier(record(row, "group"), "id"),
            email=text(row, "recipient_email"),
            issued_at=moment(row, "issued_on", "created_at"),
        )

    def _by_another_name(self, name: str, row: Record) -> IssuedBadge:
        try:
            return _issued({**row, **self._client.credential(name, (text(row, "recipient_email"),))})
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            return _issued(row)

    def _full(self, row: Record, award: Award) -> IssuedBadge:
        credential_id = identifier(row, "id", "encoded_id", "uuid")
        if not credential_id:
            raise UnexpectedAnswer("Accredible found a credential and answered it without its id.")
        try:
            answer = self._client.credential(credential_id, private_words(award))
        except ProviderRejected:
            return _issued(row, credential_id)
        return _issued({**row, **answer}, identifier(answer, "id") or credential_id)


def _body(award: Award) -> dict[str, object]:
    body: dict[str, object] = {
        "id": str(award.uuid),
        "recipient": {"name": award.name, "email": award.email},
        "group_id": _group_id(award),
        "issued_on": _utc_date(award.issued_at).isoformat(),
        "approve": True,
    }
    return {**body, "description": award.description} if award.description else body


def _group_id(award: Award) -> int:
    group = award.template_external_id
    if not (group.isascii() and group.isdigit() and len(group) < 19):
        raise NotSent(
            f'"{group}" is not the number of a group at Accredible. Synchronize the groups, then retry the delivery.'
        )
    return int(group)


def _utc_date(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _issued(row: Record, external_id: str = "") -> IssuedBadge:
    expired = has_passed(row, "expired_on", datetime.now(UTC))
    published = "unpublished" if row.get("approve") is False else "published"
    return IssuedBadge(
        external_id=external_id or identifier(row, "id"),
        state="expired" if expired else published,
        url=url(row, "url"),
        is_valid=not expired,
    )


def _template(row: Record) -> ProviderTemplate:
    external_id = identifier(row, "id")
    if not external_id:
        raise UnexpectedAnswer("Accredible listed a group without its id. Nothing was changed; try again later.")
    return ProviderTemplate(
        external_id=external_id,
        name=text(row, "course_name", "name"),
        description=text(row, "course_description"),
        image_key=identifier(row, *DESIGNS),
        skills=texts(row, "learning_outcomes", "name", "description"),
        criteria=(Criterion(url=link),) if (link := url(row, "course_link")) else (),
    )
