"""Writes what a running site does into its log: readings, verdicts, snapshots, plans, receipts and alarms, a turn at a time."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from models.errors import SetupError
from models.site import Site
from models.tariffs.time_of_use import PeriodFinder, monthly
from scenarios.day import local_day
from scenarios.events import CommandsSent, Event, PlanMade, SnapshotTaken
from twin.alarms import AlarmChange
from twin.log import LAST, Kind, RecordLog
from twin.packing import (
    Column,
    columns_of,
    pack,
    pack_alarm,
    pack_forecast,
    pack_plan,
    pack_readings,
    pack_receipts,
    pack_snapshot,
    plain,
    unpack,
)
from twin.sync import SyncMemory
from twin.watch import Verdict, Watch

MEMORY_EVERY = timedelta(hours=1)
"""A replay begins at most this far before what it shows."""


class Billing(StrEnum):
    """Which period's peak a run is charged for."""

    MONTH = "month"
    DAY = "day"


def period_finder(site: Site, billing: Billing) -> PeriodFinder:
    """Return which billing period an instant belongs to."""
    zone = ZoneInfo(site.location.time_zone)
    if billing is Billing.MONTH:
        return monthly(site.location.time_zone)
    return lambda at: local_day(site, at.astimezone(zone).date())


def billing_of(log: RecordLog, start: datetime) -> Billing:
    """Return how the run on record around ``start`` was billed."""
    memory = log.last(Kind.MEMORY, start) or next(iter(log.read(start, LAST, (Kind.MEMORY,))), None)
    return Billing.MONTH if memory is None else Billing(unpack(memory.body)["billing"])


class Recorder:
    """A listener that keeps a log; a log that cannot be written is told once and never stops the loop.

    Parameters
    ----------
    watch
        Makes the run's snapshots; its memory goes into the log from time to time, so that a replay can begin there.
    trouble
        Is told, with the instant, that the log cannot be written.
    billing
        The period whose peak the run is charged for; a replay has to know.
    kept
        How far back the log reaches; None keeps everything. What is older is dropped once an hour.
    """

    def __init__(
        self,
        log: RecordLog,
        site: Site,
        watch: Watch,
        start: datetime,
        trouble: Callable[[datetime, str], None],
        billing: Billing = Billing.MONTH,
        kept: timedelta | None = None,
    ) -> None:
        self.log, self.site, self.watch, self._trouble, self.billing = log, site, watch, trouble, billing
        self._kept = kept
        self._columns: tuple[Column, ...] | None = None
        self._remembered = start
        self._alarms: deque[AlarmChange] = deque()
        self._silent = False
        self._append(start, Kind.MEMORY, self._memory())

    def __call__(self, event: Event) -> None:
        """Keep one event of the loop; a snapshot begins a new turn, so what was before is made safe."""
        match event:
            case SnapshotTaken():
                self._commit(event.at)
                self._snapshot(event)
            case PlanMade():
                self._append(event.at, Kind.FORECAST, pack_forecast(event.forecast))
                self._append(event.at, Kind.PLAN, pack_plan(event.plan))
            case CommandsSent():
                self._append(event.at, Kind.RECEIPTS, pack_receipts(event.receipts))

    def verdict(self, verdict: Verdict) -> None:
        """Keep what the estimator said."""
        self._append(verdict.at, Kind.VERDICT, pack(plain(Verdict, verdict)))

    def measured(self, at: datetime, series: dict[str, float]) -> None:
        """Keep what forecasts learn from."""
        self._append(at, Kind.MEASURED, pack(series))

    def alarm(self, change: AlarmChange) -> None:
        """Keep one step in an alarm's life; may come from any thread, so it waits for the loop's next turn."""
        self._alarms.append(change)

    def close(self, at: datetime) -> None:
        """Make everything safe, and leave a memory to go on from."""
        self._append(at, Kind.MEMORY, self._memory())
        self._commit(at)

    def _snapshot(self, event: SnapshotTaken) -> None:
        at, columns = event.at, columns_of(event.readings)
        while self._alarms:
            change = self._alarms.popleft()
            self._append(change.at, Kind.ALARM, pack_alarm(change))
        if columns != self._columns:
            self._columns = columns
            self._append(at, Kind.COLUMNS, pack(list(columns)))
        self._append(at, Kind.READINGS, pack_readings(event.readings, at))
        self._append(at, Kind.SNAPSHOT, pack_snapshot(event.snapshot))
        if at - self._remembered >= MEMORY_EVERY:
            self._remembered = at
            self._append(at, Kind.MEMORY, self._memory())
            self._append(at, Kind.COLUMNS, pack(list(columns)))
            if self._kept is not None:
                oldest = at - self._kept
                self._guarded(at, lambda: self.log.forget(oldest))

    def _memory(self) -> bytes:
        verdict = self.watch.verdict
        return pack(
            {
                "site": self.site.name,
                "billing": self.billing.value,
                "memory": plain(SyncMemory, self.watch.inner.memory),
                "verdict": None if verdict is None else plain(Verdict, verdict),
            }
        )

    def _append(self, at: datetime, kind: Kind, body: bytes) -> None:
        self._guarded(at, lambda: self.log.append(at, kind, body))

    def _commit(self, at: datetime) -> None:
        if self._guarded(at, self.log.commit):
            self._silent = False

    def _guarded(self, at: datetime, work: Callable[[], object]) -> bool:
        """Do something with the log and return whether it worked; what does not is told once until a turn is safe again."""
        try:
            work()
        except SetupError as problem:
            if not self._silent:
                self._silent = True
                self._trouble(at, f"{problem}; the site is operated without it")
            return False
        return True
