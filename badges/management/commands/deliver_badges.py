"""``manage.py deliver_badges``: carry out every delivery that is due."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Min

from badges.exceptions import describe
from badges.issuing.deliveries import due_badges, run_due
from badges.models import Delivery
from badges.toggles import is_badges_enabled

BROKEN = "broken"


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


class Command(BaseCommand):
    """One sweep over the deliveries, whose workers may have failed or been killed. Safe to run at any time, often."""

    help = (
        "Carry out the deliveries (public signals and provider calls) that are due: those whose next attempt has come, "
        "and those whose worker died. Run it every minute, by cron or a timer; it prints nothing if there was nothing. "
        "Exits with 0, also when deliveries remain (how many is in the report), and with 1 if some could not be worked "
        "on at all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=_at_least_one, help="Stop after this many badges. Default: no limit.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_badges_enabled():
            raise CommandError("BADGES_ENABLED is off, so nothing is delivered. Set it to True.")
        outcomes: Counter[str] = Counter()
        for number, badge_id in enumerate(due_badges(), start=1):
            if options["limit"] and number > options["limit"]:
                break
            outcomes.update(self._run(badge_id))
        waiting = Delivery.objects.filter(status__in=Delivery.OPEN).aggregate(
            number=Count("pk"), next=Min("next_attempt_at")
        )
        if not outcomes and not waiting["number"] and options["verbosity"] < 2:
            # Cron mails whatever is printed.
            return
        self.stdout.write(
            f"{outcomes.total() - outcomes[BROKEN]} attempts: {outcomes['done']} done, {outcomes['retry']} to be "
            f"retried, {outcomes['dead']} given up, {outcomes['cancelled']} cancelled, {outcomes['lost']} lost to "
            "another worker."
        )
        if waiting["number"]:
            self.stdout.write(f"{waiting['number']} waiting, the next one at {waiting['next']:%Y-%m-%d %H:%M:%S %Z}.")
        if outcomes[BROKEN]:
            raise CommandError(f"{outcomes[BROKEN]} badges could not be worked on at all; see above.")

    def _run(self, badge_id: int) -> list[str]:
        """The outcomes of one badge's deliveries. What goes wrong with one must not keep the others waiting."""
        try:
            attempts = run_due(badge_id)
        except Exception as error:  # noqa: BLE001
            self.stderr.write(f"badge {badge_id}: {describe(error)}")
            return [BROKEN]
        for attempt in attempts:
            self.stdout.write(f"delivery {attempt.delivery_id} {attempt.action}: {attempt.outcome}. {attempt.detail}")
        return [attempt.outcome for attempt in attempts]
