"""Runs ``adopt_builtin_badges``."""

from __future__ import annotations

from attrs import evolve

from tests.integration import commands


def adopt(*arguments: str) -> commands.Ended:
    """Carry the adoption out; what is printed is in one line, whatever the width."""
    return plan("--apply", *arguments)


def plan(*arguments: str) -> commands.Ended:
    """The same, for the plan."""
    ended = commands.run("adopt_builtin_badges", *arguments)
    return evolve(ended, out=" ".join(ended.out.split()), errors=" ".join(ended.errors.split()))
