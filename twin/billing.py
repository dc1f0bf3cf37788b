"""Import as the bill sees it: means over quarter-hours and the highest of the billing period."""

from dataclasses import dataclass
from datetime import datetime

from models.horizon import HOUR, QUARTER, quarter_start, require_utc
from models.state import ImportSoFar
from models.tariffs.time_of_use import BillingPeriod, PeriodFinder

COVERED_SHARE = 0.8
"""A quarter-hour of which less was seen says nothing about its mean."""


@dataclass(frozen=True, slots=True)
class MeterMemory:
    """What an import meter carries from one observation to the next."""

    peak_kw: float | None = None
    last_at: datetime | None = None
    last_kw: float = 0.0
    running: ImportSoFar | None = None
    period: BillingPeriod | None = None


class ImportMeter:
    """Follows the import at the grid connection; between two observations it runs straight from one to the other.

    Export counts as no import, as on a bill. The peak starts anew with every billing period; what was seen of the quarter-hour in
    which observations begin counts only when it is most of it.
    """

    def __init__(self, period_of: PeriodFinder, peak_kw: float | None = None) -> None:
        self._period_of = period_of
        self.peak_kw = peak_kw
        self._last: tuple[datetime, float] | None = None
        self._running: ImportSoFar | None = None
        self._period: BillingPeriod | None = None

    @property
    def memory(self) -> MeterMemory:
        """What has to be known to go on from here."""
        at, kw = self._last or (None, 0.0)
        return MeterMemory(self.peak_kw, at, kw, self._running, self._period)

    def recall(self, memory: MeterMemory) -> None:
        """Go on from where another meter stood."""
        self.peak_kw, self._running, self._period = memory.peak_kw, memory.running, memory.period
        self._last = None if memory.last_at is None else (memory.last_at, memory.last_kw)

    @property
    def running(self) -> ImportSoFar | None:
        """The quarter-hour in progress, None before the first observation."""
        return self._running

    def observe(self, at: datetime, import_kw: float) -> None:
        """Take one observation in; observations that do not move time forward only replace the last power."""
        at = require_utc(at)
        if self._last is None:
            self._open(quarter_start(at))
        else:
            self._run(*self._last, at, import_kw)
        self._last = at, import_kw

    def _run(self, since: datetime, from_kw: float, until: datetime, to_kw: float) -> None:
        """Spread the import between two observations over the quarter-hours that it touches."""
        whole = (until - since) / HOUR
        here = since
        while here < until:
            boundary = min(quarter_start(here) + QUARTER, until)
            share_from, share_to = ((t - since) / HOUR / whole for t in (here, boundary))
            middle_kw = from_kw + (to_kw - from_kw) * (share_from + share_to) / 2.0
            self._add((boundary - here) / HOUR, max(middle_kw, 0.0))
            here = boundary
            if here == quarter_start(here):
                self._close(here)

    def _add(self, hours: float, power_kw: float) -> None:
        run = self._running
        if run is not None:
            self._running = ImportSoFar(run.start, run.covered_h + hours, run.energy_kwh + hours * power_kw)

    def _close(self, boundary: datetime) -> None:
        run = self._running
        if run is not None and run.covered_h >= COVERED_SHARE * (QUARTER / HOUR):
            self.peak_kw = max(self.peak_kw or 0.0, run.mean_kw)
        self._open(boundary)

    def _open(self, start: datetime) -> None:
        self._running = ImportSoFar(start, 0.0, 0.0)
        if self._period is None:
            self._period = self._period_of(start)
        elif start >= self._period.end:
            self._period, self.peak_kw = self._period_of(start), None
