"""BadgeKit's signatures: what counts as signed, and what does not. Checked against PyJWT's own encoder."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from badges.providers.badgekit.signing import authorization, is_signed
from demo.sandbox.badgekit_sender import signed

SECRET = "a-secret-of-more-than-thirty-two-letters"
OTHER = "another-secret-of-more-than-thirty-two-letters"
BODY = b'{"action":"revoke","uid":"abc","email":"anna@example.com"}'


def hash_of(body: bytes = BODY, **values: Any) -> dict[str, Any]:
    return {"alg": "sha256", "hash": hashlib.sha256(body).hexdigest(), **values}


def header(secret: Any = SECRET, *, algorithm: str = "HS256", **claims: Any) -> str:
    """A header with claims; the hash of the body is among them unless another one is given."""
    return f'JWT token="{jwt.encode({"body": hash_of(), **claims}, secret, algorithm=algorithm)}"'


def by_hand(head: dict[str, Any], claims: Any, secret: str = SECRET) -> str:
    """A token that no library would make, signed as HS256 is."""
    parts = (json.dumps(part).encode() if not isinstance(part, bytes) else part for part in (head, claims))
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret.encode(), text, "sha256")).rstrip(b"=")
    return f'JWT token="{(text + b"." + signature).decode()}"'


def test_what_badgekits_sender_signs_is_signed() -> None:
    """Only the hash: no key, no time, no method, no path (BadgeKit API, app/models/webhook.js)."""
    assert is_signed(f'JWT token="{signed(BODY, SECRET)}"', BODY, [SECRET])


def test_any_of_the_valid_secrets_will_do() -> None:
    assert is_signed(header(), BODY, [OTHER, SECRET])
    assert is_signed(header(OTHER), BODY, [OTHER, SECRET])
    assert not is_signed(header(), BODY, [OTHER])


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nothing_is_signed(secrets: list[str]) -> None:
    assert not is_signed(by_hand({"alg": "HS256"}, {"body": hash_of()}, ""), BODY, secrets)


def test_a_short_secret_is_one_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_signed(f'JWT token="{signed(BODY, "short")}"', BODY, ["short"])
        assert authorization("master", "short", "GET", "/", b"")


def test_early_versions_write_the_algorithm_in_small_letters() -> None:
    assert is_signed(by_hand({"typ": "JWT", "alg": "hs256"}, {"body": hash_of()}), BODY, [SECRET])


@pytest.mark.parametrize("tampered", [BODY + b" ", BODY[:-1], BODY.replace(b"abc", b"abx"), b""])
def test_another_body_is_not_signed(tampered: bytes) -> None:
    assert not is_signed(header(), tampered, [SECRET])


@pytest.mark.parametrize(
    "body",
    [
        *(None, {}, [], "x", 1, hash_of(hash=None), hash_of(hash=""), hash_of(hash="\ud800"), hash_of(hash=[1])),
        *({"hash": hash_of()["hash"]}, hash_of(alg="md5"), hash_of(alg=None), hash_of(alg=["sha256"])),
    ],
)
def test_a_token_without_the_hash_of_the_body_signs_nothing(body: Any) -> None:
    assert not is_signed(header(body=body), BODY, [SECRET])


def test_a_hash_of_another_algorithm_signs_nothing() -> None:
    found = {"alg": "sha1", "hash": hashlib.sha1(BODY, usedforsecurity=False).hexdigest()}
    assert not is_signed(header(body=found), BODY, [SECRET])


@pytest.mark.parametrize("claims", [[], "x", 1, None, b"no JSON", b"[" * 2000, b"9" * 5000, b'{"body": NaN}'])
def test_claims_that_are_none_sign_nothing(claims: Any) -> None:
    assert not is_signed(by_hand({"typ": "JWT", "alg": "HS256"}, claims), BODY, [SECRET])


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_hash_in_the_signature_is_refused(algorithm: str) -> None:
    long = SECRET * 2
    assert not is_signed(header(long, algorithm=algorithm), BODY, [long])


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "RS256", "ES256", "Hs256", 5, ["HS256"]])
def test_no_other_algorithm_can_be_asked_for(algorithm: Any) -> None:
    head, claims = {"typ": "JWT", "alg": algorithm}, {"body": hash_of()}
    assert not is_signed(by_hand(head, claims), BODY, [SECRET])
    unsigned = by_hand(head, claims).rsplit(".", 1)[0]
    assert not is_signed(f'{unsigned}."', BODY, [SECRET])


def test_a_signature_with_a_key_pair_is_no_signature() -> None:
    """Nor is one with the public key taken for the secret."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert not is_signed(header(key, algorithm="RS256"), BODY, [SECRET])
    assert not is_signed(header(key, algorithm="RS256"), BODY, [public.decode()])
    assert not is_signed(by_hand({"alg": "HS256"}, {"body": hash_of()}, public.decode()), BODY, [public.decode()])


def test_a_key_in_the_header_is_not_used() -> None:
    secret = "chosen-by-a-stranger"
    key = {"kty": "oct", "k": base64.urlsafe_b64encode(secret.encode()).decode()}
    head = {"alg": "HS256", "jwk": key, "kid": "../../dev/null"}
    assert not is_signed(by_hand(head, {"body": hash_of()}, secret), BODY, [SECRET])


# Where a token says more, that counts.
@pytest.mark.parametrize(("seconds", "counts"), [(3600, True), (1, True), (-10, True), (-120, False), (-1e9, False)])
def test_a_token_is_over_when_it_says_so(seconds: float, counts: bool) -> None:
    """But for a minute by which a clock may be wrong."""
    assert is_signed(header(exp=int(time.time() + seconds)), BODY, [SECRET]) is counts


@pytest.mark.parametrize(("seconds", "counts"), [(-1, True), (10, True), (120, False)])
def test_a_token_is_not_valid_before_it_says_so(seconds: int, counts: bool) -> None:
    assert is_signed(header(nbf=int(time.time()) + seconds), BODY, [SECRET]) is counts


@pytest.mark.parametrize("value", ["soon", [], {}, False])
def test_a_time_that_is_none_makes_a_token_invalid(value: Any) -> None:
    token = by_hand({"alg": "HS256"}, {"body": hash_of(), "exp": value})
    assert not is_signed(token, BODY, [SECRET])


def test_a_token_for_another_method_is_refused() -> None:
    assert is_signed(header(method="POST"), BODY, [SECRET])
    assert not is_signed(header(method="GET"), BODY, [SECRET])


def test_a_request_as_badgekits_api_wants_it_is_signed_too() -> None:
    """Its document says that a callback's signature works exactly like calls to the API."""
    assert is_signed(authorization("master", SECRET, "POST", "/hook", BODY), BODY, [SECRET])


# The header.
@pytest.mark.parametrize(
    "value",
    [
        *("", "JWT", "JWT token=", 'JWT token=""', 'JWT token="a.b"', "Bearer {}", "{}", 'JWT token="{}" ,x', "JWT {}"),
        *('Basic token="{}"', 'JWT token="{}', 'JWT token="' + "a" * 9000 + '"', 'JWT token="ä.ö.ü"', "\x00"),
    ],
)
def test_another_header_is_none(value: str) -> None:
    assert not is_signed(value.replace("{}", signed(BODY, SECRET)), BODY, [SECRET])


def test_a_request_of_ours_says_everything_and_not_for_long() -> None:
    value = authorization("a-key", SECRET, "POST", "/systems/city/badges?page=1", BODY)
    claims = jwt.decode(value.removeprefix('JWT token="').removesuffix('"'), SECRET, algorithms=["HS256"])
    assert 0 < claims.pop("exp") - time.time() <= 60
    assert claims == {"key": "a-key", "method": "POST", "path": "/systems/city/badges?page=1", "body": hash_of()}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_without_a_body_has_no_hash(method: str) -> None:
    value = authorization("a-key", SECRET, method, "/systems/city", b"")
    claims = jwt.decode(value.removeprefix('JWT token="').removesuffix('"'), SECRET, algorithms=["HS256"])
    assert "body" not in claims
