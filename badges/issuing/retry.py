"""When a delivery is attempted again: a pure decision from the attempt and its error."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from badges.conf import DeliverySettings
from badges.exceptions import ProviderError, ProviderRateLimited

LEAST_FAILURES = 5
"""Nothing is given up before so many failures: where nobody swept for days, a second one must not be the last."""
SHORTEST_PAUSE = 1.0
"""Seconds that a provider is left alone that answers 429, and asks for less."""
AFTER_RATE_LIMIT = 60.0
"""Seconds to wait after a 429 that does not say how long: no provider documents a shorter window."""

JITTER = 0.25
"""The largest part that chance adds to a pause, so that what failed together is not tried again together."""


@frozen
class Retry:
    """Attempt it again after ``delay``."""

    delay: timedelta
    reason: str


@frozen
class GiveUp:
    """Do not attempt it again by itself."""

    reason: str


@frozen
class RetryPolicy:
    """Exponential back-off with a ceiling, jitter, and an end."""

    settings: DeliverySettings

    def decide(self, error: Exception, *, failures: int, failing_for: timedelta, chance: float) -> Retry | GiveUp:
        """What to do after a failed attempt.

        Arguments:
            error: what went wrong.
            failures: how many attempts in a row have failed, this one included.
            failing_for: how long ago the first of them failed.
            chance: a random number from 0 to 1, for the jitter.
        """
        if isinstance(error, ProviderError) and not error.retryable:
            return GiveUp("It was refused for good, and would be refused again.")
        if failing_for.total_seconds() >= self.settings.give_up_after and failures >= LEAST_FAILURES:
            return GiveUp(f"It has failed for {failing_for}, longer than deliveries are tried.")
        delay, reason = self._delay(error, failures)
        jittered = delay * (1 + JITTER * chance)
        return Retry(timedelta(seconds=min(jittered, self.settings.longest_retry)), reason)

    def _delay(self, error: Exception, failures: int) -> tuple[float, str]:
        if isinstance(error, ProviderRateLimited):
            said = "as it asked" if error.retry_after is not None else "which did not say for how long"
            pause = rate_limit_pause(error, self.settings).total_seconds()
            return pause, f"The provider has had too many requests: a pause for it, {said}."
        backoff = min(doubled(self.settings.first_retry, failures), self.settings.longest_retry)
        asked = (error.retry_after if isinstance(error, ProviderError) else None) or 0.0
        if asked > backoff:
            return min(asked, self.settings.longest_retry), "The provider asked for this pause."
        return backoff, f"Failure {failures} in a row: the pauses double, up to a limit."


def rate_limit_pause(error: ProviderRateLimited, settings: DeliverySettings) -> timedelta:
    """How long to leave a provider alone that answered 429: what it asks for, else a minute."""
    asked = AFTER_RATE_LIMIT if error.retry_after is None else max(error.retry_after, SHORTEST_PAUSE)
    # Nothing waits for ever: what a provider asks for has a ceiling.
    return timedelta(seconds=min(asked, settings.longest_retry))


def resting_time(times: int, *, first: float, longest: float) -> timedelta:
    """How long an account rests for the ``times``-th time in a row: ``first`` seconds, then doubled, up to a limit."""
    return timedelta(seconds=min(doubled(first, times), longest))


def doubled(first: float, times: int) -> float:
    """``first``, doubled for each time after the first one."""
    # The exponent is bounded, so that many times cannot overflow a float.
    return first * 2.0 ** min(max(times - 1, 0), 40)
