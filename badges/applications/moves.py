"""The one way in which the status of an application changes: by the table, under its lock, and noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from badges.applications.errors import NotNow
from badges.models import Application, ApplicationChange
from badges.rules.payload import storable_text

Status = Application.Status
_NOWHERE: frozenset[str] = frozenset()

MOVES: Mapping[str, frozenset[str]] = {
    # Reviewed; taken back by the learner; closed by staff.
    Status.SUBMITTED: frozenset({Status.RETURNED, Status.APPROVED, Status.WITHDRAWN, Status.CLOSED}),
    # Handed in again.
    Status.RETURNED: frozenset({Status.SUBMITTED, Status.WITHDRAWN, Status.CLOSED}),
    # Awarded at once or by staff; closed where a badge was taken away from the learner before.
    Status.APPROVED: frozenset({Status.AWARDED, Status.WITHDRAWN, Status.CLOSED}),
    Status.AWARDED: _NOWHERE,
    Status.WITHDRAWN: _NOWHERE,
    Status.CLOSED: _NOWHERE,
}
"""Status -> where an application that was made here may go from there. There is no other way."""

MOVES_OF_COPIES: Mapping[str, frozenset[str]] = {
    # BadgeKit's reviews can be changed as long as the badge is not awarded.
    Status.SUBMITTED: frozenset({Status.RETURNED, Status.APPROVED, Status.CLOSED}),
    Status.RETURNED: frozenset({Status.APPROVED, Status.CLOSED}),
    Status.APPROVED: frozenset({Status.RETURNED, Status.AWARDED, Status.CLOSED}),
    Status.AWARDED: _NOWHERE,
    Status.WITHDRAWN: _NOWHERE,
    Status.CLOSED: _NOWHERE,
}
"""The same for copies of applications at a BadgeKit system, which are handed in and reviewed there."""


def may_move(application: Application, to: str) -> bool:
    """Whether an application may go from its status into another one."""
    moves = MOVES_OF_COPIES if application.is_copy else MOVES
    return to in moves[application.status]


def require_move(application: Application, to: str) -> None:
    """
    Raises:
        NotNow: the application cannot go there from where it is.
    """
    if not may_move(application, to):
        text = gettext('This application is "%(status)s" by now, so this cannot be done. Nothing was changed.')
        raise NotNow(text % {"status": application.get_status_display()})


def move(application: Application, to: str, *, by: Any = None, note: str = "") -> None:
    """Bring an application into another status, and note who did it.

    Arguments:
        application: locked, see :func:`lock`; saved with whatever else was changed on it.
        to: the new status.
        by: who did it; None for the platform.
        note: why, in words.

    Raises:
        NotNow: it cannot go there from where it is.
    """
    require_move(application, to)
    application.status = to
    application.processed_at = None if application.is_open else timezone.now()
    application.save()
    record(application, by=by, note=note)


def record(application: Application, *, by: Any = None, note: str = "") -> ApplicationChange:
    """Note the status that an application has now in its history."""
    return ApplicationChange.objects.create(
        application=application, status=application.status, by=by, note=storable_text(note)
    )


def lock(application: Application) -> Application:
    """Read an application anew, and keep others from changing it until the transaction ends.

    Raises:
        NotNow: it is gone.
    """
    # Without its relations: they would be locked too.
    return _found(Application.objects.select_for_update(), application)


def read_anew(application: Application) -> Application:
    """The same without keeping others away, for a first look.

    Raises:
        NotNow: it is gone.
    """
    return _found(Application.objects.all(), application)


def _found(rows: QuerySet[Application], application: Application) -> Application:
    found = rows.filter(pk=application.pk).first()
    if found is None:
        raise NotNow(gettext("This application was deleted."))
    return found
