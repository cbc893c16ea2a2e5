"""When a delivery is attempted again: a pure decision from the attempt and its error."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from badges.conf import DeliverySettings
from badges.exceptions import ProviderAuthError, ProviderError, ProviderRateLimited

AFTER_RATE_LIMIT = 60.0
"""Seconds to wait after a 429 that does not say how long: no provider documents a shorter window."""
AFTER_REFUSED_KEY = 900.0
"""Seconds to wait while a key is refused: only a person can change that."""


@frozen
class Retry:
    """Attempt it again after ``delay``."""

    delay: timedelta


@frozen
class GiveUp:
    """Do not attempt it again by itself."""


@frozen
class RetryPolicy:
    """Exponential back-off with a ceiling, jitter, and an end."""

    settings: DeliverySettings

    def decide(self, error: Exception, *, attempt: int, age: timedelta, chance: float) -> Retry | GiveUp:
        """What to do after a failed attempt.

        Arguments:
            error: what went wrong.
            attempt: how many attempts there have been, this one included.
            age: how long ago the delivery was asked for.
            chance: a random number from 0 to 1, for the jitter.
        """
        if isinstance(error, ProviderError) and not error.retryable:
            return GiveUp()
        if age.total_seconds() >= self.settings.give_up_after:
            return GiveUp()
        return Retry(timedelta(seconds=self._delay(error, attempt) * (1 + 0.25 * chance)))

    def _delay(self, error: Exception, attempt: int) -> float:
        if isinstance(error, ProviderRateLimited):
            asked = AFTER_RATE_LIMIT if error.retry_after is None else error.retry_after
            return min(asked, self.settings.longest_retry)
        if isinstance(error, ProviderAuthError):
            return AFTER_REFUSED_KEY
        # The exponent is bounded, so that many attempts cannot overflow a float.
        backoff = self.settings.first_retry * 2.0 ** min(attempt - 1, 40)
        asked = error.retry_after or 0.0 if isinstance(error, ProviderError) else 0.0
        # Nothing waits for ever: what a provider asks for has the same ceiling.
        return min(max(backoff, asked), self.settings.longest_retry)
