"""The stencil: every row, bound and cost of a formulation as plain numbers, relative to an unnamed step.

It is all that tiling needs, holds no Pyomo object, and is what the template cache stores.
"""

from dataclasses import asdict, dataclass
from typing import Any

from optimizers.compile.rules import At, Before


@dataclass(frozen=True, slots=True)
class Affine:
    """A number that depends on parameters: ``const + sum(weight * parameter[now + offset])``."""

    const: float
    terms: tuple[tuple[str, int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One coefficient of a row or cost: the column family, its distance from now, and the value."""

    column: int
    offset: int
    value: Affine


@dataclass(frozen=True, slots=True)
class ColumnStencil:
    """One family of variables; ``history`` columns lie before the first step, fixed by the parameter ``past``."""

    asset: str
    quantity: str
    lower: Affine
    upper: Affine
    integer: bool
    extent: str
    before: Before
    history: int

    @property
    def past(self) -> str:
        """Name of the parameter that fixes the columns before the first step."""
        return f"{self.asset}.{self.quantity}.before"


@dataclass(frozen=True, slots=True)
class RowStencil:
    """One family of constraints ``lower <= entries <= upper``; ``extra`` are entries that exist once per TOTAL row."""

    asset: str
    quantity: str
    at: At
    extent: str
    entries: tuple[Entry, ...]
    extra: tuple[Entry, ...]
    lower: Affine
    upper: Affine


@dataclass(frozen=True, slots=True)
class CostStencil:
    """One part of the objective."""

    part: str
    asset: str
    at: At
    entries: tuple[Entry, ...]
    const: Affine


@dataclass(frozen=True, slots=True)
class Stencil:
    """A whole formulation, relative to an unnamed step. ``parameters`` maps every name to its extent."""

    parameters: tuple[tuple[str, str], ...]
    columns: tuple[ColumnStencil, ...]
    rows: tuple[RowStencil, ...]
    costs: tuple[CostStencil, ...]


def to_plain(stencil: Stencil) -> dict[str, Any]:
    """Return the stencil as lists, numbers and strings, ready for JSON."""
    return asdict(stencil)


def from_plain(plain: dict[str, Any]) -> Stencil:
    """Return the stencil written by :func:`to_plain`."""
    return Stencil(
        parameters=tuple((n, e) for n, e in plain["parameters"]),
        columns=tuple(_column(c) for c in plain["columns"]),
        rows=tuple(_row(r) for r in plain["rows"]),
        costs=tuple(_cost(c) for c in plain["costs"]),
    )


def _affine(plain: dict[str, Any]) -> Affine:
    return Affine(float(plain["const"]), tuple((n, int(k), float(w)) for n, k, w in plain["terms"]))


def _entries(plain: list[dict[str, Any]]) -> tuple[Entry, ...]:
    return tuple(Entry(e["column"], e["offset"], _affine(e["value"])) for e in plain)


def _column(plain: dict[str, Any]) -> ColumnStencil:
    bounds = {k: _affine(plain[k]) for k in ("lower", "upper")}
    return ColumnStencil(**{**plain, **bounds, "before": Before(plain["before"])})


def _row(plain: dict[str, Any]) -> RowStencil:
    sides = {k: _affine(plain[k]) for k in ("lower", "upper")}
    parts = {k: _entries(plain[k]) for k in ("entries", "extra")}
    return RowStencil(**{**plain, **sides, **parts, "at": At(plain["at"])})


def _cost(plain: dict[str, Any]) -> CostStencil:
    return CostStencil(
        **{**plain, "at": At(plain["at"]), "entries": _entries(plain["entries"]), "const": _affine(plain["const"])}
    )
