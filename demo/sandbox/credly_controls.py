"""The part of the control API that plays people at Credly: learners, staff of an organization, its employees."""

from __future__ import annotations

from typing import Any

from demo.sandbox import credly_badges, credly_employment
from demo.sandbox.control_replies import bad, change, or_missing, unknown
from demo.sandbox.messages import Json, Reply, Request
from demo.sandbox.store import Store

SECTIONS = ("badges", "templates", "organizations", "oauth", "webhooks", "learners", "employees")
DECISIONS = {"accept": "accepted", "reject": "rejected"}
OVERVIEW = {
    "POST /_sandbox/badges": 'somebody issues a Credly badge: {"organization", "recipient_email", ...}',
    "POST /_sandbox/badges/ID/accept": "the learner accepts a pending Credly badge; or .../reject",
    "POST /_sandbox/badges/ID/privacy": 'the learner shows or hides a Credly badge: {"public": true|false}',
    "POST /_sandbox/badges/ID/revoke": "somebody revokes a Credly badge on Credly's pages",
    "POST /_sandbox/badges/ID/replace": 'somebody replaces it: {"badge_template_id", "issued_at"}',
    "POST /_sandbox/badges/ID/notify": "Credly writes to the learner once more about a pending badge",
    "DELETE /_sandbox/badges/ID": "somebody deletes a Credly badge",
    "POST /_sandbox/learners": 'which account a learner has: {"email", "account": "confirmed"|"unconfirmed"|"none"}',
    "POST /_sandbox/organizations/ID": 'change a Credly organization: {"token", "client_secret", "expired", '
    '"workforce", "webhook_url", "allowed_webhooks"}; an empty address or list for none',
    "GET /_sandbox/webhooks": "what was posted, what waits, and how it is done",
    "POST /_sandbox/webhooks": "how webhooks are sent; see demo/sandbox/outbox.py for the keys",
    "POST /_sandbox/oauth": 'how long new OAuth tokens last, and the end of those given: {"expires_in", "revoke"}',
    "POST /_sandbox/templates": 'create or change a Credly template: {"organization", "name", ["id", "state", ...]}',
    "DELETE /_sandbox/templates/ID": "delete a Credly template",
    "POST /_sandbox/employees": 'create or change an employee: {"organization", "email", ["id", "first_name", ...]}',
    "DELETE /_sandbox/employees/ID": "destroy an employee's record",
    "POST /_sandbox/employees/ID/connection": '{"state": "pending"|"accepted"|"rejected"}',
    "POST /_sandbox/employees/ID/account": 'associate it with a Credly account: {"email": ADDRESS|null}',
}


def handle(store: Store, request: Request) -> Reply:
    """Answer a request about one of the sections."""
    match (request.method, *request.parts[1:]):
        case (_, "badges", *_):
            return _badges(store, request)
        case (_, "employees" | "learners", *_):
            return _people(store, request)
        case ("POST", "templates"):
            return _put_template(store, request.json())
        case ("DELETE", "templates", template_id):
            return or_missing(store.delete_template(template_id), "template")
        case ("POST", "organizations", organization_id):
            return _change_organization(store, organization_id, request.json())
        case ("POST", "oauth"):
            return _change_oauth(store, request.json())
        case ("GET", "webhooks"):
            return Reply.json(200, store.outbox.describe())
        case ("POST", "webhooks"):
            return _change_webhooks(store, request.json())
        case _:
            return unknown()


def _badges(store: Store, request: Request) -> Reply:
    match (request.method, *request.parts[2:]):
        case ("POST",):
            return _issue(store, request.json())
        case ("POST", badge_id, "privacy"):
            return _set_public(store, badge_id, request.json())
        case ("POST", badge_id, "replace"):
            return _replace(store, badge_id, request.json())
        case ("POST", badge_id, "revoke"):
            return or_missing(credly_badges.revoke(store, badge_id, "Revoked by hand."), "badge that can be revoked")
        case ("POST", badge_id, "notify"):
            return or_missing(credly_badges.notify(store, badge_id), "pending badge")
        case ("POST", badge_id, decision) if decision in DECISIONS:
            return or_missing(credly_badges.decide(store, badge_id, DECISIONS[decision]), "pending badge")
        case ("DELETE", badge_id):
            return or_missing(credly_badges.delete(store, badge_id), "badge")
        case _:
            return unknown()


def _issue(store: Store, values: Json) -> Reply:
    organization = store.organizations.get(str(values.get("organization")))
    if organization is None:
        raise bad('"organization" must be the id of one.')
    return Reply.json(200, credly_badges.create(store, values, organization))


def _set_public(store: Store, badge_id: str, values: Json) -> Reply:
    is_public = values.get("public")
    if not isinstance(is_public, bool):
        raise bad('"public" must be true or false.')
    return or_missing(credly_badges.set_public(store, badge_id, is_public), "badge")


def _replace(store: Store, badge_id: str, values: Json) -> Reply:
    old = store.badges.get(badge_id)
    if old is None:
        return or_missing(None, "badge")
    inherited = {name: old[name] for name in ("badge_template_id", "issued_at")}
    organization = store.organizations[old["organization_id"]]
    return Reply.json(200, credly_badges.replace(store, old, {**inherited, **values}, organization))


def _people(store: Store, request: Request) -> Reply:
    match (request.method, *request.parts[1:]):
        case ("POST", "learners"):
            return _change_learner(store, request.json())
        case ("POST", "employees"):
            return _put_employee(store, request.json())
        case ("DELETE", "employees", employee_id):
            return or_missing(credly_employment.delete(store, employee_id), "employee")
        case ("POST", "employees", employee_id, "connection"):
            state = request.json().get("state")
            if state not in credly_employment.STATES:
                raise bad(f'"state" must be one of {", ".join(credly_employment.STATES)}.')
            return or_missing(credly_employment.connect(store, employee_id, state), "employee")
        case ("POST", "employees", employee_id, "account"):
            email = request.json().get("email")
            if email is not None and not _is_address(email):
                raise bad('"email" must be an address, or null.')
            return or_missing(credly_employment.associate(store, employee_id, email), "employee")
        case _:
            return unknown()


def _change_learner(store: Store, values: Json) -> Reply:
    email, account = values.get("email"), values.get("account")
    if not _is_address(email) or account not in credly_badges.NOTIFICATIONS:
        raise bad(f'"email" must be an address, "account" one of {", ".join(credly_badges.NOTIFICATIONS)}.')
    store.learners[str(email).lower()] = account
    return Reply.json(200, {"account": account})


def _put_employee(store: Store, values: Json) -> Reply:
    organization_id = str(values.get("organization", ""))
    known = store.employees.get(str(values.get("id")))
    if known is None and not (organization_id in store.organizations and _is_address(values.get("email"))):
        raise bad('A new employee needs an "organization", the id of one, and an "email".')
    return Reply.json(200, credly_employment.put(store, organization_id, values))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and "@" in value


def _put_template(store: Store, values: Json) -> Reply:
    organization_id = str(values.pop("organization", ""))
    if organization_id not in store.organizations or not (values.get("name") or values.get("id") in store.templates):
        raise bad('"organization" must be the id of one, and a new template needs a "name".')
    return Reply.json(200, store.put_template(organization_id, values))


def _change_organization(store: Store, organization_id: str, values: Json) -> Reply:
    allowed = {"token": str, "client_secret": str, "expired": bool, "workforce": bool}
    webhooks = {name: values.pop(name) for name in ("webhook_url", "allowed_webhooks") if name in values}
    url, types = webhooks.get("webhook_url", ""), webhooks.get("allowed_webhooks", [])
    if not isinstance(url, str) or (url and not url.startswith(("http://", "https://"))):
        raise bad('"webhook_url" must be an address, or empty.')
    if not isinstance(types, list) or not all(isinstance(one, str) for one in types):
        raise bad('"allowed_webhooks" must be a list of event types.')
    known = store.organizations.get(organization_id)
    reply = change(known, values, allowed)
    if known is not None:
        known.update({name: value or None for name, value in webhooks.items()})
    return reply


def _change_webhooks(store: Store, values: Json) -> Reply:
    try:
        store.outbox.change(values)
    except ValueError as error:
        raise bad(str(error)) from None
    return Reply.json(200, store.outbox.describe())


def _change_oauth(store: Store, values: Json) -> Reply:
    lifetime: Any = values.get("expires_in", store.token_lifetime)
    if (
        isinstance(lifetime, bool)
        or not isinstance(lifetime, int)
        or lifetime < 0
        or set(values) - {"expires_in", "revoke"}
    ):
        raise bad('"expires_in" must be a number of seconds, "revoke" true or absent.')
    store.token_lifetime = lifetime
    if values.get("revoke") is True:
        store.tokens.clear()
    return Reply.json(200, {"expires_in": lifetime, "tokens": len(store.tokens)})
