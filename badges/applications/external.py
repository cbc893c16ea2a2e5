"""Applications and reviews at a BadgeKit system: kept here as copies, which follow the newest word on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from badges.applications.awarding import award_now, may_award_by_itself
from badges.applications.moves import may_move, move, record
from badges.changes import ReviewChange
from badges.exceptions import BadgesError
from badges.models import Application, BadgeTemplate, Criterion, Evidence, ProviderAccount, Review, ReviewItem
from badges.models.users import learner_by_email
from badges.rules.payload import storable_text

Status = Application.Status
LONGEST_SLUG = 255
LARGEST_ID = 2**63 - 1
MOST_EVIDENCE = 100
"""More pieces of one application are left out."""


def store_review(change: ReviewChange, account: ProviderAccount) -> str:
    """Keep a review of an application at a BadgeKit system, and do what it asks for. Call it in a transaction.

    The same review again changes nothing, an update of it changes its copy, and an older one than what is known
    nothing. An approval awards the badge where the template says so, once; it is not taken away by a later review.

    Arguments:
        change: as the system tells it.
        account: the system.

    Returns:
        What was changed, in sentences; empty for nothing.

    Raises:
        BadgesError: the system has no template with the slug that it names, or none yet: to be tried again.
    """
    if not all(0 < len(slug) <= LONGEST_SLUG for slug in (change.application_slug, change.review_slug)):
        return gettext("The review was left out: its identifier, or that of its application, is empty or too long.")
    template = _template(change, account)
    if template is None:
        # BadgeKit tells of it once: it is kept until the template is there, or staff decides.
        raise BadgesError(
            f'The review waits: the system "{account.name}" has no badge template with the slug that it names. Sync '
            "its badges (sync_badgekit_badges)."
        )
    application = _application(change, account, template)
    is_learner_found = _find_learner(application)
    _store_evidence(application, change)
    said = _store(application, change)
    if not said and not is_learner_found:
        return ""
    return " ".join(filter(None, [said, *_follow(application)]))


def _template(change: ReviewChange, account: ProviderAccount) -> BadgeTemplate | None:
    slug = storable_text(change.template_external_id)
    return BadgeTemplate.objects.filter(account_id=account.pk, external_id=slug).first() if slug else None


def _application(change: ReviewChange, account: ProviderAccount, template: BadgeTemplate) -> Application:
    """The copy of an application, locked; made where there is none."""
    slug = storable_text(change.application_slug)
    copies = Application.objects.select_for_update()
    if (found := copies.filter(account_id=account.pk, slug=slug).first()) is not None:
        return found
    try:
        with transaction.atomic():
            made = Application.objects.create(
                account_id=account.pk,
                slug=slug,
                external_id=_id(change.application_id),
                template=template,
                learner_email=_email(change.learner_email),
                submitted_at=change.applied_at,
            )
            record(made)
            return made
    except IntegrityError:
        # Another review of the same application is stored at this moment; or it is not that, and raises here.
        return copies.get(account_id=account.pk, slug=slug)


def _find_learner(application: Application) -> bool:
    """Link the application to its learner, who may have come since. Whether that is news."""
    if application.user_id is not None:
        return False
    application.user = learner_by_email(application.learner_email)
    if application.user is None:
        return False
    application.save(update_fields=["user", "modified"])
    return True


def _store_evidence(application: Application, change: ReviewChange) -> None:
    known = set(application.evidence.values_list("url", flat=True))
    for url, media_type, reflection in change.evidence[: MOST_EVIDENCE - len(known)]:
        cleaned = storable_text(url)
        if cleaned in known or len(cleaned) > 1000 or not cleaned.startswith(("https://", "http://")):
            continue
        known.add(cleaned)
        Evidence.objects.create(
            application=application,
            kind=Evidence.Kind.LINK,
            url=cleaned,
            media_type=storable_text(media_type)[:100],
            reflection=storable_text(reflection),
        )


def _store(application: Application, change: ReviewChange) -> str:
    """Write the review, and say what was changed; empty where it says nothing new."""
    slug = storable_text(change.review_slug)
    known = Review.objects.filter(application=application, slug=slug).first()
    if known is not None and known.reviewed_at > change.at:
        return ""
    said: dict[str, Any] = {
        "external_id": _id(change.review_id),
        "author_email": _email(change.author_email),
        "comment": storable_text(change.comment),
        "is_approved": change.is_approved,
    }
    items = _items(application, change)
    if known is not None and _is_the_same(known, said, items):
        return ""
    review, is_new = Review.objects.update_or_create(
        application=application, slug=slug, defaults={**said, "reviewed_at": change.at}
    )
    review.items.all().delete()
    for item in items:
        item.review = review
    ReviewItem.objects.bulk_create(items)
    if is_new:
        return gettext("A review was stored.")
    return gettext("A review was updated.")


def _items(application: Application, change: ReviewChange) -> list[ReviewItem]:
    criteria: dict[int | None, Criterion] = {
        row.external_id: row
        for row in Criterion.objects.filter(template_id=application.template_id, external_id__isnull=False)
    }
    items = []
    for data in change.items:
        criterion = criteria.get(data.criterion_id) if data.criterion_id is not None else None
        items.append(
            ReviewItem(
                criterion=criterion,
                criterion_external_id=_id(data.criterion_id),
                description=criterion.description if criterion is not None else "",
                is_required=criterion.is_required if criterion is not None else False,
                is_satisfied=data.is_satisfied,
                comment=storable_text(data.comment),
            )
        )
    return items


def _is_the_same(known: Review, said: Mapping[str, Any], items: Sequence[ReviewItem]) -> bool:
    is_said = all(getattr(known, name) == value for name, value in said.items())
    return is_said and _told(known.items.all()) == _told(items)


def _told(items: Any) -> list[tuple[Any, ...]]:
    return [(one.criterion_external_id, one.is_satisfied, one.comment) for one in items]


def _follow(application: Application) -> Sequence[str]:
    """Bring the copy to where the newest review says it is; what there is to say of that."""
    newest = application.reviews.order_by("-reviewed_at", "-pk").first()
    if newest is None:
        return ()
    if not application.is_open:
        return () if newest.is_approved else (_left_as_it_is(application),)
    to = Status.APPROVED if newest.is_approved else Status.RETURNED
    if may_move(application, to):
        move(application, to)
    return _award(application) if newest.is_approved else ()


def _award(application: Application) -> Sequence[str]:
    # The one that it was made for, whatever badge a later review names.
    template = application.template
    if not template.awards_on_approval:
        return (gettext("The application is approved; staff awards the badge."),)
    if application.user is None:
        return (gettext("The application is approved, but its learner is not known here: nothing was awarded."),)
    if not may_award_by_itself(template):
        return (gettext("The application is approved, but its badge template is not active: nothing was awarded."),)
    award_now(application)
    return (application.note or gettext("The badge was awarded."),)


def _left_as_it_is(application: Application) -> str:
    if application.status == Status.AWARDED:
        return gettext("It does not approve the application any more. The badge was awarded, and stays.")
    return gettext("The application is closed, and stays so.")


def _id(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= LARGEST_ID else None


def _email(text: str) -> str:
    """An address as it can be stored; empty where it is none."""
    address = storable_text(text).strip()
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address if len(address) <= 254 else ""
