"""One linear program solved again and again with other costs, and other bounds on a few columns, each time from the last basis."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models.errors import CertificateError, InfeasiblePlanError, SolverTimeoutError, UnboundedPlanError
from optimizers.certificate import TOLERANCE
from optimizers.session import HighsSession, Program, Solution, Status

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Variations of a program without integers: member k has ``costs[k]`` on ``columns`` and at most ``upper[k]`` on ``bounded``.

    ``key`` names the live model, as with a single solve; members are solved in their order, so neighbours should be alike. ``fresh``: each
    member begins from nothing.
    """

    key: str
    program: Program
    columns: Ints
    costs: Floats
    bounded: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    upper: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    fresh: bool = False

    def __len__(self) -> int:
        return len(self.costs)

    def part(self, members: slice | Ints) -> "Sweep":
        """Return the sweep of some of the members."""
        return replace(self, costs=self.costs[members], upper=self.upper[members] if len(self.bounded) else self.upper)

    def member(self, k: int) -> Program:
        """Return the program of one member."""
        cost = self.program.cost.copy()
        cost[self.columns] = self.costs[k]
        if not len(self.bounded):
            return replace(self.program, cost=cost)
        upper = self.program.column_upper.copy()
        upper[self.bounded] = np.minimum(upper[self.bounded], self.upper[k])
        return replace(self.program, cost=cost, column_upper=upper)


@dataclass(frozen=True, slots=True)
class Swept:
    """The optima of a sweep: points (member, column), duals (member, row), objectives (member,)."""

    x: Floats
    row_dual: Floats
    objective: Floats

    def with_members(self, members: Ints, better: "Swept") -> "Swept":
        """Return optima with those of some members replaced."""
        x, dual, objective = self.x.copy(), self.row_dual.copy(), self.objective.copy()
        x[members], dual[members], objective[members] = better.x, better.row_dual, better.objective
        return Swept(x, dual, objective)


def joined(parts: Sequence[Swept]) -> Swept:
    """Return the optima of several sweeps, one behind the other."""
    return Swept(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "row_dual", "objective")))


def run_sweep(session: HighsSession, sweep: Sweep, deadline_s: float) -> list[Solution]:
    """Solve every member on a live model until one has no optimum or time is up; that one is the last of the answers."""
    end_s, found = time.monotonic() + deadline_s, list[Solution]()
    for k in range(len(sweep)):
        session.update(sweep.member(k))
        if sweep.fresh:
            session.forget()
        found.append(session.run(time_limit_s=max(end_s - time.monotonic(), 0.01)))
        if found[-1].status is not Status.OPTIMAL:
            break
    return found


def swept(sweep: Sweep, ask: Callable[[Sweep], list[Solution]]) -> Swept:
    """Return the optima of all members, rechecked: rows, bounds, objective, and the bound that their duals prove.

    ``ask`` solves. A member that fails its recheck is solved once more from nothing: a basis kept through many members gathers rounding.

    Raises
    ------
    InfeasiblePlanError, UnboundedPlanError, SolverTimeoutError
        If a member has no optimum; names which.
    CertificateError
        If an answer fails its recheck the second time too.
    """
    found = _optima(sweep, ask(sweep))
    if not (wrong := _faults(sweep, found)):
        return found
    members = np.array(sorted(wrong))
    again = replace(sweep.part(members), fresh=True)
    better = _optima(again, ask(again))
    if still := _faults(again, better):
        k, words = next(iter(still.items()))
        raise CertificateError(f"variation {members[k] + 1} of {len(sweep)} fails its recheck twice ({words})")
    return found.with_members(members, better)


def _optima(sweep: Sweep, answers: list[Solution]) -> Swept:
    last = answers[-1]
    if last.status is not Status.OPTIMAL:
        raise _failure(last, len(answers), len(sweep))
    points, duals = (np.array([getattr(a, name) for a in answers]) for name in ("x", "row_dual"))
    return Swept(points, duals, np.array([a.objective for a in answers]))


def _failure(last: Solution, number: int, count: int) -> Exception:
    which = f"variation {number} of {count}"
    if last.status is Status.INFEASIBLE:
        return InfeasiblePlanError(f"{which}: no plan keeps every limit of the problem")
    if last.status is Status.UNBOUNDED:
        return UnboundedPlanError(f"{which}: the cost can fall without end; a price or a limit is missing")
    return SolverTimeoutError(f"{which} was not solved in time ({last.message}); allow more time or take fewer")


def _faults(sweep: Sweep, found: Swept) -> dict[int, str]:
    """Recheck all members at once: rows, bounds, objective, and what the duals prove by weak duality; words for each that fails."""
    program, x = sweep.program, found.x.T
    matrix = program.matrix
    cost, upper = _members(sweep)
    lower = program.column_lower[:, None]
    objective = np.einsum("ck,ck->k", cost, x) + program.offset
    scale = 1.0 + np.abs(objective)
    errors = {
        "rows": _most_beyond(
            matrix @ x, program.row_lower[:, None], program.row_upper[:, None], abs(matrix) @ np.abs(x)
        ),
        "bounds": _most_beyond(x, lower, upper, np.abs(x)),
        "objective": np.abs(objective - found.objective) / scale,
        "gap": np.abs(objective - _proven(sweep, found, cost, (lower, upper))) / scale,
    }
    return {
        k: ", ".join(f"{name} {e[k]:.2g}" for name, e in errors.items())
        for k in range(len(sweep))
        if max(e[k] for e in errors.values()) > TOLERANCE
    }


def _members(sweep: Sweep) -> tuple[Floats, Floats]:
    """Return costs and upper bounds of all members, shape (column, member)."""
    cost = np.repeat(sweep.program.cost[:, None], len(sweep), axis=1)
    cost[sweep.columns] = sweep.costs.T
    upper = sweep.program.column_upper[:, None]
    if len(sweep.bounded):
        upper = np.repeat(upper, len(sweep), axis=1)
        upper[sweep.bounded] = np.minimum(upper[sweep.bounded], sweep.upper.T)
    return cost, upper


def _most_beyond(values: Floats, lower: Floats, upper: Floats, size: Floats) -> Floats:
    """Return, by member, by how much values lie outside their range at most, relative to one plus their size."""
    beyond: Floats = (np.maximum(lower - values, values - upper) / (1.0 + size)).max(axis=0, initial=0.0)
    return beyond


def _proven(sweep: Sweep, found: Swept, cost: Floats, bounds: tuple[Floats, Floats]) -> Floats:
    """Return the lower bound that each member's duals prove; see :func:`optimizers.certificate.dual_bound`."""
    program, price = sweep.program, found.row_dual.T
    low, high = program.row_lower[:, None], program.row_upper[:, None]
    price = np.where(np.where(price > 0, np.isinf(low), np.isinf(high)), 0.0, price)
    reduced = cost - program.matrix.T @ price
    side = np.where(reduced > 0, *bounds)
    rounding = np.isinf(side) & (np.abs(reduced) <= TOLERANCE * (1.0 + np.abs(cost)))
    side = np.where(rounding, found.x.T, side)
    rows = np.multiply(price, np.where(price > 0, low, high), out=np.zeros_like(price), where=price != 0)
    columns = np.multiply(reduced, side, out=np.zeros_like(reduced), where=reduced != 0)
    proven: Floats = program.offset + rows.sum(axis=0) + columns.sum(axis=0)
    return proven
