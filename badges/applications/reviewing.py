"""What is done with an application by those who decide: reviewed, assigned, awarded, closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from badges.applications import permissions
from badges.applications.awarding import award_now, may_award_by_itself
from badges.applications.errors import ApplicationRefused, NotAllowed, NotNow
from badges.applications.evidence import checked_text
from badges.applications.moves import lock, move, require_move
from badges.issuing.callbacks import make_for_review
from badges.models import Application, Criterion, Review, ReviewItem
from badges.models.users import learner_by_email
from badges.processing.retries import retried

Status = Application.Status


@frozen
class Judgement:
    """What a reviewer says of one criterion."""

    criterion_id: int
    is_satisfied: bool
    comment: str = field(default="", repr=False)


def review(
    application: Application,
    author: Any,
    *,
    items: Sequence[Judgement] = (),
    comment: str = "",
    approves: bool,
    seen_at: datetime | None = None,
) -> Review:
    """Judge an application: approve it, or give it back to the learner with what is missing.

    Of several reviewers who judge it at the same time the first one counts; the others are told.

    Arguments:
        application: one that waits for a review.
        author: has the permission ``badges.review_application``; not the learner.
        items: of the criteria of its template; one that is left out counts as not satisfied.
        comment: for the learner.
        approves: whether it is approved. Where the template says so, that awards the badge.
        seen_at: the ``submitted_at`` of what the reviewer has read, so that nothing is approved that was changed since.

    Raises:
        NotAllowed: the author may not review it.
        NotNow: it does not wait for a review (any more), or was handed in again meanwhile.
        ApplicationRefused: it is to be approved without a required criterion, or given back without a word.
    """
    _require_made_here(application)
    permissions.require_reviewer(author, application)
    items = [evolve(item, comment=checked_text(item.comment, f"items.{n}")) for n, item in enumerate(items)]
    comment = checked_text(comment, "comment")
    if not approves and not comment and not any(item.comment for item in items):
        raise ApplicationRefused(gettext("Say what is missing, so that the learner can do something."), field="comment")
    return retried(lambda: _review(application, author, items, comment, approves=approves, seen_at=seen_at))


def award(application: Application, by: Any) -> Application:
    """Award the badge of an approved application.

    Arguments:
        application: an approved one; of a copy, the learner is looked for by e-mail address where not known yet.
        by: has the permission ``badges.change_application``; not the learner.

    Returns:
        The application, as it is now: awarded, or closed where the badge was taken away from the learner before.

    Raises:
        NotAllowed: ``by`` may not do it.
        NotNow: it is not approved, its template is not active, or its learner is not known.
    """
    permissions.require_manager(by, application)

    def transact() -> Application:
        with transaction.atomic():
            locked = lock(application)
            require_move(locked, Status.AWARDED)
            if not locked.template.is_active:
                text = gettext(
                    'The badge template "%(name)s" is not active. Activate it; then the badge can be awarded.'
                )
                raise NotNow(text % {"name": locked.template.name})
            if locked.user is None:
                locked.user = learner_by_email(locked.learner_email)
                # The user that was found by the address may be who awards.
                permissions.require_manager(by, locked)
            award_now(locked, by=by)
            return locked

    return retried(transact)


def close(application: Application, reason: str, by: Any) -> Application:
    """End an application without a badge.

    Arguments:
        application: an open one.
        reason: why; the learner reads it.
        by: has the permission ``badges.change_application``.

    Raises:
        NotAllowed: ``by`` may not do it.
        NotNow: it is not open any more.
        ApplicationRefused: there is no reason, or it is too long.
    """
    permissions.require_manager(by, application)
    note = checked_text(reason, "reason")
    if not note:
        raise ApplicationRefused(gettext("Enter a reason."), field="reason")

    def transact() -> Application:
        with transaction.atomic():
            locked = lock(application)
            locked.note = note
            move(locked, Status.CLOSED, by=by, note=note)
            return locked

    return retried(transact)


def assign(application: Application, to: Any, by: Any) -> Application:
    """Say who is to review an application. Others may review it all the same.

    Arguments:
        application: an open one.
        to: who may review it; None for nobody.
        by: has the permission to review or to change applications.

    Raises:
        NotAllowed: ``by`` may not do it.
        NotNow: it is not open any more.
        ApplicationRefused: ``to`` may not review it.
    """
    if not permissions.may_review(by) and not permissions.may_manage(by):
        raise NotAllowed(gettext("You have no permission to review applications."))
    if to is not None and (not permissions.may_review(to) or permissions.is_own(to, application)):
        raise ApplicationRefused(gettext("This user may not review this application."), field="assigned_to")
    with transaction.atomic():
        locked = lock(application)
        if not locked.is_open:
            raise NotNow(gettext("This application is not open any more."))
        locked.assigned_to = to
        locked.save(update_fields=["assigned_to", "modified"])
    return locked


def _require_made_here(application: Application) -> None:
    if application.is_copy:
        raise NotAllowed(gettext("This application is a copy: it is reviewed at the BadgeKit system it came from."))


def _review(
    application: Application,
    author: Any,
    items: Sequence[Judgement],
    comment: str,
    *,
    approves: bool,
    seen_at: datetime | None,
) -> Review:
    with transaction.atomic():
        locked = lock(application)
        to = Status.APPROVED if approves else Status.RETURNED
        require_move(locked, to)
        if seen_at is not None and seen_at != locked.submitted_at:
            raise NotNow(gettext("The learner has handed this application in again meanwhile. Read it anew."))
        criteria = _judged(locked, items)
        if approves:
            _require_satisfied(criteria)
        made = Review.objects.create(
            application=locked, author=author, comment=comment, is_approved=approves, reviewed_at=timezone.now()
        )
        ReviewItem.objects.bulk_create(_item(made, criterion, judged) for criterion, judged in criteria.items())
        move(locked, to, by=author)
        if approves and may_award_by_itself(locked.template):
            award_now(locked)
        # Deliveries come last in the order of locks: see docs/locking.rst.
        make_for_review(made)
    return made


def _judged(application: Application, items: Sequence[Judgement]) -> dict[Criterion, Judgement]:
    """Each criterion of the template with what was said of it."""
    criteria = {criterion.pk: criterion for criterion in application.template.review_criteria.all()}
    said: dict[int, Judgement] = {}
    for number, item in enumerate(items):
        if item.criterion_id not in criteria:
            text = gettext("The criteria of this badge were changed meanwhile. Read them anew.")
            raise ApplicationRefused(text, field=f"items.{number}")
        if item.criterion_id in said:
            raise ApplicationRefused(gettext("A criterion is judged once."), field=f"items.{number}")
        said[item.criterion_id] = item
    return {criterion: said.get(pk, Judgement(pk, is_satisfied=False)) for pk, criterion in criteria.items()}


def _require_satisfied(criteria: Mapping[Criterion, Judgement]) -> None:
    lacking = [one.description for one, said in criteria.items() if one.is_required and not said.is_satisfied]
    if lacking:
        text = gettext("It cannot be approved: these required criteria are not satisfied: %(criteria)s")
        raise ApplicationRefused(text % {"criteria": "; ".join(lacking)}, field="items")


def _item(review: Review, criterion: Criterion, said: Judgement) -> ReviewItem:
    return ReviewItem(
        review=review,
        criterion=criterion,
        criterion_external_id=criterion.external_id,
        description=criterion.description,
        is_required=criterion.is_required,
        is_satisfied=said.is_satisfied,
        comment=said.comment,
    )
