"""Templates that were made, changed or deleted at the provider."""

from __future__ import annotations

from attrs import evolve
from django.core.exceptions import ValidationError
from django.db import DataError, transaction
from django.utils.translation import gettext

from badges.changes import TemplateChange, TemplateRemoval
from badges.data import ProviderTemplate, TemplateState
from badges.exceptions import UnexpectedAnswer
from badges.issuing.sync.rows import Writer, can_be_asked_for
from badges.issuing.sync.vanished import take_down
from badges.models import BadgeTemplate, ConfigurationVersion, ProviderAccount
from badges.rules.payload import storable_text


def apply_template_change(change: TemplateChange, account: ProviderAccount) -> str:
    """Create or update a template, as a synchronization does it: a new one is inactive, an archived one is deactivated.

    Raises:
        UnexpectedAnswer: it cannot be stored.
    """
    entry = evolve(change.template, changed_at=change.at)
    row = _locked(account, entry.external_id) if can_be_asked_for(entry) else None
    if row is not None and _is_older(change, row):
        return ""
    try:
        # In a savepoint: a value that the database does not take must not end the transaction around it.
        with transaction.atomic():
            outcome = Writer(account, _site_id(account)).store(entry, row, {})
    except (ValidationError, DataError):
        raise UnexpectedAnswer(
            "A badge template of the provider has an identifier or a value that cannot be kept."
        ) from None
    return _TOLD[outcome]() % {"name": _name(entry)} if outcome in _TOLD else ""


def is_known(change: TemplateChange, account: ProviderAccount) -> bool:
    """Whether a template is here already."""
    found = BadgeTemplate.objects.filter(account_id=account.pk, external_id=storable_text(change.template.external_id))
    return found.exists()


def apply_template_removal(change: TemplateRemoval, account: ProviderAccount) -> str:
    """Archive and deactivate a template that was deleted at the provider; tell what depends on it."""
    if storable_text(change.external_id) != change.external_id:
        return ""
    row = _locked(account, change.external_id)
    if row is None or (row.state_at is not None and change.at < row.state_at):
        return ""
    is_news = row.is_active or row.state != TemplateState.ARCHIVED
    gone = take_down(row.pk, change.at)
    return str(gone) if gone is not None and is_news else ""


def _locked(account: ProviderAccount, external_id: str) -> BadgeTemplate | None:
    # The version first, as by all who change templates: it also keeps two from making the same one.
    ConfigurationVersion.hold()
    found = BadgeTemplate.objects.select_for_update().filter(account_id=account.pk, external_id=external_id)
    return found.first()


def _is_older(change: TemplateChange, row: BadgeTemplate) -> bool:
    """Whether something newer is known; of two words at the same time, the one that ends it counts."""
    if row.state_at is None or change.at != row.state_at:
        return row.state_at is not None and change.at < row.state_at
    return row.state == TemplateState.ARCHIVED and change.template.state != TemplateState.ARCHIVED


def _site_id(account: ProviderAccount) -> int | None:
    """The site of the account's templates, where it is one and the same."""
    sites = BadgeTemplate.objects.filter(account_id=account.pk, site__isnull=False).order_by()
    found = list(sites.values_list("site_id", flat=True).distinct()[:2])
    return found[0] if len(found) == 1 else None


def _name(entry: ProviderTemplate) -> str:
    return storable_text(entry.name)[:255] or entry.external_id


_TOLD = {
    "created": lambda: gettext('The badge template "%(name)s" was added; it is not active.'),
    "updated": lambda: gettext('The badge template "%(name)s" was changed at the provider; it was updated here.'),
    "archived": lambda: gettext('The badge template "%(name)s" was archived at the provider; it is inactive now.'),
}
