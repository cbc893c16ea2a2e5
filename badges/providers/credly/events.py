"""What each of Credly's event types changes here (Webhooks, "Event Types"). Pure, but for what is looked up at Credly.

Credly documents what an event holds for ``employment.*`` alone. Others are known to hold ``badge`` and
``badge_template`` as its API gives them, or were never seen: what they name is looked for wherever it may stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from attrs import evolve, frozen
from django.utils.translation import gettext

from badges.changes import (
    BadgeChange,
    Change,
    NotificationSent,
    Notified,
    Relation,
    TemplateChange,
    TemplateRemoval,
    VisibilityChange,
)
from badges.data import ListedBadge
from badges.exceptions import NotShown
from badges.providers.answers import Record, identifier, own_uuid, record, text
from badges.providers.credly.employment import EMPLOYMENT, read_employment
from badges.providers.credly.reading import flag, issued, listed, relation, template

MOST_NAMED = 1000
"""Badges of one event."""
MOST_LOOKED_UP = 20
MOST_REPLACEMENTS = 5
_DEEPEST = 3

Result = tuple[tuple[Change, ...], str]
"""What changes, and why nothing does where that is so."""


class LookUp(Protocol):
    """Asks Credly for what an event only names."""

    def badge(self, external_id: str) -> Record | None:
        """A badge of the organization; None where it has no such badge."""

    def template(self, external_id: str) -> Record | None:
        """A badge template of the organization; None where it has no such template."""


@frozen
class _Event:
    """An event that was asked for."""

    answer: Record
    event_type: str
    at: datetime
    organization: str
    look_up: LookUp


def read_event(answer: Record, event_type: str, occurred_at: datetime, organization: str, look_up: LookUp) -> Result:
    """What an event changes.

    Arguments:
        answer: Credly's answer about the event, without its envelope.
        event_type: of the answer.
        occurred_at: of the answer; aware.
        organization: ours; its UUID.
        look_up: asked where the event only names a badge or template.

    Returns:
        The changes; and where there are none, why.

    Raises:
        NotShown: it lacks what an event of this type is about, so that a change would be lost.
        ProviderError: what it names could not be looked up.
    """
    read = _READERS.get(event_type)
    if read is not None:
        return read(_Event(answer, event_type, occurred_at, organization, look_up))
    if event_type in EMPLOYMENT:
        return read_employment(answer, event_type, occurred_at)
    return (), gettext('Events of the type "%(type)s" are not known, and change nothing.') % {"type": event_type[:100]}


def _badge(event: _Event) -> Result:
    """``badge.created``, ``badge.state.changed``, ``badge.privacy.changed``."""
    row = next(_badges_named(event.answer), None)
    if row is None:
        raise _lacks(event, "badge")
    row = _whole_badge(event, row)
    if row is None:
        return (), gettext("Credly does not hold the badge any more, and tells of that by another event.")
    changes = [_change(event, row)]
    # A badge that was replaced leads to what took its place, which may have been replaced as well.
    while (successor := _id(row, "replacement_badge_id")) and len(changes) <= MOST_REPLACEMENTS:
        former, row = _id(row, "id"), event.look_up.badge(successor)
        if row is None:
            break
        changes.append(_change(event, {**row, "replaces_badge_id": _id(row, "replaces_badge_id") or former}))
    return tuple(changes), ""


def _deleted_badge(event: _Event) -> Result:
    """``badge.deleted``."""
    row = next(_badges_named(event.answer), None)
    if row is None:
        raise _lacks(event, "badge")
    change = _change(event, row)
    gone = evolve(change.badge.badge, state="deleted", is_valid=False, is_revoked=True, state_at=event.at)
    return (evolve(change, badge=evolve(change.badge, badge=gone), is_deleted=True),), ""


def _template(event: _Event) -> Result:
    """``badge_template.created``, ``badge_template.changed``."""
    row = _template_named(event)
    if "state" not in row or "name" not in row:
        found = event.look_up.template(_id(row, "id"))
        if found is None:
            return (), gettext(
                "Credly does not hold the template any more: its deletion is told by an event of its own."
            )
        row = found
    read = template(row)
    return (TemplateChange(template=read, at=read.changed_at or event.at),), ""


def _deleted_template(event: _Event) -> Result:
    """``badge_template.deleted``."""
    return (TemplateRemoval(external_id=_id(_template_named(event), "id"), at=event.at),), ""


def _notification(event: _Event) -> Result:
    """``pending_badge_notification.*``: with the badge itself, so that it is known before its history begins."""
    row = next(_badges_named(event.answer), None)
    if row is None:
        return (), gettext("The event names no badge.")
    whole = _whole_badge(event, row)
    sent = NotificationSent(
        external_id=_id(row, "id"),
        kind=_NOTIFIED[event.event_type],
        at=event.at,
        own_id=own_uuid(whole or row, "issuer_earner_id"),
    )
    return ((_change(event, whole), sent) if whole is not None else (sent,)), ""


def _visibility(event: _Event) -> Result:
    """``user.public_badges.*``. A user's badges may be anybody's: only what the organization issued is ours to keep."""
    changes: list[Change] = []
    told = _VISIBLE.get(event.event_type)
    looked_up = 0
    for named in _badges_named(event.answer):
        row, is_ours = named, _relation(event, named) is Relation.OWN
        is_public = told if told is not None else flag(row, "public")
        if is_public is None or "state" not in row:
            looked_up += 1
            found = event.look_up.badge(_id(row, "id")) if looked_up <= MOST_LOOKED_UP else None
            row, is_ours = found or named, found is not None
            is_public = told if told is not None else flag(row, "public")
        if is_ours:
            change = _change(event, row)
            unsaid = evolve(change.badge.badge, is_public=None)
            changes.append(evolve(change, badge=evolve(change.badge, badge=unsaid)))
        if is_public is not None:
            own_id = own_uuid(row, "issuer_earner_id")
            changes.append(VisibilityChange(_id(row, "id"), is_public=is_public, at=event.at, own_id=own_id))
    return tuple(changes), "" if changes else gettext("The event does not say which badges are visible.")


def _change(event: _Event, row: Record) -> BadgeChange:
    who, other = relation(row, event.organization) or (Relation.OWN, "")
    return BadgeChange(
        badge=_listed(row),
        at=event.at,
        relation=who,
        other_organization=other,
        replaces=_id(row, "replaces_badge_id"),
    )


def _listed(row: Record) -> ListedBadge:
    return evolve(listed(row), badge=issued(row, _id(row, "id")))


def _relation(event: _Event, row: Record) -> Relation | None:
    found = relation(row, event.organization)
    return found[0] if found is not None else None


def _whole_badge(event: _Event, row: Record) -> Record | None:
    """The badge with its state: of the event, or asked for; None where Credly does not hold it."""
    return row if text(row, "state") else event.look_up.badge(_id(row, "id"))


def _badges_named(value: Record, depth: int = 0) -> Iterator[Record]:
    """The badges that an event names, each at least with its ``id``; the nearest first, none twice, not endlessly."""
    seen: set[str] = set()
    for row in _found(value, depth):
        external_id = _id(row, "id")
        if external_id and external_id not in seen:
            seen.add(external_id)
            yield row
            if len(seen) >= MOST_NAMED:
                return


def _found(value: Record, depth: int) -> Iterator[Record]:
    yield from _rows(value.get("badge"))
    yield from _rows(value.get("badges"))
    yield from _rows(value.get("badge_id"))
    if depth < _DEEPEST:
        for key, inner in list(value.items())[:MOST_NAMED]:
            if isinstance(inner, Mapping) and key not in ("badge", "badge_template", "employment"):
                yield from _found(inner, depth + 1)


def _rows(value: object) -> Iterator[Record]:
    for one in value[:MOST_NAMED] if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            yield one
        elif isinstance(one, str):
            yield {"id": one}


def _template_named(event: _Event) -> Record:
    for row in (record(event.answer, "badge_template"), {"id": event.answer.get("badge_template_id")}):
        if _id(row, "id"):
            return row
    raise _lacks(event, "badge_template")


def _id(row: Record, key: str) -> str:
    """An identifier that can be looked for anywhere; empty where it is none."""
    found = identifier(row, key)
    return found if found.isprintable() else ""


def _lacks(event: _Event, key: str) -> NotShown:
    return NotShown(
        f'Credly answered an event of the type "{event.event_type}" without its "{key}". It is asked for again later.'
    )


_NOTIFIED = {
    "pending_badge_notification.sent": Notified.SENT,
    "pending_badge_notification.no_user.sent": Notified.NO_USER,
    "pending_badge_notification.unconfirmed_email.sent": Notified.UNCONFIRMED_EMAIL,
}
_VISIBLE = {"user.public_badges.added": True, "user.public_badges.removed": False}
_READERS: Mapping[str, Callable[[_Event], Result]] = {
    "badge.created": _badge,
    "badge.state.changed": _badge,
    "badge.privacy.changed": _badge,
    "badge.deleted": _deleted_badge,
    "badge_template.created": _template,
    "badge_template.changed": _template,
    "badge_template.deleted": _deleted_template,
    **dict.fromkeys(_NOTIFIED, _notification),
    **dict.fromkeys((*_VISIBLE, "user.public_badges.changed"), _visibility),
}
EVENT_TYPES = frozenset({*_READERS, *EMPLOYMENT})
"""All that the document names."""
