"""Charges: one component on one segment, for any number of customers at once, in exact integers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.tariffs.calendar import Schedule
from models.tariffs.compile import Compiled, Segment
from models.tariffs.components import DemandRule, Per
from models.tariffs.money import KILO, PPM, amount_micro
from models.tariffs.sums import Readings, Sums

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Charge:
    """One line for every customer: ``quantity`` at ``price_micro`` (None for amounts that are not a product) gives ``amount_micro``.

    ``schedule`` and ``period`` say which meter intervals are behind it; arrays have shape (customer,).
    """

    segment: int
    component: str
    what: str
    quantity: Ints
    unit: str
    price_micro: int | None
    amount_micro: Ints
    schedule: Schedule | None = None
    period: int = 0
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Meters:
    """Meter data of many customers on the same intervals, in whole Wh (varh); shape (customer, interval).

    ``net_wh`` is positive where energy is bought; ``generation_wh`` (>= 0) is the generation behind it where that is metered itself;
    ``reactive_varh`` (>= 0) serves the power factor; ``baseline_wh`` (>= 0) is what would have been bought without a measure whose savings
    are shared; ``index_micro`` holds the prices of each named index per kWh; ``past_peaks_w`` the
    peaks of calendar months before the first one, newest last, each as (month, shape (customer,)).
    """

    net_wh: Readings
    generation_wh: Readings | None = None
    reactive_varh: Readings | None = None
    index_micro: Mapping[str, Ints] = field(default_factory=dict)
    past_peaks_w: tuple[tuple[int, Ints], ...] = ()
    baseline_wh: Readings | None = None


Channel = Callable[[], Sums]


@dataclass(frozen=True, slots=True)
class Usage:
    """One segment of the metered year as components ask for it; ``kept`` carries what a component hands to its next segment."""

    compiled: Compiled
    meters: Meters
    load: Sums
    generation: Sums | None
    reactive: Sums | None
    number: int
    kept: dict[str, dict[int, Ints]]
    baseline: Sums | None = None

    @property
    def segment(self) -> Segment:
        """The segment's days, month and version."""
        return self.compiled.segments[self.number]

    @property
    def nobody(self) -> Ints:
        """A zero for every customer."""
        return np.zeros(len(self.meters.net_wh), dtype=np.int64)

    def bought_wh(self, schedule: Schedule | None = None, period: int = 0) -> Ints:
        """Return the energy bought in the segment, of one period where a schedule is given."""
        return _total(self.load.bought_wh, self.compiled.cells(self.number, schedule, period))

    def sold_wh(self, schedule: Schedule | None = None, period: int = 0) -> Ints:
        """Return the energy sent out."""
        return _total(self.load.sold_wh, self.compiled.cells(self.number, schedule, period))

    def generated_wh(self, schedule: Schedule, period: int) -> Ints:
        """Return the energy generated behind the meter."""
        sums = self.load if self.generation is None else self.generation
        return _total(sums.bought_wh, self.compiled.cells(self.number, schedule, period))

    def baseline_wh(self, schedule: Schedule, period: int) -> Ints:
        """Return the energy that would have been bought without the measure whose savings are shared."""
        sums = self.load if self.baseline is None else self.baseline
        return _total(sums.bought_wh, self.compiled.cells(self.number, schedule, period))

    def peak_w(self, schedule: Schedule | None = None, period: int = 0, segment: int | None = None) -> Ints:
        """Return the highest mean import over one interval, in W; 0 where nothing was bought."""
        here = self.number if segment is None else segment
        cells = self.compiled.cells(here, schedule, period)
        if not cells:
            return self.nobody
        top: Ints = self.load.peak_wh[:, cells].max(axis=1) * 60 // self.compiled.intervals.minutes
        return top

    def demand_w(self, rule: DemandRule, schedule: Schedule | None = None, period: int = 0) -> Ints:
        """Return the billing demand that the rule makes of this month's own peak and those before it."""
        own, month = self.peak_w(schedule, period), self.segment.month
        if month in rule.ignores_own:
            own = own * rule.lookback_share_ppm[month - 1] // PPM
        best = np.maximum(own, rule.minimum_w)
        for past_month, peak in self._past(rule.lookback_months):
            best = np.maximum(best, peak * rule.lookback_share_ppm[past_month - 1] // PPM)
        return best

    def _past(self, months: int) -> list[tuple[int, Ints]]:
        """Return the whole peaks of the calendar months before this one, newest last, at most ``months`` of them."""
        past: dict[tuple[int, int], Ints] = {}
        for k, s in enumerate(self.compiled.segments[: self.number]):
            if s.cycle != self.segment.cycle:
                past[s.cycle] = np.maximum(past.get(s.cycle, self.nobody), self.peak_w(segment=k))
        known = [*self.meters.past_peaks_w, *((month, peak) for (_, month), peak in past.items())]
        return known[-months:] if months else []

    def cap_wh(self, up_to: int, per: Per, demand_w: Ints) -> Ints:
        """Return the limit of a tier in Wh in this segment: by its share of the month, its days, or the billing demand."""
        s = self.segment
        match per:
            case Per.KWH:
                return np.full_like(demand_w, up_to * s.days // s.month_days)
            case Per.KWH_PER_DAY:
                return np.full_like(demand_w, up_to * s.days)
            case Per.KWH_PER_KW:
                return demand_w * up_to // KILO * s.days // s.month_days
            case Per.KWH_PER_KW_DAY:
                return demand_w * up_to // KILO * s.days

    def priced(
        self,
        component: str,
        what: str,
        quantity: Ints,
        unit: str,
        price_micro: int,
        *,
        sign: int = 1,
        schedule: Schedule | None = None,
        period: int = 0,
        tier: int = 0,
        per: int = KILO,
        of_month: bool = False,
    ) -> Iterator[Charge]:
        """Give the charge of a quantity at a price, rounded once; nothing where no customer has any.

        ``of_month`` takes only the segment's share of the month; ``sign`` -1 pays the customer; ``per`` units cost one price.
        """
        if not quantity.any():
            return
        share, whole = (self.segment.days, self.segment.month_days) if of_month else (1, 1)
        unit_micro = self.compiled.tariff.line_unit_micro
        amount = amount_micro(quantity, sign * price_micro * share, unit_micro, per * whole)
        yield Charge(self.number, component, what, quantity, unit, price_micro, amount, schedule, period, tier)


def _total(values: Ints, cells: list[int]) -> Ints:
    total: Ints = values[:, cells].sum(axis=1)
    return total
