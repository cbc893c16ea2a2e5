"""What Credly's JSON of a badge and of a badge template means to this app: in lists, answers and events."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from badges.changes import Relation
from badges.data import Criterion, IssuedBadge, ListedBadge, ProviderTemplate, TemplateState
from badges.exceptions import UnexpectedAnswer
from badges.providers.answers import (
    Record,
    has_passed,
    identifier,
    moment,
    own_uuid,
    record,
    records,
    text,
    texts,
    url,
)

logger = logging.getLogger(__name__)

ENDED_STATES = frozenset({"revoked", "rejected", "replaced"})
LONGEST_TITLE = 500
LONGEST_NAME = 255
LONGEST_STATE = 50


def issued(row: Record, external_id: str = "") -> IssuedBadge:
    """A badge as Credly holds it ("Issued Badges").

    Arguments:
        external_id: its identifier, where the answer need not have it.
    """
    state = text(row, "state")[:LONGEST_STATE]
    links = ("accept_badge_url", "badge_url") if state == "pending" else ("badge_url", "accept_badge_url")
    return IssuedBadge(
        external_id=external_id or identifier(row, "id"),
        state=state,
        url=url(row, *links),
        is_valid=state not in ENDED_STATES and not has_passed(row, "expires_at", datetime.now(UTC)),
        is_revoked=state == "revoked",
        state_at=moment(row, "state_updated_at"),
        is_public=flag(row, "public"),
    )


def listed(row: Record) -> ListedBadge:
    """The same with what it takes to find ours."""
    return ListedBadge(
        badge=issued(row),
        own_id=own_uuid(row, "issuer_earner_id"),
        template_external_id=identifier(record(row, "badge_template"), "id"),
        email=text(row, "recipient_email"),
        issued_at=moment(row, "issued_at", "created_at"),
    )


def template(row: Record) -> ProviderTemplate:
    """A badge template ("Badge Templates").

    Raises:
        UnexpectedAnswer: it has no identifier.
    """
    external_id = identifier(row, "id")
    if not external_id:
        raise UnexpectedAnswer("Credly listed a badge template without its id. Nothing was changed; try again later.")
    return ProviderTemplate(
        external_id=external_id,
        name=text(row, "name"),
        description=text(row, "description"),
        image_url=url(row, "image_url") or url(record(row, "image"), "url"),
        state=_template_state(external_id, text(row, "state")),
        skills=texts(row, "skills", "name"),
        criteria=_criteria(row),
        changed_at=max((at for key in ("updated_at", "state_updated_at") if (at := moment(row, key))), default=None),
    )


def relation(row: Record, organization: str) -> tuple[Relation, str] | None:
    """Who issued a badge for whom (Webhooks, "Note on badge.* event types"), and the name of the other organization.

    A badge is issued for the organization to which its template belongs. The issuer is told apart from who authorized
    it by the words "Issued by".

    Arguments:
        organization: ours; its UUID.

    Returns:
        None where nobody is named.
    """
    ours = organization.lower()
    owner = record(record(row, "badge_template"), "owner")
    owner_id, issuers = identifier(owner, "id").lower(), dict(_issuers(record(row, "issuer")))
    if owner_id and owner_id != ours:
        return Relation.FOR_OTHER, _name(owner)
    if issuers and ours not in issuers:
        return Relation.FOR_US, next(iter(issuers.values()))
    return (Relation.OWN, "") if owner_id or issuers else None


def flag(row: Record, key: str) -> bool | None:
    """The truth value under this key; None where there is none."""
    found = row.get(key)
    return found if isinstance(found, bool) else None


def _issuers(issuer: Record) -> Iterator[tuple[str, str]]:
    entities = [(text(one, "label").casefold(), record(one, "entity")) for one in records(issuer, "entities")]
    issuing = [entity for label, entity in entities if label.startswith("issued")] or [entity for _, entity in entities]
    for entity in issuing:
        if external_id := identifier(entity, "id").lower():
            yield external_id, _name(entity)


def _name(organization: Record) -> str:
    return (text(organization, "name") or identifier(organization, "id"))[:LONGEST_NAME]


def _criteria(row: Record) -> tuple[Criterion, ...]:
    activities = tuple(
        Criterion(title=text(one, "title")[:LONGEST_TITLE], url=url(one, "activity_url"))
        for one in records(row, "badge_template_activities")
    )
    general = Criterion(url=url(row, "global_activity_url"))
    known = {one.url for one in activities}
    everything = activities if general.url in known else (*activities, general)
    return tuple(one for one in everything if one.title or one.url)


def _template_state(external_id: str, word: str) -> TemplateState:
    try:
        return TemplateState(word)
    except ValueError:
        # A draft cannot be issued, and unlike an archived template it is not a reason to take anything down.
        # As ASCII: a line break, or half a character, would spoil the log.
        logger.warning("Credly template %a has the unknown state %.60a: it counts as a draft.", external_id, word)
        return TemplateState.DRAFT
