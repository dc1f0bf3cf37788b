"""What planner and network check say to each other: ports, linear rows over ports and steps, and the two doors of the loop.

A plan is a table of port values (power fed into a bus, supply temperature of a plant). The network check replays it and answers with
rows that describe the networks around that plan; the planner adds the rows and plans again. Neither knows the other's inside.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Port:
    """A quantity at which planner and networks meet: power into a node, or a temperature that a plant sets."""

    carrier: Carrier
    node: str
    quantity: str
    """``power_kw``, ``reactive_kvar`` or ``supply_degc``; positive power feeds the network."""

    @property
    def key(self) -> str:
        """The port's name, ``node.quantity``."""
        return f"{self.node}.{self.quantity}"


@dataclass(frozen=True, slots=True)
class PortPlan:
    """A plan at its ports: ``values`` has shape (step, port), ``step_h`` shape (step,); ``revision`` names the networks it was made for."""

    ports: tuple[Port, ...]
    values: Floats
    step_h: Floats
    revision: str


class Shape(IntEnum):
    """Where a row is true."""

    GLOBAL = 0
    """Everywhere (sampled, not proven): an under-estimate of a convex quantity. Never cuts off a feasible plan."""
    CONSERVATIVE = 1
    """Everywhere on the safe side: may cut off feasible plans far from where it was made."""
    LOCAL = 2
    """Only around the plan that it was made at."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Linear rows over ports: ``lower <= value + sum(slope * (port at (step - lag) - point)) <= upper``, each bound bent at ``slack_price``.

    Row attributes have shape (row,); the terms of row ``i`` are entries ``start[i]`` to ``start[i + 1]`` of ``port``, ``lag``, ``slope``
    and ``point``. ``kind`` names what is bounded (``loss_kw``, ``vm_pu``, ``loading_share``), ``element`` where. ``slack_price`` is in
    currency per unit of the bounded quantity and step; 0 makes the row hard.
    """

    kind: npt.NDArray[np.str_]
    element: npt.NDArray[np.str_]
    step: Ints
    value: Floats
    lower: Floats
    upper: Floats
    slack_price: Floats
    shape: Ints
    start: Ints
    port: Ints
    lag: Ints
    slope: Floats
    point: Floats

    def __len__(self) -> int:
        return len(self.step)

    @classmethod
    def empty(cls) -> "Rows":
        """Return no rows."""
        text, whole, real = np.zeros(0, dtype="U1"), np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(
            text, text, whole, real, real, real, real, whole, np.zeros(1, dtype=np.int64), whole, whole, real, real
        )

    @classmethod
    def over(
        cls,
        kind: str,
        element: Sequence[str],
        step: Ints,
        value: Floats,
        bounds: tuple[Floats, Floats],
        slopes: Floats,
        points: Floats,
        *,
        slack_price: float,
        shape: Shape,
    ) -> "Rows":
        """Return rows of one kind without lag: ``slopes`` and ``points`` have shape (row, port)."""
        count, ports = slopes.shape
        return cls(
            np.full(count, kind, dtype=f"U{max(len(kind), 1)}"),
            np.array(element, dtype=np.str_),
            step.astype(np.int64),
            value,
            *bounds,
            np.full(count, slack_price),
            np.full(count, int(shape), dtype=np.int64),
            np.arange(count + 1, dtype=np.int64) * ports,
            np.tile(np.arange(ports, dtype=np.int64), count),
            np.zeros(count * ports, dtype=np.int64),
            slopes.ravel(),
            points.ravel(),
        )

    @classmethod
    def delayed(
        cls,
        kind: str,
        element: Sequence[str],
        step: Ints,
        value: Floats,
        bounds: tuple[Floats, Floats],
        slopes: Floats,
        past: Floats,
        *,
        slack_price: float,
        shape: Shape,
    ) -> "Rows":
        """Return rows over one port and its past: ``slopes`` has shape (row, lag), ``past`` (step,) the port's values.

        What lies before the first step is given and no term of any row.
        """
        lags = np.tile(np.arange(slopes.shape[1], dtype=np.int64), (len(step), 1))
        known = lags <= step[:, None]
        lag, own = lags[known], np.broadcast_to(step[:, None], lags.shape)[known]
        return cls(
            np.full(len(step), kind, dtype=f"U{max(len(kind), 1)}"),
            np.array(element, dtype=np.str_),
            step.astype(np.int64),
            value,
            *bounds,
            np.full(len(step), slack_price),
            np.full(len(step), int(shape), dtype=np.int64),
            np.concatenate([[0], np.cumsum(known.sum(axis=1))]).astype(np.int64),
            np.zeros(len(lag), dtype=np.int64),
            lag,
            slopes[known],
            past[own - lag],
        )

    def select(self, mask: npt.NDArray[np.bool_]) -> "Rows":
        """Return the rows where ``mask`` (shape (row,)) holds."""
        counts = np.diff(self.start)
        terms = np.repeat(mask, counts)
        start = np.concatenate([[0], np.cumsum(counts[mask])]).astype(np.int64)
        row = {f.name: getattr(self, f.name)[mask] for f in fields(self)[:8]}
        return Rows(**row, start=start, **{n: getattr(self, n)[terms] for n in ("port", "lag", "slope", "point")})

    def __add__(self, other: "Rows") -> "Rows":
        """Return both sets of rows, these first."""
        joined = {
            f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)])
            for f in fields(self)
            if f.name != "start"
        }
        return Rows(**joined, start=np.concatenate([self.start, other.start[1:] + self.start[-1]]))

    def moved(self, place: Ints) -> "Rows":
        """Return the rows on other steps: step ``k`` gets copies of those of step ``place[k]``; rows that look back are left out."""
        still = self.select(np.bincount(self._owner, weights=self.lag, minlength=len(self)) == 0)
        chosen = [np.flatnonzero(still.step == p) for p in place.tolist()]
        order = np.concatenate([np.zeros(0, dtype=np.int64), *chosen]).astype(np.int64)
        step = np.repeat(np.arange(len(place)), [len(c) for c in chosen])
        counts = np.diff(still.start)[order]
        terms = np.repeat(still.start[:-1][order] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(
            int(counts.sum())
        )
        row = {f.name: getattr(still, f.name)[order] for f in fields(self)[:8]} | {"step": step}
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Rows(**row, start=start, **{n: getattr(still, n)[terms] for n in ("port", "lag", "slope", "point")})

    @property
    def _owner(self) -> Ints:
        """The row that each term belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def at(self, values: Floats) -> Floats:
        """Return what the rows say their quantity is for other port values, shape (step, port)."""
        row = self._owner
        ports = values[self.step[row] - self.lag, self.port]
        return self.value + np.bincount(row, weights=self.slope * (ports - self.point), minlength=len(self))

    def violation(self) -> Floats:
        """Return by how much each row's own value lies outside its bounds, 0 inside."""
        return np.maximum(np.maximum(self.lower - self.value, self.value - self.upper), 0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """What a network check found.

    ``status`` (step,) is 0 where the networks have a solution; ``balance`` holds the rows that tie ports to losses, ``findings`` those
    at or near a limit; ``worst`` the largest violation by kind, ``margins`` the least distance to a limit (negative beyond it), both in
    the kind's unit.
    """

    status: Ints
    balance: Rows
    findings: Rows
    worst: Mapping[str, float]
    margins: Mapping[str, float]
    losses_kw: Mapping[Carrier, Floats]
    seconds: float
    revision: str


class NetworkCheck(Protocol):
    """The twin as the planner sees it."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports that the networks hang on, in the order of :class:`PortPlan` columns."""
        ...

    @property
    def revision(self) -> str:
        """Name of the networks' present topology and parameters; rows of another revision are worthless."""
        ...

    def check(self, plan: PortPlan, *, gradients: bool = True) -> Report:
        """Replay a plan and return the rows around it; a step without solution is a status, never an exception."""
        ...


class SecurablePlanner(Protocol):
    """The optimizer as the network check sees it."""

    def solve(self) -> PortPlan:
        """Return the best plan under all rows so far."""
        ...

    def add_rows(self, rows: Rows, *, replace: Container[str] = ()) -> int:
        """Add rows and return how many are held; rows of the kinds in ``replace`` take the place of the old ones."""
        ...

    def restore(self, plan: PortPlan) -> None:
        """Make a plan that :meth:`solve` gave before the present one again."""
        ...

    def slack(self) -> Floats:
        """Return how far each held row is bent in the present plan, in the unit of its kind; shape (row,)."""
        ...

    @property
    def objective(self) -> float:
        """Cost of the present plan, with the price of bent rows."""
        ...
