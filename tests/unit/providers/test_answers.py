"""Answers are read tolerantly, and lists never taken as complete when they are not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from badges.exceptions import UnexpectedAnswer
from badges.providers.answers import (
    ListPage,
    all_pages,
    changed_since,
    has_passed,
    identifier,
    list_page,
    moment,
    number,
    own_uuid,
    record,
    records,
    text,
    texts,
    url,
)

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", "abc"),
        (" abc ", "abc"),
        (10000005, "10000005"),
        (0, "0"),
        (10**255, ""),
        *((bad, "") for bad in (None, "", "  ", True, 1.5, (), "x" * 256)),
    ],
)
def test_an_identifier_is_a_word_or_a_whole_number(value: Any, expected: str) -> None:
    assert identifier({"id": value}, "id") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("https://a.example.com/b", "https://a.example.com/b"), ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/")]
    + [
        (bad, "")
        for bad in ("javascript:alert(1)", "/relative", "https://", "http://[::1", "https://a/" + "x" * 1000, 3)
    ],
)
def test_a_link_is_an_absolute_web_address(value: Any, expected: str) -> None:
    assert url({"url": value}, "url") == expected


@pytest.mark.parametrize(("value", "expected"), [(3, 3), ("12", 12), (True, None), (2.5, None), ("1" * 20, None)])
def test_a_number_may_be_written_as_text(value: Any, expected: int | None) -> None:
    assert number({"total_pages": value}, "total_pages") == expected


def test_what_is_missing_or_of_another_type_is_empty() -> None:
    assert (text({}, "a"), text({"a": 3}, "a"), record({"a": []}, "a"), number({"a": "x"}, "a")) == ("", "", {}, None)


@pytest.mark.parametrize(
    ("value", "over"),
    [
        ("2026-05-09", True),
        ("2026-05-10", True),
        ("2026-05-11", False),
        ("2026-05-10T11:59:59Z", True),
        ("2026-05-10T14:30:00+02:00", False),
        ("2026-05-10T11:00:00", True),
        ("never", False),
        (None, False),
        (False, False),
    ],
)
def test_an_expiry_is_over_or_not(value: Any, over: bool) -> None:
    assert has_passed({"expires_at": value}, "expires_at", NOW) is over


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {}}, {"data": ["x"]}, {"data": {"message": "Hello"}}])
def test_a_missing_list_is_not_an_empty_one(answer: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer, match='without "data"'):
        list_page(answer, "data", {}, "next_page_url", "Credly")


def pages_of(*pages: ListPage) -> list[int]:
    """The numbers of the pages that are read, from a provider that answers these."""
    return [page_number for page_number, _ in all_pages(lambda wanted: pages[wanted - 1], "Credly", most=10)]


def rows(*ids: int) -> tuple[dict[str, object], ...]:
    """Rows with these ids."""
    return tuple({"id": one} for one in ids)


def test_the_number_of_pages_ends_a_list() -> None:
    assert pages_of(ListPage(rows(1), 2, None), ListPage(rows(2), 2, None)) == [1, 2]


def test_the_link_to_the_next_page_ends_a_list_where_no_number_does() -> None:
    assert pages_of(ListPage(rows(1), None, True), ListPage(rows(2), None, False)) == [1, 2]


def test_a_short_page_ends_a_list_that_says_nothing_of_pages() -> None:
    assert pages_of(ListPage(rows(*range(50)), None, None), ListPage(rows(51), None, None)) == [1, 2]


def test_an_empty_list_is_one_page() -> None:
    assert pages_of(ListPage((), 0, None)) == [1]


@pytest.mark.parametrize(
    ("pages", "complaint"),
    [
        ([ListPage(rows(1), 3, None), ListPage(rows(1), 3, None)], "the page before it"),
        ([ListPage(rows(1), 3, None), ListPage((), 3, None)], "without rows"),
        ([ListPage(rows(one), 99, None) for one in range(10)], "did not end"),
    ],
)
def test_a_list_that_repeats_or_does_not_end_is_never_complete(pages: list[ListPage], complaint: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=complaint):
        pages_of(*pages)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", " b ", "a", "", None, 3], ("a", "b")),
        ([{"name": "a"}, {"title": "b"}, {"id": 1}], ("a",)),
        (["x" * 300], ("x" * 255,)),
        ([str(number) for number in range(200)], tuple(str(number) for number in range(100))),
        (None, ()),
        ("text", ()),
        ({"name": "a"}, ()),
        (7, ()),
        ([[]], ()),
    ],
)
def test_the_texts_of_a_list_are_each_there_once(value: Any, expected: tuple[str, ...]) -> None:
    assert texts({"skills": value}, "skills", "name") == expected


def test_the_objects_of_a_list_are_not_without_end() -> None:
    assert len(records({"rows": [{}] * 500}, "rows")) == 100
    assert records({"rows": "text"}, "rows") == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("628FCAA9-CFD3-4A9B-AA62-9973AC938AD6", "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"),
        ("17", ""),
        ("", ""),
        (None, ""),
        (17, ""),
    ],
)
def test_only_a_uuid_can_be_an_identifier_of_ours(value: Any, expected: str) -> None:
    assert own_uuid({"id": value}, "id") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-10T12:00:00.000Z", NOW),
        ("2026-05-10T14:00:00+02:00", NOW),
        ("2026-05-10 12:00:00", NOW),
        *((odd, None) for odd in ("soon", "", None, 7)),
        *(
            (odd, None)
            for odd in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0999-12-31", "9999-01-01")
        ),
    ],
)
def test_a_time_is_aware_or_none(value: Any, expected: datetime | None) -> None:
    assert moment({"at": value}, "at") == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": "2026-05-10T12:00:00Z"}, True),
        ({"a": "2026-05-10T11:59:59Z"}, False),
        ({"a": "2026-01-01T00:00:00Z", "b": "2026-05-10T12:00:01Z"}, True),
        ({"a": "soon"}, True),
        ({}, True),
    ],
)
def test_what_may_have_changed_is_not_left_out(row: dict[str, str], expected: bool) -> None:
    assert changed_since(row, NOW, "a", "b") is expected
    assert changed_since(row, None, "a", "b")


def test_pages_are_read_from_any_one_on() -> None:
    asked: list[int] = []

    def fetch(number: int) -> ListPage:
        asked.append(number)
        return ListPage(({"id": number},), 4, None)

    assert [number for number, _ in all_pages(fetch, "Credly", first=3)] == [3, 4] == asked


def test_a_page_beyond_the_last_is_the_only_one() -> None:
    pages = list(all_pages(lambda number: ListPage((), 2, None), "Credly", first=9))
    assert [(number, page.rows) for number, page in pages] == [(9, ())]
