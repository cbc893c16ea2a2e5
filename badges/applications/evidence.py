"""What a learner shows: links, texts and files, and what of it is taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

from attrs import field, frozen
from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.validators import URLValidator
from django.utils.translation import gettext, ngettext

from badges.applications import files
from badges.applications.errors import ApplicationRefused
from badges.applications.sniffing import media_type_of
from badges.conf import get_config
from badges.models import Application, Evidence
from badges.rules.payload import storable_text

LONGEST_TEXT = 20_000
"""Characters of a statement, of a text as evidence, of a comment."""
LONGEST_REFLECTION = 5_000
LONGEST_LINK = 1_000
Kind = Evidence.Kind
_is_link = URLValidator(schemes=["http", "https"])
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@frozen
class NewEvidence:
    """One piece, as it is handed in; what belongs to another kind is left out."""

    kind: str
    url: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    file: File[Any] | None = field(default=None, repr=False)
    reflection: str = field(default="", repr=False)
    media_type: str = ""
    """Of a file that was checked: what it is by its content."""


def checked(evidence: Sequence[NewEvidence]) -> list[NewEvidence]:
    """The same pieces, as they can be stored.

    Raises:
        ApplicationRefused: they are too many, or one of them is not taken; its ``field`` says which.
    """
    limit = int(get_config().applications.max_evidence)
    if len(evidence) > limit:
        text = ngettext(
            "At most %d piece of evidence can be handed in at once.",
            "At most %d pieces of evidence can be handed in at once.",
            limit,
        )
        raise ApplicationRefused(text % limit, field="evidence")
    return [_checked(piece, f"evidence.{number}") for number, piece in enumerate(evidence)]


def checked_text(text: str, where: str, longest: int = LONGEST_TEXT) -> str:
    """A text as it can be stored.

    Raises:
        ApplicationRefused: it is too long.
    """
    cleaned = storable_text(text).strip()
    if len(cleaned) > longest:
        raise ApplicationRefused(
            gettext("This text has %(length)d characters; at most %(longest)d are taken.")
            % {"length": len(cleaned), "longest": longest},
            field=where,
        )
    return cleaned


def store(application: Application, evidence: Sequence[NewEvidence], names: Sequence[str]) -> None:
    """Write the rows of checked evidence.

    Arguments:
        application: whose evidence it is.
        evidence: what :func:`checked` returned.
        names: what :func:`badges.applications.files.store` returned for the files among it, in their order.
    """
    left = iter(names)
    for piece in evidence:
        Evidence.objects.create(
            application=application,
            kind=piece.kind,
            url=piece.url,
            text=piece.text,
            file=next(left) if piece.file is not None else "",
            file_name=_file_name(piece.file) if piece.file is not None else "",
            media_type=piece.media_type,
            reflection=piece.reflection,
        )


def store_files(evidence: Sequence[NewEvidence], names: list[str]) -> None:
    """Put the files among checked evidence into the storage; their names there are added to the list one by one."""
    for piece in evidence:
        if piece.file is not None:
            name = files.store(piece.file)
            # One by one: if the storage fails, those that it has are known.
            names.append(name)


def _checked(piece: NewEvidence, where: str) -> NewEvidence:
    reflection = checked_text(piece.reflection, where, LONGEST_REFLECTION)
    if piece.kind == Kind.LINK:
        return NewEvidence(Kind.LINK.value, url=_link(piece.url, where), reflection=reflection)
    if piece.kind == Kind.TEXT:
        return NewEvidence(Kind.TEXT.value, text=_text(piece.text, where), reflection=reflection)
    if piece.kind == Kind.FILE:
        media_type = _file(piece.file, where)
        return NewEvidence(Kind.FILE.value, file=piece.file, reflection=reflection, media_type=media_type)
    raise ApplicationRefused(gettext("Evidence is a link, a text or a file."), field=where)


def _text(text: str, where: str) -> str:
    cleaned = checked_text(text, where)
    if not cleaned:
        _refuse(gettext("This piece of evidence is empty."), where)
    return cleaned


def _link(url: str, where: str) -> str:
    cleaned = storable_text(url).strip()
    try:
        _is_link(cleaned)
    except ValidationError:
        _refuse(gettext("A link must be an address that starts with https:// or http://."), where)
    if len(cleaned) > LONGEST_LINK:
        text = gettext("This link has more than %(longest)d characters.")
        _refuse(text % {"longest": LONGEST_LINK}, where)
    return cleaned


def _file(file: File[Any] | None, where: str) -> str:
    """The media type of a file by its content."""
    settings = get_config().applications
    if file is None or not file.size:
        _refuse(gettext("This file is empty."), where)
    if file.size > settings.max_file:
        text = gettext("This file has %(size)d kB; at most %(most)d kB are taken.")
        _refuse(text % {"size": -(-file.size // 1000), "most": int(settings.max_file // 1000)}, where)
    media_type = media_type_of(file.chunks())
    if media_type not in settings.file_types:
        text = gettext("By its content, this file is none of the types that are taken: %(types)s.")
        _refuse(text % {"types": ", ".join(settings.file_types)}, where)
    return media_type


def _file_name(file: File[Any]) -> str:
    """The last part of what its owner calls it, without what could mislead whoever downloads it."""
    name = _CONTROL.sub("", storable_text(str(file.name or ""))).replace("\\", "/").rsplit("/", 1)[-1].strip(" .")
    if len(name) <= 200:
        return name or "evidence"
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: 190 - len(ending)]}{dot}{ending}" if dot and len(ending) <= 10 else name[:200]


def _refuse(message: str, where: str) -> NoReturn:
    raise ApplicationRefused(message, field=where)
