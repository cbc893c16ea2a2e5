"""Settings in the documentation: each one is there, with the default that the code has."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path
from typing import Any

import attrs
import pytest

from badges import sections
from badges.conf import BadgesConfig, parse
from badges.providers.accredible.provider import AccredibleProvider
from badges.providers.badgekit.provider import BadgeKitProvider
from badges.providers.credly.provider import CredlyProvider

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.rst").read_text(encoding="utf-8")
WORKER = (DOCS / "worker.rst").read_text(encoding="utf-8")
PROVIDERS = {provider.slug: provider for provider in (CredlyProvider, AccredibleProvider, BadgeKitProvider)}
NOT_SHOWN = {"consumer", "providers"}
"""The first has a table in another page, the second is empty."""


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """``BADGES_CONFIG`` as the page shows it, with all defaults."""
    found = re.search(r"^ +BADGES_CONFIG = (\{\n.*?^        \})", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    shown: dict[str, Any] = ast.literal_eval(textwrap.dedent(found[1]))
    return shown


def test_what_is_shown_is_what_holds_without_it(documented):
    read = attrs.evolve(parse(documented), sections={})
    assert read == parse({})


def test_every_section_is_shown_with_all_its_keys(documented):
    general = {name: getattr(BadgesConfig(), name) for name in attrs.fields_dict(BadgesConfig)}
    expected = {name: set(attrs.asdict(value)) for name, value in general.items() if attrs.has(type(value))}
    shown = {name: set(value) for name, value in documented.items() if isinstance(value, dict)}
    assert {name: shown.get(name) for name in expected if name not in NOT_SHOWN} == {
        name: keys for name, keys in expected.items() if name not in NOT_SHOWN
    }
    assert set(documented) == {*expected, "events", "rules", "public_url", *PROVIDERS} - NOT_SHOWN


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_the_section_of_a_provider_is_that_of_its_class(documented, slug):
    assert documented[slug] == PROVIDERS[slug].settings_defaults


def test_the_table_of_the_consumer_has_every_setting_with_its_default():
    table = WORKER.partition('``BADGES_CONFIG["consumer"]``')[2].partition("Of event-bus-redis it follows")[0]
    rows = dict(re.findall(r"^``(\w+)``\s+(\S+)", table, flags=re.MULTILINE))
    defaults = attrs.asdict(sections.ConsumerSettings())
    # It concerns events that are sent without a consumer, and stands with the other settings.
    in_process = defaults.pop("wait_in_process")
    assert f"``wait_in_process`` ({in_process:g})" in PAGE
    assert rows == {name: value if isinstance(value, str) else f"{value:g}" for name, value in defaults.items()}
