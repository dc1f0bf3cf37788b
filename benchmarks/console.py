"""The console in a real browser on a running demo: how soon, how light, how lasting, and how soon it says that nobody answers."""

import gzip
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_most
from benchmarks.running_demo import CHROMIUM, FLAGS, Demo, running_demo

HEAP = "HeapProfiler.collectGarbage"


@case("console", "page", size=60, quick_size=8, packages=("playwright",))
def page(bench: Bench) -> Iterator[Row]:
    """Give the first canvas, the weight of the page, the delay of an update, the growth of memory, and when a silence shows."""
    from playwright.sync_api import sync_playwright

    with running_demo() as demo, sync_playwright() as playwright:
        browser, address = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS), demo.address
        yield bench.figure(
            min(_first_canvas_s(browser, address) for _ in range(bench.repeats)),
            "s",
            target=value_at_most(1.0),
            phase="first canvas",
        )
        yield bench.figure(_weight_kb(browser, address), "KB", target=value_at_most(450.0), phase="page, compressed")
        opened = browser.new_page()
        complaints, outside = _heard(opened, address)
        opened.goto(address)
        opened.wait_for_selector("#sankey canvas")
        yield bench.figure(_update_s(opened), "s", target=value_at_most(1.0), phase="event to figure on the page")
        yield bench.figure(
            _growth_share(opened, bench.size),
            "%",
            target=value_at_most(15.0),
            phase=f"memory over {bench.size} s of events",
        )
        yield bench.figure(float(len(complaints)), "", target=value_at_most(0.0), phase="errors on the console")
        yield bench.figure(float(len(outside)), "", target=value_at_most(0.0), phase="requests off the machine")
        yield bench.figure(_silence_s(opened, demo), "s", target=value_at_most(5.0), phase="lost connection shows")
        browser.close()


def _heard(opened: Any, address: str) -> tuple[list[str], list[str]]:
    """Return where a page's errors and its requests to anybody else are gathered."""
    complaints: list[str] = []
    outside: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda e: complaints.append(str(e)))
    opened.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url))
    return complaints, outside


def _first_canvas_s(browser: Any, address: str) -> float:
    context = browser.new_context()
    opened = context.new_page()
    began = time.perf_counter()
    opened.goto(address, wait_until="commit")
    opened.wait_for_selector("#sankey canvas")
    took = time.perf_counter() - began
    context.close()
    return took


def _weight_kb(browser: Any, address: str) -> float:
    """Return what the page and its files weigh in gzip."""
    context = browser.new_context()
    opened = context.new_page()
    answers: list[Any] = []
    opened.on("response", lambda answer: answers.append(answer))
    opened.goto(address, wait_until="load")
    opened.wait_for_selector("#sankey canvas")
    own = [r for r in list(answers) if r.url == address or "/static/" in r.url]
    weight = sum(len(gzip.compress(r.body(), 6)) for r in own) / 1024
    context.close()
    return weight


def _update_s(opened: Any) -> float:
    """Return the longest of some times from the event of a snapshot to the figure that it changed."""
    return float(
        opened.evaluate(
            """async () => {
              const place = document.getElementById("tiles");
              let worst = 0;
              for (let k = 0; k < 5; k++) worst = Math.max(worst, await new Promise((settle) => {
                document.body.addEventListener("site-changed", () => {
                  const began = performance.now();
                  const seen = new MutationObserver(() => { seen.disconnect(); settle((performance.now() - began) / 1000); });
                  seen.observe(place, { subtree: true, childList: true, characterData: true, attributes: true });
                }, { once: true });
              }));
              return worst;
            }"""
        )
    )


def _growth_share(opened: Any, seconds: int) -> float:
    """Return by how much the heap grows in percent while events come, after a quarter of the time for warming up."""
    session = opened.context.new_cdp_session(opened)
    session.send("Performance.enable")

    def heap() -> float:
        session.send(HEAP)
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(m["value"]) for m in metrics if m["name"] == "JSHeapUsedSize")

    opened.wait_for_timeout(250 * seconds)
    before = heap()
    opened.wait_for_timeout(750 * seconds)
    return 100.0 * (heap() / before - 1.0)


def _silence_s(opened: Any, demo: Demo) -> float:
    with demo.frozen():
        began = time.perf_counter()
        opened.wait_for_selector("#lost:not([hidden])")
        return time.perf_counter() - began
