"""A dispatch problem that learns rows from the networks: the planner's side of plan, replay, rows, plan again.

Losses become columns, held up by tangents; limits become rows that bend at a price. Rows live in port space, so they outlast a new
forecast: what a port is in terms of columns is worked out anew for every problem.
"""

from collections.abc import Container, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.carriers import Carrier
from models.components import Consumer
from models.dispatch import DispatchProblem, Plan, SolverReport
from models.errors import InfeasiblePlanError
from models.security import Floats, Port, PortPlan, Rows
from models.site import Site
from optimizers.blocks.book import Feed
from optimizers.certificate import certify, require
from optimizers.compile.rules import Series
from optimizers.dispatch import Case, Dispatcher
from optimizers.plan import Outcome, plan_of
from optimizers.session import Program, Solution
from optimizers.worker import Answer, Job, SolverProcess

Matrix = Any  # scipy's sparse arrays carry no types
LOSS = "loss_kw"
TAN_PHI_DIGITS = 12


class SecuredProblem:
    """One dispatch problem with the rows that its networks have returned; a ``SecurablePlanner``.

    It begins without yes-or-no decisions, so that rows converge on a linear program; :meth:`commit` takes the decisions under the rows
    held so far and keeps them from then on.
    """

    def __init__(
        self,
        problem: DispatchProblem,
        ports: Sequence[Port],
        revision: str,
        dispatcher: Dispatcher,
        *,
        deadline_s: float = 20.0,
    ) -> None:
        self.problem, self.ports, self.revision, self.deadline_s = problem, tuple(ports), revision, deadline_s
        self._case: Case = dispatcher.case(problem)
        self._process: SolverProcess = dispatcher.process
        self._program = self._case.program.relaxed()
        self._map = PortMap(self._case, self.ports)
        self.rows = Rows.empty()
        self._point: Solution | None = None
        self._solved_program: Program | None = None
        self._bound = -np.inf
        self._committed = False

    @property
    def objective(self) -> float:
        """Cost of the present plan, with the price of bent rows."""
        return self._solved.objective

    def solve(self) -> PortPlan:
        """Return the cheapest plan under all rows held; linear before :meth:`commit`, with its decisions kept after."""
        self._solved_program = self._with_rows(self._program)
        answer = self._run(self._solved_program)
        self._point = answer.solution
        if not self._committed:
            self._bound = max(self._bound, answer.relaxed.objective)
        return PortPlan(self.ports, self._map.at(self._x), self._case.facts.step_h, self.revision)

    def commit(self) -> None:
        """Take the yes-or-no decisions under the rows held so far; later solves keep them."""
        integers = self._case.program.integers
        if not len(integers):
            return
        answer = self._run(self._with_rows(self._case.program))
        decided = answer.priced or answer.solution
        if decided.x is None:
            raise InfeasiblePlanError("no yes-or-no decisions satisfy the rows that the networks returned")
        self._bound = max(self._bound, min(answer.solution.bound, decided.objective))
        self._committed = True
        self._program = self._case.program.fixed(integers, np.round(decided.x[integers]))

    def add_rows(self, rows: Rows, *, replace: Container[str] = ()) -> int:
        """Add rows and return how many are held; local rows of the kinds in ``replace`` take the place of the old ones."""
        kept = np.array(
            [shape == 0 or kind not in replace for kind, shape in zip(self.rows.kind, self.rows.shape, strict=True)],
            bool,
        )
        self.rows = self.rows.select(kept) + rows
        return len(self.rows)

    def slack(self) -> Floats:
        """Return how far each held row is bent, 0 for rows added since the last solve."""
        found = np.zeros(len(self.rows))
        count = len(self._case.program.cost) + self._map.steps
        bent = self._solved.x[count:] if self._solved.x is not None else np.zeros(0)
        bounded = np.flatnonzero(self.rows.kind != LOSS)[: len(bent) // 2]
        found[bounded] = bent[: len(bounded)] + bent[len(bent) // 2 :][: len(bounded)]
        return found

    def plan(self, message: str = "") -> Plan:
        """Return the present point as a plan, certified against the program with its rows."""
        certificate = certify(self._under, self._solved)
        require(certificate, f"secured plan from {self.problem.horizon.start:%Y-%m-%d %H:%M} UTC")
        columns, held = len(self._case.program.cost), len(self._case.program.row_ptr) - 1
        dual = self._solved.row_dual
        outcome = Outcome(
            facts=self._case.facts,
            book=self._case.compiled.book,
            blocks=self._case.compiled.blocks,
            carriers=self._case.compiled.carriers,
            model=self._case.compiled.model,
            parameters=self._case.parameters,
            cost_weights=self._case.cost_weights,
            x=self._x[:columns],
            row_dual=None if dual is None else dual[:held],
        )
        gap = max(certificate.objective - self._bound, 0.0) / max(abs(certificate.objective), 1.0)
        report = SolverReport("gap", certificate.objective, self._bound, gap, 0.0, 0.0, message, certificate.sound)
        return plan_of(outcome, report, ())

    @property
    def _under(self) -> Program:
        """The program that the present point solves; rows added since are not in it."""
        if self._solved_program is None:
            raise InfeasiblePlanError("nothing has been solved yet; call solve() first")
        return self._solved_program

    @property
    def _solved(self) -> Solution:
        if self._point is None:
            raise InfeasiblePlanError("nothing has been solved yet; call solve() first")
        return self._point

    @property
    def _x(self) -> Floats:
        if self._solved.x is None:
            raise InfeasiblePlanError("no plan satisfies every limit of the problem and its networks")
        return self._solved.x

    def _run(self, program: Program) -> Answer:
        job = Job("secured", program, gap_share=self.problem.gap_share, fresh=True)
        return self._process.solve(job, deadline_s=self.deadline_s)

    def _with_rows(self, program: Program) -> Program:
        model = self._case.compiled.model
        balance = model.row("electricity", "balance").steps
        lacking = model.column("electricity", "lacking_kw").steps
        feeding = float(program.matrix[[balance.start], [lacking.start]][0])
        return with_rows(program, self._map, self.rows, balance, feeding)


class PortMap:
    """What every port is, at every step, in terms of the columns of a case: ``matrix @ x + constant``, flattened as (step, port)."""

    def __init__(self, case: Case, ports: Sequence[Port]) -> None:
        self._case, self._ports = case, tuple(ports)
        self.steps = len(case.facts.step_h)
        self._numbers = {p.key: i for i, p in enumerate(ports)}

    @cached_property
    def parts(self) -> tuple[Matrix, Floats]:
        """The matrix, shape (step × port, column), and the constant."""
        rows, columns, factors = [], [], []
        constant = np.zeros((self.steps, len(self._ports)))
        for feed in self._case.compiled.book.feeds:
            for port, share in self._touched(feed.asset, feed.carrier):
                where = np.arange(self.steps)
                rows.append(where * len(self._ports) + port)
                columns.append(self._columns(feed.column.asset, feed.column.quantity))
                factors.append(share * self._factor(feed))
        for draw in self._case.compiled.book.draws:
            wanted = self._number(draw.wanted)
            unserved = self._columns(draw.carrier.value, "unserved_kw")
            share_of_all = self._share(draw.carrier, wanted)
            for port, share in self._touched(draw.asset, draw.carrier):
                constant[:, port] -= share * wanted
                rows.append(np.arange(self.steps) * len(self._ports) + port)
                columns.append(unserved)
                factors.append(share * share_of_all)
        shape = (self.steps * len(self._ports), len(self._case.program.cost))
        if not rows:
            return sparse.csr_array(shape), constant.ravel()
        entries = (np.concatenate(factors), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.csr_array(sparse.coo_array(entries, shape=shape)), constant.ravel()

    def at(self, x: Floats) -> Floats:
        """Return the port values of a point, shape (step, port)."""
        matrix, constant = self.parts
        values: Floats = np.asarray(matrix @ x[: matrix.shape[1]] + constant)
        return values.reshape(self.steps, len(self._ports))

    def _touched(self, asset: str, carrier: Carrier) -> list[tuple[int, float]]:
        """Return the ports that a kilowatt of an asset (or of a group of equal ones) moves, and by how much."""
        site, members = self._case.facts.problem.site, asset.split("+")
        found: list[tuple[int, float]] = []
        for member in members:
            node = site.asset(member).ports().get(carrier)
            power = self._numbers.get(f"{node}.power_kw")
            if power is not None:
                found.append((power, 1.0 / len(members)))
            reactive = self._numbers.get(f"{node}.reactive_kvar")
            tan_phi = consumer_tan_phi(site, member, carrier)
            if reactive is not None and tan_phi:
                found.append((reactive, tan_phi / len(members)))
        return found

    def _columns(self, asset: str, quantity: str) -> npt.NDArray[np.int64]:
        steps = self._case.compiled.model.column(asset, quantity).steps
        return np.arange(steps.start, steps.stop)

    def _number(self, series: Series) -> Floats:
        return np.broadcast_to(np.asarray(self._case.parameters[series.name], float), (self.steps,))

    def _factor(self, feed: Feed) -> Floats:
        return self._number(feed.factor) if isinstance(feed.factor, Series) else np.full(self.steps, feed.factor)

    def _share(self, carrier: Carrier, wanted: Floats) -> Floats:
        """Return a consumer's share of everything drawn: unmet demand falls on all alike."""
        draws = [self._number(d.wanted) for d in self._case.compiled.book.draws if d.carrier is carrier]
        total: Floats = np.sum(draws, axis=0)
        share: Floats = np.divide(wanted, total, out=np.zeros_like(wanted), where=total > 0)
        return share


def consumer_tan_phi(site: Site, asset: str, carrier: Carrier) -> float:
    """Return the reactive power that goes with each kilowatt of a consumer; 0 for everything else."""
    found = site.asset(asset)
    if not isinstance(found, Consumer) or carrier is not Carrier.ELECTRICITY:
        return 0.0
    factors = [d.power_factor for d in found.demands if d.carrier is carrier]
    return round(float(np.tan(np.arccos(factors[0]))), TAN_PHI_DIGITS) if factors else 0.0


def with_rows(program: Program, ports: PortMap, rows: Rows, balance: slice, feeding: float) -> Program:
    """Return a program with network losses as columns and the networks' rows.

    The loss of each step is drawn from the electricity balance and held up by its tangents; every other row may bend, upwards or
    downwards, at its price. ``feeding`` is the coefficient of a feeding kilowatt in the balance rows.
    """
    matrix, constant = ports.parts
    steps = ports.steps
    is_loss = rows.kind == LOSS
    bounded = np.flatnonzero(~is_loss)
    terms = _terms(rows, steps, len(constant))
    slope = terms @ matrix
    base = (
        rows.value + terms @ constant - np.bincount(_owner(rows), weights=rows.slope * rows.point, minlength=len(rows))
    )
    drawn = sparse.coo_array(
        (np.full(steps, -feeding), (np.arange(balance.start, balance.stop), np.arange(steps))),
        shape=(len(program.row_ptr) - 1, steps),
    )
    held = sparse.coo_array(
        (np.ones(int(is_loss.sum())), (np.flatnonzero(is_loss), rows.step[is_loss])), shape=(len(rows), steps)
    )
    bend = sparse.coo_array(
        (np.ones(len(bounded)), (bounded, np.arange(len(bounded)))), shape=(len(rows), len(bounded))
    )
    sign = np.where(is_loss, -1.0, 1.0)
    blank = sparse.coo_array((len(program.row_ptr) - 1, 2 * len(bounded)))
    top = sparse.hstack([program.matrix, drawn, blank])
    bottom = sparse.hstack([sparse.diags_array(sign) @ slope, held, bend, -bend]) if len(rows) else None
    whole = sparse.csr_array(top if bottom is None else sparse.vstack([top, bottom]))
    whole.sort_indices()
    price = np.tile(rows.slack_price[bounded], 2)
    return replace(
        program,
        row_ptr=whole.indptr.astype(np.int32),
        column_index=whole.indices.astype(np.int32),
        coefficients=whole.data,
        column_lower=np.concatenate([program.column_lower, np.zeros(steps + len(price))]),
        column_upper=np.concatenate([program.column_upper, np.full(steps + len(price), np.inf)]),
        row_lower=np.concatenate([program.row_lower, np.where(is_loss, base, rows.lower - base)]),
        row_upper=np.concatenate([program.row_upper, np.where(is_loss, np.inf, rows.upper - base)]),
        cost=np.concatenate([program.cost, np.zeros(steps), price]),
        integrality=np.concatenate(
            [program.integrality, np.zeros(steps + len(price), dtype=program.integrality.dtype)]
        ),
    )


def _owner(rows: Rows) -> npt.NDArray[np.int64]:
    """Return the row that each term belongs to."""
    return np.repeat(np.arange(len(rows)), np.diff(rows.start))


def _terms(rows: Rows, steps: int, size: int) -> Matrix:
    """Return the rows' slopes over the flattened (step, port) values."""
    owner = _owner(rows)
    where = (rows.step[owner] - rows.lag) * (size // steps) + rows.port
    return sparse.csr_array(sparse.coo_array((rows.slope, (owner, where)), shape=(len(rows), size)))
