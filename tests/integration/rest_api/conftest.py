"""Fixtures of the tests of the REST API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from tests.factories import BadgeTemplateFactory

ROOT = "/badges/api/v1/"


class Api:
    """Asks the API as one user, in JSON."""

    def __init__(self, user: Any = None) -> None:
        # An error that a browser would see as 500 is an answer too.
        self._client = Client(raise_request_exception=False)
        if user is not None:
            self._client.force_login(user)

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(ROOT + path, query)

    def post(self, path: str, data: Any = None, **more: Any) -> Any:
        return self._client.post(ROOT + path, data if data is not None else {}, "application/json", **more)

    def form(self, path: str, data: dict[str, Any]) -> Any:
        """The same as a form, with files."""
        return self._client.post(ROOT + path, data)

    def raw(self, path: str, body: bytes, content_type: str = "application/json") -> Any:
        return self._client.post(ROOT + path, body, content_type)


@pytest.fixture(autouse=True)
def _clean(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Files and counts of requests of one test do not reach the next one."""
    settings.MEDIA_ROOT = str(tmp_path)
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def api() -> Callable[..., Api]:
    return Api


@pytest.fixture
def template() -> Any:
    return BadgeTemplateFactory(takes_applications=True, name="Python")
