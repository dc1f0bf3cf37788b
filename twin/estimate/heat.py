"""Rows of a heat or cold network: flows, temperatures and pressures along paired pipes.

The state is every consumer's flow and temperature difference, the plant's supply temperature and pressures, one factor on all
heat-loss coefficients, and the flow around each loop. In a tree everything else follows in closed form; in a meshed network the pressures
around each loop are laws, and mixing takes one linear solve. No node balance has to be kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import error
from models.networks.data import PipeNetwork
from twin.estimate.mesh import Ends, arriving
from twin.estimate.paths import Paths, find_paths
from twin.estimate.problem import Array, Rows, Sensor

LOOP_SCALE_KPA = 100.0
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
    """A network with one plant.

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
    """Pipe × consumer: 1 where the pipe lies on the tree's way to the consumer; a flow away from the plant is positive."""
    loops: Array
    """Pipe × loop: what a unit of flow around each loop adds to every pipe."""
    ends: Ends
    row_number: Mapping[str, int]
    state_names: tuple[str, ...]
    """Names of the state variables."""

    @classmethod
    def of(
        cls, network: PipeNetwork, sensors: Sequence[Sensor], law: PipeLaw, heat_capacity_kj_per_kg_k: float = 4.186
    ) -> "HeatRows":
        """Return the rows of a network.

        Raises
        ------
        DataError
            When the network does not reach a consumer.
        """
        paths = find_paths(network.plant_junction, [j.id for j in network.junctions], network.pipes)
        findings = [
            error(f"{network.id}[{c}]", "no open pipe leads here from the plant; its flow cannot be estimated", c)
            for c in network.consumers
            if c in paths.unreached
        ]
        if findings:
            raise DataError(findings)
        outward = (
            paths.tree.sum(axis=1) >= 0
        )  # every entry of a row has one sign; a chord's are zero and it keeps its own
        sign = np.where(outward, 1.0, -1.0)[:, None]
        incidence = sign * paths.tree[:, [paths.column(c) for c in network.consumers]]
        numbers, names = _row_numbers(network), _state_names(network, paths.loops.shape[1])
        cp, loops, ends = heat_capacity_kj_per_kg_k, sign * paths.loops, _ends(network, paths, outward)
        return cls(network, tuple(sensors), paths, law, cp, incidence, loops, ends, numbers, names)

    @property
    def count(self) -> int:
        """Number of consumers."""
        return len(self.network.consumers)

    @property
    def chords(self) -> tuple[str, ...]:
        """The pipe outside the tree that closes each loop."""
        outside = ~self.paths.tree.any(axis=1)
        return tuple(self.paths.pipes[int(np.flatnonzero(outside & (way != 0))[0])].id for way in self.loops.T)

    def start(self) -> Array:
        """Return design flows and temperatures."""
        n, net = self.count, self.network
        design = self.law.design_kg_per_s[[int(np.flatnonzero(column)[-1]) for column in self.incidence.T]]
        delta = net.supply_degc - net.return_degc
        pressures = [net.return_pressure_kpa + net.pump_lift_kpa, net.return_pressure_kpa]
        around = np.zeros(self.loops.shape[1])
        return np.concatenate([0.5 * design, np.full(n, delta), [net.supply_degc, *pressures, 1.0], around])

    def pipe_flows(self, x: Array) -> Rows:
        """Return the flow of every pipe, positive away from the plant along the tree."""
        slope = np.zeros((len(self.incidence), len(x)))
        slope[:, : self.count], slope[:, 2 * self.count + 4 :] = self.incidence, self.loops
        return Rows(slope @ x, slope)

    def laws(self, x: Array) -> Rows:
        """Return the sum of pressure falls around each loop; a tree has no laws, its closed form keeps all of them."""
        fall = _fall(self.law, self.pipe_flows(x))
        return Rows(self.loops.T @ fall.value / LOOP_SCALE_KPA, self.loops.T @ fall.slope / LOOP_SCALE_KPA)

    def measured(self, x: Array) -> Rows:
        """Return what every sensor would show."""
        return self.quantities([s.name for s in self.sensors], x)

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return quantities named ``element.quantity``; the plant's ``heat_kw`` is what it feeds (negative for cold)."""
        table = _table(self, x)
        rows = [self.row_number[name] for name in names]
        return Rows(table.value[rows], table.slope[rows])


CONSUMER_QUANTITIES = ("flow_kg_per_s", "delta_k", "supply_degc", "dp_kpa", "heat_kw")
PLANT_QUANTITIES = ("supply_degc", "supply_kpa", "return_kpa", "flow_kg_per_s", "delta_k", "heat_kw")


def _row_numbers(network: PipeNetwork) -> dict[str, int]:
    """Return where each quantity stands in the table of :func:`_table`."""
    names = [f"{c}.{q}" for q in CONSUMER_QUANTITIES for c in network.consumers]
    names += [f"{network.plant_junction}.{q}" for q in PLANT_QUANTITIES] + [f"{network.id}.loss_factor"]
    return {name: number for number, name in enumerate(names)}


def _state_names(network: PipeNetwork, loops: int) -> tuple[str, ...]:
    consumers, own = network.consumers, ("supply_degc", "supply_kpa", "return_kpa")
    flows, deltas = [f"{c}.flow_kg_per_s" for c in consumers], [f"{c}.delta_k" for c in consumers]
    plant = [f"{network.plant_junction}.{q}" for q in own]
    return (
        *flows,
        *deltas,
        *plant,
        f"{network.id}.loss_factor",
        *(f"{network.id}.loop_{i}_kg_per_s" for i in range(loops)),
    )


def _table(rows: HeatRows, x: Array) -> Rows:
    """Return every quantity of the network at one state, with its slope."""
    n = rows.count
    states = np.eye(len(x))
    m, delta = Rows(x[:n], states[:n]), Rows(x[n : 2 * n], states[n : 2 * n])
    source, lift_in, lift_out, factor = (Rows(x[i : i + 1], states[i : i + 1]) for i in range(2 * n, 2 * n + 4))
    pipe = rows.pipe_flows(x)
    kept = _kept(rows, pipe, factor)
    ground = Rows(np.full(1, rows.network.ground_degc), np.zeros((1, len(x))))
    supply = _plus(_times(_plus(source, ground, -1.0), kept), ground)
    returned = _plus(_plus(supply, delta, -1.0), ground, -1.0)
    total = Rows(m.value.sum(keepdims=True), m.slope.sum(axis=0, keepdims=True))
    mixed = _times(_times(returned, kept), m)
    back = Rows(mixed.value.sum(keepdims=True), mixed.slope.sum(axis=0, keepdims=True))
    inverse = Rows(1.0 / total.value, -total.slope / total.value[:, None] ** 2)
    plant_delta = _plus(_plus(source, ground, -1.0), _times(back, inverse), -1.0)
    cp = rows.heat_capacity_kj_per_kg_k
    fall = _fall(rows.law, pipe)
    on_the_way = Rows(rows.incidence.T @ fall.value, rows.incidence.T @ fall.slope)
    pressure = _plus(_plus(lift_in, lift_out, -1.0), on_the_way, -2.0)
    taken, fed = _times(m, delta, cp), _times(total, plant_delta, cp)
    parts = (m, delta, supply, pressure, taken, source, lift_in, lift_out, total, plant_delta, fed, factor)
    return Rows(np.concatenate([p.value for p in parts]), np.vstack([p.slope for p in parts]))


def _plus(a: Rows, b: Rows, factor: float = 1.0) -> Rows:
    return Rows(a.value + factor * b.value, a.slope + factor * b.slope)


def _times(a: Rows, b: Rows, factor: float = 1.0) -> Rows:
    return Rows(factor * a.value * b.value, factor * (a.value[:, None] * b.slope + b.value[:, None] * a.slope))


def _kept(rows: HeatRows, pipe: Rows, factor: Rows) -> Rows:
    """Return the share of the temperature above the ground that reaches each consumer."""
    floor = LOW_FLOW_SHARE * rows.law.design_kg_per_s
    flow = (pipe.value**4 + floor**4) ** 0.25
    loss = rows.law.conductance_kw_per_k / (flow * rows.heat_capacity_kj_per_kg_k)
    by_flow = (factor.value * loss * pipe.value**3 / flow**4)[:, None] * pipe.slope - loss[:, None] * factor.slope
    ways = np.eye(len(loss)) if rows.loops.size else rows.incidence.T
    kept = np.exp(-factor.value * (ways @ loss))
    held = Rows(kept, kept[:, None] * (ways @ by_flow))
    return arriving(rows.ends, pipe, held, rows.law.design_kg_per_s) if rows.loops.size else held


def _fall(law: PipeLaw, pipe: Rows) -> Rows:
    """Return the pressure lost in one tube of every pipe."""
    size = np.abs(pipe.value)
    per_flow = 2 * law.quadratic * size + law.linear
    return Rows((law.quadratic * size + law.linear) * pipe.value, per_flow[:, None] * pipe.slope)


def _ends(network: PipeNetwork, paths: Paths, outward: npt.NDArray[np.bool_]) -> Ends:
    """Return the junction numbers at both ends of every open pipe, the plant first, in the direction of positive flow."""
    others = [j for j in paths.junctions if j != network.plant_junction and j not in paths.unreached]
    number = {j: i for i, j in enumerate([network.plant_junction, *others])}
    start, end = (np.array([number.get(getattr(p, f"{e}_junction"), 0) for p in paths.pipes]) for e in ("from", "to"))
    consumers = np.array([number[c] for c in network.consumers], dtype=np.int64)
    return Ends(np.where(outward, start, end), np.where(outward, end, start), consumers, len(number))
