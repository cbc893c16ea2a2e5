"""The control API of BadgeKit, below ``/_sandbox/badgekit/``: what its staff and its reviewers do."""

from __future__ import annotations

from demo.sandbox.badgekit_store import BadgeKit
from demo.sandbox.control_replies import bad, change, or_missing, unknown
from demo.sandbox.messages import Json, Reply, Request
from demo.sandbox.store import Store

OVERVIEW = {
    "POST /_sandbox/badgekit/SYSTEM": 'set the webhook: {"webhook": {"url", "secret"} or null}; {"expired": true}, ...',
    "POST /_sandbox/badgekit/SYSTEM/badges": 'create or change a badge: {"slug", "name", "criteria", ...}',
    "POST /_sandbox/badgekit/SYSTEM/instances": 'award a badge: {"badge", "email", "comment"}',
    "DELETE /_sandbox/badgekit/SYSTEM/instances/SLUG": "take a badge away",
    "POST /_sandbox/badgekit/SYSTEM/reviews": (
        'review an application: {"badge", "learner", "author", "comment", "reviewItems"}; with "application", a slug, '
        'one that is there; with "review" as well, change that one'
    ),
}


def handle(store: Store, request: Request) -> Reply:
    """Answer a request; ``request.parts`` start with ``_sandbox`` and ``badgekit``."""
    kit = store.badgekit
    if len(request.parts) < 3 or request.parts[2] not in kit.systems:
        return or_missing(None, "system")
    system = kit.systems[request.parts[2]]
    match (request.method, *request.parts[3:]):
        case ("POST",):
            return _change(system, request.json())
        case ("POST", "badges"):
            values = request.json()
            if not values.get("slug") or not (values.get("name") or values["slug"] in kit.badges):
                raise bad('A badge needs a "slug", and a new one a "name".')
            return Reply.json(200, kit.put_badge(system["slug"], values))
        case ("POST", "instances"):
            values = request.json()
            return Reply.json(200, kit.award(_badge(kit, values), values, request.base_url))
        case ("DELETE", "instances", slug):
            held = kit.instances.get(slug)
            return or_missing(kit.revoke(held, request.base_url) if held else None, "instance")
        case ("POST", "reviews"):
            return _review(kit, request.json())
        case _:
            return unknown()


def _change(system: Json, values: Json) -> Reply:
    if "webhook" in values:
        hook = values.pop("webhook")
        if hook is not None and not (isinstance(hook, dict) and hook.get("url") and hook.get("secret")):
            raise bad('"webhook" must be null, or have a "url" and a "secret".')
        system["webhook"] = hook
    change(system, values, {"secret": str, "master_secret": str, "expired": bool})
    return Reply.json(200, {"slug": system["slug"]})


def _review(kit: BadgeKit, values: Json) -> Reply:
    application = kit.applications.get(str(values.get("application")))
    if application is None and "application" in values:
        return or_missing(None, "application")
    review = kit.reviews.get(str(values.get("review")))
    if review is None and "review" in values:
        return or_missing(None, "review")
    found = application or kit.apply(_badge(kit, values), values)
    return Reply.json(200, {"application": found["slug"], "review": kit.review(found, values, review)["slug"]})


def _badge(kit: BadgeKit, values: Json) -> Json:
    found = kit.badges.get(str(values.get("badge")))
    if found is None:
        raise bad('"badge" must be the slug of one.')
    return found
