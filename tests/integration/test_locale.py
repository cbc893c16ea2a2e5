"""The translation catalogs: complete, compiled, and shown to whoever asks for their language."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import field, frozen, mutable
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.test import Client
from django.utils import translation
from pytest_django import Settings

import badges
from badges.models import BadgeTemplate
from tests import factories
from tests.integration.admin.pages import errors, submit, url

PACKAGE = Path(badges.__file__).parent
LANGUAGES = ("de", "en")
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{\w*\}")
TEMPLATE_TAG = re.compile(r"""\{%\s*trans(?:late)?\s+(["'])(.*?)\1""")
BLOCK_TAG = re.compile(r"\{%\s*blocktrans")
MARKERS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
REFRESH = "Run `make messages`, then translate what is new."


@mutable
class Message:
    """One entry of a catalog: what the code says, and what is shown for it (one form, or one per plural form)."""

    flags: str = ""
    texts: dict[str, str] = field(factory=dict)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each text of the code with its translation."""
        if "msgid_plural" in self.texts:
            return [
                (self.texts["msgid"], self.texts["msgstr[0]"]),
                (self.texts["msgid_plural"], self.texts["msgstr[1]"]),
            ]
        return [(self.texts["msgid"], self.texts["msgstr"])]


@frozen
class Catalog:
    """A language's .po file, read."""

    header: str
    messages: list[Message]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [pair for message in self.messages for pair in message.pairs]

    @property
    def originals(self) -> set[str]:
        return {original for original, shown in self.pairs}


def path_of(language: str, suffix: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / f"django.{suffix}"


def read(language: str) -> Catalog:
    found = []
    for block in path_of(language, "po").read_text(encoding="utf-8").split("\n\n"):
        message, keyword = Message(), ""
        for line in block.splitlines():
            if line.startswith("#,"):
                message.flags += line
            elif line and not line.startswith("#"):
                start, quote, text = line.partition('"')
                keyword = start.strip() or keyword
                message.texts[keyword] = message.texts.get(keyword, "") + ast.literal_eval(quote + text)
        if message.texts:
            found.append(message)
    header, *messages = found
    return Catalog(header.texts["msgstr"], messages)


def compiled(language: str) -> gettext.GNUTranslations:
    with path_of(language, "mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def in_modules() -> Iterator[str]:
    """The texts that Python code marks for translation."""
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
                texts = node.args[: 2 if node.func.id.startswith("ngettext") else 1]
                yield from (str(text.value) for text in texts if isinstance(text, ast.Constant))


def in_templates() -> Iterator[str]:
    """The texts that templates mark for translation."""
    for template in PACKAGE.rglob("templates/**/*.html"):
        source = template.read_text(encoding="utf-8")
        assert not BLOCK_TAG.search(source), f"{template.name}: this test reads no blocktranslate yet."
        yield from (text for quote, text in TEMPLATE_TAG.findall(source))


class TestCatalogs:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_have_every_text_that_is_marked_for_translation(self, language: str) -> None:
        marked = {*in_modules(), *in_templates()}
        assert marked
        assert marked - read(language).originals == set(), REFRESH

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_have_no_text_that_is_gone(self, language: str) -> None:
        assert read(language).originals - {*in_modules(), *in_templates()} == set(), REFRESH

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_are_compiled_as_they_are_written(self, language: str) -> None:
        catalog, shown = read(language), compiled(language)
        # The compiler leaves this line out, so that its result does not change with the time.
        assert shown.gettext("") == re.sub("POT-Creation-Date:.*\n", "", catalog.header)
        for message in catalog.messages:
            first, last = message.pairs[0], message.pairs[-1]
            # What is not translated is shown as it is: that is the whole English catalog.
            expected = (first[1] or first[0], last[1] or last[0])
            if "msgid_plural" in message.texts:
                assert tuple(shown.ngettext(first[0], last[0], number) for number in (1, 2)) == expected
            else:
                assert shown.gettext(first[0]) == expected[0]

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_name_the_project_and_the_language_and_nobody_in_person(self, language: str) -> None:
        header = read(language).header
        assert "Project-Id-Version: openedx-badges\n" in header
        assert f"Language: {language}\n" in header
        assert "@" not in header


class TestGerman:
    def test_leaves_no_text_untranslated(self) -> None:
        assert [original for original, shown in read("de").pairs if not shown.strip()] == []

    def test_has_no_guess_of_the_tools(self) -> None:
        assert [message.texts["msgid"] for message in read("de").messages if "fuzzy" in message.flags] == []

    def test_keeps_the_placeholders(self) -> None:
        changed = [
            (original, shown)
            for original, shown in read("de").pairs
            if sorted(PLACEHOLDER.findall(original)) != sorted(PLACEHOLDER.findall(shown))
        ]
        assert changed == []


@pytest.fixture
def german_client(admin_client: Client, settings: Settings) -> Iterator[Client]:
    """A superuser whose browser asks for German, in a project that listens to that."""
    session = "django.contrib.sessions.middleware.SessionMiddleware"
    middleware = list(settings.MIDDLEWARE)
    middleware.insert(middleware.index(session) + 1, "django.middleware.locale.LocaleMiddleware")
    settings.MIDDLEWARE = middleware
    admin_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    # The middleware leaves its language to the thread, which is the test's.
    with translation.override("en"):
        yield admin_client


@pytest.mark.django_db
class TestStaffWhoReadGerman:
    def test_find_the_screens_by_german_names(self, german_client: Client) -> None:
        page = german_client.get("/admin/").content.decode()
        for name in ("Abzeichenvorlagen", "Credly-Organisationen", "Zustellungen", "Gescheiterte Ereignisse"):
            assert name in page

    def test_are_refused_an_active_template_without_requirement_in_german(self, german_client: Client) -> None:
        template = factories.BadgeTemplateFactory(is_active=False, name="Python")
        page = submit(german_client, url("badgetemplate", template.pk, "change"), is_active="on")
        assert "Die Abzeichenvorlage „Python“ kann ohne Bedingung nicht aktiv sein" in errors(page)

    def test_count_in_german(self, german_client: Client) -> None:
        templates = [factories.BadgeTemplateFactory(), factories.BadgeTemplateFactory()]
        data = {"action": "deactivate", "_selected_action": [template.pk for template in templates]}
        page = german_client.post(url("badgetemplate"), data, follow=True).content.decode()
        assert "2 Abzeichenvorlagen wurden deaktiviert." in page


@pytest.mark.django_db
class TestModelsInGerman:
    @pytest.fixture(autouse=True)
    def german(self) -> Iterator[None]:
        with translation.override("de"):
            yield

    def test_refuse_to_activate_what_the_provider_archived(self) -> None:
        template: BadgeTemplate = factories.CredlyBadgeTemplateFactory(is_active=False, state="archived")
        template.is_active = True
        with pytest.raises(ValidationError, match="Laut Anbieter hat diese Vorlage den Zustand „archiviert“"):
            template.full_clean()

    def test_refuse_to_delete_an_active_template(self) -> None:
        template: BadgeTemplate = factories.BadgeTemplateFactory(name="Python")
        with pytest.raises(ProtectedError, match="Die Abzeichenvorlage „Python“"):
            template.delete()
