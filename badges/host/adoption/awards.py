"""Learners' badges, adopted with what was told of them and what is still to be told. Nobody is told of the adoption."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from attrs import Factory, define, frozen
from django.utils import timezone

from badges.host.adoption import tables
from badges.host.adoption.context import TemplateContext
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.people import Learner
from badges.host.adoption.progress import HERE, groups_of
from badges.models import Badge, Delivery
from badges.models.insertion import insert
from badges.models.lookups import OneOf

BADGES, WAITING, COMPLETE = "badges", "waiting deliveries", "complete progress without a badge"

NOBODY_HAD_IT = "revoked, and never issued: a penalty hit a learner who had no badge"
HERE_AND_DIFFERENT = "here already, but awarded in one place and revoked in the other; what is here stands"
HERE_AND_ISSUED_THERE = (
    "here already, and the module has another identifier at the provider, or the only one: if it was issued twice, "
    "revoke one at the provider"
)
ANOTHER_HERE = "the learner has another badge of this template, which is kept: look at both at the provider"
REVOKED_HERE = "the learner had another badge of this template here, which was revoked, and stays so"
UUID_TAKEN = "another learner's badge, or one of another template, has its UUID"
EXTERNAL_ID_TAKEN = "another badge here has its identifier at the provider"
STRANGE_STATUS = "it is neither awarded nor revoked"
ISSUED_NOW = "never issued, as far as is known: looked up at the provider, and issued if it is not there"
REVOKED_NOW = "revoked, but still valid at the provider, as far as is known: revoked there now"
NEVER_AWARDED = (
    "the badge was not awarded: the module was interrupted, a penalty came before it was earned, the template has no "
    "provider, or what is here and what is there are enough only together; the next event that fulfils one of the "
    "requirements awards it, or somebody by hand"
)

AS_THERE = (HERE, HERE_AND_ISSUED_THERE)

PROVIDER_WORDS = frozenset({"pending", "accepted", "rejected", "revoked", "expired"})
"""States that a provider said; the others were the module's own."""
ENDED = frozenset({"revoked", "expired"})
NOTE = "Adopted from the built-in badges module, which had done it."
NOTE_ISSUE = "Adopted from the built-in badges module, which did not get it done."
NOTE_REVOKE = "Adopted from the built-in badges module, whose revocation had failed."

Action, Status = Delivery.Action, Delivery.Status
AWARDED, REVOKED = Badge.Status.AWARDED.value, Badge.Status.REVOKED.value
_IDENTIFIERS = {"credly": "external_uuid", "accredible": "external_id"}
"""What a template is -> the column of its badges' identifiers."""


@frozen
class Credential:
    """A badge there."""

    id: int
    uuid: uuid.UUID
    status: str
    created: datetime
    modified: datetime
    state: str
    external_id: str

    @property
    def was_had(self) -> bool:
        """Whether the learner ever had it: the module also revokes what it has never awarded."""
        return self.status == AWARDED or bool(self.external_id)


@frozen
class _Here:
    """A badge that is here."""

    uuid: uuid.UUID
    user_id: int
    template_id: int
    status: str
    external_id: str


@define
class Changes:
    """The badges to be made."""

    is_issuing: bool
    new: list[tuple[int, Credential]] = Factory(list)
    """(User, badge there)."""
    premature: list[tuple[int, Credential]] = Factory(list)
    """Those, new or here already, that are awarded although not every group is fulfilled."""

    @property
    def premature_to_be_issued(self) -> int:
        """How many of the premature ones are new, and not at the provider yet."""
        new = {one.id for _, one in self.new}
        return sum(self.is_issuing and one.id in new and not one.external_id for _, one in self.premature)

    def write(self, template_id: int) -> None:
        """Write the badges, and their deliveries as far as they are. No task is enqueued and no signal sent."""
        if not self.new:
            return
        now = timezone.now()
        columns = ["uuid", "user_id", "template_id", "state", "external_id", "awarded_at"]
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for user_id, one in self.new:
            awarded_at = min(one.created, now)
            values = (one.uuid, user_id, template_id, _state(one), one.external_id, awarded_at)
            last = () if one.status == AWARDED else (REVOKED, max(awarded_at, min(one.modified, now)))
            rows[one.status].append((*values, *last))
        insert(Badge, columns, rows[AWARDED])
        insert(Badge, [*columns, "status", "revoked_at"], rows[REVOKED])
        ids = dict(Badge.objects.filter(OneOf("uuid", [one.uuid for _, one in self.new])).values_list("uuid", "pk"))
        done: list[tuple[Any, ...]] = []
        waiting: list[tuple[Any, ...]] = []
        for _, one in self.new:
            for action, note in _deliveries(one, is_issuing=self.is_issuing):
                if note == NOTE:
                    done.append((ids[one.uuid], action.value, Status.DONE.value, 1, note, now))
                else:
                    # Counted as attempted, so that the provider is asked first: an answer may have got lost.
                    waiting.append((ids[one.uuid], action.value, 1, note))
        insert(Delivery, ("badge_id", "action", "status", "attempts", "note", "finished_at"), done)
        # After those: what is done for a badge is done in the order of ids.
        insert(Delivery, ("badge_id", "action", "attempts", "note"), waiting)


def read(kind: str, ids: Sequence[int]) -> dict[int, Credential]:
    """Badges there, by the id of the host's record."""
    if not ids:
        return {}
    names = [f"usercredential_ptr__{name}" for name in ("uuid", "status", "created", "modified")]
    rows = tables.BADGES[kind].objects.filter(OneOf("usercredential_ptr_id", ids))
    return {
        pk: Credential(
            pk,
            own,
            status,
            created or modified or tables.LONG_AGO,
            modified or created or tables.LONG_AGO,
            state,
            "" if external_id is None else str(external_id),
        )
        for pk, own, status, created, modified, state, external_id in rows.values_list(
            "pk", *names, "state", _IDENTIFIERS[kind]
        )
    }


def of(learner: Learner, credentials: Mapping[int, Credential]) -> list[Credential]:
    """The badges of one learner. One that was deleted there since is not among them."""
    return [credentials[one] for one in learner.credentials if one in credentials]


class Deciding:
    """Decides what becomes of the badges of a template."""

    def __init__(self, context: TemplateContext) -> None:
        self._context = context
        self._is_issuing = context.is_issuing
        self._groups = list(groups_of(context.requirements).values())

    def decide(
        self,
        learners: Sequence[Learner],
        credentials: Mapping[int, Credential],
        fulfilled: Mapping[int, AbstractSet[int]],
        report: Report,
    ) -> Changes:
        """What is to be written, and what becomes of each badge. Reads only.

        Arguments:
            credentials: the learners' badges there, by the id of the host's record.
            fulfilled: user -> the requirements, by their ids there, that are fulfilled.
        """
        changes = Changes(self._is_issuing)
        here = _Standing(self._context, learners, credentials.values())
        for learner in learners:
            is_complete = all(not group.isdisjoint(fulfilled[learner.user_id]) for group in self._groups)
            # What is awarded comes first: of several of one learner and template, that one must not be lost.
            own = sorted(of(learner, credentials), key=lambda one: (one.status != AWARDED, one.id))
            counted = self._take(learner, own, here, changes, report)
            if counted is not None and not is_complete:
                changes.premature.append((learner.user_id, counted))
            has_badge = learner.user_id in here.by_user or any(one.was_had for one in own)
            if self._groups and is_complete and not has_badge:
                report.add(COMPLETE, Outcome.CANNOT, NEVER_AWARDED, str(next(iter(learner.progress), "")))
        return changes

    def _take(
        self, learner: Learner, own: Sequence[Credential], here: _Standing, changes: Changes, report: Report
    ) -> Credential | None:
        """Take one learner's badges, and give the one that is awarded here, or is going to be."""
        counted, chosen = None, False
        for one in own:
            outcome, reason = here.judge(learner.user_id, self._context.builtin_id, one)
            if outcome is Outcome.CREATE and chosen:
                outcome, reason = Outcome.CANNOT, ANOTHER_HERE
            report.add(BADGES, outcome, reason, str(one.id))
            if outcome is Outcome.CREATE:
                chosen = True
                changes.new.append((learner.user_id, one))
                for _, note in _deliveries(one, is_issuing=self._is_issuing):
                    if note != NOTE:
                        report.add(
                            WAITING, Outcome.CREATE, ISSUED_NOW if note == NOTE_ISSUE else REVOKED_NOW, str(one.id)
                        )
            if one.status == AWARDED and (
                outcome is Outcome.CREATE or (outcome is Outcome.SKIP and reason in AS_THERE)
            ):
                counted = one
        return counted


class _Standing:
    """The badges that are here, as far as they matter to some learners and to their badges there."""

    def __init__(self, context: TemplateContext, learners: Sequence[Learner], credentials: Any) -> None:
        self.by_user: dict[int, _Here] = {}
        if context.template is not None:
            of_template = Badge.objects.filter(
                OneOf("user_id", [learner.user_id for learner in learners]), template_id=context.template.pk
            )
            self.by_user = {one.user_id: one for one in _here(of_template)}
        uuids = [one.uuid for one in credentials]
        identifiers = [one.external_id for one in credentials if one.external_id]
        self._by_uuid = {one.uuid: one for one in _here(Badge.objects.filter(OneOf("uuid", uuids)))} if uuids else {}
        self._identifiers: dict[str, set[uuid.UUID]] = defaultdict(set)
        if identifiers:
            same = Badge.objects.filter(OneOf("external_id", identifiers), template__provider=context.kind)
            for external_id, own_id in same.order_by().values_list("external_id", "uuid"):
                self._identifiers[external_id].add(own_id)

    def judge(self, user_id: int, template_id: int, one: Credential) -> tuple[Outcome, str]:
        """What becomes of a badge there, given what is here."""
        if (same := self._by_uuid.get(one.uuid)) is not None:
            if (same.user_id, same.template_id) != (user_id, template_id):
                return Outcome.CANNOT, UUID_TAKEN
            if same.status != one.status:
                return Outcome.SKIP, HERE_AND_DIFFERENT
            is_issued_there = one.external_id and one.external_id.lower() != same.external_id.lower()
            return Outcome.SKIP, HERE_AND_ISSUED_THERE if is_issued_there else HERE
        if one.status not in (AWARDED, REVOKED):
            return Outcome.CANNOT, STRANGE_STATUS
        if not one.was_had:
            return Outcome.SKIP, NOBODY_HAD_IT
        if (held := self.by_user.get(user_id)) is not None:
            return Outcome.CANNOT, ANOTHER_HERE if held.status == AWARDED else REVOKED_HERE
        if self._identifiers.get(one.external_id):
            return Outcome.CANNOT, EXTERNAL_ID_TAKEN
        return Outcome.CREATE, ""


_COLUMNS = ("uuid", "user_id", "template_id", "status", "external_id")


def _here(badges: Any) -> list[_Here]:
    return [_Here(*row) for row in badges.order_by().values_list(*_COLUMNS)]


def _state(one: Credential) -> str:
    return one.state if one.state in PROVIDER_WORDS else ""


def _deliveries(one: Credential, *, is_issuing: bool) -> list[tuple[Delivery.Action, str]]:
    """What is, or was, to be told of a badge, in the order of its life; each with a note, ``NOTE`` where it is done."""
    is_issued = bool(one.external_id)
    told = [(Action.ANNOUNCE_AWARDED, NOTE)]
    if is_issuing:
        told.append((Action.ISSUE, NOTE if is_issued else NOTE_ISSUE))
    if one.status == REVOKED:
        told.append((Action.ANNOUNCE_REVOKED, NOTE))
        if is_issuing:
            told.append((Action.REVOKE, NOTE if one.state in ENDED else NOTE_REVOKE))
    return told
