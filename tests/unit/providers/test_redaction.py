"""What is shown of an answer holds no secret and no address."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.providers.redaction import REMOVED, excerpt, masked, redact, spellings

KEY = "s3cr3t/key+of=somebody"
PRINTABLE = st.text(string.ascii_letters + string.digits + "-_.+/=", min_size=8, max_size=60)


@pytest.mark.parametrize(
    "text",
    [
        "Nobody has the address anna.lee@example.com here",
        "/badges?filter=recipient_email::anna.lee@example.com&page=1",
        "/badges?recipient_email=anna.lee%40example.com&page=1",
        '{"email": "anna.lee\\u0040example.com"}',
        "<a href='mailto:anna.lee@example.com'>",
        "<anna.lee&#64;example.com>",
        "the address of Anna.Lee@EXAMPLE.com",
        "the address of anna.lee=|&/odd@example.com",
        'the address of "anna.lee the first"@example.com',
        f"the address of anna.lee{'x' * 150}@example.com",
    ],
)
def test_an_address_is_removed_however_it_is_written(text: str) -> None:
    assert "anna.lee" not in redact(text).lower()


@pytest.mark.parametrize("form", sorted(spellings(KEY)))
def test_a_key_is_removed_in_every_form(form: str) -> None:
    assert form not in redact(f"The key {form} is not known.", [KEY])


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic YWJjZGVmZzo5",
        "Token token=abc123def456",
        'Token token="abc123def456"',
        "Bearer a1.b2.c3xyz",
        'JWT token="eyJhbGciOiJIUzI1NiJ9.eyJrZXkiOiJtYXN0ZXIifQ.c2lnbmF0dXJl"',
        "eyJhbGciOiJIUzI1NiJ9.eyJrZXkiOiJtYXN0ZXIifQ.c2lnbmF0dXJl",
        "eyJhbGciOiJIUzI1NiJ9.eyJrZXkiOiJtYXN0ZXIifQ",
    ],
)
def test_what_looks_like_credentials_is_removed_even_if_it_is_not_ours(text: str) -> None:
    shown = redact(text)
    assert shown.endswith("[removed]")


@pytest.mark.parametrize(
    "text", ["HTTP Token: Access denied.", "The token expired.", "Basic access only", "Invalid Group"]
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_a_name_that_is_given_is_removed() -> None:
    assert redact("Anna Lee already has this badge", ["Anna Lee"]) == "[removed] already has this badge"


def test_an_empty_secret_removes_nothing() -> None:
    assert redact("All is well", [""]) == "All is well"


def test_line_breaks_and_control_characters_become_spaces() -> None:
    assert redact("a\r\nb\x1b[31mc\x00d") == "a b [31mc d"


def test_a_long_text_is_cut() -> None:
    assert excerpt("x" * 100_000, length=50) == "x" * 50 + "…"


@given(before=st.text(max_size=5000), local=PRINTABLE, after=st.text(max_size=50))
def test_no_address_survives_anywhere_in_a_text(before: str, local: str, after: str) -> None:
    address = f"zz{local}@example.com"
    assert address not in redact(f"{before} {address} {after}")


@given(before=st.integers(3900, 4400))
def test_a_cut_never_leaves_half_of_an_address(before: int) -> None:
    assert "annalee" not in redact("x " * (before // 2) + "annalee.of.the.long.name@example.com" + " y" * 300)


@given(key=PRINTABLE, around=st.text(max_size=300))
def test_no_key_survives(key: str, around: str) -> None:
    shown = redact(f"{around} {key} {base64.b64encode(f'{key}:'.encode()).decode()} {around}", [key])
    assert key.lower() not in shown.replace("[removed]", "").lower()


@given(before=st.integers(15_000, 17_000), blank=st.sampled_from(" x"))
def test_far_behind_nothing_is_cut_in_half_either(before: int, blank: str) -> None:
    shown = redact(f"{blank * before}{KEY} and more of it {'y' * 3000}", [KEY])
    assert KEY[:6] not in shown


@pytest.mark.parametrize("text", ["J\u00f6rg M\u00fcller", "Jo\u0308rg Mu\u0308ller"])
def test_a_letter_with_an_accent_is_one_or_two(text: str) -> None:
    assert redact(f"{text} has it", ["J\u00f6rg M\u00fcller"]) == "[removed] has it"


def test_masking_removes_what_is_wholly_private_however_short() -> None:
    asked = {"first": "X", "last": " x ", "note": "Xenia", "more": [{"name": "X"}, 7, None], "X": 1}
    assert masked(asked, ["X", ""]) == {
        "first": REMOVED,
        "last": REMOVED,
        "note": "Xenia",
        "more": [{"name": REMOVED}, 7, None],
        "X": 1,
    }


def test_masking_removes_a_name_that_is_not_spelled_as_ours() -> None:
    answer = {
        "data": [{"issued_to": "Änne Lee", "issued_to_first_name": "Änne", "user": {"last_name": "Lee", "id": 7}}],
        "credential": {"name": "Python", "recipient": {"name": "Änne Lee", "id": 8}},
    }
    assert masked(answer, ["Anna Lee"]) == {
        "data": [{"issued_to": REMOVED, "issued_to_first_name": REMOVED, "user": {"last_name": REMOVED, "id": 7}}],
        "credential": {"name": "Python", "recipient": {"name": REMOVED, "id": 8}},
    }


def test_masking_looks_at_the_beginning_only() -> None:
    nested: object = "X"
    for _ in range(50):
        nested = [nested]
    assert "X" not in str(masked({"deep": nested, "many": ["a"] * 1000}, ["X"]))
    assert len(str(masked({"many": ["a"] * 1000}, []))) < 500
