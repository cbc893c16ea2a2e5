"""What staff may choose from: the configured events, and the key paths of each."""

from __future__ import annotations

from attrs import asdict, frozen
from django.utils.translation import gettext

from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.rules.schema import event_schema


@frozen
class KeyPath:
    """A key path of an event type, with what is to be entered for it."""

    path: str
    hint: str


def event_choices(current: str = "") -> list[tuple[str, str]]:
    """The configured event types; a current value that is not among them any more is kept, and marked."""
    events = get_config().events
    choices = [("", "---------"), *((event, event) for event in events)]
    if current and current not in events:
        choices.append((current, gettext("%(event)s (not configured any more)") % {"event": current}))
    return choices


def hint(event_type: str, path: str) -> str:
    """What a rule's value must look like; empty where the event has no such path."""
    try:
        kind = event_schema(event_type).kind_of(path)
    except BadgesError:
        return ""
    return gettext("A %(kind)s, for example: %(example)s") % {"kind": kind.name, "example": kind.example}


def offered(event_type: str) -> list[KeyPath]:
    """The key paths of an event type that rules may look at; none where openedx-events does not know it."""
    try:
        schema = event_schema(event_type)
    except BadgesError:
        return []
    return [KeyPath(path, hint(event_type, path)) for path in schema.offered_paths(get_config().ignored_keypaths)]


def by_event_type(current: str = "") -> dict[str, list[dict[str, str]]]:
    """Event type -> its key paths, ready for JSON: what the script of the page chooses from."""
    return {event: [asdict(item) for item in offered(event)] for event, label in event_choices(current) if event}


def path_choices(event_type: str, current: str = "") -> list[tuple[str, str | list[tuple[str, str]]]]:
    """Key paths for a select: of one event type, or of all, grouped, while none is chosen. The current one is kept."""
    choices: list[tuple[str, str | list[tuple[str, str]]]] = [("", "---------")]
    known: set[str] = set()
    if event_type:
        paths = [item.path for item in offered(event_type)]
        choices += [(path, path) for path in paths]
        known.update(paths)
    else:
        for event, label in event_choices():
            paths = [item.path for item in offered(event)] if event else []
            if paths:
                choices.append((label, [(path, path) for path in paths]))
                known.update(paths)
    if current and current not in known:
        choices.append((current, current))
    return choices
