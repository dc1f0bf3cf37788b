"""Contradictions are named by asset, time and amount; set-points come with their reason."""

import os
import signal
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from models.errors import InfeasiblePlanError, SolverTimeoutError
from models.state import UnitState
from optimizers.dispatch import Dispatcher
from optimizers.explain import bent_rows, elastic, firm_rows
from optimizers.session import HighsSession, Status
from tests.optimizers.problems import START, battery, consumer, engine, gas, grid, hours, problem_of, site_of

BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": 0.9}


@pytest.fixture(scope="module")
def plant():
    return site_of(
        [grid(), gas(), engine(min_up_h=2), BOILER, battery(energy_kwh=400), consumer("electricity", "heat")]
    )


def problem(plant, **more):
    series = {"mill_electricity_kw": [90.0, 120.0, 150.0, 80.0], "mill_heat_kw": [100.0, 90.0, 50.0, 40.0]}
    return problem_of(plant, hours(4, START + timedelta(hours=5)), series, **({"stored": {"battery": 0.0}} | more))


def test_rows_that_contradict_are_named_with_time_and_amount(dispatcher, plant):
    case = dispatcher.case(problem(plant))
    row = case.compiled.model.row("electricity", "balance").start + 2
    column = case.compiled.model.column("electricity", "lacking_kw")
    upper, lower = case.program.column_upper.copy(), case.program.row_lower.copy()
    upper[column.span] = 0.0
    row_upper = case.program.row_upper.copy()
    lower[row] = row_upper[row] = 3000.0  # grid 1000, engine 100, battery 50 and unserved 150 bring 1300
    broken = replace(case.program, column_upper=upper, row_lower=lower, row_upper=row_upper)
    assert HighsSession(broken).run().status is Status.INFEASIBLE
    found = HighsSession(elastic(broken, firm_rows(case.compiled.model))).run(gap_share=0.0)
    findings = bent_rows(broken, found.x, case.compiled.model, case.facts.problem.horizon)
    assert [f.place for f in findings] == ["electricity"]
    assert "its balance at 2015-01-05 23:00 UTC cannot be kept" in findings[0].message
    assert findings[0].value == pytest.approx(3000 - 1000 - 100 - 50 - 150, abs=1e-4)


def test_an_impossible_problem_is_told_in_words(dispatcher, plant, monkeypatch):
    case = dispatcher.case(problem(plant))
    crossed = case.program.column_lower.copy()
    crossed[case.compiled.model.column("battery", "stored_kwh").steps.start + 1] = 500.0
    broken = replace(case, program=replace(case.program, column_lower=crossed))
    monkeypatch.setattr(dispatcher, "case", lambda _: broken)
    with pytest.raises(InfeasiblePlanError) as caught:
        dispatcher.dispatch(problem(plant))
    assert [f.place for f in caught.value.findings] == ["battery"]
    assert "stored kwh at 2015-01-05 22:00 UTC must be at least 500 but at most 400" in str(caught.value)


def test_every_set_point_has_its_reason(dispatcher, plant):
    plan = dispatcher.dispatch(problem(plant))
    by_quantity = {r.quantity: r for r in dispatcher.why(plan, "grid", 0)}
    assert by_quantity["export_kw"].held == "least"
    assert by_quantity["export_kw"].worth_per_kwh == pytest.approx(
        0.2 - plan.price_per_kwh.sel(carrier="electricity")[0]
    )
    assert "one kWh more would lose" in by_quantity["export_kw"].sentence
    assert by_quantity["import_kw"].held == "margin"
    charging = {r.quantity: r for r in dispatcher.why(plan, "battery", 0)}["charge_kw"]
    assert charging.held == "most"
    assert "is at its most, 50.0 kW; one kWh more would save" in charging.sentence
    assert dispatcher.why(replace(plan, id="another"), "grid", 0) == ()


def test_a_standing_engine_says_what_running_would_cost(dispatcher, plant):
    night = problem_of(plant, hours(2), {"mill_electricity_kw": 90.0, "mill_heat_kw": 100.0}, stored={"battery": 0.0})
    plan = dispatcher.dispatch(night)
    assert plan.running.sel(asset="chp").values == pytest.approx([0, 0])
    (reason,) = (r for r in dispatcher.why(plan, "chp", 1) if r.quantity == "on")
    # its best point: 50 kW for 150 kW of gas and 60 kW of heat that the boiler would burn 66.7 kW for; or all of its 100 kW
    best = max(50 * 0.3 - 150 * 0.35 + 60 / 0.9 * 0.35, 100 * 0.3 - 260 * 0.35 + 110 / 0.9 * 0.35)
    assert best < 0
    assert reason.worth_per_kwh == pytest.approx(best)
    assert f"0 of 1 run; at its best load one more would cost {-best:.2f} CNY per hour" in reason.sentence


def test_a_worth_is_what_one_more_kw_saves(dispatcher, plant):
    plan = dispatcher.dispatch(replace(problem(plant), integer_h=0.0))
    charging = {r.quantity: r for r in dispatcher.why(plan, "battery", 0)}["charge_kw"]
    wider = site_of(
        [
            grid(),
            gas(),
            engine(min_up_h=2),
            BOILER,
            battery(energy_kwh=400, charge_max_kw=50.5),
            consumer("electricity", "heat"),
        ]
    )
    cheaper = dispatcher.dispatch(replace(problem(wider), integer_h=0.0))
    saved = plan.total_cost - cheaper.total_cost
    worths = [{r.quantity: r for r in dispatcher.why(cheaper, "battery", t)}["charge_kw"] for t in range(4)]
    assert saved == pytest.approx(0.5 * sum(w.worth_per_kwh for w in worths if w.held == "most"), abs=1e-6)
    assert charging.worth_per_kwh > 0


def test_a_solver_that_hangs_leads_to_the_stated_fall_back(plant, tmp_path):
    dispatcher = Dispatcher(cache_folder=tmp_path)
    units = {"chp": UnitState(running=True, hours_in_state=0.5)}
    try:
        first = dispatcher.dispatch(problem(plant, units=units))
        os.kill(dispatcher.process.pid, signal.SIGSTOP)
        plan = dispatcher.dispatch(problem(plant, units=units), deadline_s=1.0)
        assert plan.solver.status == "fallback"
        assert "the last commitments are kept" in plan.solver.message
        assert plan.solver.certified
        np.testing.assert_allclose(plan.running.values, first.running.values)
        assert dispatcher.dispatch(problem(plant, units=units)).solver.status in ("optimal", "gap")
    finally:
        dispatcher.close()


def test_without_any_plan_the_time_out_is_an_error(plant, tmp_path, monkeypatch):
    dispatcher = Dispatcher(cache_folder=tmp_path)

    def never(job, *, deadline_s):
        raise SolverTimeoutError(f"no answer within {deadline_s:g} s")

    monkeypatch.setattr(dispatcher.process, "solve", never)
    with pytest.raises(SolverTimeoutError):
        dispatcher.dispatch(problem(plant), deadline_s=1.0)
