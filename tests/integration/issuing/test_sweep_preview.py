"""``deliver_badges --dry-run``: what it lists, and that it changes nothing."""

from __future__ import annotations

import pytest
from django.utils import timezone

from badges.exceptions import ProviderAuthError, ProviderUnavailable
from badges.issuing.deliveries import run_due
from badges.models import AccountHealth, Badge, Delivery, DeliveryAttempt, ProviderAccount
from tests.factories import moment
from tests.integration.issuing.helpers import issue_of
from tests.integration.issuing.scripted import ScriptedProvider
from tests.integration.issuing.test_sweep_command import another, run

pytestmark = pytest.mark.django_db
Status = Delivery.Status


def test_a_dry_run_tells_that_one_tries_an_account_after_its_rest_and_the_others_follow(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    others = [another(badge.template), another(badge.template)]
    Delivery.objects.exclude(action=Delivery.Action.ISSUE).delete()
    AccountHealth.objects.create(account=ProviderAccount.objects.get(), paused_until=moment(0), failures=5)

    lines = run("--dry-run").splitlines()

    assert lines[0].endswith(": tries the account after its rest")
    assert [line.endswith(": follows if the account works again") for line in lines[1:3]] == [True] * len(others)
    assert lines[3].startswith(
        "1 would be attempted, 2 would follow if the first one of their account succeeds, 0 wait"
    )
    provider.script.extend([ProviderUnavailable("Down.")] * 3)
    assert lines[0].startswith(run().split(":")[0].replace("issue", "issue,"))
    assert provider.calls == ["issue"]


def test_a_dry_run_tells_how_many_wait_for_their_own_time(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run()
    due = issue_of(badge).next_attempt_at

    assert run("--dry-run") == (
        "0 would be attempted, 0 wait for their account, 1 waits for a later time, "
        f"the first for {due:%Y-%m-%d %H:%M:%S %Z}. Nothing was changed.\n"
    )


def test_a_dry_run_lists_what_would_be_attempted_and_does_nothing(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    before = list(Delivery.objects.order_by("pk").values())

    lines = run("--dry-run").splitlines()

    assert [line.split(",")[0] for line in lines[:-1]] == [
        f"delivery {delivery.pk} {delivery.action}" for delivery in badge.deliveries.order_by("pk")
    ]
    assert lines[1].endswith(f'badge {badge.uuid}, due now, account "Scripted" (scripted)')
    assert lines[-1] == "2 would be attempted, 0 wait for their account. Nothing was changed."
    assert list(Delivery.objects.order_by("pk").values()) == before
    assert (provider.calls, DeliveryAttempt.objects.count(), AccountHealth.objects.count()) == ([], 0, 0)


def test_a_dry_run_tells_what_waits_for_a_stopped_account_and_asks_nobody(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderAuthError("The key was refused."))
    run_due(badge.pk)
    AccountHealth.objects.update(next_check_at=timezone.now())

    lines = run("--dry-run").splitlines()

    assert lines[0].endswith("waits, the account is stopped; a sweep checks it first: The key was refused.")
    assert lines[1] == "0 would be attempted, 1 waits for their account. Nothing was changed."
    assert provider.calls == ["issue"]


def test_a_dry_run_tells_what_a_worker_left_and_keeps_to_the_limit(badge: Badge) -> None:
    another(badge.template)
    badge.deliveries.filter(action="announce_awarded").delete()
    badge.deliveries.all().move(
        Status.IN_PROGRESS, lease_token=badge.uuid, leased_until=moment(0), next_attempt_at=moment(0)
    )

    lines = run("--dry-run", "--limit", "1").splitlines()

    assert len(lines) == 2
    assert "left by its worker " in lines[0]


def test_a_dry_run_leaves_out_what_waits_behind_an_earlier_delivery(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    for action in (Delivery.Action.ANNOUNCE_REVOKED, Delivery.Action.REVOKE):
        Delivery.objects.create(badge=badge, action=action)

    [listed, report] = run("--dry-run").splitlines()
    attempted = run().splitlines()[0]

    assert listed.split(",")[0] == attempted.split(":")[0]
    assert "announce_revoked" in listed
    assert report.startswith("1 would be attempted")
