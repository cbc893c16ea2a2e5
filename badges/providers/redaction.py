"""Keeps secrets and personal data out of what is shown, stored and logged."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Literal
from urllib.parse import quote, quote_plus

REMOVED = "[removed]"

_AT = r"(?:@|%40|&\#64;|&\#x40;|\\u0040)"
# Bounded repetitions: the text comes from outside, and an unbounded one would take quadratic time.
# It starts as far left as it can: a local part may hold nearly anything, and removing too much does no harm.
_LOCAL = r"""(?:"[^"\n]{1,256}"|[^\s"'<>()\[\],;]{1,256}?)"""
_EMAIL = re.compile(_LOCAL + _AT + r"""[^\s"'<>()\[\],;:=&|@]{1,256}""", re.IGNORECASE)
# A word with a digit in it, or a long one: "token expired" stays readable.
_CREDENTIALS = re.compile(
    r"\b(Basic|Bearer|JWT|Token)(\s+|=)(?:token=)?\"?(?=[\w.~+/=-]{0,99}\d|[\w.~+/=-]{20})[\w.~+/=-]{6,4096}\"?",
    re.IGNORECASE,
)
# A signed token by itself; its header is JSON, and begins with the same letters whatever is in it.
_TOKEN = re.compile(r"\beyJ[\w-]{6,4096}(?:\.[\w-]{0,4096}){1,2}")
# Where answers tell what a person is called, who may be known here by another spelling.
_NAMES = re.compile(r"issued_to(?:_\w+)?|(?:first|middle|last|full|recipient)_name")
_PEOPLE = ("recipient", "user")
_LONGEST_PRIVATE = 256
_WINDOW = 4000
_LOOKED_AT = 16_000
_DEEPEST = 10
_MOST_SHOWN = 50
_COMPOSED: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def spellings(secret: str) -> set[str]:
    """A secret in all the forms in which an answer may repeat it: plain, in a URL, in HTML, in JSON, as Basic auth.

    A letter with an accent counts as one or as two.
    """
    forms = {secret, secret.strip(), *(unicodedata.normalize(form, secret) for form in _COMPOSED)} - {""}
    return set().union(*(_spellings(form) for form in forms))


def _spellings(secret: str) -> set[str]:
    in_bytes = secret.encode(errors="surrogatepass")
    encoded = {base64.b64encode(text).decode() for text in (in_bytes, in_bytes + b":")}
    return {
        secret,
        quote(in_bytes),
        quote(in_bytes, safe=""),
        quote_plus(in_bytes),
        html.escape(secret),
        secret.replace("/", "\\/"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        *encoded,
    }


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets, without anything that looks like credentials, and without e-mail addresses.

    Arguments:
        text: what a provider said, of any length.
        secrets: what must not be seen, for example the API key and the learner's name.

    Returns:
        One line. A long text is cut, and never within something that had to be removed.
    """
    forms: set[str] = set().union(*(spellings(secret) for secret in secrets))
    longest = max((_LONGEST_PRIVATE, *map(len, forms)))
    # What is far behind the window is not even looked at, but for what begins in it.
    is_cut = len(text) > _LOOKED_AT + longest
    text = text[: _LOOKED_AT + longest]
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(re.escape(form), REMOVED, text, flags=re.IGNORECASE)
    if is_cut:
        text = text[:-longest]
    window = text[: _WINDOW + _LONGEST_PRIVATE]
    window = _CREDENTIALS.sub(rf"\1 {REMOVED}", window)
    window = _TOKEN.sub(REMOVED, window)
    window = _EMAIL.sub(REMOVED, window)
    if len(text) > _WINDOW + _LONGEST_PRIVATE:
        window = window[:-_LONGEST_PRIVATE]
    return " ".join("".join(char if char.isprintable() else " " for char in window).split())


def masked(value: object, private: Collection[str]) -> object:
    """The beginning of JSON, with the texts in it replaced that are wholly private: a name can be a single letter.

    So are those under keys by which Credly and Accredible tell a person's name.
    """
    words = {word.strip().casefold() for word in private} - {""}
    return _masked(value, words, depth=0)


def _masked(value: object, words: Collection[str], depth: int) -> object:
    if isinstance(value, str):
        return REMOVED if value.strip().casefold() in words else value
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        shown = islice(value.items(), _MOST_SHOWN)
        return {str(key): _masked_under(str(key), item, words, depth + 1) for key, item in shown}
    if isinstance(value, list | tuple):
        return [_masked(item, words, depth + 1) for item in value[:_MOST_SHOWN]]
    return value


def _masked_under(key: str, value: object, words: Collection[str], depth: int) -> object:
    if key in _PEOPLE and isinstance(value, Mapping):
        value = {part: REMOVED if part == "name" else item for part, item in value.items()}
    is_name = isinstance(value, str) and value and _NAMES.fullmatch(key)
    return REMOVED if is_name else _masked(value, words, depth)


class RedactingFilter(logging.Filter):
    """Lets every log record through, without credentials and e-mail addresses in its text."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


def protect_logs() -> None:
    """Have urllib3's own log lines redacted: they quote whole addresses, queries included. Again does nothing more."""
    logger = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(known, RedactingFilter) for known in logger.filters):
        logger.addFilter(RedactingFilter())


def excerpt(text: str, secrets: Iterable[str] = (), length: int = 200) -> str:
    """The beginning of a text from outside, redacted, at most ``length`` characters and an ellipsis."""
    clean = redact(text, secrets)
    return clean if len(clean) <= length else f"{clean[:length].rstrip()}…"
