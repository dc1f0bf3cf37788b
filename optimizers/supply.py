"""A dispatch problem in which a heat network's supply temperature may move: one linear program around a replayed schedule.

What the network takes at a step hangs on the temperatures sent out before it, in rows from the replay; what a heat pump draws hangs on the
temperature it supplies, bilinear with its heat, so it is taken along its tangent at the plan in hand. Both are true nearby only: a trust
region keeps a move small, and what a move is worth is told by planning anew at its replay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from models.carriers import Carrier
from models.components import HeatPump
from models.dispatch import DispatchProblem
from models.security import Floats, PortPlan, Report, Rows
from optimizers.compile.program import CompiledModel
from optimizers.dispatch import Case, Dispatcher
from optimizers.secured import point_of
from optimizers.session import Program, Solution
from optimizers.worker import Job

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SupplyRange:
    """Between which temperatures a plant may send its water, degC, and how many steps at the end it sends it as always.

    Water under way at the end of a horizon would otherwise be sold for nothing.
    """

    least_degc: float
    most_degc: float
    tail: int = 12


@dataclass(frozen=True, slots=True)
class Priced:
    """A schedule with the optimum at its replay, yes-or-no decisions relaxed, and the rows around it."""

    schedule: PortPlan
    report: Report
    problem: DispatchProblem
    case: Case
    point: Solution

    @property
    def cost(self) -> float:
        """What the day costs at this schedule."""
        return self.point.objective

    @property
    def fine(self) -> float:
        """The price of the limits that the replay breaks."""
        rows = self.report.findings
        return float(rows.violation() @ rows.slack_price)


class SupplyProblem:
    """The dispatch side of a network's supply temperature."""

    def __init__(self, problem: DispatchProblem, network: str, dispatcher: Dispatcher, *, deadline_s: float) -> None:
        self.problem, self.network, self.deadline_s = problem, network, deadline_s
        self._dispatcher = dispatcher

    def at(self, schedule: PortPlan, report: Report) -> DispatchProblem:
        """Return the problem under a replayed schedule: its temperatures, and what the network then takes beyond the demand."""
        return under(self.problem, self.network, schedule, report.losses_kw)

    def priced(self, schedule: PortPlan, report: Report) -> Priced:
        """Return what a replayed schedule costs; raises what solving a relaxed problem raises."""
        problem = self.at(schedule, report)
        case = self._dispatcher.case(problem)
        return Priced(
            schedule, report, problem, case, self._solved(f"{case.compiled.key}:supply", case.program.relaxed())
        )

    def moved(self, here: Priced, allowed: SupplyRange, trust_k: float) -> tuple[Floats, float]:
        """Return the best schedule within ``trust_k`` of a priced one, shape (step,), and what the rows promise it costs."""
        program = _with_lever(here, _box(here.schedule.values[:, 0], allowed, trust_k))
        point = self._solved(f"{here.case.compiled.key}:lever:{len(program.row_lower)}", program)
        own = len(here.case.program.cost)
        steps = len(here.schedule.values)
        return here.schedule.values[:, 0] + point_of(point)[own : own + steps], point.objective

    def _solved(self, key: str, program: Program) -> Solution:
        solution = self._dispatcher.answer(Job(key, program), deadline_s=self.deadline_s).solution
        point_of(solution)
        return solution


def under(
    problem: DispatchProblem, network: str, schedule: PortPlan, taken_kw: Mapping[Carrier, Floats]
) -> DispatchProblem:
    """Return a problem with a schedule of supply temperatures, and what the network takes under it in place of its losses."""
    times, heat = problem.horizon.times, Carrier.HEAT.value
    table = problem.losses_kw
    if table is None:
        table = xr.DataArray(
            np.zeros((1, len(times))), {"carrier": [heat], "time": times}, ("carrier", "time"), "losses_kw"
        )
    if heat not in table["carrier"].values:
        blank = xr.zeros_like(table.isel(carrier=[0])).assign_coords(carrier=[heat])
        table = xr.concat([table, blank], "carrier")
    losses = table.copy()
    losses.loc[{"carrier": heat}] = taken_kw[Carrier.HEAT]
    sent = xr.DataArray(
        schedule.values.T.copy(), {"network": [network], "time": times}, ("network", "time"), "supply_degc"
    )
    return replace(problem, losses_kw=losses, supply_degc=sent)


def _box(now: Floats, allowed: SupplyRange, trust_k: float) -> tuple[Floats, Floats]:
    """Return by how much every step may move, downwards and upwards; nothing at the end of the horizon."""
    down = np.clip(allowed.least_degc - now, -trust_k, 0.0)
    up = np.clip(allowed.most_degc - now, 0.0, trust_k)
    tail = np.arange(len(now)) >= len(now) - allowed.tail
    return np.where(tail, 0.0, down), np.where(tail, 0.0, up)


def _with_lever(here: Priced, box: tuple[Floats, Floats]) -> Program:
    """Return the relaxed program with a column per step for the change of temperature, and the limits' rows, which bend at a price."""
    program, limits = here.case.program.relaxed(), here.report.findings
    steps = len(here.schedule.values)
    bends = len(limits)
    top = sparse.hstack([program.matrix, _felt(here, program), sparse.coo_array((len(program.row_lower), bends))])
    held = sparse.hstack(
        [sparse.coo_array((bends, len(program.cost))), _slopes(limits, steps), sparse.eye_array(bends)]
    )
    whole = sparse.csr_array(sparse.vstack([top, held]) if bends else top)
    whole.sort_indices()
    none = np.zeros(steps + bends)
    return replace(
        program,
        row_ptr=whole.indptr.astype(np.int32),
        column_index=whole.indices.astype(np.int32),
        coefficients=whole.data,
        column_lower=np.concatenate([program.column_lower, box[0], np.zeros(bends)]),
        column_upper=np.concatenate([program.column_upper, box[1], np.full(bends, np.inf)]),
        row_lower=np.concatenate([program.row_lower, limits.lower - limits.value]),
        row_upper=np.concatenate([program.row_upper, limits.upper - limits.value]),
        cost=np.concatenate([program.cost, np.zeros(steps), limits.slack_price]),
        integrality=np.concatenate([program.integrality, none.astype(program.integrality.dtype)]),
    )


def _felt(here: Priced, program: Program) -> sparse.coo_array:
    """Return what a kelvin more at each step does in the balances: heat that the network takes later, electricity that pumps draw now."""
    model, steps = here.case.compiled.model, len(here.schedule.values)
    heat, heat_weight = _balance(program, model, Carrier.HEAT)
    taken = _slopes(here.report.balance, steps).tocoo()
    rows, columns, values = [heat[taken.row]], [taken.col], [-heat_weight * taken.data]
    drawn = _drawn_per_k(here)
    if np.any(drawn):
        power, weight = _balance(program, model, Carrier.ELECTRICITY)
        rows, columns, values = [*rows, power], [*columns, np.arange(steps)], [*values, -weight * drawn]
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_array(entries, shape=(len(program.row_lower), steps))


def _balance(program: Program, model: CompiledModel, carrier: Carrier) -> tuple[Ints, float]:
    """Return the rows of a carrier's balance, and what a feeding kW weighs in one."""
    steps = model.row(carrier.value, "balance").steps
    lacking = model.column(carrier.value, "lacking_kw").steps
    return np.arange(steps.start, steps.stop), float(program.matrix[[steps.start], [lacking.start]][0])


def _slopes(rows: Rows, steps: int) -> sparse.csr_array:
    """Return rows over the changes of the port at every step, shape (row, step)."""
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.start))
    return sparse.csr_array(
        sparse.coo_array((rows.slope, (owner, rows.step[owner] - rows.lag)), shape=(len(rows), steps))
    )


def _drawn_per_k(here: Priced) -> Floats:
    """Return how much more electricity the network's heat pumps draw per kelvin, at their heat of the present plan, shape (step,)."""
    site, facts, x = here.problem.site, here.case.facts, point_of(here.point)
    sent, found = here.schedule.values[:, 0], np.zeros(len(here.schedule.values))
    for pump in site.of_kind(HeatPump):
        if here.problem.sent_degc(site.network_of(pump.heat_node)) is None:
            continue
        heat_kw = x[here.case.compiled.model.column(pump.id, "output_kw").steps]
        air = facts.series[pump.air_profile]
        found += pump.electricity_kw(heat_kw, air, sent + 0.5) - pump.electricity_kw(heat_kw, air, sent - 0.5)
    return found
