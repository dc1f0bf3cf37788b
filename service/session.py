"""A running system at the terminal: loop and page together, a line of progress, and one way to end."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.live import Live
from rich.text import Text

from models.errors import JouletwinError, PlantError
from service.commands.screen import progress_console
from service.console.figures import grouped, local_time
from service.operation import Operation
from service.runtime import Runtime
from service.views.tiles import key_figures

REFRESH_S = 0.5


def watch(runtime: Runtime, operation: Operation, stop: threading.Event, seconds: float | None = None) -> None:
    """Show progress until somebody ends it, the loop fails or ``seconds`` have passed.

    Raises
    ------
    JouletwinError
        What ended the loop, where it ended by itself.
    """
    until = None if seconds is None else time.monotonic() + seconds
    with Live(console=progress_console, refresh_per_second=4, transient=True) as live:
        while operation.running and not stop.wait(REFRESH_S):
            if until is not None and time.monotonic() >= until:
                break
            live.update(progress(runtime))
    if operation.failure is not None:
        fault = operation.failure
        raise (
            fault if isinstance(fault, JouletwinError | OSError) else PlantError(f"the loop ended: {fault!r}")
        ) from fault


def progress(runtime: Runtime) -> Text:
    """Return the present in one line."""
    snapshot = runtime.memory.snapshot
    if snapshot is None:
        return Text("reading the devices for the first time")
    figures = key_figures(runtime.memory, snapshot)
    plan = figures.plan
    parts = [
        local_time(snapshot.at, runtime.site.location.time_zone, "%a %d %b %H:%M"),
        f"import {grouped(figures.import_kw)} kW",
        f"{grouped(figures.now.cost)} {figures.currency}/h, today {grouped(figures.today.cost)}",
        *(f"{s.title} {100 * s.stored_share:.0f} %" for s in figures.stores),
        "no plan yet" if plan is None else f"plan {plan.age_s / 60:.0f} min old, {plan.status}",
        f"{sum(runtime.memory.outcomes().values())} commands",
    ]
    return Text(" · ".join(parts))


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """Give an event that is set by Ctrl-C or SIGTERM; a second one ends at once."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
