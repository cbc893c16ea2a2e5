"""The toy provider's backend: a shelf of badges in memory, one for each API key."""

from __future__ import annotations

from datetime import datetime

from attrs import define, evolve, field, frozen

from badges.exceptions import DuplicateBadge, NoSuchEvent, ProviderAuthError, ProviderRejected

KEY = "toy-key"
NAME = "Toy Academy"
TEMPLATES = ("toy-1", "toy-2", "toy-3")
PAGE = 2


@frozen
class ToyBadge:
    """A badge on the shelf."""

    number: str
    reference: str
    template: str
    email: str = field(repr=False)
    state: str = "given"


@frozen
class ToyEvent:
    """Something that happened on the shelf."""

    number: str
    kind: str
    at: datetime
    badge: ToyBadge


@define
class Shelf:
    """What the backend holds."""

    badges: dict[str, ToyBadge] = field(factory=dict)
    given: int = 0
    """How many there ever were."""
    events: dict[str, ToyEvent] = field(factory=dict)


_shelves: dict[str, Shelf] = {KEY: Shelf()}


def shelf(key: str = KEY) -> Shelf:
    """The shelf of a key.

    Raises:
        ProviderAuthError: no shelf has this key.
    """
    if key not in _shelves:
        raise ProviderAuthError("The toy provider refused the account's API key. Check it.", status_code=401)
    return _shelves[key]


def reset() -> None:
    """Empty the shelf."""
    _shelves[KEY].badges.clear()
    _shelves[KEY].given = 0
    _shelves[KEY].events.clear()


class ToyClient:
    """The calls of the backend."""

    def __init__(self, key: str) -> None:
        self._key = key

    def name(self) -> str:
        """Whose shelf it is."""
        shelf(self._key)
        return NAME

    def templates(self, page: int) -> tuple[str, ...]:
        """A page of the templates; pages count from 1."""
        shelf(self._key)
        return TEMPLATES[(page - 1) * PAGE : page * PAGE]

    def badges(self, page: int) -> tuple[ToyBadge, ...]:
        """A page of the shelf; pages count from 1."""
        return tuple(shelf(self._key).badges.values())[(page - 1) * PAGE : page * PAGE]

    def give(self, reference: str, template: str, email: str) -> ToyBadge:
        """Put a badge on the shelf."""
        ours = shelf(self._key)
        badges = ours.badges
        if template not in TEMPLATES:
            raise ProviderRejected(f'The toy provider has no template "{template}".', status_code=422)
        if any((one.template, one.email) == (template, email) for one in badges.values()):
            raise DuplicateBadge("The toy provider holds this badge already.", status_code=409)
        ours.given += 1
        badge = ToyBadge(f"T{ours.given}", reference, template, email)
        badges[badge.number] = badge
        return badge

    def take(self, number: str) -> ToyBadge:
        """Take a badge from its learner."""
        badges = shelf(self._key).badges
        if number not in badges:
            raise ProviderRejected(f'The toy provider has no badge "{number}".', status_code=404)
        badges[number] = evolve(badges[number], state="taken")
        return badges[number]

    def remove(self, number: str) -> None:
        """Take a badge off the shelf."""
        shelf(self._key).badges.pop(number, None)

    def find(self, reference: str) -> ToyBadge | None:
        """The badge with our reference."""
        found = (one for one in shelf(self._key).badges.values() if one.reference == reference)
        return next(found, None)

    def event(self, number: str) -> ToyEvent:
        """What happened, by its number."""
        events = shelf(self._key).events
        if number not in events:
            raise NoSuchEvent("The toy provider knows no such event.", status_code=404)
        return events[number]
