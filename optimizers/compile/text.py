"""A compiled program as text that people can read and compare, one line per row, bound and cost."""

from collections.abc import Iterator

import numpy as np

from optimizers.compile.program import Arrays, CompiledModel, Place


def to_text(model: CompiledModel, arrays: Arrays) -> str:
    """Return the program in words: objective, rows, bounds and integers, in the program's own order."""
    parts = [
        "minimise",
        f"  {_terms(model, arrays.cost)}{_signed(arrays.offset) if arrays.offset else ''}",
        "subject to",
        *(f"  {line}" for line in _rows(model, arrays)),
        "bounds",
        *(f"  {line}" for line in _bounds(model, arrays)),
    ]
    whole = [_name(model.column_place(int(i))) for i in np.flatnonzero(model.integrality)]
    return "\n".join([*parts, *(["whole", f"  {' '.join(whole)}"] if whole else [])]) + "\n"


def _rows(model: CompiledModel, arrays: Arrays) -> Iterator[str]:
    matrix = model.matrix(arrays)
    for i in range(model.row_count):
        span = slice(matrix.indptr[i], matrix.indptr[i + 1])
        line = np.zeros(model.column_count)
        line[matrix.indices[span]] = matrix.data[span]
        yield f"{_name(model.row_place(i))}: {_between(_terms(model, line), arrays.row_lower[i], arrays.row_upper[i])}"


def _bounds(model: CompiledModel, arrays: Arrays) -> Iterator[str]:
    for i in range(model.column_count):
        yield _between(_name(model.column_place(i)), arrays.column_lower[i], arrays.column_upper[i])


def _between(middle: str, lower: float, upper: float) -> str:
    if lower == upper:
        return f"{middle} = {lower:.6g}"
    left = "" if np.isinf(lower) else f"{lower:.6g} <= "
    right = "" if np.isinf(upper) else f" <= {upper:.6g}"
    return f"{left}{middle}{right}"


def _terms(model: CompiledModel, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    used = np.flatnonzero(weights)
    return " ".join(f"{_signed(weights[i])} {_name(model.column_place(int(i)))}" for i in used).lstrip("+ ") or "0"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.6g}"


def _name(place: Place) -> str:
    return f"{place.asset}.{place.quantity}" + ("" if place.step is None else f"[{place.step}]")
