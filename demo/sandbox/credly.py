"""Credly's Web Service API, below ``/credly/v1/``.

Where the documents are silent, the sandbox takes the stricter of the likely behaviours: revoking a revoked badge is
refused, a key of one organization does not see another, and Basic authentication needs the colon. A badge that is
revoked, rejected or replaced does not count as a duplicate.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from demo.sandbox import oauth
from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.store import Store, now

PER_PAGE = 50
HELD_STATES = ("pending", "accepted")
SORTABLE = ("created_at", "issued_at", "state_updated_at", "updated_at")
BEHAVIORS = ("allow", "deny", "replace")
REQUIRED = ("recipient_email", "issued_to_first_name", "issued_to_last_name", "badge_template_id", "issued_at")


def handle(store: Store, request: Request) -> Reply:
    """Answer a request; ``request.parts`` start with ``credly`` and ``v1``."""
    organization = _authenticate(store, request)
    parts = request.parts[2:]
    if parts == ("organizations",) and request.method == "GET":
        return _page(request, [_organization(organization)])
    if len(parts) < 2 or parts[0] != "organizations" or parts[1] != organization["id"]:
        raise _refusal(404, "Not found")
    route = _ROUTES.get((request.method, len(parts), *parts[2:3], *parts[4:5]))
    if route is None:
        raise _refusal(404, "Not found")
    return route(store, request, organization)


def decide(store: Store, badge_id: str, state: str) -> Json | None:
    """The learner accepts or rejects a pending badge; gives the badge, or None where there is no such pending badge."""
    badge = store.badges.get(badge_id)
    if badge is None or badge["state"] != "pending":
        return None
    _change_state(store, badge, state)
    return badge


def revoke(store: Store, badge_id: str, reason: str) -> Json | None:
    """A person revokes a badge; gives it, or None where there is none that can be revoked."""
    badge = store.badges.get(badge_id)
    if badge is None or badge["state"] in ("revoked", "replaced"):
        return None
    badge["revocation_reason"] = reason
    _change_state(store, badge, "revoked")
    return badge


def delete(store: Store, badge_id: str) -> Json | None:
    """Somebody deletes a badge; gives what it was, or None where there is none."""
    badge = store.badges.pop(badge_id, None)
    if badge is not None:
        store.add_event(badge["organization_id"], "badge.deleted", "badge", badge_id, badge)
    return badge


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
    return _data(200, _organization(organization))


def _list_templates(store: Store, request: Request, organization: Json) -> Reply:
    found = [one for one in store.templates.values() if one["organization_id"] == organization["id"]]
    conditions = _conditions(request)
    states = conditions.get("state", "").split(",")
    if states != [""]:
        found = [one for one in found if one["state"] in states]
    name = conditions.get("query", conditions.get("name", "")).strip('"').lower()
    found = [one for one in found if name in one["name"].lower()]
    return _page(request, [_template(request, one) for one in found])


def _show_template(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, _template(request, _own(store.templates, request, organization)))


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
    return _page(request, [_badge(store, request, one) for one in found])


def _show_badge(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, _badge(store, request, _own(store.badges, request, organization)))


def _issue(store: Store, request: Request, organization: Json) -> Reply:
    return _data(201, _badge(store, request, _create(store, request.json(), organization)))


def _create(store: Store, values: Json, organization: Json, replaces: Json | None = None) -> Json:
    missing = [key for key in REQUIRED if not isinstance(values.get(key), str) or not values[key].strip()]
    if missing:
        raise _refusal(422, f"{missing[0].replace('_', ' ').capitalize()} can't be blank")
    template = store.templates.get(str(values["badge_template_id"]))
    if template is None or template["organization_id"] != organization["id"]:
        raise _refusal(422, f"Invalid or missing Badge Template ID: {values['badge_template_id']}")
    if template["state"] != "active":
        raise _refusal(422, f"The badge template is {template['state']} and cannot be used to issue new badges")
    behavior = values.get("duplicate_behavior", "deny")
    if "@" not in values["recipient_email"] or behavior not in BEHAVIORS:
        raise _refusal(422, "Recipient email or duplicate behavior is invalid")
    held = None if template["allow_duplicate_badges"] else _held(store, values, replaces)
    if held and behavior == "deny":
        raise _refusal(422, "User already has this badge")
    if held and behavior == "replace":
        return _replaced(store, values, organization, held)
    badge = {
        "id": str(uuid.uuid4()),
        "organization_id": organization["id"],
        "state": "pending",
        **{key: values[key] for key in REQUIRED},
        "issued_at": _time(values["issued_at"]),
        "issuer_earner_id": values.get("issuer_earner_id"),
        "expires_at": values.get("expires_at") or None,
        "evidence": values.get("evidence") or [],
        "revocation_reason": None,
        "replaces_badge_id": replaces["id"] if replaces else None,
        "replacement_badge_id": None,
        "created_at": now(),
        "updated_at": now(),
        "state_updated_at": now(),
    }
    store.badges[badge["id"]] = badge
    store.add_event(organization["id"], "badge.created", "badge", badge["id"])
    return badge


def _held(store: Store, values: Json, replaces: Json | None) -> Json | None:
    found = (
        one
        for one in store.badges.values()
        if one["badge_template_id"] == values["badge_template_id"]
        and one["state"] in HELD_STATES
        and one is not replaces
        and (
            one["recipient_email"].lower() == values["recipient_email"].lower()
            or (one["issuer_earner_id"] and one["issuer_earner_id"] == values.get("issuer_earner_id"))
        )
    )
    return next(found, None)


def _replaced(store: Store, values: Json, organization: Json, old: Json) -> Json:
    new = _create(store, values, organization, replaces=old)
    old["replacement_badge_id"] = new["id"]
    _change_state(store, old, "replaced")
    return new


def _revoke(store: Store, request: Request, organization: Json) -> Reply:
    badge = _own(store.badges, request, organization)
    reason = str(request.json().get("reason") or "").strip()
    if not reason:
        raise _refusal(422, "Reason can't be blank")
    if badge["state"] == "replaced":
        raise _refusal(422, "A badge that has been replaced cannot be revoked")
    if badge["state"] == "revoked":
        raise _refusal(422, "The badge has been revoked already")
    revoke(store, badge["id"], reason)
    return _data(200, _badge(store, request, badge))


def _replace(store: Store, request: Request, organization: Json) -> Reply:
    old = _own(store.badges, request, organization)
    if old["state"] not in HELD_STATES:
        raise _refusal(422, f"A badge that is {old['state']} cannot be replaced")
    inherited = {key: old[key] for key in REQUIRED if not key.endswith(("_id", "issued_at"))}
    new = _replaced(store, {**inherited, **request.json()}, organization, old)
    return _data(201, _badge(store, request, new))


def _delete(store: Store, request: Request, organization: Json) -> Reply:
    delete(store, _own(store.badges, request, organization)["id"])
    return Reply(204)


def _list_events(store: Store, request: Request, organization: Json) -> Reply:
    found = [one for one in store.events.values() if one["organization_id"] == organization["id"]]
    return _page(request, [_event(store, request, one) for one in found])


def _show_event(store: Store, request: Request, organization: Json) -> Reply:
    return _data(200, _event(store, request, _own(store.events, request, organization)))


_ROUTES: dict[tuple[object, ...], Callable[[Store, Request, Json], Reply]] = {
    # Method, how many parts below /credly/v1/, then the third part, then the fifth.
    ("GET", 2): _show_organization,
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


def _change_state(store: Store, badge: Json, state: str) -> None:
    badge["state"], badge["state_updated_at"] = state, now()
    badge["updated_at"] = badge["state_updated_at"]
    store.add_event(badge["organization_id"], "badge.state.changed", "badge", badge["id"])


def _conditions(request: Request) -> dict[str, str]:
    pairs = (part.partition("::") for part in request.query.get("filter", "").split("|"))
    old = {key.strip(): value for key, separator, value in pairs if separator}
    # The newer form: filter[state]=pending.
    new = {key[7:-1]: value for key, value in request.query.items() if key.startswith("filter[") and key[-1] == "]"}
    return {**old, **new}


def _time(value: object) -> str:
    text = str(value).strip()
    try:
        # The form of the documents has a space before the offset, which is not ISO 8601.
        moment = datetime.fromisoformat(re.sub(r" (?=[+-]\d{4}$)", "", text))
    except ValueError:
        raise _refusal(422, "Issued at is not a valid time") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _organization(organization: Json) -> Json:
    return {"id": organization["id"], "name": organization["name"], "webhook_url": organization.get("webhook_url")}


def _template(request: Request, template: Json) -> Json:
    image = f"{request.base_url}credly/images/{template['id']}.svg"
    shown = {key: value for key, value in template.items() if key != "organization_id"}
    return {**shown, "image": {"id": template["id"], "url": image}, "image_url": image}


def _badge(store: Store, request: Request, badge: Json) -> Json:
    shown = {key: value for key, value in badge.items() if key not in ("organization_id", "badge_template_id")}
    template = store.templates.get(badge["badge_template_id"], {"id": badge["badge_template_id"], "name": ""})
    page = f"{request.base_url}credly/badges/{badge['id']}"
    links = {"accept_badge_url": f"{page}/accept"} if badge["state"] == "pending" else {"badge_url": page}
    return {
        **shown,
        **links,
        "issued_to": f"{badge['issued_to_first_name']} {badge['issued_to_last_name']}",
        "badge_template": {"id": template["id"], "name": template["name"]},
    }


def _event(store: Store, request: Request, event: Json) -> Json:
    about, about_id = event["about"], event["about_id"]
    shown = {key: event[key] for key in ("id", "event_type", "organization_id", "occurred_at")}
    current = (store.badges if about == "badge" else store.templates).get(about_id) or event["last_seen"]
    if current is None:
        return shown
    return {**shown, about: _badge(store, request, current) if about == "badge" else _template(request, current)}


def _data(status: int, value: object) -> Reply:
    return Reply.json(status, {"data": value, "metadata": {}})


def _refusal(status: int, message: str) -> Refusal:
    return Refusal(Reply.json(status, {"data": {"message": message}, "metadata": None}))


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
