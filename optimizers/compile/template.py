"""Read a formulation into a stencil: every rule is asked once, and Pyomo takes its answer apart.

Parameters stand in as variables while a rule is read, so one quadratic representation shows which products are
"parameter times column" (a coefficient), which are "parameter" alone (a bound), and which cannot be tiled.
"""

from collections import defaultdict
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr import EqualityExpression, InequalityExpression, RangedExpression
from pyomo.repn import generate_standard_repn

from optimizers.compile.rules import (
    STEP,
    At,
    Before,
    Bound,
    Column,
    Cost,
    Formulation,
    NotTileableError,
    Row,
    Series,
    Step,
)
from optimizers.compile.stencil import Affine, ColumnStencil, CostStencil, Entry, RowStencil, Stencil

INF = float("inf")
_Terms = dict[tuple[str, int], float]


def read(formulation: Formulation) -> Stencil:
    """Return the stencil of ``formulation``.

    Raises
    ------
    NotTileableError
        If a row, bound or cost is not linear in columns with coefficients affine in parameters.
    """
    reader = _SymbolReader(list(formulation.columns))
    columns = tuple(_read_column(reader, c) for c in formulation.columns.values())
    rows = tuple(_read_row(reader, r) for r in formulation.rows.values())
    costs = tuple(_read_cost(reader, c) for c in formulation.costs)
    return Stencil(tuple((p.name, p.extent) for p in formulation.parameters.values()), columns, rows, costs)


class _SymbolReader:
    """Answers every reference with one Pyomo variable per (family, offset)."""

    def __init__(self, column_names: list[str]) -> None:
        self.model = pyo.ConcreteModel()
        self.model.symbol = pyo.VarList()
        self.position = {name: i for i, name in enumerate(column_names)}
        self.known: dict[tuple[str, str, int], Any] = {}
        self.columns: dict[int, tuple[int, int]] = {}
        self.parameters: dict[int, tuple[str, int]] = {}

    def column(self, column: Column, offset: int) -> Any:
        _check_reach(column, offset)
        symbol = self._symbol("column", column.name, offset if column.extent == STEP else 0)
        self.columns[id(symbol)] = (self.position[column.name], offset)
        return symbol

    def parameter(self, series: Series, offset: int) -> Any:
        if series.extent != STEP and offset:
            raise NotTileableError(f"{series.name} exists per {series.extent}; it has no value {offset:+d} steps away")
        symbol = self._symbol("parameter", series.name, offset)
        self.parameters[id(symbol)] = (series.name, offset)
        return symbol

    def _symbol(self, kind: str, name: str, offset: int) -> Any:
        key = (kind, name, offset)
        if key not in self.known:
            self.known[key] = self.model.symbol.add()
        return self.known[key]

    def ask(self, rule: Any, place: str) -> Any:
        """Return the rule's expression, with the place added to whatever goes wrong."""
        try:
            return rule(Step(self))
        except NotTileableError as problem:
            raise NotTileableError(f"{place}: {problem}") from problem

    def split(self, expression: Any, place: str) -> tuple[tuple[Entry, ...], Affine]:
        """Return an expression as (entries on columns, affine rest)."""
        found = generate_standard_repn(expression, quadratic=True)
        if found.nonlinear_expr is not None:
            raise NotTileableError(f"{place}: not linear; form products and quotients of parameters before the rule")
        const, by_column = {}, defaultdict[tuple[int, int], dict[Any, float]](dict)
        for symbol, weight in zip(found.linear_vars, found.linear_coefs, strict=True):
            if id(symbol) in self.columns:
                by_column[self.columns[id(symbol)]][None] = float(weight)
            else:
                const[self.parameters[id(symbol)]] = float(weight)
        for pair, weight in zip(found.quadratic_vars, found.quadratic_coefs, strict=True):
            column, parameter = self._coefficient(pair, place)
            by_column[column][parameter] = float(weight)
        entries = tuple(Entry(c, k, _affine(terms)) for (c, k), terms in by_column.items())
        return entries, _affine({None: float(found.constant), **const})

    def _coefficient(self, pair: Any, place: str) -> tuple[tuple[int, int], tuple[str, int]]:
        """Return (column, parameter) of a product, whichever order Pyomo keeps them in."""
        for one, other in (pair, pair[::-1]):
            if id(one) in self.columns and id(other) in self.parameters:
                return self.columns[id(one)], self.parameters[id(other)]
        kind = "columns" if id(pair[0]) in self.columns else "parameters"
        raise NotTileableError(f"{place}: a product of two {kind}; products of parameters are formed before the rule")


def _check_reach(column: Column, offset: int) -> None:
    if column.extent != STEP and offset:
        raise NotTileableError(f"{column.name} exists per {column.extent}; it has no value {offset:+d} steps away")
    if column.before is Before.GIVEN and -offset > column.history:
        raise NotTileableError(
            f"{column.name}[t{offset:+d}] reaches beyond its declared past of {column.history} steps"
        )


def _affine(terms: dict[Any, float]) -> Affine:
    const = terms.get(None, 0.0)
    return Affine(
        const, tuple((n, k, w) for (n, k), w in ((key, w) for key, w in terms.items() if key is not None) if w)
    )


def _read_bound(reader: _SymbolReader, bound: Bound, place: str) -> Affine:
    if isinstance(bound, int | float):
        return Affine(float(bound))
    rule = bound.__getitem__ if isinstance(bound, Series) else bound
    entries, value = reader.split(reader.ask(rule, place), place)
    if entries:
        raise NotTileableError(f"{place}: a bound may depend on parameters only")
    return value


def _read_column(reader: _SymbolReader, column: Column) -> ColumnStencil:
    return ColumnStencil(
        asset=column.asset,
        quantity=column.quantity,
        lower=_read_bound(reader, column.lower, f"{column.name} lower"),
        upper=_read_bound(reader, column.upper, f"{column.name} upper"),
        integer=column.integer,
        extent=column.extent,
        before=column.before,
        history=column.history,
    )


def _read_row(reader: _SymbolReader, row: Row) -> RowStencil:
    if row.at is At.TOTAL:
        return _read_total(reader, row)
    lower, body, upper = _sides(reader.ask(row.rule, row.name), row.name)
    entries, rest = reader.split(body, row.name)
    if not entries:
        raise NotTileableError(f"{row.name}: the rule relates no column")
    sides = [_shift(reader, side, rest, row.name) for side in (lower, upper)]
    return RowStencil(row.asset, row.quantity, row.at, row.extent, entries, (), *sides)


def _read_total(reader: _SymbolReader, row: Row) -> RowStencil:
    entries, rest = reader.split(reader.ask(row.rule, row.name), row.name)
    extra, extra_rest = reader.split(reader.ask(row.plus, row.name), row.name) if row.plus else ((), Affine(0.0))
    if rest != Affine(0.0) or extra_rest != Affine(0.0):
        raise NotTileableError(f"{row.name}: constants of a sum belong into its bounds")
    lower = _read_bound(reader, row.lower, row.name)
    upper = _read_bound(reader, row.upper, row.name)
    return RowStencil(row.asset, row.quantity, row.at, row.extent, entries, extra, lower, upper)


def _sides(relation: Any, place: str) -> tuple[Any, Any, Any]:
    """Return (lower, body, upper) of a Pyomo relation; a missing side is None."""
    if isinstance(relation, EqualityExpression):
        return 0.0, relation.args[0] - relation.args[1], 0.0
    if isinstance(relation, InequalityExpression):
        return None, relation.args[0] - relation.args[1], 0.0
    if isinstance(relation, RangedExpression):
        relation = tuple(relation.args)
    if isinstance(relation, tuple) and len(relation) == 3:
        return relation
    raise NotTileableError(f"{place}: the rule must answer with <=, >= or ==, not with {relation!r}")


def _shift(reader: _SymbolReader, side: Any, rest: Affine, place: str) -> Affine:
    """Return ``side`` less the constant part of the body; an open side stays open."""
    if side is None:
        return Affine(-INF)
    entries, value = reader.split(side, place)
    if entries:
        raise NotTileableError(f"{place}: the outer sides of a range may depend on parameters only")
    terms: _Terms = defaultdict(float)
    for name, offset, weight in value.terms:
        terms[name, offset] += weight
    for name, offset, weight in rest.terms:
        terms[name, offset] -= weight
    return Affine(value.const - rest.const, tuple((n, k, w) for (n, k), w in terms.items() if w))


def _read_cost(reader: _SymbolReader, cost: Cost) -> CostStencil:
    place = f"cost {cost.part} of {cost.asset}"
    if cost.at is At.TOTAL:
        raise NotTileableError(f"{place}: a cost exists at each, the first or the last step")
    entries, const = reader.split(reader.ask(cost.rule, place), place)
    return CostStencil(cost.part, cost.asset, cost.at, entries, const)
