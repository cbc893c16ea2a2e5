"""A provider that answers nonsense: the award stands, and the delivery waits with the answer's beginning, redacted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import responses
from django.utils import timezone

from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import AccountHealth, Badge, Delivery
from tests.factories import CredlyBadgeTemplateFactory, UserFactory, moment

pytestmark = pytest.mark.django_db
ISSUE = re.compile(r"https://api\.credly\.com/v1/organizations/[^/]+/badges")
HTML = "<html><title>Bad gateway</title> for anna@example.com with credly-key</html>"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"body": HTML, "status": 200, "content_type": "text/html"}, "<title>Bad gateway</title>"),
        ({"body": HTML, "status": 502, "content_type": "text/html"}, "<title>Bad gateway</title>"),
        ({"body": "", "status": 201}, "(an empty answer)"),
        ({"body": '{"data": {"id": "12', "status": 201}, '{"data": {"id": "12'),
        ({"json": ["a", "list"], "status": 201}, '["a", "list"]'),
        ({"json": {"data": {"state": "pending"}}, "status": 201}, "without its id"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example.net/?key=1"}}, "elsewhere.example.net"),
        ({"status": 429, "headers": {"Retry-After": "120"}, "json": {}}, "too many requests"),
    ],
)
@responses.activate
def test_the_delivery_waits_with_the_answers_beginning(answer: dict[str, Any], told: str) -> None:
    responses.post(ISSUE, **answer)
    user = UserFactory(username="anna")
    [badge] = awards.award(user, {CredlyBadgeTemplateFactory().pk: moment(5)})

    run_due(badge.pk)

    delivery = badge.deliveries.get(action=Delivery.Action.ISSUE)
    assert Badge.objects.get().is_awarded
    assert delivery.status == Delivery.Status.PENDING
    assert delivery.next_attempt_at > timezone.now()
    assert told in delivery.last_error
    assert "anna@example.com" not in delivery.last_error
    assert "credly-key" not in delivery.last_error
    assert delivery.history.get().detail == delivery.last_error


@responses.activate
def test_a_refused_key_is_told_on_the_account_and_on_what_waits_for_it() -> None:
    responses.post(ISSUE, status=401, body="HTTP Basic: Access denied to anna@example.com with credly-key.")
    [badge] = awards.award(UserFactory(username="anna"), {CredlyBadgeTemplateFactory().pk: moment(5)})

    run_due(badge.pk)

    waiting = badge.deliveries.get(action=Delivery.Action.ISSUE)
    assert waiting.status == Delivery.Status.PENDING
    assert "refused the account's API key" in waiting.last_error
    assert AccountHealth.objects.get().stop_reason == waiting.last_error
    [exchange] = waiting.history.get().exchanges
    assert (exchange["method"], exchange["status"]) == ("POST", 401)
    assert "Access denied" in exchange["answered"]
    for secret in ("anna", "credly-key"):
        assert secret not in str(exchange) + waiting.last_error
