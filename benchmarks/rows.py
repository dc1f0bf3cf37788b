"""What a benchmark says: one row per measured figure, with the target it is held to."""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SENSES = {"≤": operator.le, "≥": operator.ge}


@dataclass(frozen=True, slots=True)
class Target:
    """A limit on a row's value, or on its ratio to the reference."""

    sense: str
    limit: float
    of_ratio: bool

    def met(self, value: float, ratio: float | None) -> bool:
        """Return whether the figure keeps the limit; a ratio without a reference does not."""
        figure = ratio if self.of_ratio else value
        return figure is not None and bool(SENSES[self.sense](figure, self.limit))

    def words(self, unit: str) -> str:
        """Return the limit as people write it."""
        return f"{self.sense} {self.limit:g} × reference" if self.of_ratio else f"{self.sense} {self.limit:g} {unit}"


def value_at_most(limit: float) -> Target:
    """Return the target ``value ≤ limit``, in the row's unit."""
    return Target("≤", limit, of_ratio=False)


def value_at_least(limit: float) -> Target:
    """Return the target ``value ≥ limit``, in the row's unit."""
    return Target("≥", limit, of_ratio=False)


def ratio_at_most(limit: float) -> Target:
    """Return the target ``value / reference ≤ limit``: at most so many times the reference."""
    return Target("≤", limit, of_ratio=True)


def ratio_at_least(limit: float) -> Target:
    """Return the target ``value / reference ≥ limit``: at least so many times the reference."""
    return Target("≥", limit, of_ratio=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure.

    ``reference`` is the same figure of the reference in the same run and unit, ``ratio`` is value / reference; both None without a
    reference. ``met`` is None for a figure that is held to nothing. ``command`` repeats the measurement.
    """

    case: str
    phase: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values for a JSON file."""
        return asdict(self)


def row(
    case: str, phase: str, value: float, unit: str, *, reference: float | None = None, target: Target | None = None
) -> Row:
    """Return a judged row: the ratio to the reference, and whether the target is kept."""
    ratio = value / reference if reference else None
    words = target.words(unit) if target else ""
    met = target.met(value, ratio) if target else None
    return Row(case, phase, value, unit, reference, ratio, words, met)


def missed(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose target is not kept."""
    return [r for r in rows if r.met is False]
