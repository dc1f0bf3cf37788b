"""One compiled day, many price paths: what the site would buy and hold ready if each path came true."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Battery, GridConnection, Store
from models.dispatch import DispatchProblem
from models.trading import MarketTerms
from optimizers.blocks.reserves import HELD
from optimizers.checks import check
from optimizers.dispatch import Case, Dispatcher
from optimizers.offers.paths import PricePaths
from optimizers.session import Program
from optimizers.sweep import Sweep, Swept

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BOTH_WAYS_KW = 1e-3
"""A store that charges and discharges at once by more than this burns energy; its smaller way is shut and the path solved again."""
OPTIONS: Mapping[str, bool | int | float | str] = {"presolve": "off"}
"""With a basis from the path before there is nothing for presolve to win."""


@dataclass(frozen=True, slots=True)
class Optima:
    """Each path's own optimum; arrays have shape (path, step) unless said.

    ``bought_kwh`` is the net purchase, ``cost`` (path,) the day's whole cost at the path's prices, ``beside`` (path,) what of it is not the
    market's. ``marginal_per_kwh`` is the cost of one more kWh of demand, ``stored_per_kwh`` what a kWh fed from electric stores gives up;
    ``held_kw`` is capacity by contract.
    """

    bought_kwh: Floats
    cost: Floats
    beside: Floats
    marginal_per_kwh: Floats
    stored_per_kwh: Floats
    held_kw: Mapping[str, Floats]
    x: Floats


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds that differ from path to path: ``upper`` (path, column) on ``columns``."""

    columns: Ints
    upper: Floats


class MarketDay:
    """A day of a site that trades at the market, compiled once; re-solved for every path of prices.

    Yes-or-no decisions are relaxed: a curve is made of means over futures, and the plan that is carried out takes its decisions itself.
    """

    def __init__(
        self, problem: DispatchProblem, fee_per_kwh: float, dispatcher: Dispatcher, *, deadline_s: float = 60.0
    ) -> None:
        prices = np.zeros(len(problem.horizon))
        self.problem = replace(problem, market=MarketTerms(prices, fee_per_kwh), demand=None, demand_windows={})
        self.findings = check(self.problem)
        self.dispatcher, self.deadline_s = dispatcher, deadline_s
        self.case: Case = dispatcher.case(self.problem)
        self.program = self.case.program.relaxed()
        self.step_h = problem.horizon.step_h

    def optima(
        self, paths: PricePaths, program: Program | None = None, key: str = "offers", limits: Limits | None = None
    ) -> Optima:
        """Return every path's optimum; ``program`` may have rows and columns behind those of the day, on which ``limits`` may lie.

        Raises
        ------
        ProblemError
            With everything that is wrong with the paths.
        InfeasiblePlanError, UnboundedPlanError, SolverTimeoutError, CertificateError
            As :meth:`optimizers.dispatch.Dispatcher.sweep`.
        """
        paths.require(self.problem)
        order = paths.order()
        columns, costs = self._costs(paths)
        sweep = Sweep(
            f"{self.case.compiled.key}:{key}", program or self.program, columns, costs[order], options=OPTIONS
        )
        if limits is not None:
            sweep = replace(sweep, bounded=limits.columns, upper=limits.upper[order])
        found = self._one_way(sweep, self.dispatcher.sweep(sweep, deadline_s=self.deadline_s))
        back = np.argsort(order)
        return self._read(paths, Swept(found.x[back], found.row_dual[back], found.objective[back]))

    def _costs(self, paths: PricePaths) -> tuple[Ints, Floats]:
        """Return the columns whose cost depends on prices, and their costs per path."""
        fee = self.problem.market.fee_per_kwh if self.problem.market else 0.0
        columns: list[Ints] = []
        costs: list[Floats] = []
        for grid in self.problem.site.of_kind(GridConnection):
            columns += [self.columns(grid.id, "import_kw"), self.columns(grid.id, "export_kw")]
            costs += [(paths.energy_per_kwh + fee) * self.step_h, -paths.energy_per_kwh * self.step_h]
        for contract, prices in paths.reserve_per_kw_h.items():
            known = next(c for c in self.problem.site.reserves if c.id == contract)
            other = known.income_per_kw_h - known.price_per_kw_h
            for held in self._held(contract):
                columns.append(held)
                costs.append(-(prices + other) * self.step_h)
        return np.concatenate(columns), np.hstack(costs)

    def columns(self, asset: str, quantity: str) -> Ints:
        """Return the columns of an asset's quantity over the steps."""
        steps = self.case.compiled.model.column(asset, quantity).steps
        return np.arange(steps.start, steps.stop)

    def _held(self, contract: str) -> list[Ints]:
        names = self.case.compiled.book.f.columns.values()
        return [self.columns(c.asset, c.quantity) for c in names if c.quantity == f"{HELD}_{contract}_kw"]

    def _one_way(self, sweep: Sweep, found: Swept) -> Swept:
        """Solve those paths again in which a store charges and discharges at once, its smaller way shut there, until none does.

        At prices below what a store's losses are worth, burning energy in it would pay; no store does both at once.
        """
        stores = self.problem.site.of_kind(Store)
        if not stores:
            return found
        ways = [np.concatenate([self.columns(s.id, f"{way}_kw") for s in stores]) for way in ("charge", "discharge")]
        upper = np.full((len(sweep), 2, len(ways[0])), np.inf)
        bounded, limits = np.concatenate([*ways, sweep.bounded]), sweep.upper.reshape(len(sweep), len(sweep.bounded))
        while True:
            power = np.stack([found.x[:, way] for way in ways], axis=1)
            both = power.min(axis=1) > BOTH_WAYS_KW
            again = np.flatnonzero(both.any(axis=1))
            if not len(again):
                return found
            smaller = np.stack([power[:, 0] < power[:, 1], power[:, 0] >= power[:, 1]], axis=1)
            upper[smaller & both[:, None]] = 0.0
            most = np.hstack([upper[again].reshape(len(again), -1), limits[again]])
            shut = replace(sweep, costs=sweep.costs[again], bounded=bounded, upper=most)
            found = found.with_members(again, self.dispatcher.sweep(shut, deadline_s=self.deadline_s))

    def _read(self, paths: PricePaths, found: Swept) -> Optima:
        grids = self.problem.site.of_kind(GridConnection)
        net_kw = sum(
            (found.x[:, self.columns(g.id, "import_kw")] - found.x[:, self.columns(g.id, "export_kw")] for g in grids),
            np.zeros_like(paths.energy_per_kwh),
        )
        bought = net_kw * self.step_h
        held = {c: np.sum([found.x[:, h] for h in self._held(c)], axis=0) for c in paths.reserve_per_kw_h}
        balance = self.case.compiled.model.row(Carrier.ELECTRICITY.value, "balance").steps
        return Optima(
            bought_kwh=bought,
            cost=found.objective,
            beside=found.objective - (bought * paths.energy_per_kwh).sum(axis=1),
            marginal_per_kwh=found.row_dual[:, balance] / self.step_h,
            stored_per_kwh=self._store_values(found),
            held_kw=held,
            x=found.x,
        )

    def _store_values(self, found: Swept) -> Floats:
        """Return what a kWh fed from the site's batteries gives up: the price of what is stored, by the energy that each can hold."""
        batteries = self.problem.site.of_kind(Battery)
        total = np.zeros((len(found.x), len(self.step_h)))
        size = sum(b.energy_kwh for b in batteries)
        for unit in batteries:
            rows = self.case.compiled.model.row(unit.id, "balance").steps
            # the row says stored = before + in - out, so one more kWh on its right side is one kWh more stored
            worth = -found.row_dual[:, rows] / unit.discharge_efficiency
            total += worth * unit.energy_kwh / size
        return total
