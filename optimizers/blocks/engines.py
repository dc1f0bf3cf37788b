"""Engines with commitment: equal engines are planned as one count, which is exact for equal units and far quicker to solve.

The count n, its starts and stops obey minimum up and down times over steps of any length: a mask says which earlier steps
still bind. What the past still forces (a running engine that must go on, a standing one that must wait) enters as numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Engine, ExtractionChp, PartLoadMap
from optimizers.blocks.book import Book, Facts, Values, group_name
from optimizers.compile.rules import Before, Column, Step

Floats = npt.NDArray[np.float64]
HEAT_TOLERANCE = 0.01
"""A heat line this close to concave (share of its value) may be planned on its hull."""


@dataclass(frozen=True, slots=True)
class EngineShape:
    """How far back the past of an engine reaches on a problem's time axis, in steps; 0 where no earlier step can bind.

    ``up`` and ``down`` are for starts and stops, at least 1 where a time is asked for at all, since what happened before the first step
    can bind on any axis; ``warm`` for stops that leave each kind of warm start possible; ``ramped`` engines cannot
    cross their range within one step.
    """

    up: int
    down: int
    warm: tuple[int, ...] = ()
    ramped: bool = False

    @classmethod
    def of(cls, unit: Engine, step_h: Floats) -> "EngineShape":
        """Return the shape of an engine's past on steps of these lengths."""
        slow = unit.ramp_kw_per_min * 60.0 * float(step_h.min()) < unit.power_max_kw
        warm = tuple(window(w.off_below_h, step_h) for w in unit.warm_starts)
        up, down = (max(window(h, step_h), 1) if h > 0 else 0 for h in (unit.min_up_h, unit.min_down_h))
        return cls(up, down, warm, slow)


@dataclass(frozen=True, slots=True)
class EngineBlock:
    """Equal engines: power, fuel and heat as a weighted mean of operating points, and the count that runs.

    A turbine's region is the same mixture over its corners.
    """

    units: tuple[Engine, ...]
    shape: EngineShape

    @property
    def name(self) -> str:
        """The name of the group."""
        return group_name(self.unit_ids)

    @property
    def unit_ids(self) -> tuple[str, ...]:
        """The engines behind the count."""
        return tuple(u.id for u in self.units)

    def declare(self, book: Book) -> None:
        """Write operating points, commitment, costs and ports."""
        f, unit, name, step_h = book.f, self.units[0], self.name, book.step_h
        points = unit.operating_points()
        on = f.column(name, "on", upper=f.series(f"{name}.in_service"), integer=True, before=Before.GIVEN)
        weights = [f.column(name, f"weight_{k}") for k in range(len(points.power_kw))]
        f.row(name, "point", lambda t: sum(w[t] for w in weights) == on[t])
        start = self._declare_commitment(book, on)
        if unit.start_cost:
            f.cost("start", name, lambda t: unit.start_cost * start[t])
        self._declare_warm_starts(book, start)
        if unit.om_cost_per_kwh:
            rate, power = unit.om_cost_per_kwh, points.power_kw
            f.cost(
                "maintenance",
                name,
                lambda t: step_h[t] * sum(rate * p * w[t] for p, w in zip(power, weights, strict=True)),
            )
        for carrier, values, sign in _ports(points):
            for weight, value in zip(weights, values, strict=True):
                if value:
                    book.feed(name, carrier, weight, sign * value)
        self._declare_radiator(book, points, weights)
        if not isinstance(unit, ExtractionChp) and not is_hull(points):
            _declare_neighbours(book, name, on, weights)
        if self.shape.ramped:
            self._declare_ramp(book, points, weights, on, start)

    def _declare_commitment(self, book: Book, on: Column) -> Column:
        """Write starts, stops, and how long each binds; return the starts."""
        f, name = book.f, self.name
        start = f.column(name, "start", upper=len(self.units), before=Before.ZERO)
        stop = f.column(name, "stop", upper=len(self.units), before=Before.ZERO)
        f.row(name, "switch", lambda t: on[t] - on[t - 1] == start[t] - stop[t])
        if self.shape.up:
            up = [f.series(f"{name}.up_{k}") for k in range(self.shape.up)]
            held = f.series(f"{name}.held_on")
            f.row(name, "min_up", lambda t: on[t] - _recent(start, up, t) >= held[t])
        if self.shape.down:
            down = [f.series(f"{name}.down_{k}") for k in range(self.shape.down)]
            room = f.series(f"{name}.free_to_run")
            f.row(name, "min_down", lambda t: on[t] + _recent(stop, down, t) <= room[t])
        return start

    def _declare_warm_starts(self, book: Book, start: Column) -> None:
        """Refund what a start costs less while the engine is warm: soon after a stop, of the plan or of the past."""
        f, name, unit = book.f, self.name, self.units[0]
        stop, on, warm = f.columns[f"{name}.stop"], f.columns[f"{name}.on"], []
        for j, kind in enumerate(unit.warm_starts):
            depth, spared = self.shape.warm[j], unit.start_cost - kind.cost
            column = f.column(name, f"warm_start_{j}", upper=1.0)
            now = f.series(f"{name}.warm_{j}_now")
            masks = [f.series(f"{name}.warm_{j}_{k}") for k in range(depth)]
            f.row(name, f"warm_{j}", lambda t, c=column, m=masks, n=now: c[t] <= _recent(stop, m, t) + n[t])  # type: ignore[misc]
            f.cost("start", name, lambda t, c=column, less=spared: -1.0 * less * c[t])  # type: ignore[misc]
            warm.append(column)
        if warm:
            f.row(name, "warm_starts", lambda t: sum(c[t] for c in warm) <= start[t])
            # or a start that stops at once would keep a standing engine warm
            f.row(name, "warm_runs", lambda t: start[t] <= on[t])

    def _declare_radiator(self, book: Book, points: PartLoadMap, weights: Sequence[Column]) -> None:
        """Let heat go into the air, no more than the engines give."""
        if not self.units[0].heat_can_be_dumped:
            return
        heat_kw = points.heat_kw
        dumped = book.f.column(self.name, "dumped_kw")
        book.f.row(
            self.name,
            "radiator",
            lambda t: dumped[t] <= sum(h * w[t] for h, w in zip(heat_kw, weights, strict=True)),
        )
        book.feed(self.name, Carrier.HEAT, dumped, -1.0)

    def _declare_ramp(
        self, book: Book, points: PartLoadMap, weights: Sequence[Column], on: Column, start: Column
    ) -> None:
        """Bound the change of power; an engine starts into its lowest load and stops from wherever it is."""
        f, name, power_kw = book.f, self.name, points.power_kw
        power = f.column(name, "power_kw", before=Before.GIVEN)
        reach = f.series(f"{name}.ramp_kw")
        least, most = min(power_kw), max(power_kw)
        f.row(name, "power", lambda t: power[t] == sum(p * w[t] for p, w in zip(power_kw, weights, strict=True)))
        f.row(name, "ramp_up", lambda t: power[t] - power[t - 1] <= reach[t] * on[t - 1] + least * start[t])
        stop = f.columns[f"{name}.stop"]
        f.row(name, "ramp_down", lambda t: power[t - 1] - power[t] <= reach[t] * on[t] + most * stop[t])

    def values(self, facts: Facts) -> Values:
        """Return availability, what the past still forces, and which earlier steps still bind."""
        name, unit = self.name, self.units[0]
        in_service = facts.in_service(self.unit_ids)
        held, blocked = self._forced(facts)
        found: Values = {
            f"{name}.in_service": in_service,
            f"{name}.on.before": float(sum(facts.unit(u.id).running for u in self.units)),
        }
        if self.shape.up:
            found[f"{name}.held_on"] = np.minimum(held, in_service)
            found |= _masks(f"{name}.up", facts, unit.min_up_h, self.shape.up)
        if self.shape.down:
            found[f"{name}.free_to_run"] = np.maximum(len(self.units) - blocked, 0.0)
            found |= _masks(f"{name}.down", facts, unit.min_down_h, self.shape.down)
        for j, kind in enumerate(unit.warm_starts):
            state = facts.unit(unit.id)
            off_h = np.full(len(facts.start_h), np.inf) if state.running else state.hours_in_state + facts.start_h
            found[f"{name}.warm_{j}_now"] = (off_h < kind.off_below_h - 1e-9).astype(float)
            found |= _masks(f"{name}.warm_{j}", facts, kind.off_below_h, self.shape.warm[j])
        if self.shape.ramped:
            found[f"{name}.ramp_kw"] = unit.ramp_kw_per_min * 60.0 * facts.step_h
            found[f"{name}.power_kw.before"] = sum(power_now_kw(facts, u) for u in self.units)
        return found

    def _forced(self, facts: Facts) -> tuple[Floats, Floats]:
        """Return how many engines must still run, and how many must still stand, at each step."""
        held, blocked = np.zeros(len(facts.step_h)), np.zeros(len(facts.step_h))
        for unit in self.units:
            state = facts.unit(unit.id)
            hours = state.hours_in_state + facts.start_h + 1e-9
            if state.running:
                held += hours < unit.min_up_h
            else:
                blocked += hours < unit.min_down_h
        return held, blocked


def engine_groups(engines: Sequence[Engine], duties: Callable[[str], object]) -> list[tuple[Engine, ...]]:
    """Return the engines grouped by equal datasheets and duties; one whose starts depend on its own rest stands alone."""
    groups: dict[object, list[Engine]] = {}
    for unit in engines:
        alike = (
            type(unit), unit.operating_points(), unit.min_up_h, unit.min_down_h, unit.start_cost, unit.om_cost_per_kwh,
            unit.ramp_kw_per_min, unit.heat_can_be_dumped, unit.id if unit.warm_starts else "", duties(unit.id),
        )  # fmt: skip
        groups.setdefault(alike, []).append(unit)
    return [tuple(g) for g in groups.values()]


def window(hours: float, step_h: Floats) -> int:
    """Return how many steps back an event can lie and still bind for ``hours``; 0 when no earlier step can."""
    starts = np.concatenate([[0.0], np.cumsum(step_h)])[:-1]
    earliest = np.searchsorted(starts, starts - hours + 1e-9, side="right")
    longest = int((np.arange(len(starts)) - earliest + 1).max())
    return longest if longest > 1 else 0


def is_hull(points: PartLoadMap) -> bool:
    """Return whether mixing distant operating points never pays: fuel convex and heat (nearly) concave over power."""
    power, fuel, heat = (np.asarray(v) for v in (points.power_kw, points.fuel_kw, points.heat_kw))
    fuel_bends = np.diff(np.diff(fuel) / np.diff(power))
    chord = heat[:-2] + (heat[2:] - heat[:-2]) * (power[1:-1] - power[:-2]) / (power[2:] - power[:-2])
    return bool((fuel_bends >= -1e-9).all() and (chord <= heat[1:-1] * (1 + HEAT_TOLERANCE)).all())


def power_now_kw(facts: Facts, unit: Engine) -> float:
    """Return the engine's electric power in the snapshot, 0 where it is not known."""
    measured = facts.problem.initial.power_kw
    if unit.id not in measured["asset"].values:
        return 0.0
    value = float(measured.sel(asset=unit.id, carrier=Carrier.ELECTRICITY.value))
    return max(value, 0.0) if np.isfinite(value) else 0.0


def _ports(points: PartLoadMap) -> tuple[tuple[Carrier, tuple[float, ...], float], ...]:
    return (
        (Carrier.ELECTRICITY, points.power_kw, 1.0),
        (Carrier.HEAT, points.heat_kw, 1.0),
        (Carrier.GAS, points.fuel_kw, -1.0),
    )


def _recent(event: Column, mask: Sequence[object], t: Step) -> object:
    """Return how many events of the last steps still bind."""
    return sum(m[t] * event[t - k] for k, m in enumerate(mask))  # type: ignore[index]


def _masks(name: str, facts: Facts, hours: float, depth: int) -> Values:
    """Return, for each distance in steps, whether an event that far back still binds."""
    start_h = facts.start_h
    found: Values = {}
    for k in range(depth):
        age = np.full(len(start_h), np.inf)
        age[k:] = start_h[k:] - start_h[: len(start_h) - k]
        found[f"{name}_{k}"] = (age < hours - 1e-9).astype(float)
    return found


def _declare_neighbours(book: Book, name: str, on: Column, weights: Sequence[Column]) -> None:
    """Where mixing distant points would pay, let only neighbours be mixed: one yes or no per straight piece."""
    f, last = book.f, len(weights) - 1
    pieces = [f.column(name, f"piece_{k}", upper=1.0, integer=True) for k in range(last)]
    f.row(name, "one_piece", lambda t: sum(p[t] for p in pieces) == on[t])
    for k, weight in enumerate(weights):
        beside = pieces[max(k - 1, 0) : k + 1]
        f.row(name, f"neighbour_{k}", lambda t, w=weight, b=beside: w[t] <= sum(p[t] for p in b))  # type: ignore[misc]
