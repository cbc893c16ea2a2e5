"""BadgeKit's API below ``/badgekit/``: its code's behaviour where its documents are silent.

Signed paths are those that the caller sent, ``/badgekit/`` included.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import Any

from demo.sandbox.badgekit_store import BadgeKit, assertion_url, refusal
from demo.sandbox.messages import Json, Reply, Request
from demo.sandbox.store import Store

PREFIXES = (("badgekit", "systems"), ("badgekit", "public"))
_TOKEN = re.compile(r'JWT token="(.+?)"')


def handle(store: Store, request: Request) -> Reply:
    """Answer a request; ``request.parts`` start with ``badgekit``."""
    kit = store.badgekit
    if request.parts[1] == "public":
        return _public(kit, request)
    system = kit.systems.get(request.parts[2]) if len(request.parts) > 2 else None
    _authenticate(kit, request, system)
    if system is None:
        raise _not_found("system")
    match (request.method, *request.parts[3:]):
        case ("GET",):
            hidden = ("secret", "master_secret", "webhook", "key", "milestones", "expired")
            shown = {name: value for name, value in system.items() if name not in hidden}
            return Reply.json(200, {"system": {**shown, "issuers": []}})
        case ("GET", "badges"):
            return _list_badges(kit, request, system)
        case (_, "badges", slug, *rest):
            badge = kit.badges.get(slug)
            if badge is None or badge["systemSlug"] != system["slug"]:
                raise _not_found("badge")
            return _at_badge(kit, request, badge, tuple(rest))
        case _:
            raise _not_found("route")


def _at_badge(kit: BadgeKit, request: Request, badge: Json, rest: tuple[str, ...]) -> Reply:
    match (request.method, *rest):
        case ("GET",):
            return Reply.json(200, {"badge": kit.badge_answer(badge)})
        case ("GET", "instances"):
            mine = [one for one in kit.instances.values() if one["badgeSlug"] == badge["slug"]]
            return _paged(request, "instances", [kit.answered(one, request.base_url) for one in mine])
        case ("POST", "instances"):
            instance = kit.award(badge, request.json(), request.base_url)
            answer = {"status": "created", "instance": {**instance, "badge": None}}
            return Reply.json(201, answer)
        case ("GET" | "DELETE", "instances", email):
            held = kit.find(badge["slug"], email)
            if held is None:
                raise _not_found("badgeInstance", "email", email)
            done = (kit.answered if request.method == "GET" else kit.revoke)(held, request.base_url)
            return Reply.json(200, {"instance": done})
        case ("POST", "applications"):
            application = kit.apply(badge, request.json())
            return Reply.json(201, {"status": "created", "application": kit.application_answer(application)})
        case (_, "applications", slug, *deeper):
            application = kit.applications.get(slug, {})
            if application.get("badgeSlug") != badge["slug"]:
                raise _not_found("application")
            return _at_application(kit, request, application, tuple(deeper))
        case _:
            raise _not_found("route")


def _at_application(kit: BadgeKit, request: Request, application: Json, rest: tuple[str, ...]) -> Reply:
    match (request.method, *rest):
        case ("GET",):
            return Reply.json(200, {"application": kit.application_answer(application)})
        case ("PUT",):
            application["processed"] = request.json().get("processed")
            return Reply.json(200, {"status": "updated", "application": kit.application_answer(application)})
        case ("POST", "reviews"):
            return Reply.json(201, {"status": "created", "review": kit.review(application, request.json())})
        case ("PUT", "reviews", slug) if kit.reviews.get(slug, {}).get("applicationSlug") == application["slug"]:
            review = kit.review(application, request.json(), kit.reviews[slug])
            return Reply.json(200, {"status": "updated", "review": review})
        case _:
            raise _not_found("review")


def _list_badges(kit: BadgeKit, request: Request, system: Json) -> Reply:
    wanted = request.query.get("archived", "false")
    rows = [
        kit.badge_answer(one)
        for one in kit.badges.values()
        if one["systemSlug"] == system["slug"] and wanted in ("any", "", str(bool(one["archived"])).lower())
    ]
    return _paged(request, "badges", rows)


def _paged(request: Request, name: str, rows: list[Json]) -> Reply:
    page, count = (_positive(request.query.get(key)) for key in ("page", "count"))
    if not page or not count:
        return Reply.json(200, {name: rows})
    shown = rows[(page - 1) * count : page * count]
    return Reply.json(200, {name: shown, "pageData": {"page": page, "count": count, "total": len(rows)}})


def _public(kit: BadgeKit, request: Request) -> Reply:
    match (request.method, *request.parts[2:]):
        case ("GET", "assertions", slug) if slug in kit.instances:
            instance = kit.instances[slug]
            badge = kit.badges[instance["badgeSlug"]]
            page = f"{request.base_url}badgekit/public/systems/{badge['systemSlug']}/badges/{badge['slug']}"
            recipient = {"identity": f"sha256${_sha256(instance['email'].encode())}", "type": "email", "hashed": True}
            verify = {"url": assertion_url(instance, request.base_url), "type": "hosted"}
            return Reply.json(200, {"uid": slug, "recipient": recipient, "badge": page, "verify": verify})
        case ("GET", "systems", _, "badges", slug) if slug in kit.badges:
            badge = kit.badges[slug]
            return Reply.json(200, {"name": badge["name"], "description": badge.get("consumerDescription", "")})
        case _:
            raise _not_found("badge instance")


def _authenticate(kit: BadgeKit, request: Request, system: Json | None) -> None:
    token = _TOKEN.fullmatch(request.headers.get("authorization", ""))
    if token is None:
        raise _forbidden("Missing valid Authorization header")
    claims, head, signature = _read(token[1])
    if claims.get("method") != request.method or claims.get("path") != request.target:
        raise _forbidden("`method` or `path` does not match")
    if claims.get("exp") is not None and claims["exp"] <= time.time():
        raise _forbidden("Token is expired")
    if request.method not in ("GET", "DELETE", "HEAD"):
        body = claims.get("body") or {}
        if body.get("alg") != "sha256" or body.get("hash") != _sha256(request.body):
            raise _forbidden("Computed hash does not match given hash")
    known = _secret(kit, claims.get("key"), system)
    if known is None or not hmac.compare_digest(hmac.digest(known.encode(), head, "sha256"), signature):
        raise _forbidden("Invalid token signature")


def _secret(kit: BadgeKit, key: Any, system: Json | None) -> str | None:
    if key == "master":
        systems = [system] if system is not None else list(kit.systems.values())
        return next((str(one["master_secret"]) for one in systems if not one.get("expired")), None)
    is_its_own = system is not None and key == system["key"] and not system.get("expired")
    return str(system["secret"]) if is_its_own and system is not None else None


def _read(token: str) -> tuple[Json, bytes, bytes]:
    try:
        header, payload, signature = token.split(".")
        parts = [base64.urlsafe_b64decode(f"{part}==") for part in (header, payload, signature)]
        algorithm, claims = json.loads(parts[0])["alg"], json.loads(parts[1])
    except (ValueError, KeyError, TypeError):
        raise _forbidden("Could not decode JWT") from None
    if algorithm != "HS256" or not isinstance(claims, dict):
        raise _forbidden("Invalid token signature")
    return claims, f"{header}.{payload}".encode(), parts[2]


def _sha256(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def _positive(value: str | None) -> int:
    return int(value) if value is not None and value.isascii() and value.isdigit() else 0


def _forbidden(message: str) -> Exception:
    return refusal(403, "NotAuthorized", message)


def _not_found(what: str, field: str = "slug", value: str = "...") -> Exception:
    return refusal(404, "ResourceNotFound", f"Could not find {what} field: `{field}`, value: `{value}`")
