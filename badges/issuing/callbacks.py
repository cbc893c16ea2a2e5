"""The callbacks that an award, a revocation or a review causes, written together with it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from badges.issuing.tasks import enqueue_callbacks_on_commit
from badges.models import Callback, CallbackEndpoint, Delivery, Review
from badges.models.insertion import insert

WANTED_BY = {
    Callback.Action.AWARD: "sends_awards",
    Callback.Action.REVOKE: "sends_revocations",
    Callback.Action.REVIEW: "sends_reviews",
}


def make_for_badges(badge_ids: Sequence[int], action: Callback.Action) -> None:
    """Write a callback about each badge to each endpoint that wants to know. They start with the badges' deliveries.

    Arguments:
        badge_ids: badges that were awarded or revoked in the present transaction.
        action: what happened to them.
    """
    endpoints = _endpoints(action) if badge_ids else []
    rows = [(uuid.uuid4(), endpoint, badge_id) for badge_id in badge_ids for endpoint in endpoints]
    if rows:
        _write([(*row, action.value) for row in rows], "badge_id")


def make_for_review(review: Review) -> list[int]:
    """The same about a review, with their start once the transaction commits.

    Returns:
        The ids of the callbacks; empty where nobody wants to know.
    """
    rows = [
        (uuid.uuid4(), endpoint, review.pk, Callback.Action.REVIEW.value)
        for endpoint in _endpoints(Callback.Action.REVIEW)
    ]
    if not rows:
        return []
    made = _write(rows, "review_id")
    enqueue_callbacks_on_commit(review.application_id)
    return made


def _endpoints(action: Callback.Action) -> list[int]:
    found = CallbackEndpoint.objects.filter(is_active=True, **{WANTED_BY[action]: True}).order_by("pk")
    return list(found.values_list("pk", flat=True))


def _write(rows: list[tuple[uuid.UUID, int, int, str]], about: str) -> list[int]:
    columns = ("message_id", "endpoint_id", about, "action")
    made = insert(Callback, columns, rows, returning=("id",))
    if made is None:
        made = list(Callback.objects.filter(message_id__in=[row[0] for row in rows]).values_list("pk"))
    ids = sorted(row[0] for row in made)
    insert(Delivery, ("callback_id", "action"), [(pk, Delivery.Action.CALLBACK.value) for pk in ids])
    return ids
