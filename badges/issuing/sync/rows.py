"""Fits an entry of a provider's list into a row of ours, and writes only what changed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import frozen
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from badges.data import ProviderTemplate, TemplateState
from badges.issuing.sync import criteria
from badges.models import BadgeTemplate, ConfigurationVersion, ProviderAccount
from badges.rules.payload import storable_text

NAME_LENGTH = 255
EXTERNAL_ID_LENGTH = 255
IMAGE_KEY_LENGTH = 255
MOST_LISTED = 100
"""Skills or criteria of one template."""
_is_url = URLValidator(schemes=["http", "https"])


@frozen
class Writer:
    """Writes the rows of one account in one synchronization, or of what its provider tells by itself."""

    account: ProviderAccount
    site_id: int | None
    token: uuid.UUID | None = None
    """Of the synchronization; None where there is none."""

    def store(
        self,
        entry: ProviderTemplate,
        row: BadgeTemplate | None,
        images: Mapping[str, str],
        asked_at: datetime | None = None,
    ) -> str:
        """Create or update the row of an entry.

        Arguments:
            row: the one that is known; None for a new template.
            images: address by ``image_key``, as far as the provider was asked.
            asked_at: when the provider was asked; aware. A newer word that has come in since then stays.

        Returns:
            The name of the outcome, as :class:`badges.issuing.sync.report.Counts` has it; empty where the
            synchronization had seen the entry before and nothing has changed since.

        Raises:
            ValidationError: it has no usable identifier.
            DataError: the database does not take it.
        """
        values = _values(entry, images)
        if row is not None:
            outcome = self._update(row, values, entry.changed_at, asked_at)
        else:
            outcome = self._create(entry.external_id, values, entry.changed_at)
        has_news = entry.review_criteria is not None and self._store_criteria(entry, row)
        return "updated" if has_news and outcome in ("", "unchanged") else outcome

    def _store_criteria(self, entry: ProviderTemplate, row: BadgeTemplate | None) -> bool:
        if row is None:
            row = BadgeTemplate.objects.filter(account=self.account, external_id=entry.external_id).first()
        return row is not None and criteria.store(row, entry.review_criteria or ())

    def _create(self, external_id: str, values: dict[str, Any], changed_at: datetime | None) -> str:
        row = BadgeTemplate(
            account=self.account,
            external_id=external_id,
            site_id=self.site_id,
            is_active=False,
            synced_in=self.token,
            state_at=changed_at,
            **values,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            # Somebody else was first. Only a locking read sees their row on MySQL; the version is locked before it, as
            # by all who change templates.
            ConfigurationVersion.hold()
            found = BadgeTemplate.objects.select_for_update().filter(account=self.account, external_id=external_id)
            if (existing := found.first()) is None:
                raise
            return self._update(existing, values, changed_at, None)
        return "created"

    def _update(
        self, row: BadgeTemplate, values: dict[str, Any], changed_at: datetime | None, asked_at: datetime | None
    ) -> str:
        changed: dict[str, Any] = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not values["image_url"]:
            # The provider does not tell it, or has none under this key: the one that is known stays.
            changed.pop("image_url", None)
        was_archived = row.state == TemplateState.ARCHIVED
        archived = values["state"] == TemplateState.ARCHIVED
        if archived and row.is_active:
            changed["is_active"] = False
        if self.site_id is not None and row.site_id is None:
            changed["site_id"] = self.site_id
        newest = {"state_at": changed_at} if changed_at and (row.state_at is None or changed_at > row.state_at) else {}
        if not changed or _is_overtaken(row, changed_at, asked_at):
            self._note(row, newest)
            return "" if self.token is not None and row.synced_in == self.token else "unchanged"
        seen = {"synced_in": self.token} if self.token is not None else {}
        write(row.pk, {**changed, **newest, **seen})
        return "archived" if archived and not was_archived else "updated"

    def _note(self, row: BadgeTemplate, newest: Mapping[str, datetime]) -> None:
        if newest:
            # By a plain queryset, as in :meth:`badges.issuing.sync.run._Run._mark_as_seen`.
            ConfigurationVersion.hold()
            QuerySet(BadgeTemplate).filter(pk=row.pk).update(**newest)


def _is_overtaken(row: BadgeTemplate, changed_at: datetime | None, asked_at: datetime | None) -> bool:
    """Whether a newer word on a template was stored after the provider had been asked for this one."""
    if changed_at is None or asked_at is None:
        return False
    # Who stores one has the version meanwhile.
    ConfigurationVersion.hold()
    newer = BadgeTemplate.objects.filter(pk=row.pk, state_at__gt=changed_at, modified__gte=asked_at)
    return newer.exists()


def write(pk: int, changed: dict[str, Any]) -> bool:
    """Only what changed, and only if the row still is: staff may be editing or deleting it at this moment.

    Returns:
        Whether it still was.
    """
    with transaction.atomic():
        return bool(BadgeTemplate.objects.filter(pk=pk).update(**changed, modified=timezone.now()))


def can_be_asked_for(entry: ProviderTemplate) -> bool:
    """Whether a database can look for an entry's identifier."""
    return storable_text(entry.external_id) == entry.external_id


def wanted_image(entry: ProviderTemplate, row: BadgeTemplate | None) -> str:
    """The key of the image that the provider is to be asked for; empty where none is."""
    key = entry.image_key
    if not key or entry.image_url or len(key) > IMAGE_KEY_LENGTH or storable_text(key) != key:
        return ""
    return "" if row is not None and row.image_url and row.image_key == key else key


def _values(entry: ProviderTemplate, images: Mapping[str, str]) -> dict[str, Any]:
    if not entry.external_id:
        raise ValidationError(gettext("the provider gave it no identifier."))
    if len(entry.external_id) > EXTERNAL_ID_LENGTH:
        text = gettext("its identifier is longer than %(limit)d characters.")
        raise ValidationError(text % {"limit": EXTERNAL_ID_LENGTH})
    asked = web_address(images.get(entry.image_key, ""))
    told = ({"title": _line(one.title), "url": web_address(one.url)} for one in entry.criteria[:MOST_LISTED])
    return {
        "name": _line(entry.name) or entry.external_id,
        "description": storable_text(entry.description),
        "image_url": asked or web_address(entry.image_url),
        "state": entry.state.value,
        "skills": [line for skill in entry.skills[:MOST_LISTED] if (line := _line(skill))],
        "criteria": [one for one in told if any(one.values())],
        # Only with its image: without one, the provider is asked again next time.
        **({"image_key": entry.image_key} if asked else {}),
    }


def _line(text: str) -> str:
    line = storable_text(text).strip()
    return line if len(line) <= NAME_LENGTH else f"{line[: NAME_LENGTH - 1]}…"


def web_address(text: str) -> str:
    """An address that fits into a row; empty where it is none."""
    limit = BadgeTemplate._meta.get_field("image_url").max_length
    try:
        _is_url(text)
    except ValidationError:
        return ""
    is_kept = storable_text(text) == text and (limit is None or len(text) <= limit)
    return text if is_kept else ""
