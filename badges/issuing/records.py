"""Records that others keep of badges, written in the same transaction as ours.

The host of this app may have a record of its own for each badge. Whoever keeps it registers here when the app starts,
and is told of every badge that is awarded or revoked, by whatever way.
"""

from __future__ import annotations

import abc
from collections.abc import Collection, Sequence

from badges.models import Badge


class Keeper(abc.ABC):
    """Keeps other records of badges. What it raises undoes the award or the revocation."""

    @abc.abstractmethod
    def awarded(self, badges: Sequence[Badge]) -> None:
        """These badges are new, in the order of their ids; their users and templates are loaded."""

    @abc.abstractmethod
    def revoked(self, badges: Sequence[Badge]) -> None:
        """These badges were taken away; they are locked, in the order of their ids; users and templates are loaded."""


_keepers: list[Keeper] = []


def register(keeper: Keeper) -> None:
    """Tell a keeper of badges from now on; one that is registered already is told once."""
    if keeper not in _keepers:
        _keepers.append(keeper)


def unregister(keeper: Keeper) -> None:
    """Tell a keeper no more."""
    if keeper in _keepers:
        _keepers.remove(keeper)


def awarded(badge_ids: Collection[int]) -> None:
    """Let the keepers write their records of new badges. Call it in the transaction that makes them."""
    if _keepers and (badges := _loaded(badge_ids)):
        for keeper in _keepers:
            keeper.awarded(badges)


def revoked(badge_ids: Collection[int]) -> None:
    """Let the keepers write their records of badges that were taken away. Call it in that transaction."""
    if _keepers and (badges := _loaded(badge_ids)):
        for keeper in _keepers:
            keeper.revoked(badges)


def _loaded(badge_ids: Collection[int]) -> list[Badge]:
    return list(Badge.objects.filter(pk__in=badge_ids).select_related("user", "template").order_by("pk"))
