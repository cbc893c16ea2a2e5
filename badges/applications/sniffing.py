"""What a file is, by its content. Neither its name nor what the sender calls it is believed."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping

HEAD = 16
"""Bytes at the beginning of a file that tell what it is."""
_BY_START: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
)
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "application/pdf": (".pdf",),
    "application/zip": (".zip", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp"),
    "image/gif": (".gif",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "text/plain": (".txt", ".csv", ".md", ".log"),
    "video/mp4": (".mp4", ".m4v"),
}
"""Every media type that is recognized -> the endings that a file of it may be handed out with."""
_CONTROL = bytes([code for code in range(32) if chr(code) not in "\t\n\r\f"] + [127])


def media_type_of(chunks: Iterable[bytes]) -> str:
    """The media type of a file; empty where its content is none that is recognized.

    Arguments:
        chunks: the whole of the file.
    """
    head, decoder, is_text, is_empty = b"", codecs.getincrementaldecoder("utf-8-sig")(), True, True
    for chunk in chunks:
        is_empty = is_empty and not chunk
        if len(head) < HEAD:
            head += chunk[: HEAD - len(head)]
            if len(head) == HEAD and (found := _by_head(head)):
                return found
        is_text = is_text and _continues_text(decoder, chunk)
    if found := _by_head(head):
        return found
    return "text/plain" if is_text and not is_empty and _continues_text(decoder, b"", is_final=True) else ""


def name_to_hand_out(name: str, media_type: str) -> str:
    """A file's name with an ending that fits its content: a text must not arrive as a program."""
    endings = EXTENSIONS.get(media_type, (".bin",))
    return name if name.lower().endswith(endings) else f"{name}{endings[0]}"


def _by_head(head: bytes) -> str:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return next((media_type for start, media_type in _BY_START if head.startswith(start)), "")


def _continues_text(decoder: codecs.IncrementalDecoder, chunk: bytes, *, is_final: bool = False) -> bool:
    try:
        decoder.decode(chunk, is_final)
    except UnicodeDecodeError:
        return False
    return len(chunk.translate(None, _CONTROL)) == len(chunk)
