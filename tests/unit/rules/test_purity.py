"""The rules are pure: of Django they take the translation of texts, and nothing that knows a database or a request."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from badges import rules

MODULES = sorted(Path(rules.__file__).parent.glob("*.py"))
ALLOWED = {"django.utils.text", "django.utils.translation"}


def imports(module: Path) -> set[str]:
    """The modules that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_rules_take_only_texts_from_django(module: Path) -> None:
    assert {name for name in imports(module) if name.partition(".")[0] == "django"} <= ALLOWED


def test_there_are_rules_to_look_at() -> None:
    assert any("django.utils.translation" in imports(module) for module in MODULES)
