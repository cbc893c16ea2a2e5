"""A badge as its provider tells it: ours follows, one that is not ours is recorded, and adopted where it may be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import evolve
from django.utils.translation import gettext

from badges.changes import BadgeChange, Relation
from badges.data import IssuedBadge, ListedBadge
from badges.issuing import awards
from badges.issuing.adoption import adopt, find, follow, revoke_as_there
from badges.issuing.erasure import delete_again
from badges.issuing.following import is_forgotten
from badges.issuing.verdicts import storable_badge
from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount, ProviderBadge
from badges.models.users import learner_by_email, learners_by_email
from badges.rules.payload import storable_text
from badges.webhooks.applying import provider_badges
from badges.webhooks.applying.locking import MOST_REPLACEMENTS

Action, Status = Delivery.Action, Delivery.Status
ENDS_IT = (Action.REVOKE, Action.DELETE)
MOST_LOOKED_AT, MOST_ADOPTED = 5000, 500
"""Of the badges that waited for a template."""


def apply_badge_change(change: BadgeChange, account: ProviderAccount) -> str:
    """Bring our record of a badge to what its provider says.

    Ours is found by either identifier. Where the provider holds another badge than the one that is known, it counts
    only if it took that one's place: a former badge of the learner, or one issued twice, says nothing of ours.

    Raises:
        UnexpectedAnswer: the badge has no identifier that can be kept.
    """
    held = storable_badge(change.badge.badge)
    change = evolve(change, replaces=change.replaces if storable_text(change.replaces) == change.replaces else "")
    badge = _find(change, held, account)
    if badge is not None and is_forgotten(badge):
        return _forgotten(badge, held, account)
    if badge is not None and badge.external_id == held.external_id:
        return _told(_ours(badge, change, held, account))
    row = provider_badges.record(change, held, account)
    if badge is None and row.badge_id is not None:
        # Another worker may have adopted it while its row was waited for.
        badge = _find(change, held, account)
        if badge is not None and badge.external_id == held.external_id:
            return _told(_ours(badge, change, held, account))
    if badge is None or not _is_of(badge, row):
        return _told(_adopted(row, change, held, account))
    if badge.external_id in ("", row.replaces):
        return _told(_taken(badge, row, change.at))
    return _told(_beside(badge, row))


def adopt_recorded(template_external_id: str, account: ProviderAccount) -> list[str]:
    """Adopt what was told of before its template was known here: events come in any order.

    Call it in the transaction that made the template. Of more than ``MOST_ADOPTED`` the others wait for their next
    event; so does what is more than ``MOST_LOOKED_AT``.

    Returns:
        What was adopted, in sentences.
    """
    rows = ProviderBadge.objects.filter(account_id=account.pk, template_external_id=template_external_id)
    waiting = rows.filter(badge=None, is_valid=True).exclude(email="").order_by("pk").values_list("pk", "email")
    emails = dict(waiting[:MOST_LOOKED_AT])
    users = learners_by_email(emails.values()) if emails else {}
    wanted = [pk for pk, email in emails.items() if email.strip().lower() in users][:MOST_ADOPTED]
    told: list[str] = []
    for row in ProviderBadge.objects.select_for_update().filter(pk__in=wanted).order_by("pk"):
        if row.badge_id is None and row.is_valid:
            held = provider_badges.held_by(row)
            listed = ListedBadge(held, template_external_id=template_external_id, issued_at=row.issued_at)
            change = BadgeChange(listed, at=row.state_at or row.modified, relation=Relation(row.relation))
            told += _adopted(row, change, held, account)
    return told


def _find(change: BadgeChange, held: IssuedBadge, account: ProviderAccount) -> Badge | None:
    """Our badge, locked, that this one is, or whose place it took."""
    badge = find(account.pk, held.external_id, change.badge.own_id)
    return find(account.pk, change.replaces) if badge is None and change.replaces else badge


def _forgotten(badge: Badge, held: IssuedBadge, account: ProviderAccount) -> str:
    """A badge that was deleted there on our behalf: what is told of it is late, and names a learner who is gone."""
    ProviderBadge.objects.filter(account_id=account.pk, external_id=held.external_id).delete()
    if held.is_valid:
        delete_again(badge, held.external_id)
    text = gettext("Badge %(badge)s was deleted at the provider, as was asked for here. Nothing of this event is kept.")
    return text % {"badge": badge.uuid}


def _ours(badge: Badge, change: BadgeChange, held: IssuedBadge, account: ProviderAccount) -> list[str]:
    """The badge that ours is known to be."""
    provider_badges.update_known(change, held, account, badge)
    former = (badge.state, badge.is_public)
    follow(badge, provider_badges.without_older_visibility(badge, held, change.at), change.at)
    told = [*_news(badge, former), *_consequences(badge, held, change.at)]
    return [*told, *_advanced(badge, change.at)] if not held.is_valid else told


def _taken(badge: Badge, row: ProviderBadge, at: datetime) -> list[str]:
    """Our award, of which the provider's answer has not come yet; or what took the place of our badge."""
    former = (badge.state, badge.is_public)
    is_replaced = bool(badge.external_id)
    provider_badges.become(badge, row)
    told = []
    if is_replaced:
        text = gettext("Another badge took the place of badge %(badge)s at the provider.")
        told.append(text % {"badge": badge.uuid})
    return [
        *told,
        *_news(badge, former),
        *_consequences(badge, provider_badges.held_by(row), at),
        *_advanced(badge, at),
    ]


def _advanced(badge: Badge, at: datetime) -> list[str]:
    """Go on to what is known to have taken the badge's place: that may have been told before."""
    told: list[str] = []
    for _ in range(MOST_REPLACEMENTS):
        row = provider_badges.successor(badge)
        if row is None or not _is_of(badge, row):
            break
        former = (badge.state, badge.is_public)
        provider_badges.become(badge, row)
        told += [*_news(badge, former), *_consequences(badge, provider_badges.held_by(row), at)]
    return told


def _beside(badge: Badge, row: ProviderBadge) -> list[str]:
    """A badge with our identifier that is not the one that ours is known to be: a former one, or a second one."""
    if not row.is_valid:
        provider_badges.link(row, badge)
        return []
    text = gettext("The provider holds a second badge for badge %(badge)s. Revoke %(second)s there.")
    provider_badges.explain(row, text % {"badge": badge.uuid, "second": row.external_id})
    return [row.note]


def _adopted(row: ProviderBadge, change: BadgeChange, held: IssuedBadge, account: ProviderAccount) -> list[str]:
    """A badge that is none of ours: adopted where it may be, else noted why not."""
    if (former := provider_badges.formerly(account, row.external_id)) is not None:
        provider_badges.link(row, former)
        return []
    badge, reason = _adopt(row, change, held, account)
    if badge is None:
        provider_badges.explain(row, reason)
        return [gettext("The badge was recorded, and is not ours: %(reason)s") % {"reason": reason}]
    # What was told before may be newer than what made it ours.
    provider_badges.become(badge, row)
    told = gettext("Badge %(badge)s was issued at the provider; it was adopted and announced.") % {"badge": badge.uuid}
    return [told, *_consequences(badge, provider_badges.held_by(row), change.at), *_advanced(badge, change.at)]


def _adopt(
    row: ProviderBadge, change: BadgeChange, held: IssuedBadge, account: ProviderAccount
) -> tuple[Badge | None, str]:
    if row.relation == Relation.FOR_OTHER:
        return None, gettext("it was issued on behalf of another organization.")
    if not held.is_valid:
        return None, gettext("it is not valid.")
    templates = BadgeTemplate.objects.filter(account_id=account.pk, external_id=row.template_external_id)
    template = templates.first() if row.template_external_id else None
    if template is None:
        return None, gettext("its template is not known here. Synchronize the templates.")
    user = learner_by_email(row.email)
    if user is None:
        return None, gettext("there is no active learner, or more than one, with its e-mail address.")
    note = "It was issued at the provider, which told of it by a webhook."
    if (badge := adopt(template, user, evolve(change.badge, badge=held), note)) is not None:
        return badge, ""
    existing = Badge.objects.filter(user=user, template=template).first()
    if existing is not None and not existing.is_awarded:
        text = gettext(
            "badge %(badge)s of this learner is revoked here, and stays so. Revoke the other one there, too."
        )
    else:
        text = gettext("the learner has badge %(badge)s of this template.")
    return None, text % {"badge": existing.uuid if existing is not None else "?"}


def _consequences(badge: Badge, held: IssuedBadge, at: datetime) -> list[str]:
    """What the state of our badge at the provider brings about here."""
    if badge.state != held.state:
        # It was an older one.
        return []
    deliveries: Any = Delivery.objects.filter(badge=badge)
    if badge.is_awarded and held.is_revoked:
        _revoke(badge, badge.state_at or at)
        text = gettext("Badge %(badge)s was revoked here, because it was taken away at the provider.")
        return [text % {"badge": badge.uuid}]
    given_up = Action.ISSUE if badge.is_awarded else Action.REVOKE
    if held.is_valid == badge.is_awarded:
        done = {"note": "It had been given up; the provider told that it is so.", "last_error": "", "failures": 0}
        deliveries.filter(action=given_up, status=Status.DEAD).move(Status.DONE, give_up_at=None, **done)
    elif held.is_valid and not deliveries.filter(action__in=ENDS_IT, status__in=Delivery.OPEN).exists():
        text = gettext("Badge %(badge)s is revoked here, and valid at the provider. Revoke it there, too.")
        return [text % {"badge": badge.uuid}]
    return []


def _revoke(badge: Badge, at: datetime) -> None:
    issue = Delivery.objects.filter(badge=badge, action=Action.ISSUE, status__in=Delivery.OPEN)
    if issue.exists():
        # Somebody may be issuing it anew at this moment: the revocation that follows looks for it.
        awards.revoke([badge], at)
    else:
        revoke_as_there(badge, at, "It was taken away at the provider, which told of it by a webhook.")


def _news(badge: Badge, former: tuple[str, bool | None]) -> list[str]:
    state, is_public = former
    told = []
    if badge.state != state:
        text = gettext('Badge %(badge)s is now "%(state)s" at the provider.')
        told.append(text % {"badge": badge.uuid, "state": badge.state})
    if badge.is_public != is_public and badge.is_public is not None:
        public = gettext("Badge %(badge)s is now visible to everybody at the provider.")
        private = gettext("Badge %(badge)s is now hidden from others at the provider.")
        told.append((public if badge.is_public else private) % {"badge": badge.uuid})
    return told


def _is_of(badge: Badge, row: ProviderBadge) -> bool:
    """Whether a badge of the provider has the template of ours."""
    return row.template_external_id.lower() in ("", (badge.template.external_id or "").lower())


def _told(sentences: list[str]) -> str:
    return " ".join(dict.fromkeys(sentences))
