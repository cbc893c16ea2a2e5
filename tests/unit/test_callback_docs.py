"""The receivers' code in the documentation verifies our messages, and no others."""

from __future__ import annotations

import re
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from standardwebhooks import WebhookVerificationError

from badges.issuing.callback_signing import headers, standard_form

PAGE = Path(__file__).parent.parent.parent / "docs" / "callbacks.rst"
SECRET = "a secret of at least thirty-two bytes"
BODY = b'{"action":"test"}'


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    blocks = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", PAGE.read_text(), re.MULTILINE)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(textwrap.dedent(block), names)
    return names


def signed(at: datetime | None = None) -> dict[str, str]:
    now = at or datetime.now(UTC)
    return dict(headers(secret=SECRET, url="https://x.example/h", body=BODY, message_id="1", now=now))


def test_ours_is_verified(documented: dict[str, Any]) -> None:
    message = {"action": "test"}
    assert documented["standard_message"](standard_form(SECRET), BODY, signed()) == message
    assert documented["badgekit_message"](SECRET, BODY, signed()["Authorization"]) == message


def test_a_changed_one_is_not(documented: dict[str, Any]) -> None:
    with pytest.raises(WebhookVerificationError):
        documented["standard_message"](standard_form(SECRET), BODY + b" ", signed())
    with pytest.raises(ValueError, match="changed"):
        documented["badgekit_message"](SECRET, BODY + b" ", signed()["Authorization"])


def test_one_of_somebody_else_is_not(documented: dict[str, Any]) -> None:
    with pytest.raises(WebhookVerificationError):
        documented["standard_message"](standard_form("another"), BODY, signed())
    with pytest.raises(jwt.InvalidSignatureError):
        documented["badgekit_message"]("another secret of at least thirty-two bytes", BODY, signed()["Authorization"])
    with pytest.raises(ValueError, match="no token"):
        documented["badgekit_message"](SECRET, BODY, "Bearer x")


def test_an_old_one_is_not(documented: dict[str, Any]) -> None:
    old = signed(datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError):
        documented["standard_message"](standard_form(SECRET), BODY, old)
    with pytest.raises(jwt.ExpiredSignatureError):
        documented["badgekit_message"](SECRET, BODY, old["Authorization"])
