"""The OpenAPI document: of this API as it is, of nothing else, and right by the specification."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pytest_django import Settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.schemas.openapi import SchemaGenerator as DRFSchemaGenerator

from badges.exceptions import ConfigurationError
from badges.rest_api.openapi import document
from badges.rest_api.v1 import schema
from badges.rest_api.v1.operations import OPERATIONS, document_of
from badges.rest_api.v1.urls import router
from badges.rest_api.views import ApiViews

ROOT = Path(__file__).parents[3]
ADDRESS = "/badges/api/v1/schema/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """The document is kept for the life of a process."""
    schema._document.cache_clear()
    yield
    schema._document.cache_clear()


@pytest.fixture(scope="module")
def committed() -> Any:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def served(**query: str) -> Any:
    answer = Client().get(ADDRESS, query)
    assert answer.status_code == 200
    return yaml.safe_load(answer.content)


def test_the_committed_document_is_that_of_the_code() -> None:
    # In a process of its own: what other tests have registered with drf-spectacular is none of ours.
    script = "import sys; sys.path.insert(0, 'scripts'); import openapi, django; django.setup(); print(openapi.made())"
    made = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "settings_test"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert made.stderr == ""
    text = (ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    assert made.stdout.removesuffix("\n") == text, (
        "The API has changed: run `make openapi`, and look at the difference."
    )


def test_the_document_is_one_of_openapi_3_1(committed: Any) -> None:
    assert committed["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(committed).iter_errors()] == []


def test_every_operation_is_told_and_no_other(committed: Any) -> None:
    told = [operation["operationId"] for path in committed["paths"].values() for operation in path.values()]

    assert sorted(told) == sorted(operation.id for operation in OPERATIONS.values())
    assert len(set(told)) == len(told)


def test_every_error_has_the_one_shape(committed: Any) -> None:
    for name, answer in committed["components"]["responses"].items():
        told = answer["content"]["application/json"]["schema"]
        assert told == {"$ref": "#/components/schemas/Error"}, name
    for path in committed["paths"].values():
        for operation in path.values():
            assert {"401", "403", "404", "429"} <= operation["responses"].keys()


def test_it_is_served_as_json_and_as_yaml_to_whoever_asks(committed: Any) -> None:
    answer = Client().get(ADDRESS)

    assert answer["Content-Type"].startswith("application/vnd.oai.openapi+json")
    assert served() == served(format="yaml") == committed


def test_it_is_in_one_language_whoever_asks_first(committed: Any) -> None:
    with translation.override("de"):
        assert served() == committed


def test_with_the_feature_off_there_is_none(settings: Settings) -> None:
    settings.BADGES_ENABLED = False

    assert Client().get(ADDRESS).status_code == 404


def test_no_setting_of_the_project_changes_it(committed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from drf_spectacular.settings import spectacular_settings

    for name, value in {
        "TITLE": "Credentials",
        "OAS_VERSION": "3.0.3",
        "SCHEMA_PATH_PREFIX": "/badges",
        "POSTPROCESSING_HOOKS": [],
        "PREPROCESSING_HOOKS": [lambda endpoints: []],
        "AUTHENTICATION_WHITELIST": [],
        "CAMELIZE_NAMES": True,
        "COMPONENT_SPLIT_REQUEST": True,
    }.items():
        monkeypatch.setattr(spectacular_settings, name, value)

    assert served() == committed
    assert (spectacular_settings.TITLE, spectacular_settings.OAS_VERSION) == ("Credentials", "3.0.3")


def test_documents_of_the_project_know_nothing_of_this_api() -> None:
    assert SchemaGenerator().get_schema(public=True)["paths"] == {}
    # DRF's own takes no view that has no schema.
    assert DRFSchemaGenerator().get_schema() in (None, {}) or not DRFSchemaGenerator().get_schema()["paths"]


class OwnSession(SessionAuthentication):
    """As the platform has one."""


class OwnToken(BaseAuthentication):
    """Known to nobody but the project."""


class TokenOfTheLMS(BaseAuthentication):
    """As that of the Credentials service, which takes no other word before a token."""

    def authenticate_header(self, request: Request) -> str:
        return 'JWT realm="api"'


def test_the_projects_own_ways_to_log_in_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiViews, "authentication_classes", [OwnToken, TokenOfTheLMS, OwnSession])

    told = served()

    assert told["components"]["securitySchemes"] == {
        "OwnSession": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        "OwnToken": {"type": "http", "scheme": "bearer", "description": "As the project's OwnToken reads it."},
        "TokenOfTheLMS": {"type": "http", "scheme": "jwt", "description": "As the project's TokenOfTheLMS reads it."},
    }
    assert told["paths"]["/my/badges/"]["get"]["security"] == [
        {"OwnToken": []},
        {"TokenOfTheLMS": []},
        {"OwnSession": []},
    ]
    assert list(OpenAPIV31SpecValidator(told).iter_errors()) == []


def test_an_operation_that_nobody_described_is_an_error() -> None:
    options = {"server": "/", "title": "", "description": "", "tags": [], "enumerations": {}}

    with pytest.raises(ConfigurationError, match="is not described"):
        document(router.urls, {}, **options)


def test_what_cannot_be_told_is_an_error_for_whoever_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from badges.rest_api.v1.telling import ChangeForReviewers

    monkeypatch.setattr(ChangeForReviewers, "get_by", lambda self, obj: None)

    with pytest.raises(ConfigurationError, match="cannot be described"):
        document_of(router.urls, "/", quietly=False)
    assert document_of(router.urls, "/", quietly=True)["paths"]


@pytest.mark.parametrize("path", ["nothing/", "badges/x/", "badges/x/revoke/", "deliveries/a%0Ab/retry/", ""])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
def test_where_there_is_nothing_the_error_has_the_shape_too(path: str, method: str) -> None:
    answer = getattr(Client(), method)(f"/badges/api/v1/{path}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_an_address_without_its_slash_is_led_to_the_one_with_it() -> None:
    answer = Client().get("/badges/api/v1/badges")

    assert (answer.status_code, answer["Location"]) == (301, "/badges/api/v1/badges/")
