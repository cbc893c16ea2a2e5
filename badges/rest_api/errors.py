"""Every error of the API in one shape: ``{"error": {"code": ..., "message": ..., "fields": {...}}}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.utils.translation import gettext
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from badges.applications.errors import NotAllowed, NotNow
from badges.exceptions import Refused
from badges.issuing.by_staff import BadgeInTheWay, TemplateNotActive
from badges.rules.payload import storable

STATUS_OF: Mapping[type[Refused], int] = {
    Refused: 400,
    NotAllowed: 403,
    NotNow: 409,
    TemplateNotActive: 409,
    BadgeInTheWay: 409,
}
"""Of a refusal, and of the kinds of it that are not named here."""


class TooLarge(exceptions.APIException):
    """The request has more bytes than are read."""

    status_code = 413
    default_code = "too_large"


class Conflict(exceptions.APIException):
    """The present state does not allow it, perhaps because somebody else was faster."""

    status_code = 409
    default_code = "conflict"


def answer_to(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an error; None for one that is a defect of the server.

    ``fields`` names what of the input is wrong, with dots and counted from 0 (``evidence.2.url``), and says why.
    """
    if isinstance(error, Refused):
        fields = {error.field: [str(error)]} if error.field else {}
        body = _body(error.code, str(error), fields)
        if isinstance(error, BadgeInTheWay):
            # Whoever asks again after an answer that got lost finds here what the first request has done.
            arguments = {"uuid": error.badge.uuid}
            body["error"]["badge"] = reverse("badges:v1:badge-detail", kwargs=arguments, request=context["request"])
        return Response(body, status=_status_of(error))
    if isinstance(error, SuspiciousOperation):
        # Too many fields of a form, say. Django would answer with a page.
        error = exceptions.ParseError(gettext("The request cannot be read."))
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        body = _body("invalid", gettext("The request is not valid."), dict(_flat(error.detail)))
    else:
        detail = getattr(error, "detail", None) or exceptions.NotFound().detail
        code = getattr(detail, "code", "not_found" if response.status_code == 404 else "permission_denied")
        body = _body(str(code), str(detail))
    # The headers stay: Retry-After, WWW-Authenticate.
    response.data = body
    return response


def _status_of(error: Refused) -> int:
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def _body(code: str, message: str, fields: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    # What is wrong may be quoted, and may be no text that can be sent.
    told: dict[str, Any] = storable({"code": code, "message": message, "fields": dict(fields or {})})
    return {"error": told}


def _flat(detail: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            name = "" if key == api_settings.NON_FIELD_ERRORS_KEY else str(key)
            yield from _flat(value, ".".join(filter(None, [path, name])))
    elif isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        for number, item in enumerate(detail):
            yield from _flat(item, ".".join(filter(None, [path, str(number)])))
    elif detail:
        yield path, [str(item) for item in (detail if isinstance(detail, list) else [detail])]
