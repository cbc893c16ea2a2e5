"""The control API below ``/_sandbox/``: look inside, switch faults on, act as a learner or as a provider's staff."""

from __future__ import annotations

import json
from dataclasses import replace

from demo.sandbox import accredible, badgekit_controls, credly_controls
from demo.sandbox.control_replies import bad, change, or_missing, unknown
from demo.sandbox.faults import Faults, read_fault
from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.seed import check_seed
from demo.sandbox.store import Store

OVERVIEW = {
    "GET /_sandbox/state": "everything that is held, the log of requests, the faults; no keys",
    "POST /_sandbox/faults": "switch a fault on; see demo/sandbox/faults.py for its keys",
    "DELETE /_sandbox/faults": "switch all faults off",
    "POST /_sandbox/reset": "start from the seed again, or from the seed in the body",
    "POST /_sandbox/many": 'several of these calls at once: {"calls": [{"method", "path": "badges/ID", "body"}]}',
    **credly_controls.OVERVIEW,
    "POST /_sandbox/credentials/ID": 'somebody lets an Accredible credential expire, or not: {"expired_on": DATE|null}',
    "DELETE /_sandbox/credentials/ID": "somebody deletes an Accredible credential",
    "POST /_sandbox/groups": 'create or change an Accredible group: {"account", "id", "name", ...}',
    "DELETE /_sandbox/groups/ID": "delete an Accredible group",
    "POST /_sandbox/accounts/ID": 'change an Accredible account: {"credits": 0}, {"key": "new"}, {"expired": true}',
    **badgekit_controls.OVERVIEW,
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
        case ("POST", "many"):
            return _act_often(store, request)
        case _:
            return _act(store, request)


def _act(store: Store, request: Request) -> Reply:
    if request.parts[1:2] and request.parts[1] in credly_controls.SECTIONS:
        return credly_controls.handle(store, request)
    if request.parts[1:2] == ("badgekit",):
        return badgekit_controls.handle(store, request)
    return _act_at_accredible(store, request)


def _act_often(store: Store, request: Request) -> Reply:
    """Do what the calls say, in their order; the first that is refused ends it."""
    calls = request.json().get("calls")
    if not isinstance(calls, list) or not all(isinstance(one, dict) for one in calls):
        raise bad('"calls" must be a list of objects.')
    done = []
    for one in calls:
        body = json.dumps(one["body"]).encode() if "body" in one else b""
        path = f"/_sandbox/{one.get('path', '')}"
        reply = _act(store, replace(request, method=str(one.get("method", "POST")), path=path, body=body))
        if reply.status >= 400:
            raise Refusal(reply)
        done.append(json.loads(reply.body))
    return Reply.json(200, {"answers": done})


def _act_at_accredible(store: Store, request: Request) -> Reply:
    match (request.method, *request.parts[1:]):
        case ("POST", "groups"):
            return _put_group(store, request.json())
        case ("DELETE", "groups", group_id):
            return or_missing(store.groups.pop(group_id, None), "group")
        case ("POST", "credentials", credential_id):
            return or_missing(accredible.expire(store, credential_id, request.json()), "credential")
        case ("DELETE", "credentials", credential_id):
            return or_missing(store.credentials.pop(credential_id, None), "credential")
        case ("POST", "accounts", account_id):
            known = store.accounts.get(account_id)
            return change(known, request.json(), {"credits": int, "key": str, "expired": bool})
        case _:
            return unknown()


def _add_fault(faults: Faults, values: Json) -> Reply:
    try:
        fault = read_fault(values)
    except ValueError as error:
        raise bad(str(error)) from None
    faults.add(fault)
    return Reply.json(201, fault.describe())


def _reset(store: Store, faults: Faults, request: Request) -> Reply:
    seed = request.json() if request.body else None
    if seed is not None:
        try:
            check_seed(seed)
        except ValueError as error:
            raise bad(str(error)) from None
    store.reset(seed)
    faults.clear()
    return Reply.json(200, {})


def _put_group(store: Store, values: Json) -> Reply:
    account_id = str(values.pop("account", ""))
    known = str(values.get("id")) in store.groups
    if account_id not in store.accounts or not isinstance(values.get("id"), int) or not (values.get("name") or known):
        raise bad('"account" must be the id of one, "id" a number, and a new group needs a "name".')
    return Reply.json(200, store.put_group(account_id, values))
