"""Credly's OAuth token endpoint, ``POST /credly/oauth/token``, and the tokens that it gave."""

from __future__ import annotations

import secrets
import time
from urllib.parse import parse_qsl

from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.store import Store

PARTS = ("credly", "oauth", "token")
SCOPES = frozenset(
    {
        "authorization_tokens",
        "badge_templates",
        "events",
        "invitations",
        "issued_badges",
        "memberships",
        "recommendations",
        "workforce",
    }
)


def handle(store: Store, request: Request) -> Reply:
    """Give a token to a client that says its secret."""
    if request.method != "POST":
        raise _refusal(404, "not_found")
    try:
        asked = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise _refusal(400, "invalid_request") from None
    if asked.get("grant_type") != "client_credentials":
        raise _refusal(400, "unsupported_grant_type")
    organization = _client(store, asked)
    scope = asked.get("scope", "")
    if not scope or set(scope.split()) - SCOPES:
        raise _refusal(400, "invalid_scope")
    token = secrets.token_urlsafe(32)
    store.tokens[token] = {
        "organization_id": organization["id"],
        "ends": time.monotonic() + store.token_lifetime,
        "scope": scope,
    }
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": store.token_lifetime, "scope": scope}
    return Reply.json(200, answer)


def organization_of(store: Store, token: str) -> Json | None:
    """Whom a token stands for; None if it is not known or has expired."""
    found = store.tokens.get(token)
    if found is None or found["ends"] <= time.monotonic():
        return None
    return store.organizations.get(found["organization_id"])


def _client(store: Store, asked: dict[str, str]) -> Json:
    for organization in store.organizations.values():
        known = (organization.get("client_id"), organization.get("client_secret"))
        if all(known) and known == (asked.get("client_id"), asked.get("client_secret")):
            if organization.get("expired"):
                break
            return organization
    raise _refusal(401, "invalid_client")


def _refusal(status: int, error: str) -> Refusal:
    return Refusal(Reply.json(status, {"error": error, "error_description": f"The sandbox says {error}."}))
