"""Deliveries that wait or were given up are attempted again by hand."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from badges.models import Delivery
from tests.factories import BadgeFactory, DeliveryFactory
from tests.integration.admin.pages import Staff, act, messages

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def test_a_dead_delivery_is_attempted_at_once(admin_client: Client, django_capture_on_commit_callbacks: Any) -> None:
    dead = DeliveryFactory(action=Action.ANNOUNCE_AWARDED, status=Status.DEAD, last_error="The bus was down.")

    with django_capture_on_commit_callbacks(execute=True):
        page = act(admin_client, "delivery", "retry", dead)

    dead.refresh_from_db()
    assert (dead.status, dead.last_error) == (Status.DONE, "")
    assert messages(page) == ["1 delivery is attempted now."]


def test_what_is_finished_is_left_alone_and_told(admin_client: Client) -> None:
    badge = BadgeFactory()
    done = DeliveryFactory(badge=badge, status=Status.DONE)
    cancelled = DeliveryFactory(badge=badge, action=Action.REVOKE, status=Status.CANCELLED)

    page = act(admin_client, "delivery", "retry", done, cancelled)

    assert messages(page)[-1].startswith("2 deliveries were left alone")
    done.refresh_from_db()
    assert done.status == Status.DONE


def test_retrying_needs_the_permission_to_change(staff: Staff) -> None:
    dead = DeliveryFactory(status=Status.DEAD)

    act(staff("view_delivery"), "delivery", "retry", dead)

    dead.refresh_from_db()
    assert dead.status == Status.DEAD
