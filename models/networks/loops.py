"""Array moves as plain loops: written as slices they cost the compiler seconds each."""

import numpy as np
import numpy.typing as npt

from models.networks.jit import compiled

Floats = npt.NDArray[np.float64]


@compiled
def put(source: Floats, target: Floats) -> None:
    """Copy a row of numbers."""
    for i in range(len(source)):
        target[i] = source[i]


@compiled
def put_table(source: Floats, target: Floats, used: npt.NDArray[np.int32]) -> None:
    """Copy the first ``used`` numbers of every row."""
    for k in range(len(used)):
        for i in range(used[k]):
            target[k, i] = source[k, i]


@compiled
def fill(target: Floats, value: float) -> None:
    """Set every number of a row."""
    for i in range(len(target)):
        target[i] = value


@compiled
def apart(one: Floats, other: Floats) -> float:
    """Return the largest difference of two rows; NaN where either holds one."""
    worst = 0.0
    for i in range(len(one)):
        size = abs(one[i] - other[i])
        if not size <= worst:
            worst = size
    return worst


@compiled
def behind(flow: Floats) -> float:
    """Return the sum of a row without its first number."""
    total = 0.0
    for i in range(1, len(flow)):
        total += flow[i]
    return total


@compiled
def solve_positive(matrix: Floats, x: Floats) -> None:
    """Solve a symmetric positive definite system in place by elimination; the matrix is used up."""
    n = len(x)
    for k in range(n):
        for i in range(k + 1, n):
            factor = matrix[i, k] / matrix[k, k]
            if factor != 0.0:
                for j in range(k, n):
                    matrix[i, j] -= factor * matrix[k, j]
                x[i] -= factor * x[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            x[k] -= matrix[k, j] * x[j]
        x[k] /= matrix[k, k]
