"""Fixtures of the acceptance tests: a real browser, the provider sandbox, and no database left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from demo.sandbox.process import RunningSandbox, running_sandbox
from tests.acceptance.pages import logged_in
from tests.databases import drop_databases
from tests.servers import services_are_required


@pytest.fixture(scope="module", autouse=True)
def _no_database_is_left() -> Iterator[None]:
    yield
    drop_databases()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium, without a window.

    Playwright keeps an event loop running in this thread, in which Django would refuse every query.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        reason = "Chromium is missing: run `make system-packages`, or install it."
        if services_are_required():
            pytest.fail(reason)
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=[True, False], ids=["with-javascript", "without-javascript"])
def admin(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_user: Any) -> Iterator[Page]:
    """The admin in a narrow window, logged in: with scripts, and once more without."""
    with logged_in(browser, live_server.url, has_scripts=request.param) as page:
        yield page


@pytest.fixture(scope="module")
def sandbox_process() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> RunningSandbox:
    """The provider sandbox, a process of its own, as if just started."""
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture
def configured(settings: Settings, sandbox: RunningSandbox) -> RunningSandbox:
    """The sandbox, to which both providers lead."""
    settings.BADGES_CONFIG = sandbox.badges_config()
    return sandbox
