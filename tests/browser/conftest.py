"""The demo as users start it, and a real Chromium that looks at it."""

import os
from pathlib import Path

import pytest

from benchmarks.running_demo import CHROMIUM, FLAGS, running_demo

PICTURES = Path(__file__).parents[2] / "artefacts"
PATIENT_MS = 60_000
"""How long something may take to show on a machine that does much else; nothing waits longer than it has to."""


@pytest.fixture(scope="package")
def demo():
    """Run one demo for all tests of this folder; it ends with the last of them."""
    with running_demo() as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    """Give a browser for one module; while it lives an event loop runs in this thread, which other modules need for themselves."""
    if os.environ.get("JOULETWIN_NO_BROWSER") == "1":
        pytest.skip("JOULETWIN_NO_BROWSER=1: the page is not looked at")
    if not CHROMIUM.exists():
        pytest.fail(
            f"{CHROMIUM} is missing. Install Chromium (Debian: apt-get install -y chromium), name another with JOULETWIN_CHROMIUM, "
            "or set JOULETWIN_NO_BROWSER=1 to leave these tests out."
        )
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Witness:
    """Everything a page asked for and complained about."""

    def __init__(self, page):
        self.requests, self.complaints = [], []
        page.on("request", lambda r: self.requests.append(r.url))
        page.on("console", self._said)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


@pytest.fixture
def look(browser):
    """Open pages of a size and theme; each comes with its witness."""
    contexts = []

    def opened(address, *, width=1440, height=900, theme="light", **more):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, **more)
        context.add_init_script("localStorage.setItem('tour-seen', 'yes')")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENT_MS)
        witness = Witness(page)
        page.goto(address)
        return page, witness

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def picture():
    """Keep a picture of a page under artefacts/."""
    PICTURES.mkdir(exist_ok=True)

    def taken(page, name):
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    return taken
