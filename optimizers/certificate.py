"""An independent recheck of what a solver says: rows, bounds, integrality, objective and gap, from the numbers alone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import CertificateError
from optimizers.session import Program, Solution

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-6
"""Allowed error of a row or bound, relative to one plus the size of its terms."""
INTEGER_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the recheck measured; every error is relative to one plus the size of what it was measured on.

    ``dual_bound`` is the lower bound that the row duals prove by weak duality, -inf without duals.
    """

    row_error: float
    worst_row: int
    bound_error: float
    worst_column: int
    integrality_error: float
    objective_error: float
    objective: float
    dual_bound: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, in words; empty for a sound solution."""
        found = (
            (self.row_error > TOLERANCE, f"row {self.worst_row} is violated by {self.row_error:.2g} of its size"),
            (
                self.bound_error > TOLERANCE,
                f"column {self.worst_column} is outside its bounds by {self.bound_error:.2g}",
            ),
            (self.integrality_error > INTEGER_TOLERANCE, f"an integer is {self.integrality_error:.2g} off"),
            (self.objective_error > TOLERANCE, f"the reported objective is {self.objective_error:.2g} off"),
        )
        return tuple(words for wrong, words in found if wrong)

    @property
    def sound(self) -> bool:
        """Whether the solution is what the solver said it is."""
        return not self.faults


def certify(program: Program, solution: Solution) -> Certificate:
    """Recheck ``solution`` against ``program``.

    Raises
    ------
    CertificateError
        If there is no point to check, or it holds a value that is not a number.
    """
    x = solution.x
    if x is None or not np.isfinite(x).all():
        raise CertificateError("the solver's answer holds no usable point")
    matrix = program.matrix
    rows = _excess(matrix @ x, program.row_lower, program.row_upper) / (1.0 + abs(matrix) @ np.abs(x))
    bounds = _excess(x, program.column_lower, program.column_upper) / (1.0 + np.abs(x))
    integers = x[program.integrality > 0]
    objective = float(program.cost @ x + program.offset)
    return Certificate(
        row_error=float(rows.max(initial=0.0)),
        worst_row=int(rows.argmax()) if len(rows) else -1,
        bound_error=float(bounds.max(initial=0.0)),
        worst_column=int(bounds.argmax()) if len(bounds) else -1,
        integrality_error=float(np.abs(integers - np.round(integers)).max(initial=0.0)),
        objective_error=abs(objective - solution.objective) / (1.0 + abs(objective)),
        objective=objective,
        dual_bound=dual_bound(program, solution.row_dual, x) if solution.row_dual is not None else float("-inf"),
    )


def require(certificate: Certificate, place: str) -> None:
    """Raise a CertificateError that names ``place`` unless the certificate is sound."""
    if not certificate.sound:
        raise CertificateError(f"{place}: {'; '.join(certificate.faults)}. Solve again without the kept basis.")


def optimality_error(program: Program, solution: Solution) -> float:
    """Return how far a linear program's solution is from the bound that its own duals prove, relative to one plus its size."""
    if solution.x is None or solution.row_dual is None:
        return float("inf")
    objective = float(program.cost @ solution.x + program.offset)
    return abs(objective - dual_bound(program, solution.row_dual, solution.x)) / (1.0 + abs(objective))


def dual_bound(program: Program, row_dual: Floats, x: Floats) -> float:
    """Return the lower bound that ``row_dual`` proves for the program with integrality relaxed.

    A dual that prices an absent side is dropped; a reduced cost on an open column counts at ``x`` when it is rounding
    and makes the bound -inf when it is not.

    Source: weak duality of linear programs.
    """
    open_side = np.where(row_dual > 0, np.isinf(program.row_lower), np.isinf(program.row_upper))
    dual = np.where(open_side, 0.0, row_dual)
    reduced = program.cost - program.matrix.T @ dual
    return program.offset + _priced(dual, program.row_lower, program.row_upper) + _priced_columns(program, reduced, x)


def _excess(values: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return by how much values lie outside their range."""
    return np.maximum(np.maximum(lower - values, values - upper), 0.0)


def _priced(price: Floats, lower: Floats, upper: Floats) -> float:
    """Return the least of price times value over each range."""
    side = np.where(price > 0, lower, upper)
    return float(np.sum(price[price != 0] * side[price != 0]))


def _priced_columns(program: Program, reduced: Floats, x: Floats) -> float:
    side = np.where(reduced > 0, program.column_lower, program.column_upper)
    rounding = np.isinf(side) & (np.abs(reduced) <= TOLERANCE * (1.0 + np.abs(program.cost)))
    side = np.where(rounding, x, side)
    return float(np.sum(reduced[reduced != 0] * side[reduced != 0]))
