"""What the sandbox holds while it runs. Everything here is reached under :attr:`Store.lock`."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Any

from demo.sandbox.badgekit_store import BadgeKit
from demo.sandbox.messages import Json
from demo.sandbox.outbox import Outbox

MOST_LOGGED = 5000
TOKEN_LIFETIME = 7200
SECRETS = ("token", "key", "client_secret", "webhook_url")
"""The address of a webhook holds a secret."""


def now() -> str:
    """The current time as Credly writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """All organizations, accounts, badges, credentials and events, and the log of requests."""

    def __init__(self, seed: Json) -> None:
        """
        Arguments:
            seed: what is there at the start; see :mod:`demo.sandbox.seed`.
        """
        self.lock = threading.RLock()
        self.in_progress = 0
        """Requests to the providers that have no answer yet; a delay can keep them long after the caller has gone."""
        self.outbox = Outbox()
        self._seed = copy.deepcopy(seed)
        self.reset()

    def reset(self, seed: Json | None = None) -> None:
        """Forget everything and start from the seed again, or from another one."""
        with self.lock:
            self._seed = copy.deepcopy(seed) if seed is not None else self._seed
            fresh = copy.deepcopy(self._seed)
            self.outbox.clear()
            self.organizations: dict[str, Json] = {str(one["id"]): one for one in fresh.get("credly", [])}
            self.templates: dict[str, Json] = {}
            self.badges: dict[str, Json] = {}
            self.events: dict[str, Json] = {}
            self.employees: dict[str, Json] = {}
            self.learners: dict[str, str] = {}
            """E-mail address in lower case -> what account there is at Credly, where it is not a confirmed one."""
            self.accounts: dict[str, Json] = {str(one["id"]): one for one in fresh.get("accredible", [])}
            self.groups: dict[str, Json] = {}
            self.credentials: dict[str, Json] = {}
            self.badgekit = BadgeKit(fresh.get("badgekit", []))
            self.tokens: dict[str, Json] = {}
            self.token_lifetime = TOKEN_LIFETIME
            self.requests: deque[Json] = deque(maxlen=MOST_LOGGED)
            self.request_count = 0
            self._last_credential = 10_000_000
            for organization in self.organizations.values():
                for template in organization.pop("templates", []):
                    self.put_template(str(organization["id"]), template, record=False)
            for account in self.accounts.values():
                account.setdefault("credits", 1000)
                for group in account.pop("groups", []):
                    self.put_group(str(account["id"]), group)

    def put_template(self, organization_id: str, values: Json, *, record: bool = True) -> Json:
        """Create or change a Credly badge template; recorded as an event unless told otherwise."""
        template_id = str(values.get("id") or uuid.uuid4())
        known = self.templates.get(template_id)
        template = known or {"id": template_id, "description": "", "state": "active", "allow_duplicate_badges": False}
        template.update({**values, "id": template_id, "organization_id": organization_id, "updated_at": now()})
        template.setdefault("created_at", template["updated_at"])
        self.templates[template_id] = template
        if record:
            event_type = "badge_template.changed" if known else "badge_template.created"
            self.add_event(organization_id, event_type, "badge_template", {"badge_template": template})
        return template

    def delete_template(self, template_id: str) -> Json | None:
        """Delete a Credly badge template, as if somebody had done it on Credly's pages; None where there is none."""
        template = self.templates.pop(template_id, None)
        if template is not None:
            organization_id = template["organization_id"]
            self.add_event(organization_id, "badge_template.deleted", "badge_template", {"badge_template": template})
        return template

    def put_group(self, account_id: str, values: Json) -> Json:
        """Create or change an Accredible group."""
        group_id = int(values["id"])
        group = self.groups.setdefault(str(group_id), {"description": "", "allow_duplicate_credentials": False})
        group.update({**values, "id": group_id, "account_id": account_id, "updated_at": now()})
        group.setdefault("created_at", group["updated_at"])
        group.setdefault("design_id", 300_000 + group_id)
        return group

    def count_in_progress(self, step: int) -> None:
        """A request begins (1) or has its answer (-1)."""
        with self.lock:
            self.in_progress += step

    def next_credential_id(self) -> int:
        """The number of the next Accredible credential."""
        self._last_credential += 1
        return self._last_credential

    def add_event(self, organization_id: str, event_type: str, about: str, then: Json) -> None:
        """Record a Credly event, and have it posted where the organization wants that.

        Arguments:
            about: ``badge``, ``badge_template``, ``employment`` or ``user``.
            then: that, and what belongs to it, as it is held here; copied, so that the event can show it as it was.
        """
        event = {
            "id": str(uuid.uuid4()),
            "event_type": event_type,
            "organization_id": organization_id,
            "occurred_at": now(),
            "about": about,
            "about_id": then[about]["id"],
            "then": copy.deepcopy(then),
        }
        self.events[event["id"]] = event
        organization = self.organizations.get(organization_id, {})
        wanted = organization.get("allowed_webhooks")
        if organization.get("webhook_url") and (wanted is None or event_type in wanted):
            self.outbox.add(event["id"], event_type, organization_id, json.dumps(self.webhook(event)).encode())

    def webhook(self, event: Json) -> Json:
        """What is posted of an event (Credly, Webhooks: "Badge Created Webhook"): nothing of what it is about."""
        coarse = self.outbox.options.precision != "milliseconds"
        occurred_at = f"{event['occurred_at'][:19]}Z" if coarse else event["occurred_at"]
        return {**{name: event[name] for name in ("id", "organization_id", "event_type")}, "occurred_at": occurred_at}

    def log(self, entry: Json) -> None:
        """Remember a request; ``entry`` holds no key."""
        with self.lock:
            self.request_count += 1
            self.requests.append({"number": self.request_count, "time": now(), **entry})

    def snapshot(self) -> Json:
        """Everything but the keys, ready for JSON."""
        with self.lock:
            state: dict[str, Any] = {
                "credly": {
                    "organizations": [_without(one, SECRETS) for one in self.organizations.values()],
                    "templates": list(self.templates.values()),
                    "badges": list(self.badges.values()),
                    "events": [_without(one, ("then",)) for one in self.events.values()],
                    "employees": list(self.employees.values()),
                },
                "accredible": {
                    "accounts": [_without(one, SECRETS) for one in self.accounts.values()],
                    "groups": list(self.groups.values()),
                    "credentials": list(self.credentials.values()),
                },
                "badgekit": self.badgekit.snapshot(),
                "webhooks": self.outbox.describe(),
                "in_progress": self.in_progress,
                "request_count": self.request_count,
                "requests": list(self.requests),
            }
            return copy.deepcopy(state)


def _without(value: Json, names: tuple[str, ...]) -> Json:
    return {name: item for name, item in value.items() if name not in names}
