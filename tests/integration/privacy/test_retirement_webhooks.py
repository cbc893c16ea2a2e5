"""A learner retires: what providers sent of them is emptied, and not processed any more."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.utils import timezone

from badges.changes import ProviderEvent
from badges.data import Notice, WebhookRequest
from badges.models import WebhookEvent
from badges.privacy.retirement import retire
from badges.webhooks.inbox import receive
from badges.webhooks.outcomes import applied, settle
from tests import factories
from tests.integration.privacy.leaving import EMAIL, NAME

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> Any:
    return factories.UserFactory(username="anna", email=EMAIL, full_name=NAME)


@pytest.mark.parametrize("status", ["received", "failed", "dead"])
def test_one_that_waits_is_emptied_and_discarded(anna: Any, status: str) -> None:
    row = factories.WebhookEventFactory(body='{"email": "Anna\\u0040example.com"}', status=status)

    assert retire(anna)["webhooks"] == 1
    row.refresh_from_db()
    assert (row.body, row.status, row.note) == ("", "discarded", "It was emptied: its learner was retired.")
    assert row.finished_at is not None


def test_one_that_ended_is_emptied_and_stays_known(anna: Any) -> None:
    row = factories.WebhookEventFactory(body=f'{{"email": "{EMAIL}"}}', status="processed", note="It was awarded.")
    retire(anna)

    row.refresh_from_db()
    assert (row.body, row.status, row.note) == ("", "processed", "It was awarded.")


def test_a_worker_that_has_one_at_the_moment_writes_nothing_down(anna: Any) -> None:
    leased = {"lease_token": uuid.uuid4(), "leased_until": timezone.now()}
    row = factories.WebhookEventFactory(body=f'{{"email": "{EMAIL}"}}', status="processing", **leased)
    retire(anna)

    told = ProviderEvent(event_id=row.event_id, event_type="badge.awarded", occurred_at=timezone.now())
    assert not settle(row, applied(told, ["It was awarded."]))
    row.refresh_from_db()
    assert (row.body, row.status, row.lease_token) == ("", "discarded", None)


def test_one_that_was_emptied_stays_empty_when_it_comes_again_with_proof(anna: Any) -> None:
    row = factories.WebhookEventFactory(body=f'{{"email": "{EMAIL}"}}', is_proven=False)
    retire(anna)
    request = WebhookRequest(body=f'{{"email": "{EMAIL}"}}'.encode(), headers={})
    notice = Notice(row.event_id, row.event_type, timezone.now(), "")

    assert receive(row.account, notice, request, is_proven=True) is None
    row.refresh_from_db()
    assert (row.body, row.status, row.times_received) == ("", "discarded", 2)


def test_what_was_said_of_one_does_not_name_the_learner(anna: Any) -> None:
    told = factories.WebhookEventFactory(
        body=f'{{"email": "{EMAIL}"}}', status="dead", last_error=f"Not for {NAME} ({EMAIL})."
    )
    emptied = factories.WebhookEventFactory(body="", status="discarded", note=f"{EMAIL} has left.")

    assert retire(anna)["webhooks"] == 2
    told.refresh_from_db()
    emptied.refresh_from_db()
    assert told.last_error == "Not for [removed] ([removed])."
    assert (emptied.note, emptied.status) == ("[removed] has left.", "discarded")


def review(learner: str, author: str) -> str:
    told = {"author": author, "slug": "a-review", "comment": f"Well done. {author}"}
    return json.dumps({"action": "review", "application": {"learner": learner}, "review": told})


@pytest.mark.parametrize("status", ["received", "failed", "dead", "processing"])
def test_a_review_of_somebody_elses_application_waits_on_without_the_reviewer(anna: Any, status: str) -> None:
    is_leased = status == "processing"
    leased = {"lease_token": uuid.uuid4(), "leased_until": timezone.now()} if is_leased else {}
    row = factories.WebhookEventFactory(body=review("joanna@example.com", EMAIL), status=status, **leased)

    assert retire(anna)["webhooks"] == 1
    row.refresh_from_db()
    told = json.loads(row.body)
    assert (told["application"]["learner"], told["review"]["author"]) == ("joanna@example.com", "")
    assert told["review"]["comment"] == "Well done. [removed]"
    # Who has it at the moment has read the address, and loses it to the next one.
    assert (row.status, row.lease_token) == ("failed" if is_leased else status, None)
    assert retire(anna)["webhooks"] == 0


def test_a_review_of_the_persons_own_application_is_discarded(anna: Any) -> None:
    row = factories.WebhookEventFactory(body=review(EMAIL, "joanna@example.com"))
    retire(anna)

    row.refresh_from_db()
    assert (row.body, row.status) == ("", "discarded")


def test_an_address_in_an_address_of_the_web_is_found(anna: Any) -> None:
    factories.WebhookEventFactory(body='{"url": "https://example.com/?to=anna%40example.com"}')

    assert retire(anna)["webhooks"] == 1


@pytest.mark.parametrize("key", ["user", "login", "learner", "requesting_user_name"])
def test_a_username_is_found_under_whatever_key_says_that_it_is_one(anna: Any, key: str) -> None:
    factories.WebhookEventFactory(body=json.dumps({key: "anna"}))

    assert retire(anna)["webhooks"] == 1


@pytest.mark.parametrize("body", ['{"email": "joanna@example.com"}', "{}", "", "[" * 50_000])
def test_others_are_not_touched(anna: Any, body: str) -> None:
    factories.WebhookEventFactory(body=body)

    assert retire(anna)["webhooks"] == 0
    assert WebhookEvent.objects.get().body == body
