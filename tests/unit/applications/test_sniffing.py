"""What a file is, by its content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.applications.sniffing import media_type_of, name_to_hand_out

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7 ...", "application/pdf"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (PNG, "image/png"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(9), "video/mp4"),
        (b"PK\x03\x04" + bytes(20), "application/zip"),
        ("Grüße\r\n\tund mehr".encode(), "text/plain"),
        ("\ufeffname;points".encode(), "text/plain"),
        (b"<script>alert(1)</script>", "text/plain"),
        (b"x", "text/plain"),
    ],
)
def test_what_begins_as_a_type_does_is_of_that_type(content: bytes, media_type: str) -> None:
    assert media_type_of([content]) == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\x00\x03\x00",
        b"\x7fELF\x02\x01\x01",
        "Grüße".encode("latin-1"),
        "Grüße".encode("utf-16"),
        b"text with a \x00 in it",
        b"text with an escape \x1b[2J",
        b"cut off in a letter \xc3",
        b"\xed\xa0\x80",
        b" %PDF-1.7\x00",
    ],
)
def test_what_is_nothing_of_that_is_of_no_type(content: bytes) -> None:
    assert media_type_of([content]) == ""


@given(st.binary(max_size=60), st.integers(1, 7))
def test_a_file_is_the_same_however_it_is_cut_into_chunks(content: bytes, size: int) -> None:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]

    assert media_type_of(chunks) == media_type_of([content])


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=17))
def test_any_text_is_text(text: str) -> None:
    assert media_type_of([("-" * 16 + text).encode()]) == "text/plain"


def test_a_file_is_handed_out_under_a_name_that_fits_its_content() -> None:
    assert name_to_hand_out("essay.TXT", "text/plain") == "essay.TXT"
    assert name_to_hand_out("essay.hta", "text/plain") == "essay.hta.txt"
    assert name_to_hand_out("picture", "image/jpeg") == "picture.jpg"
    assert name_to_hand_out("page.html", "text/html") == "page.html.bin"
