"""Callbacks are signed so that receivers of both kinds accept them: verified by libraries that are not ours."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from badges.exceptions import ConfigurationError
from badges.issuing.callback_signing import headers, key_bytes, standard_form

SECRET = "0123456789abcdef0123456789abcdef-secret"
URL = "https://receiver.example.com/hooks/badges?tenant=7"
BODY = b'{"action":"award","uid":"x"}'


def signed(secret: str = SECRET, body: bytes = BODY, url: str = URL, now: datetime | None = None) -> dict[str, str]:
    at = now or datetime.now(UTC)
    return dict(headers(secret=secret, url=url, body=body, message_id="9f0e7a8c", now=at))


def claims_of(authorization: str, secret: str = SECRET) -> dict[str, Any]:
    """As a BadgeKit receiver reads it: the pattern of BadgeKit's own server."""
    match = re.fullmatch(r'JWT token="(.+?)"', authorization)
    assert match is not None
    with warnings.catch_warnings():
        # The receiver's own library may warn of its short secret.
        warnings.simplefilter("ignore")
        return jwt.decode(match[1], secret, algorithms=["HS256"])


class TestBadgeKit:
    def test_the_token_holds_the_hash_of_the_body_as_it_is_sent(self) -> None:
        assert claims_of(signed()["Authorization"])["body"] == {
            "alg": "sha256",
            "hash": hashlib.sha256(BODY).hexdigest(),
        }

    def test_the_token_holds_what_the_documentation_demands_of_calls(self) -> None:
        now = datetime.now(UTC)
        claims = claims_of(signed(now=now)["Authorization"])
        assert (claims["method"], claims["path"], claims["key"]) == ("POST", "/hooks/badges?tenant=7", "master")
        assert now < datetime.fromtimestamp(claims["exp"], UTC) <= now + timedelta(minutes=5)

    def test_the_path_is_never_empty(self) -> None:
        assert claims_of(signed(url="https://receiver.example.com")["Authorization"])["path"] == "/"

    def test_a_receiver_whose_clock_is_behind_accepts_it(self) -> None:
        assert claims_of(signed(now=datetime.now(UTC) + timedelta(hours=1))["Authorization"])

    def test_a_message_that_is_held_back_expires(self) -> None:
        with pytest.raises(jwt.ExpiredSignatureError):
            claims_of(signed(now=datetime.now(UTC) - timedelta(minutes=6))["Authorization"])

    def test_the_token_is_one_of_hs256(self) -> None:
        token = signed()["Authorization"].removeprefix('JWT token="').removesuffix('"')
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
        assert re.fullmatch(r"[0-9A-Za-z._-]+", token), "the pattern of django-badgekit-webhooks"

    def test_another_secret_does_not_verify_it(self) -> None:
        with pytest.raises(jwt.InvalidSignatureError):
            claims_of(signed()["Authorization"], "another secret of thirty-two bytes or more")

    def test_a_short_secret_warns_of_nothing(self) -> None:
        assert claims_of(signed("short")["Authorization"], "short")


class TestStandardWebhooks:
    def test_the_library_verifies_it(self) -> None:
        assert Webhook(standard_form(SECRET)).verify(BODY, signed()) == json.loads(BODY)

    def test_a_secret_in_its_own_form_is_decoded(self) -> None:
        secret = f"whsec_{base64.b64encode(bytes(range(24))).decode()}"
        assert Webhook(secret).verify(BODY, signed(secret)) == json.loads(BODY)
        assert standard_form(secret) == secret

    def test_a_changed_body_is_noticed(self) -> None:
        with pytest.raises(WebhookVerificationError):
            Webhook(standard_form(SECRET)).verify(BODY + b" ", signed())

    def test_an_old_message_is_noticed(self) -> None:
        with pytest.raises(WebhookVerificationError):
            Webhook(standard_form(SECRET)).verify(BODY, signed(now=datetime.now(UTC) - timedelta(minutes=6)))

    def test_the_message_keeps_its_id_and_not_its_time(self) -> None:
        first, second = (signed(now=datetime(2026, 1, 1, 0, minute, tzinfo=UTC)) for minute in (0, 1))
        assert first["webhook-id"] == second["webhook-id"] == "9f0e7a8c"
        assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60
        assert first["webhook-signature"] != second["webhook-signature"]

    @given(st.text(min_size=1).filter(lambda text: not text.startswith("whsec_")))
    def test_any_secret_is_told_in_the_form_of_its_bytes(self, secret: str) -> None:
        try:
            own = key_bytes(secret)
        except UnicodeEncodeError:
            return
        assert key_bytes(standard_form(secret)) == own


@pytest.mark.parametrize(
    "secret",
    ["whsec_not base64", "whsec_é", "", "-----BEGIN PUBLIC KEY-----\nMFw=\n-----END PUBLIC KEY-----"],
)
def test_a_secret_that_cannot_sign_is_an_error_that_does_not_tell_it(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        signed(secret)
    assert not secret or secret not in str(caught.value)
