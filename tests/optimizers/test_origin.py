"""A long program that begins with an earlier one's basis ends where one that begins with nothing ends."""

from datetime import timedelta

import numpy as np
import pytest

from models.dispatch import DemandTerms, DispatchProblem
from models.horizon import Horizon
from optimizers.dispatch import Dispatcher
from optimizers.origin import LONG_STEPS, Lineage
from tests.optimizers.problems import START, battery, consumer, grid, hours, problem_of, site_of

SITE = site_of([grid(), consumer("electricity"), battery(loss_share_per_h=0.01)])
LOAD_KW = (80.0 + 60.0 * np.sin(np.arange(120.0) / 3.0) + np.arange(120.0) % 7).tolist()


def long_problem(first: int, steps: int) -> DispatchProblem:
    horizon = hours(steps, START + timedelta(hours=first))
    wanted = {"mill_electricity_kw": LOAD_KW[first : first + steps]}
    return problem_of(SITE, horizon, wanted, stored={"battery": 40.0}, demand=DemandTerms(3.0, 0.0))


def test_every_column_and_row_goes_on_from_its_own_hour(dispatcher: Dispatcher) -> None:
    first, second = (dispatcher.case(long_problem(k, 100 - k)) for k in (0, 24))
    lineage = Lineage()
    assert lineage.origin("s:100", first.compiled.model, first.facts.problem.horizon) is None
    origin = lineage.origin("s:76", second.compiled.model, second.facts.problem.horizon)
    assert origin is not None
    assert origin.key == "s:100"
    before, now = first.compiled.model, second.compiled.model
    assert (len(origin.columns), len(origin.rows)) == (now.column_count, now.row_count)
    for k in range(now.column_count):
        here, there = now.column_place(k), before.column_place(int(origin.columns[k]))
        assert (here.asset, here.quantity) == (there.asset, there.quantity)
        if here.step is not None and here.step >= 0:
            assert there.step == here.step + 24
    for k in range(now.row_count):
        here, there = now.row_place(k), before.row_place(int(origin.rows[k]))
        assert (here.asset, here.quantity) == (there.asset, there.quantity)


def test_a_chain_of_long_plans_costs_what_each_alone_costs(dispatcher: Dispatcher) -> None:
    chained = [dispatcher.dispatch(long_problem(k, 110 - k)).total_cost for k in (0, 24, 37)]
    alone = []
    for k in (0, 24, 37):
        dispatcher.forget()
        alone.append(dispatcher.dispatch(long_problem(k, 110 - k)).total_cost)
    assert chained == pytest.approx(alone, rel=1e-9)


def test_what_does_not_continue_begins_with_nothing(dispatcher: Dispatcher) -> None:
    case, lineage = dispatcher.case(long_problem(0, 100)), Lineage()
    model, horizon = case.compiled.model, case.facts.problem.horizon
    lineage.origin("s:100", model, horizon)
    later = Horizon(tuple(e + timedelta(days=30) for e in horizon.edges))
    assert lineage.origin("other:100", model, horizon) is None
    assert lineage.origin("s:99", model, later) is None
    assert lineage.origin("s:5", model, Horizon(horizon.edges[: LONG_STEPS - 1])) is None
