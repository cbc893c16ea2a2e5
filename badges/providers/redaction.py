"""Keeps secrets and personal data out of what is shown, stored and logged."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import Iterable
from urllib.parse import quote

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
_LONGEST_PRIVATE = 256
_WINDOW = 4000


def spellings(secret: str) -> set[str]:
    """A secret in all the forms in which an answer may repeat it: plain, in a URL, in HTML, in JSON, as Basic auth."""
    if not secret:
        return set()
    encoded = {base64.b64encode(text.encode()).decode() for text in (secret, f"{secret}:")}
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        html.escape(secret),
        secret.replace("/", "\\/"),
        json.dumps(secret)[1:-1],
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
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(re.escape(form), REMOVED, text, flags=re.IGNORECASE)
    window = text[: _WINDOW + _LONGEST_PRIVATE]
    window = _CREDENTIALS.sub(rf"\1 {REMOVED}", window)
    window = _EMAIL.sub(REMOVED, window)
    if len(text) > _WINDOW + _LONGEST_PRIVATE:
        window = window[:-_LONGEST_PRIVATE]
    return " ".join("".join(char if char.isprintable() else " " for char in window).split())


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
