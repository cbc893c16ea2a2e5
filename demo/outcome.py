"""What came of the learners' deeds: read from the database, compared with what was expected. Needs Django set up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import redis
from attrs import frozen
from django.conf import settings

from badges.models import Badge, BadgeProgress, BadgeTemplate, Delivery, WebhookEvent
from demo.scenario import TOPIC, Expected, Templates


@frozen
class Found:
    """How far one learner is with one badge."""

    learner: str
    badge: str
    fulfilled: int
    groups: int
    status: str
    state: str
    external_id: str
    url: str


class Unexpected(Exception):
    """Something did not come out as it must. The text has one sentence for each."""


def find(progress: BadgeProgress) -> Found:
    """How far the learner of a progress record is."""
    groups = progress.group_states()
    badge = Badge.objects.filter(user=progress.user, template=progress.template).first()
    return Found(
        learner=progress.user.get_username(),
        badge=progress.template.name,
        fulfilled=sum(groups.values()),
        groups=len(groups),
        status=badge.status if badge else "",
        state=badge.state if badge else "",
        external_id=badge.external_id if badge else "",
        url=badge.url if badge else "",
    )


def all_found() -> list[Found]:
    """Every progress record, by learner."""
    records = BadgeProgress.objects.select_related("user", "template").order_by("user__username", "template__name")
    return [find(record) for record in records]


def badges_of(learner: str) -> list[Found]:
    """What a learner has that is issued at a provider."""
    return [one for one in all_found() if one.learner == learner and one.external_id]


Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def progress_table() -> Table:
    """How far every learner is: head and rows."""
    rows = [
        (one.learner, one.badge, f"{one.fulfilled} of {one.groups}", one.status or "not yet") for one in all_found()
    ]
    return ("learner", "badge", "progress", "badge is"), rows


def issued_table() -> Table:
    """What the providers hold: head and rows."""
    rows = [(one.learner, one.state, one.external_id, one.url) for one in all_found() if one.external_id]
    return ("learner", "state", "external id", "address"), rows


def inbox_table(event_ids: Collection[str]) -> Table:
    """What became of some of the provider's events, in the order in which they happened: head and rows."""
    found = WebhookEvent.objects.filter(event_id__in=event_ids).order_by("occurred_at", "pk")
    rows = [(event.event_type, event.status, " ".join(event.note.split())) for event in found]
    return ("event", "is", "what it changed"), rows


def is_inbox_done() -> bool:
    """Whether every webhook that came is processed, or was of no interest."""
    return not WebhookEvent.objects.filter(status__in=WebhookEvent.OPEN).exists()


def verify(expected: Sequence[Expected], templates: Templates, at_providers: Mapping[str, Any]) -> None:
    """Compare what is in the database, and at the providers, with what is expected: no more, and no less.

    Arguments:
        at_providers: the state of the provider sandbox.

    Raises:
        Unexpected: it differs.
    """
    wanted = {(item.who.username, templates.by_kind(item.template).name): item for item in expected}
    found = {(item.learner, item.badge): item for item in all_found()}
    wrong = [f"{learner} has progress towards {badge!r}, and should not." for learner, badge in found.keys() - wanted]
    wrong += [f"{learner} has no progress towards {badge!r}." for learner, badge in wanted.keys() - found.keys()]
    for key in wanted.keys() & found.keys():
        wrong += _differences(wanted[key], found[key], templates.by_kind(wanted[key].template))
    if unfinished := list(Delivery.objects.exclude(status=Delivery.Status.DONE).order_by("pk")):
        wrong += [f"Delivery {row.pk} ({row.action}) is {row.status}: {row.last_error}" for row in unfinished]
    ended = (WebhookEvent.Status.PROCESSED, WebhookEvent.Status.IGNORED)
    for event in WebhookEvent.objects.exclude(status__in=ended).order_by("pk"):
        wrong.append(f"Webhook event {event.pk} ({event.event_type}) is {event.status}: {event.last_error}")
    wrong += _disagreements(at_providers)
    if wrong:
        raise Unexpected("\n".join(sorted(wrong)))


def _differences(expected: Expected, found: Found, template: BadgeTemplate) -> Iterable[str]:
    who = f"{found.learner}, {found.badge!r}:"
    if (found.fulfilled, found.groups) != (expected.fulfilled, expected.groups):
        yield f"{who} progress is {found.fulfilled}/{found.groups}, not {expected.fulfilled}/{expected.groups}."
    if found.status != expected.badge:
        yield f"{who} the badge is {found.status or 'not there'}, not {expected.badge or 'absent'}."
    if expected.badge and found.state not in expected.states:
        yield f"{who} the provider says {found.state!r}, not {' or '.join(sorted(expected.states))!r}."
    if expected.badge and template.has_provider and not found.external_id:
        yield f"{who} the badge has no identifier at the provider."


def _disagreements(at_providers: Mapping[str, Any]) -> Iterable[str]:
    credly = {badge["id"]: badge["state"] for badge in at_providers["credly"]["badges"]}
    accredible = {
        credential["id"]: "expired" if credential["expired_on"] else "published"
        for credential in at_providers["accredible"]["credentials"]
    }
    theirs = {**credly, **accredible}
    ours = dict(Badge.objects.exclude(external_id="").values_list("external_id", "state"))
    for external_id in sorted(theirs.keys() | ours.keys()):
        if theirs.get(external_id) != ours.get(external_id):
            known = f"{ours.get(external_id, 'absent')} here and {theirs.get(external_id, 'absent')} at the provider"
            yield f"The badge with the provider's identifier {external_id} is {known}."


@frozen
class Stream:
    """The topic in Redis, and how far the consumer group is with it."""

    client: redis.Redis
    group: str

    def has_consumer(self) -> bool:
        """Whether a consumer waits for messages; the stock one skips what was published before that."""
        # Asked of the connections: Redis 6 lists no consumer in the group before its first message.
        return any(one["cmd"] == "xreadgroup" and "b" in one["flags"] for one in self.client.client_list())

    def is_drained(self) -> bool:
        """Whether the group has read, and finished, every message that there is."""
        newest = self.client.xinfo_stream(TOPIC)["last-generated-id"]
        group = next(group for group in self.client.xinfo_groups(TOPIC) if group["name"].decode() == self.group)
        return bool(group["last-delivered-id"] == newest and group["pending"] == 0)

    def is_settled(self) -> bool:
        """Whether that is so, and what the events caused is carried out: that begins after they are acknowledged."""
        # Asked twice: an announcement puts one more message on the topic.
        has_open = Delivery.objects.filter(status__in=Delivery.OPEN).exists
        return self.is_drained() and not has_open() and self.is_drained()

    def counts(self) -> Counter[str]:
        """Event type -> number of messages on the topic."""
        messages: Any = self.client.xrange(TOPIC)
        return Counter(fields[b"type"].decode() for _, fields in messages)


def connect_to_stream(group: str) -> Stream:
    """The topic, on the Redis that the settings name."""
    return Stream(redis.Redis.from_url(settings.EVENT_BUS_REDIS_CONNECTION_URL), group)
