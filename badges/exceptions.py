"""Every error that this app raises on purpose, and what a caller may conclude from it."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import ClassVar

_PACKAGE = Path(__file__).parent


class BadgesError(Exception):
    """Base of all errors of this app. Its text is safe to show: it holds no secret and no personal data."""


class Refused(BadgesError):
    """What somebody asked for cannot be done as they want it. Nothing was changed; the text is theirs to read."""

    code: ClassVar[str] = "invalid"
    """For programs: which refusal it is."""

    def __init__(self, message: str, *, field: str = "") -> None:
        """
        Arguments:
            message: a translated sentence.
            field: what of the input it is about, such as ``evidence.2``, counted from 0; empty: all of it.
        """
        super().__init__(message)
        self.field = field


class ConfigurationError(BadgesError):
    """A setting is missing, has the wrong type, or names something that does not exist."""


class AccountUnusable(ConfigurationError):
    """A provider account has no key, or one that cannot be read or sent. Nothing works on it until that is mended."""


class UnknownProvider(ConfigurationError):
    """No provider is registered under this slug."""


class ForbiddenMove(BadgesError):
    """A delivery was to be brought from one status into another that cannot follow it."""


class RuleError(BadgesError):
    """A rule has a path, an operator or a value that its event cannot have."""


class UnreadablePayload(BadgesError):
    """An event's payload does not have the shape or the values that its data class declares."""


class UnreadableMessage(BadgesError):
    """A message of the bus could not be decoded: its headers or its body are not what its type declares."""


class UnknownEventType(UnreadableMessage):
    """A message of the bus names an event type that openedx-events, as it is installed here, does not know."""


class WebhookRefused(BadgesError):
    """A webhook request is not what its provider sends. Its text is what the sender is told."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        """
        Arguments:
            message: a sentence without anything of the request in it.
            status: the HTTP status of the answer, 4xx.
        """
        super().__init__(message)
        self.status = status


class ProviderError(BadgesError):
    """A call to a provider did not give what was asked for.

    ``retryable`` says whether the same call may succeed later. ``outcome_unknown`` says that the provider may have
    done the work although no usable answer came back, so that a badge must be looked up before it is issued again.
    """

    retryable: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        """
        Arguments:
            message: a sentence for an operator, already redacted.
            status_code: the HTTP status of the answer, if there was one.
            retry_after: seconds that the provider asked to wait.
            outcome_unknown: whether the provider may have done the work all the same.
        """
        super().__init__(message)
        self.status_code = status_code
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown


class ProviderUnavailable(ProviderError):
    """The provider could not be reached, did not answer in time, or answered 5xx."""


class ProviderRateLimited(ProviderError):
    """The provider answered 429: too many requests."""


class CeilingReached(ProviderError):
    """Our own ceiling of calls to an account is reached; the provider was not asked."""


class ProviderAuthError(ProviderError):
    """The provider refused the key (401 or 403). Nothing works on this account until the key is changed."""


class UnexpectedAnswer(ProviderError):
    """The provider answered with something that its documentation does not describe."""


class NotShown(UnexpectedAnswer):
    """The provider works, and does not show (yet) what it says that it has: a badge, or what an event is about."""


class ProviderRejected(ProviderError):
    """The provider understood the request and refused it for good."""

    retryable = False


class NotSent(ProviderRejected):
    """What was to be sent cannot be: the provider was not asked. Somebody has to mend a record here."""


class RefusedAlone(ProviderError):
    """The provider refused this one (403), although the account's key has worked for others since it did before."""


class NoSuchEvent(ProviderRejected):
    """The provider knows no such event: the webhook that told of it was made up, or came before it can be read."""


class NotDelivered(ProviderError):
    """A callback was not taken: its endpoint could not be reached, or answered that it will be able to later."""


class CallbackRefused(ProviderRejected):
    """An endpoint refused a callback for good, or its address is one that nothing is sent to."""


class DuplicateBadge(ProviderRejected):
    """The provider holds this badge for this learner already."""


def describe(error: BaseException) -> str:
    """An error in words that are safe for a log line or a page.

    Errors of other libraries can quote values of an event or a request, so of those only the type and the place
    are told.
    """
    if isinstance(error, BadgesError):
        try:
            return str(error)
        except Exception:  # noqa: BLE001 - an error of a plug-in that cannot even tell itself
            return f"{type(error).__name__}."
    frames = traceback.extract_tb(error.__traceback__)
    # Where our own code stood says more than the depths of a library.
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)] or frames
    if not ours:
        return f"{type(error).__name__}."
    file = Path(ours[-1].filename)
    shown = file.relative_to(_PACKAGE.parent) if file.is_relative_to(_PACKAGE) else file.name
    return f"{type(error).__name__} at {shown}:{ours[-1].lineno}."
