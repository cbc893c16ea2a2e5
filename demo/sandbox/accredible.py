"""Accredible's Credential API, below ``/accredible/v1/`` and ``/accredible/v2/``.

Where the documents are silent, the sandbox takes the stricter of the likely behaviours: an expiry before the day of
issue is refused, and an expired credential still counts as a duplicate.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime

from demo.sandbox.accredible_search import search
from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.store import Store, now

MOST_PER_PAGE = 50
TAKEN = (
    "has already been taken. Your group settings do not allow duplicates of this credential to be sent to the same "
    "email."
)
CHANGEABLE = frozenset(
    {
        "name",
        "description",
        "issued_on",
        "expired_on",
        "approve",
        "private",
        "complete",
        "custom_attributes",
        "meta_data",
    }
)
_TOKEN = re.compile(r'Token (?:token=)?"?([^"\s]+)"?')


def handle(store: Store, request: Request) -> Reply:
    """Answer a request; ``request.parts`` start with ``accredible`` and the version."""
    account = _authenticate(store, request)
    parts = request.parts[1:]
    route = _ROUTES.get((request.method, *parts))
    if route is None and len(parts) > 2:
        route = _ROUTES.get((request.method, *parts[:-1], "*"))
    if route is None:
        raise Refusal(Reply.json(404, {"error": "Not found"}))
    return route(store, request, account)


def expire(store: Store, credential_id: str, values: Json) -> Json | None:
    """A person lets a credential expire, or lets it stand again; gives it, or None where there is none."""
    credential = store.credentials.get(credential_id)
    if credential is not None:
        credential.update(expired_on=_date(values, "expired_on"), updated_at=now())
    return credential


def _authenticate(store: Store, request: Request) -> Json:
    header = request.headers.get("authorization", "")
    if header.startswith("Bearer "):
        raise Refusal(Reply.json(401, {"success": False, "data": "Not enough or too many segments"}))
    token = _TOKEN.fullmatch(header)
    for account in store.accounts.values():
        if token and account["key"] == token[1] and not account.get("expired"):
            return account
    raise Refusal(Reply.text(401, "HTTP Token: Access denied.\n"))


def _details(store: Store, request: Request, account: Json) -> Reply:
    issuer = {"id": account["id"], "name": account["name"], "certificate_left": account["credits"], "language": "en"}
    return Reply.json(200, {"issuer": {**issuer, "url": request.base_url}})


def _search_groups(store: Store, request: Request, account: Json) -> Reply:
    asked = request.json()
    rows = [one for one in store.groups.values() if one["account_id"] == str(account["id"])]
    if isinstance(asked.get("ids"), list):
        rows = [one for one in rows if one["id"] in asked["ids"]]
    if asked.get("name"):
        rows = [one for one in rows if str(asked["name"]).lower() in one["name"].lower()]
    size = min(_positive(asked.get("page_size"), MOST_PER_PAGE), MOST_PER_PAGE)
    page = _positive(asked.get("page"), 1)
    total = max(1, -(-len(rows) // size))
    meta = {
        "current_page": page,
        "next_page": page + 1 if page < total else None,
        "prev_page": page - 1 if page > 1 else None,
        "total_pages": total,
        "total_count": len(rows),
    }
    shown = [_group(one) for one in rows[(page - 1) * size : page * size]]
    return Reply.json(200, {"groups": shown, "meta": meta})


def _show_group(store: Store, request: Request, account: Json) -> Reply:
    group = store.groups.get(request.parts[-1])
    if group is None or group["account_id"] != str(account["id"]):
        raise Refusal(Reply.json(404, {"success": False, "data": "Group does not exist"}))
    return Reply.json(200, {"group": _group(group)})


def _show_design(store: Store, request: Request, account: Json) -> Reply:
    for group in store.groups.values():
        if str(group["design_id"]) == request.parts[-1] and group["account_id"] == str(account["id"]):
            image = f"{request.base_url}accredible/images/{group['id']}.svg"
            design = {"id": group["design_id"], "name": f"Design of {group['name']}", "rasterized_content_url": image}
            return Reply.json(200, {"design": design})
    raise Refusal(Reply.json(404, {"errors": "Doesn't exist"}))


def _create(store: Store, request: Request, account: Json) -> Reply:
    values = request.json().get("credential")
    values = values if isinstance(values, dict) else {}
    recipient = values.get("recipient")
    recipient = recipient if isinstance(recipient, dict) else {}
    if not all(isinstance(recipient.get(key), str) for key in ("name", "email")) or "@" not in recipient["email"]:
        raise _invalid("Can not create credential without recipient data")
    group = store.groups.get(str(values.get("group_id")))
    if group is None or group["account_id"] != str(account["id"]):
        raise _invalid("Invalid Group")
    own_id = str(values.get("id") or "")
    if own_id and any(one["license_id"] == own_id for one in _owned(store, account)):
        raise _invalid({"id": ["has already been taken"]})
    if not group["allow_duplicate_credentials"] and _is_held(store, group, recipient["email"]):
        raise _invalid({"recipient.email": [TAKEN]})
    number = store.next_credential_id()
    credential = {
        "id": str(number),
        "account_id": str(account["id"]),
        "license_id": own_id,
        "uuid": str(uuid.uuid4()),
        "encoded_id": base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("="),
        "group_id": group["id"],
        "name": values.get("name") or group["name"],
        "description": values.get("description") or group["description"],
        "recipient": dict(recipient),
        "issued_on": _date(values, "issued_on") or datetime.now(UTC).date().isoformat(),
        "expired_on": _date(values, "expired_on"),
        "approve": False,
        "private": bool(values.get("private")),
        "complete": values.get("complete", True),
        "custom_attributes": values.get("custom_attributes") or {},
        "meta_data": values.get("meta_data") or {},
        "created_at": now(),
        "updated_at": now(),
        "published_on": None,
    }
    _check_dates(credential)
    _publish(credential, account, wanted=values.get("approve", True) is not False)
    store.credentials[credential["id"]] = credential
    return _answer(request, store, credential)


def _update(store: Store, request: Request, account: Json) -> Reply:
    credential = _own(store, request, account)
    values = request.json().get("credential")
    if not isinstance(values, dict):
        raise _invalid("param is missing or the value is empty: credential")
    dates = {key: _date(values, key) for key in ("issued_on", "expired_on") if key in values}
    changed = {**credential, **{key: value for key, value in values.items() if key in CHANGEABLE}, **dates}
    _check_dates(changed)
    if changed["approve"] and not credential["approve"]:
        changed["approve"] = False
        _publish(changed, account, wanted=True)
    credential.update(changed, updated_at=now())
    return _answer(request, store, credential)


def _show(store: Store, request: Request, account: Json) -> Reply:
    return _answer(request, store, _own(store, request, account))


def _delete(store: Store, request: Request, account: Json) -> Reply:
    return _answer(request, store, store.credentials.pop(_own(store, request, account)["id"]))


_ROUTES: dict[tuple[str, ...], Callable[[Store, Request, Json], Reply]] = {
    ("GET", "v1", "issuer", "details"): _details,
    ("POST", "v1", "issuer", "groups", "search"): _search_groups,
    ("GET", "v1", "issuer", "groups", "*"): _show_group,
    ("GET", "v1", "designs", "*"): _show_design,
    ("POST", "v1", "credentials"): _create,
    ("GET", "v1", "credentials", "*"): _show,
    ("PUT", "v1", "credentials", "*"): _update,
    ("DELETE", "v1", "credentials", "*"): _delete,
    ("POST", "v2", "credentials", "search"): search,
}


def _invalid(errors: object) -> Refusal:
    return Refusal(Reply.json(422, {"errors": errors}))


def _positive(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


def _owned(store: Store, account: Json) -> list[Json]:
    return [one for one in store.credentials.values() if one["account_id"] == str(account["id"])]


def _own(store: Store, request: Request, account: Json) -> Json:
    wanted = request.parts[-1]
    for credential in _owned(store, account):
        if wanted in (credential["id"], credential["encoded_id"], credential["uuid"]):
            return credential
    raise Refusal(Reply.json(404, {"errors": "Doesn't exist"}))


def _is_held(store: Store, group: Json, email: str) -> bool:
    return any(
        one["group_id"] == group["id"] and one["recipient"]["email"].lower() == email.lower()
        for one in store.credentials.values()
    )


def _publish(credential: Json, account: Json, *, wanted: bool) -> None:
    # Without credits a credential is created all the same, and stays unpublished.
    if wanted and account["credits"] > 0:
        account["credits"] -= 1
        credential["approve"], credential["published_on"] = True, now()


def _date(values: Json, key: str) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value)):
        raise _invalid({key: ["is not a valid date"]})
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _invalid({key: ["is not a valid date"]}) from None


def _check_dates(credential: Json) -> None:
    if credential["expired_on"] and credential["expired_on"] < credential["issued_on"]:
        raise _invalid({"expired_on": ["must not be before issued_on"]})


def is_expired(credential: Json) -> bool:
    """Whether a credential can no longer be verified today (UTC)."""
    return bool(credential["expired_on"]) and credential["expired_on"] <= datetime.now(UTC).date().isoformat()


def _group(group: Json) -> Json:
    return {
        "id": group["id"],
        "name": group["name"],
        "course_name": group["name"],
        "course_description": group["description"],
        "course_link": group.get("course_link"),
        "learning_outcomes": group.get("learning_outcomes", []),
        "primary_design_id": group["design_id"],
        "badge_design_id": group["design_id"],
        "certificate_design_id": None,
        "allow_duplicate_credentials": group["allow_duplicate_credentials"],
        "created_at": group["created_at"],
        "updated_at": group["updated_at"],
    }


def _answer(request: Request, store: Store, credential: Json) -> Reply:
    group = store.groups.get(str(credential["group_id"]), {})
    shown = {key: value for key, value in credential.items() if key not in ("account_id", "license_id", "published_on")}
    page = f"{request.base_url}accredible/credentials/{credential['id']}"
    return Reply.json(
        200, {"credential": {**shown, "group_name": group.get("name"), "url": page, "evidence_items": []}}
    )
