"""``manage.py deliver_badges``: carry out every delivery that is due."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count, Min

from badges.issuing.deliveries import due_badges, run_due
from badges.models import Delivery


class Command(BaseCommand):
    """One sweep over the deliveries, whose workers may have failed or been killed. Safe to run at any time, often."""

    help = (
        "Carry out the deliveries (public signals and provider calls) that are due: those whose next attempt has come, "
        "and those whose worker died. Run it every minute, by cron or a timer. Exits with 0, also when deliveries "
        "remain; how many is in the report."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=0, help="Stop after this many badges. Default: no limit.")

    def handle(self, *args: Any, **options: Any) -> None:
        outcomes: Counter[str] = Counter()
        for number, badge_id in enumerate(due_badges(), start=1):
            if options["limit"] and number > options["limit"]:
                break
            for attempt in run_due(badge_id):
                outcomes[attempt.outcome] += 1
                self.stdout.write(
                    f"delivery {attempt.delivery_id} {attempt.action}: {attempt.outcome}. {attempt.detail}"
                )
        self.stdout.write(
            f"{outcomes.total()} attempts: {outcomes['done']} done, {outcomes['retry']} to be retried, "
            f"{outcomes['dead']} given up, {outcomes['lost']} lost to another worker."
        )
        waiting = Delivery.objects.filter(status__in=Delivery.OPEN).aggregate(
            number=Count("pk"), next=Min("next_attempt_at")
        )
        if waiting["number"]:
            self.stdout.write(f"{waiting['number']} waiting, the next one at {waiting['next']:%Y-%m-%d %H:%M:%S %Z}.")
