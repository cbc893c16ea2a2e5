"""A message that cannot be read is parked whatever its headers say: what cannot be stored would wait for ever."""

from __future__ import annotations

from typing import Any

import pytest

from badges.exceptions import UnreadableMessage
from badges.models import DeadEvent
from badges.processing.dead_events import park_message
from badges.processing.messages import decode
from tests.integration.bus_messages import fields, origin

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"type": b"of\x00no\x00kind"}, id="a-NUL-in-the-type"),
        pytest.param({"time": b"0001-01-01T00:00:00+14:00"}, id="before-the-first-day"),
        pytest.param({"time": b"9999-12-31T23:59:59-12:00"}, id="after-the-last-day"),
    ],
)
def test_it_is_parked(header: dict[str, Any]) -> None:
    message = fields("anna", **header)
    with pytest.raises(UnreadableMessage) as error:
        decode(message, origin())

    park_message(message, origin(), error.value)

    assert DeadEvent.objects.get().status == "waiting"
