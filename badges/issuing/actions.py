"""Who carries out which action of a delivery.

The actions that concern a provider are in this package; others (the public signals) are registered when the app
starts, because they live in layers above this one.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from badges.data import IssuedBadge
from badges.exceptions import BadgesError, ConfigurationError
from badges.models import Delivery


@frozen
class Done:
    """An action that succeeded."""

    detail: str = ""
    """What happened, for the history."""
    issued: IssuedBadge | None = None
    """What the provider holds now, to be written on the badge."""
    is_deleted: bool = False
    """Whether the provider holds nothing of the badge any more, so that what leads to it there is forgotten here."""


class Obsolete(BadgesError):
    """What was to be done is not wanted any more; the text says why. The delivery ends as cancelled."""


class LeaseLost(BadgesError):
    """The lease ran out before the provider was asked, so that another worker may have the delivery."""


Handler = Callable[[Delivery], Done]
"""Takes a delivery with its badge, user, template and account loaded. Raises what stands in the way."""

_handlers: dict[str, Handler] = {}


def register(action: Delivery.Action, handler: Handler) -> None:
    """Let a handler carry out an action. The last one registered counts."""
    _handlers[action.value] = handler


def handler_of(action: str) -> Handler:
    """The handler of an action.

    Raises:
        ConfigurationError: nobody carries it out, as when the app that knew it was taken out.
    """
    if action not in _handlers:
        raise ConfigurationError(f'Nothing carries out deliveries with the action "{action}" in this process.')
    return _handlers[action]
