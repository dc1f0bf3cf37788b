"""Gas networks with compressors, regulators or several sources: Newton on all pressures and flows at once.

Started by linearised solves in squared pressure, without which Newton wanders on large networks.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import MatrixRankWarning, spsolve

from models.networks.data import GasNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, GasLaw
from models.networks.friction import CODE
from models.networks.gas_model import GasModel
from models.networks.hydraulics import Floats, Tubes, drop_and_slope
from models.networks.jit import compiled

START_ROUNDS = 40
NEWTON_ROUNDS = 40
TOLERANCE_SHARE = 1e-11


@dataclass(frozen=True, slots=True)
class Stations:
    """What holds pressures and flows: nodes with a set pressure, and edges that hold something.

    An edge that is no pipe follows ``inlet * ratio - behind * outlet - through * flow + held = 0``, of which compressors use one
    part each.
    """

    fixed: npt.NDArray[np.bool_]
    """Per node."""
    pipe: npt.NDArray[np.bool_]
    """Per edge; whether it has no station."""
    ratio: Floats
    behind: Floats
    through: Floats
    held: Floats
    """In Pa where ``behind`` is one, in kg/s where ``through`` is."""


def solve_with_stations(
    network: GasNetwork, model: GasModel, law: GasLaw, demand: Floats, source: Floats
) -> tuple[Floats, Floats, npt.NDArray[np.bool_], Floats]:
    """Solve all steps, each from the one before it, or from scratch where that fails.

    Returns flows (step, edge), pressures (step, node; NaN below vacuum), success and the largest relative gap (step).
    """
    g = model.graph
    stations = _stations(network, model)
    stations.fixed[0] = True
    set_pa = np.zeros(g.node_count)
    for further in network.further_sources:
        node = int(g.node[g.junction_ids.index(further.junction)])
        if node >= 0:
            stations.fixed[node] = True
            set_pa[node] = further.pressure_kpa * 1e3
    steps = len(demand)
    m, pressure = np.zeros((steps, len(g.edge_ids))), np.zeros((steps, g.node_count))
    gap = np.full(steps, np.inf)
    problem = _Problem(network, model, law, stations)
    x: Floats | None = None
    for t in range(steps):
        set_pa[0] = source[t]
        x, gap[t] = problem.solve(demand[t], set_pa, x)
        pressure[t], m[t] = x[: g.node_count], x[g.node_count :]
        if not gap[t] <= TOLERANCE_SHARE:
            x = None
    return m, np.where(pressure > 0, pressure, np.nan), np.asarray(gap <= TOLERANCE_SHARE), gap


def _stations(network: GasNetwork, model: GasModel) -> Stations:
    """Return what compressors hold; edges outside the source's part hold no flow."""
    edges, first = len(model.graph.edge_ids), len(network.pipes)
    ratio, behind, through, held = np.zeros(edges), np.zeros(edges), np.zeros(edges), np.zeros(edges)
    live = model.graph.start >= 0
    for k, c in enumerate(network.compressors, start=first):
        if c.flow_kg_per_s is not None:
            through[k], held[k] = 1.0, c.flow_kg_per_s
        elif c.outlet_pressure_kpa is not None:
            behind[k], held[k] = 1.0, c.outlet_pressure_kpa * 1e3
        else:
            ratio[k], behind[k] = c.ratio, 1.0
    ratio[~live], behind[~live], through[~live], held[~live] = 0.0, 0.0, 1.0, 0.0
    pipe = live & (np.arange(edges) < first)
    return Stations(np.zeros(model.graph.node_count, np.bool_), pipe, ratio, behind, through, held)


@compiled
def _falls(m: Floats, tubes: Tubes, model: int, viscosity: float) -> tuple[Floats, Floats]:
    """Return the drop of every edge and its slope."""
    fall, gain = np.empty(len(m)), np.empty(len(m))
    for k in range(len(m)):
        fall[k], gain[k] = drop_and_slope(m[k], k, tubes, model, viscosity)
    return fall, gain


class _Problem:
    """One network's equations; unknowns are all node pressures, then all edge flows.

    Rows are the node balances (or set pressures), then one law per edge.
    """

    def __init__(self, network: GasNetwork, model: GasModel, law: GasLaw, stations: Stations) -> None:
        g = model.graph
        self.model, self.law, self.stations = model, law, stations
        self.friction, self.viscosity = CODE[network.friction], network.viscosity_upa_s * 1e-6
        self.nodes, self.edges = g.node_count, len(g.edge_ids)
        self.live = g.start >= 0
        self.start, self.end = np.where(self.live, g.start, 0), np.where(self.live, g.end, 0)
        self.is_pipe = stations.pipe
        self._balance_pattern()

    def _balance_pattern(self) -> None:
        k = np.arange(self.edges)
        free_start = self.live & ~self.stations.fixed[self.start]
        free_end = self.live & ~self.stations.fixed[self.end]
        fixed = np.flatnonzero(self.stations.fixed)
        self.row = np.concatenate([self.start[free_start], self.end[free_end], fixed])
        self.column = np.concatenate([self.nodes + k[free_start], self.nodes + k[free_end], fixed])
        self.value = np.concatenate(
            [np.full(free_start.sum(), -1.0), np.full(free_end.sum(), 1.0), np.ones(len(fixed))]
        )

    def solve(self, demand: Floats, set_pa: Floats, start: Floats | None) -> tuple[Floats, float]:
        """Return the unknowns and the largest relative gap; tries ``start`` first."""
        if start is not None:
            x, gap = self._newton(start.copy(), demand, set_pa)
            if gap <= TOLERANCE_SHARE:
                return x, gap
        return self._newton(self._first_guess(demand, set_pa), demand, set_pa)

    def _first_guess(self, demand: Floats, set_pa: Floats) -> Floats:
        """Return pressures and flows after linearised solves in squared pressure."""
        m = np.full(self.edges, max(float(np.abs(demand).sum()) / 4, 1e-3))
        known = np.where(self.stations.fixed, set_pa**2, demand)
        scale = 2 * self.law.specific_j_per_kg / self.law.b1 if not self.law.linear else 2 * self.law.specific_j_per_kg
        square = np.full(self.nodes, float(set_pa.max()) ** 2)
        for _ in range(START_ROUNDS):
            size = np.maximum(np.abs(m), 1e-3)
            fall, _ = _falls(size, self.model.tubes, self.friction, self.viscosity)
            held = -np.where(self.stations.behind > 0, self.stations.held**2, self.stations.held)
            x = self._linear(self.stations.ratio**2, 1.0, 1.0, fall / size * scale, known, held)
            square, found = x[: self.nodes], x[self.nodes :]
            done = float(np.abs(found - m).max()) < 1e-2 * float(np.abs(found).max())
            m = (m + found) / 2
            if done:
                break
        lowest = 1e-4 * float(set_pa.max()) ** 2
        return np.concatenate([np.sqrt(np.maximum(square, lowest)), m])

    def _newton(self, x: Floats, demand: Floats, set_pa: Floats) -> tuple[Floats, float]:
        scale_m = max(float(np.abs(demand).max()), 1e-6)
        scale_pi = float(self.law.potential(set_pa[set_pa > 0]).max())
        gap = np.inf
        for _ in range(NEWTON_ROUNDS):
            pressure, m = x[: self.nodes], x[self.nodes :]
            fall, gain = _falls(m, self.model.tubes, self.friction, self.viscosity)
            balance, law = self._gaps(pressure, m, fall, demand, set_pa)
            gap = max(
                float(np.abs(balance[~self.stations.fixed]).max(initial=0.0)) / scale_m,
                float(np.abs(law[self.is_pipe]).max(initial=0.0)) / scale_pi,
                float(np.abs(law[self.stations.through > 0]).max(initial=0.0)) / scale_m,
                float(np.abs(law[~self.is_pipe & (self.stations.through == 0)]).max(initial=0.0)) / set_pa.max(),
            )
            if gap <= TOLERANCE_SHARE or not np.isfinite(gap):
                break
            density = self.law.density(pressure)
            step = self._linear(self.stations.ratio, density[self.start], density[self.end], gain, -balance, -law)
            share = self._longest_step(pressure, step[: self.nodes])
            x = x + share * step
        return x, gap

    @staticmethod
    def _longest_step(pressure: Floats, change: Floats) -> float:
        """Return the share of a step that keeps every pressure above a fifth of what it was."""
        falling = change < 0
        return float(min(1.0, (-0.8 * pressure[falling] / change[falling]).min(initial=1.0)))

    def _gaps(self, pressure: Floats, m: Floats, fall: Floats, demand: Floats, set_pa: Floats) -> tuple[Floats, Floats]:
        flow = np.where(self.live, m, 0.0)
        inflow = np.bincount(self.end, flow, self.nodes) - np.bincount(self.start, flow, self.nodes)
        balance = np.where(self.stations.fixed, pressure - set_pa, inflow - demand)
        potential, density = self.law.potential(pressure), self.law.density(pressure)
        column = ((density[self.start] + density[self.end]) / 2) ** 2 * GRAVITY_M_PER_S2 * self.model.rise_m
        pipe = potential[self.start] - potential[self.end] - fall - column
        s = self.stations
        station = pressure[self.start] * s.ratio - pressure[self.end] * s.behind - m * s.through + s.held
        return balance, np.where(self.is_pipe, pipe, station)

    def _linear(
        self,
        ratio: Floats,
        by_start: Floats | float,
        by_end: Floats | float,
        by_flow: Floats,
        balance: Floats,
        law: Floats,
    ) -> Floats:
        """Solve the linear system with the given slopes of the pipe law and right sides."""
        k = np.arange(self.edges)
        first = np.where(self.is_pipe, by_start, ratio)
        second = np.where(self.is_pipe, by_end, self.stations.behind)
        third = np.where(self.is_pipe, -by_flow, -self.stations.through)
        size = self.nodes + self.edges
        row = np.concatenate([self.row, self.nodes + k, self.nodes + k, self.nodes + k])
        column = np.concatenate([self.column, self.start, self.end, self.nodes + k])
        matrix = coo_matrix((np.concatenate([self.value, first, -second, third]), (row, column)), (size, size))
        with warnings.catch_warnings():  # a singular matrix comes back as NaN, which the gaps then show
            warnings.simplefilter("ignore", MatrixRankWarning)
            return np.asarray(spsolve(matrix.tocsc(), np.concatenate([balance, law])))
