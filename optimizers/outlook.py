"""The years that an investment is judged over: stages, discounting, growth, and what a thing costs and keeps while it ages."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models.components import Consumer, FlexibleLoad
from models.dispatch import DispatchProblem
from models.finance import discount_factors
from optimizers.sizes import SizeOption

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How many years count, at which rate, when may be built, and what becomes dearer.

    ``stages`` are the years, from 0 and rising, in which may be built; each lasts until the next. ``price_growth`` is the yearly rise of a
    part of the cost (``energy``, ``gas``, ``demand``, ...) in real terms, ``load_growth`` that of every demand.
    """

    years: int = 20
    discount_rate: float = 0.06
    stages: tuple[int, ...] = (0,)
    price_growth: Mapping[str, float] = field(default_factory=dict)
    load_growth: float = 0.0

    def years_of(self, stage: int) -> range:
        """Return the years of a stage."""
        ends = (*self.stages, self.years)
        return range(ends[stage], ends[stage + 1])

    def price_factors(self, part: str) -> Floats:
        """Return what a part of the cost has grown to in every year; shape (years,), 1 in year 0."""
        return np.asarray((1.0 + self.price_growth.get(part, 0.0)) ** np.arange(self.years), float)

    def weight(self, stage: int, part: str) -> float:
        """Return what a yearly cost of 1, at the prices of year 0, is worth today when it is paid at the end of each year of a stage."""
        years = np.array(self.years_of(stage))
        return float(
            np.sum(discount_factors(self.discount_rate, self.years)[years + 1] * self.price_factors(part)[years])
        )

    def load_factor(self, stage: int) -> float:
        """Return the mean growth of demand in a stage."""
        return float(np.mean((1.0 + self.load_growth) ** np.array(self.years_of(stage))))


def grown(problem: DispatchProblem, factor: float) -> DispatchProblem:
    """Return the problem with every demand multiplied."""
    if factor == 1.0:
        return problem
    site = problem.site
    names = {d.profile for c in site.of_kind(Consumer) for d in c.demands} | {
        u.profile for u in site.of_kind(FlexibleLoad)
    }
    values = problem.forecast.values.copy(deep=True)
    rising = [n for n in values["series"].values.tolist() if n in names]
    values.loc[{"series": rising}] = factor * values.sel(series=rising)
    return replace(problem, forecast=replace(problem.forecast, values=values))


def payments(option: SizeOption, built: int, outlook: Outlook) -> Floats:
    """Return what one unit of size, built in year ``built``, costs at the end of years 0, 1, ... N: bought, replaced, kept up, sold.

    It is bought again whenever it has lived its life; what is left of the last one's life is worth its share of the price at the end.
    """
    found = np.zeros(outlook.years + 1)
    life = int(option.lifetime_years)
    bought = np.arange(built, outlook.years, life)
    found[bought] += option.cost
    found[built + 1 :] += option.om_per_year
    left = (bought[-1] + life - outlook.years) / life
    found[outlook.years] -= option.cost * left
    return found


def once(option: SizeOption, built: int, outlook: Outlook) -> Floats:
    """Return what building anything of an option costs in years 0, 1, ... N, whatever its size."""
    found = np.zeros(outlook.years + 1)
    found[built] = option.cost_once
    return found


def kept_share(option: SizeOption, built: int, years: range) -> float:
    """Return how much of a unit built in year ``built`` is left on average over ``years``; a replacement is as new."""
    ages = (np.array(years) - built) % int(option.lifetime_years)
    return float(np.mean((1.0 - option.degradation_share) ** ages))
