"""What happens to badges at Credly, through its API or on its pages, and the events that it causes.

Where the documents are silent: revoking a revoked badge is refused; a badge that is revoked, rejected or replaced does
not count as a duplicate; a badge is public from when it is accepted, until its learner switches that off.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from demo.sandbox import credly_employment
from demo.sandbox.credly_shapes import learner_id
from demo.sandbox.messages import Json, Refusal, Reply
from demo.sandbox.store import Store, now

HELD_STATES = ("pending", "accepted")
BEHAVIORS = ("allow", "deny", "replace")
REQUIRED = ("recipient_email", "issued_to_first_name", "issued_to_last_name", "badge_template_id", "issued_at")
NOTIFICATIONS = {
    "confirmed": "pending_badge_notification.sent",
    "none": "pending_badge_notification.no_user.sent",
    "unconfirmed": "pending_badge_notification.unconfirmed_email.sent",
}
"""What account the learner has -> the event that tells of a message about a pending badge."""


def refusal(status: int, message: str) -> Refusal:
    """An error as Credly answers it."""
    return Refusal(Reply.json(status, {"data": {"message": message}, "metadata": None}))


def create(store: Store, values: Json, organization: Json, *, replaces: Json | None = None) -> Json:
    """Issue a badge.

    Raises:
        Refusal: it cannot be issued.
    """
    missing = [key for key in REQUIRED if not isinstance(values.get(key), str) or not values[key].strip()]
    if missing:
        raise refusal(422, f"{missing[0].replace('_', ' ').capitalize()} can't be blank")
    template = store.templates.get(str(values["badge_template_id"]))
    if template is None or organization["id"] not in (template["organization_id"], template.get("authorized_issuer")):
        raise refusal(422, f"Invalid or missing Badge Template ID: {values['badge_template_id']}")
    if template["state"] != "active":
        raise refusal(422, f"The badge template is {template['state']} and cannot be used to issue new badges")
    behavior = values.get("duplicate_behavior", "deny")
    if "@" not in values["recipient_email"] or behavior not in BEHAVIORS:
        raise refusal(422, "Recipient email or duplicate behavior is invalid")
    held = None if template["allow_duplicate_badges"] else _held(store, values, replaces)
    if held and behavior == "deny":
        raise refusal(422, "User already has this badge")
    if held and behavior == "replace":
        return _replaced(store, values, organization, held)
    return _add(store, values, organization, replaces)


def replace(store: Store, old: Json, values: Json, organization: Json) -> Json:
    """Issue a badge in place of another one.

    Raises:
        Refusal: it cannot be replaced, or the new one cannot be issued.
    """
    if old["state"] not in HELD_STATES:
        raise refusal(422, f"A badge that is {old['state']} cannot be replaced")
    inherited = {key: old[key] for key in REQUIRED if not key.endswith(("_id", "issued_at"))}
    return _replaced(store, {**inherited, **values}, organization, old)


def decide(store: Store, badge_id: str, state: str) -> Json | None:
    """The learner accepts or rejects a pending badge; gives the badge, or None where there is no such pending badge."""
    badge = store.badges.get(badge_id)
    if badge is None or badge["state"] != "pending":
        return None
    with _told(store, badge):
        badge["public"] = state == "accepted"
        _change_state(store, badge, state)
    return badge


def revoke(store: Store, badge_id: str, reason: str) -> Json | None:
    """A person revokes a badge; gives it, or None where there is none that can be revoked."""
    badge = store.badges.get(badge_id)
    if badge is None or badge["state"] in ("revoked", "replaced"):
        return None
    with _told(store, badge):
        badge["revocation_reason"] = reason
        _change_state(store, badge, "revoked")
    return badge


def delete(store: Store, badge_id: str) -> Json | None:
    """Somebody deletes a badge; gives what it was, or None where there is none."""
    badge = store.badges.get(badge_id)
    if badge is not None:
        with _told(store, badge):
            del store.badges[badge_id]
            record(store, badge, "badge.deleted")
    return badge


def set_public(store: Store, badge_id: str, is_public: bool) -> Json | None:
    """The learner changes who may see a badge; gives it, or None where there is none. No change is no event."""
    badge = store.badges.get(badge_id)
    if badge is not None and badge["public"] != is_public:
        with _told(store, badge):
            badge["public"], badge["updated_at"] = is_public, now()
            record(store, badge, "badge.privacy.changed")
    return badge


def notify(store: Store, badge_id: str) -> Json | None:
    """Credly writes to the learner about a pending badge; gives it, or None where there is no such pending badge."""
    badge = store.badges.get(badge_id)
    if badge is None or badge["state"] != "pending":
        return None
    account = store.learners.get(badge["recipient_email"].lower(), "confirmed")
    record(store, badge, NOTIFICATIONS[account])
    return badge


def record(store: Store, badge: Json, event_type: str) -> None:
    """An event about a badge: of who issued it, and of whose template it is, where that is another organization."""
    template = store.templates.get(badge["badge_template_id"])
    owner = template["organization_id"] if template else badge["organization_id"]
    for organization_id in dict.fromkeys((badge["organization_id"], owner)):
        store.add_event(organization_id, event_type, "badge", {"badge": badge, "template": template})


@contextmanager
def _told(store: Store, badge: Json) -> Iterator[None]:
    """What happens to a badge within the block is also told as what it does to those who see it."""
    was_seen = _is_seen(store, badge)
    with credly_employment.watched(store, badge):
        yield
        is_seen = _is_seen(store, badge)
        if is_seen != was_seen:
            then = {"user": {"id": learner_id(badge["recipient_email"])}, "badge": badge}
            what = f"user.public_badges.{'added' if is_seen else 'removed'}"
            for event_type in (what, "user.public_badges.changed"):
                store.add_event(badge["organization_id"], event_type, "user", then)


def _is_seen(store: Store, badge: Json) -> bool:
    return badge["id"] in store.badges and badge["state"] == "accepted" and badge["public"]


def _add(store: Store, values: Json, organization: Json, replaces: Json | None) -> Json:
    badge = {
        "id": str(uuid.uuid4()),
        "organization_id": organization["id"],
        "state": "pending",
        "public": False,
        **{key: values[key] for key in REQUIRED},
        "issued_at": _time(values["issued_at"]),
        "issued_to_middle_name": values.get("issued_to_middle_name"),
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
    with _told(store, badge):
        store.badges[badge["id"]] = badge
        record(store, badge, "badge.created")
    if not values.get("suppress_badge_notification_email"):
        notify(store, badge["id"])
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
    new = create(store, values, organization, replaces=old)
    with _told(store, old):
        old["replacement_badge_id"] = new["id"]
        _change_state(store, old, "replaced")
    return new


def _change_state(store: Store, badge: Json, state: str) -> None:
    badge["state"], badge["state_updated_at"] = state, now()
    badge["updated_at"] = badge["state_updated_at"]
    record(store, badge, "badge.state.changed")


def _time(value: object) -> str:
    text = str(value).strip()
    try:
        # The form of the documents has a space before the offset, which is not ISO 8601.
        moment = datetime.fromisoformat(re.sub(r" (?=[+-]\d{4}$)", "", text))
    except ValueError:
        raise refusal(422, "Issued at is not a valid time") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
