"""Engines with commitment: equal engines are planned as one count, which is exact for equal units and far quicker to solve.

The count n, its starts and stops obey minimum up and down times over steps of any length: a mask says which earlier steps
still bind. What the past still forces (a running engine that must go on, a standing one that must wait) enters as numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Chp, PartLoadMap
from optimizers.blocks.book import Book, Facts, Values, group_name
from optimizers.compile.rules import Before, Column, Step

Floats = npt.NDArray[np.float64]
HEAT_TOLERANCE = 0.01
"""A heat line this close to concave (share of its value) may be planned on its hull."""


@dataclass(frozen=True, slots=True)
class EngineBlock:
    """Equal engines: power, fuel and heat as a weighted mean of operating points, and the count that runs.

    ``window_up`` and ``window_down`` say how many steps back a start or stop can still bind on the problem's time axis;
    ``ramped`` engines cannot cross their range within one step.
    """

    units: tuple[Chp, ...]
    window_up: int
    window_down: int
    ramped: bool = False

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
        points = unit.part_load
        on = f.column(name, "on", upper=f.series(f"{name}.in_service"), integer=True, before=Before.GIVEN)
        weights = [f.column(name, f"weight_{k}") for k in range(len(points.power_kw))]
        f.row(name, "point", lambda t: sum(w[t] for w in weights) == on[t])
        start = self._declare_commitment(book, on)
        if unit.start_cost:
            f.cost("start", name, lambda t: unit.start_cost * start[t])
        if unit.om_cost_per_kwh:
            rate, power = unit.om_cost_per_kwh, points.power_kw
            f.cost(
                "maintenance",
                name,
                lambda t: step_h[t] * sum(rate * p * w[t] for p, w in zip(power, weights, strict=True)),
            )
        for carrier, values, sign in _ports(points):
            for weight, value in zip(weights, values, strict=True):
                book.feed(name, carrier, weight, sign * value)
        self._declare_radiator(book, weights)
        if not is_hull(points):
            _declare_neighbours(book, name, on, weights)
        if self.ramped:
            self._declare_ramp(book, weights, on, start)

    def _declare_commitment(self, book: Book, on: Column) -> Column:
        """Write starts, stops, and how long each binds; return the starts."""
        f, name = book.f, self.name
        start = f.column(name, "start", upper=len(self.units), before=Before.ZERO)
        stop = f.column(name, "stop", upper=len(self.units), before=Before.ZERO)
        f.row(name, "switch", lambda t: on[t] - on[t - 1] == start[t] - stop[t])
        if self.window_up:
            up = [f.series(f"{name}.up_{k}") for k in range(self.window_up)]
            held = f.series(f"{name}.held_on")
            f.row(name, "min_up", lambda t: on[t] - _recent(start, up, t) >= held[t])
        if self.window_down:
            down = [f.series(f"{name}.down_{k}") for k in range(self.window_down)]
            room = f.series(f"{name}.free_to_run")
            f.row(name, "min_down", lambda t: on[t] + _recent(stop, down, t) <= room[t])
        return start

    def _declare_radiator(self, book: Book, weights: Sequence[Column]) -> None:
        """Let heat go into the air, no more than the engines give."""
        if not self.units[0].heat_can_be_dumped:
            return
        heat_kw = self.units[0].part_load.heat_kw
        dumped = book.f.column(self.name, "dumped_kw")
        book.f.row(
            self.name,
            "radiator",
            lambda t: dumped[t] <= sum(h * w[t] for h, w in zip(heat_kw, weights, strict=True)),
        )
        book.feed(self.name, Carrier.HEAT, dumped, -1.0)

    def _declare_ramp(self, book: Book, weights: Sequence[Column], on: Column, start: Column) -> None:
        """Bound the change of power; an engine starts into its lowest load and stops from wherever it is."""
        f, name, power_kw = book.f, self.name, self.units[0].part_load.power_kw
        power = f.column(name, "power_kw", before=Before.GIVEN)
        reach = f.series(f"{name}.ramp_kw")
        least, most = power_kw[0], power_kw[-1]
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
        if self.window_up:
            found[f"{name}.held_on"] = np.minimum(held, in_service)
            found |= _masks(f"{name}.up", facts, unit.min_up_h, self.window_up)
        if self.window_down:
            found[f"{name}.free_to_run"] = np.maximum(len(self.units) - blocked, 0.0)
            found |= _masks(f"{name}.down", facts, unit.min_down_h, self.window_down)
        if self.ramped:
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


def engine_groups(engines: Sequence[Chp]) -> list[tuple[Chp, ...]]:
    """Return the engines grouped by equal datasheets."""
    groups: dict[object, list[Chp]] = {}
    for unit in engines:
        alike = (
            unit.part_load, unit.min_up_h, unit.min_down_h, unit.start_cost, unit.om_cost_per_kwh,
            unit.ramp_kw_per_min, unit.heat_can_be_dumped,
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


def power_now_kw(facts: Facts, unit: Chp) -> float:
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
