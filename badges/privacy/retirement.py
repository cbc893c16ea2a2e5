"""A learner retires: what this app holds of them beside the foreign keys is deleted or emptied.

What refers to the user record by its key stays, so that a badge can still be revoked and counted. It says nothing of a
person once that record is anonymized, and is gone when it is deleted. See the page on privacy for all that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from attrs import evolve
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from badges.data import IncomingEvent
from badges.exceptions import BadgesError
from badges.issuing import by_hand
from badges.models import (
    Application,
    Badge,
    BadgeNotification,
    BadgeProgress,
    DeadEvent,
    Delivery,
    DeliveryAttempt,
    EmployeeBadge,
    EmployeeRecord,
    Fulfillment,
    ProviderBadge,
    Review,
    WebhookEvent,
)
from badges.models.base import TimeStamped
from badges.models.users import full_name_of, username_of
from badges.privacy.mentions import Person
from badges.processing import learners
from badges.processing.dead_events import decoded
from badges.processing.retries import retried
from badges.rules.payload import from_json
from badges.rules.schema import event_schema
from badges.webhooks.applying.employment import emptied

Values: TypeAlias = dict[str, Any]
"""What is to be written to a row; empty where nothing is."""
AT_ONCE = 500
TELLING = (Delivery.Action.ANNOUNCE_AWARDED, Delivery.Action.ISSUE, Delivery.Action.ANNOUNCE_REVOKED)
"""What would tell others of the learner. A revocation at the provider names a badge, and is still carried out."""


def retire(user: Any, *, usernames: Collection[str] = (), emails: Collection[str] = ()) -> dict[str, int]:
    """Delete or empty what this app holds of a learner beside the foreign keys. Again, it finds nothing more.

    Each row is changed in a small transaction of its own, unless there is one around the call.

    Arguments:
        user: the learner's record, as it was before it was anonymized, or after.
        usernames: other names, such as the one from before.
        emails: other addresses, such as the one from before.

    Returns:
        What was done, in numbers; the keys are named in the documentation.
    """
    address = str(getattr(user, get_user_model().get_email_field_name(), "") or "")
    person = Person.known_as((username_of(user), *usernames), (address, *emails), (full_name_of(user),))
    return {
        # First of all: nothing is sent any more.
        "deliveries_cancelled": _cancel_deliveries(user),
        "applications": _delete(_applications(user, person)),
        "reviews": _forget_reviewer(person),
        "notifications": _delete(BadgeNotification.objects.filter(badge__user=user)),
        "evidence": _each(Fulfillment.objects.filter(progress__user=user), partial(_clean_evidence, person)),
        "attempts": _clean_attempts(user, person),
        "employees": _each(
            EmployeeRecord.objects.filter(Q(user=user) | _is_address(EmployeeRecord, "email", person)),
            _empty_employee,
            _delete_badges,
        ),
        "provider_badges": _delete(ProviderBadge.objects.filter(_is_address(ProviderBadge, "email", person))),
        "dead_events": _each(DeadEvent.objects.all(), partial(_clean_dead_event, person)),
        # What has none of these names nobody, and need not be read.
        "webhooks": _each(
            WebhookEvent.objects.filter(Q(body__contains="@") | Q(body__contains="u0040") | Q(body__icontains="user")),
            partial(_clean_webhook, person),
        ),
        "admin_log": _clean_admin_log(user, person),
    }


def _cancel_deliveries(user: Any) -> int:
    """What is not sent yet is not sent. One that a worker has at the moment is, as if it had been a moment earlier."""
    about = Q(badge__user=user, action__in=TELLING) | Q(callback__badge__user=user)
    about |= Q(callback__review__application__user=user)
    ids = list(Delivery.objects.filter(about, by_hand.endable(Delivery.Status.CANCELLED)).values_list("pk", flat=True))
    if not ids:
        return 0
    return len(by_hand.end(ids, Delivery.Status.CANCELLED, gettext("The learner was retired.")))


def _applications(user: Any, person: Person) -> QuerySet[Application]:
    return Application.objects.filter(Q(user=user) | Q(_is_address(Application, "learner_email", person), user=None))


def _forget_reviewer(person: Person) -> int:
    """Of reviews of others' applications the address goes; what they say belongs to the application."""
    return Review.objects.filter(_is_address(Review, "author_email", person)).update(author_email="")


def _clean_evidence(person: Person, row: Fulfillment) -> Values:
    """What the rules looked at in events, where that was something personal: by default it cannot be."""
    found = row.evidence if isinstance(row.evidence, dict) else {}
    kept = {path: value for path, value in found.items() if not _is_personal(path, value, person)}
    return {} if kept == row.evidence else {"evidence": kept}


def _is_personal(path: str, value: Any, person: Person) -> bool:
    return "pii" in path.split(".") or person.is_in({path.rpartition(".")[2]: value})


def _clean_attempts(user: Any, person: Person) -> int:
    """They are redacted when they are stored; this is for what staff wrote, and for what was not recognized then."""
    deliveries = Delivery.objects.filter(Q(badge__user=user) | Q(callback__badge__user=user))
    attempts = DeliveryAttempt.objects.filter(delivery__in=deliveries)
    return _each(deliveries, partial(_redacted_fields, person, ("note", "last_error"))) + _each(
        attempts, partial(_redacted_fields, person, ("detail", "reason", "exchanges"))
    )


def _redacted_fields(person: Person, names: Iterable[str], row: Any) -> Values:
    redacted = {name: _redacted(getattr(row, name), person) for name in names}
    return {name: value for name, value in redacted.items() if value != getattr(row, name)}


def _redacted(value: Any, person: Person) -> Any:
    if isinstance(value, str):
        return person.redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(item, person) for key, item in value.items()}
    return [_redacted(item, person) for item in value] if isinstance(value, list) else value


def _empty_employee(row: EmployeeRecord) -> Values:
    """The identifier stays for a while: an event from before would make anew a record that is not there."""
    if row.is_minimal and not (row.email or row.external_id or row.user_id):
        return {}
    return emptied(row, timezone.now())


def _delete_badges(row: EmployeeRecord) -> None:
    EmployeeBadge.objects.filter(employee=row).delete()


def _clean_dead_event(person: Person, row: DeadEvent) -> Values:
    """An event of the learner is emptied, and not replayed; from one of somebody else the learner's name is removed."""
    texts = [row.error, row.note]
    if not (person.is_in([row.payload, row.metadata, *texts]) or _is_in_message(row.body, person)):
        return {}
    values: Values = {"metadata": person.without(row.metadata), "error": person.redacted(row.error)}
    if _is_about_somebody_else(row, person):
        return {**values, "payload": person.without(row.payload), "note": person.redacted(row.note)}
    if row.status == DeadEvent.Status.WAITING:
        values["status"] = DeadEvent.Status.DISCARDED
    return {**values, "payload": {}, "body": None, "note": gettext("It was emptied: its learner was retired.")}


def _is_in_message(body: Any, person: Person) -> bool:
    if body is None:
        return False
    try:
        fields = decoded(body)
    except ValueError:
        return person.is_in(body)
    return any(person.is_in_bytes(content) for content in fields.values())


def _is_about_somebody_else(row: DeadEvent, person: Person) -> bool:
    """Whether the learner of the event is another one, and the person was staff. False where that cannot be told."""
    if row.body is not None or row.event_id is None or row.event_time is None:
        return False
    try:
        arguments = from_json(event_schema(row.event_type), row.payload)
        learner = learners.identify(IncomingEvent(row.event_type, row.event_id, row.event_time, arguments))
    except BadgesError:
        return False
    if learner is None:
        return False
    return learner.username.casefold() not in person.usernames and learner.email.casefold() not in person.emails


def _clean_webhook(person: Person, row: WebhookEvent) -> Values:
    """What a provider sent is emptied, and not processed any more. Told of again, it is known, and changes nothing."""
    if not row.body or not person.is_in_text(row.body):
        return {}
    values: Values = {"body": ""}
    # One that a worker has at the moment is ended by that.
    if row.status in (WebhookEvent.Status.RECEIVED, WebhookEvent.Status.FAILED, WebhookEvent.Status.DEAD):
        note = gettext("It was emptied: its learner was retired.")
        values |= {"status": WebhookEvent.Status.DISCARDED, "finished_at": timezone.now(), "note": note}
    return values


def _clean_admin_log(user: Any, person: Person) -> int:
    """Django's own log of what staff did in the admin quotes rows as they were shown: names and addresses."""
    if not apps.is_installed("django.contrib.admin"):
        return 0
    entries: Any = apps.get_model("admin", "LogEntry").objects.filter(content_type__app_label="badges")
    shown = ("object_repr", "change_message")
    without_username = evolve(person, usernames=frozenset())
    cleaned = _each(entries, partial(_redacted_fields, without_username, shown))
    for model in (Badge, BadgeProgress):
        # Proxies have content types of their own. Only here: elsewhere a username may be any word.
        names = [one.__name__.lower() for one in (model, *model.__subclasses__())]
        keys = [str(pk) for pk in model._base_manager.filter(user=user).values_list("pk", flat=True)]
        about = entries.filter(content_type__model__in=names, object_id__in=keys)
        cleaned += _each(about, partial(_redacted_fields, person, shown))
    return cleaned


def _nothing(row: Any) -> None:
    """Where nothing else is to be done."""


def _is_address(model: type[Model], field: str, person: Person) -> Q:
    """Whether the address in this field is the person's."""
    found = Q(pk__in=())
    for email in sorted(person.emails):
        found |= Q(**{f"{field}__iexact": email})
    rows = model._base_manager.filter(found).values_list("pk", field)
    # MySQL takes letters for the same that are not: whose rows they are is decided here.
    return Q(pk__in=[pk for pk, address in rows if address.strip().casefold() in person.emails])


def _delete(rows: QuerySet[Any]) -> int:
    """Delete rows with what belongs to them; how many, not counting that."""
    return sum(retried(partial(_delete_one, row)) for page in _pages(rows) for row in page)


def _delete_one(row: Any) -> bool:
    with transaction.atomic():
        # Before what belongs to it, as by all who change that.
        locked = type(row)._base_manager.select_for_update().filter(pk=row.pk).order_by("pk").first()
        return locked is not None and bool(locked.delete()[0])


def _each(rows: QuerySet[Any], change: Callable[[Any], Values], also: Callable[[Any], None] = _nothing) -> int:
    """Write to each row what it is to be changed to; how many were. Only those are locked.

    Arguments:
        rows: which ones.
        change: what is to be written to a row.
        also: what else is done then, in the same transaction.
    """
    meant = (row for page in _pages(rows) for row in page if change(row))
    return sum(retried(partial(_change_one, row, change, also)) for row in meant)


def _change_one(row: Any, change: Callable[[Any], Values], also: Callable[[Any], None]) -> bool:
    every = type(row)._base_manager
    with transaction.atomic():
        # It may be another one by now.
        locked = every.select_for_update().filter(pk=row.pk).order_by("pk").first()
        values = change(locked) if locked is not None else {}
        if not values:
            return False
        also(row)
        stamp = {"modified": timezone.now()} if isinstance(row, TimeStamped) else {}
        every.filter(pk=row.pk).update(**stamp, **values)
    return True


def _pages(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        # Before they are worked on: one that is deleted has no key any more.
        last = page[-1].pk
        yield page
