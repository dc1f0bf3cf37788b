"""All carriers of a site at once, tied by the machines that turn one into another.

Each network is solved by its own kernel. Only the powers of machines that follow a slack travel between them, a handful of
numbers per step, so the iteration works on those alone, with Anderson's acceleration, for all steps side by side.

Source: Anderson, J. ACM 12(4), 1965; the decomposed scheme of Liu et al., Applied Energy 162 (2016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from models.carriers import Carrier
from models.errors import DataError
from models.findings import error
from models.networks.carriers import FloatArray, Injections, Solved, Solver, solver_of
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.networks.labels import time_of

ROUNDS_MAX = 60
MEMORY = 3
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where a machine meets a network and what flows there per kW at its driving port."""

    carrier: Carrier
    node: str
    per_kw: float = 1.0
    """Positive feeds the network: a boiler has +1 at heat and -1 / efficiency at gas."""
    offset_kw: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """A machine between carriers: its first port drives, the others follow ``per_kw * driver + offset_kw``.

    With ``power_kw`` left out of the call the driver covers its share of the slack of its network, which has to be at the
    network's slack bus, plant or source.
    """

    id: str
    driver: Port
    followers: tuple[Port, ...]
    slack_share: float = 1.0


@dataclass(frozen=True, slots=True)
class CoupledFlow:
    """The solved carriers."""

    states: Mapping[Carrier, xr.Dataset]
    tie_kw: xr.DataArray
    """Power at the driving port of every machine, dims (tie, time); positive feeds."""
    balance_kw: xr.Dataset
    """Per carrier and time: ``slack`` (from outside the site), ``fed``, ``drawn``, ``loss`` and ``gap``, which closes them."""
    rounds: int
    residual_kw: xr.DataArray
    """Largest change of a tie's power in the last round, dims (time)."""


def solve_coupled(
    networks: Mapping[Carrier, ElectricNetwork | PipeNetwork | GasNetwork],
    fed_kw: Mapping[Carrier, xr.DataArray],
    ties: Sequence[Tie],
    *,
    tie_kw: xr.DataArray | None = None,
    q_kvar: xr.DataArray | None = None,
    supply_degc: xr.DataArray | float | None = None,
) -> CoupledFlow:
    """Return the state of all carriers that agrees with the machines between them.

    Parameters
    ----------
    networks
        One network per carrier.
    fed_kw
        Power fed into nodes per carrier, dims (node, time); loads are negative.
    ties
        The machines.
    tie_kw
        Set power at the driving port of machines, dims (tie, time); machines left out follow the slack.
    q_kvar
        Reactive power fed into buses, dims (bus, time).
    supply_degc
        Supply temperature of the heat network.

    Steps in which some network has no solution keep the last values of their machines and are marked in that network's
    ``status``; they do not disturb other steps.
    """
    time = time_of(next(iter(fed_kw.values())))
    solvers = {c: solver_of(c, n, time, q_kvar, supply_degc) for c, n in networks.items()}
    _refuse_unknown(ties, networks)
    problem = _Problem(solvers, {c: _plain(x, time) for c, x in fed_kw.items()}, ties, tie_kw, time.size)
    power, solved, rounds, residual = problem.iterate()
    return CoupledFlow(
        states={c: s.state for c, s in solved.items()},
        tie_kw=xr.DataArray(power.T, dims=("tie", "time"), coords={"tie": [t.id for t in ties], "time": time}),
        balance_kw=problem.balance(power, solved, time),
        rounds=rounds,
        residual_kw=xr.DataArray(residual, dims="time", coords={"time": time}),
    )


def _refuse_unknown(ties: Sequence[Tie], networks: Mapping[Carrier, object]) -> None:
    missing = [
        error(f"ties.{tie.id}", f"needs a {port.carrier} network, which is not given", tie.id)
        for tie in ties
        for port in (tie.driver, *tie.followers)
        if port.carrier not in networks
    ]
    if missing:
        raise DataError(missing)


def _plain(series: xr.DataArray, time: xr.DataArray) -> dict[str, FloatArray]:
    rows = series if "time" in series.dims else series.expand_dims(time=time)
    return {str(n): rows.sel(node=n).to_numpy().astype(float) for n in rows["node"].to_numpy()}


class _Problem:
    """The map from machine powers to the powers that their slacks ask for, and its fixed point."""

    def __init__(
        self,
        solvers: Mapping[Carrier, Solver],
        base: Mapping[Carrier, Injections],
        ties: Sequence[Tie],
        set_kw: xr.DataArray | None,
        steps: int,
    ) -> None:
        self.solvers, self.base, self.ties, self.steps = solvers, base, ties, steps
        self.set_kw = np.full((steps, len(ties)), np.nan)
        if set_kw is not None:
            for k, tie in enumerate(ties):
                if tie.id in set_kw["tie"].to_numpy():
                    self.set_kw[:, k] = set_kw.sel(tie=tie.id).to_numpy()
        self.follows = np.isnan(self.set_kw).all(axis=0)

    def fed(self, carrier: Carrier, power: FloatArray) -> Injections:
        """Return everything fed into a carrier's nodes for machine powers (step, tie)."""
        total = {n: v.copy() for n, v in self.base.get(carrier, {}).items()}
        for node, kw in self._machine_ports(carrier, power):
            total[node] = total.get(node, np.zeros(self.steps)) + kw
        return total

    def _machine_ports(self, carrier: Carrier, power: FloatArray) -> list[tuple[str, FloatArray]]:
        """Return node and power of every port except drivers that follow a slack, which the network finds itself."""
        ports = []
        for k, tie in enumerate(self.ties):
            if tie.driver.carrier is carrier and not self.follows[k]:
                ports.append((tie.driver.node, power[:, k]))
            ports += [(p.node, p.per_kw * power[:, k] + p.offset_kw) for p in tie.followers if p.carrier is carrier]
        return ports

    def asked(self, power: FloatArray) -> tuple[FloatArray, dict[Carrier, Solved]]:
        """Return what the slacks ask of the machines, and the solved networks."""
        solved = {c: solver.solve(self.fed(c, power)) for c, solver in self.solvers.items()}
        answer = self.set_kw.copy()
        for k in np.flatnonzero(self.follows).tolist():
            tie = self.ties[k]
            answer[:, k] = tie.slack_share * solved[tie.driver.carrier].slack_kw
        return np.where(np.isfinite(answer), answer, power), solved

    def iterate(self) -> tuple[FloatArray, dict[Carrier, Solved], int, FloatArray]:
        """Return machine powers, solved networks, rounds taken and the last change."""
        power = np.nan_to_num(self.set_kw)
        points: list[FloatArray] = []
        gaps: list[FloatArray] = []
        rounds = 0
        while True:
            rounds += 1
            answer, solved = self.asked(power)
            gap = answer - power
            residual = np.abs(gap).max(axis=1, initial=0.0)
            if residual.max(initial=0.0) <= TOLERANCE_KW or rounds == ROUNDS_MAX:
                return power, solved, rounds, residual
            points, gaps = [*points[-MEMORY:], power], [*gaps[-MEMORY:], gap]
            power = accelerated(points, gaps)

    def balance(self, power: FloatArray, solved: Mapping[Carrier, Solved], time: xr.DataArray) -> xr.Dataset:
        """Return the energy balance per carrier; drivers of a slack count as fed by the machine, not from outside."""
        rows = {name: np.zeros((len(solved), self.steps)) for name in ("slack", "fed", "drawn", "loss")}
        for i, (carrier, result) in enumerate(solved.items()):
            fed = list(self.fed(carrier, power).values())
            by_machines = sum(
                (power[:, k] for k in np.flatnonzero(self.follows).tolist() if self.ties[k].driver.carrier is carrier),
                np.zeros(self.steps),
            )
            rows["fed"][i] = sum((np.maximum(v, 0) for v in fed), np.zeros(self.steps)) + by_machines
            rows["drawn"][i] = sum((np.maximum(-v, 0) for v in fed), np.zeros(self.steps))
            rows["slack"][i] = result.slack_kw - by_machines
            rows["loss"][i] = result.loss_kw
        gap = rows["slack"] + rows["fed"] - rows["drawn"] - rows["loss"]
        coords = {"carrier": [c.value for c in solved], "time": time}
        return xr.Dataset({n: (("carrier", "time"), v) for n, v in (rows | {"gap": gap}).items()}, coords=coords)


def accelerated(points: Sequence[FloatArray], gaps: Sequence[FloatArray]) -> FloatArray:
    """Return Anderson's next point from the last ones, each step (row) by itself; arrays are (step, unknown)."""
    point, gap = points[-1], gaps[-1]
    if len(points) < 2:
        return point + gap
    moved = np.stack([point - p for p in points[:-1]], axis=2)
    changed = np.stack([gap - g for g in gaps[:-1]], axis=2)
    weights = np.linalg.pinv(changed, rcond=1e-10) @ gap[:, :, None]
    return np.asarray(point + gap - ((moved + changed) @ weights)[:, :, 0])
