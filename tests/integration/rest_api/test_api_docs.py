"""The page on the REST API tells what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from badges.rest_api.v1 import filters, telling_badges
from badges.rest_api.v1.urls import router

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "api.rst").read_text()
BLOCK = re.compile(r"^\.\. code-block:: json\n\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
EXAMPLES = [json.loads(block) for block in BLOCK.findall(PAGE)]
QUERIES = (filters.MyBadgesQuery, filters.TemplatesQuery, filters.BadgesQuery, filters.ProgressQuery)


def test_every_address_stands_on_a_page() -> None:
    pages = PAGE + (DOCS / "applications.rst").read_text()

    assert [prefix for prefix, *_ in router.registry if f"\n``{prefix}/``" not in pages] == []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.__name__)
def test_every_filter_and_order_is_explained(query: Any) -> None:
    fields = query().fields

    for name in (*fields, *(getattr(fields.get("ordering"), "orders", ()))):
        assert f"``{name}``" in PAGE or f"``-{name}``" in PAGE, name


@pytest.mark.parametrize(
    "serializer",
    [telling_badges.BadgeSerializer, telling_badges.StandingSerializer, telling_badges.BadgeForStaff],
    ids=lambda serializer: serializer.__name__,
)
def test_an_example_has_what_an_answer_has(serializer: Any) -> None:
    shown = [row for one in EXAMPLES for row in one.get("results", [one])]

    assert [row for row in shown if fits(serializer(), row)]


def fits(serializer: Any, value: Any) -> bool:
    """Whether an example has the fields of a serializer, and no others, at any depth."""
    if isinstance(value, list):
        return all(fits(serializer, item) for item in value)
    if value is None:
        return True
    fields = serializer.fields
    if list(value) != list(fields):
        return False
    nested = {name: getattr(field, "child", field) for name, field in fields.items()}
    return all(fits(field, value[name]) for name, field in nested.items() if hasattr(field, "fields"))
