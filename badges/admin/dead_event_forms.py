"""The pages that ask before many dead events are replayed, and for the reason why some are discarded."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from django.db.models import Min, QuerySet
from django.template.defaultfilters import truncatechars
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.asking import LIMIT, SHOWN, and_more
from badges.models import DeadEvent
from badges.processing.replaying import alike, kind_of_failure

KINDS = 20
"""So many kinds are replayed at once."""
ERRORS = 500
"""In so many different errors they are looked for: errors of one kind may differ in a number."""


@frozen
class Confirmation:
    """What a page asks."""

    title: Any
    meaning: Any
    """What it means for the events."""
    button: Any
    heading: str
    """How many there are."""
    lines: tuple[tuple[DeadEvent, str], ...] = ()
    """Events that are shown, each with what is said of it."""
    not_shown: str = ""
    warnings: tuple[str, ...] = ()
    ids: str = ""
    """The ids that come back with the page; empty where nothing can be done."""


def discarding(events: QuerySet[DeadEvent]) -> Confirmation:
    """The page that asks why these are discarded; of those that wait, the first ``LIMIT``."""
    waiting = events.filter(status=DeadEvent.Status.WAITING)
    number, selected = waiting.count(), events.count()
    chosen = list(waiting.order_by("pk").values_list("pk", flat=True)[:LIMIT])
    shown = list(DeadEvent.objects.filter(pk__in=chosen[:SHOWN]).order_by("pk").defer("payload", "body"))
    warnings = []
    if left := selected - number:
        text = ngettext(
            "%d is left alone: it is replayed or discarded already.",
            "%d are left alone: they are replayed or discarded already.",
            left,
        )
        warnings.append(text % left)
    if more := number - len(chosen):
        text = gettext("%(more)d more are selected. So many at once are too many; do it again for them.")
        warnings.append(text % {"more": more})
    heading = ngettext("%d dead event will be discarded", "%d dead events will be discarded", len(chosen))
    return Confirmation(
        title=_("Discard dead events"),
        meaning=_(
            "They are not processed, now or later: catch_up leaves them out. They stay in the "
            "list, and can be put back."
        ),
        button=_("Discard what is listed"),
        heading=heading % len(chosen),
        lines=tuple((event, truncatechars(event.error, 120)) for event in shown),
        not_shown=and_more(len(chosen) - len(shown)),
        warnings=tuple(warnings),
        ids=",".join(map(str, chosen)),
    )


def kinds_of(events: QuerySet[DeadEvent]) -> list[DeadEvent]:
    """One of each kind of failure, for the first ``KINDS``."""
    first = events.order_by().values("event_type", "kind", "error").annotate(first=Min("pk")).order_by("first")
    errors = DeadEvent.objects.filter(pk__in=[one["first"] for one in first[:ERRORS]]).order_by("pk")
    found = {kind_of_failure(event): event for event in reversed(errors.defer("payload", "body"))}
    return sorted(found.values(), key=lambda event: event.pk)[:KINDS]


def replaying(examples: list[DeadEvent]) -> Confirmation:
    """The page that asks whether all that failed like these are to be replayed."""
    counted = [(event, alike(event).count()) for event in examples]
    counted = [(event, number) for event, number in counted if number]
    together = sum(number for _event, number in counted)
    heading = ngettext("%d dead event will be replayed", "%d dead events will be replayed", together) % together
    return Confirmation(
        title=_("Replay all of a kind"),
        meaning=_(
            "All that wait and failed in the same way (the same event type, and the same error, whatever numbers it "
            "names) are processed again, in the order of their events, whichever page of the list they are on."
        ),
        button=_("Replay them all"),
        heading=heading,
        lines=tuple((event, _like(event, number)) for event, number in counted),
        ids=",".join(str(event.pk) for event, _number in counted),
    )


def _like(event: DeadEvent, number: int) -> str:
    text = ngettext("%(number)d event: %(error)s", "%(number)d events like this one: %(error)s", number)
    return text % {"number": number, "error": truncatechars(event.error, 300)}
