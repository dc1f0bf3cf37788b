"""Weights of criteria: from pairwise judgements (AHP), and from how the data themselves differ (entropy, CRITIC)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
RANDOM_INDEX = (0.0, 0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59)
"""Mean consistency index of random reciprocal matrices by their size, from 0 to 15."""
INCONSISTENT_RATIO = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Weights from pairwise judgements and how far these contradict one another; a ratio above 0.1 wants new judgements."""

    weights: Array
    consistency_ratio: float

    @property
    def consistent(self) -> bool:
        """Whether the judgements agree well enough to be used."""
        return self.consistency_ratio <= INCONSISTENT_RATIO


def ahp(matrix: Array) -> Judged:
    """Return weights from a reciprocal matrix of judgements: entry (i, j) says how many times i weighs more than j.

    Raises
    ------
    ValueError
        If the matrix is not square, positive and reciprocal, or larger than 15.

    Source: principal eigenvector and consistency ratio, Saaty (1980, 2008).
    """
    size = len(matrix)
    reciprocal = matrix.shape == (size, size) and (matrix > 0).all() and np.allclose(matrix * matrix.T, 1.0, rtol=1e-6)
    if not reciprocal or not 1 <= size < len(RANDOM_INDEX):
        raise ValueError("judgements form a square matrix of up to 15 criteria, positive, with 1/a across from every a")
    values, vectors = np.linalg.eig(matrix)
    first = int(np.argmax(values.real))
    weights = np.abs(vectors[:, first].real)
    index = (float(values[first].real) - size) / (size - 1) if size > 2 else 0.0
    ratio = max(index, 0.0) / RANDOM_INDEX[size] if size > 2 else 0.0
    return Judged(weights / weights.sum(), ratio)


def entropy(matrix: Array) -> Array:
    """Return weights by how unevenly each criterion is spread; ``matrix`` (alternative, criterion) is not negative.

    They reward skew and not worth, so they are never used alone here. A criterion that is the same everywhere weighs nothing.

    Source: Shannon entropy as in Hwang & Yoon (1981).
    """
    share = matrix / np.maximum(matrix.sum(axis=0), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        disorder = -np.where(share > 0, share * np.log(share), 0.0).sum(axis=0) / np.log(max(len(matrix), 2))
    return _normed(1.0 - disorder)


def critic(matrix: Array, benefit: npt.NDArray[np.bool_]) -> Array:
    """Return weights by contrast and by conflict with other criteria; ``benefit`` says where more is better.

    Source: Diakoulaki, Mavrotas & Papayannakis (1995).
    """
    x = between_worst_and_best(matrix, benefit)
    spread = x.std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.nan_to_num(np.corrcoef(x, rowvar=False), nan=1.0)
    return _normed(spread * (1.0 - np.atleast_2d(alike)).sum(axis=0))


def between_worst_and_best(matrix: Array, benefit: npt.NDArray[np.bool_]) -> Array:
    """Return every criterion from 0, its worst, to 1, its best; 1 where it is the same everywhere."""
    low, high = matrix.min(axis=0), matrix.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    up = np.where(high > low, (matrix - low) / span, 1.0)
    return np.asarray(np.where(benefit | (high <= low), up, 1.0 - up))


def _normed(weights: Array) -> Array:
    """Return weights that sum to 1; equal ones where all are 0."""
    weights = np.maximum(weights, 0.0)
    total = weights.sum()
    return np.asarray(weights / total if total > 1e-12 else np.full(len(weights), 1.0 / len(weights)))
