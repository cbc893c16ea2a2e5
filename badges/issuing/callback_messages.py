"""The messages of callbacks, as BadgeKit's documentation writes them (System Callbacks).

Pure: what a message tells is handed over, and nothing is asked for. Fields that BadgeKit has and this app does not know
are there, empty, so that a receiver finds the structure that it expects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from badges.models import Application, Badge, BadgeTemplate, Callback, Criterion, Evidence, Review, ReviewItem

LONGEST_STRAPLINE = 140
TEST_ACTION = "test"

Message = Mapping[str, Any]


@frozen
class Described:
    """A badge template as messages describe it: with what is not in its row."""

    template: BadgeTemplate
    criteria: Sequence[Criterion] = ()
    criteria_url: str = ""
    image_url: str = ""
    system: Mapping[str, Any] = field(factory=dict)
    """Who runs this service: the ``system`` of BadgeKit."""

    @property
    def slug(self) -> str:
        """The identifier at the provider, else our own."""
        return self.template.external_id or str(self.template.uuid)

    def as_json(self) -> Message:
        """BadgeKit's badge (BadgeKit API, Badges): what we do not have is null or empty."""
        template = self.template
        return {
            "id": template.pk,
            "slug": self.slug,
            "name": template.name,
            "strapline": _first_words(template.description, LONGEST_STRAPLINE),
            "earnerDescription": template.description,
            "consumerDescription": template.description,
            "issuerUrl": self.system.get("url"),
            "rubricUrl": None,
            "timeValue": None,
            "timeUnits": None,
            "limit": None,
            "unique": True,
            "created": _iso(template.created),
            "imageUrl": self.image_url,
            "type": None,
            "archived": template.state == "archived",
            "system": dict(self.system),
            "criteriaUrl": self.criteria_url,
            "criteria": [_criterion(one) for one in self.criteria],
            "alignments": [],
            "evidenceType": None,
            "categories": [],
            "tags": [skill for skill in template.skills if isinstance(skill, str)],
            "milestones": [],
        }


def award(badge: Badge, described: Described, *, email: str, assertion_url: str) -> Message:
    """ "New Badge Instance Created"."""
    return {
        "action": Callback.Action.AWARD.value,
        "uid": str(badge.uuid),
        "badge": described.as_json(),
        "email": email,
        "assertionUrl": assertion_url,
        "issuedOn": int(badge.awarded_at.timestamp()),
        "comment": None,
    }


def revoke(badge: Badge, described: Described, *, email: str) -> Message:
    """ "Badge Instance Deleted"."""
    return {
        "action": Callback.Action.REVOKE.value,
        "uid": str(badge.uuid),
        "badge": described.as_json(),
        "email": email,
    }


def review(
    one: Review,
    described: Described,
    *,
    learner: str,
    author: str,
    assigned_to: str,
    evidence: Sequence[Evidence],
    items: Sequence[ReviewItem],
) -> Message:
    """ "New Application Review Submitted".

    Arguments:
        one: the review, with its application.
        described: the template of the application.
        learner: e-mail address.
        author: the reviewer's e-mail address; empty where it is not known.
        assigned_to: likewise.
        evidence: of the application.
        items: of the review.
    """
    application: Application = one.application
    return {
        "action": Callback.Action.REVIEW.value,
        "application": {
            "id": application.pk,
            "slug": application.slug,
            "learner": learner,
            "created": _iso(application.submitted_at),
            "assignedTo": assigned_to or None,
            "assignedExpiration": None,
            "badge": described.as_json(),
            "processed": _iso(application.processed_at),
            "evidence": [_evidence(piece) for piece in evidence],
        },
        "review": {
            "id": one.pk,
            "slug": one.slug,
            "author": author or None,
            "comment": one.comment or None,
            "reviewItems": [
                {
                    "criterionId": item.criterion_id or item.criterion_external_id,
                    "satisfied": int(item.is_satisfied),
                    "comment": item.comment or None,
                }
                for item in items
            ],
        },
        "approved": one.is_approved,
    }


def trial(endpoint_name: str, now: datetime) -> Message:
    """A message that tells nothing. BadgeKit has no such action; receivers leave alone what they do not know.

    An award with an invented learner would be taken for a true one.
    """
    return {
        "action": TEST_ACTION,
        "endpoint": endpoint_name,
        "sentOn": int(now.timestamp()),
        "comment": "This is a test. No badge was awarded, revoked or reviewed.",
    }


def encoded(message: Message) -> bytes:
    """A message as it is sent, and signed."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def _criterion(one: Criterion) -> Message:
    return {"id": one.pk, "description": one.description, "required": int(one.is_required), "note": one.note or None}


def _evidence(piece: Evidence) -> Message:
    # A file stays here: its address would let whoever reads the message fetch it, or nobody.
    is_image = piece.kind == Evidence.Kind.FILE and piece.media_type.startswith("image/")
    return {
        "url": piece.url or None,
        "mediaType": "image" if is_image else "link",
        "reflection": "\n\n".join(filter(None, (piece.text, piece.reflection))) or None,
    }


def _iso(moment: datetime | None) -> str | None:
    """As JavaScript writes a time: BadgeKit does."""
    if moment is None:
        return None
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _first_words(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"
