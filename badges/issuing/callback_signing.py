"""How callbacks are signed: as BadgeKit does it, and as Standard Webhooks does it beside."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from jwt.exceptions import InvalidKeyError

from badges.exceptions import ConfigurationError
from badges.providers.jwt_hmac import signatures

PREFIX = "whsec_"
"""How Standard Webhooks writes a secret: this, then its bytes in base64 (Standard Webhooks 1.0, Signature scheme)."""
VALID_FOR = timedelta(minutes=5)
"""Above the clocks of two machines, and the time that a message may take."""
BADGEKIT_KEY = "master"
"""BadgeKit names by ``key`` whose secret signed; this one stands for the only secret that there is (Authorization)."""

_jws = signatures()


def headers(*, secret: str, url: str, body: bytes, message_id: str, now: datetime) -> Mapping[str, str]:
    """The headers that prove where a message comes from and that nobody changed it.

    Arguments:
        secret: what both sides know.
        url: where the message is posted.
        body: the message as it is sent, byte for byte.
        message_id: the same for each attempt at one message.
        now: aware.

    Raises:
        ConfigurationError: the secret cannot be used; the text does not hold it.
    """
    return {
        "Authorization": f'JWT token="{token(secret=secret, url=url, body=body, now=now)}"',
        **standard_headers(secret=secret, body=body, message_id=message_id, now=now),
    }


def token(*, secret: str, url: str, body: bytes, now: datetime) -> str:
    """The token of BadgeKit: the body's hash, signed with HS256.

    BadgeKit's own callbacks hold nothing but that hash; its documentation demands all that its API's calls hold
    (BadgeKit API, Authorization: ``key``, ``exp``, ``method``, ``path``, ``body``). This one suits receivers of both
    kinds. ``iat`` is left out: receivers whose clocks are behind refuse a token from the future.

    Raises:
        ConfigurationError: the secret cannot be used; the text does not hold it.
    """
    parts = urlsplit(url)
    claims = {
        "key": BADGEKIT_KEY,
        "exp": int((now + VALID_FOR).timestamp()),
        "method": "POST",
        "path": f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
        "body": {"alg": "sha256", "hash": hashlib.sha256(body).hexdigest()},
    }
    try:
        if not secret:
            raise InvalidKeyError
        return _jws.encode(json.dumps(claims, separators=(",", ":")).encode(), secret, algorithm="HS256")
    except InvalidKeyError:
        raise ConfigurationError(
            "The secret of this endpoint is empty, or is a key or certificate of another kind. Make a new one on the "
            "endpoint's page, and enter it at the receiver."
        ) from None


def standard_headers(*, secret: str, body: bytes, message_id: str, now: datetime) -> Mapping[str, str]:
    """The three headers of Standard Webhooks 1.0 ("Webhook headers", symmetric signatures).

    Raises:
        ConfigurationError: the secret says that it is in base64, and is not.
    """
    timestamp = str(int(now.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key_bytes(secret), content, "sha256")).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def key_bytes(secret: str) -> bytes:
    """The bytes with which Standard Webhooks signs: what follows ``whsec_`` decoded, else the secret's own.

    Raises:
        ConfigurationError: what follows is not base64.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(
            f'The secret of this endpoint begins with "{PREFIX}", but what follows is not base64. Enter it again, or '
            "make a new one on the endpoint's page."
        ) from None


def standard_form(secret: str) -> str:
    """A secret as libraries for Standard Webhooks take it."""
    return secret if secret.startswith(PREFIX) else f"{PREFIX}{base64.b64encode(secret.encode()).decode()}"
