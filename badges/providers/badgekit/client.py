"""The calls of BadgeKit's API that this app makes, and nothing else.

Sources: BadgeKit API ("Authorization", "Systems", "Badges", "Issuing"; its code, where that says more).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jwt
from attrs import evolve

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import Account
from badges.exceptions import AccountUnusable, ConfigurationError, ProviderRejected
from badges.providers.answers import FULL_PAGE, ListPage, Record, list_page, number, record
from badges.providers.badgekit.signing import authorization
from badges.providers.http import ApiConnection, Call, check_key

MASTER = "master"
"""The name of the API key that may do everything in every system."""
ALREADY_HELD = ("resourceconflict", "already been awarded")


class BadgeKitClient:
    """One system at a BadgeKit API."""

    def __init__(self, account: Account, settings: ProviderSettings, timeouts: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the account has no system, its key cannot be one, or the API's URL is unusable.
        """
        if not account.external_id:
            raise ConfigurationError(f'The BadgeKit system "{account.name}" has no slug. Enter it in the admin.')
        secret = check_key(account.api_key, "BadgeKit")
        sign = partial(authorization, account.client_id.strip() or MASTER, secret)
        try:
            sign("GET", "/", b"")
        except jwt.InvalidKeyError:
            raise AccountUnusable(
                "The API key of the BadgeKit account is a certificate or a public key. Enter the secret of the API key."
            ) from None
        connect = partial(ApiConnection, provider="BadgeKit", base_url=settings.api_base_url, timeouts=timeouts)
        self._api = connect(authorization=sign, secrets=(secret,))
        self._public = connect(authorization="", secrets=(secret,))
        self._system = ("systems", account.external_id)

    def system(self) -> Record:
        """The system itself."""
        return self._one(Call("GET", self._system, "asking for the system"), "system")

    def badges(self, page: int) -> ListPage:
        """A page of the system's badges, archived ones among them; pages count from 1."""
        call = Call("GET", (*self._system, "badges"), "listing badges", query={"archived": "any"})
        return self._page(call, "badges", page)

    def badge(self, slug: str) -> Record:
        """One badge."""
        return self._one(Call("GET", (*self._system, "badges", slug), "asking for a badge"), "badge")

    def instances(self, slug: str, page: int) -> ListPage:
        """A page of the instances of a badge: to whom it was awarded."""
        return self._page(Call("GET", self._of(slug), "listing badge instances"), "instances", page)

    def instance(self, slug: str, email: str, private: tuple[str, ...]) -> Record | None:
        """The instance of a badge that was awarded to an address; None where there is none, or no such badge."""
        call = Call("GET", (*self._of(slug), email), "asking for a badge instance", private=private)
        return self._if_there(self._api, call, "instance")

    def create(self, slug: str, values: Mapping[str, object], private: tuple[str, ...]) -> Record:
        """Award a badge. The answer names the instance, or its location only, depending on BadgeKit's version.

        Raises:
            DuplicateBadge: the address has this badge.
        """
        return self._api.call(
            Call(
                "POST",
                self._of(slug),
                "issuing a badge",
                body=values,
                changes=True,
                private=private,
                duplicate_marks=ALREADY_HELD,
            )
        )

    def delete(self, slug: str, email: str, private: tuple[str, ...]) -> Record | None:
        """Take a badge away from an address; None where it does not have it."""
        path = (*self._of(slug), email)
        call = Call("DELETE", path, "revoking a badge", changes=True, private=private)
        return self._if_there(self._api, call, "instance")

    def assertion(self, instance_slug: str) -> Record | None:
        """The public assertion of an instance, whosever it is; None where there is none (any more)."""
        call = Call("GET", ("public", "assertions", instance_slug), "asking for an assertion")
        return self._if_there(self._public, call)

    def _of(self, slug: str) -> tuple[str, ...]:
        return (*self._system, "badges", slug, "instances")

    def _one(self, call: Call, key: str) -> Record:
        return record(self._api.call(call), key)

    def _if_there(self, api: ApiConnection, call: Call, key: str = "") -> Record | None:
        try:
            answer = api.call(call)
        except ProviderRejected as missing:
            if missing.status_code != 404:
                raise
            return None
        return record(answer, key) if key else answer

    def _page(self, call: Call, key: str, page: int) -> ListPage:
        asked = {**(call.query or {}), "page": str(page), "count": str(FULL_PAGE)}
        answer = self._api.call(evolve(call, query=asked))
        meta = record(answer, "pageData") or record(answer, "_pageData")
        total = number(meta, "total")
        found = list_page(answer, key, meta, "", "BadgeKit")
        if total is None:
            # A version that knows no pages answers everything, whatever is asked for.
            return evolve(found, rows=found.rows if page == 1 else (), total_pages=1)
        return evolve(found, total_pages=max(1, -(-total // FULL_PAGE)))
