"""The health of an account on its screens: whether it works, why not, what to do, and what waits for it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext

from badges.admin import delivery_texts as texts
from badges.admin.base import paragraphs
from badges.admin.delivery_filters import AccountFilter, StateFilter, deliveries_link
from badges.issuing.summary import AccountState, AccountSummary, account_summary, health_of, queues, state_of
from badges.models import AccountHealth, Delivery, ProviderAccount


def with_health(accounts: QuerySet[Any]) -> Any:
    """Accounts with their health and last synchronization, so that a list costs no query a row."""
    return accounts.select_related("health", "sync")


def summary_of(account: ProviderAccount) -> AccountSummary:
    """How a stored account does, with what waits for it."""
    return account_summary(account, queues([account.pk]), timezone.now())


def state_text(account: ProviderAccount) -> str:
    """The state of an account in a few words, for a list."""
    health, now = health_of(account) or AccountHealth(), timezone.now()
    state = state_of(health, now)
    if state is AccountState.STOPPED and health.stopped_at is not None:
        text = gettext("stopped for %(time)s") % {"time": texts.age(health.stopped_at)}
    elif state is AccountState.RESTING and health.paused_until is not None:
        text = gettext("rests until %(time)s") % {"time": texts.clock(health.paused_until)}
    else:
        text = {
            AccountState.TRYING: gettext("tries again"),
            AccountState.UNUSED: gettext("not called yet"),
        }.get(state, gettext("works"))
    return format_html('<span class="badges-state badges-state-{}">{}</span>', state.value, text)


def health_text(account: AccountSummary, *, has_preconfigured_key: bool) -> str:
    """The state of an account in sentences: since when, why, and what to do."""
    if has_preconfigured_key:
        key = gettext("Change its key in BADGES_CONFIG in the settings.")
    else:
        key = gettext("Enter a new key below.")
    return paragraphs(_sentences(account, key))


def waiting_text(account: AccountSummary) -> str:
    """What waits for an account, with a link to it."""
    queue = account.queue
    if not queue.waiting or queue.oldest_at is None:
        return gettext("none")
    text = ngettext(
        "%(number)d delivery, %(age)s old", "%(number)d deliveries, the oldest is %(age)s old", queue.waiting
    ) % {"number": queue.waiting, "age": texts.age(queue.oldest_at)}
    return deliveries_link(AccountFilter, account.id, StateFilter.waiting, text)


def dead_text(account: AccountSummary) -> str:
    """What was given up, with a link to it."""
    if not account.queue.dead:
        return gettext("none")
    text = ngettext("%d delivery", "%d deliveries", account.queue.dead) % account.queue.dead
    return deliveries_link(AccountFilter, account.id, Delivery.Status.DEAD.value, text)


def error_text(account: AccountSummary) -> str:
    """The last error, with its time. It may be over."""
    if account.last_error_at is None:
        return gettext("none")
    return paragraphs([texts.moment(account.last_error_at), account.last_error])


def sync_text(account: AccountSummary) -> str:
    """The last synchronization of the templates."""
    sync = account.sync
    if sync is None:
        return gettext("never")
    if sync.finished_at is not None:
        return gettext("finished %(time)s") % {"time": texts.moment(sync.finished_at)}
    begun = gettext("begun %(time)s, and not finished; the next one goes on from there.")
    return paragraphs([begun % {"time": texts.moment(sync.started_at)}, sync.last_error])


def _sentences(account: AccountSummary, change_key: str) -> list[str]:
    if account.state is AccountState.STOPPED:
        return [
            gettext("Stopped since %(time)s. Its deliveries wait, and none is lost.")
            % {"time": texts.moment(account.since)},
            account.reason,
            change_key,
            gettext('If the key is right and the provider was wrong, press "Check now".'),
            gettext("By itself it is checked again: %(time)s.") % {"time": texts.moment(account.next_check_at)},
        ]
    if account.state is AccountState.RESTING:
        # A request to wait is no failure.
        why = gettext("The provider asked for a pause.")
        if account.failures:
            why = ngettext("%d failure in a row.", "%d failures in a row.", account.failures) % account.failures
        return [
            gettext("Rests until %(time)s; then one delivery tries, and the others follow if it succeeds.")
            % {"time": texts.moment(account.until)},
            why,
            account.reason,
            gettext('There is nothing to do, unless it goes on for long. "Retry now" on a delivery does not wait.'),
        ]
    if account.state is AccountState.TRYING:
        if account.failures:
            return [gettext("It has rested after failures. The next delivery tries whether it works again.")]
        return [gettext("It has rested, as the provider asked. The next delivery tries whether it works again.")]
    if account.state is AccountState.UNUSED:
        return [gettext("It has not been called yet.")]
    return [gettext("It works.")]
