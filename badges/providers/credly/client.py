"""The calls of Credly's Web Service API that this app makes, and nothing else.

Sources: "Credly Web Service API" (authentication, OAuth, organizations, badge templates, issued badges, pagination).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import Account
from badges.exceptions import ConfigurationError
from badges.providers.answers import ListPage, Record, list_page, record
from badges.providers.http import ApiConnection, Call, check_key
from badges.providers.oauth import ClientCredentials

SCOPE = "badge_templates issued_badges events"
ALREADY_HELD = ("already has this badge",)
"""What Credly's 422 says of a duplicate. Only this part of the sentence is known."""


class CredlyClient:
    """One organization at Credly. Answers come back as they are; the envelope is taken off."""

    def __init__(self, account: Account, settings: ProviderSettings, timeouts: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the account has no organization, its key cannot be one, or the API's URL is unusable.
        """
        if not account.external_id:
            raise ConfigurationError(f'The Credly organization "{account.name}" has no UUID. Enter it in the admin.')
        key = check_key(account.api_key, "Credly")
        self._organization = ("organizations", account.external_id)
        self._connect = partial(ApiConnection, provider="Credly", base_url=settings.api_base_url, timeouts=timeouts)
        self._credentials: ClientCredentials | None = None
        # The token is the user name and the password is empty: the colon belongs to it.
        basic = base64.b64encode(f"{key}:".encode()).decode()
        self._api = self._connect(authorization=f"Basic {basic}", secrets=(key, basic))
        if account.client_id:
            self._secret = key
            self._credentials = ClientCredentials(
                provider="Credly",
                token_url=settings.address("OAUTH_TOKEN_URL"),
                client_id=account.client_id,
                secret=key,
                scope=SCOPE,
                timeouts=timeouts,
            )

    def organization(self) -> Record:
        """The organization itself."""
        return self._data(Call("GET", self._organization, "asking for the organization"))

    def badge_templates(self, page: int) -> ListPage:
        """A page of the badge templates, in whatever state; pages count from 1."""
        return self._list("badge_templates", "listing badge templates", {"page": str(page)})

    def badge_template(self, template_id: str) -> Record:
        """One badge template."""
        path = (*self._organization, "badge_templates", template_id)
        return self._data(Call("GET", path, "asking for a badge template"))

    def issue(self, body: Mapping[str, object], private: tuple[str, ...]) -> Record:
        """Issue a badge; ``private`` are the values that an error must not repeat.

        Raises:
            DuplicateBadge: Credly says that the learner has this badge.
        """
        path = (*self._organization, "badges")
        return self._data(
            Call(
                "POST", path, "issuing a badge", body=body, changes=True, private=private, duplicate_marks=ALREADY_HELD
            )
        )

    def revoke(self, badge_id: str, reason: str, private: tuple[str, ...]) -> Record:
        """Revoke a badge. The reason is obligatory and may be shown to the learner."""
        path = (*self._organization, "badges", badge_id, "revoke")
        return self._data(Call("PUT", path, "revoking a badge", body={"reason": reason}, changes=True, private=private))

    def delete(self, badge_id: str, private: tuple[str, ...]) -> None:
        """Delete a badge, which takes a token with the right to do so. The answer is empty."""
        path = (*self._organization, "badges", badge_id)
        self._call(Call("DELETE", path, "deleting a badge", changes=True, private=private, may_be_empty=True))

    def badge(self, badge_id: str, private: tuple[str, ...]) -> Record:
        """One issued badge."""
        path = (*self._organization, "badges", badge_id)
        return self._data(Call("GET", path, "asking for a badge", private=private))

    def badges(self, page: int, conditions: Mapping[str, str], private: tuple[str, ...]) -> ListPage:
        """A page of the issued badges that meet all conditions. Credly's filter cannot quote: check what comes."""
        wanted = "|".join(f"{key}::{value}" for key, value in conditions.items())
        return self._list("badges", "looking for a badge", {"filter": wanted, "page": str(page)}, private=private)

    def all_badges(self, page: int) -> ListPage:
        """A page of all issued badges, the oldest first, so that one that is issued meanwhile moves no other."""
        return self._list("badges", "listing badges", {"sort": "created_at", "page": str(page)})

    def event(self, event_id: str) -> Record:
        """One event of the organization."""
        return self._data(Call("GET", (*self._organization, "events", event_id), "asking for an event"))

    def _list(self, name: str, doing: str, query: Mapping[str, str], private: tuple[str, ...] = ()) -> ListPage:
        # Pages are asked for by number: next_page_url is known to lose the filters, and may lead to another host.
        answer = self._call(Call("GET", (*self._organization, name), doing, query=query, private=private))
        return list_page(answer, "data", record(answer, "metadata"), "next_page_url", "Credly")

    def _data(self, call: Call) -> Record:
        return record(self._call(call), "data")

    def _call(self, call: Call) -> Record:
        if self._credentials is None:
            return self._api.call(call)
        return self._credentials.with_token(lambda token: self._bearer(token).call(call))

    def _bearer(self, token: str) -> ApiConnection:
        return self._connect(authorization=f"Bearer {token}", secrets=(token, self._secret))
