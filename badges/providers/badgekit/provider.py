"""BadgeKit as a provider: what its badges and their instances mean to this app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import (
    Account,
    AccountInfo,
    Award,
    IssuedBadge,
    ListedBadge,
    TemplatePage,
)
from badges.exceptions import ProviderRejected, UnexpectedAnswer
from badges.providers.answers import (
    Record,
    all_pages,
    has_passed,
    identifier,
    moment,
    own_uuid,
    text,
    url,
)
from badges.providers.badgekit.client import BadgeKitClient
from badges.providers.badgekit.reading import template
from badges.providers.badgekit.webhooks import AWARDED, REVOKED, BadgeKitWebhooks
from badges.providers.base import Features, Provider
from badges.providers.recipients import private_words, require_recipient
from badges.providers.webhooks import Webhooks

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
MOST_LISTED_PAGES = 20_000
DELETED = "deleted"
PAGES = ("assertionUrl", "assertionURl")
"""Its document writes the key in both ways."""


class BadgeKitProvider(Provider):
    """One system at a BadgeKit API."""

    slug: ClassVar[str] = "badgekit"
    label: ClassVar[str] = "BadgeKit"
    features: ClassVar[Features] = Features(
        account_has_external_id=True, deletes=True, lists_issued=True, revocation_is_deletion=True
    )
    # Everybody runs their own: there is no address that would be right for all.
    settings_defaults: ClassVar[Mapping[str, Any]] = {
        "BADGEKIT_BASE_URL": "",
        "BADGEKIT_API_BASE_URL": "",
        "BADGEKIT_SANDBOX_BASE_URL": "",
        "BADGEKIT_SANDBOX_API_BASE_URL": "",
        "USE_SANDBOX": False,
    }
    states: ClassVar[tuple[str, ...]] = (AWARDED, REVOKED)
    webhooks: ClassVar[type[Webhooks] | None] = BadgeKitWebhooks

    def __init__(self, account: Account, settings: ProviderSettings, http: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the account or the settings cannot work.
        """
        super().__init__(account, settings, http)
        self._client = BadgeKitClient(account, settings, http)

    def check_account(self) -> AccountInfo:
        """Ask for the system itself."""
        answer = self._client.system()
        if identifier(answer, "slug").casefold() != self.account.external_id.casefold():
            raise UnexpectedAnswer("BadgeKit did not answer with the system asked for. Check the provider's URLs.")
        return AccountInfo(name=text(answer, "name"))

    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        """The system's badges, those of its issuers and programs among them."""
        for number, page in all_pages(self._client.badges, self.label, first=first_page):
            templates = tuple(template(row) for row in page.rows)
            yield TemplatePage(number=number, templates=templates, total_pages=page.total_pages)

    def has_template(self, external_id: str) -> bool:
        """Ask for the badge itself."""
        try:
            self._require_badge(external_id)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong system gives 404 as well; this raises then.
            self._client.system()
            return False
        return True

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        """All instances of all badges, badge by badge.

        An instance can be dated back, and BadgeKit does not say when it was made: ``since`` leaves nothing out.
        """
        for _, badges in all_pages(self._client.badges, self.label):
            for slug in filter(None, (identifier(row, "slug") for row in badges.rows)):
                yield from self._instances(slug)

    def issue(self, award: Award) -> IssuedBadge:
        """Create an instance, with our identifier as its slug. BadgeKit mails nobody."""
        require_recipient(award)
        answer = self._client.create(award.template_external_id, _values(award), private_words(award))
        instance = answer.get("instance")
        if isinstance(instance, Mapping) and identifier(instance, "slug"):
            return _issued(instance)
        if page := url(answer, "location"):
            # As early versions answer; the slug is the one that was sent.
            return IssuedBadge(external_id=str(award.uuid), state=AWARDED, url=page)
        raise UnexpectedAnswer(
            "BadgeKit answered a new badge instance without its slug. It is looked up before it is created again.",
            outcome_unknown=True,
        )

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        """Delete an instance; BadgeKit keeps nothing of it, no reason either.

        It is named by badge and e-mail address. An instance that somebody else awarded to this address after ours was
        deleted is left alone, and so is ours where the address has changed since: then this is refused.
        """
        slug, private = award.template_external_id, private_words(award)
        held = self._client.instance(slug, award.email, private) if award.email else None
        if held is not None and identifier(held, "slug") == external_id:
            self._client.delete(slug, award.email, private)
        elif self._client.assertion(external_id) is not None:
            raise ProviderRejected(
                f"BadgeKit holds badge {award.uuid} under another e-mail address than the learner has now. Delete its "
                f"instance at BadgeKit, or give the learner the former address again and retry the delivery."
            )
        elif held is None:
            # A wrong address or system gives 404 as well; this raises then.
            self._client.system()
        return IssuedBadge(external_id=external_id, state=REVOKED, is_valid=False, is_revoked=True)

    def delete(self, external_id: str, *, award: Award) -> IssuedBadge:
        """Delete an instance, which BadgeKit calls revoking, too.

        It is named by badge and e-mail address, and the learner's record may have another one by now, or none: then
        BadgeKit's own list of the badge's instances tells it.
        """
        slug, private = award.template_external_id, private_words(award)
        held = self._client.instance(slug, award.email, private) if award.email else None
        if held is not None and identifier(held, "slug") == external_id:
            self._client.delete(slug, award.email, private)
        elif email := self._address_of(slug, external_id):
            self._client.delete(slug, email, (*private, email))
        elif self._client.assertion(external_id) is not None:
            raise ProviderRejected(
                f"BadgeKit shows the assertion of badge {award.uuid}, but no instance of it in its list. Delete the "
                "instance at BadgeKit, then retry the delivery."
            )
        return IssuedBadge(external_id=external_id, state=DELETED, is_valid=False, is_revoked=True)

    def _address_of(self, slug: str, external_id: str) -> str:
        """The address under which BadgeKit has an instance; empty where it has none."""
        try:
            self._require_badge(slug)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            # A wrong system gives 404 as well; this raises then. Of a badge that is gone there are no instances.
            self._client.system()
            return ""
        for page in self._instances(slug):
            for one in page:
                if one.badge.external_id == external_id:
                    return one.email
        return ""

    def find_issued(self, award: Award) -> IssuedBadge | None:
        """The instance with our identifier; else the one of the same badge and e-mail address.

        BadgeKit never creates a second one for an address, so that what somebody awarded by hand is adopted.
        """
        slug, private = award.template_external_id, private_words(award)
        held = self._client.instance(slug, award.email, private) if award.email else None
        if held is not None and identifier(held, "slug"):
            return _issued(held)
        # The address may have changed since.
        assertion = self._client.assertion(str(award.uuid))
        if assertion is None:
            # A wrong address, system or badge gives 404 as well, and must not pass for an instance that is gone.
            self._require_badge(slug)
            return None
        return IssuedBadge(
            external_id=str(award.uuid),
            state=AWARDED,
            url=url({"url": _verification(assertion)}, "url"),
            is_valid=True,
        )

    def _require_badge(self, slug: str) -> None:
        if identifier(self._client.badge(slug), "slug").casefold() != slug.casefold():
            raise UnexpectedAnswer("BadgeKit did not answer with the badge asked for.")

    def _instances(self, slug: str) -> Iterator[tuple[ListedBadge, ...]]:
        pages = all_pages(lambda page: self._client.instances(slug, page), self.label, most=MOST_LISTED_PAGES)
        for _, page in pages:
            yield tuple(_listed(row, slug) for row in page.rows if identifier(row, "slug"))


def _values(award: Award) -> dict[str, object]:
    return {
        "email": award.email,
        "slug": str(award.uuid),
        # Handed to its database as it is: a number, or a time with a zone, is no time to that.
        "issuedOn": award.issued_at.astimezone(UTC).strftime(TIME_FORMAT),
    }


def _verification(assertion: Record) -> object:
    verify = assertion.get("verify")
    return verify.get("url") if isinstance(verify, Mapping) else None


def _issued(row: Record) -> IssuedBadge:
    return IssuedBadge(
        external_id=identifier(row, "slug"),
        state=AWARDED,
        url=url(row, *PAGES),
        is_valid=not has_passed(row, "expires", datetime.now(UTC)),
    )


def _listed(row: Record, badge_slug: str) -> ListedBadge:
    return ListedBadge(
        badge=_issued(row),
        own_id=own_uuid(row, "slug"),
        template_external_id=badge_slug,
        email=text(row, "email"),
        issued_at=moment(row, "issuedOn"),
    )
