"""What is written to a row of each kind when a person retires. Nothing is written here, and nothing is locked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from badges.data import IncomingEvent
from badges.exceptions import BadgesError
from badges.models import DeadEvent, EmployeeRecord, Fulfillment, WebhookEvent
from badges.privacy import people
from badges.privacy.mentions import Person
from badges.privacy.rows import Values
from badges.processing import learners
from badges.processing.dead_events import decoded
from badges.rules.payload import from_json
from badges.rules.schema import event_schema
from badges.rules.words import is_personal
from badges.webhooks.applying.employment import emptied


def clean_evidence(person: Person, row: Fulfillment) -> Values:
    """What the rules looked at in events, where that was something personal: by default it cannot be."""
    found = row.evidence if isinstance(row.evidence, dict) else {}
    kept = {path: value for path, value in found.items() if not _names(row.event_type, path, value, person)}
    return {} if kept == row.evidence else {"evidence": kept}


def _names(event_type: str, path: str, value: Any, person: Person) -> bool:
    told = {path.rpartition(".")[2]: value}
    return is_personal(event_type, path) or person.without(told) != told


def redacted_fields(person: Person, names: Iterable[str], row: Any) -> Values:
    """Texts and JSON of a row without the person's addresses, usernames and names."""
    redacted = {name: _redacted(getattr(row, name), person) for name in names}
    return {name: value for name, value in redacted.items() if value != getattr(row, name)}


def _redacted(value: Any, person: Person) -> Any:
    if isinstance(value, str):
        return person.redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(item, person) for key, item in value.items()}
    return [_redacted(item, person) for item in value] if isinstance(value, list) else value


def empty_employee(row: EmployeeRecord) -> Values:
    """The identifier stays for a while: an event from before would make anew a record that is not there."""
    if row.is_minimal and not (row.email or row.external_id or row.user_id):
        return {}
    return emptied(row, timezone.now())


def clean_dead_event(person: Person, row: DeadEvent) -> Values:
    """An event of the learner is emptied, and not replayed; from one of somebody else the learner's name is removed."""
    texts = [row.error, row.note]
    if not (person.is_in([row.payload, row.metadata, *texts]) or _is_in_message(row.body, person)):
        return {}
    values: Values = {"metadata": person.without(row.metadata), "error": person.redacted(row.error)}
    if _is_about_somebody_else(row, person):
        return {**values, "payload": person.without(row.payload), "note": person.redacted(row.note)}
    if row.status == DeadEvent.Status.WAITING:
        values["status"] = DeadEvent.Status.DISCARDED
    return {**values, "payload": {}, "body": None, "note": gettext("It was emptied: its learner was retired.")}


def _is_in_message(body: Any, person: Person) -> bool:
    if body is None:
        return False
    try:
        fields = decoded(body)
    except ValueError:
        return person.is_in(body)
    return any(person.is_in_bytes(content) for content in fields.values())


def _is_about_somebody_else(row: DeadEvent, person: Person) -> bool:
    """Whether the learner of the event is another one, and the person was staff. False where that cannot be told."""
    if row.body is not None or row.event_id is None or row.event_time is None:
        return False
    try:
        arguments = from_json(event_schema(row.event_type), row.payload)
        learner = learners.identify(IncomingEvent(row.event_type, row.event_id, row.event_time, arguments))
    except BadgesError:
        return False
    if learner is None:
        return False
    if learner.username.casefold() in person.usernames or learner.lms_user_id in person.lms_user_ids:
        return False
    # Several may share an address. Of a username that is nobody's any more it tells whose it was.
    return learner.email.casefold() not in person.emails or people.named(learner.username) is not None


def clean_webhook(person: Person, row: WebhookEvent) -> Values:
    """What a provider sent is emptied, and not processed any more. Told of again, it is known, and changes nothing."""
    told = redacted_fields(person, ("last_error", "note"), row)
    if not row.body or not person.is_in_text(row.body):
        return told if person.is_in([row.last_error, row.note]) else {}
    values: Values = {**told, "body": ""}
    if row.status in (*WebhookEvent.OPEN, WebhookEvent.Status.DEAD):
        if body := _without_reviewer(row.body, person):
            taken = {"status": WebhookEvent.Status.FAILED, "lease_token": None, "leased_until": None}
            return {**told, "body": body, **(taken if row.status == WebhookEvent.Status.PROCESSING else {})}
        note = gettext("It was emptied: its learner was retired.")
        values |= {"status": WebhookEvent.Status.DISCARDED, "finished_at": timezone.now(), "note": note}
        # A worker that has it at the moment has read it, and without its lease writes nothing down.
        values |= {"lease_token": None, "leased_until": None}
    return values


def _without_reviewer(body: str, person: Person) -> str:
    """A review of somebody else's application without the person who wrote it; empty where it is anything else."""
    try:
        cleaned = _without_author(None, json.loads(body), person)
    except (ValueError, RecursionError):
        return ""
    text = json.dumps(cleaned)
    return "" if person.is_in_text(text) else text


def _without_author(key: str | None, value: Any, person: Person) -> Any:
    if isinstance(value, dict):
        return {name: _without_author(name, item, person) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_author(key, item, person) for item in value]
    if isinstance(value, str) and key == "author" and person.is_in(value):
        return ""
    return person.redacted(value) if isinstance(value, str) and key == "comment" else value
