"""An event that takes worker after worker with it is given up, and waits for a person."""

from __future__ import annotations

import uuid

import pytest

from badges.models import ProviderAccount, WebhookEvent
from badges.webhooks.by_hand import replay
from badges.webhooks.processing import MOST_ATTEMPTS, process_due
from tests.factories import moment
from tests.integration.webhooks.scripted import ScriptedWebhooks, received

pytestmark = pytest.mark.django_db
Status = WebhookEvent.Status


def test_what_kills_worker_after_worker_is_given_up_and_can_be_replayed(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row = received(scripted_account)
    lost = {"lease_token": uuid.uuid4(), "leased_until": moment(0)}
    WebhookEvent.objects.update(status=Status.PROCESSING, attempts=MOST_ATTEMPTS - 1, **lost)
    assert process_due() == {"processed": 1}
    WebhookEvent.objects.update(status=Status.PROCESSING, attempts=MOST_ATTEMPTS, finished_at=None, **lost)

    assert process_due() == {"dead": 1}

    row.refresh_from_db()
    assert (row.status, row.lease_token) == (Status.DEAD, None)
    assert "tried 50 times" in row.last_error
    assert replay(row)
    # It had been applied before.
    assert process_due() == {"ignored": 1}
