"""What the adoption of one template knows and is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import frozen

from badges.host.adoption.outcome import Report
from badges.host.adoption.premature import PrematureBadge
from badges.models import BadgeTemplate


@frozen
class Adopted:
    """What a requirement of the built-in module became here."""

    id: int
    """0 in a plan where it is not there yet."""
    group: str
    """As it is here: what staff changed here since counts. Blank for one that stands alone."""
    event_type: str


@frozen
class TemplateContext:
    """One template of the built-in module, while its learners are adopted, in its transaction."""

    builtin_id: int
    """Its primary key there, which it has here, too."""
    name: str
    kind: str
    """``credly``, ``accredible`` or ``openedx``: what it is now."""
    created: datetime
    """When it was made there: what is known to be older than any badge of it."""
    template: BadgeTemplate | None
    """Ours; None in a plan where it is not there yet."""
    is_issuing: bool
    """Whether its badges are issued at a provider, from here."""
    requirements: Mapping[int, Adopted]
    """The id of a requirement there -> ours. One that staff deleted here is not in it."""
    apply: bool
    """Whether to write. Otherwise only read, decide and report."""
    report: Report
    advance: Callable[[int], None]
    """Call it with how many rows of badges_badgeprogress and of credentials_usercredential were dealt with."""
    premature: Callable[[PrematureBadge], None]
    is_stopping: Callable[[], bool]
    """Whether somebody asked the command to end. The template's transaction may be left by raising ``Stopped``."""


class Stopped(Exception):
    """The command was asked to end: what the present template did is undone, and the next run does it."""
