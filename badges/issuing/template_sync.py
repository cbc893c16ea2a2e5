"""Brings a provider account's templates here: created, updated, and archived when they are gone; never deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from badges.data import ProviderTemplate, TemplatePage, TemplateState
from badges.exceptions import ConfigurationError, UnexpectedAnswer
from badges.models import Badge, BadgeRequirement, BadgeTemplate, ProviderAccount
from badges.providers import registry
from badges.providers.base import Provider
from badges.rules.payload import storable_text

logger = logging.getLogger(__name__)

NAME_LENGTH = 255
EXTERNAL_ID_LENGTH = 255
_is_url = URLValidator(schemes=["http", "https"])


@frozen
class PageReport:
    """What one page of the provider's list came to."""

    account: str
    number: int
    total_pages: int | None
    templates: int
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    archived: int = 0

    def __str__(self) -> str:
        values = {
            **_counts(self),
            "account": self.account,
            "number": self.number,
            "total": self.total_pages or "?",
            "templates": self.templates,
        }
        return (
            gettext(
                "%(account)s: page %(number)d of %(total)s: %(templates)d templates (%(created)d created, "
                "%(updated)d updated, %(unchanged)d unchanged, %(archived)d archived)."
            )
            % values
        )


@frozen
class Vanished:
    """A template that the provider no longer lists, and what depends on it here."""

    name: str
    external_id: str
    requirements: int
    badges: int

    def __str__(self) -> str:
        requirements = ngettext("%d requirement", "%d requirements", self.requirements) % self.requirements
        badges = ngettext("%d badge", "%d badges", self.badges) % self.badges
        return gettext(
            '"%(name)s" is no longer at the provider: archived and deactivated. It has %(requirements)s and %(badges)s.'
        ) % {"name": self.name, "requirements": requirements, "badges": badges}


@frozen
class SyncReport:
    """What a whole synchronization came to. ``archived`` counts those that vanished too."""

    account: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    archived: int = 0
    vanished: tuple[Vanished, ...] = ()
    skipped: tuple[str, ...] = ()
    """Entries of the provider's list that could not be stored, with the reason."""

    def __str__(self) -> str:
        text = gettext(
            "%(account)s: %(created)d created, %(updated)d updated, %(unchanged)d unchanged, %(archived)d archived."
        )
        return text % {**_counts(self), "account": self.account}


def _counts(report: PageReport | SyncReport) -> dict[str, object]:
    return {name: getattr(report, name) for name in ("created", "updated", "unchanged", "archived")}


def sync_templates(
    account: ProviderAccount,
    *,
    site_id: int | None = None,
    on_page: Callable[[PageReport], None] | None = None,
    allow_empty: bool = False,
) -> SyncReport:
    """Read all templates of an account from its provider, page after page, each page in a transaction of its own.

    New templates are created inactive. What is ours (UUID, whether it is active, its requirements) stays, but a
    template that the provider archived, or that is missing from the complete list, is archived and deactivated.
    Nothing of another account is touched.

    Arguments:
        account: whose templates.
        site_id: the site of new templates, and of those that have none.
        on_page: called after each page is stored.
        allow_empty: believe a provider that lists nothing at all although templates are known here. Without it that
            is an error, because it is far more often a defect or a wrong key than the truth.

    Raises:
        ConfigurationError: there is no such site, or the account cannot be used.
        ProviderError: the provider could not be read to its end. The pages before stay stored; nothing is archived
            as missing.
    """
    if site_id is not None and not Site.objects.filter(pk=site_id).exists():
        raise ConfigurationError(gettext("There is no site with the id %(id)s.") % {"id": site_id})
    provider = registry.connect(account.as_data())
    if not provider.features.lists_templates:
        raise ConfigurationError(
            gettext("%(provider)s does not list templates. Add them by hand, at Badge templates.")
            % {"provider": provider.label}
        )
    run = _Run(account, site_id)
    pages = 0
    for page in provider.templates():
        pages += 1
        page_report = run.store(page)
        if on_page is not None:
            on_page(page_report)
    if not run.seen and not allow_empty:
        _refuse_emptiness(account)
    report = run.finish(_missing(account, run.seen, provider if pages > 1 else None))
    logger.info("Templates synchronized. %s", report, extra={"action": "sync_templates", "account_id": account.pk})
    return report


def _refuse_emptiness(account: ProviderAccount) -> None:
    known = BadgeTemplate.objects.filter(account=account).exclude(state=TemplateState.ARCHIVED).count()
    if known:
        raise UnexpectedAnswer(
            gettext(
                'The provider lists no template at all for "%(account)s", although %(known)d are known here. '
                "Nothing was changed. Check the key and the account; if they were all deleted indeed, run the command "
                "of this synchronization with --allow_empty."
            )
            % {"account": account.name, "known": known}
        )


def _missing(account: ProviderAccount, seen: set[str], again: Provider | None) -> list[int]:
    """The ids of the templates that the complete list did not have.

    A template deleted at the provider while its pages are read moves all later ones up, past a page boundary, so
    before anything is archived a list of several pages is read once more.
    """
    missing = _absent(account, seen)
    if missing and again is not None:
        for page in again.templates():
            seen.update(template.external_id for template in page.templates)
        missing = _absent(account, seen)
    return missing


def _absent(account: ProviderAccount, seen: set[str]) -> list[int]:
    known = BadgeTemplate.objects.filter(account=account, external_id__isnull=False)
    known = known.exclude(state=TemplateState.ARCHIVED, is_active=False)
    return [pk for pk, external_id in known.values_list("pk", "external_id").iterator() if external_id not in seen]


@frozen
class _Clean:
    """An entry of the provider's list, as it fits into a row."""

    external_id: str
    values: dict[str, str]


class _Run:
    """One synchronization: counts, and the ids (nothing else) of the templates that were seen."""

    def __init__(self, account: ProviderAccount, site_id: int | None) -> None:
        self.account = account
        self.site_id = site_id
        self.seen: set[str] = set()
        self.report = SyncReport(account=account.name)

    def store(self, page: TemplatePage) -> PageReport:
        before = self.report
        fresh = {
            entry.external_id: entry
            for entry in page.templates
            if entry.external_id not in self.seen and self._can_be_asked_for(entry)
        }
        self.seen.update(fresh)
        with transaction.atomic():
            rows = BadgeTemplate.objects.filter(account=self.account, external_id__in=fresh)
            known = {row.external_id: row for row in rows}
            for entry in fresh.values():
                self._store_entry(entry, known.get(entry.external_id))
        after = self.report
        return PageReport(
            account=self.account.name,
            number=page.number,
            total_pages=page.total_pages,
            templates=len(page.templates),
            created=after.created - before.created,
            updated=after.updated - before.updated,
            unchanged=after.unchanged - before.unchanged,
            archived=after.archived - before.archived,
        )

    def _can_be_asked_for(self, entry: ProviderTemplate) -> bool:
        if storable_text(entry.external_id) == entry.external_id:
            return True
        text = gettext('"%(name)s" was left out: %(reason)s') % {
            "name": storable_text(entry.name)[:NAME_LENGTH],
            "reason": gettext("its identifier holds characters that no database keeps."),
        }
        self.report = evolve(self.report, skipped=(*self.report.skipped, text))
        return False

    def _store_entry(self, entry: ProviderTemplate, row: BadgeTemplate | None) -> None:
        try:
            clean = _clean(entry)
            outcome = self._update(row, clean) if row is not None else self._create(clean)
        except (ValidationError, DataError) as error:
            reason = " ".join(error.messages) if isinstance(error, ValidationError) else type(error).__name__
            text = gettext('"%(name)s" was left out: %(reason)s') % {"name": entry.name[:NAME_LENGTH], "reason": reason}
            self.report = evolve(self.report, skipped=(*self.report.skipped, text))
            return
        self.report = evolve(self.report, **{outcome: getattr(self.report, outcome) + 1})

    def _create(self, clean: _Clean) -> str:
        row = BadgeTemplate(
            account=self.account, external_id=clean.external_id, site_id=self.site_id, is_active=False, **clean.values
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            # Another synchronization was first. Only a locking read sees its row on MySQL.
            found = BadgeTemplate.objects.select_for_update().filter(
                account=self.account, external_id=clean.external_id
            )
            if (existing := found.first()) is None:
                raise
            return self._update(existing, clean)
        return "created"

    def _update(self, row: BadgeTemplate, clean: _Clean) -> str:
        changed: dict[str, Any] = {name: value for name, value in clean.values.items() if getattr(row, name) != value}
        if not clean.values["image_url"]:
            # Accredible's images take a call of their own, which may have failed: the one that is known stays.
            changed.pop("image_url", None)
        was_archived = row.state == TemplateState.ARCHIVED
        archived = clean.values["state"] == TemplateState.ARCHIVED
        if archived and row.is_active:
            changed["is_active"] = False
        if self.site_id is not None and row.site_id is None:
            changed["site_id"] = self.site_id
        if not changed:
            return "unchanged"
        _write(row, changed)
        return "archived" if archived and not was_archived else "updated"

    def finish(self, missing: list[int]) -> SyncReport:
        vanished = []
        for pk in missing:
            with transaction.atomic():
                row = BadgeTemplate.objects.select_for_update().filter(pk=pk).first()
                if row is None:
                    continue
                _write(row, {"state": TemplateState.ARCHIVED.value, "is_active": False})
            vanished.append(
                Vanished(
                    name=row.name,
                    external_id=row.external_id or "",
                    requirements=BadgeRequirement.objects.filter(template=row).count(),
                    badges=Badge.objects.filter(template=row).count(),
                )
            )
        return evolve(self.report, archived=self.report.archived + len(vanished), vanished=tuple(vanished))


def _write(row: BadgeTemplate, changed: dict[str, Any]) -> None:
    """Only what changed, and only if the row still is: staff may be editing or deleting it at this moment."""
    with transaction.atomic():
        BadgeTemplate.objects.filter(pk=row.pk).update(**changed, modified=timezone.now())


def _clean(entry: ProviderTemplate) -> _Clean:
    """Make an entry fit: long texts are cut, an address that is none is left out.

    Raises:
        ValidationError: it has no usable identifier.
    """
    if not entry.external_id:
        raise ValidationError(gettext("the provider gave it no identifier."))
    if len(entry.external_id) > EXTERNAL_ID_LENGTH:
        text = gettext("its identifier is longer than %(limit)d characters.")
        raise ValidationError(text % {"limit": EXTERNAL_ID_LENGTH})
    name = storable_text(entry.name).strip() or entry.external_id
    return _Clean(
        external_id=entry.external_id,
        values={
            "name": name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…",
            "description": storable_text(entry.description),
            "image_url": _url(entry.image_url),
            "state": entry.state.value,
        },
    )


def _url(text: str) -> str:
    limit = BadgeTemplate._meta.get_field("image_url").max_length
    try:
        _is_url(text)
    except ValidationError:
        return ""
    return text if limit is None or len(text) <= limit else ""
