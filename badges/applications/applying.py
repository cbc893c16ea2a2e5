"""What is done with an application by its learner: handed in, handed in again, taken back. Staff can do it for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext

from badges.applications import evidence as pieces
from badges.applications import files, permissions
from badges.applications.errors import ApplicationRefused, NotAllowed, NotNow
from badges.applications.evidence import NewEvidence
from badges.applications.moves import lock, move, read_anew, record, require_move
from badges.models import Application, Badge, BadgeTemplate
from badges.processing.retries import retried

Status = Application.Status


def submit(
    template: BadgeTemplate, learner: Any, *, statement: str = "", evidence: Sequence[NewEvidence] = (), by: Any = None
) -> Application:
    """Apply for a badge.

    Arguments:
        template: it takes applications, and is active.
        learner: for whom; without a badge of this template, and without an open application for it.
        statement: what the learner says.
        evidence: what the learner shows; see :func:`badges.applications.evidence.checked`.
        by: who hands it in for the learner, with the permission to; None for the learner.

    Raises:
        NotAllowed: ``by`` may not act for others.
        NotNow: there is an open application already, or a badge.
        ApplicationRefused: the template takes none, or something of what was handed in is not taken.
    """
    _require_for_others(by, learner)
    if not template.takes_applications or not template.is_active:
        text = gettext('For the badge "%(name)s" no applications are taken.')
        raise ApplicationRefused(text % {"name": template.name}, field="template")
    _require_no_badge(template, learner)
    statement, checked = _what_is_handed_in(statement, evidence)
    if not statement and not checked:
        raise ApplicationRefused(gettext("Write why you should have this badge, or show something."), field="statement")
    with files.removed_on_failure() as names:
        pieces.store_files(checked, names)
        return retried(lambda: _submit(template, learner, statement, checked, names, by))


def resubmit(
    application: Application,
    *,
    statement: str | None = None,
    evidence: Sequence[NewEvidence] = (),
    by: Any = None,
) -> Application:
    """Hand an application in again after more was asked for.

    Arguments:
        application: one that was returned.
        statement: in the place of the former one; None to keep that.
        evidence: what is shown besides the former.
        by: who does it: the learner, None for the learner too, or whoever has the permission to act for others.

    Returns:
        The application, as it is now.

    Raises:
        NotAllowed: ``by`` may not do it.
        NotNow: nothing more is asked.
        ApplicationRefused: something of what was handed in is not taken.
    """
    permissions.require_applicant(by if by is not None else application.user, application)
    # Before files are stored for nothing; it is asked again under the lock.
    require_move(read_anew(application), Status.SUBMITTED)
    text, checked = _what_is_handed_in(statement or "", evidence)
    new_statement = text if statement is not None else None
    with files.removed_on_failure() as names:
        pieces.store_files(checked, names)
        return retried(lambda: _resubmit(application, new_statement, checked, names, by))


def withdraw(application: Application, *, by: Any = None, reason: str = "") -> Application:
    """Take an application back.

    Arguments:
        application: an open one.
        by: as in :func:`resubmit`.
        reason: why, if the learner says so.

    Raises:
        NotAllowed: ``by`` may not do it.
        NotNow: it is not open any more.
        ApplicationRefused: the reason is too long.
    """
    permissions.require_applicant(by if by is not None else application.user, application)
    note = pieces.checked_text(reason, "reason")

    def transact() -> Application:
        with transaction.atomic():
            locked = lock(application)
            move(locked, Status.WITHDRAWN, by=by if by is not None else locked.user, note=note)
            return locked

    return retried(transact)


def _require_for_others(by: Any, learner: Any) -> None:
    if by is not None and by.pk != learner.pk and not permissions.may_apply_for_others(by):
        raise NotAllowed(gettext("You have no permission to act for other learners."))
    if not learner.is_active:
        raise ApplicationRefused(gettext("This learner's record is not active."), field="learner")


def _require_no_badge(template: BadgeTemplate, learner: Any) -> None:
    badge = Badge.objects.filter(user_id=learner.pk, template=template).first()
    if badge is None:
        return
    if badge.is_awarded:
        text = gettext('The badge "%(name)s" is awarded to this learner already.')
    else:
        text = gettext('The badge "%(name)s" was taken away from this learner, and is not awarded again.')
    raise NotNow(text % {"name": template.name}, field="template")


def _what_is_handed_in(statement: str, evidence: Sequence[NewEvidence]) -> tuple[str, list[NewEvidence]]:
    return pieces.checked_text(statement, "statement"), pieces.checked(evidence)


def _submit(
    template: BadgeTemplate,
    learner: Any,
    statement: str,
    evidence: Sequence[NewEvidence],
    names: Sequence[str],
    by: Any,
) -> Application:
    with transaction.atomic():
        application = Application(template=template, user=learner, statement=statement, submitted_at=timezone.now())
        try:
            with transaction.atomic():
                application.save()
        except IntegrityError as error:
            if not Application.objects.filter(user=learner, template=template, open_marker=True).exists():
                raise
            text = gettext('There is an open application for the badge "%(name)s" already.')
            raise NotNow(text % {"name": template.name}, field="template") from error
        pieces.store(application, evidence, names)
        record(application, by=by if by is not None else learner)
    return application


def _resubmit(
    application: Application,
    statement: str | None,
    evidence: Sequence[NewEvidence],
    names: Sequence[str],
    by: Any,
) -> Application:
    with transaction.atomic():
        locked = lock(application)
        if statement is not None:
            locked.statement = statement
        locked.submitted_at = timezone.now()
        move(locked, Status.SUBMITTED, by=by if by is not None else locked.user)
        pieces.store(locked, evidence, names)
    return locked
