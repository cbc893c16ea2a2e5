"""The documentation's feature matrix and headings say what the code says."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import attrs
import pytest

from badges.providers.base import Features
from badges.providers.registry import BUILT_IN, provider_class

PAGE = (Path(__file__).parents[3] / "docs" / "providers.rst").read_text(encoding="utf-8")
HEADINGS = [
    "Configuration",
    "Account",
    "Templates",
    "Issuing",
    "Revoking",
    "Finding an issued badge",
    "Limitations and quirks",
]


def test_the_matrix_has_every_feature_of_every_provider() -> None:
    rows = re.findall(r'^   "``(\w+)``:[^"]*", (.*)$', PAGE, re.MULTILINE)
    documented = {name: next(csv.reader([cells], skipinitialspace=True)) for name, cells in rows}
    slugs = sorted(BUILT_IN)
    declared = {
        feature.name: ["yes" if getattr(provider_class(slug).features, feature.name) else "no" for slug in slugs]
        for feature in attrs.fields(Features)
    }
    assert documented == declared


@pytest.mark.parametrize("slug", sorted(BUILT_IN))
def test_every_provider_has_the_same_headings(slug: str) -> None:
    label = provider_class(slug).label
    section = re.split(r"^[^\n]+\n\*+\n", PAGE.split(f"\n{label}\n{'*' * len(label)}\n")[1], flags=re.MULTILINE)[0]
    assert re.findall(r"^([^\n]+)\n=+$", section, re.MULTILINE) == HEADINGS
