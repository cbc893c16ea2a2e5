"""The documents of a hosted badge: assertion, badge class and issuer, as Open Badges 2.0 has them.

Pure: no query, no request. Nothing in them names a learner: of the e-mail address there is a salted hash.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

CONTEXT = "https://w3id.org/openbadges/v2"
REVOCATION_REASON = "The issuer has revoked this badge."

Document = Mapping[str, Any]


def assertion(*, id: str, badge_id: uuid.UUID, email: str, badge_class: str, issued_at: datetime) -> Document:
    """An assertion (Open Badges 2.0, Assertion; hosted verification).

    Arguments:
        id: the address at which it stands.
        badge_id: our identifier of the badge.
        email: the learner's.
        badge_class: the address of the badge class.
        issued_at: aware.
    """
    salt = salt_of(badge_id)
    return {
        "@context": CONTEXT,
        "type": "Assertion",
        "id": id,
        "recipient": {"type": "email", "hashed": True, "salt": salt, "identity": identity(email, salt)},
        "badge": badge_class,
        "verification": {"type": "HostedBadge"},
        "issuedOn": issued_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def revoked_assertion(*, id: str) -> Document:
    """What is left of an assertion that is not valid any more (Open Badges 2.0, "Revoked assertions", hosted)."""
    return {
        "@context": CONTEXT,
        "type": "Assertion",
        "id": id,
        "revoked": True,
        "revocationReason": REVOCATION_REASON,
    }


def badge_class(
    *,
    id: str,
    name: str,
    description: str,
    image: str,
    criteria: Sequence[Mapping[str, Any]],
    conditions: Sequence[str],
    tags: Sequence[str],
    issuer: str,
) -> Document:
    """A badge class (Open Badges 2.0, BadgeClass).

    Arguments:
        id: the address at which it stands.
        name: of the badge.
        description: empty where there is none.
        image: an address.
        criteria: of each its ``title`` and its ``url``, either of which may be empty.
        conditions: what an application is reviewed against, in words.
        tags: skills.
        issuer: the address of the issuer's document.
    """
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "type": "BadgeClass",
        "id": id,
        "name": name,
        # Required, and so never empty.
        "description": description or name,
        "image": image,
        "criteria": _criteria(criteria, conditions, name),
        "issuer": issuer,
    }
    if tags:
        document["tags"] = list(tags)
    return document


def issuer(*, id: str, name: str, url: str, email: str, description: str, image: str) -> Document:
    """An issuer (Open Badges 2.0, Profile). What is empty is left out."""
    document = {
        "@context": CONTEXT,
        "type": "Issuer",
        "id": id,
        "name": name,
        "url": url,
        "email": email,
        "description": description,
        "image": image,
    }
    return {key: value for key, value in document.items() if value}


def salt_of(badge_id: uuid.UUID) -> str:
    """The salt of a badge. No secret, it stands beside the hash: it keeps hashes of one learner from being equal."""
    return hashlib.sha256(f"badges.open_badges:{badge_id}".encode()).hexdigest()[:32]


def identity(email: str, salt: str) -> str:
    """A hashed identity (Open Badges 2.0, IdentityHash)."""
    return f"sha256${hashlib.sha256(f'{email}{salt}'.encode()).hexdigest()}"


def _criteria(criteria: Sequence[Mapping[str, Any]], conditions: Sequence[str], name: str) -> Any:
    pages = [str(one["url"]) for one in criteria if one.get("url")]
    lines = [str(one["title"]) for one in criteria if one.get("title")] + list(conditions)
    if len(pages) == 1 and not lines:
        return pages[0]
    narrative = "\n".join(f"* {line}" for line in lines) or name
    return {"narrative": narrative, **({"id": pages[0]} if pages else {})}
