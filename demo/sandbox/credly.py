"""Credly's Web Service API, below ``/credly/v1/``.

Where the documents are silent, the sandbox takes the stricter of the likely behaviours: a key of one organization does
not see another, and Basic authentication needs the colon.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from demo.sandbox import credly_badges, oauth
from demo.sandbox import credly_shapes as shapes
from demo.sandbox.credly_badges import refusal as _refusal
from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.store import Store

PER_PAGE = 50
SORTABLE = ("created_at", "issued_at", "state_updated_at", "updated_at")
CHANGEABLE = {"webhook_url": str, "allowed_webhooks": list}
"""What can be changed of the organization's profile here."""


def handle(store: Store, request: Request) -> Reply:
    """Answer a request; ``request.parts`` start with ``credly`` and ``v1``."""
    organization = _authenticate(store, request)
    parts = request.parts[2:]
    if parts == ("organizations",) and request.method == "GET":
        return _page(request, [shapes.organization(organization)])
    if len(parts) < 2 or parts[0] != "organizations" or parts[1] != organization["id"]:
        raise _refusal(404, "Not found")
    route = _ROUTES.get((request.method, len(parts), *parts[2:3], *parts[4:5]))
    if route is None:
        raise _refusal(404, "Not found")
    return route(store, request, organization)


def _authenticate(store: Store, request: Request) -> Json:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        client = oauth.organization_of(store, value.strip())
        if client is not None and not client.get("expired"):
            return client
        raise Refusal(Reply.json(401, {"data": {"message": "The access token is invalid"}, "metadata": None}))
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, colon, password = "", "", ""
    if scheme.lower() == "basic" and colon and not password:
        for organization in store.organizations.values():
            if organization["token"] == user and not organization.get("expired"):
                return organization
    raise Refusal(Reply.text(401, "HTTP Basic: Access denied.\n"))


def _show_organization(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, shapes.organization(organization))


def _change_organization(store: Store, request: Request, organization: Json) -> Reply:
    """Change the profile (Credly, Webhooks: "Requirements"); what is not known here is passed over."""
    asked = request.json()
    values = {name: asked[name] for name in CHANGEABLE if name in asked}
    for name, value in values.items():
        if value is not None and not isinstance(value, CHANGEABLE[name]):
            raise _refusal(422, f"{name.replace('_', ' ').capitalize()} is invalid")
    organization.update(values)
    return _data(200, shapes.organization(organization))


def _list_templates(store: Store, request: Request, organization: Json) -> Reply:
    found = [one for one in store.templates.values() if one["organization_id"] == organization["id"]]
    conditions = _conditions(request)
    states = conditions.get("state", "").split(",")
    if states != [""]:
        found = [one for one in found if one["state"] in states]
    name = conditions.get("query", conditions.get("name", "")).strip('"').lower()
    found = [one for one in found if name in one["name"].lower()]
    return _page(request, [shapes.template(request.base_url, one) for one in found])


def _show_template(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, shapes.template(request.base_url, _own(store.templates, request, organization)))


def _list_badges(store: Store, request: Request, organization: Json) -> Reply:
    found = [one for one in store.badges.values() if one["organization_id"] == organization["id"]]
    for key, wanted in _conditions(request).items():
        if key in ("recipient_email", "recipient_email_all"):
            found = [one for one in found if one["recipient_email"].lower() == wanted.lower()]
        elif key in ("badge_template_id", "issuer_earner_id"):
            found = [one for one in found if one[key] == wanted]
        elif key == "state":
            found = [one for one in found if one["state"] in wanted.split(",")]
    sort = request.query.get("sort", "")
    if sort:
        key = sort.removeprefix("-")
        if key not in SORTABLE:
            raise _refusal(422, f"Cannot sort by {key}")
        found.sort(key=lambda one: one[key], reverse=sort.startswith("-"))
    return _page(request, [shapes.badge(store, request.base_url, one) for one in found])


def _show_badge(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, shapes.badge(store, request.base_url, _own(store.badges, request, organization)))


def _issue(store: Store, request: Request, organization: Json) -> Reply:
    return _data(201, shapes.badge(store, request.base_url, credly_badges.create(store, request.json(), organization)))


def _revoke(store: Store, request: Request, organization: Json) -> Reply:
    badge = _own(store.badges, request, organization)
    reason = str(request.json().get("reason") or "").strip()
    if not reason:
        raise _refusal(422, "Reason can't be blank")
    if badge["state"] == "replaced":
        raise _refusal(422, "A badge that has been replaced cannot be revoked")
    if badge["state"] == "revoked":
        raise _refusal(422, "The badge has been revoked already")
    credly_badges.revoke(store, badge["id"], reason)
    return _data(200, shapes.badge(store, request.base_url, badge))


def _replace(store: Store, request: Request, organization: Json) -> Reply:
    old = _own(store.badges, request, organization)
    return _data(
        201, shapes.badge(store, request.base_url, credly_badges.replace(store, old, request.json(), organization))
    )


def _delete(store: Store, request: Request, organization: Json) -> Reply:
    credly_badges.delete(store, _own(store.badges, request, organization)["id"])
    return Reply(204)


def _list_events(store: Store, request: Request, organization: Json) -> Reply:
    found = [one for one in store.events.values() if one["organization_id"] == organization["id"]]
    return _page(request, [shapes.event(store, request.base_url, one) for one in found])


def _show_event(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, shapes.event(store, request.base_url, _own(store.events, request, organization)))


_ROUTES: dict[tuple[object, ...], Callable[[Store, Request, Json], Reply]] = {
    # Method, how many parts below /credly/v1/, then the third part, then the fifth.
    ("GET", 2): _show_organization,
    ("PUT", 2): _change_organization,
    ("GET", 3, "badge_templates"): _list_templates,
    ("GET", 4, "badge_templates"): _show_template,
    ("GET", 3, "badges"): _list_badges,
    ("POST", 3, "badges"): _issue,
    ("GET", 4, "badges"): _show_badge,
    ("DELETE", 4, "badges"): _delete,
    ("PUT", 5, "badges", "revoke"): _revoke,
    ("POST", 5, "badges", "replace"): _replace,
    ("GET", 3, "events"): _list_events,
    ("GET", 4, "events"): _show_event,
}


def _own(objects: dict[str, Json], request: Request, organization: Json) -> Json:
    found = objects.get(request.parts[5])
    if found is None or found["organization_id"] != organization["id"]:
        raise _refusal(404, "Not found")
    return found


def _conditions(request: Request) -> dict[str, str]:
    pairs = (part.partition("::") for part in request.query.get("filter", "").split("|"))
    old = {key.strip(): value for key, separator, value in pairs if separator}
    # The newer form: filter[state]=pending.
    new = {key[7:-1]: value for key, value in request.query.items() if key.startswith("filter[") and key[-1] == "]"}
    return {**old, **new}


def _data(status: int, value: object) -> Reply:
    return Reply.json(status, {"data": value, "metadata": {}})


def _page(request: Request, rows: list[Json]) -> Reply:
    asked = request.query.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 and int(asked) else 1
    total = max(1, -(-len(rows) // PER_PAGE))

    def address(number: int) -> str | None:
        return f"{request.base_url}{request.path.lstrip('/')}?page={number}" if 1 <= number <= total else None

    shown = rows[(page - 1) * PER_PAGE : page * PER_PAGE]
    metadata = {
        "count": len(shown),
        "current_page": page,
        "total_count": len(rows),
        "total_pages": total,
        "per": PER_PAGE,
        "previous_page_url": address(page - 1),
        "next_page_url": address(page + 1),
    }
    return Reply.json(200, {"data": shown, "metadata": metadata})
