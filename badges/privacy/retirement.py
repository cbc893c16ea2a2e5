"""A learner retires: what this app holds of them beside the foreign keys is deleted or emptied.

What refers to the user record by its key stays, so that a badge can still be revoked and counted. It says nothing of a
person once that record is anonymized, and is gone when it is deleted. See the page on privacy for all that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from attrs import evolve, field, frozen
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext

from badges.issuing import by_hand, erasure
from badges.issuing.erasure import AtProvider, Parting
from badges.models import (
    Application,
    Badge,
    BadgeChange,
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
from badges.models.users import full_name_of, username_of
from badges.privacy.cleaning import clean_dead_event, clean_evidence, clean_webhook, empty_employee, redacted_fields
from badges.privacy.mentions import Person
from badges.privacy.people import LMS_USER_ID
from badges.privacy.rows import Rows, Values
from badges.processing import retirements
from badges.processing.retries import retried

TELLING = (Delivery.Action.ANNOUNCE_AWARDED, Delivery.Action.ISSUE, Delivery.Action.ANNOUNCE_REVOKED)
"""What would tell others of the learner. A revocation at the provider names a badge, and is still carried out."""
NOBODY = Q(pk__in=())


def retire(
    user: Any | None,
    *,
    usernames: Collection[str] = (),
    emails: Collection[str] = (),
    lms_user_id: int | None = None,
    at_provider: AtProvider = AtProvider.KEEP,
    is_dry_run: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Delete or empty what this app holds of a learner beside the foreign keys. Again, it finds nothing more.

    Each row is changed in a small transaction of its own, the badges with their deliveries in one, unless there is one
    around the call. What is to be done at providers begins when that is committed.

    Arguments:
        user: the learner's record, as it was before it was anonymized, or after; None where there is none any more.
        usernames: other names, such as the one from before.
        emails: other addresses, such as the one from before.
        lms_user_id: the id in the LMS, where there is no user record that has it.
        at_provider: what becomes of the learner's badges, here and at their providers.
        is_dry_run: whether to count only, what would be done.
        is_stopping: asked before each row; once true, the rest is left for another call.

    Returns:
        What was done, in numbers; the keys are named in the documentation.
    """
    person = _person(user, usernames, emails, lms_user_id)
    return _Retirement(user, person, Rows(is_dry_run, is_stopping)).carry_out(at_provider)


def _person(user: Any | None, usernames: Collection[str], emails: Collection[str], lms_user_id: int | None) -> Person:
    if user is None:
        return Person.known_as(usernames, emails, (), (lms_user_id,))
    address = str(getattr(user, get_user_model().get_email_field_name(), "") or "")
    ids = (getattr(user, LMS_USER_ID, None), lms_user_id)
    return Person.known_as((username_of(user), *usernames), (address, *emails), (full_name_of(user),), ids)


@frozen
class _Retirement:
    user: Any | None
    person: Person = field(repr=False)
    rows: Rows

    def carry_out(self, at_provider: AtProvider) -> dict[str, int]:
        rows, person, shown = self.rows, self.person, self._shown_as_learner()
        says_so = Q(event_type__in=retirements.event_types())
        # First that of which others would make again, behind us, what is removed after it.
        dead_events = rows.change(DeadEvent.objects.exclude(says_so), partial(clean_dead_event, person))
        # What has none of these names nobody, and need not be read.
        webhooks = rows.change(WebhookEvent.objects.filter(_may_name_somebody()), partial(clean_webhook, person))
        parting, ended = self._part(at_provider)
        return {
            "badges_revoked": len(parting.revoked),
            "deletions": len(parting.deleted),
            "not_deletable": len(parting.left),
            "revocations": len(parting.again),
            "deliveries_cancelled": len(ended),
            "applications": rows.delete(self._applications()),
            "reviews": self._forget_reviewer(),
            "notifications": rows.delete(BadgeNotification.objects.filter(self._of("badge__user"))),
            "changes": rows.change(self._changes(), partial(redacted_fields, person, ("reason",))),
            "evidence": rows.change(
                Fulfillment.objects.filter(self._of("progress__user")), partial(clean_evidence, person)
            ),
            "attempts": self._clean_attempts({*ended, *parting.replaced}),
            "employees": rows.change(
                EmployeeRecord.objects.filter(self._by_link_or("email", EmployeeRecord)), empty_employee, _delete_badges
            ),
            "provider_badges": rows.delete(ProviderBadge.objects.filter(_is_address(ProviderBadge, "email", person))),
            "webhooks": webhooks,
            "admin_log": self._clean_admin_log(shown),
            # Last, that which says that the learner retires: until all is done it can be replayed.
            "dead_events": dead_events
            + rows.change(DeadEvent.objects.filter(says_so), partial(clean_dead_event, person)),
        }

    def _of(self, path: str) -> Q:
        """Whether a foreign key is that of the learner. Without a user record it is nobody's: not what has none."""
        return NOBODY if self.user is None else Q(**{path: self.user})

    def _part(self, at_provider: AtProvider) -> tuple[Parting, set[int]]:
        """What became of the badges, and the deliveries that are cancelled."""
        if self.rows.is_stopping():
            return Parting(), set()
        if self.rows.is_dry_run:
            parting = erasure.parting(erasure.badges_of(self.user), at_provider) if self.user else Parting()
            return parting, self._telling()
        return retried(lambda: self._transact(at_provider))

    def _transact(self, at_provider: AtProvider) -> tuple[Parting, set[int]]:
        with transaction.atomic():
            if at_provider is AtProvider.KEEP or self.user is None:
                ended = self._telling()
                return Parting(), self._cancel(ended)
            # What a revocation would tell others must not be begun with before it is cancelled.
            erasure.hold(self.user)
            ended = self._telling()
            parting = erasure.carry_out(self.user, at_provider)
            self._cancel(self._telling())
        return parting, ended

    def _telling(self) -> set[int]:
        """What is not sent yet. What a worker has at the moment is sent, as if it had been a moment earlier."""
        about = self._of("badge__user") & Q(action__in=TELLING) | self._of("callback__badge__user")
        about |= self._of("callback__review__application__user")
        open_ones = Delivery.objects.filter(about, by_hand.endable(Delivery.Status.CANCELLED))
        return set(open_ones.values_list("pk", flat=True))

    def _cancel(self, deliveries: set[int]) -> set[int]:
        if not deliveries:
            return set()
        ended = by_hand.end(deliveries, Delivery.Status.CANCELLED, gettext("The learner was retired."))
        return {delivery.pk for delivery in ended}

    def _applications(self) -> QuerySet[Application]:
        return Application.objects.filter(self._by_link_or("learner_email", Application))

    def _by_link_or(self, address: str, model: type[Model]) -> Q:
        """Whose user is the learner, or nobody, with the learner's address: several may have one."""
        return self._of("user") | Q(_is_address(model, address, self.person), user=None)

    def _forget_reviewer(self) -> int:
        """Of reviews of others' applications the address goes; what they say belongs to the application."""
        theirs = Review.objects.filter(_is_address(Review, "author_email", self.person))
        if self.rows.is_dry_run:
            return theirs.exclude(application__in=list(self._applications().values_list("pk", flat=True))).count()
        return theirs.update(author_email="")

    def _changes(self) -> QuerySet[BadgeChange]:
        """What staff wrote of the learner's badges; and of others' badges, with the learner's address."""
        written = self._of("badge__user")
        for email in sorted(self.person.emails):
            written |= Q(reason__icontains=email)
        return BadgeChange.objects.filter(written)

    def _clean_attempts(self, ended: set[int]) -> int:
        """They are redacted when they are stored; this is for what staff wrote, and what was not recognized then."""
        deliveries = Delivery.objects.filter(self._of("badge__user") | self._of("callback__badge__user"))
        attempts = DeliveryAttempt.objects.filter(delivery__in=deliveries)
        named = partial(redacted_fields, self.person)

        def texts(row: Delivery) -> Values:
            # The notes of those that are ended are others by then, or would be.
            return named(("last_error",) if row.pk in ended else ("note", "last_error"), row)

        found = self.rows.change(deliveries, texts)
        return found + self.rows.change(attempts, partial(named, ("detail", "reason", "exchanges")))

    def _clean_admin_log(self, about_learner: Collection[tuple[str, str]]) -> int:
        """Django's own log of what staff did in the admin quotes rows as they were shown: names and addresses."""
        if not apps.is_installed("django.contrib.admin"):
            return 0
        entries: Any = apps.get_model("admin", "LogEntry").objects.filter(content_type__app_label="badges")
        without_username = evolve(self.person, usernames=frozenset())
        shown = ("object_repr", "change_message")

        def texts(entry: Any) -> Values:
            # Elsewhere a username may be any word.
            shown_as = (entry.content_type.model, entry.object_id)
            is_theirs = shown_as in about_learner or self._is_named(entry)
            return redacted_fields(self.person if is_theirs else without_username, shown, entry)

        return self.rows.change(entries.select_related("content_type"), texts)

    def _shown_as_learner(self) -> set[tuple[str, str]]:
        """What the log of the admin may tell of by the learner's username: the model, and the key as text."""
        theirs: dict[type[Model], Q] = {
            **{model: self._of("user") for model in (Badge, BadgeProgress, Application)},
            Delivery: self._of("badge__user") | self._of("callback__badge__user"),
        }
        found = set()
        for model, whose in theirs.items():
            keys = model._base_manager.filter(whose).values_list("pk", flat=True)
            found |= {(name, str(pk)) for pk in keys for name in _content_types(model)}
        return found

    def _is_named(self, entry: Any) -> bool:
        """Whether it is about a badge or progress, perhaps deleted by now, that is shown by the learner's name."""
        shown, usernames = entry.object_repr.casefold(), self.person.usernames
        if entry.content_type.model in _content_types(Badge):
            return any(shown.endswith(f" - {username}") for username in usernames)
        is_progress = entry.content_type.model in _content_types(BadgeProgress)
        return is_progress and any(shown.startswith(f"{username} - ") for username in usernames)


def _content_types(model: type[Model]) -> list[str]:
    # Proxies have content types of their own.
    return [one.__name__.lower() for one in (model, *model.__subclasses__())]


def _may_name_somebody() -> Q:
    found = Q(note__contains="@") | Q(last_error__contains="@")
    for at in ("@", "u0040", "%40"):
        found |= Q(body__contains=at)
    for key in ("user", "login", "learner"):
        found |= Q(body__icontains=key)
    return found


def _delete_badges(row: EmployeeRecord) -> None:
    EmployeeBadge.objects.filter(employee=row).delete()


def _is_address(model: type[Model], field: str, person: Person) -> Q:
    """Whether the address in this field is the person's."""
    found = NOBODY
    for email in sorted(person.emails):
        found |= Q(**{f"{field}__iexact": email})
    rows = model._base_manager.filter(found).values_list("pk", field)
    # MySQL takes letters for the same that are not: whose rows they are is decided here.
    return Q(pk__in=[pk for pk, address in rows if address.strip().casefold() in person.emails])
