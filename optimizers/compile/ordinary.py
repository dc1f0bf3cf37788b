"""The same formulation as an ordinary Pyomo model over the whole horizon, for other solvers and for comparison."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.environ as pyo

from optimizers.compile.rules import ONCE, STEP, At, Before, Bound, Column, Formulation, Row, Series, Step
from optimizers.compile.tiling import TimeGrid

Values = Mapping[str, npt.ArrayLike]


class _Absent(Exception):  # noqa: N818 - a signal inside this module, not a failure
    """A reference lies outside the horizon where its row does not exist."""


def pyomo_model(formulation: Formulation, grid: TimeGrid, values: Values) -> Any:
    """Return a ``ConcreteModel`` with every row written out; all parameters are mutable.

    Variables are ``m.<asset>_<quantity>[k]`` with k counted from the known past; rows ``m.rows[name, step]``.
    """
    return _Writer(formulation, grid, values).model


class _Writer:
    """Writes every row of a formulation, one step after the other."""

    def __init__(self, formulation: Formulation, grid: TimeGrid, values: Values) -> None:
        self.grid = grid
        self.model = pyo.ConcreteModel()
        self.parameters = {n: self._parameter(n, s.extent, values[n]) for n, s in formulation.parameters.items()}
        self.columns: dict[str, Any] = {}
        self.now = 0
        for column in formulation.columns.values():
            self._add_column(column, values)
        self.model.rows = pyo.Constraint(pyo.Any)
        for row in formulation.rows.values():
            self._add_row(row)
        self.model.cost = pyo.Objective(expr=self._objective(formulation))

    def column(self, column: Column, offset: int) -> Any:
        """Return the variable ``offset`` steps from the step being written."""
        if column.extent != STEP:
            return self.columns[column.name][self._position(column.extent)]
        at = self.now + offset
        if column.before is Before.CYCLIC:
            at %= self.grid.steps
        if at >= self.grid.steps or (at < 0 and column.before is Before.SKIP):
            raise _Absent
        return 0.0 if at < -column.history else self.columns[column.name][at]

    def parameter(self, series: Series, offset: int) -> Any:
        """Return the mutable parameter ``offset`` steps from the step being written."""
        if series.extent != STEP:
            return self.parameters[series.name][self._position(series.extent)]
        if not 0 <= self.now + offset < self.grid.steps:
            raise _Absent
        return self.parameters[series.name][self.now + offset]

    def _position(self, extent: str) -> int:
        return int(self.grid.position(extent, np.array([self.now]))[0])

    def _parameter(self, name: str, extent: str, value: npt.ArrayLike) -> Any:
        numbers = np.broadcast_to(np.asarray(value, float).ravel(), self.grid.size(extent))
        made = pyo.Param(
            range(len(numbers)), initialize=dict(enumerate(numbers.tolist())), mutable=True, domain=pyo.Any
        )
        self.model.add_component(f"parameter_{name}", made)
        return made

    def _add_column(self, column: Column, values: Values) -> None:
        domain = pyo.Integers if column.integer else pyo.Reals
        made = pyo.Var(range(-column.history, self.grid.size(column.extent)), domain=domain)
        self.model.add_component(f"{column.asset}_{column.quantity}", made)
        self.columns[column.name] = made
        if column.history:
            past = np.broadcast_to(np.asarray(values[f"{column.name}.before"], float), column.history)
            for k, value in enumerate(past.tolist()):
                made[k - column.history].setlb(value)
                made[k - column.history].setub(value)
        for now in self._writing_steps(column.extent):
            self.now = now
            variable = made[self.now if column.extent == STEP else self._position(column.extent)]
            variable.setlb(self._bound(column.lower))
            variable.setub(self._bound(column.upper))

    def _writing_steps(self, extent: str) -> list[int]:
        if extent == STEP:
            return list(range(self.grid.steps))
        if extent == ONCE:
            return [0]
        return [int(i) for i in np.unique(self.grid.groups[extent], return_index=True)[1]]

    def _bound(self, bound: Bound) -> Any:
        if isinstance(bound, int | float):
            return float(bound)
        return bound[Step(self)] if isinstance(bound, Series) else bound(Step(self))

    def _add_row(self, row: Row) -> None:
        if row.at is At.TOTAL:
            self._add_total(row)
            return
        for now in self._range(row.at):
            self.now = now
            try:
                self.model.rows[row.name, now] = row.rule(Step(self))
            except _Absent:
                continue

    def _range(self, at: At) -> range:
        steps = self.grid.steps
        return {At.EACH: range(steps), At.FIRST: range(1), At.LAST: range(steps - 1, steps)}[at]

    def _add_total(self, row: Row) -> None:
        groups = self.grid.position(row.extent, np.arange(self.grid.steps))
        for representative in self._writing_steps(row.extent):
            members = np.flatnonzero(groups == groups[representative])
            total = sum(self._at(int(t), row.rule) for t in members)
            if row.plus:
                total += self._at(representative, row.plus)
            bounds = self._bound(row.lower), self._bound(row.upper)
            self.model.rows[row.name, int(groups[representative])] = (bounds[0], total, bounds[1])

    def _at(self, now: int, rule: Any) -> Any:
        self.now = now
        return rule(Step(self))

    def _objective(self, formulation: Formulation) -> Any:
        terms = []
        for cost in formulation.costs:
            for now in self._range(cost.at):
                self.now = now
                try:
                    terms.append(cost.rule(Step(self)))
                except _Absent:
                    continue
        return sum(terms)
