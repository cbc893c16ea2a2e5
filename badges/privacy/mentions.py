"""Finding a person in what was stored of events: in JSON of any shape, and in texts and bytes that are none. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from attrs import field, frozen

from badges.providers.redaction import spellings
from badges.rules.payload import storable_text

REMOVED = "[removed]"
_NAMES_A_USER = re.compile(r"(?:^|_)(?:user|login|learner)(?:_?name)?$", re.IGNORECASE)
"""Keys whose texts are usernames. Elsewhere one that equals a username need not mean it: somebody may be "active"."""
_SHORTEST_NAME = 4
"""Of a full name that is searched for in texts."""


@frozen
class Person:
    """Somebody, by what identifies them in what others sent. Compared without regard to case."""

    usernames: frozenset[str] = field(repr=False)
    emails: frozenset[str] = field(repr=False)
    names: frozenset[str] = field(factory=frozenset, repr=False)
    """Full names. Many people may have one, so it identifies nobody by itself: it is only removed."""
    lms_user_ids: frozenset[int] = frozenset()
    """Ids in the LMS, by which events know a person, whatever the username and the address were."""

    _addresses: re.Pattern[str] = field(init=False, repr=False, eq=False)
    _everything: re.Pattern[str] = field(init=False, repr=False, eq=False)
    """All that is removed from texts; and what stands for it there, so that this is left alone."""

    @_addresses.default
    def _any_address(self) -> re.Pattern[str]:
        return re.compile(_any_of(self.emails), re.IGNORECASE)

    @_everything.default
    def _any_word(self) -> re.Pattern[str]:
        words: set[str] = set().union(*map(spellings, (*self.emails, *self.usernames, *self._long_names())))
        return re.compile(rf"(?-i:{re.escape(REMOVED)})|{_any_of(words)}", re.IGNORECASE)

    @classmethod
    def known_as(
        cls,
        usernames: Collection[str],
        emails: Collection[str],
        names: Collection[str] = (),
        lms_user_ids: Collection[int | None] = (),
    ) -> Person:
        """A person; empty texts identify nobody, and what is no e-mail address might be a part of everybody's."""
        addresses = [email for email in emails if is_address(email)]
        ids = frozenset(one for one in lms_user_ids if one)
        return cls(_spelled(usernames), _spelled(addresses), _spelled(names), ids)

    def is_in(self, value: Any) -> bool:
        """Whether JSON values mention the person, at any depth: an e-mail address anywhere, username and id as such."""
        return any(
            self._is_meant(key, part) if isinstance(part, str) else self._is_learner(part)
            for key, part in _parts(value)
        )

    def is_in_text(self, text: str) -> bool:
        """Whether a text does, that may be JSON or not: then only an e-mail address is recognized."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self._has_email(text)
        return self.is_in(value) or self._has_email(text)

    def is_in_bytes(self, content: bytes) -> bool:
        """Whether bytes do that nobody could decode. In Avro a text follows its length, so both are searched for."""
        folded = content.lower()
        if any(_as_avro(word) in folded for word in (*self.usernames, *self.emails)):
            return True
        return self.is_in_text(content.decode("utf-8", "replace"))

    def without(self, value: Any) -> Any:
        """JSON values without the texts that mention the person. Those that are too deep are left out."""
        return self._without(None, value, 0)

    def redacted(self, text: str) -> str:
        """A text for people without the person's addresses, usernames and full names."""
        return self._everything.sub(REMOVED, text)

    def _is_meant(self, key: str | None, text: str) -> bool:
        is_name = key is not None and _NAMES_A_USER.search(key) is not None
        return (is_name and text.strip().casefold() in self.usernames) or self._has_email(text)

    def _is_learner(self, value: Mapping[str, Any]) -> bool:
        """Whether a part of an event is what it says of the person, and is not removed yet."""
        lms_user_id, pii = value.get("id"), value.get("pii")
        if type(lms_user_id) is not int or lms_user_id not in self.lms_user_ids or not isinstance(pii, Mapping):
            return False
        return any(isinstance(text, str) and text not in ("", REMOVED) for text in pii.values())

    def _has_email(self, text: str) -> bool:
        # As in a query of an address.
        shown = f"{text} {unquote_plus(text)}" if "%40" in text else text
        return "@" in shown and self._addresses.search(shown) is not None

    def _long_names(self) -> Iterator[str]:
        return (name for name in self.names if len(name) >= _SHORTEST_NAME)

    def _without(self, key: str | None, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            return REMOVED
        if isinstance(value, str):
            is_name = value.strip().casefold() in self.names
            return REMOVED if is_name or self._is_meant(key, value) else value
        if isinstance(value, Mapping):
            if self._is_learner(value):
                value = {**value, "pii": dict.fromkeys(value["pii"], REMOVED)}
            shown = {(REMOVED if self._has_email(str(name)) else name): item for name, item in value.items()}
            return {name: self._without(str(name), item, depth + 1) for name, item in shown.items()}
        return [self._without(key, item, depth + 1) for item in value] if isinstance(value, list) else value


_DEEPEST = 200


def is_address(text: str) -> bool:
    """Whether a text has what every e-mail address has."""
    local, at, host = text.strip().rpartition("@")
    return bool(local and at and host)


def _spelled(words: Collection[str]) -> frozenset[str]:
    """Words as they are, and folded: "Groß" becomes "gross", and a search without regard to case finds one of them."""
    # What no database can hold was stored as this, and cannot be asked for otherwise.
    stripped = {storable_text(word).strip() for word in words} - {""}
    return frozenset(stripped | {word.casefold() for word in stripped})


def _parts(value: Any) -> Iterator[tuple[str | None, str | Mapping[str, Any]]]:
    """All objects and texts in JSON values, keys too, each with the key that it stands under. Not recursive: it may be
    deep."""
    waiting: list[tuple[str | None, Any]] = [(None, value)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, str):
            yield key, one
        elif isinstance(one, Mapping):
            yield key, one
            waiting += [(None, str(name)) for name in one]
            waiting += [(str(name), item) for name, item in one.items()]
        elif isinstance(one, list | tuple):
            waiting += [(key, item) for item in one]


def _any_of(words: Iterable[str]) -> str:
    """Any of the words, but not as a part of another one: joanna@example.com is not anna@example.com."""
    longest_first = "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)"
    return rf"(?<![\w.%+-])(?:{longest_first})(?![\w-]|\.\w)"


def _as_avro(text: str) -> bytes:
    content = text.encode()
    length, prefix = 2 * len(content), b""
    while length > 0x7F:
        prefix += bytes([length & 0x7F | 0x80])
        length >>= 7
    # Lower case, as what is searched: 65 to 90 are letters.
    return (prefix + bytes([length]) + content).lower()
