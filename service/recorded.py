"""The log beside a running site: what earlier runs knew comes out of it at the start, what this run does goes in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from models.forecast.measured import KEPT, MeasuredHistory
from scenarios.events import Event
from scenarios.recording import Billing, Recorder, period_finder
from service.hearing import Hearing
from service.memory import Memory
from service.runtime import Runtime
from twin.alarms import unheard
from twin.log import LAST, Kind, SqliteLog
from twin.packing import shown_again, unpack, unpack_snapshot
from twin.replay import memory_at_end
from twin.watch import Verdict, Watch

PAGE_KEPT = timedelta(days=2)
"""So much of the past the page shows."""


@contextmanager
def recorded(
    runtime: Runtime,
    path: Path | None,
    watch: Watch,
    history: MeasuredHistory,
    billing: Billing,
    kept: timedelta | None = None,
) -> Iterator[Hearing]:
    """Give who listens to a run; with a log, the run goes on from it and is written into it, and what is older than ``kept`` leaves it."""
    if path is None:
        hear = Hearing(runtime.memory, history)
        watch.listener = hear.alarms.verdict
        yield hear
        return
    log = SqliteLog(path)
    remember(log, runtime, watch, history, billing)
    recorder = Recorder(
        log,
        runtime.site,
        watch,
        runtime.clock.now(),
        lambda at, words: runtime.memory.take_fault(at, "log", words),
        billing,
        kept,
    )
    hear = Recorded(runtime.memory, history, recorder)
    runtime.memory.alarm_listener = recorder.alarm
    watch.listener = hear.verdict
    try:
        yield hear
    finally:
        runtime.memory.alarm_listener = unheard
        recorder.close(runtime.clock.now())
        log.close()


class Recorded(Hearing):
    """Hears what a run tells and writes it down as well."""

    def __init__(self, memory: Memory, history: MeasuredHistory, recorder: Recorder) -> None:
        super().__init__(memory, history, recorder.measured)
        self._recorder = recorder

    def loop(self, event: Event) -> None:
        """Take one event of the operating loop; the record first, since what it causes is written behind it."""
        self._recorder(event)
        super().loop(event)

    def verdict(self, verdict: Verdict) -> None:
        """Take what the estimator says."""
        self._recorder.verdict(verdict)
        self.alarms.verdict(verdict)


def remember(log: SqliteLog, runtime: Runtime, watch: Watch, history: MeasuredHistory, billing: Billing) -> None:
    """Put what earlier runs knew into a new one: the peak of the billing period, hours in state, what was measured, the page's past."""
    now = runtime.clock.now()
    memory = memory_at_end(log, runtime.site, period_finder(runtime.site, billing))
    if memory is None or memory.at is None or memory.at > now:
        return
    watch.inner.recall(memory.after_a_gap(now))
    for record in log.read(now - KEPT, LAST, (Kind.MEASURED,)):
        history.add(record.at, unpack(record.body))
    if (
        runtime.memory.snapshot is not None
    ):  # the loop has only been given other devices: the page has seen the past itself
        return
    for record in log.read(now - PAGE_KEPT, LAST, (Kind.SNAPSHOT,)):
        runtime.memory.history.add(shown_again(unpack_snapshot(record.body, record.at), watch.inner.layout))
