"""Ending deliveries by hand: the page that says what will happen, and asks for a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attrs import field, frozen
from django import forms
from django.db.models import Count
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.asking import SHOWN, IdsForm, and_more, reason_field
from badges.issuing.by_hand import LIMIT, endable, has_lost_its_worker, may_have_reached_provider
from badges.models import Delivery

Action, Status = Delivery.Action, Delivery.Status


@frozen
class Way:
    """A way to end a delivery."""

    slug: str
    status: str
    title: Any
    button: Any
    meaning: Any
    """What it means for the deliveries."""


CANCEL = Way(
    "cancel",
    Status.CANCELLED,
    _("Cancel deliveries"),
    _("Cancel what is listed"),
    _("They are not attempted any more, and that is final: what is cancelled cannot be retried."),
)
MARK_DONE = Way(
    "done",
    Status.DONE,
    _("Mark deliveries as done"),
    _("Mark what is listed as done"),
    _("Nothing is sent: say this of what was done in another way, as at the provider's own site."),
)
WAYS = {way.slug: way for way in (CANCEL, MARK_DONE)}

_LEFT = {
    Status.IN_PROGRESS: _("A worker has it now. Wait until it is finished, or until its lease runs out."),
    Status.DONE: _("It is done."),
    Status.CANCELLED: _("It is cancelled."),
    Status.DEAD: _("It was given up."),
}


class ReasonForm(IdsForm):
    """Why deliveries are ended."""

    reason = reason_field(_("It is kept with the deliveries and in the history of changes. Name no learner."))


class IssueDoneForm(ReasonForm):
    """The same, of a badge that was issued in another way."""

    external_id = forms.CharField(
        label=_("Identifier at the provider"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"class": "badges-wide"}),
        help_text=_(
            "Of the badge that the provider holds, if there is one: a later revocation finds it by this. Left empty, "
            "the provider is searched when the badge is revoked."
        ),
    )


@frozen
class Plan:
    """What ending some deliveries would do."""

    way: Way
    chosen: list[Delivery]
    """Those that can be ended."""
    left: Mapping[str, int]
    """Of those that cannot: status -> how many."""
    beyond_limit: int = 0
    """How many more were selected than are ended at once."""
    shown: list[Delivery] = field(init=False)

    @shown.default
    def _first(self) -> list[Delivery]:
        return self.chosen[:SHOWN]

    @property
    def ids(self) -> str:
        """The ids of those that can be ended, for the page."""
        return ",".join(str(delivery.pk) for delivery in self.chosen)

    @property
    def heading(self) -> str:
        """How many are ended."""
        number = len(self.chosen)
        return ngettext("%d delivery will be changed", "%d deliveries will be changed", number) % number

    @property
    def single(self) -> Delivery | None:
        """The one delivery that would be ended, if it is one."""
        return self.chosen[0] if len(self.chosen) == 1 else None

    @property
    def form_class(self) -> type[ReasonForm]:
        """What is asked."""
        is_issue = self.single is not None and self.single.action == Action.ISSUE
        return IssueDoneForm if is_issue and self.way is MARK_DONE else ReasonForm

    @property
    def not_shown(self) -> str:
        """How many are not named on the page."""
        return and_more(len(self.chosen) - len(self.shown))

    @property
    def why_left(self) -> list[str]:
        """How many are left alone, and why."""
        return [f"{number}: {_LEFT.get(Status(status), '')}" for status, number in sorted(self.left.items())]

    @cached_property
    def warnings(self) -> list[str]:
        """What somebody should know before."""
        told = [*self._consequences()]
        if self.beyond_limit:
            text = gettext("%(more)d more are selected. So many at once are too many; do it again for them.")
            told.append(text % {"more": self.beyond_limit})
        return told

    def _consequences(self) -> list[str]:
        told = []
        if number := sum(map(has_lost_its_worker, self.chosen)):
            text = ngettext(
                "The worker of %d delivery is gone: its lease is over, and nothing is known of what it did. The "
                "provider may have done it. Look it up there first.",
                "The workers of %d deliveries are gone: their leases are over, and nothing is known of what they did. "
                "The provider may have done it. Look it up there first.",
                number,
            )
            told.append(text % number)
        if self.way is MARK_DONE:
            return told
        actions = Counter(delivery.action for delivery in self.chosen)
        if number := len(may_have_reached_provider(d for d in self.chosen if d.action == Action.ISSUE)):
            text = ngettext(
                "%d issue was attempted, and may have reached the provider although it is not done here: the learner "
                "may have the badge there. Look it up at the provider. If it is there, mark the delivery as done "
                "instead.",
                "%d issues were attempted, and may have reached the provider although they are not done here: the "
                "learners may have the badges there. Look them up at the provider. What is there, mark as done "
                "instead.",
                number,
            )
            told.append(text % number)
        return [*told, *(str(meaning) for action, meaning in _CANCELLED.items() if actions[action])]


_CANCELLED = {
    Action.ISSUE: _("A badge whose issue is cancelled stays awarded here, and the provider never gets it."),
    Action.REVOKE: _("A badge whose revocation is cancelled stays valid at the provider."),
    Action.DELETE: _("A badge whose deletion is cancelled stays at the provider, and its page names the learner."),
    Action.ANNOUNCE_AWARDED: _("An award that is not announced stays unknown to the rest of the platform."),
    Action.CALLBACK: _("A callback that is cancelled is never sent: its receiver does not know what it tells."),
    Action.ANNOUNCE_REVOKED: _("A revocation that is not announced stays unknown to the rest of the platform."),
}


def plan(way: Way, deliveries: Any) -> Plan:
    """What ending these deliveries would do.

    Arguments:
        way: how they are ended.
        deliveries: a query set, with what the page shows of them selected.
    """
    allowed = endable(way.status)
    candidates = deliveries.filter(allowed)
    chosen = list(candidates.order_by("pk")[: LIMIT + 1])
    beyond = candidates.count() - LIMIT if len(chosen) > LIMIT else 0
    others = deliveries.exclude(allowed).order_by().values_list("status").annotate(number=Count("pk"))
    return Plan(way, chosen[:LIMIT], dict(others), beyond)
