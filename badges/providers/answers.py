"""Reads JSON answers of providers: strict about identifiers, tolerant about everything else."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TypeAlias
from urllib.parse import urlsplit

from attrs import field, frozen

from badges.exceptions import UnexpectedAnswer

Record: TypeAlias = Mapping[str, object]

FULL_PAGE = 50
"""How many rows Credly ("at most 50 results") and Accredible (``page_size`` as we ask for it) put on a page."""
MOST_PAGES = 1000
_LONGEST_ID = 255
_LARGEST_ID = 10**_LONGEST_ID
_LONGEST_URL = 1000
_YEARS = range(1000, 9999)
_LONGEST_WORD = 255
_MOST_IN_A_ROW = 100


def text(record: Record, *keys: str) -> str:
    """The first of these values that is a non-empty string, stripped; otherwise an empty string."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def url(record: Record, *keys: str) -> str:
    """The first of these values that is an http(s) address and not absurdly long; otherwise an empty string."""
    for key in keys:
        value = text(record, key)
        if value and len(value) <= _LONGEST_URL and is_web_address(value):
            return value
    return ""


def is_web_address(value: str) -> bool:
    """Whether this is an absolute http(s) URL with a host."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def record(value: Record, key: str) -> Record:
    """The object under this key; an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def identifier(value: Record, *keys: str) -> str:
    """The first of these values that can be an identifier (a string or a whole number), as text; otherwise empty."""
    for key in keys:
        found = value.get(key)
        if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _LARGEST_ID:
            return str(found)
        if isinstance(found, str) and 0 < len(found.strip()) <= _LONGEST_ID:
            return found.strip()
    return ""


def number(value: Record, key: str) -> int | None:
    """The whole number under this key, also where it is written as text; otherwise None."""
    found = value.get(key)
    if isinstance(found, bool):
        return None
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 10:
        return int(found)
    return found if isinstance(found, int) else None


def texts(value: Record, key: str, *names: str) -> tuple[str, ...]:
    """The texts in the list under this key, each once; of an object in it, the first of its values under ``names``.

    What is neither is left out, and so is what comes after the first hundred.
    """
    rows = value.get(key)
    found = (
        text(row, *names) if isinstance(row, Mapping) else text({"": row}, "")
        for row in (rows[:_MOST_IN_A_ROW] if isinstance(rows, list) else ())
    )
    return tuple(dict.fromkeys(one[:_LONGEST_WORD] for one in found if one))


def records(value: Record, key: str) -> tuple[Record, ...]:
    """The objects in the list under this key, at most the first hundred."""
    rows = value.get(key)
    return tuple(row for row in rows[:_MOST_IN_A_ROW] if isinstance(row, Mapping)) if isinstance(rows, list) else ()


def own_uuid(value: Record, *keys: str) -> str:
    """The first of these values that is a UUID, as UUIDs are written; empty where none is.

    An identifier of ours is one. Another's may be anything.
    """
    try:
        return str(uuid.UUID(text(value, *keys)))
    except ValueError:
        return ""


def moment(value: Record, *keys: str) -> datetime | None:
    """The first of these values that is a date or a time, in UTC, which it is also where it names no zone; or None.

    A time that not every database can hold in every zone is none.
    """
    for key in keys:
        try:
            found = datetime.fromisoformat(text(value, key))
            found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
        if found.year in _YEARS:
            return found
    return None


def changed_since(value: Record, since: datetime | None, *keys: str) -> bool:
    """Whether one of these times is not before ``since`` (aware); also where there is no ``since``, or no time."""
    times = [found for key in keys if (found := moment(value, key)) is not None]
    return since is None or not times or max(times) >= since


def has_passed(value: Record, key: str, now: datetime) -> bool:
    """Whether the date or time under this key is over at ``now`` (aware). A date is over from its first moment in UTC.

    What cannot be read as a date counts as not over.
    """
    found = text(value, key)
    if len(found) == len("2026-01-31"):
        try:
            return date.fromisoformat(found) <= now.astimezone(UTC).date()
        except ValueError:
            return False
    ends = moment(value, key)
    return ends is not None and ends <= now


@frozen
class ListPage:
    """One page of a provider's list."""

    rows: tuple[Record, ...] = field(repr=False)
    total_pages: int | None
    has_next: bool | None
    """Whether the provider says that there is another page; None where it does not say."""


def list_page(answer: Record, key: str, meta: Record, next_key: str, provider: str) -> ListPage:
    """Read a page of a list.

    Arguments:
        answer: the whole answer.
        key: under which key the rows are.
        meta: what the answer says of the paging.
        next_key: the key in ``meta`` that names the next page.
        provider: the provider's name, for the error.

    Raises:
        UnexpectedAnswer: there is no list under the key. An absent list is not an empty one: who synchronizes would
            take everything for deleted.
    """
    rows = answer.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise UnexpectedAnswer(f'{provider} answered a list without "{key}". Nothing was changed; try again later.')
    return ListPage(
        rows=tuple(rows),
        total_pages=number(meta, "total_pages"),
        has_next=bool(meta[next_key]) if next_key in meta else None,
    )


def all_pages(
    fetch: Callable[[int], ListPage], provider: str, *, first: int = 1, most: int = MOST_PAGES
) -> Iterator[tuple[int, ListPage]]:
    """The pages of a list with their numbers, from ``first`` to the last; only one is held at a time.

    A list is asked for its first page even if that is beyond its last one: it is empty then.

    Raises:
        UnexpectedAnswer: the list does not end, repeats itself, or has a hole. It is never taken as complete then.
    """
    before: tuple[Record, ...] = ()
    for page_number in range(first, first + most):
        page = fetch(page_number)
        more = _more_follow(page, page_number)
        if page.has_next and not more:
            raise UnexpectedAnswer(
                f"{provider} contradicts itself about whether page {page_number} of a list is the last."
            )
        if page.rows and page.rows == before:
            raise UnexpectedAnswer(f"{provider} answered page {page_number} of a list with the page before it.")
        if more and not page.rows:
            raise UnexpectedAnswer(
                f"{provider} answered page {page_number} of a list without rows, but with more to come."
            )
        yield page_number, page
        if not more:
            return
        before = page.rows
    raise UnexpectedAnswer(f"{provider} did not end a list after {most} pages.")


def _more_follow(page: ListPage, page_number: int) -> bool:
    if page.total_pages is not None:
        return page_number < page.total_pages
    if page.has_next is not None:
        return page.has_next
    return len(page.rows) >= FULL_PAGE
