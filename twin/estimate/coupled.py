"""All carriers in one estimate: states side by side, and links that make the same power one number on both sides of a converter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from twin.estimate.problem import Array, RowModel, Rows, Sensor

LINK_SCALE_KW = 100.0
"""A link missed by this much counts as 1 in the laws' tolerance, so 1e-5 is a watt."""


class LinkedRows(RowModel, Protocol):
    """A carrier's rows that can name a quantity for a link."""

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return quantities at a state by name."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """One side of a link: a quantity of one part, times a factor."""

    part: str
    name: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """A law between parts: the terms sum to zero, in kW."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Ties:
    """All links of a model, and what they take from each part; one object serves as long as the same parts are tied."""

    links: tuple[Link, ...]

    def of(self, part: str) -> tuple[tuple[str, ...], Array]:
        """Return the quantities that the links take from a part, and the factors (link, quantity) with which they enter."""
        return self._by_part.get(part, ((), np.zeros((len(self.links), 0))))

    @cached_property
    def _by_part(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        found: dict[str, tuple[tuple[str, ...], Array]] = {}
        for part in {t.part for link in self.links for t in link.terms}:
            names = sorted({t.name for link in self.links for t in link.terms if t.part == part})
            factors = np.zeros((len(self.links), len(names)))
            for row, link in enumerate(self.links):
                for term in link.terms:
                    if term.part == part:
                        factors[row, names.index(term.name)] += term.factor / LINK_SCALE_KW
            found[part] = (tuple(names), factors)
        return found


@dataclass(frozen=True)
class CoupledRows:
    """Several parts as one model; a state or sensor keeps its name, prefixed by nothing, so ids must differ between parts."""

    parts: Mapping[str, LinkedRows]
    ties: Ties
    _last: tuple[Array, dict[str, Rows]] | None = field(default=None, init=False, repr=False, compare=False)

    @cached_property
    def sensors(self) -> tuple[Sensor, ...]:
        """All parts' sensors, in order of the parts."""
        return tuple(s for part in self.parts.values() for s in part.sensors)

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """All parts' states, in order of the parts."""
        return tuple(n for part in self.parts.values() for n in part.state_names)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each part's states lie."""
        ends = np.cumsum([0, *(len(p.state_names) for p in self.parts.values())])
        return {name: slice(int(a), int(b)) for name, a, b in zip(self.parts, ends, ends[1:], strict=False)}

    def start(self) -> Array:
        """Return every part's own start."""
        return np.concatenate([part.start() for part in self.parts.values()])

    def measured(self, x: Array) -> Rows:
        """Return all parts' rows."""
        rows = self._rows(x)
        return self._stack([Rows(rows[n].value[:k], rows[n].slope[:k]) for n, k in self._sensor_counts.items()])

    def laws(self, x: Array) -> Rows:
        """Return all parts' laws, then the links."""
        rows = self._rows(x)
        own = self._stack([part.laws(x[self.slices[name]]) for name, part in self.parts.items()])
        count = len(self.ties.links)
        value, slope = np.zeros(count), np.zeros((count, len(x)))
        for name in self.parts:
            (_, factors), first = self.ties.of(name), self._sensor_counts[name]
            value += factors @ rows[name].value[first:]
            slope[:, self.slices[name]] += factors @ rows[name].slope[first:]
        return Rows(np.concatenate([own.value, value]), np.vstack([own.slope, slope]))

    @cached_property
    def _sensor_counts(self) -> dict[str, int]:
        return {name: len(part.sensors) for name, part in self.parts.items()}

    def _rows(self, x: Array) -> dict[str, Rows]:
        """Return sensors' and links' quantities of every part; the last state's are kept, since rows and laws are asked in turn."""
        if self._last is None or not np.array_equal(self._last[0], x):
            rows = {n: p.quantities(self._names[n], x[self.slices[n]]) for n, p in self.parts.items()}
            object.__setattr__(self, "_last", (x.copy(), rows))
        return self._last[1] if self._last is not None else {}

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        return {n: [*(s.name for s in p.sensors), *self.ties.of(n)[0]] for n, p in self.parts.items()}

    def _stack(self, rows: Sequence[Rows]) -> Rows:
        slope = np.zeros((sum(len(r.value) for r in rows), len(self.state_names)))
        first = 0
        for name, part in zip(self.parts, rows, strict=True):
            slope[first : first + len(part.value), self.slices[name]] = part.slope
            first += len(part.value)
        return Rows(np.concatenate([r.value for r in rows]), slope)
