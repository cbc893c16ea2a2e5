"""Pages of a real browser."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

PATIENCE = 30_000
"""Milliseconds."""


def logged_in(context: BrowserContext) -> Page:
    """A page that is logged in as the ``admin_user`` of pytest-django, at the admin's index."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    return page
