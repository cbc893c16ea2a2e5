"""The list of badges that were awarded before they were earned, for somebody to decide on."""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from attrs import frozen

COLUMNS = ("username", "template", "badge_uuid", "external_id", "state", "awarded_at", "missing")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula, and would carry out."""


@frozen
class PrematureBadge:
    """A badge that was awarded although not every group of requirements was fulfilled."""

    username: str
    template_name: str
    badge_uuid: str
    external_id: str
    """At the provider; empty for one that was never issued, which is issued now."""
    state: str
    """The built-in module's word."""
    awarded_at: datetime
    missing: str
    """What is missing, in words."""


class PrematureRows:
    """Takes the rows of the list; call it with each of them."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._writer = csv.writer(file)
        self._writer.writerow(COLUMNS)
        self.number = 0
        """How many there are."""

    def __call__(self, row: PrematureBadge) -> None:
        awarded_at = row.awarded_at.astimezone(UTC).isoformat(timespec="seconds")
        values = (row.username, row.template_name, row.badge_uuid, row.external_id, row.state, awarded_at, row.missing)
        self._writer.writerow([_harmless(value) for value in values])
        self.number += 1

    def position(self) -> tuple[int, int]:
        """How far the list is; see :meth:`rewind`."""
        self._file.flush()
        return self._file.tell(), self.number

    def rewind(self, position: tuple[int, int]) -> None:
        """Forget what came later: the template that it was about is done again."""
        offset, self.number = position
        self._file.flush()
        self._file.seek(offset)
        self._file.truncate()


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[PrematureRows]:
    """Write the list to a file that only its owner can read: it names learners.

    The file is there as a whole, or as it was before. One that cannot be written is refused at once, before anything
    else is done, and so is what is there and is no plain file.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder.")
    if os.path.lexists(target) and (target.is_symlink() or not target.is_file()):
        # It would be replaced: /dev/stdout and /dev/null, if root runs this.
        raise FileExistsError("it is a device, a pipe or a link, and no file")
    # Beside it: only within one file system a file takes another's place at once. The mode is 0600 from the start.
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            yield PrematureRows(file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def ignored(row: PrematureBadge) -> None:
    """Where nobody asked for the list."""


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text
