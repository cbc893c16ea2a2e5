"""A receiver on this machine, to which callbacks may go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.integration.callbacks.receiver import Receiver, receiving

PRIVATE = {"allow_private_addresses": True, "connect_timeout": 5, "read_timeout": 5}


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.BADGES_CONFIG = {"callbacks": PRIVATE}
    with receiving() as running:
        yield running
