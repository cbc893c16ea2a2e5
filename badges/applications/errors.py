"""Why something cannot be done with an application, in sentences for whoever asked."""

from __future__ import annotations

from typing import ClassVar

from badges.exceptions import Refused


class ApplicationRefused(Refused):
    """What somebody wants to do with an application cannot be done as they want it. Nothing was changed."""


class NotAllowed(ApplicationRefused):
    """Who asked may not do this."""

    code: ClassVar[str] = "not_allowed"


class NotNow(ApplicationRefused):
    """It does not go with how far the application is, perhaps because somebody else was faster."""

    code: ClassVar[str] = "conflict"
