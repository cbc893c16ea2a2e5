"""The task that processes a few events of the inbox.

Run by the workers of the task engine that ``TASKS`` names. Without one, tasks would run in the process that enqueues
them, and that is the web server, which answers a provider: then all is left to the sweep.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import django
from django.db import transaction

from badges.exceptions import describe
from badges.toggles import is_badges_enabled
from badges.webhooks.processing import process

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
    from django_tasks.backends.immediate import ImmediateBackend
else:
    from django.tasks import task
    from django.tasks.backends.immediate import ImmediateBackend

logger = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a worker's call waits for its turn below the ceiling of its account."""


@task()
def process_webhooks(event_ids: list[int]) -> int:
    """Process these events if they are due, and tell how many attempts were made."""
    if not is_badges_enabled():
        return 0
    return sum(process(event_id, patience=PATIENCE) != "" for event_id in event_ids)


def enqueue_on_commit(*event_ids: int) -> None:
    """Have events of the inbox processed soon, once the present transaction is committed.

    A task engine that is away is logged and no more: the events are stored, and the sweep finds them.
    """

    def enqueue() -> None:
        try:
            if not isinstance(process_webhooks.get_backend(), ImmediateBackend):
                process_webhooks.enqueue(list(event_ids))
        except Exception as error:  # noqa: BLE001 - every engine has errors of its own
            logger.warning(
                "Webhook events could not be enqueued and are left to the sweep: %s",
                describe(error),
                extra={"action": "webhooks_not_enqueued"},
            )

    transaction.on_commit(enqueue, robust=True)
