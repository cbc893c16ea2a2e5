"""How Credly shows what the sandbox holds: organizations, badge templates, badges, employees, events."""

from __future__ import annotations

import uuid

from demo.sandbox import credly_employment
from demo.sandbox.messages import Json
from demo.sandbox.store import Store

_LEARNERS = uuid.UUID("6f1c2f5e-54a4-4a5b-9d0e-6f0d7a1bfff1")
_EMPLOYMENT = (
    *("id", "email", "created_at", "employee_state", "employee_state_updated_at", "last_invitation_sent_at"),
    *("first_name", "last_name", "full_name", "photo_url", "team", "external_id", "position_title"),
    *("manager_first_name", "manager_last_name", "manager_external_id"),
    *("country", "zip_code", "state_or_province", "department"),
)
"""In the order of the document's example (Credly, Webhooks: "Employment Created Event Response Example")."""
_MINIMAL = ("id", "email", "external_id")


def organization(held: Json) -> Json:
    """An organization, to those who have its key."""
    shown = ("id", "name", "webhook_url", "allowed_webhooks")
    return {name: held.get(name) for name in shown}


def template(base_url: str, held: Json) -> Json:
    """A badge template."""
    image = f"{base_url}credly/images/{held['id']}.svg"
    shown = {key: value for key, value in held.items() if key != "organization_id"}
    owner = {"type": "Organization", "id": held["organization_id"]}
    return {**shown, "owner": owner, "image": {"id": held["id"], "url": image}, "image_url": image}


def badge(store: Store, base_url: str, held: Json, of: Json | None = None) -> Json:
    """A badge.

    Arguments:
        of: its template as it was; by default as it is now.
    """
    shown = {key: value for key, value in held.items() if key not in ("organization_id", "badge_template_id")}
    kind = of or store.templates.get(held["badge_template_id"]) or {"id": held["badge_template_id"], "name": ""}
    owner = str(kind.get("organization_id", held["organization_id"]))
    page = f"{base_url}credly/badges/{held['id']}"
    has_no_account = store.learners.get(held["recipient_email"].lower()) == "none"
    links = {"accept_badge_url": f"{page}/accept"} if held["state"] == "pending" else {"badge_url": page}
    return {
        **shown,
        **links,
        "issued_to": _full_name(held),
        "user": None if has_no_account else {"id": learner_id(held["recipient_email"])},
        "issuer": _issuer(store, held["organization_id"], owner),
        "badge_template": {"id": kind["id"], "name": kind["name"], "owner": {"type": "Organization", "id": owner}},
    }


def event(store: Store, base_url: str, held: Json) -> Json:
    """An event, with what it is about: as it was then, or as it is now if the options say so."""
    occurred_at = held["occurred_at"]
    if store.outbox.options.precision == "seconds":
        occurred_at = f"{occurred_at[:19]}.000Z"
    shown = {name: held[name] for name in ("id", "event_type", "organization_id")}
    then = held["then"] if store.outbox.options.snapshots else {**held["then"], **_now(store, held)}
    about = _ABOUT[held["about"]](store, base_url, held, then)
    return {**shown, "occurred_at": occurred_at, **about}


def learner_id(email: str) -> str:
    """The identifier of whoever has this address."""
    return str(uuid.uuid5(_LEARNERS, email.lower()))


def _now(store: Store, held: Json) -> Json:
    """What an event is about as it is now; nothing where that is gone, so that it shows as it was last."""
    objects = {"badge": store.badges, "badge_template": store.templates}.get(held["about"], {})
    current = objects.get(held["about_id"])
    found: Json = {held["about"]: current} if current else {}
    if (about := held["then"].get("badge")) and about["id"] in store.badges:
        found["badge"] = store.badges[about["id"]]
    if held["about"] == "employment":
        if employee := store.employees.get(held["about_id"]):
            found.update(employment=employee, badges=credly_employment.visible(store, employee))
        else:
            found["is_minimal"] = True
    return found


def _about_badge(store: Store, base_url: str, held: Json, then: Json) -> Json:
    return {"badge": badge(store, base_url, then["badge"], then.get("template"))}


def _about_template(store: Store, base_url: str, held: Json, then: Json) -> Json:
    return {"badge_template": template(base_url, then["badge_template"])}


def _about_user(store: Store, base_url: str, held: Json, then: Json) -> Json:
    """The documents do not say what these events show: the user, and the badge where it is about one."""
    of_badge = _about_badge(store, base_url, held, then) if "badge" in then else {}
    return {"user": {"id": then["user"]["id"]}, **of_badge}


def _about_employment(store: Store, base_url: str, held: Json, then: Json) -> Json:
    employee = then["employment"]
    is_workforce = store.organizations.get(held["organization_id"], {}).get("workforce")
    if then.get("is_minimal") or not is_workforce:
        return {"employment": {name: employee.get(name) for name in _MINIMAL}}
    badges = [_employees_badge(store, base_url, one) for one in then["badges"]]
    shown = {"employment": {**{name: employee.get(name) for name in _EMPLOYMENT}, "badges": badges}}
    if then.get("badge") and held["event_type"] in ("employment.badges.added", "employment.badges.removed"):
        shown["badge"] = _employees_badge(store, base_url, then["badge"])
    return shown


_ABOUT = {
    "badge": _about_badge,
    "badge_template": _about_template,
    "user": _about_user,
    "employment": _about_employment,
}


def _employees_badge(store: Store, base_url: str, held: Json) -> Json:
    kind = store.templates.get(held["badge_template_id"], {"id": held["badge_template_id"], "name": ""})
    image = f"{base_url}credly/images/{kind['id']}.svg"
    names = [one["name"] if isinstance(one, dict) else str(one) for one in kind.get("skills", [])]
    return {
        "id": held["id"],
        "issued_to": _full_name(held),
        "issued_to_first_name": held["issued_to_first_name"],
        "issued_to_middle_name": held.get("issued_to_middle_name"),
        "issued_to_last_name": held["issued_to_last_name"],
        "issued_at": held["issued_at"],
        "expires_at": held["expires_at"],
        "state": held["state"],
        "public": held["public"],
        "badge_url": f"{base_url}credly/badges/{held['id']}",
        "badge_template": {
            "id": kind["id"],
            "image": None,
            "image_url": image,
            "description": kind.get("description", ""),
            "name": kind["name"],
            "skills": names,
        },
        "issuer": {"name": _name(store, held["organization_id"]), "image_url": None},
    }


def _issuer(store: Store, issuer_id: str, owner_id: str) -> Json:
    """Who issued a badge, and with whose authority where the template is another organization's."""
    pairs = [("Issued by", issuer_id), *([("Authorized by", owner_id)] if owner_id != issuer_id else [])]
    entities = [
        {
            "label": label,
            "primary": one == issuer_id,
            "entity": {"type": "Organization", "id": one, "name": _name(store, one)},
        }
        for label, one in pairs
    ]
    summary = "; ".join(f"{label.lower()} {_name(store, one)}" for label, one in pairs)
    return {"summary": summary, "entities": entities}


def _name(store: Store, organization_id: str) -> str:
    return str(store.organizations.get(organization_id, {}).get("name", ""))


def _full_name(held: Json) -> str:
    names = (held["issued_to_first_name"], held.get("issued_to_middle_name"), held["issued_to_last_name"])
    return " ".join(name for name in names if name)
