"""``deliver_badges`` processes what is due in the inbox, too."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError
from django.utils import timezone

from badges.changes import ProviderEvent
from badges.exceptions import ProviderAuthError, ProviderRejected
from badges.models import AccountHealth, ProviderAccount, WebhookEvent
from tests.factories import moment
from tests.integration.issuing.test_sweep_command import run
from tests.integration.webhooks.scripted import ScriptedWebhooks, received

pytestmark = pytest.mark.django_db


def test_it_tells_what_came_of_each_event(scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]) -> None:
    first, second = received(scripted_account, 1), received(scripted_account, 2)
    webhooks.script += [ProviderEvent("event-1", "odd", moment(1), note="Nobody\nneeds it.")]

    lines = run().splitlines()

    assert lines[0] == f"webhook event {first.pk} odd: ignored. Nobody needs it."
    assert lines[1].startswith(f"webhook event {second.pk} employee: processed. ")
    assert lines[2:] == ["2 webhook events: 1 processed, 1 ignored."]


def test_it_prints_nothing_if_there_was_nothing(scripted_account: ProviderAccount) -> None:
    assert run() == ""


def test_on_a_terminal_only_failures_have_lines(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    received(scripted_account, 1)

    assert "webhook event " not in run(terminal=True).replace("1 webhook event:", "")


def test_an_event_that_is_given_up_needs_a_person(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    received(scripted_account)
    webhooks.script.append(ProviderRejected("It is gone."))

    with pytest.raises(CommandError, match="1 webhook event was given up") as caught:
        run()

    assert caught.value.returncode == 3


def test_an_account_that_its_webhooks_stop_needs_a_person(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    received(scripted_account)
    webhooks.script.append(ProviderAuthError("The key was refused.", status_code=401))

    with pytest.raises(CommandError, match="is stopped: The key was refused") as caught:
        run()

    assert caught.value.returncode == 3


def test_the_limit_counts_for_events_as_for_badges(scripted_account: ProviderAccount) -> None:
    for number in range(3):
        received(scripted_account, number)

    run("--limit", "2")

    assert WebhookEvent.objects.filter(status="received").count() == 1


def test_a_dry_run_lists_what_is_due_and_asks_nobody(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row = received(scripted_account)
    where = f'webhook event {row.pk} employee, account "Scripted" (scripted)'

    assert run("--dry-run").splitlines() == [
        where,
        "0 would be attempted, 0 wait for their account, 1 webhook event would be looked at. Nothing was changed.",
    ]
    AccountHealth.objects.create(account=scripted_account, stopped_at=timezone.now())
    assert run("--dry-run").splitlines()[0] == f"{where}: waits for its account"
    assert webhooks.asked == []


def test_what_cannot_be_worked_on_at_all_is_an_error_of_the_run(
    scripted_account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, errors = received(scripted_account), io.StringIO()

    def fail(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("badges.webhooks.processing._claim", fail)
    with pytest.raises(CommandError, match="1 webhook event could not be worked on at all") as caught:
        run("-v", "0", errors=errors)

    assert caught.value.returncode == 1
    assert errors.getvalue().startswith(f"webhook event {row.pk}: ZeroDivisionError at ")
