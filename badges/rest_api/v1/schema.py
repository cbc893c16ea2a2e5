"""The OpenAPI document of this version, as this installation has it."""

from __future__ import annotations

import functools
import json
from typing import Any

import yaml
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from badges.rest_api.views import ApiViews

JSON = "application/vnd.oai.openapi+json; charset=utf-8"
YAML = "application/vnd.oai.openapi; charset=utf-8"


class Document(ApiViews):
    """It tells of the program and of no data, so whoever asks gets it: as JSON, and with ``?format=yaml`` as YAML."""

    authentication_classes = ()
    permission_classes: Any = (AllowAny,)

    def retrieve(self, request: Request) -> HttpResponse:
        here = reverse("badges:v1:schema").removesuffix("/schema/")
        if request.query_params.get("format") == "yaml":
            return HttpResponse(as_yaml(_document(here)), content_type=YAML)
        return HttpResponse(json.dumps(_document(here)), content_type=JSON)


def as_yaml(document: dict[str, Any]) -> str:
    """A document as a text that changes only where the document does."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _text)


@functools.lru_cache(maxsize=8)
def _document(server: str) -> dict[str, Any]:
    # Made when somebody asks for it for the first time. The views need nothing of what makes it.
    from badges.rest_api.v1.operations import document_of  # noqa: PLC0415
    from badges.rest_api.v1.urls import router  # noqa: PLC0415

    return document_of(router.urls, server, quietly=True)
