"""A day of a gas network whose pipes hold more than a step's worth: what to buy when, by linear programs around the last replay.

Source: successive linear programming on pressures and flows; the replay is the twin's own implicit step.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.errors import InfeasiblePlanError
from models.horizon import Horizon
from models.networks.data import GasNetwork
from models.networks.gas_model import KW_S_PER_KWH, GasModel, compile_gas, demand_kg_per_s, gaswork_of
from models.networks.hydraulics import drop_and_slope
from models.networks.labels import table
from models.networks.linepack import GasState, advance_gas, compile_linepack
from optimizers.blocks.book import Values
from optimizers.blocks.linepack import LinepackBlock
from optimizers.compile.template import read
from optimizers.compile.tiling import TimeGrid, tile
from optimizers.dispatch import program_of
from optimizers.session import HighsSession

Floats = npt.NDArray[np.float64]
PA_PER_BAR = 1e5
ROUNDS_MAX = 15
CLOSED_BAR = 1e-3
"""Pipes whose law is missed by less are done; it is far below what a gauge shows."""


@dataclass(frozen=True, slots=True)
class LinepackRule:
    """Whether the gas in the pipes belongs into a plan: for how long it could carry the highest demand between its allowed pressures."""

    usable_kwh: float
    seconds: float
    include: bool


def linepack_rule(network: GasNetwork, peak_kw: float, step_s: float) -> LinepackRule:
    """Return whether a network's pipes hold more than one step of its highest demand."""
    law, volume = compile_gas(network).law, compile_linepack(network).volume_m3
    ends = law.density(np.array([network.source_pressure_kpa, network.pressure_min_kpa]) * 1e3)
    usable = float(volume.sum() * (ends[0] - ends[1])) * network.lower_heating_value_kwh_per_kg
    seconds = float(3600.0 * usable / max(peak_kw, 1e-9))
    return LinepackRule(usable, seconds, bool(seconds > step_s))


@dataclass(frozen=True, slots=True)
class GasPurchase:
    """What a gas supply costs and can give: price per kWh of every step, its limit, and what a kWh costs that nobody brings."""

    price_per_kwh: Floats
    source_max_kw: float
    short_price_per_kwh: float = 20.0


@dataclass(frozen=True)
class GasDay:
    """A planned day of a gas network.

    ``source_kw`` (time,), ``pressure_kpa`` (junction, time) and ``short_kw`` (time,) are the plan's; ``replay`` is what the network does
    with them; ``residual_bar`` how far pipes were from their law after each round; ``apart_kpa`` the largest difference to the replay.
    """

    source_kw: Floats
    pressure_kpa: xr.DataArray
    short_kw: Floats
    cost: float
    residual_bar: tuple[float, ...]
    replay: xr.Dataset
    apart_kpa: float


def plan_gas(
    network: GasNetwork, demand_kw: xr.DataArray, horizon: Horizon, start: GasState, purchase: GasPurchase
) -> GasDay:
    """Return the cheapest purchase over equal steps that keeps every pressure between the network's least and its source's.

    Parameters
    ----------
    network
        One source, pipes only.
    demand_kw
        Gas drawn, dims (consumer, time); negative feeds in.
    start
        What the pipes hold at the beginning; the day ends with as much.

    Raises
    ------
    InfeasiblePlanError
        If no plan was found or the pipes' law does not close.
    """
    day = _Day(network, demand_kw, horizon, start, purchase)
    residuals: list[float] = []
    session: HighsSession | None = None
    while len(residuals) < ROUNDS_MAX:
        program = program_of(day.compiled, day.compiled.layout.vector(day.values()))
        if session is None:
            session = HighsSession(program)
        else:
            session.update(program)
        found = session.run()
        if found.x is None:
            raise InfeasiblePlanError(f"{network.id}: no purchase keeps the pressures of the network ({found.status})")
        residuals.append(day.move(found.x))
        if residuals[-1] < CLOSED_BAR:
            return day.result(found.x, found.objective, tuple(residuals))
    raise InfeasiblePlanError(
        f"{network.id}: the pipes' law is still missed by {residuals[-1]:.3g} bar after {ROUNDS_MAX} rounds"
    )


class _Day:
    """One day between rounds: the point that rows are tangents at."""

    def __init__(
        self, network: GasNetwork, demand_kw: xr.DataArray, horizon: Horizon, start: GasState, purchase: GasPurchase
    ) -> None:
        self.network, self.demand_kw, self.start, self.purchase = network, demand_kw, start, purchase
        self.model: GasModel = compile_gas(network)
        self.volume = compile_linepack(network).volume_m3
        self.step_s = float(horizon.step_h[0]) * 3600.0
        drawn = table(demand_kw, "consumer", network.consumers, demand_kw["time"], "demand_kw")
        self.draw, _ = demand_kg_per_s(network, self.model, drawn)
        steps = len(horizon)
        self.pressure = np.tile(start.pressure_pa, (steps, 1))
        self.m = np.tile(start.m_kg_per_s, (steps, 1))
        graph = self.model.graph
        self.live = np.flatnonzero(graph.start >= 0)
        limits = network.pressure_min_kpa / 100.0, network.source_pressure_kpa / 100.0
        drawing = tuple(int(i) for i in np.flatnonzero((self.draw > 0).any(axis=0)))
        self.block = LinepackBlock(
            graph.start[self.live].astype(np.int64),
            graph.end[self.live].astype(np.int64),
            graph.node_count,
            drawing,
            limits,
        )
        self.compiled = tile(read(self.block.formulation()), TimeGrid(steps))

    @property
    def per_kg(self) -> float:
        """Power of a flow of one kg/s, in kW."""
        return self.network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH

    def values(self) -> Values:
        """Return the numbers of the tangents at the present point, and those of the purchase."""
        hours = self.step_s / 3600.0
        found: Values = {
            "source_max": self.purchase.source_max_kw / self.per_kg,
            "price": self.purchase.price_per_kwh * self.per_kg * hours,
            "short_price": np.full(len(self.draw), self.purchase.short_price_per_kwh * self.per_kg * hours),
            "lacking_price": self.purchase.short_price_per_kwh * self.network.lower_heating_value_kwh_per_kg,
        }
        return found | self._balances() | self._laws()

    def _balances(self) -> Values:
        law = self.model.law
        found: Values = {}
        chain = np.vstack([self.start.pressure_pa, self.pressure])
        rho, slope = law.density(chain), _slope(law.density, chain)
        rest = rho - slope * chain
        share = self.volume / self.step_s
        for i in range(self.block.nodes):
            found[f"hold_{i}"] = share[i] * slope[1:, i] * PA_PER_BAR
            found[f"held_{i}"] = share[i] * slope[:-1, i] * PA_PER_BAR
            found[f"rest_{i}"] = -self.draw[:, i] - share[i] * (rest[1:, i] - rest[:-1, i])
            found[f"mass_{i}"] = float(self.volume[i] * slope[-1, i] * PA_PER_BAR)
            found[f"gas.pressure_{i}_bar.before"] = float(self.start.pressure_pa[i] / PA_PER_BAR)
        for i in self.block.drawing:
            found[f"short_max_{i}"] = np.maximum(self.draw[:, i], 0.0)
        found["mass_target"] = float(self.volume @ (rho[0] - rest[-1]))
        return found

    def _laws(self) -> Values:
        law = self.model.law
        found: Values = {}
        level, slope = law.potential(self.pressure), law.density(self.pressure)
        fall, by_m = self._friction()
        for k, (a, b) in enumerate(zip(self.block.start, self.block.end, strict=True)):
            found[f"from_{k}"], found[f"to_{k}"] = slope[:, a] * PA_PER_BAR, slope[:, b] * PA_PER_BAR
            found[f"slope_{k}"] = by_m[:, k]
            known = fall[:, k] - by_m[:, k] * self.m[:, self.live[k]]
            here = level[:, a] - slope[:, a] * self.pressure[:, a] - level[:, b] + slope[:, b] * self.pressure[:, b]
            found[f"law_{k}"] = known - here
        return found

    def _friction(self) -> tuple[Floats, Floats]:
        """Return the drop of potential along every live pipe and how fast it grows, dims (step, pipe)."""
        _, tubes, friction, viscosity, *_ = gaswork_of(self.network, self.model, self.model.law)
        pairs = [
            [
                drop_and_slope(float(m), int(k), tubes, friction, float(viscosity[0]))
                for k, m in zip(self.live, row[self.live], strict=True)
            ]
            for row in self.m
        ]
        both = np.array(pairs)
        return both[:, :, 0], both[:, :, 1]

    def move(self, x: Floats) -> float:
        """Move the point to a solution; return how far the worst pipe is from its law there, in bar."""
        column = self.compiled.column
        for i in range(self.block.nodes):
            self.pressure[:, i] = x[column("gas", f"pressure_{i}_bar").steps] * PA_PER_BAR
        for k, edge in enumerate(self.live):
            self.m[:, edge] = x[column("gas", f"flow_{k}_kg_per_s").steps]
        level, fall = self.model.law.potential(self.pressure), self._friction()[0]
        gap = level[:, self.block.start] - level[:, self.block.end] - fall
        rho = self.model.law.density(self.pressure)
        mean = (rho[:, self.block.start] + rho[:, self.block.end]) / 2
        return float(np.abs(gap / mean).max() / PA_PER_BAR)

    def result(self, x: Floats, cost: float, residuals: tuple[float, ...]) -> GasDay:
        """Return the plan at a solution with its replay on the network."""
        column, graph = self.compiled.column, self.model.graph
        source = x[column("gas", "source_kg_per_s").steps]
        short = {i: x[column("gas", f"short_{i}_kg_per_s").steps] for i in self.block.drawing}
        total = np.sum(list(short.values()), axis=0) if short else np.zeros(len(source))
        served = self.demand_kw.transpose("consumer", "time").copy()
        for c, junction in enumerate(served["consumer"].values.tolist()):
            node = int(graph.node[list(graph.junction_ids).index(junction)])
            if node in short:
                served[c] = served[c] - short[node] * self.per_kg
        time = served["time"]
        fed = xr.DataArray(source * self.per_kg, {"time": time}, ("time",))
        _, replay = advance_gas(self.network, self.start, served, step_s=self.step_s, source_kw=fed)
        planned = self.pressure[:, graph.node].T / 1e3
        pressure = xr.DataArray(planned, {"junction": list(graph.junction_ids), "time": time}, ("junction", "time"))
        apart = float(np.abs(replay["pressure_kpa"].transpose("junction", "time").to_numpy() - planned).max())
        return GasDay(source * self.per_kg, pressure, total * self.per_kg, cost, residuals, replay, apart)


def _slope(density: object, pressure_pa: Floats) -> Floats:
    """Return the slope of density with pressure by a central difference of one pascal per bar."""
    assert callable(density)  # noqa: S101 - a method of the gas law
    step = pressure_pa * 1e-5
    found: Floats = (density(pressure_pa + step) - density(pressure_pa - step)) / (2 * step)
    return found
