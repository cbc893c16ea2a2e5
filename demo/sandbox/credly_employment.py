"""Workforce at Credly: the employees of an organization, the badges that it may see, and the events of both.

Which badges those are is documented in words only. The sandbox shows an employer the badges that it issued itself to an
employee's address; once the connection is accepted also those of other organizations that are accepted and public, sent
to that address or to the address of the Credly account that the record is associated with.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from demo.sandbox.messages import Json
from demo.sandbox.store import Store, now

STATES = ("pending", "accepted", "rejected")
FIELDS = (
    *("first_name", "last_name", "external_id", "photo_url", "team", "position_title", "department"),
    *("manager_first_name", "manager_last_name", "manager_external_id"),
    *("country", "zip_code", "state_or_province", "last_invitation_sent_at"),
)


def put(store: Store, organization_id: str, values: Json) -> Json:
    """Create an employee's record, or change it; recorded as an event when it is new."""
    employee_id = str(values.get("id") or uuid.uuid4())
    employee = store.employees.get(employee_id)
    given: dict[str, Any] = {name: values[name] for name in (*FIELDS, "email") if name in values}
    if employee is not None:
        employee.update(given)
        _name(employee)
        return employee
    employee = {
        "id": employee_id,
        "organization_id": organization_id,
        "created_at": now(),
        "employee_state": None,
        "employee_state_updated_at": None,
        "account_email": None,
        **dict.fromkeys(FIELDS),
        **given,
    }
    _name(employee)
    store.employees[employee_id] = employee
    _record(store, employee, "created")
    return employee


def delete(store: Store, employee_id: str) -> Json | None:
    """Destroy an employee's record; gives what it was, or None where there is none."""
    employee = store.employees.pop(employee_id, None)
    if employee is not None:
        _record(store, employee, "deleted", is_minimal=True)
    return employee


def connect(store: Store, employee_id: str, state: str) -> Json | None:
    """The connection is offered, accepted or rejected; gives the record, or None where there is none.

    Badges that become visible by it cause no events of their own (Credly, Webhooks: "Employment Badge Added / Removed
    Response Example").
    """
    employee = store.employees.get(employee_id)
    if employee is not None:
        employee.update(employee_state=state, employee_state_updated_at=now())
        _record(store, employee, f"connection.{state}")
    return employee


def associate(store: Store, employee_id: str, account_email: str | None) -> Json | None:
    """The record is associated with the Credly account that has this address; or with none.

    Returns:
        The record, or None where there is none.
    """
    employee = store.employees.get(employee_id)
    if employee is not None:
        employee["account_email"] = account_email
        _record(store, employee, f"user_account.{'associated' if account_email else 'disassociated'}")
    return employee


def visible(store: Store, employee: Json) -> list[Json]:
    """The badges that the employer may see."""
    addresses = {(employee["email"] or "").lower(), (employee["account_email"] or "").lower()} - {""}
    is_connected = employee["employee_state"] == "accepted"
    return [
        one
        for one in store.badges.values()
        if one["recipient_email"].lower() in addresses
        and (
            one["organization_id"] == employee["organization_id"]
            or (is_connected and one["state"] == "accepted" and one["public"])
        )
    ]


@contextmanager
def watched(store: Store, badge: Json) -> Iterator[None]:
    """What happens to a badge within the block is told to those who employ its learner, and may see it."""
    before = (badge["state"], badge["public"])
    saw = {employee["id"] for employee in _employers(store, badge) if _sees(store, employee, badge)}
    yield
    for employee in _employers(store, badge):
        sees, saw_before = _sees(store, employee, badge), employee["id"] in saw
        if sees and not saw_before:
            _record(store, employee, "badges.added", badge)
        elif saw_before and not sees:
            _record(store, employee, "badges.removed", badge)
        elif sees:
            if badge["state"] != before[0]:
                _record(store, employee, "badges.state_changed", badge)
            if badge["public"] != before[1]:
                _record(store, employee, "badges.privacy_changed", badge)


def _employers(store: Store, badge: Json) -> list[Json]:
    address = badge["recipient_email"].lower()
    return [
        one
        for one in store.employees.values()
        if address in ((one["email"] or "").lower(), (one["account_email"] or "").lower())
    ]


def _sees(store: Store, employee: Json, badge: Json) -> bool:
    return any(one is badge for one in visible(store, employee))


def _record(store: Store, employee: Json, what: str, badge: Json | None = None, *, is_minimal: bool = False) -> None:
    if not store.organizations.get(employee["organization_id"], {}).get("workforce"):
        return
    then = {"employment": employee, "badges": visible(store, employee), "is_minimal": is_minimal}
    about_badge = {"badge": badge} if badge else {}
    store.add_event(employee["organization_id"], f"employment.{what}", "employment", {**then, **about_badge})


def _name(employee: Json) -> None:
    names = (employee.get("first_name"), employee.get("last_name"))
    employee["full_name"] = " ".join(name for name in names if name) or None
