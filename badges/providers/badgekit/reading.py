"""What BadgeKit's JSON of a badge means to this app, wherever it stands: lists, answers, messages."""

from __future__ import annotations

from badges.data import Criterion, ProviderTemplate, ReviewCriterion, TemplateState
from badges.exceptions import UnexpectedAnswer
from badges.providers.answers import Record, identifier, records, text, texts, url

LONGEST_TITLE = 500


def template(row: Record) -> ProviderTemplate:
    """A badge of BadgeKit as a template.

    Raises:
        UnexpectedAnswer: it has no slug.
    """
    external_id = identifier(row, "slug")
    if not external_id:
        raise UnexpectedAnswer("BadgeKit listed a badge without its slug. Nothing was changed; try again later.")
    criteria = [Criterion(title=title[:LONGEST_TITLE]) for title in _descriptions(row)]
    page = url(row, "criteriaUrl")
    return ProviderTemplate(
        external_id=external_id,
        name=text(row, "name"),
        description=text(row, "consumerDescription", "earnerDescription", "strapline", "description"),
        image_url=url(row, "imageUrl", "imageURL"),
        state=TemplateState.ARCHIVED if row.get("archived") in (True, 1) else TemplateState.ACTIVE,
        skills=texts(row, "tags", "value", "name"),
        criteria=(*criteria, *((Criterion(url=page),) if page else ())),
        review_criteria=_review_criteria(row),
    )


def _review_criteria(row: Record) -> tuple[ReviewCriterion, ...] | None:
    """None where the answer is one without its criteria."""
    if not isinstance(row.get("criteria"), list):
        return None
    return tuple(
        ReviewCriterion(
            external_id=int(number),
            description=text(one, "description"),
            is_required=one.get("required") in (True, 1),
            note=text(one, "note"),
        )
        for one in records(row, "criteria")
        if (number := identifier(one, "id")).isascii() and number.isdecimal() and len(number) < 20
    )


def _descriptions(row: Record) -> list[str]:
    return [title for one in records(row, "criteria") if (title := text(one, "description"))]
