"""Files of evidence: kept under a name that cannot be guessed, and handed out by a view that checks who asks.

They are never linked to by their address in the storage, whose ``MEDIA_URL`` may be open to the world. With the row the
file is deleted too, see :func:`badges.models.applications.delete_evidence_file`.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files import File
from django.core.files.storage import Storage
from django.http import FileResponse, Http404, HttpResponseBase

from badges.applications.sniffing import EXTENSIONS, name_to_hand_out
from badges.models import Evidence
from badges.models.applications import evidence_storage

logger = logging.getLogger(__name__)


def store(file: File[Any]) -> str:
    """Put a file into the storage; its name there tells nothing of it.

    Returns:
        What ``Evidence.file`` is to be set to.
    """
    field: Any = Evidence._meta.get_field("file")
    file.seek(0)
    return str(_storage().save(f"{field.upload_to}{secrets.token_hex(20)}", file))


def remove(names: Iterable[str]) -> None:
    """Delete files whose rows were not written."""
    for name in names:
        try:
            _storage().delete(name)
        except Exception:  # a storage may raise anything, and what stands is more important
            logger.exception("A file of evidence that belongs to nothing could not be deleted: %s", name)


@contextlib.contextmanager
def removed_on_failure() -> Iterator[list[str]]:
    """Within it, the files whose names are put in this list are deleted if something fails."""
    names: list[str] = []
    try:
        yield names
    except BaseException:
        remove(names)
        raise


def response(evidence: Evidence) -> HttpResponseBase:
    """The file of a piece of evidence, to be saved and not to be shown. Whether who asks may have it is checked before.

    Raises:
        Http404: it has no file, or the storage has lost it.
    """
    if evidence.kind != Evidence.Kind.FILE or not evidence.file.name:
        raise Http404
    try:
        content = evidence.file.open("rb")
    except OSError as error:
        logger.warning("The file of the evidence %s is not in the storage.", evidence.pk)
        raise Http404 from error
    is_known = evidence.media_type in EXTENSIONS
    media_type = evidence.media_type if is_known else "application/octet-stream"
    name = name_to_hand_out(evidence.file_name or "evidence", media_type)
    answer = FileResponse(content, as_attachment=True, filename=name, content_type=media_type)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _storage() -> Storage:
    return evidence_storage()
