"""Import as the bill sees it: means over quarter-hours and the highest of the billing period."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.horizon import HOUR, QUARTER, require_utc
from models.tariffs.time_of_use import BillingPeriod, calendar_month

COVERED_SHARE = 0.8
"""A quarter-hour of which less was seen says nothing about its mean."""


@dataclass(frozen=True, slots=True)
class ImportSoFar:
    """The running quarter-hour: since when, how much of it has been seen, and the energy imported in that time."""

    start: datetime
    covered_h: float
    energy_kwh: float

    @property
    def mean_kw(self) -> float:
        """Mean import of the part that has been seen; 0 before anything has."""
        return self.energy_kwh / self.covered_h if self.covered_h else 0.0


class ImportMeter:
    """Follows the import at the grid connection; between two observations it runs straight from one to the other.

    Export counts as no import, as on a bill. The peak starts anew with every billing period (the local calendar month).
    """

    def __init__(self, time_zone: str, peak_kw: float | None = None) -> None:
        self.time_zone = time_zone
        self.peak_kw = peak_kw
        self._last: tuple[datetime, float] | None = None
        self._running: ImportSoFar | None = None
        self._period: BillingPeriod | None = None

    @property
    def running(self) -> ImportSoFar | None:
        """The quarter-hour in progress, None before the first observation."""
        return self._running

    def observe(self, at: datetime, import_kw: float) -> None:
        """Take one observation in; observations that do not move time forward only replace the last power."""
        at = require_utc(at)
        if self._last is None:
            self._open(_quarter(at))
        else:
            self._run(*self._last, at, import_kw)
        self._last = at, import_kw

    def _run(self, since: datetime, from_kw: float, until: datetime, to_kw: float) -> None:
        """Spread the import between two observations over the quarter-hours that it touches."""
        whole = (until - since) / HOUR
        here = since
        while here < until:
            boundary = min(_quarter(here) + QUARTER, until)
            share_from, share_to = ((t - since) / HOUR / whole for t in (here, boundary))
            middle_kw = from_kw + (to_kw - from_kw) * (share_from + share_to) / 2.0
            self._add((boundary - here) / HOUR, max(middle_kw, 0.0))
            here = boundary
            if here == _quarter(here):
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
            self._period = calendar_month(start, self.time_zone)
        elif start >= self._period.end:
            self._period = calendar_month(start, self.time_zone)
            self.peak_kw = None


def _quarter(at: datetime) -> datetime:
    """Return the start of the quarter-hour around an instant; local quarters and UTC quarters are the same everywhere."""
    return at - (at - at.replace(minute=0, second=0, microsecond=0)) % timedelta(minutes=15)
