"""Commands in the documentation: they exist, and their own parsers take what is written there."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, find_commands, get_commands, load_command_class
from django.core.management.base import BaseCommand

import badges

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (*(ROOT / "docs").glob("*.rst"), ROOT / "README.rst")}
OURS = set(find_commands(str(Path(badges.__file__).with_name("management"))))
OF_OTHERS = {"db_worker", "prune_db_task_results", "rqworker"}
"""Of task engines, which the tests do not install as apps."""
LONGEST = 12
"""Lines of one command."""


def whole(lines: list[str]) -> list[str]:
    """The words of the command that begins on the first line, whatever number of lines it takes."""
    for last in range(1, min(len(lines), LONGEST) + 1):
        text = "\n".join(line.strip() for line in lines[:last]).replace("\\\n", "")
        # A backslash or an open quotation mark at the end asks for the next line.
        with contextlib.suppress(ValueError):
            return shlex.split(text, comments=True)
    raise AssertionError(f"A command that does not end: {lines[0]}")


def command_lines() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Page, and words after ``manage.py``."""
    for page, text in PAGES.items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            for found in re.finditer(r"manage\.py (?=[a-z])", line):
                rest = line[found.end() :]
                # Within a sentence it ends with the quotation, and in a shell where something else begins.
                is_quoted = "``" in rest
                words = shlex.split(rest.split("``")[0]) if is_quoted else whole([rest, *lines[number + 1 :]])
                ends = [place for place, word in enumerate(words) if word in ("|", "&&", ">", "2>&1")]
                yield page, tuple(words[: min(ends, default=len(words))])


COMMANDS = sorted(set(command_lines()))


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=[f"{page}:{' '.join(words)[:40]}" for page, words in COMMANDS]
)
def test_a_command_that_is_written_somewhere_is_taken(page, words):
    name, *arguments = words
    if name in OF_OTHERS:
        return
    app = get_commands()[name]
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    parser = command.create_parser("manage.py", name)
    # Otherwise it ends the process.
    parser.called_from_command_line = False
    try:
        parser.parse_args([word for word in arguments if word != "..."])
    except CommandError as error:
        # Where only its name is told, or what matters of it, something is missing.
        if (arguments and "..." not in arguments) or "arguments are required" not in str(error):
            raise


def test_every_option_of_ours_that_is_told_of_exists():
    """Where the name of a command and its options stand together."""
    for name in OURS:
        known = load_command_class("badges", name).create_parser("manage.py", name)._option_string_actions
        for page, text in PAGES.items():
            for quoted in re.findall(rf"``{name} ([^`]+)``", text):
                named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", quoted))
                assert named <= set(known), f"{page}: {name} {quoted}"


def test_every_command_is_told_of():
    text = "\n".join(PAGES.values())
    assert {name for name in OURS if f"``{name}" not in text and f"manage.py {name}" not in text} == set()


def test_every_target_of_make_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {name for text in PAGES.values() for name in re.findall(r"(?:``|    )make ([a-z-]+)", text)}
    assert named
    assert named <= targets


def test_every_file_that_is_named_exists():
    named = {
        (page, path)
        for page, text in PAGES.items()
        for path in re.findall(r"``((?:benchmarks|demo|docs|scripts|tests)/[\w./-]+)``", text)
    }
    assert {(page, path) for page, path in named if not (ROOT / path).exists()} == set()
