"""Equality-constrained Gauss-Newton: the one solver behind every estimate.

Source: equality-constrained WLS in its KKT form (Abur, Gómez Expósito: Power System State Estimation, chapter 3), with the laws of
the networks as constraints and a scale-free stopping rule.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from twin.estimate.problem import Array, Fit, Mask, RowModel, Rows

SHARE_MIN = 0.1
"""The least share of a step that is taken, after several that turned back on the one before."""
STEP_TOLERANCE = 1e-4
"""Stop when the step's squared length, measured in sigmas, is below this."""
LAW_TOLERANCE = 1e-5
RANK_TOLERANCE = 1e-9
CLEAR_RANK = 1e-6
ITERATIONS_MAX = 30
HUBER_K = 1.5


def solve_wls(model: RowModel, z: Array, used: Mask, x0: Array | None = None, *, huber: bool = False) -> Fit:
    """Return the state that explains the used rows best while the laws hold.

    Parameters
    ----------
    model
        Rows and laws.
    z
        Measured values, shape (row,), in the sensors' units; entries of unused rows may be NaN.
    used
        Rows that shape the state, shape (row,).
    x0
        State to start from; the model's own start when None.
    huber
        Weigh rows whose residual exceeds 1.5 sigma down (iteratively reweighted), so that gross errors pull less.

    Returns
    -------
    Fit
        With ``converged`` False, and the last state, when 30 iterations were not enough.
    """
    sigma = np.array([s.sigma for s in model.sensors])
    x = model.start() if x0 is None else x0.copy()
    weight = np.ones(len(sigma))
    rows, laws = model.measured(x), model.laws(x)
    iteration, share, before = 0, 1.0, np.zeros(int(used.sum()))
    length, law_residual = np.inf, float(np.max(np.abs(laws.value), initial=0.0))
    while iteration < ITERATIONS_MAX:
        iteration += 1
        residual = (z - rows.value) / sigma
        if huber:
            weight = huber_weight(residual)
        a = (rows.slope / sigma[:, None] * weight[:, None])[used]
        dx = kkt_step(a, (residual * weight)[used], laws)
        moved = a @ dx
        length = float(moved @ moved)
        # water that hardly flows makes full steps swing to and fro around the state that they look for
        share = max(share / 2, SHARE_MIN) if moved @ before < 0 else min(2 * share, 1.0)
        there = x + (dx if length < STEP_TOLERANCE else share * dx)
        with np.errstate(over="ignore", invalid="ignore"):
            rows_there, laws_there = model.measured(there), model.laws(there)
        if not all(np.isfinite(part).all() for r in (rows_there, laws_there) for part in (r.value, r.slope)):
            break  # ran away; the last state that means something stays
        x, before, rows, laws = there, moved, rows_there, laws_there
        law_residual = float(np.max(np.abs(laws.value), initial=0.0))
        if length < STEP_TOLERANCE and law_residual < LAW_TOLERANCE:
            break
    converged = bool(length < STEP_TOLERANCE and law_residual < LAW_TOLERANCE and np.isfinite(x).all())
    return Fit(x, rows, laws, (z - rows.value) / sigma, used, iteration, converged, law_residual)


def huber_weight(residual: Array) -> Array:
    """Return the square root of Huber's weight for residuals in sigmas; NaN residuals weigh nothing."""
    size = np.abs(np.nan_to_num(residual, nan=np.inf))
    with np.errstate(divide="ignore"):
        return np.sqrt(np.where(size <= HUBER_K, 1.0, np.where(np.isinf(size), 0.0, HUBER_K / size)))


def kkt_step(a: Array, b: Array, laws: Rows) -> Array:
    """Return the step that minimises ``|a dx - b|`` while the linearised laws hold; least-norm where the state is unobservable."""
    scale = np.linalg.norm(a, axis=0) + 1e-12 * max(float(np.max(np.abs(a), initial=1.0)), 1.0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    scaled, laws_scaled = a / scale, laws.slope / scale
    n, m = scaled.shape[1], len(laws.value)
    kkt = np.zeros((n + m, n + m))
    kkt[:n, :n] = scaled.T @ scaled
    kkt[:n, n:] = laws_scaled.T
    kkt[n:, :n] = laws_scaled
    rhs = np.concatenate([scaled.T @ b, -laws.value])
    try:
        step = np.linalg.solve(kkt, rhs)
    except np.linalg.LinAlgError:
        step = np.linalg.lstsq(kkt, rhs, rcond=1e-12)[0]
    return np.asarray(step[:n] / scale)


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How the used rows check one another.

    ``omega`` is the covariance of the weighted residuals, shape (used row, used row); ``unobservable`` has one column per direction of
    the state that no row sees, shape (state, direction).
    """

    omega: Array
    unobservable: Array
    rank: int


def redundancy(fit: Fit, sigma: Array) -> Redundancy:
    """Return residual covariance and unobservable directions at a fit, by two orthogonal factorisations."""
    a = (fit.modelled.slope / sigma[:, None])[fit.used]
    scale = np.maximum(np.linalg.norm(a, axis=0), np.linalg.norm(fit.laws.slope, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    free = null_space(fit.laws.slope / scale)
    reduced = (a / scale) @ free
    seen, blind = _seen(reduced)
    return Redundancy(np.eye(len(a)) - seen @ seen.T, (free @ blind) / scale[:, None], seen.shape[1])


def _seen(matrix: Array) -> tuple[Array, Array]:
    """Return orthonormal bases of what a matrix reaches and of what it does not see; shapes (row, rank) and (column, direction)."""
    rows, columns = matrix.shape
    if rows >= columns > 0:
        q, r = np.linalg.qr(matrix)
        size = np.abs(np.diag(r))
        if (
            size.min() > CLEAR_RANK * size.max()
        ):  # every state is seen, as usual; singular values would take five times as long
            return q, np.zeros((columns, 0))
    left, singular, right = np.linalg.svd(matrix, full_matrices=True)
    rank = int(np.sum(singular > RANK_TOLERANCE * max(float(singular[0]) if len(singular) else 1.0, 1.0)))
    return left[:, :rank], right[rank:].T


def null_space(matrix: Array) -> Array:
    """Return an orthonormal basis of the directions that keep ``matrix @ x`` at zero; shape (state, direction)."""
    rows, columns = matrix.shape
    if rows == 0:
        return np.eye(columns)
    q, r, _ = qr(matrix.T, pivoting=True, check_finite=False)
    size = np.abs(np.diag(r))
    rank = int(np.sum(size > RANK_TOLERANCE * size[0])) if size[0] > 0 else 0
    return np.asarray(q[:, rank:])
