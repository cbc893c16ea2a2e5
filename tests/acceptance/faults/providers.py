"""What the two providers of the sandbox look like from outside: accounts, and who holds which badge."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import Any

from attrs import frozen

from demo.sandbox.process import RunningSandbox
from demo.sandbox.seed import ACCREDIBLE_KEY, GROUP_IDS, ORGANIZATION_ID, ORGANIZATION_TOKEN, template_id

TEMPLATES = {"credly": template_id("python-basics"), "accredible": GROUP_IDS[0]}
KEYS = {"credly": ORGANIZATION_TOKEN, "accredible": ACCREDIBLE_KEY}


@frozen
class Held:
    """A badge at the provider."""

    email: str
    external_id: str


def held(state: dict[str, Any], provider: str) -> list[Held]:
    """The valid badges that the provider holds."""
    if provider == "credly":
        badges = state["credly"]["badges"]
        return [Held(one["recipient_email"], one["id"]) for one in badges if one["state"] in ("pending", "accepted")]
    credentials = state["accredible"]["credentials"]
    return [Held(one["recipient"]["email"], one["id"]) for one in credentials if not one["expired_on"]]


def is_check(path: str) -> bool:
    """Whether a call of the sandbox's log asks for the account itself."""
    return path.endswith((ORGANIZATION_ID, "issuer/details"))


def issue_by_hand(sandbox: RunningSandbox, provider: str, email: str) -> None:
    """Somebody issues a badge on the provider's own pages: without our identifier."""
    if provider == "credly":
        token = base64.b64encode(f"{ORGANIZATION_TOKEN}:".encode()).decode()
        url, authorization = f"{sandbox.credly_api_url}organizations/{ORGANIZATION_ID}/badges", f"Basic {token}"
        body: dict[str, Any] = {
            "recipient_email": email,
            "issued_to_first_name": "Anna",
            "issued_to_last_name": "Lee",
            "badge_template_id": TEMPLATES["credly"],
            "issued_at": "2026-01-01 00:00:00 +0000",
        }
    else:
        url, authorization = f"{sandbox.accredible_api_url}credentials", f"Token token={ACCREDIBLE_KEY}"
        recipient = {"name": "Anna Lee", "email": email}
        body = {"credential": {"group_id": int(TEMPLATES["accredible"]), "recipient": recipient}}
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=10).close()
