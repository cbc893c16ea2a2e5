"""The calls of Accredible's Credential API that this app makes, and nothing else.

Source: "Accredible Credential API" 25.08, Accredible's own OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import Account
from badges.providers.answers import FULL_PAGE, ListPage, Record, identifier, list_page, record, text
from badges.providers.http import ApiConnection, Call, check_key

ALREADY_HELD = ("has already been taken", "do not allow duplicates")
"""What a refusal says of a duplicate: of the e-mail address within the group, or of our own identifier."""

FURTHEST_START = 10_000
"""How far the search goes by numbers; beyond it takes a cursor only."""


class AccredibleClient:
    """One API key at Accredible."""

    def __init__(self, account: Account, settings: ProviderSettings, timeouts: HTTPSettings) -> None:
        """
        Raises:
            ConfigurationError: the key cannot be one, or the API's URL is unusable.
        """
        key = check_key(account.api_key, "Accredible")

        def connection(base_url: str) -> ApiConnection:
            return ApiConnection(
                provider="Accredible",
                base_url=base_url,
                authorization=f"Token token={key}",
                secrets=(key,),
                timeouts=timeouts,
            )

        self._v1 = connection(settings.api_base_url)
        self._v2 = connection(version_2(settings.api_base_url))

    def issuer(self) -> Record:
        """The issuer that the key belongs to."""
        return record(self._v1.call(Call("GET", ("issuer", "details"), "asking for the issuer")), "issuer")

    def groups(self, page: int) -> ListPage:
        """A page of the groups; pages count from 1."""
        body = {"page": page, "page_size": FULL_PAGE}
        answer = self._v1.call(Call("POST", ("issuer", "groups", "search"), "listing groups", body=body))
        return list_page(answer, "groups", record(answer, "meta"), "next_page", "Accredible")

    def design(self, design_id: str) -> Record:
        """A design: how the credentials of a group look."""
        return record(self._v1.call(Call("GET", ("designs", design_id), "asking for a design")), "design")

    def create(self, credential: Mapping[str, object], private: tuple[str, ...]) -> Record:
        """Create a credential; ``private`` are the values that an error must not repeat.

        Raises:
            DuplicateBadge: the recipient has a credential of this group, or our identifier is in use.
        """
        call = Call(
            "POST",
            ("credentials",),
            "creating a credential",
            body={"credential": credential},
            changes=True,
            private=private,
            duplicate_marks=ALREADY_HELD,
        )
        return record(self._v1.call(call), "credential")

    def update(self, credential_id: str, values: Mapping[str, object], private: tuple[str, ...]) -> Record:
        """Change these values of a credential."""
        call = Call(
            "PUT",
            ("credentials", credential_id),
            "expiring a credential",
            body={"credential": values},
            changes=True,
            private=private,
        )
        return record(self._v1.call(call), "credential")

    def delete(self, credential_id: str, private: tuple[str, ...]) -> None:
        """Delete a credential. The answer is what it was."""
        path = ("credentials", credential_id)
        self._v1.call(Call("DELETE", path, "deleting a credential", changes=True, private=private, may_be_empty=True))

    def credential(self, credential_id: str, private: tuple[str, ...]) -> Record:
        """One credential."""
        call = Call("GET", ("credentials", credential_id), "asking for a credential", private=private)
        return record(self._v1.call(call), "credential")

    def group(self, group_id: str) -> Record:
        """One group."""
        return record(self._v1.call(Call("GET", ("issuer", "groups", group_id), "asking for a group")), "group")

    def changed(self, since: str, start: int, cursor: str = "") -> tuple[tuple[Record, ...], str]:
        """Credentials that changed since a time, the oldest first, as the flat rows of version 2.

        Arguments:
            since: a time as text (ISO 8601, UTC).
            start: how many to leave out; at most :data:`FURTHEST_START`.
            cursor: where to go on instead; from the answer before.

        Returns:
            The rows, and the cursor of what comes after them; empty where there is none.
        """
        page = {"size": FULL_PAGE, "cursor": cursor} if cursor else {"size": FULL_PAGE, "from": start}
        body = {"query": {"updated_at[gte]": since}, "sort": {"id": "asc"}, "page": page}
        answer = self._v2.call(Call("POST", ("credentials", "search"), "listing credentials", body=body))
        meta = record(answer, "meta")
        rows = list_page(answer, "credentials", meta, "cursor", "Accredible").rows
        return rows, text(meta, "cursor") or identifier(meta, "cursor")

    def search(self, query: Mapping[str, object], private: tuple[str, ...]) -> tuple[Record, ...]:
        """The newest credentials that meet all conditions, as the flat rows of version 2: they have no ``url``."""
        call = Call(
            "POST",
            ("credentials", "search"),
            "looking for a credential",
            body={"query": query, "sort": {"id": "desc"}, "page": {"size": FULL_PAGE, "from": 0}},
            private=private,
        )
        answer = self._v2.call(call)
        return list_page(answer, "credentials", record(answer, "meta"), "cursor", "Accredible").rows


def version_2(api_base_url: str) -> str:
    """The base URL of version 2 of the API, beside that of version 1; both end with a slash."""
    return api_base_url.removesuffix("v1/") + "v2/"
