"""The saving of a design with its interval: bootstrap years of the customer's own load, weather years, level and effect, the battery run anew.

The saving of the metered year is one draw. What next year brings differs by the order of its weeks, by how much is produced, by how much sun
there is and by what an efficiency programme really saves; all four are drawn together. The weather year and the common part of the level are
the same draw for every customer, so that the risks of many customers add up as they will. And the metered year, around which all of this is
drawn, was itself one of many: what its own weeks can differ by comes in a second time, as far as other customers' years say.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.packages.between import BetweenYears
from customers.packages.kernels import replicate_costs
from customers.packages.variants import Bench, Simulated

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NEAR_WEEKS = 4
RANGE_SDS = 2 * 1.645
"""The low and high value of the library are read as the 5th and 95th percentile of an effect."""


@dataclass(frozen=True, slots=True)
class Draws:
    """What is drawn once for all customers, shape (replicate,): how sunny the year is as a quantile, the common shock of the level, a seed for the rest."""

    sunny: Floats
    common: Floats
    seed: int

    @classmethod
    def of(cls, replicates: int, seed: int = 1) -> "Draws":
        """Return draws for so many replicates; dark and sunny years come as often as they should."""
        rng = np.random.default_rng([seed, 101])
        quantiles = (np.arange(replicates) + 0.5) / replicates
        return cls(rng.permutation(quantiles), rng.standard_normal(replicates), seed)


@dataclass(frozen=True, slots=True)
class SavingProof:
    """Yearly savings on the electricity bill, shape (replicate,), before any fee; ``before`` are the bills without the design."""

    saving: Floats
    before: Floats
    between: BetweenYears
    origin: str
    """Where the weather years come from."""

    def quantile(self, q: float) -> float:
        """Return a quantile of the saving."""
        # replicates stand in the middle of equal parts, as Hazen places them; the usual placing would narrow the interval by a share of them
        return float(np.quantile(self.saving, q, method="hazen"))

    @property
    def interval(self) -> tuple[float, float]:
        """The 90 % interval."""
        return self.quantile(0.05), self.quantile(0.95)

    @property
    def mean(self) -> float:
        """The expected saving."""
        return float(self.saving.mean())

    @property
    def loss_probability(self) -> float:
        """How likely the bill is higher with the design than without, before any fee."""
        return float((self.saving < 0).mean())


def prove(bench: Bench, simulated: Simulated, between: BetweenYears, draws: Draws) -> SavingProof:
    """Return the saving of a simulated design over drawn years."""
    rng = np.random.default_rng([draws.seed, *bench.customer.id.encode()])
    count = len(draws.common)
    year, factor = bench.sun.drawn(draws.sunny, bench.library["weather_year_sd"])
    drawn = Years(
        weeks_near(rng, bench.weeks, count),
        np.exp(between.drift + between.common_sd * draws.common + between.own_sd * rng.standard_normal(count)),
        _effects(bench, simulated.variant.saved_share, rng, count),
        year,
        factor,
    )
    before, after = replayed(bench, simulated, drawn).T
    own = own_year(bench, simulated, drawn.weeks[: count // 2 + 1])
    saving = before - after + between.swing * rng.choice(own, count)
    return SavingProof(saving, before, between, bench.sun.origin)


@dataclass(frozen=True, slots=True)
class Years:
    """Drawn years: the order of weeks (replicate, week), and by replicate the level, the effect of a programme, the year of sun and its factor."""

    weeks: Ints
    level: Floats
    effect: Floats
    sun_year: Ints
    sun_factor: Floats


def replayed(bench: Bench, simulated: Simulated, drawn: Years) -> Floats:
    """Return what drawn years cost without and with a design, shape (replicate, 2); money per year."""
    variant, year, customer = simulated.variant, bench.year, bench.customer
    out = np.empty((len(drawn.level), 2))
    replicate_costs(
        customer.load_kw,
        (bench.charging_kw(variant) - bench.engine_kw(variant)).astype(np.float32),
        bench.sun.years,
        drawn.weeks,
        bench.week,
        drawn.level,
        drawn.effect,
        drawn.sun_year,
        variant.pv_kw * drawn.sun_factor,
        bench.mode,
        simulated.caps_kw,
        bench.battery(variant),
        year.import_per_kwh,
        year.export_per_kwh,
        year.month,
        year.counts,
        year.demand_per_kw * year.share,
        year.floor_kw,
        year.step_h,
        out,
    )
    return out * bench.runs_per_year


def own_year(bench: Bench, simulated: Simulated, weeks: Ints) -> Floats:
    """Return by how much the saving of a year like the metered one differs with its weeks alone, around 0; shape (replicate,)."""
    count = len(weeks)
    usual, factor = bench.sun.drawn(np.full(count, 0.5), bench.library["weather_year_sd"])
    effect = np.full(count, simulated.variant.saved_share)
    before, after = replayed(bench, simulated, Years(weeks, np.ones(count), effect, usual, factor)).T
    saving = before - after
    return np.asarray(saving - saving.mean())


def _effects(bench: Bench, expected: float, rng: np.random.Generator, replicates: int) -> Floats:
    """Return drawn effects of the efficiency programme; it may save nothing, and never adds load."""
    item = bench.library.items["efficiency_effect"]
    sd = expected / item.central * (item.high - item.low) / RANGE_SDS
    return np.asarray(np.clip(expected + sd * rng.standard_normal(replicates), 0.0, 1.0))


def weeks_near(rng: np.random.Generator, weeks: int, replicates: int) -> Ints:
    """Return orders of a metered year in which every week is one of those up to four weeks away; shape (replicate, week).

    Weekdays stay weekdays. At both ends of the run weeks are mirrored: the first one has no neighbour before it.
    """
    if weeks < 2:
        return np.zeros((replicates, weeks), dtype=np.int64)
    chosen = np.arange(weeks) + rng.integers(-NEAR_WEEKS, NEAR_WEEKS + 1, (replicates, weeks))
    mirrored = np.where(chosen < 0, -chosen, np.where(chosen >= weeks, 2 * weeks - 2 - chosen, chosen))
    return np.asarray(np.clip(mirrored, 0, weeks - 1), dtype=np.int64)
