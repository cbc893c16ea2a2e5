"""A run of a synchronization: page after page, and then what the list did not show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from attrs import define, evolve, field
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.db import DataError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from badges.data import ProviderTemplate, TemplatePage, TemplateState
from badges.exceptions import ConfigurationError, ProviderAuthError, ProviderRejected, UnexpectedAnswer
from badges.issuing.gate import calls_of
from badges.issuing.sync import vanished
from badges.issuing.sync.position import Overtaken, Position, begin
from badges.issuing.sync.report import Abandoned, Counts, InDoubt, LeftOut, News, PageReport, Resumed, SyncReport
from badges.issuing.sync.rows import NAME_LENGTH, Writer, can_be_asked_for, wanted_image
from badges.models import BadgeTemplate, ConfigurationVersion, ProviderAccount
from badges.providers import registry
from badges.providers.base import Provider
from badges.rules.payload import storable_text

logger = logging.getLogger(__name__)

Listener = Callable[[News], None]


def sync_templates(
    account: ProviderAccount,
    *,
    site_id: int | None = None,
    tell: Listener = lambda news: None,
    allow_empty: bool = False,
    restart: bool = False,
) -> SyncReport:
    """Read all templates of an account from its provider, page after page, each page in a transaction of its own.

    New templates are created inactive. What is ours (UUID, whether it is active, its requirements) stays, but a
    template that the provider archived is deactivated; so is, archived, one that is missing from the complete list
    and that the provider, asked for it, does not hold. Nothing of another account is touched.

    A run that fails leaves what it has stored and where it was; the next one goes on there, within a day. Of two runs
    at once, one ends with an error and the other does all. Call it outside of a transaction: the provider is asked
    for long.

    Arguments:
        account: whose templates; stored.
        site_id: the site of new templates, and of those that have none.
        tell: called with each piece of news, once what it tells is stored.
        allow_empty: believe a provider that lists nothing at all although templates are known here. Without it that
            is an error, because it is far more often a defect or a wrong key than the truth.
        restart: begin with the first page, even where an earlier run can be gone on with.

    Raises:
        ConfigurationError: there is no such site, or the account cannot be used.
        ProviderError: the provider could not be read to its end. Nothing is archived as missing before its end.
        Overtaken: another run of this account was started meanwhile.
    """
    if site_id is not None and not Site.objects.filter(pk=site_id).exists():
        raise ConfigurationError(gettext("There is no site with the id %(id)s.") % {"id": site_id})
    with calls_of(account):
        provider = registry.connect(account.as_data())
    if not provider.features.lists_templates:
        raise ConfigurationError(
            gettext("%(provider)s does not list templates. Add them by hand, at Badge templates.")
            % {"provider": provider.label}
        )
    position = begin(account, restart=restart)
    run = _Run(account, provider, position, Writer(account, site_id, position.token), tell)
    try:
        report = run.whole(allow_empty=allow_empty)
    except Overtaken:
        raise
    except Exception as error:
        position.failed(error)
        raise
    logger.info("Templates synchronized. %s", report, extra={"action": "sync_templates", "account_id": account.pk})
    return report


@define
class _Run:
    """The work of one call. Holds one page, and numbers."""

    account: ProviderAccount
    provider: Provider
    position: Position
    writer: Writer
    tell: Listener
    counts: Counts = field(factory=Counts)
    left_out: int = 0
    has_listed_any: bool = False
    resumed_at: int | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.resumed_at = self.position.next_page if self.position.is_resumed else None

    def whole(self, *, allow_empty: bool) -> SyncReport:
        """From the first page to the last template that vanished."""
        self._tell_of_the_one_before()
        for page, asked_at in self._pages():
            self._store(page, asked_at)
        if not allow_empty:
            self._refuse_emptiness()
        gone, kept = self._look_for_unseen()
        self.position.finish()
        return SyncReport(
            account=self.account.name,
            counts=evolve(self.counts, archived=self.counts.archived + gone),
            vanished=gone,
            kept=kept,
            left_out=self.left_out,
            resumed_at=self.resumed_at,
        )

    def _tell_of_the_one_before(self) -> None:
        name, position = self.account.name, self.position
        if position.is_resumed:
            self.tell(Resumed(name, position.next_page, position.started_at, position.error))
        elif position.abandoned is not None:
            self.tell(Abandoned(name, position.abandoned))

    def _pages(self) -> Iterator[tuple[TemplatePage, datetime]]:
        """The pages, and when the provider was asked for each."""
        pages = self.provider.templates(self.position.next_page)
        while True:
            asked_at = timezone.now()
            # One page at a time, because what is watched is remembered.
            with calls_of(self.account):
                page = next(pages, None)
            if page is None:
                return
            yield page, asked_at

    def _store(self, page: TemplatePage, asked_at: datetime) -> None:
        self.has_listed_any |= bool(page.templates)
        entries = {entry.external_id: entry for entry in page.templates if can_be_asked_for(entry)}
        rows = BadgeTemplate.objects.filter(account=self.account, external_id__in=entries)
        known = {row.external_id or "": row for row in rows}
        images, failure = self._images(entries, known)
        counts = Counts()
        left_out = [
            _left_out(entry, gettext("its identifier holds characters that no database keeps."))
            for entry in page.templates
            if not can_be_asked_for(entry)
        ]
        with transaction.atomic():
            # What came before a failure is kept, so that even a page of many images is through at some time.
            self.position.turn_to(page.number if failure else page.number + 1)
            for entry in entries.values():
                try:
                    counts = counts.plus(self.writer.store(entry, known.get(entry.external_id), images, asked_at))
                except (ValidationError, DataError) as error:
                    left_out.append(_left_out(entry, _reason(error)))
            self._mark_as_seen(row.pk for row in known.values() if row.synced_in != self.position.token)
        self.counts += counts
        self.left_out += len(left_out)
        if failure is not None:
            raise failure
        name = self.account.name
        self.tell(PageReport(name, page.number, page.total_pages, len(page.templates), counts))
        for one in left_out:
            self.tell(one)

    def _images(
        self, entries: Mapping[str, ProviderTemplate], known: Mapping[str, BadgeTemplate]
    ) -> tuple[dict[str, str], Exception | None]:
        """The images of a page that have to be asked for, each once; as far as it went, and why no further."""
        keys = {wanted_image(entry, known.get(entry.external_id)): None for entry in entries.values()}
        found: dict[str, str] = {}
        try:
            for key in filter(None, keys):
                with calls_of(self.account):
                    found[key] = self._image(key)
        except Exception as error:  # noqa: BLE001 - raised again once the page is stored
            return found, error
        return found, None

    def _image(self, key: str) -> str:
        try:
            return self.provider.image_url(key)
        except (ProviderRejected, ProviderAuthError):
            # The list was had with this key, so that it is the image that may not be had: an ornament, and no reason
            # to stop an account. Were the key no good any more, the next page would say so.
            return ""

    def _mark_as_seen(self, pks: Iterator[int]) -> None:
        # A plain queryset: which synchronization has seen a template is no part of the configuration, and must not
        # make every consumer read its rules again. All who change templates hold the version first.
        ConfigurationVersion.hold()
        QuerySet(BadgeTemplate).filter(pk__in=list(pks)).update(synced_in=self.position.token)

    def _refuse_emptiness(self) -> None:
        mine = BadgeTemplate.objects.filter(account=self.account)
        if self.has_listed_any or mine.filter(synced_in=self.position.token).exists():
            return
        if known := mine.exclude(state=TemplateState.ARCHIVED).count():
            self.position.begin_again()
            raise UnexpectedAnswer(
                gettext(
                    'The provider lists no template at all for "%(account)s", although %(known)d are known here. '
                    "Nothing was changed. Check the key and the account; if they were all deleted indeed, run the "
                    "command of this synchronization with --allow_empty."
                )
                % {"account": self.account.name, "known": known}
            )

    def _look_for_unseen(self) -> tuple[int, int]:
        """Archive what is gone, and count it and what is not.

        A template deleted at the provider while its pages are read moves all later ones up, past a page boundary: that
        the list did not show a template proves nothing, so the provider is asked for each.
        """
        gone = kept = 0
        for chunk in vanished.unseen(self.position):
            for row in chunk:
                is_held = self._is_held(row)
                if is_held is False:
                    if told := vanished.archive(row.pk, self.position):
                        gone += 1
                        self.tell(told)
                    continue
                with transaction.atomic():
                    self.position.hold()
                    self._mark_as_seen(iter([row.pk]))
                kept += bool(is_held)
        return gone, kept

    def _is_held(self, row: BadgeTemplate) -> bool | None:
        """Whether the provider still has a template; None where it refuses to say."""
        try:
            with calls_of(self.account):
                return self.provider.has_template(row.external_id or "")
        except ProviderRejected as refusal:
            # One row that the provider does not even want to hear of must not keep the others from an answer.
            self.tell(InDoubt(row.name, str(refusal)))
            return None


def _left_out(entry: ProviderTemplate, reason: str) -> LeftOut:
    return LeftOut(name=storable_text(entry.name)[:NAME_LENGTH], reason=reason)


def _reason(error: ValidationError | DataError) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else type(error).__name__
