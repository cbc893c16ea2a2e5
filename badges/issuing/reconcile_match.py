"""Which of our badges, learners and templates the badges of a provider's list belong to: a page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.db.models.functions import Lower

from badges.data import ListedBadge
from badges.issuing.reconcile_rules import Match, Ours
from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount
from badges.rules.payload import storable_text


@frozen
class Known:
    """A badge of the list that is one of ours."""

    listed: ListedBadge
    badge: Badge
    by: Match


@frozen
class Unknown:
    """A badge of the list that is none of ours, and the template and the learner that it belongs to, if any."""

    listed: ListedBadge
    template: BadgeTemplate | None = None
    user_id: int | None = None


def badges_of(account: ProviderAccount) -> QuerySet[Badge]:
    """The badges that are issued by an account, with all that is compared."""
    return (
        Badge.objects.filter(template__account=account)
        .select_related("user", "template")
        .prefetch_related("deliveries")
        .order_by("pk")
    )


def ours_of(badge: Badge) -> Ours:
    """A badge with its deliveries, as it is compared."""
    statuses = {delivery.action: delivery.status for delivery in badge.deliveries.all()}
    return Ours(
        is_awarded=badge.is_awarded,
        external_id=badge.external_id,
        state=badge.state,
        url=badge.url,
        issue=statuses.get(Delivery.Action.ISSUE),
        revoke=statuses.get(Delivery.Action.REVOKE),
        delete=statuses.get(Delivery.Action.DELETE),
    )


def own_uuid(text: str) -> uuid.UUID | None:
    """An identifier that travelled with a badge, where it is written as we write ours."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.strip().lower() else None


def match(account: ProviderAccount, page: Sequence[ListedBadge]) -> Iterator[Known | Unknown]:
    """Find what the badges of a page belong to. The number of queries does not depend on how long the page is."""
    sure = _Sure(account, page)
    guessed = _Guessed(account, [listed for listed in page if sure.matched(listed) is None])
    for listed in page:
        yield sure.matched(listed) or guessed.matched(listed)


class _Sure:
    """Badges that are found by an identifier: ours, or the provider's."""

    def __init__(self, account: ProviderAccount, page: Sequence[ListedBadge]) -> None:
        uuids = {own for listed in page if (own := own_uuid(listed.own_id)) is not None}
        external_ids = {external_id for listed in page if (external_id := _key(listed.badge.external_id))}
        self._by_uuid = {badge.uuid: badge for badge in badges_of(account).filter(uuid__in=uuids)} if uuids else {}
        self._by_external_id: dict[str, Badge] = {}
        for badge in badges_of(account).filter(external_id__in=external_ids) if external_ids else ():
            self._by_external_id.setdefault(badge.external_id, badge)

    def matched(self, listed: ListedBadge) -> Known | None:
        own = own_uuid(listed.own_id)
        if own is not None and own in self._by_uuid:
            return Known(listed, self._by_uuid[own], Match.OWN_ID)
        found = self._by_external_id.get(listed.badge.external_id)
        return Known(listed, found, Match.EXTERNAL_ID) if found is not None else None


class _Guessed:
    """What is found by template and learner. An e-mail address that two learners share names neither."""

    def __init__(self, account: ProviderAccount, rows: Sequence[ListedBadge]) -> None:
        template_ids = {key for listed in rows if (key := _key(listed.template_external_id))}
        templates = BadgeTemplate.objects.filter(account=account, external_id__in=template_ids) if template_ids else ()
        self._templates: dict[str, BadgeTemplate] = {str(template.external_id): template for template in templates}
        # A look for e-mail addresses in any spelling reads all users on most databases: only where it can help.
        known = [listed for listed in rows if listed.template_external_id in self._templates]
        self._users = _users_by_email(listed.email for listed in known)
        users = set(self._users.values())
        badges = badges_of(account).filter(user_id__in=users) if users else ()
        self._badges = {(badge.user_id, badge.template_id): badge for badge in badges}

    def matched(self, listed: ListedBadge) -> Known | Unknown:
        template = self._templates.get(listed.template_external_id)
        user_id = self._users.get(_email(listed.email))
        if template is None or user_id is None:
            return Unknown(listed)
        badge = self._badges.get((user_id, template.pk))
        return Known(listed, badge, Match.EMAIL) if badge is not None else Unknown(listed, template, user_id)


def _users_by_email(emails: Iterable[str]) -> dict[str, int]:
    wanted = {email for text in emails if (email := _email(text))}
    if not wanted:
        return {}
    users: Any = get_user_model()._default_manager
    found: dict[str, list[int]] = {}
    rows = users.annotate(lower_email=Lower("email")).filter(lower_email__in=wanted).values_list("pk", "email")
    for pk, email in rows:
        found.setdefault(_email(email), []).append(pk)
    return {email: pks[0] for email, pks in found.items() if email in wanted and len(pks) == 1}


def _email(text: str) -> str:
    return _key(text.strip().lower())


def _key(text: str) -> str:
    """A text to search for; empty where no database can hold it."""
    return text if storable_text(text) == text else ""
