"""Rows of a gas network: offtakes, pressures and, between two snapshots, the gas kept in the pipes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.networks.data import GasNetwork
from twin.estimate.paths import Paths, find_paths
from twin.estimate.problem import Array, Row, Rows, Sensor, rows_of

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
    linepack: Linepack | None = None

    @classmethod
    def of(
        cls, network: GasNetwork, sensors: Sequence[Sensor], quadratic: Array, linepack: Linepack | None = None
    ) -> "GasRows":
        """Return the rows of a network; ``quadratic`` has one entry per open pipe, in file order."""
        paths = find_paths(network.source_junction, [j.id for j in network.junctions], network.pipes)
        return cls(network, tuple(sensors), paths, quadratic, linepack)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state variables."""
        flows = [f"{c}.flow_kg_per_s" for c in self.network.consumers]
        loops = [f"{self.network.id}.loop_{i}_kg_per_s" for i in range(self.paths.loops.shape[1])]
        return (*flows, f"{self.network.source_junction}.pressure_kpa", *loops)

    def start(self) -> Array:
        """Return a small even offtake at the nominal source pressure."""
        n, loops = len(self.network.consumers), self.paths.loops.shape[1]
        return np.concatenate([np.full(n, 0.01), [self.network.source_pressure_kpa], np.zeros(loops)])

    def _flows(self, x: Array) -> tuple[Array, Array]:
        """Return every pipe's flow and its derivative by the state."""
        n = len(self.network.consumers)
        tree = self.paths.tree[:, [self.paths.column(c) for c in self.network.consumers]]
        slope = np.zeros((len(self.paths.pipes), len(x)))
        slope[:, :n], slope[:, n + 1 :] = tree, self.paths.loops
        return slope @ x, slope

    def _squares(self, x: Array) -> tuple[Array, Array]:
        """Return every pipe's fall of squared pressure and its derivative by the state."""
        flow, slope = self._flows(x)
        return self.quadratic * np.abs(flow) * flow, (2 * self.quadratic * np.abs(flow))[:, None] * slope

    def laws(self, x: Array) -> Rows:
        """Return the sum of falls around each loop in bar²."""
        fall, slope = self._squares(x)
        return Rows(self.paths.loops.T @ fall / KPA2_PER_BAR2, self.paths.loops.T @ slope / KPA2_PER_BAR2)

    def measured(self, x: Array) -> Rows:
        """Return what every sensor would show."""
        return self.quantities([s.name for s in self.sensors], x)

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return quantities named ``element.quantity``; ``gas_kw`` is the flow by lower heating value."""
        return rows_of([self._row(name, x) for name in names], len(x))

    def _row(self, name: str, x: Array) -> Row:
        element, _, quantity = name.rpartition(".")
        if quantity == "pressure_kpa":
            return self._pressure(element, x)
        value, slope = self._flow(element, x)
        per_flow = 3600.0 * self.network.lower_heating_value_kwh_per_kg if quantity == "gas_kw" else 1.0
        return value * per_flow, slope * per_flow

    def _flow(self, element: str, x: Array) -> Row:
        n, slope = len(self.network.consumers), np.zeros(len(x))
        if element != self.network.source_junction:
            slope[self.network.consumers.index(element)] = 1.0
            return float(slope @ x), slope
        slope[:n] = 1.0
        kept, d_kept = self._kept(x)
        return float(slope[:n] @ x[:n]) + kept, slope + d_kept

    def _kept(self, x: Array) -> Row:
        """Return the flow that fills the pipes since the last snapshot, 0 where none is known."""
        if self.linepack is None:
            return 0.0, np.zeros(len(x))
        mean, slope = 0.0, np.zeros(len(x))
        for pipe, weight in zip(self.paths.pipes, self.linepack.kg_per_kpa, strict=True):
            for end in (pipe.from_junction, pipe.to_junction):
                pressure, d_pressure = self._pressure(end, x)
                mean += 0.5 * weight * pressure
                slope += 0.5 * weight * d_pressure
        return (mean - self.linepack.before_kg) / self.linepack.step_s, slope / self.linepack.step_s

    def _pressure(self, junction: str, x: Array) -> Row:
        n = len(self.network.consumers)
        fall, d_fall = self._squares(x)
        way = self.paths.tree[:, self.paths.column(junction)]
        square = max(x[n] ** 2 - float(way @ fall), 1.0)
        slope = -(way @ d_fall)
        slope[n] += 2 * x[n]
        pressure = float(np.sqrt(square))
        return pressure, slope / (2 * pressure)
