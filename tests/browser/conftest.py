"""The demo as users start it, and a real Chromium that looks at it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "artefacts"
CHROMIUM = Path(os.environ.get("JOULETWIN_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
READY_S = 120.0


class Demo:
    """A running demo: its address, and a way to end it."""

    def __init__(self, port=0):
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "demo",
            "--port",
            str(port),
            "--speed",
            "60",
            "--seconds",
            "600",
        ]
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = []
        self.address = self._address()

    def _address(self):
        for line in self.process.stdout:
            self.said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            if found:
                return found.group()
        raise AssertionError("the demo ended: " + "".join(self.said))

    def type_in(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for_plan(self):
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if httpx.get(self.address + "api/v1/plans/latest").status_code == 200:
                return
            time.sleep(0.5)
        raise AssertionError(f"no plan within {READY_S:g} s")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.said += self.process.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode


@pytest.fixture(scope="session")
def demo():
    running = Demo()
    running.wait_for_plan()
    yield running
    assert running.stop() == 0, "".join(running.said)


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

    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Witness:
    """Everything a page asked for and complained about."""

    def __init__(self, page):
        self.requests, self.complaints = [], []
        page.on("request", lambda r: self.requests.append(r.url))
        page.on(
            "console",
            lambda m: self.complaints.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda e: self.complaints.append(str(e)))


@pytest.fixture
def look(browser):
    """Open pages of a size and theme; each comes with its witness."""
    contexts = []

    def opened(address, *, width=1440, height=900, theme="light", **more):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, **more)
        context.add_init_script("localStorage.setItem('tour-seen', 'yes')")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
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
