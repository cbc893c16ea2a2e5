"""Why something cannot be done with an application, in sentences for whoever asked."""

from __future__ import annotations

from typing import ClassVar

from badges.exceptions import BadgesError


class ApplicationRefused(BadgesError):
    """What somebody wants to do cannot be done as they want it. Nothing was changed."""

    code: ClassVar[str] = "invalid"

    def __init__(self, message: str, *, field: str = "") -> None:
        """
        Arguments:
            message: a translated sentence.
            field: what of the input it is about, such as ``evidence.2``, counted from 0; empty: all of it.
        """
        super().__init__(message)
        self.field = field


class NotAllowed(ApplicationRefused):
    """Who asked may not do this."""

    code = "not_allowed"


class NotNow(ApplicationRefused):
    """It does not go with how far the application is, perhaps because somebody else was faster."""

    code = "conflict"
