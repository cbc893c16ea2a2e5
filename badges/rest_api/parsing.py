"""Reading requests: so many bytes and no more, and whatever comes is answered with an error of the client's."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext
from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from badges.conf import get_config
from badges.rest_api.errors import TooLarge


class DeepJSONParser(parsers.JSONParser):
    """JSON, however deep it is nested."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError(gettext("The JSON is nested too deeply.")) from error


def require_readable(request: Request, *, takes_files: bool) -> None:
    """Refuse a request before anything of its body is read, be it only for the token against forgery.

    Arguments:
        request: it has ``DATA_UPLOAD_MAX_MEMORY_SIZE`` bytes at most, where that is set.
        takes_files: whether it may have as many more as the evidence of an application.

    Raises:
        TooLarge: it has more, or does not say how many.
    """
    limit: int | None = getattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", None)
    if limit is None:
        return
    if takes_files and str(request.content_type).startswith("multipart/"):
        limits = get_config().applications
        limit += int(limits.max_file * limits.max_evidence)
    length = str(request.META.get("CONTENT_LENGTH") or 0)
    if not length.isdecimal() or int(length[:19]) > limit:
        raise TooLarge(gettext("The request is too large."))
