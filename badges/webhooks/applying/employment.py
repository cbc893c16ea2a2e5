"""Workforce: employees and the badges of theirs that the employer may see, as the provider's events tell them.

Three things are told, and each has its own newest word, so that events may come in any order: the fields of the record
(``as_of``), the list of all badges (``badges_refreshed_at``), and single badges (``EmployeeBadge.as_of``) where an
event did not list the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext, ngettext

from badges.changes import EmploymentChange
from badges.models import EmployeeBadge, EmployeeRecord, ProviderAccount
from badges.models.insertion import insert
from badges.models.users import learner_by_email, learners_by_email
from badges.webhooks.applying import employment_values as values

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""``as_of`` of a record of which nothing is known yet."""
TIMES = frozenset({"as_of", "has_provider_user_at", "badges_refreshed_at"})
"""What says no more than how new the rest is."""
AT_ONCE = 500


def apply_employment(change: EmploymentChange, account: ProviderAccount) -> str:
    """Bring the record of an employee, and the badges that the employer may see, to what an event says.

    Call it in a transaction. The record is made where there is none, and locked.

    Returns:
        What changed, in a sentence that names nobody; empty where nothing did.
    """
    employment_id = values.identifier(change.employment.employment_id)
    if not employment_id or change.at <= NEVER:
        return gettext("The event names no employee, or no time.")
    record = _locked(account, employment_id)
    before, is_new = _values(record), record.as_of == NEVER
    _apply_fields(record, change)
    _apply_provider_user(record, change)
    numbers = _apply_badges(record, change)
    after = _values(record)
    if after == before:
        return ""
    record.save()
    if not (any(numbers) or is_new or any(after[name] != before[name] for name in after if name not in TIMES)):
        return ""
    told = _told(record, is_new=is_new, was_empty=before["is_minimal"], numbers=numbers)
    if change.is_connected and change.badges is None and not _is_emptied(change):
        # Other events list all badges, too, so none is asked for.
        # By itself: gettext's tools do not find a text within an f-string.
        incomplete = gettext("The provider did not list the badges; the next event that does refreshes them.")
        return f"{told} {incomplete}"
    return told


def link_employees() -> int:
    """Link the records of employees whose learner came to have a user record since. How many were.

    Small transactions, and safe at any time.
    """
    linked, last = 0, 0
    while rows := list(
        EmployeeRecord.objects.filter(user=None, pk__gt=last).exclude(email="").order_by("pk")[:AT_ONCE]
    ):
        last = rows[-1].pk
        users = learners_by_email(row.email for row in rows)
        for row in rows:
            if (user := users.get(row.email.lower())) is not None:
                # Only where nothing changed since.
                same = EmployeeRecord.objects.filter(pk=row.pk, user=None, email=row.email)
                linked += same.update(user=user)
    return linked


def emptied(record: EmployeeRecord, at: datetime) -> dict[str, Any]:
    """What a record is to be changed to, so that nothing is in it but its identifier and its time. Its badges go, too.

    Arguments:
        record: locked.
        at: since when there is nothing to be seen; aware. What the provider says of later times fills it again.
    """
    at = max(record.as_of, at)
    times = dict.fromkeys(sorted(TIMES), at)
    return {**values.EMPTY, **times, "user": None, "has_provider_user": None, "is_minimal": True}


def _locked(account: ProviderAccount, employment_id: str) -> EmployeeRecord:
    """The record, locked; made first where there is none."""
    mine = EmployeeRecord.objects.select_for_update().filter(account=account, employment_id=employment_id)
    # Not in the model's own order: that joins the account, which would be locked with it.
    found = mine.order_by("pk").first()
    if found is None:
        # Another worker may make it at this moment: then its row is waited for, and locked, by this very statement.
        insert(
            EmployeeRecord,
            ("account_id", "employment_id", "as_of"),
            [(account.pk, employment_id, NEVER)],
            unique=("account_id", "employment_id"),
            update=("employment_id",),
        )
        found = mine.get()
    return found


def _values(record: EmployeeRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if not name.startswith("_")}


def _is_emptied(change: EmploymentChange) -> bool:
    return change.is_deleted or change.is_minimal


def _apply_fields(record: EmployeeRecord, change: EmploymentChange) -> None:
    if change.at < record.as_of:
        return
    new = values.of_record(change)
    old = {name: getattr(record, name) for name in new}
    if change.at == record.as_of and values.rank(new) <= values.rank(old):
        return
    for name, value in new.items():
        setattr(record, name, value)
    record.as_of = change.at
    if not record.email:
        record.user = None
    elif record.user_id is None or record.email.lower() != str(old["email"]).lower():
        record.user = learner_by_email(record.email)


def _apply_provider_user(record: EmployeeRecord, change: EmploymentChange) -> None:
    """Only some events tell of the account; of a record that is empty nothing is kept."""
    told = None if _is_emptied(change) else change.has_provider_user
    if told is None and not _is_emptied(change):
        return
    known = record.has_provider_user
    # At the same instant: that nothing is kept, then that there is none.
    if (change.at, told is None, told is False) > (record.has_provider_user_at or NEVER, known is None, known is False):
        record.has_provider_user, record.has_provider_user_at = told, change.at


def _apply_badges(record: EmployeeRecord, change: EmploymentChange) -> tuple[int, int, int]:
    """How many were added, changed and removed."""
    listed = () if _is_emptied(change) else change.badges
    rows = {row.external_id: row for row in record.badges.order_by()}
    wanted = values.of_badges((*(listed or ()), *([change.added] if change.added and not _is_emptied(change) else [])))
    gone = values.identifier(change.removed)
    wanted.pop(gone, None)
    if listed is None:
        return _apply_words(record, rows, wanted, gone, change.at)
    if not _is_newest_list(record, rows, wanted, change.at):
        return 0, 0, 0
    record.badges_refreshed_at = change.at
    # What was told of single badges since is newer.
    since = {key for key, row in rows.items() if row.as_of > change.at}
    return _replace(
        record,
        {key: row for key, row in rows.items() if key not in since},
        {key: one for key, one in wanted.items() if key not in since},
        change.at,
    )


def _is_newest_list(
    record: EmployeeRecord, rows: Mapping[str, EmployeeBadge], wanted: values.Badges, at: datetime
) -> bool:
    known = record.badges_refreshed_at
    if known is None or at > known:
        return True
    if at < known:
        return False
    # Two lists of one instant: the shorter one, for what may not be seen weighs more than what may.
    of_then = {key: values.of_row(row) for key, row in rows.items() if row.as_of <= known}
    return values.rank_of_badges(wanted) > values.rank_of_badges(of_then)


def _replace(
    record: EmployeeRecord, rows: Mapping[str, EmployeeBadge], wanted: values.Badges, at: datetime
) -> tuple[int, int, int]:
    vanished = [row for key, row in rows.items() if key not in wanted]
    removed = sum(row.is_visible for row in vanished)
    if vanished:
        EmployeeBadge.objects.filter(pk__in=[row.pk for row in vanished]).delete()
    added, updated = _write(record, rows, wanted, at)
    return added, updated, removed


def _apply_words(
    record: EmployeeRecord, rows: Mapping[str, EmployeeBadge], wanted: values.Badges, gone: str, at: datetime
) -> tuple[int, int, int]:
    """Of an event that lists no badges, but tells of one."""
    if at <= (record.badges_refreshed_at or NEVER):
        return 0, 0, 0
    told: values.Badges = {**wanted, **({gone: None} if gone else {})}
    news = {key: one for key, one in told.items() if key not in rows or _is_news(rows[key], one, at)}
    visible = {key for key in news if key in rows and rows[key].is_visible}
    added, updated = _write(record, rows, news, at)
    removed = sum(1 for key, one in news.items() if one is None and key in visible)
    return added, updated, removed


def _is_news(row: EmployeeBadge, one: values.Badge | None, at: datetime) -> bool:
    if at != row.as_of:
        return at > row.as_of
    # At the same instant, that it is gone weighs more.
    return values.rank_of_badge(one) > values.rank_of_badge(values.of_row(row))


def _write(
    record: EmployeeRecord, rows: Mapping[str, EmployeeBadge], wanted: values.Badges, at: datetime
) -> tuple[int, int]:
    """Make and change rows; how many badges were added and changed, of those that can be seen."""
    made, changed, added, updated = [], [], 0, 0
    for key, one in wanted.items():
        row = rows.get(key)
        if row is None:
            row = EmployeeBadge(employee=record, external_id=key)
            made.append(row)
            added += one is not None
        else:
            changed.append(row)
            added += one is not None and not row.is_visible
            updated += one is not None and row.is_visible and values.of_row(row) != one
        for name, value in (one or values.NO_BADGE).items():
            setattr(row, name, value)
        row.is_visible, row.as_of = one is not None, at
    EmployeeBadge.objects.bulk_create(made)
    if changed:
        EmployeeBadge.objects.bulk_update(changed, [*values.NO_BADGE, "is_visible", "as_of"], batch_size=100)
    return added, updated


def _told(record: EmployeeRecord, *, is_new: bool, was_empty: bool, numbers: tuple[int, int, int]) -> str:
    if record.deleted_at is not None:
        return gettext("The provider deleted the employee's record: it was emptied here.")
    if record.is_minimal:
        return gettext("The provider does not show the employee's data any more: the record was emptied here.")
    if is_new:
        first = gettext("The employee's record was made.")
    elif was_empty:
        first = gettext("The employee's record was filled again.")
    else:
        first = gettext("The employee's record was updated.")
    added, updated, removed = numbers
    parts = [
        ngettext("%d badge was added.", "%d badges were added.", added) % added if added else "",
        ngettext("%d badge was changed.", "%d badges were changed.", updated) % updated if updated else "",
        ngettext("%d badge was removed.", "%d badges were removed.", removed) % removed if removed else "",
    ]
    return " ".join(part for part in (first, *parts) if part)
