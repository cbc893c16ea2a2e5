"""Accounts at providers: the built-in module's Credly organizations and Accredible configurations."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import Factory, define, frozen
from django.db import DatabaseError, transaction

from badges.exceptions import BadgesError
from badges.host.adoption import memory, tables
from badges.host.adoption.outcome import Note, Outcome, Report
from badges.host.adoption.refusals import is_refused
from badges.models import ProviderAccount
from badges.processing.retries import retried

ORGANIZATIONS, CONFIGS = "Credly organizations", "Accredible configurations"
LONGEST_NAME = 255
REFUSED = "the database refused it"
SAME_KEY = "another configuration there has the same key"
DELETED = "it was adopted before, and deleted here since"


@frozen
class AdoptedAccount:
    """What an account of the built-in module became here."""

    provider: str
    id: int
    """0 in a plan where it is not there yet."""


@frozen
class Accounts:
    """All of them, by their ids there. Those that were deleted here, or were refused, are not in it."""

    organizations: Mapping[int, AdoptedAccount]
    configs: Mapping[int, AdoptedAccount]


@frozen
class _There:
    """An account of the built-in module."""

    table: str
    id: int
    kind: str
    provider: str
    external_id: str | None
    name: str
    api_key: str = ""

    def __repr__(self) -> str:
        return f"<{self.table} {self.id}>"


@define
class _Adoption:
    apply: bool
    report: Report
    _keys: dict[str, int] = Factory(dict)
    """Digest of an Accredible key -> the account that has it; 0 for one that is only planned."""
    _made: set[int] = Factory(set)
    """Those that this run has made."""

    def run(self, there: _There) -> int | None:
        """Adopt one account; gives its id here, and None where it was deleted here, or is refused."""
        try:
            # Of two adoptions at a time the constraints let one through, and the other one finds what that made.
            own_id, report = retried(partial(self._attempt, there))
        except DatabaseError as error:
            if not is_refused(error):
                raise
            # Its text may hold what the row holds.
            self.report.add(there.kind, Outcome.CANNOT, f"{REFUSED} ({type(error).__name__})", str(there.id))
            return None
        self.report.absorb(report)
        if own_id and report.count(outcome=Outcome.CREATE):
            self._made.add(own_id)
        if own_id is not None and there.external_id is None and there.api_key:
            self._keys.setdefault(_digest(there.api_key), own_id)
        return own_id

    def _attempt(self, there: _There) -> tuple[int | None, Report]:
        report = Report()
        with transaction.atomic() if self.apply else contextlib.nullcontext():
            return self._decide(there, report), report

    def _decide(self, there: _There, report: Report) -> int | None:
        known = memory.target(there.table, there.id)
        if known is not None:
            is_here = ProviderAccount.objects.filter(pk=known).exists()
            report.add(there.kind, Outcome.SKIP, memory.ADOPTED if is_here else DELETED, str(there.id))
            return known if is_here else None
        found = self._same(there)
        if found is None:
            report.add(there.kind, Outcome.CREATE)
            return self._create(there, report)
        reason, own_id = self._merge(there, found, report)
        report.add(there.kind, Outcome.MERGE, reason, str(there.id))
        return own_id

    def _same(self, there: _There) -> ProviderAccount | int | None:
        """The account here that is the same one; 0 for one that an earlier one of this plan becomes."""
        if there.external_id is not None:
            return ProviderAccount.objects.filter(
                provider=there.provider, external_id__iexact=there.external_id
            ).first()
        if not there.api_key:
            return None
        own_id = self._keys.get(_digest(there.api_key))
        return ProviderAccount.objects.filter(pk=own_id).first() if own_id else own_id

    def _create(self, there: _There, report: Report) -> int:
        own_id = 0
        if self.apply:
            account = ProviderAccount.objects.create(
                provider=there.provider, external_id=there.external_id, name=there.name, api_key=there.api_key
            )
            own_id = account.pk
            memory.remember(there.table, there.id, own_id)
        probe = ProviderAccount(provider=there.provider, external_id=there.external_id)
        if not there.api_key and not probe.has_preconfigured_key:
            text = "It has no API key, neither there nor in BADGES_CONFIG. Enter one in the admin."
            report.needs_person.append(Note(_subject(there), text))
        return own_id

    def _merge(self, there: _There, found: ProviderAccount | int, report: Report) -> tuple[str, int]:
        if isinstance(found, int):
            return SAME_KEY, found
        reason = "an account with the same identifier is here" if there.external_id else "an account here has its key"
        if found.pk in self._made:
            reason = SAME_KEY
        needs_key = bool(there.api_key) and not _has_key(found)
        if needs_key:
            reason += "; it gets the key, for it has none"
        if not found.is_issuing:
            text = "The account here does not issue badges, so those of its templates reach no provider. See its page."
            report.needs_person.append(Note(_subject(there), text))
        if self.apply:
            if needs_key:
                found.api_key = there.api_key
                found.save(update_fields=["api_key", "modified"])
            memory.remember(there.table, there.id, found.pk)
        return reason, found.pk

    def learn_keys(self) -> None:
        """Note the keys of the Accredible accounts that are here."""
        for account in ProviderAccount.objects.filter(provider="accredible").order_by("-pk"):
            try:
                key = str(account.api_key)
            except BadgesError:
                # It cannot be decrypted any more, so nobody can tell whether it is the same.
                continue
            if key:
                self._keys[_digest(key)] = account.pk


def adopt_accounts(report: Report, *, apply: bool) -> Accounts:
    """Adopt the accounts that are not here yet.

    Arguments:
        report: is told what becomes of each.
        apply: whether to write.
    """
    adoption = _Adoption(apply, report)
    organizations: dict[int, AdoptedAccount] = {}
    configs: dict[int, AdoptedAccount] = {}
    organization: Any
    for organization in tables.CredlyOrganization.objects.order_by("pk"):
        there = _There(
            table="badges_credlyorganization",
            id=organization.pk,
            kind=ORGANIZATIONS,
            provider="credly",
            external_id=str(organization.uuid),
            name=(organization.name or str(organization.uuid))[:LONGEST_NAME],
            api_key=(organization.api_key or "").strip(),
        )
        _put(organizations, there, adoption.run(there))
    config: Any
    for number, config in enumerate(tables.AccredibleAPIConfig.objects.order_by("pk")):
        if not number:
            adoption.learn_keys()
        there = _There(
            table="badges_accredibleapiconfig",
            id=config.pk,
            kind=CONFIGS,
            provider="accredible",
            external_id=None,
            name=(config.name or f"Accredible {config.pk}")[:LONGEST_NAME],
            api_key=(config.api_key or "").strip(),
        )
        _put(configs, there, adoption.run(there))
    return Accounts(organizations, configs)


def _put(accounts: dict[int, AdoptedAccount], there: _There, own_id: int | None) -> None:
    if own_id is not None:
        accounts[there.id] = AdoptedAccount(there.provider, own_id)


def _has_key(account: ProviderAccount) -> bool:
    # The stored text: a key that cannot be decrypted is one, too.
    stored: Any = account._meta.get_field("api_key")
    return bool(stored.pre_save(account, add=False))


def _subject(there: _There) -> str:
    return f'{there.kind[:-1]} {there.id} "{there.name}"'


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
