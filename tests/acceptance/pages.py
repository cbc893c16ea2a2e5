"""Pages of a real browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

PATIENCE = 30_000
"""Milliseconds."""
NARROW, WIDE = 360, 1280
"""Pixels: the width of a small telephone, and of a laptop."""
UNLABELLED = """() => [...document.querySelectorAll('#content input, #content select, #content textarea')]
    .filter(input => input.type !== 'hidden' && input.type !== 'submit' && input.offsetParent)
    .filter(input => !(input.labels && input.labels.length) && !input.getAttribute('aria-label'))
    .map(input => input.name)"""


@contextmanager
def logged_in(browser: Browser, base_url: str, width: int = NARROW, *, has_scripts: bool = True) -> Iterator[Page]:
    """A page at the admin's index, logged in as a user like pytest-django's ``admin_user``.

    No script may have failed on it when it is closed.
    """
    context = browser.new_context(
        base_url=base_url, java_script_enabled=has_scripts, viewport={"width": width, "height": 800}
    )
    failures: list[str] = []
    context.on("weberror", lambda error: failures.append(str(error.error)))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    yield page
    context.close()
    assert failures == []


def fits(page: Page) -> bool:
    """Whether the window shows the page without scrolling to the side."""
    page.wait_for_load_state()
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def assert_usable(page: Page, addresses: Iterable[str]) -> None:
    """Every page is there, fits the window, and has a label for every input."""
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        assert fits(page), f"{address} scrolls sideways"
        assert page.evaluate(UNLABELLED) == [], address
