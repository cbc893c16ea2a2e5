"""Comparing the badges of an account with those that its provider holds, and settling the differences.

The provider's list is read page by page; of what was seen only the ids of our badges are kept. That a badge is not in
the list proves nothing (a list may be filtered, and an index lags): the provider is asked for each one that is missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from attrs import define, field, frozen

from badges.data import IssuedBadge
from badges.exceptions import ProviderRejected, UnexpectedAnswer, describe
from badges.issuing.gate import Gate, calls_of
from badges.issuing.provider_calls import award_of
from badges.issuing.reconcile_apply import Difference, settle
from badges.issuing.reconcile_match import Known, Unknown, badges_of, match, ours_of
from badges.issuing.reconcile_rules import Kind, Trust, choose, compare, gone, weigh
from badges.issuing.verdicts import storable_badge
from badges.models import Badge, ProviderAccount
from badges.providers.base import Provider
from badges.providers.registry import connect, provider_class

AT_A_TIME = 500
"""So many of our badges are in memory while those are looked for that the list did not show."""


@frozen
class Finding:
    """A difference, and what became of it."""

    difference: Difference
    outcome: str
    """``found`` (nothing was to be changed), ``applied``, ``failed``; ``changed meanwhile`` waits for the next run."""


FOUND, APPLIED, CHANGED, FAILED = "found", "applied", "changed meanwhile", "failed"


@define
class Report:
    """What came of one account."""

    listed: int = 0
    """Badges that the provider listed."""
    strangers: int = 0
    """Valid ones among them that belong to no learner or template here."""
    outcomes: Counter[str] = field(factory=Counter)
    kinds: Counter[str] = field(factory=Counter)
    skipped: str = ""
    """Why the account was not compared, where that is no error."""
    broken_off: str = ""
    """Why the account could not be compared, whole or to its end."""
    problems: int = 0
    """Badges that could not be compared or settled, and lists that could not be read to their end."""

    @property
    def differences(self) -> int:
        """How many were found."""
        return self.kinds.total()


def reconcile(
    account: ProviderAccount,
    *,
    since: datetime | None = None,
    apply: bool = False,
    on_finding: Callable[[Finding], None] = lambda finding: None,
    on_problem: Callable[[str], None] = lambda text: None,
) -> Report:
    """Compare one account. Nothing that a provider does is raised.

    Arguments:
        account: a stored account.
        since: only badges that changed at the provider, or were awarded here, since then (aware).
        apply: whether the differences are settled; without it nothing is changed.
        on_finding: told of each difference as it is found.
        on_problem: told, in a sentence, of each thing that could not be done.
    """
    report = Report()

    def problem(text: str) -> None:
        report.problems += 1
        on_problem(text)

    try:
        if not provider_class(account.provider).features.lists_issued:
            report.skipped = f"{provider_class(account.provider).label} does not list the badges that it holds."
            return report
        if account.only_tells:
            report.skipped = "It has no key and cannot be asked: it only tells of its badges."
            return report
        with calls_of(account) as gate:
            for difference in _Comparison(account, since, report, problem).differences(gate):
                outcome = _outcome(difference, problem) if apply else FOUND
                report.kinds[difference.kind.value] += 1
                report.outcomes[outcome] += 1
                on_finding(Finding(difference, outcome))
    except Exception as error:  # noqa: BLE001 - a provider's class may be somebody else's; other accounts go on
        report.broken_off = describe(error)
        problem(f"The comparison ended before its end: {report.broken_off}")
    return report


def _outcome(difference: Difference, problem: Callable[[str], None]) -> str:
    try:
        return APPLIED if settle(difference) else CHANGED
    except Exception as error:  # noqa: BLE001 - one badge must not keep the others from being settled
        badge = difference.badge_uuid or f"of user {difference.user_id}"
        problem(f"Badge {badge} could not be settled, and nothing was changed: {describe(error)}")
        return FAILED


@define
class _Comparison:
    """One account, compared."""

    account: ProviderAccount
    since: datetime | None
    report: Report
    problem: Callable[[str], None]
    seen: set[int] = field(factory=set)
    """Ids of our badges of which the provider has told."""
    settled: set[int] = field(factory=set)
    """Those among them of which nothing else in the list can tell more."""
    new: set[tuple[int, int]] = field(factory=set)
    """Template and learner of the badges that are missing here: a learner may have several there."""

    def differences(self, gate: Gate) -> Iterator[Difference]:
        """All differences. Before the next one is asked for, one may be settled.

        Raises:
            BadgesError: the provider could not be asked any further.
        """
        newest = Badge.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        provider = connect(self.account.as_data())
        for page in provider.issued_badges(self.since):
            # What was asked is not kept: there may be thousands of pages.
            del gate.exchanges[:-1]
            self.report.listed += len(page)
            for matched in match(self.account, page):
                yield from self._listed(provider, matched)
        for badge in self._missed(newest):
            del gate.exchanges[:-1]
            yield from self._not_listed(provider, badge)

    def _listed(self, provider: Provider, matched: Known | Unknown) -> Iterator[Difference]:
        try:
            held = storable_badge(matched.listed.badge)
        except UnexpectedAnswer as error:
            self.problem(f"A badge in the provider's list cannot be used: {error}")
            return
        if isinstance(matched, Unknown):
            yield from self._unknown(matched, held)
        elif matched.badge.pk not in self.settled:
            yield from self._known(provider, matched, held)

    def _known(self, provider: Provider, known: Known, held: IssuedBadge) -> Iterator[Difference]:
        trust = weigh(ours_of(known.badge), held, known.by)
        if trust is Trust.IGNORED:
            return
        if trust is Trust.LOOKED_UP:
            is_known, found = self._look_up(provider, known.badge)
            chosen = choose(ours_of(known.badge), held, known.by, found) if is_known else None
            if chosen is None:
                return
            held = chosen
            self.settled.add(known.badge.pk)
        self.seen.add(known.badge.pk)
        for difference in _difference(known.badge, held):
            self.settled.add(known.badge.pk)
            yield difference

    def _unknown(self, unknown: Unknown, held: IssuedBadge) -> Iterator[Difference]:
        if not held.is_valid:
            return
        if unknown.template is None or unknown.user_id is None:
            self.report.strangers += 1
            return
        learner = (unknown.template.pk, unknown.user_id)
        if learner in self.new:
            return
        self.new.add(learner)
        yield Difference(
            kind=Kind.MISSING_HERE,
            template=unknown.template.name,
            template_id=unknown.template.pk,
            user_id=unknown.user_id,
            held=held,
            own_id=unknown.listed.own_id,
            issued_at=unknown.listed.issued_at,
        )

    def _missed(self, newest: int) -> Iterator[Badge]:
        """Our badges that should be at the provider and were not in its list, up to the newest when that was begun."""
        badges = badges_of(self.account).filter(status=Badge.Status.AWARDED, template__external_id__isnull=False)
        if self.since is not None:
            badges = badges.filter(awarded_at__gte=self.since)
        last = 0
        # By id and not with a cursor: an open one would keep SQLite's writers out meanwhile.
        while chunk := list(badges.filter(pk__gt=last, pk__lte=newest)[:AT_A_TIME]):
            last = chunk[-1].pk
            yield from (badge for badge in chunk if badge.pk not in self.seen and ours_of(badge).may_be_issued_again)

    def _not_listed(self, provider: Provider, badge: Badge) -> Iterator[Difference]:
        is_known, found = self._look_up(provider, badge)
        if found is not None:
            yield from _difference(badge, found)
        elif is_known:
            yield Difference(
                kind=Kind.MISSING_THERE,
                template=badge.template.name,
                template_id=badge.template_id,
                user_id=badge.user_id,
                badge_uuid=badge.uuid,
                ours=ours_of(badge),
            )

    def _look_up(self, provider: Provider, badge: Badge) -> tuple[bool, IssuedBadge | None]:
        """Whether the provider could tell, and what it holds for a badge."""
        try:
            found = provider.find_issued(award_of(badge))
            if found is None and provider.features.revocation_is_deletion:
                return True, gone(ours_of(badge))
            return True, storable_badge(found) if found is not None else None
        except (ProviderRejected, UnexpectedAnswer) as error:
            # Of this badge alone; whatever else goes wrong would go wrong with the next one, too.
            self.seen.add(badge.pk)
            self.settled.add(badge.pk)
            self.problem(f"Badge {badge.uuid} could not be looked up: {error}")
            return False, None


def _difference(badge: Badge, held: IssuedBadge) -> Iterator[Difference]:
    ours = ours_of(badge)
    kind = compare(ours, held)
    if kind is not None:
        yield Difference(
            kind=kind,
            template=badge.template.name,
            template_id=badge.template_id,
            user_id=badge.user_id,
            badge_uuid=badge.uuid,
            ours=ours,
            held=held,
        )
