"""The saving of a design with its interval: bootstrap years of the customer's own load, weather years, level and effect, the battery run anew.

The saving of the metered year is one draw. What next year brings differs by the order of its weeks, by how much is produced, by how much sun
there is and by what an efficiency programme really saves; all four are drawn together. The weather year and the common part of the level are
the same draw for every customer, so that the risks of many customers add up as they will.
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
    """What is drawn once for all customers, shape (replicate,): the weather year, the common shock of the level, and a seed for the rest."""

    weather_year: Ints
    common: Floats
    seed: int

    @classmethod
    def of(cls, replicates: int, years: int, seed: int = 1) -> "Draws":
        """Return draws for so many replicates from an archive of so many years; every year comes as often as any other."""
        rng = np.random.default_rng([seed, 101])
        return cls(rng.permutation(np.arange(replicates) % years), rng.standard_normal(replicates), seed)


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
        return float(np.quantile(self.saving, q))

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
    replicates, variant, year, customer = len(draws.common), simulated.variant, bench.year, bench.customer
    level = np.exp(between.drift + between.common_sd * draws.common + between.own_sd * rng.standard_normal(replicates))
    week = 7 * 24 * 60 // customer.intervals.minutes
    out = np.empty((replicates, 2))
    replicate_costs(
        customer.load_kw,
        (bench.charging_kw(variant) - bench.engine_kw(variant)).astype(np.float32),
        bench.sun.years,
        weeks_near(rng, customer.intervals.count // week, replicates),
        week,
        level,
        _effects(bench, variant.saved_share, rng, replicates),
        draws.weather_year,
        np.full(replicates, variant.pv_kw),
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
    out *= bench.runs_per_year
    return SavingProof(out[:, 0] - out[:, 1], out[:, 0], between, bench.sun.origin)


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
