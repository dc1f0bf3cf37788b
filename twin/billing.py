"""Import as the bill sees it: means over quarter-hours and the highest of the billing period."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.components import GridConnection
from models.horizon import HOUR, QUARTER, Horizon, quarter_start, require_utc
from models.site import ElectricityContract, Site
from models.state import ImportSoFar, MonthSoFar
from models.tariffs.tariff import Tariff
from models.tariffs.terms import Terms, optimizer_terms
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
    month: MonthSoFar | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What one quarter-hour counts for: the share of it in each net term, and the peak windows that it lies in."""

    net_share: Mapping[str, float]
    windows: frozenset[str]


class Counting:
    """Says what a tariff counts in every quarter-hour; its terms are read a day at a time."""

    def __init__(self, tariff: Tariff, windows: frozenset[str]) -> None:
        self._tariff, self._windows = tariff, windows
        self._day: datetime | None = None
        self._terms: Terms

    @classmethod
    def of(cls, site: Site) -> "Counting | None":
        """Return what a site's tariff counts beyond its highest import, None for plain tariffs.

        One meter follows all connections together, so the first one whose tariff counts anything says what.
        """
        for grid in site.of_kind(GridConnection):
            contract = site.contract(grid.contract)
            if not isinstance(contract, ElectricityContract):
                continue
            said = contract.tariff
            if said.blocks or said.net_metering or said.peak_windows:
                return cls(site.tariff(contract.id), frozenset(w.name for w in said.peak_windows))
        return None

    def at(self, start: datetime) -> Counted:
        """Return what the quarter-hour that begins at ``start`` counts for."""
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        if day != self._day:
            self._terms = optimizer_terms(self._tariff, Horizon.uniform(day, day + timedelta(days=1), QUARTER))
            self._day = day
        row, terms = (start - day) // QUARTER, self._terms
        return Counted(
            {n.name: float(n.counts[row]) for n in terms.netted if n.counts[row]},
            frozenset(d.name for d in terms.demand if d.name in self._windows and d.counts[row]),
        )


class ImportMeter:
    """Follows the import at the grid connection; between two observations it runs straight from one to the other.

    Export counts as no import, as on a bill. The peak starts anew with every billing period; what was seen of the quarter-hour in
    which observations begin counts only when it is most of it. With ``counting`` the meter also follows what the tariff counts over
    the period: energy for blocks, netting, and peaks in windows.
    """

    def __init__(self, period_of: PeriodFinder, peak_kw: float | None = None, counting: Counting | None = None) -> None:
        self._period_of = period_of
        self._counting = counting
        self.peak_kw = peak_kw
        self.month = None if counting is None else MonthSoFar()
        self._last: tuple[datetime, float] | None = None
        self._running: ImportSoFar | None = None
        self._period: BillingPeriod | None = None

    @property
    def memory(self) -> MeterMemory:
        """What has to be known to go on from here."""
        at, kw = self._last or (None, 0.0)
        return MeterMemory(self.peak_kw, at, kw, self._running, self._period, self.month)

    def recall(self, memory: MeterMemory) -> None:
        """Go on from where another meter stood."""
        self.peak_kw, self._running, self._period = memory.peak_kw, memory.running, memory.period
        self._last = None if memory.last_at is None else (memory.last_at, memory.last_kw)
        if self._counting is not None:
            self.month = memory.month or MonthSoFar()

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
            self._add((boundary - here) / HOUR, middle_kw)
            here = boundary
            if here == quarter_start(here):
                self._close(here)

    def _add(self, hours: float, power_kw: float) -> None:
        run = self._running
        if run is not None:
            bought_kwh = hours * max(power_kw, 0.0)
            self._running = ImportSoFar(run.start, run.covered_h + hours, run.energy_kwh + bought_kwh)
            self._count(run.start, bought_kwh, hours * power_kw)

    def _count(self, quarter: datetime, bought_kwh: float, through_kwh: float) -> None:
        """Add to the period's energy, and to its balance of bought and sent out by net term."""
        if self._counting is None or self.month is None:
            return
        net_kwh = dict(self.month.net_kwh)
        for name, share in self._counting.at(quarter).net_share.items():
            net_kwh[name] = net_kwh.get(name, 0.0) + share * through_kwh
        self.month = replace(self.month, bought_kwh=self.month.bought_kwh + bought_kwh, net_kwh=net_kwh)

    def _count_peak(self, run: ImportSoFar) -> None:
        """Raise the peaks of the windows that a whole quarter-hour lies in."""
        if self._counting is None or self.month is None:
            return
        known = self.month.peaks_kw
        here = {name: max(known.get(name, 0.0), run.mean_kw) for name in self._counting.at(run.start).windows}
        self.month = replace(self.month, peaks_kw={**known, **here})

    def _close(self, boundary: datetime) -> None:
        run = self._running
        if run is not None and run.covered_h >= COVERED_SHARE * (QUARTER / HOUR):
            self.peak_kw = max(self.peak_kw or 0.0, run.mean_kw)
            self._count_peak(run)
        self._open(boundary)

    def _open(self, start: datetime) -> None:
        self._running = ImportSoFar(start, 0.0, 0.0)
        if self._period is None:
            self._period = self._period_of(start)
        elif start >= self._period.end:
            self._period, self.peak_kw = self._period_of(start), None
            self.month = None if self._counting is None else MonthSoFar()
