"""The host's own records of badges, ``credentials.UserCredential``: one for each badge, written in its transaction.

A record names its learner by a username, and its template by the content type and id. It bears our badge's UUID, so
that it is found again when the host has replaced the username. A record without a badge is left alone: the host keeps
what it has of learners that it deletes, and certificates are in the same table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.utils import timezone

from badges.host.installed import user_credential
from badges.issuing import records
from badges.models import Badge, BadgeTemplate
from badges.models.base import OfProvider
from badges.models.insertion import insert
from badges.models.users import username_of
from badges.processing.retries import retried

logger = logging.getLogger(__name__)

AT_ONCE = 500
COLUMNS = ("created", "modified", "username", "status", "uuid", "credential_content_type_id", "credential_id")

OF_BUILT_IN = ("accrediblegroup", "credlybadgetemplate")
"""Types of templates that the built-in module has, too. Any other template has the type of them all: with that module
back, the host would break at a record of a type without a model."""


@frozen
class Key:
    """What the host tells records apart by, beside their UUIDs."""

    username: str
    content_type_id: int
    credential_id: int


class UserCredentialKeeper(records.Keeper):
    """Keeps a record of the host for each badge.

    Whoever makes records of badges beside this makes a race: the constraints of the table end it, and the transaction
    is done again by those that call it.
    """

    def __init__(self, model: type[models.Model]) -> None:
        """
        Arguments:
            model: ``credentials.UserCredential``, or one with the same fields.
        """
        self._model = model
        self._rows: models.QuerySet[Any] = model._base_manager.order_by("pk")

    def awarded(self, badges: Sequence[Badge]) -> None:
        for some in _in_parts(badges):
            # Their UUIDs are new. A record that bears one all the same is somebody else's, and refuses the badge.
            keys = _keys(some)
            self._write(some, keys, self._found_by_key(some, keys))

    def revoked(self, badges: Sequence[Badge]) -> None:
        self.keep(badges)

    def keep(self, badges: Sequence[Badge]) -> None:
        """Bring the records of badges in step that may have one, and make those that are missing.

        Arguments:
            badges: locked, in the order of their ids; users and templates are loaded.
        """
        for some in _in_parts(badges):
            found, refused = self._found_by_uuid(some)
            for badge in (one for one in some if one.pk in refused):
                logger.error(
                    "Badge %s has no record in the host: another credential bears its UUID.",
                    badge.uuid,
                    extra={"action": "record_refused", "badge": str(badge.uuid)},
                )
            kept = [badge for badge in some if badge.pk not in refused]
            keys = _keys(kept)
            others = [badge for badge in kept if badge.pk not in found]
            self._write(kept, keys, found | self._found_by_key(others, keys))

    def lacking(self, badges: Sequence[Badge]) -> list[int]:
        """The ids of those badges that have no record and can have one, or that are revoked, and their record is not.

        A record that is revoked stays so: somebody did that in the host, and nothing awards a badge anew by itself.
        """
        lacking = []
        for some in _in_parts(badges):
            found, refused = self._found_by_uuid(some)
            possible = [badge for badge in some if badge.pk not in refused]
            lacking += [
                badge.pk
                for badge in possible
                if badge.pk not in found
                or (badge.status == Badge.Status.REVOKED and found[badge.pk].status != badge.status)
            ]
        return lacking

    def _found_by_uuid(self, badges: Sequence[Badge]) -> tuple[dict[int, Any], set[int]]:
        """Id of a badge -> its record; and the badges whose UUID is that of something else.

        A provider may have chosen the UUID, of a badge that was adopted from it. What is a certificate stays one.
        """
        by_uuid = {badge.uuid: badge for badge in badges}
        models_of_ours: list[type[BadgeTemplate]] = [BadgeTemplate, *_proxies().values()]
        ours = {_content_type_id(model) for model in models_of_ours} - {None}
        found: dict[int, Any] = {}
        refused: set[int] = set()
        for row in self._rows.filter(uuid__in=by_uuid):
            badge = by_uuid[row.uuid]
            if row.credential_content_type_id in ours and row.credential_id == badge.template_id:
                found[badge.pk] = row
            else:
                refused.add(badge.pk)
        return found, refused

    def _found_by_key(self, badges: Sequence[Badge], keys: Mapping[int, Key]) -> dict[int, Any]:
        """Id of a badge -> the record that is in the place of its own."""
        if not badges:
            return {}
        wanted = {keys[badge.pk] for badge in badges}
        rows = {_key_of(row): row for row in self._among(wanted)}
        found = {badge.pk: rows[key] for badge in badges if (key := keys[badge.pk]) in rows}
        # A database may take two names for one, "anna" and "Anna": then it is asked which.
        names = {key.username for key in wanted}
        strange = {(key.content_type_id, key.credential_id) for key in rows if key.username not in names}
        for badge in badges:
            key = keys[badge.pk]
            if badge.pk not in found and (key.content_type_id, key.credential_id) in strange:
                for row in self._among([key]):
                    found[badge.pk] = row
        return found

    def _among(self, keys: Iterable[Key]) -> models.QuerySet[Any]:
        """The records of these names, types and ids; also those of one's name and another one's id."""
        return self._rows.filter(
            username__in={key.username for key in keys},
            credential_content_type_id__in={key.content_type_id for key in keys},
            credential_id__in={key.credential_id for key in keys},
        )

    def _write(self, badges: Sequence[Badge], keys: Mapping[int, Key], found: Mapping[int, Any]) -> None:
        now = timezone.now()
        locked = self._locked(row.pk for row in found.values())
        changed, rows = [], []
        for badge in badges:
            row, key = locked.get(found[badge.pk].pk) if badge.pk in found else None, keys[badge.pk]
            if row is None:
                times = (badge.awarded_at, now)
                rows.append((*times, key.username, badge.status, badge.uuid, key.content_type_id, key.credential_id))
            elif (row.status, row.uuid) != (badge.status, badge.uuid):
                # Never the name: the host may have replaced it, and ours may be from before.
                row.status, row.uuid, row.modified = badge.status, badge.uuid, now
                changed.append(row)
        if changed:
            self._model._base_manager.bulk_update(changed, ["status", "uuid", "modified"])
        if rows:
            insert(self._model, COLUMNS, sorted(rows, key=_place))

    def _locked(self, ids: Iterable[int]) -> dict[int, Any]:
        wanted = sorted(set(ids))
        return {row.pk: row for row in self._rows.select_for_update().filter(pk__in=wanted)} if wanted else {}


_keeper: UserCredentialKeeper | None = None


def keep_for_host() -> None:
    """Keep the host's records from now on, where there is a host that has them."""
    global _keeper
    model = user_credential()
    if _keeper is None and model is not None:
        _keeper = UserCredentialKeeper(model)
        records.register(_keeper)


def complete_records(apply: bool, *, keeper: UserCredentialKeeper | None = None) -> int:
    """Make the host's records of badges that have none, and revoke those of revoked ones: of before this keeper, say.

    Arguments:
        apply: whether to do it, in a transaction for some hundreds of badges each; else they are only counted.
        keeper: whose records; by default the host's.

    Returns:
        How many badges there were. None in a project that is not the Credentials service.
    """
    keeper = keeper or _keeper
    if keeper is None:
        return 0
    number = last = 0
    while page := list(_loaded(Badge.objects.filter(pk__gt=last))[:AT_ONCE]):
        last = page[-1].pk
        ids = keeper.lacking(page)
        if apply and ids:
            retried(partial(_complete, keeper, ids))
        number += len(ids)
    if apply and number:
        logger.info("The host's records of %s badges were completed.", number, extra={"action": "records_completed"})
    return number


def _complete(keeper: UserCredentialKeeper, ids: Sequence[int]) -> None:
    badges = Badge.objects.filter(pk__in=ids)
    with transaction.atomic():
        # Learners, too: who is renamed by the host at this moment would keep the old name in the record that is made.
        _lock(get_user_model(), badges.order_by().values_list("user_id", flat=True).distinct())
        _lock(Badge, ids)
        keeper.keep(list(_loaded(badges)))


def _lock(model: type[models.Model], ids: Iterable[int]) -> None:
    """Lock rows by their ids alone: a join would lock those of other tables as well."""
    # Rows that refer to one may come all the same, where the database can tell that from a new name.
    rows = model._base_manager.select_for_update(no_key=connection.features.has_select_for_no_key_update)
    list(rows.filter(pk__in=sorted(ids)).order_by("pk").values_list("pk"))


def _loaded(badges: models.QuerySet[Badge]) -> models.QuerySet[Badge]:
    return badges.select_related("user", "template").order_by("pk")


def _in_parts(badges: Sequence[Badge]) -> Iterator[Sequence[Badge]]:
    for start in range(0, len(badges), AT_ONCE):
        yield badges[start : start + AT_ONCE]


def _proxies() -> dict[str, type[BadgeTemplate]]:
    """The slug of a provider that the built-in module has, too -> the proxy that stands for its templates."""
    subclasses = [one for one in BadgeTemplate.__subclasses__() if one._meta.model_name in OF_BUILT_IN]
    return {one.provider_slug: one for one in subclasses if issubclass(one, OfProvider)}


def _keys(badges: Iterable[Badge]) -> dict[int, Key]:
    """Id of a badge -> what its record is found by where it has another UUID."""
    proxies = _proxies()
    of_provider = {
        provider: _content_type_id_made(proxies.get(provider, BadgeTemplate))
        for provider in {badge.template.provider for badge in badges}
    }
    return {
        badge.pk: Key(username_of(badge.user), of_provider[badge.template.provider], badge.template_id)
        for badge in badges
    }


def _key_of(row: Any) -> Key:
    return Key(row.username, row.credential_content_type_id, row.credential_id)


def _place(row: tuple[Any, ...]) -> tuple[str, int, int]:
    """Where a new row stands in the index of the constraint, which is the order that they are made in."""
    _, _, username, _, _, content_type_id, credential_id = row
    return username, content_type_id, credential_id


_unsettled: set[tuple[str, str]] = set()
"""Content types that were made here, in transactions that may be undone. Django would remember them all the same."""


def _content_type_id(model: type[models.Model]) -> int | None:
    """That of the model itself, be it a proxy, as the built-in module had it; None where there is none."""
    label, name = _natural_key(model)
    if (label, name) in _unsettled:
        return ContentType.objects.filter(app_label=label, model=name).values_list("pk", flat=True).first()
    try:
        return ContentType.objects.get_by_natural_key(label, name).pk
    except ContentType.DoesNotExist:
        return None


def _content_type_id_made(model: type[models.Model]) -> int:
    """The same, made where there is none."""
    if (found := _content_type_id(model)) is not None:
        return found
    label, name = natural = _natural_key(model)
    _unsettled.add(natural)
    transaction.on_commit(partial(_unsettled.discard, natural))
    return ContentType.objects.get_or_create(app_label=label, model=name)[0].pk


def _natural_key(model: type[models.Model]) -> tuple[str, str]:
    return model._meta.app_label, str(model._meta.model_name)
