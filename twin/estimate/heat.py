"""Rows of a heat or cold network: flows, temperatures and pressures along a tree of paired pipes.

The state is every consumer's flow and temperature difference, the plant's supply temperature and pressures, and one factor on all
heat-loss coefficients. Everything else follows in closed form, so there is no inner solve and no node balance to keep.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import DataError
from models.findings import error
from models.networks.data import PipeNetwork
from twin.estimate.paths import Paths, find_paths
from twin.estimate.problem import Array, Row, Rows, Sensor, rows_of

LOW_FLOW_SHARE = 0.01
"""Around this share of a pipe's design flow its cooling passes smoothly to that of a constant flow: it stays finite at standstill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeLaw:
    """Constants of each pipe, shape (pipe,).

    A pipe at ``m`` kg/s loses ``(quadratic |m| + linear) m`` kPa in one tube, and cools towards the ground at
    ``conductance_kw_per_k``; ``design_kg_per_s`` is the flow it was laid for.
    """

    quadratic: Array
    linear: Array
    conductance_kw_per_k: Array
    design_kg_per_s: Array


@dataclass(frozen=True, slots=True)
class HeatRows:
    """A tree network with one plant.

    Sensors name a consumer (``flow_kg_per_s``, ``supply_degc``, ``delta_k``, ``dp_kpa``) or the plant junction (``flow_kg_per_s``,
    ``supply_degc``, ``delta_k``, ``supply_kpa``, ``return_kpa``), or the network (``loss_factor``). ``delta_k`` is supply minus return;
    for cold it is negative. A consumer's ``heat_kw`` is a row only where its flow is not metered: it is the product of flow and difference.
    """

    network: PipeNetwork
    sensors: tuple[Sensor, ...]
    paths: Paths
    law: PipeLaw
    heat_capacity_kj_per_kg_k: float
    incidence: Array
    """Pipe × consumer: 1 where the pipe feeds the consumer."""

    @classmethod
    def of(
        cls, network: PipeNetwork, sensors: Sequence[Sensor], law: PipeLaw, heat_capacity_kj_per_kg_k: float = 4.186
    ) -> "HeatRows":
        """Return the rows of a network.

        Raises
        ------
        DataError
            When the network is meshed or does not reach a consumer: closed-form temperatures need one path to everybody.
        """
        paths = find_paths(network.plant_junction, [j.id for j in network.junctions], network.pipes)
        findings = [
            error(f"{network.id}[{c}]", "no open pipe leads here from the plant; its flow cannot be estimated", c)
            for c in network.consumers
            if c in paths.unreached
        ]
        if paths.loops.shape[1]:
            findings.append(
                error(network.id, f"has {paths.loops.shape[1]} loops; open a valve in each to estimate temperatures")
            )
        if findings:
            raise DataError(findings)
        incidence = np.abs(paths.tree[:, [paths.column(c) for c in network.consumers]])
        return cls(network, tuple(sensors), paths, law, heat_capacity_kj_per_kg_k, incidence)

    @property
    def count(self) -> int:
        """Number of consumers."""
        return len(self.network.consumers)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state variables."""
        consumers = self.network.consumers
        own = [f"{self.network.plant_junction}.{q}" for q in ("supply_degc", "supply_kpa", "return_kpa")]
        flows, deltas = [f"{c}.flow_kg_per_s" for c in consumers], [f"{c}.delta_k" for c in consumers]
        return (*flows, *deltas, *own, f"{self.network.id}.loss_factor")

    def start(self) -> Array:
        """Return design flows and temperatures."""
        n, net = self.count, self.network
        design = self.law.design_kg_per_s[[int(np.flatnonzero(column)[-1]) for column in self.incidence.T]]
        delta = net.supply_degc - net.return_degc
        pressures = [net.return_pressure_kpa + net.pump_lift_kpa, net.return_pressure_kpa]
        return np.concatenate([0.5 * design, np.full(n, delta), [net.supply_degc, *pressures, 1.0]])

    def laws(self, x: Array) -> Rows:
        """Return no laws: the closed form keeps all of them."""
        return Rows(np.zeros(0), np.zeros((0, len(x))))

    def measured(self, x: Array) -> Rows:
        """Return what every sensor would show."""
        return self.quantities([s.name for s in self.sensors], x)

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return quantities named ``element.quantity``; the plant's ``heat_kw`` is what it feeds (negative for cold)."""
        flow = _Flow(self, x)
        split = [name.rpartition(".") for name in names]
        return rows_of([flow.row(element, quantity) for element, _, quantity in split], len(x))


class _Flow:
    """Flows, cooling and temperatures at one state, with their derivatives."""

    def __init__(self, rows: HeatRows, x: Array) -> None:
        n = rows.count
        self.rows, self.x, self.n = rows, x, n
        self.m, self.delta = x[:n], x[n : 2 * n]
        self.source_degc, self.supply_kpa, self.return_kpa, self.factor = x[2 * n :]
        self.pipe = rows.incidence @ self.m
        floor = LOW_FLOW_SHARE * rows.law.design_kg_per_s
        self.cooling_flow = (self.pipe**4 + floor**4) ** 0.25
        loss = rows.law.conductance_kw_per_k / (self.cooling_flow * rows.heat_capacity_kj_per_kg_k)
        self.exponent = self.factor * loss
        self.kept = np.exp(-rows.incidence.T @ self.exponent)
        self.ground = rows.network.ground_degc

    def row(self, element: str, quantity: str) -> Row:
        """Return one row's value and slope."""
        if element == self.rows.network.plant_junction or element == self.rows.network.id:
            plant: dict[str, Callable[[], Row]] = {
                "flow_kg_per_s": self._plant_flow,
                "supply_degc": lambda: self._single(2 * self.n),
                "supply_kpa": lambda: self._single(2 * self.n + 1),
                "return_kpa": lambda: self._single(2 * self.n + 2),
                "loss_factor": lambda: self._single(2 * self.n + 3),
                "delta_k": self._plant_delta,
                "heat_kw": self._plant_heat,
            }
            return plant[quantity]()
        i = self.rows.network.consumers.index(element)
        consumer: dict[str, Callable[[], Row]] = {
            "flow_kg_per_s": lambda: self._single(i),
            "delta_k": lambda: self._single(self.n + i),
            "supply_degc": lambda: self._supply(i),
            "dp_kpa": lambda: self._pressure(i),
            "heat_kw": lambda: self._taken(i),
        }
        return consumer[quantity]()

    def _single(self, state: int) -> Row:
        slope = np.zeros(len(self.x))
        slope[state] = 1.0
        return float(self.x[state]), slope

    def _plant_flow(self) -> Row:
        slope = np.zeros(len(self.x))
        slope[: self.n] = 1.0
        return float(self.m.sum()), slope

    def _taken(self, i: int) -> Row:
        """Return the heat that consumer ``i`` takes (negative where cold is taken)."""
        cp, slope = self.rows.heat_capacity_kj_per_kg_k, np.zeros(len(self.x))
        slope[i], slope[self.n + i] = cp * self.delta[i], cp * self.m[i]
        return float(cp * self.m[i] * self.delta[i]), slope

    def _kept_slope(self, i: int) -> Array:
        """Return the derivative of the share of temperature lift that reaches consumer ``i``."""
        way = self.rows.incidence[:, i]
        slope = np.zeros(len(self.x))
        per_flow = self.exponent * self.pipe**3 / self.cooling_flow**4 * way
        slope[: self.n] = self.kept[i] * (per_flow @ self.rows.incidence)
        slope[-1] = -self.kept[i] * float(way @ self.exponent) / self.factor
        return slope

    def _supply(self, i: int) -> Row:
        lift = self.source_degc - self.ground
        slope = lift * self._kept_slope(i)
        slope[2 * self.n] = self.kept[i]
        return float(self.ground + lift * self.kept[i]), slope

    def _plant_return(self) -> Row:
        """Return the temperature that comes back to the plant: consumers' returns, cooled once more, mixed by flow."""
        total = float(self.m.sum())
        weighted, slope = 0.0, np.zeros(len(self.x))
        for j in range(self.n):
            supply, d_supply = self._supply(j)
            above = supply - self.delta[j] - self.ground
            weighted += self.m[j] * above * self.kept[j]
            slope += self.m[j] * (self.kept[j] * d_supply + above * self._kept_slope(j))
            slope[self.n + j] -= self.m[j] * self.kept[j]
            slope[j] += above * self.kept[j]
        slope[: self.n] -= weighted / total
        return self.ground + weighted / total, slope / total

    def _plant_delta(self) -> Row:
        back, slope = self._plant_return()
        slope = -slope
        slope[2 * self.n] += 1.0
        return float(self.source_degc - back), slope

    def _plant_heat(self) -> Row:
        delta, d_delta = self._plant_delta()
        flow, d_flow = self._plant_flow()
        cp = self.rows.heat_capacity_kj_per_kg_k
        return cp * flow * delta, cp * (flow * d_delta + delta * d_flow)

    def _pressure(self, i: int) -> Row:
        """Return the pressure difference at consumer ``i``: the plant's lift less the way there and back."""
        law, way = self.rows.law, self.rows.incidence[:, i]
        drop = (law.quadratic * np.abs(self.pipe) + law.linear) * self.pipe
        per_flow = 2 * law.quadratic * np.abs(self.pipe) + law.linear
        slope = np.zeros(len(self.x))
        slope[: self.n] = -2.0 * (way * per_flow) @ self.rows.incidence
        slope[2 * self.n + 1], slope[2 * self.n + 2] = 1.0, -1.0
        return float(self.supply_kpa - self.return_kpa - 2.0 * way @ drop), slope
