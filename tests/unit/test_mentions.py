"""Whether what was stored of an event mentions somebody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.privacy.mentions import REMOVED, Person

ANNA = Person.known_as(["anna"], ["Anna@Example.com", ""], ["Anna Maria Lee"], [7, None])


@pytest.mark.parametrize(
    "value",
    [
        {"user": {"pii": {"username": "anna"}}},
        {"user": {"pii": {"email": "anna@example.com"}}},
        {"username": "ANNA"},
        {"requesting_user": "anna"},
        [[[{"x": ["To anna@EXAMPLE.com, again."]}]]],
        {"anna@example.com": 1},
        "<anna@example.com>",
        "https://example.com/?to=x%20anna%40example.com&at=1",
        {"user": {"id": 7, "is_active": True, "pii": {"username": "anna-before", "email": "", "name": ""}}},
    ],
)
def test_an_address_anywhere_and_a_username_under_its_key_are_mentions(value: Any) -> None:
    assert ANNA.is_in(value)
    assert ANNA.is_in_text(json.dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        {"state": "anna"},
        {"username": "hanna"},
        {"username": ""},
        {"email": ""},
        {"email": "joanna@example.com"},
        {"email": "anna@example.com.au"},
        {"email": "x-anna@example.com"},
        {"name": "Anna Maria Lee"},
        "https://example.com/?to=joanna%40example.com",
        {"user": {"id": 8, "pii": {"username": "berta"}}},
        {"course": {"id": 7, "name": "Physics"}},
        {"user": {"id": True, "pii": {"username": "berta"}}},
        {"user": {"id": [7], "pii": {"username": "berta"}}},
        {"user": {"id": 7, "pii": {"username": "", "email": REMOVED}}},
        REMOVED,
        None,
        7,
    ],
)
def test_what_only_looks_alike_is_none(value: Any) -> None:
    assert not ANNA.is_in(value)
    assert not ANNA.is_in_text(json.dumps(value))


def test_an_address_that_json_escapes_is_found() -> None:
    assert ANNA.is_in_text('{"email": "\\u0061nna\\u0040example.com"}')


@pytest.mark.parametrize("text", ["anna@example.com {", "[" * 100_000 + '"anna@example.com"', '{"a": anna@example.com'])
def test_an_address_in_what_is_no_json_is_found(text: str) -> None:
    assert ANNA.is_in_text(text)


def test_values_of_any_depth_are_searched() -> None:
    value: Any = {"email": "anna@example.com"}
    for _ in range(50_000):
        value = [value]

    assert ANNA.is_in(value)


@pytest.mark.parametrize(
    "content", [b"\x00\x08anna\x06", b"\x00 anna@example.com\xff", b'\xff{"username": "x"} anna@example.com']
)
def test_a_message_in_avro_is_searched_for_texts_after_their_lengths(content: bytes) -> None:
    assert ANNA.is_in_bytes(content)


@pytest.mark.parametrize("content", [b"\x0ahanna\x06", b"anna", b"\xff\xfe", b"", b"\x24joanna@example.com"])
def test_bytes_that_only_look_alike_are_none(content: bytes) -> None:
    assert not ANNA.is_in_bytes(content)


def test_of_a_long_text_the_length_takes_more_bytes() -> None:
    email = f"{'a' * 60}@{'b' * 30}.example"

    assert Person.known_as([], [email]).is_in_bytes(b"\x00" + bytes([2 * len(email) & 0x7F | 0x80, 1]) + email.encode())


def test_what_mentions_the_person_is_removed_and_nothing_else() -> None:
    value = {
        "user": {"username": "anna", "name": "Anna Maria Lee", "id": 7},
        "to": ["anna@example.com", "b@example.com"],
    }

    assert ANNA.without(value) == {
        "user": {"username": REMOVED, "name": REMOVED, "id": 7},
        "to": [REMOVED, "b@example.com"],
    }


def test_of_what_an_event_says_of_an_id_of_the_person_everything_personal_is_removed() -> None:
    value = {"by": {"id": 7, "is_active": True, "pii": {"username": "anna-before", "name": "A. Lee"}}, "id": 7}

    assert ANNA.without(value) == {
        "by": {"id": 7, "is_active": True, "pii": {"username": REMOVED, "name": REMOVED}},
        "id": 7,
    }


def test_a_name_that_is_a_part_of_what_stands_for_names_is_removed_once() -> None:
    person = Person.known_as(["removed"], ["removed@example.com"])
    shown = person.redacted("For removed (removed@example.com).")

    assert shown == f"For {REMOVED} ({REMOVED})."
    assert person.redacted(shown) == shown


def test_texts_for_people_are_redacted() -> None:
    text = "Asked by Anna Maria Lee (anna, anna@example.com); joanna@example.com and Johanna stay."

    assert ANNA.redacted(text) == f"Asked by {REMOVED} ({REMOVED}, {REMOVED}); joanna@example.com and Johanna stay."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Jörg Groß", "Jörg Groß"),
        ("Jörg Groß", "JÖRG GROSS"),
        ("Jörg Groß", r'{"name": "J\u00f6rg Gro\u00df"}'),
        ("Jörg Groß", "Jo\u0308rg Groß"),
        ("Jörg Groß", "name=J%C3%B6rg%20Gro%C3%9F&x=1"),
        ("İpek Kaya", "İpek Kaya"),
        ("O'Neil & Sons", "O&#x27;Neil &amp; Sons"),
    ],
)
def test_names_are_redacted_however_they_are_spelled(name: str, text: str) -> None:
    shown = Person.known_as([], [], [name]).redacted(text)

    assert REMOVED in shown
    assert not any(part in shown for part in ("Gro", "GRO", "Kaya", "Neil"))


@pytest.mark.parametrize("username", ["Groß", "Ünal", "İpek"])
def test_a_username_whose_letters_fold_to_others_is_found(username: str) -> None:
    person = Person.known_as([username], [f"{username}@example.com"])
    content = username.encode()

    assert person.is_in({"username": username})
    assert person.is_in(f"To {username}@example.com.")
    assert person.is_in_bytes(b"\x00" + bytes([2 * len(content)]) + content + b"\x06")
    assert not person.is_in(person.without({"username": username, "to": f"{username}@example.com"}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("anna@example.com") | st.just("anna"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["username", "x", "anna@example.com"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_nothing_is_left_of_what_was_removed(value: Any) -> None:
    assert not ANNA.is_in(ANNA.without(value))


@pytest.mark.parametrize("part", ["example.com", "@example.com", "anna", "anna@", "@"])
def test_a_part_of_an_address_identifies_nobody(part: str) -> None:
    assert not Person.known_as([], [part]).is_in({"email": "anna@example.com"})


def test_nobody_is_mentioned_anywhere() -> None:
    assert not Person.known_as([""], [""]).is_in({"username": "", "email": "@", "": ""})


def test_a_person_is_not_shown() -> None:
    assert "anna" not in repr(ANNA).lower()
