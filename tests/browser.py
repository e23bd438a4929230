"""A real browser for tests: Debian's chromium, driven by Playwright; what a page complains of is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is not installed: type `make chromium`", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page logs as an error: violations of its policy, scripts that fail."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    listen(page, complaints)
    yield page
    context.close()


def listen(page: Page, complaints: list[str]) -> None:
    """Keep what this page complains of."""
    page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))


def is_complaint(said: ConsoleMessage) -> bool:
    """Browsers ask for an icon of their own accord, and log that there is none, or that it needs a token."""
    return said.type == "error" and "favicon" not in said.location["url"]
