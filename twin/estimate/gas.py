"""Rows of a gas network: offtakes, pressures and, between two snapshots, the gas kept in the pipes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.networks.data import GasNetwork
from twin.estimate.paths import Paths, find_paths
from twin.estimate.problem import Array, Rows, Sensor

KPA2_PER_BAR2 = 1e4


@dataclass(frozen=True, slots=True)
class Linepack:
    """Gas kept in the pipes: mass per kPa of mean pressure at each pipe, what was kept before, and how long ago."""

    kg_per_kpa: Array
    before_kg: float
    step_s: float


@dataclass(frozen=True, slots=True)
class GasRows:
    """A network fed at one source; the state is every consumer's offtake, the source pressure and the flow around each loop.

    Along a pipe the squared pressure falls by ``quadratic |m| m`` (kPa², kg/s), which is the isothermal law at constant
    compressibility. Sensors name a consumer (``flow_kg_per_s``, ``pressure_kpa``) or the source (``flow_kg_per_s``, ``pressure_kpa``).
    """

    network: GasNetwork
    sensors: tuple[Sensor, ...]
    paths: Paths
    quadratic: Array
    state_names: tuple[str, ...]
    """Names of the state variables."""
    flows: Array
    """What a unit of each state adds to the flow of every pipe, shape (pipe, state)."""
    row_number: Mapping[str, int]
    linepack: Linepack | None = None

    @classmethod
    def of(
        cls, network: GasNetwork, sensors: Sequence[Sensor], quadratic: Array, linepack: Linepack | None = None
    ) -> "GasRows":
        """Return the rows of a network; ``quadratic`` has one entry per open pipe, in file order."""
        paths = find_paths(network.source_junction, [j.id for j in network.junctions], network.pipes)
        loops = paths.loops.shape[1]
        names = [f"{c}.flow_kg_per_s" for c in network.consumers]
        names += [f"{network.source_junction}.pressure_kpa", *(f"{network.id}.loop_{i}_kg_per_s" for i in range(loops))]
        tree = paths.tree[:, [paths.column(c) for c in network.consumers]]
        flows = np.hstack([tree, np.zeros((len(tree), 1)), paths.loops])
        return cls(network, tuple(sensors), paths, quadratic, tuple(names), flows, _row_numbers(network), linepack)

    def start(self) -> Array:
        """Return a small even offtake at the nominal source pressure."""
        n, loops = len(self.network.consumers), self.paths.loops.shape[1]
        return np.concatenate([np.full(n, 0.01), [self.network.source_pressure_kpa], np.zeros(loops)])

    def _squares(self, x: Array) -> Rows:
        """Return every pipe's fall of squared pressure."""
        flow = self.flows @ x
        return Rows(self.quadratic * np.abs(flow) * flow, (2 * self.quadratic * np.abs(flow))[:, None] * self.flows)

    def laws(self, x: Array) -> Rows:
        """Return the sum of falls around each loop in bar²."""
        fall, around = self._squares(x), self.paths.loops.T / KPA2_PER_BAR2
        return Rows(around @ fall.value, around @ fall.slope)

    def measured(self, x: Array) -> Rows:
        """Return what every sensor would show."""
        return self.quantities([s.name for s in self.sensors], x)

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return quantities named ``element.quantity``; ``gas_kw`` is the flow by lower heating value."""
        table = self._table(x)
        rows = [self.row_number[name] for name in names]
        return Rows(table.value[rows], table.slope[rows])

    def _table(self, x: Array) -> Rows:
        """Return offtakes and what the source gives in kg/s, both again in kW, and the pressure of every junction."""
        n, states = len(self.network.consumers), np.eye(len(x))
        pressure = self._pressures(x)
        kept = self._kept(pressure)
        value = np.append(x[:n], x[:n].sum() + kept.value)
        slope = np.vstack([states[:n], states[:n].sum(axis=0) + kept.slope])
        per_flow = 3600.0 * self.network.lower_heating_value_kwh_per_kg
        return Rows(
            np.concatenate([value, value * per_flow, pressure.value]),
            np.vstack([slope, slope * per_flow, pressure.slope]),
        )

    def _pressures(self, x: Array) -> Rows:
        """Return the pressure of every junction, kPa."""
        n, fall = len(self.network.consumers), self._squares(x)
        pressure = np.sqrt(np.maximum(x[n] ** 2 - self.paths.tree.T @ fall.value, 1.0))
        slope = -(self.paths.tree.T @ fall.slope)
        slope[:, n] += 2 * x[n]
        return Rows(pressure, slope / (2 * pressure)[:, None])

    def _kept(self, pressure: Rows) -> Rows:
        """Return the flow that fills the pipes since the last snapshot, 0 where none is known."""
        if self.linepack is None:
            return Rows(np.zeros(()), np.zeros(pressure.slope.shape[1]))
        at_ends = np.zeros(len(pressure.value))
        for pipe, weight in zip(self.paths.pipes, self.linepack.kg_per_kpa, strict=True):
            for end in (pipe.from_junction, pipe.to_junction):
                at_ends[self.paths.column(end)] += 0.5 * weight
        mass, step_s = at_ends @ pressure.value, self.linepack.step_s
        return Rows(np.asarray((mass - self.linepack.before_kg) / step_s), at_ends @ pressure.slope / step_s)


def _row_numbers(network: GasNetwork) -> dict[str, int]:
    """Return where each quantity stands in the table of a network; at a source that is a consumer too, it is what the source gives."""
    places = [*network.consumers, network.source_junction]
    names = [f"{place}.{q}" for q in ("flow_kg_per_s", "gas_kw") for place in places]
    names += [f"{j.id}.pressure_kpa" for j in network.junctions]
    return {name: number for number, name in enumerate(names)}
