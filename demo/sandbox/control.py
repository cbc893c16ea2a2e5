"""The control API below ``/_sandbox/``: look inside, switch faults on, act as a learner or as a provider's staff."""

from __future__ import annotations

from typing import Any

from demo.sandbox import accredible, credly
from demo.sandbox.faults import Faults, read_fault
from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.seed import check_seed
from demo.sandbox.store import SECRETS, Store

DECISIONS = {"accept": "accepted", "reject": "rejected"}
OVERVIEW = {
    "GET /_sandbox/state": "everything that is held, the log of requests, the faults; no keys",
    "POST /_sandbox/faults": "switch a fault on; see demo/sandbox/faults.py for its keys",
    "DELETE /_sandbox/faults": "switch all faults off",
    "POST /_sandbox/reset": "start from the seed again, or from the seed in the body",
    "POST /_sandbox/badges/ID/accept": "the learner accepts a pending Credly badge; or .../reject",
    "POST /_sandbox/badges/ID/revoke": "somebody revokes a Credly badge on Credly's pages",
    "DELETE /_sandbox/badges/ID": "somebody deletes a Credly badge",
    "POST /_sandbox/credentials/ID": 'somebody lets an Accredible credential expire, or not: {"expired_on": DATE|null}',
    "DELETE /_sandbox/credentials/ID": "somebody deletes an Accredible credential",
    "POST /_sandbox/organizations/ID": 'change or expire a Credly token: {"token": "new"}, {"expired": true|false}',
    "POST /_sandbox/oauth": 'how long new OAuth tokens last, and the end of those given: {"expires_in", "revoke"}',
    "POST /_sandbox/templates": 'create or change a Credly template: {"organization", "name", ["id", "state", ...]}',
    "DELETE /_sandbox/templates/ID": "delete a Credly template",
    "POST /_sandbox/groups": 'create or change an Accredible group: {"account", "id", "name", ...}',
    "DELETE /_sandbox/groups/ID": "delete an Accredible group",
    "POST /_sandbox/accounts/ID": 'change an Accredible account: {"credits": 0}, {"key": "new"}, {"expired": true}',
}


def handle(store: Store, faults: Faults, request: Request) -> Reply:
    """Answer a request; ``request.parts`` start with ``_sandbox``."""
    match (request.method, *request.parts[1:]):
        case ("GET",):
            return Reply.json(200, OVERVIEW)
        case ("GET", "state"):
            return Reply.json(200, {**store.snapshot(), "faults": faults.describe()})
        case ("POST", "faults"):
            return _add_fault(faults, request.json())
        case ("DELETE", "faults"):
            faults.clear()
            return Reply.json(200, {})
        case ("POST", "reset"):
            return _reset(store, faults, request)
        case _:
            return _act(store, request)


def _act(store: Store, request: Request) -> Reply:
    match request.parts[1:]:
        case ("badges" | "templates" | "organizations" | "oauth", *_):
            return _act_at_credly(store, request)
        case _:
            return _act_at_accredible(store, request)


def _act_at_credly(store: Store, request: Request) -> Reply:
    match (request.method, *request.parts[1:]):
        case ("POST", "badges", badge_id, "revoke"):
            return _or_missing(credly.revoke(store, badge_id, "Revoked by hand."), "badge that can be revoked")
        case ("POST", "badges", badge_id, decision) if decision in DECISIONS:
            return _or_missing(credly.decide(store, badge_id, DECISIONS[decision]), "pending badge")
        case ("DELETE", "badges", badge_id):
            return _or_missing(credly.delete(store, badge_id), "badge")
        case ("POST", "templates"):
            return _put_template(store, request.json())
        case ("DELETE", "templates", template_id):
            return _or_missing(store.delete_template(template_id), "template")
        case ("POST", "organizations", organization_id):
            known = store.organizations.get(organization_id)
            return _change(known, request.json(), {"token": str, "client_secret": str, "expired": bool})
        case ("POST", "oauth"):
            return _change_oauth(store, request.json())
        case _:
            return _unknown()


def _act_at_accredible(store: Store, request: Request) -> Reply:
    match (request.method, *request.parts[1:]):
        case ("POST", "groups"):
            return _put_group(store, request.json())
        case ("DELETE", "groups", group_id):
            return _or_missing(store.groups.pop(group_id, None), "group")
        case ("POST", "credentials", credential_id):
            return _or_missing(accredible.expire(store, credential_id, request.json()), "credential")
        case ("DELETE", "credentials", credential_id):
            return _or_missing(store.credentials.pop(credential_id, None), "credential")
        case ("POST", "accounts", account_id):
            known = store.accounts.get(account_id)
            return _change(known, request.json(), {"credits": int, "key": str, "expired": bool})
        case _:
            return _unknown()


def _unknown() -> Reply:
    return Reply.json(404, {"error": "See GET /_sandbox/ for what there is."})


def _add_fault(faults: Faults, values: Json) -> Reply:
    try:
        fault = read_fault(values)
    except ValueError as error:
        raise _bad(str(error)) from None
    faults.add(fault)
    return Reply.json(201, fault.describe())


def _reset(store: Store, faults: Faults, request: Request) -> Reply:
    seed = request.json() if request.body else None
    if seed is not None:
        try:
            check_seed(seed)
        except ValueError as error:
            raise _bad(str(error)) from None
    store.reset(seed)
    faults.clear()
    return Reply.json(200, {})


def _put_template(store: Store, values: Json) -> Reply:
    organization_id = str(values.pop("organization", ""))
    if organization_id not in store.organizations or not (values.get("name") or values.get("id") in store.templates):
        raise _bad('"organization" must be the id of one, and a new template needs a "name".')
    return Reply.json(200, store.put_template(organization_id, values))


def _put_group(store: Store, values: Json) -> Reply:
    account_id = str(values.pop("account", ""))
    known = str(values.get("id")) in store.groups
    if account_id not in store.accounts or not isinstance(values.get("id"), int) or not (values.get("name") or known):
        raise _bad('"account" must be the id of one, "id" a number, and a new group needs a "name".')
    return Reply.json(200, store.put_group(account_id, values))


def _change(known: Json | None, values: Json, allowed: dict[str, type]) -> Reply:
    """Change an organization or an account; the answer holds no secret."""
    if known is None:
        return _or_missing(None, "account")
    for name, value in values.items():
        is_empty = value == "" or (isinstance(value, int) and value < 0)
        # Exactly this type: True is a number in Python.
        if is_empty or type(value) is not allowed.get(name):
            raise _bad(f'"{name}" cannot be changed, or not to this. To be changed: {", ".join(allowed)}.')
    known.update(values)
    return Reply.json(200, {"id": known["id"], **{name: known[name] for name in values if name not in SECRETS}})


def _change_oauth(store: Store, values: Json) -> Reply:
    lifetime: Any = values.get("expires_in", store.token_lifetime)
    if (
        isinstance(lifetime, bool)
        or not isinstance(lifetime, int)
        or lifetime < 0
        or set(values) - {"expires_in", "revoke"}
    ):
        raise _bad('"expires_in" must be a number of seconds, "revoke" true or absent.')
    store.token_lifetime = lifetime
    if values.get("revoke") is True:
        store.tokens.clear()
    return Reply.json(200, {"expires_in": lifetime, "tokens": len(store.tokens)})


def _bad(message: str) -> Refusal:
    return Refusal(Reply.json(400, {"error": message}))


def _or_missing(found: Json | None, what: str) -> Reply:
    return Reply.json(200, found) if found is not None else Reply.json(404, {"error": f"There is no such {what}."})
