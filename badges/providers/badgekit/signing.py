"""BadgeKit's signatures: a JSON Web Token over the hash of a body, in the ``Authorization`` header.

Sources: BadgeKit API, "Authorization" and "System Callbacks"; its code (``app/lib/middleware.js``, ``verifyRequest``;
``app/models/webhook.js``, ``call``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from badges.providers.jwt_hmac import signatures

ALGORITHM = "HS256"
LIFETIME = 60
"""Seconds for which a request of ours is valid."""
LEEWAY = 60
"""Seconds by which a sender's clock may be wrong, where a token says when it is valid at all."""
LONGEST_HEADER = 8192
_HEADER = re.compile(r'JWT\s+token="([A-Za-z0-9_\-.]+)"')
_WITHOUT_BODY = frozenset({"GET", "DELETE", "HEAD"})


_NAMES = (ALGORITHM, ALGORITHM.lower())
"""Early versions of BadgeKit write the name of the algorithm in lower case."""
_jws = signatures(_NAMES)


def authorization(key: str, secret: str, method: str, path: str, body: bytes) -> str:
    """The header of a request to BadgeKit's API.

    Arguments:
        key: the name of the API key.
        secret: its secret.
        method: in capitals.
        path: with its query, as it is sent.
        body: as it is sent; it is signed where the method has one.

    Raises:
        jwt.InvalidKeyError: the secret is a certificate or another kind of key.
    """
    claims: dict[str, Any] = {"key": key, "exp": int(time.time()) + LIFETIME, "method": method, "path": path}
    if method not in _WITHOUT_BODY:
        claims["body"] = body_claim(body)
    return f'JWT token="{_jws.encode(json.dumps(claims).encode(), secret, ALGORITHM)}"'


def body_claim(body: bytes) -> dict[str, str]:
    """What a token says of a body."""
    return {"alg": "sha256", "hash": hashlib.sha256(body).hexdigest()}


def is_signed(header: str, body: bytes, secrets: Sequence[str], *, method: str = "POST") -> bool:
    """Whether a request was signed with one of the secrets.

    BadgeKit's own sender says nothing in its token but the hash of the body. Where a token says more, that counts:
    until when and from when it is valid, and for which method it was made.

    Arguments:
        header: the value of ``Authorization``.
        body: as it came in, byte for byte.
        secrets: all that are valid; an empty one is not.
    """
    found = _HEADER.fullmatch(header.strip()) if len(header) <= LONGEST_HEADER else None
    if found is None:
        return False
    # All of them are tried, so that the time tells nothing.
    tried = [_is_signed(found[1], body, secret, method) for secret in secrets if secret]
    return any(tried)


def _is_signed(token: str, body: bytes, secret: str, method: str) -> bool:
    try:
        claims = json.loads(_jws.decode_complete(token, secret, algorithms=list(_NAMES))["payload"])
        return _is_valid_now(claims) and _is_for(claims, method) and _is_of(claims, body)
    except Exception:  # noqa: BLE001 - a stranger wrote the token: whatever is wrong with it, it is no signature
        return False


def _is_valid_now(claims: Mapping[str, Any]) -> bool:
    now = time.time()
    expires, begins = claims.get("exp"), claims.get("nbf")
    is_over = expires is not None and float(expires) <= now - LEEWAY
    return not is_over and not (begins is not None and float(begins) > now + LEEWAY)


def _is_for(claims: Mapping[str, Any], method: str) -> bool:
    named = claims.get("method")
    return named is None or str(named).upper() == method


def _is_of(claims: Mapping[str, Any], body: bytes) -> bool:
    signed, expected = claims["body"], body_claim(body)
    is_the_same = hmac.compare_digest(str(signed["hash"]).lower().encode(), expected["hash"].encode())
    return is_the_same and signed["alg"] == expected["alg"]
