"""Accredible's search of version 2: conditions with operators, pages by number up to 10,000, by cursor beyond."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.store import Store

MOST_PER_PAGE = 100
DEFAULT_PER_PAGE = 50
FURTHEST_START = 10_000
SORTABLE = frozenset({"id", "recipient_name", "group.name", "issued_on", "expired_on"})


def search(store: Store, request: Request, account: Json) -> Reply:
    """Answer a search for the credentials of an account."""
    asked = request.json()
    query, page, sort = (_object(asked, key) for key in ("query", "page", "sort"))
    size = min(_count(page, "size", DEFAULT_PER_PAGE) or DEFAULT_PER_PAGE, MOST_PER_PAGE)
    start = _cursor(page["cursor"]) if page.get("cursor") else _count(page, "from", 0)
    if start > FURTHEST_START and not page.get("cursor"):
        raise _invalid(f"from must not be above {FURTHEST_START}; use a cursor")
    rows = [_row(store, one) for one in store.credentials.values() if one["account_id"] == str(account["id"])]
    rows = [row for row in rows if all(_meets(row, key, value) for key, value in query.items())]
    for key, direction in reversed(sort.items()):
        if key not in SORTABLE or direction not in ("asc", "desc"):
            raise _invalid("sort is not known")
        rows.sort(key=lambda row: _sort_key(row, key), reverse=direction == "desc")
    shown = rows[start : start + size]
    more = start + size < len(rows)
    meta = {"count": len(rows), "from": start, "size": size, "cursor": _as_cursor(start + size) if more else None}
    return Reply.json(200, {"credentials": shown, "meta": meta})


def _object(asked: Json, key: str) -> Json:
    found = asked.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _invalid(f"{key} is not an object")
    return found


def _count(page: Json, key: str, default: int) -> int:
    found = page.get(key, default)
    if type(found) is not int or found < 0:
        raise _invalid(f"{key} is not a number from 0")
    return found


def _as_cursor(start: int) -> str:
    return base64.urlsafe_b64encode(f"after:{start}".encode()).decode()


def _cursor(value: object) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(str(value)).decode().partition(":")
        if word == "after":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise _invalid("cursor is not one")


def _sort_key(row: Json, key: str) -> tuple[bool, int, str]:
    value = row["group"].get("name") if key == "group.name" else row.get(key)
    text = str(value)
    return (value is None, int(text) if text.isdigit() else 0, text)


def _row(store: Store, credential: Json) -> Json:
    group = store.groups.get(str(credential["group_id"]), {})
    hidden = ("account_id", "group_id", "recipient", "name", "description", "complete")
    return {
        **{key: value for key, value in credential.items() if key not in hidden},
        "recipient_name": credential["recipient"]["name"],
        "recipient_email": credential["recipient"]["email"],
        "recipient_id": credential["recipient"].get("id"),
        "group": {"id": credential["group_id"], "name": group.get("name"), "course_name": group.get("name")},
        "issuer_id": credential["account_id"],
    }


def _meets(row: Json, key: str, wanted: object) -> bool:
    name, _, operator = key.removesuffix("]").partition("[")
    value = row["group"].get("id") if name == "group.id" else row.get(name)
    if operator in ("", "eq"):
        if name == "recipient_email":
            return str(value).lower() == str(wanted).lower()
        return str(value) == str(wanted) if name != "approve" else value is wanted
    if operator == "in":
        return isinstance(wanted, list) and str(value) in map(str, wanted)
    if operator not in ("lt", "lte", "gt", "gte"):
        raise _invalid(f"unknown operator {operator}")
    return _compared(operator, name, value, wanted)


def _compared(operator: str, name: str, value: object, wanted: object) -> bool:
    left: datetime | str = str(value)
    right: datetime | str = str(wanted)
    if name.endswith("_at"):
        if value is None:
            return False
        left, right = _time(value), _time(wanted)
    if operator in ("lte", "gte") and left == right:
        return True
    is_less = left < right  # type: ignore[operator]
    return is_less if operator in ("lt", "lte") else left != right and not is_less


def _time(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise _invalid("a time cannot be read") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _invalid(message: str) -> Refusal:
    return Refusal(Reply.json(400, {"code": 400, "message": message, "status": "invalid_search_query", "errors": {}}))
