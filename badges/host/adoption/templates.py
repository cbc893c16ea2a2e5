"""Badge templates: the built-in module's Credly templates and Accredible groups, under the primary keys that they have.

The host's records of badges point to templates by primary key, so one whose key is taken here cannot be adopted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import Factory, define, frozen
from django.contrib.sites.models import Site

from badges.data import OPENEDX_ORIGIN, TemplateState
from badges.host.adoption import memory, tables
from badges.host.adoption.accounts import Accounts, AdoptedAccount
from badges.host.adoption.outcome import Note, Outcome, Report
from badges.models import BadgeTemplate, ProviderAccount

KIND = "badge templates"
TABLE = "badges_badgetemplate"
CREDLY, ACCREDIBLE = "credly", "accredible"
LONGEST_NAME = 255
LONGEST_ADDRESS = 1000
NOT_STORED = -1
"""Stands for the account of a template that is only planned."""
OVERWRITTEN = (
    "An Accredible group took the id of this Credly template there, and overwrote its row. It is adopted as the group; "
    "its requirements, penalties and progress may be meant for the template. Check them, and make what is missing anew."
)


@frozen
class Origin:
    """What a template is, by the rows there that belong to it."""

    kind: str
    """``credly``, ``accredible`` or ``openedx``."""
    account: AdoptedAccount | None = None
    needs_account: bool = False
    is_overwritten: bool = False

    @property
    def provider(self) -> str:
        """As it is stored here."""
        return "" if self.kind == OPENEDX_ORIGIN else self.kind


@define
class Standing:
    """A template after its adoption was decided, and before that of what belongs to it."""

    origin: Origin
    template: BadgeTemplate | None
    """Ours; None in a plan where it is not there yet."""
    is_new: bool
    """Whether this run makes it. Whether another one is active is not touched."""
    is_active: bool
    """Whether it is active here, before this run."""
    obstacles: list[str] = Factory(list)
    """Why a new one stays inactive, in sentences."""
    notes: list[str] = Factory(list)
    """What a person should know, in sentences."""

    @property
    def is_issuing(self) -> bool:
        """Whether its badges are issued at a provider, from here. One query."""
        if self.template is not None:
            account = self.template.account
            return account is not None and account.is_issuing
        planned = self.origin.account
        if planned is None or not planned.id:
            return planned is not None
        return ProviderAccount.objects.filter(pk=planned.id, is_issuing=True).exists()


@define
class Templates:
    """Adopts templates one by one."""

    accounts: Accounts
    report: Report
    apply: bool
    _organizations: Mapping[int, int] = Factory(dict)
    _configs: Mapping[int, int] = Factory(dict)
    _sites: frozenset[int] = frozenset()

    def read(self) -> None:
        """Read what belongs to all templates. Three queries."""
        organizations: Any = tables.CredlyBadgeTemplate.objects
        configs: Any = tables.AccredibleGroup.objects
        self._organizations = dict(organizations.values_list("badgetemplate_ptr_id", "organization_id"))
        self._configs = dict(configs.values_list("badgetemplate_ptr_id", "api_config_id"))
        self._sites = frozenset(Site.objects.values_list("pk", flat=True))

    def origin(self, there: Any) -> Origin:
        """What a template is."""
        is_credly, is_group = there.pk in self._organizations, there.pk in self._configs
        if is_group:
            account = self.accounts.configs.get(self._configs[there.pk])
            return Origin(ACCREDIBLE, account, needs_account=True, is_overwritten=is_credly)
        if is_credly:
            account = self.accounts.organizations.get(self._organizations[there.pk])
            return Origin(CREDLY, account, needs_account=True)
        # Its own row at the provider's table is gone: it was one of that provider all the same.
        return Origin(there.origin if there.origin in (CREDLY, ACCREDIBLE) else OPENEDX_ORIGIN)

    def adopt(self, there: Any, report: Report) -> Standing | None:
        """Adopt one, inactive. In a transaction where it writes.

        Arguments:
            there: the row of the built-in module.
            report: is told what becomes of it.

        Returns:
            None where it is not adopted, so that nothing of it can be.
        """
        origin = self.origin(there)
        known = memory.target(TABLE, there.pk)
        if known is not None:
            return self._known(there, origin, known, report)
        here = BadgeTemplate.objects.filter(pk=there.pk).first()
        if here is not None:
            return self._same(there, origin, here, report)
        draft, notes = self._draft(there, origin)
        if refused := _why_not(draft, origin):
            report.add(KIND, Outcome.CANNOT, refused, str(there.pk))
            return None
        standing = Standing(origin, None, is_new=True, is_active=False, notes=notes)
        standing.obstacles += draft.obstacles_to_activation()
        if origin.is_overwritten:
            standing.obstacles.append(OVERWRITTEN)
        report.add(KIND, Outcome.CREATE)
        if self.apply:
            draft.save(force_insert=True)
            memory.remember(TABLE, there.pk, draft.pk)
            standing.template = draft
        return standing

    def _known(self, there: Any, origin: Origin, own_id: int, report: Report) -> Standing | None:
        template = BadgeTemplate.objects.filter(pk=own_id).first()
        if template is None:
            report.add(KIND, Outcome.SKIP, "it was adopted before, and deleted here since", str(there.pk))
            return None
        report.add(KIND, Outcome.SKIP, memory.ADOPTED, str(there.pk))
        return Standing(origin, template, is_new=False, is_active=template.is_active)

    def _same(self, there: Any, origin: Origin, here: BadgeTemplate, report: Report) -> Standing | None:
        is_same = (
            here.uuid == there.uuid
            and here.provider == origin.provider
            and here.account_id == (origin.account.id if origin.account else None)
        )
        if not is_same:
            reason = (
                "another template here has its id. If nobody needs that one, delete it in the admin and run this "
                "again; else make this template anew, and its badges stay where they are"
            )
            report.add(KIND, Outcome.CANNOT, reason, str(there.pk))
            return None
        report.add(KIND, Outcome.MERGE, "it is here under the same id; it stays as it is", str(there.pk))
        if self.apply:
            memory.remember(TABLE, there.pk, here.pk)
        return Standing(origin, here, is_new=False, is_active=here.is_active)

    def _draft(self, there: Any, origin: Origin) -> tuple[BadgeTemplate, list[str]]:
        """Our row, not stored, and what is to be said of it."""
        notes = []
        image = (there.icon or "").strip()
        if image and not _is_address(image):
            notes.append("Its image is a file of the built-in module, and is left out. Give it the address of one.")
            image = ""
        name = there.name or str(there.uuid)
        if len(name) > LONGEST_NAME:
            notes.append(f"Its name is cut after {LONGEST_NAME} characters.")
        site_id = there.site_id
        if site_id is not None and site_id not in self._sites:
            notes.append(f"Its site {site_id} is not there any more; it has none here.")
            site_id = None
        # A planned account has no id yet, and is one all the same.
        account_id = (origin.account.id or NOT_STORED) if origin.account else None
        draft = BadgeTemplate(
            pk=there.pk,
            uuid=there.uuid,
            provider=origin.provider,
            account_id=account_id,
            external_id=_external_id(there, origin),
            name=name[:LONGEST_NAME],
            description=there.description or "",
            image_url=image,
            state=_state(there, origin),
            site_id=site_id,
        )
        return draft, notes


def _why_not(draft: BadgeTemplate, origin: Origin) -> str:
    """Why a template cannot become a row here; empty if it can."""
    if origin.needs_account and origin.account is None:
        return "its account is not here: it could not be adopted, was deleted here since, or is not there any more"
    if (
        draft.external_id
        and BadgeTemplate.objects.filter(account_id=draft.account_id, external_id__iexact=draft.external_id).exists()
    ):
        return (
            "a synchronization has made it here under another id. Delete that one in the admin if nobody needs it, and "
            "run this again"
        )
    if BadgeTemplate.objects.filter(uuid=draft.uuid).exists():
        return "another template here has its UUID"
    return ""


def _external_id(there: Any, origin: Origin) -> str | None:
    if origin.kind == ACCREDIBLE:
        return str(there.pk)
    return str(there.uuid) if origin.kind == CREDLY else None


def _state(there: Any, origin: Origin) -> str:
    if there.state in {state.value for state in TemplateState}:
        return str(there.state)
    # Of a template without a provider nobody else has a word.
    return TemplateState.DRAFT.value if origin.provider else TemplateState.ACTIVE.value


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(text) <= LONGEST_ADDRESS


def subject(there: Any) -> str:
    """How a template is called in the report."""
    return f'badge template {there.pk} "{(there.name or str(there.uuid))[:LONGEST_NAME]}"'


def tell(standing: Standing, there: Any, report: Report) -> None:
    """Put what is to be said of a template on the report, once all that belongs to it is decided."""
    if standing.obstacles and there.is_active and not standing.is_active:
        report.inactive.append(Note(subject(there), " ".join(standing.obstacles)))
    elif standing.is_active or standing.origin.is_overwritten:
        report.needs_person += [Note(subject(there), obstacle) for obstacle in standing.obstacles]
    report.needs_person += [Note(subject(there), note) for note in standing.notes]
