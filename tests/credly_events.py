"""Credly's events as its API answers them; and the examples of its document, byte for byte."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field

from badges.changes import Change, ProviderEvent
from badges.providers.answers import Record, moment

EXAMPLES = Path(__file__).parent / "data" / "credly_webhooks"
ORGANIZATION = "a0d325d9-d8cb-466f-b515-c767949f7e9a"
OTHER = "0b6e6f0e-7b39-4bb2-8c48-e4a4fdbd5e19"
BADGE = "faa0629c-55f3-4293-9964-9346e22d2edd"
SECOND_BADGE = "202f48ae-3379-4eec-aae2-24770544bc66"
TEMPLATE = "83a895ad-1ef6-4b39-a8b7-e102c6c48926"


def example(name: str) -> bytes:
    """A JSON text of the document "Webhooks"."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def time(seconds: float) -> str:
    """A time as Credly writes it, so many seconds after a fixed start."""
    minutes, rest = divmod(seconds, 60)
    return f"2026-04-01T14:{int(minutes):02d}:{rest:06.3f}Z"


def badge(**values: Any) -> dict[str, Any]:
    """A badge as the API gives it ("Issued Badges")."""
    state = values.get("state", "pending")
    external_id = values.get("id", BADGE)
    link = "accept_badge_url" if state == "pending" else "badge_url"
    return {
        "id": external_id,
        "state": state,
        "state_updated_at": time(0),
        "public": True,
        "recipient_email": "anna@example.com",
        "issued_to": "Anna Maria Lee",
        "issued_at": time(0),
        "expires_at": None,
        "issuer_earner_id": None,
        "replaces_badge_id": None,
        "replacement_badge_id": None,
        link: f"https://www.credly.com/badges/{external_id}",
        "issuer": issuer(ORGANIZATION, "Academy"),
        "badge_template": {
            "id": TEMPLATE,
            "name": "Python",
            "owner": {"type": "Organization", "id": ORGANIZATION, "name": "Academy"},
        },
        **values,
    }


def issuer(*organizations: str, label: str = "Issued by") -> dict[str, Any]:
    """Who issued a badge: pairs of identifier and name."""
    pairs = zip(organizations[::2], organizations[1::2], strict=True)
    entities = [
        {"label": label, "primary": True, "entity": {"type": "Organization", "id": external_id, "name": name}}
        for external_id, name in pairs
    ]
    return {"summary": "issued", "entities": entities}


def template(**values: Any) -> dict[str, Any]:
    """A badge template as the API gives it ("Badge Templates")."""
    return {
        "id": TEMPLATE,
        "name": "Python",
        "description": "Knows it.",
        "state": "active",
        "image_url": "https://images.credly.com/python.png",
        "skills": ["Python"],
        "updated_at": time(0),
        **values,
    }


def event(event_type: str, at: float = 0, **values: Any) -> dict[str, Any]:
    """An event as the API answers it, without its envelope."""
    return {
        "id": str(uuid.uuid4()),
        "event_type": event_type,
        "organization_id": ORGANIZATION,
        "occurred_at": time(at),
        **values,
    }


def notice(answer: Record) -> bytes:
    """What Credly posts of an event."""
    return json.dumps({key: answer[key] for key in ("id", "organization_id", "event_type", "occurred_at")}).encode()


def moment_of(answer: Record) -> datetime:
    """When an event occurred."""
    found = moment(answer, "occurred_at")
    assert found is not None
    return found


def provider_event(answer: Record, changes: tuple[Change, ...], note: str = "") -> ProviderEvent:
    """An event as it is read."""
    return ProviderEvent(str(answer["id"]), str(answer["event_type"]), moment_of(answer), changes, note)


@define
class Held:
    """What can be looked up at Credly, and what was."""

    badges: dict[str, Record] = field(factory=dict)
    templates: dict[str, Record] = field(factory=dict)
    asked: list[str] = field(factory=list)

    def badge(self, external_id: str) -> Record | None:
        self.asked.append(external_id)
        return self.badges.get(external_id)

    def template(self, external_id: str) -> Record | None:
        self.asked.append(external_id)
        return self.templates.get(external_id)
