"""An operator sees how far the consumers are, in a real browser, with a real Redis, on a narrow screen too."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from badges.eventbus.kinds import DURABLE_CONSUMER
from badges.eventbus.redis.stats import connect
from badges.models import BusConsumer
from tests import factories
from tests.acceptance.pages import NARROW, WIDE, fits, logged_in

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]
GROUP = "credentials-service-consumers"
ERROR = "The database could not be reached: OperationalError at badges/processing/pipeline.py:211. " * 3


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def admin(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_user: Any) -> Iterator[Page]:
    with logged_in(browser, live_server.url, request.param) as page:
        yield page


@pytest.fixture
def topic(settings: Settings, redis_url: str) -> str:
    """A stream with the group: five messages three hours old, of which one is pending."""
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
    name = f"production-learning-badges-lifecycle-{uuid.uuid4()}"
    at = int((time.time() - 3 * 3600) * 1000)
    with closing(connect()) as client:
        client.xgroup_create(name, GROUP, mkstream=True)
        for place in range(5):
            client.xadd(name, {"event_data": b"x"}, id=f"{at}-{place + 1}")
        client.xreadgroup(GROUP, "credentials-consumer-0", {name: ">"}, count=1)
    return name


def consumer(topic: str, name: str, *, ago: timedelta = timedelta(0), **values: Any) -> BusConsumer:
    at = timezone.now() - ago
    return BusConsumer.objects.create(
        topic=topic, group_id=GROUP, name=name, started_at=at - timedelta(hours=2), seen_at=at, **values
    )


def test_an_operator_sees_who_reads_and_who_is_gone_and_forgets_what_is_gone(admin: Page, topic: str) -> None:
    row = consumer(topic, "credentials-consumer-0", events=1234567, awards=4321, last_message_id="1795272704315-8")
    consumer(topic, "credentials-consumer-1", ago=timedelta(minutes=20), last_error=ERROR)
    consumer(topic, "credentials-consumer-2", ago=timedelta(days=3), stopped_at=timezone.now() - timedelta(days=3))
    factories.DeadEventFactory.create_batch(2)

    admin.goto("/admin/badges/busconsumer/")
    expect(admin.locator(".badges-bus")).to_contain_text("4 unread events, the oldest is 3 hours old.")
    expect(admin.locator(".field-state")).to_have_text(["running", "not seen for 20 minutes", "stopped 3 days ago"])
    assert fits(admin)

    admin.goto(f"/admin/badges/busconsumer/{row.pk}/change/")
    expect(admin.locator(".form-row.field-pending")).to_contain_text("1 event, 3 hours old")
    assert fits(admin)

    admin.go_back()
    admin.get_by_role("link", name="2 dead events wait").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(2)

    admin.go_back()
    admin.get_by_label("Select all objects on this page for an action").check()
    admin.get_by_label("Action:").select_option("Forget selected consumers")
    admin.locator("button[name=index]").press("Enter")
    expect(admin.locator("#content")).to_contain_text("Are you sure")
    expect(admin.locator(".messagelist")).to_contain_text("2 consumers were seen within a day, and are kept.")
    admin.get_by_role("button", name="Yes").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("deleted 1 consumer")
    expect(admin.locator("#result_list tbody tr")).to_have_count(2)
