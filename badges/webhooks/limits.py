"""How often somebody may ask, counted in Django's cache in windows of time. A cache that fails limits nothing."""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen
from django.core.cache import cache

from badges.exceptions import BadgesError, describe
from badges.webhooks import telling

logger = logging.getLogger(__name__)

T = TypeVar("T")
NETWORK = 64
"""Who has one address of IPv6 has, as a rule, all of this prefix."""


class TooMany(BadgesError):
    """Somebody asks too often, and should come again later."""

    def __init__(self, wait: float) -> None:
        """
        Arguments:
            wait: seconds.
        """
        super().__init__("Too many requests. Come again later.")
        self.wait = max(1, math.ceil(wait))


@frozen
class Limit:
    """So many in so many seconds, for each one who is counted."""

    name: str
    calls: float
    seconds: float

    def count(self, who: str) -> None:
        """Count one more.

        Raises:
            TooMany: it is beyond the limit.
        """
        if _cached(lambda: self._increased(who), 0) > self.calls:
            raise TooMany(self._rest())

    def check(self, who: str) -> None:
        """Count nothing.

        Raises:
            TooMany: the limit is reached.
        """
        if _cached(lambda: int(cache.get(self._key(who), 0)), 0) >= self.calls:
            raise TooMany(self._rest())

    def _increased(self, who: str) -> int:
        key = self._key(who)
        # A window's key is never used again, so it may stay a little longer than the window.
        if cache.add(key, 1, timeout=math.ceil(self.seconds) + 1):
            return 1
        try:
            return int(cache.incr(key))
        except ValueError:
            # It was thrown out between the two calls.
            return 1

    def _key(self, who: str) -> str:
        return f"badges.webhooks:{self.name}:{who}:{int(time.time() // self.seconds)}"

    def _rest(self) -> float:
        return self.seconds - time.time() % self.seconds


def who_is_at(address: str | None) -> str:
    """How the sender at an address is counted: as a whole network where addresses cost nothing."""
    if address is None:
        return "unknown"
    found = ipaddress.ip_address(address)
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), NETWORK), strict=False).network_address)


def _cached(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - every cache has errors of its own, and none is worth an event
        if telling.is_due("cache"):
            logger.warning(
                "The cache failed, so that webhook requests are not counted: %s",
                describe(error),
                extra={"action": "webhooks_not_counted"},
            )
        return otherwise
