"""What blocks write into (the book) and what they read numbers from (the facts)."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.carriers import Carrier
from models.dispatch import DispatchProblem, EndTerm
from models.state import UnitState
from optimizers.compile.rules import Column, Formulation, Series, Step

Floats = npt.NDArray[np.float64]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Values = dict[str, npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class Feed:
    """``factor * column`` kilowatts from an asset into a carrier; a factor that varies in time is a parameter."""

    asset: str
    carrier: Carrier
    column: Column
    factor: float | Series


@dataclass(frozen=True, slots=True)
class Draw:
    """Demand of an asset that is given, in kW."""

    asset: str
    carrier: Carrier
    wanted: Series


@dataclass(slots=True)
class Book:
    """The formulation being written, with what each asset feeds into each carrier and what it draws without choice."""

    f: Formulation = field(default_factory=Formulation)
    feeds: list[Feed] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)

    @property
    def step_h(self) -> Series:
        """Length of every step in hours."""
        return self.f.series("step_h")

    def feed(self, asset: str, carrier: Carrier, column: Column, factor: float | Series) -> None:
        """Let ``column`` feed (or, with a negative factor, draw from) a carrier."""
        self.feeds.append(Feed(asset, carrier, column, factor))

    def draw(self, asset: str, carrier: Carrier) -> None:
        """Declare a fixed demand in kW, the parameter ``<asset>.<carrier>_demand_kw``, which the carrier's balance has to meet."""
        self.draws.append(Draw(asset, carrier, self.f.series(f"{asset}.{carrier.value}_demand_kw")))

    def at(self, feed: Feed, t: Step) -> Any:
        """Return a feed's term in a balance."""
        factor = feed.factor[t] if isinstance(feed.factor, Series) else feed.factor
        return factor * feed.column[t]


@dataclass(frozen=True, slots=True)
class Minutes:
    """The minutes of a horizon: the step each belongs to, its local hour with minutes, and whether it is on a working day."""

    step: npt.NDArray[np.int64]
    hour: Floats
    workday: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Facts:
    """The numbers of one problem, as arrays over its steps."""

    problem: DispatchProblem
    step_h: Floats
    start_h: Floats
    """Hours from the start of the horizon to the start of each step."""
    series: Mapping[str, Floats]
    available: Mapping[str, Floats]
    stored_kwh: Mapping[str, float]

    @functools.cached_property
    def times(self) -> pd.DatetimeIndex:
        """Start of every step, as labels for arrays."""
        return self.problem.horizon.times

    @functools.cached_property
    def minutes(self) -> "Minutes":
        """Every minute of the horizon in local time."""
        horizon = self.problem.horizon
        step = np.repeat(np.arange(len(horizon)), np.round(horizon.step_h * 60).astype(int))
        first = horizon.start.replace(hour=0, minute=0)
        skipped = (horizon.start - first) // MINUTE
        whole = [local_day(first + k * DAY, self.problem.site.location.time_zone) for k in range(len(step) // 1440 + 2)]
        hour, workday = (np.concatenate(parts)[skipped : skipped + len(step)] for parts in zip(*whole, strict=True))
        return Minutes(step, hour, workday)

    def share(self, asset: str) -> Floats:
        """Return how much of an asset is in service at each step, 0..1."""
        return self.available.get(asset, np.ones(len(self.step_h)))

    def in_service(self, assets: Sequence[str]) -> Floats:
        """Return how many of some units are in service at each step; a unit counts when more than half of it is."""
        able: Floats = np.array([self.share(a) > 0.5 for a in assets], float)
        count: Floats = able.sum(axis=0)
        return count

    def unit(self, asset: str) -> UnitState:
        """Return whether a unit runs and for how long; a unit nobody reports has stood for a week."""
        return self.problem.initial.units.get(asset, UnitState(running=False, hours_in_state=168.0))

    def stored(self, asset: str, default: float = 0.0) -> float:
        """Return the energy stored at the start."""
        return self.stored_kwh.get(asset, default)

    def end(self, asset: str, default: EndTerm) -> EndTerm:
        """Return how a store should stand at the end."""
        return self.problem.ends.get(asset, default)


@functools.lru_cache(maxsize=64)  # a plan that rolls on by an hour looks at almost the same minutes again
def local_day(first: datetime, time_zone: str) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return local hour and whether it is a working day, for each minute of a UTC day that begins at ``first``."""
    minutes = pd.date_range(first, periods=DAY // MINUTE, freq="1min").tz_convert(time_zone)
    hour = np.asarray(minutes.hour, float) + np.asarray(minutes.minute, float) / 60.0
    return hour, np.asarray(minutes.dayofweek < 5)


class Alike(Protocol):
    """A block that plans equal units as one count, the column ``on`` of ``name``."""

    @property
    def name(self) -> str:
        """The group's name."""

    @property
    def unit_ids(self) -> tuple[str, ...]:
        """The units behind the count."""


class Block(Protocol):
    """One family member of equipment: its part of the program, and the numbers that go with it."""

    def declare(self, book: Book) -> None:
        """Write columns, rows and costs."""

    def values(self, facts: Facts) -> Values:
        """Return the numbers of every parameter that :meth:`declare` asked for."""


def group_name(units: Sequence[str]) -> str:
    """Return the name under which equal units are planned together."""
    return "+".join(units)
