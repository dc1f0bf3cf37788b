"""The shipped works: a site of levers that the park does not have, planned and played by the twin."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.actuals import Actuals
from models.dispatch import DispatchProblem
from models.forecast.naive import PerfectForecaster
from models.horizon import HOUR, Horizon
from models.site import read_site
from models.tariffs.time_of_use import calendar_month
from optimizers.dispatch import Dispatcher
from scenarios.problem import EndRule, demand_terms, demand_windows
from scenarios.sites import works_path
from service.commands.plan_files import plan_dataset, plan_table
from twin.state import start_snapshot
from twin.verify import Verifier

MIDNIGHT = datetime(2015, 1, 13, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def works():
    site, findings = read_site(works_path())
    assert findings == []
    return site


@pytest.fixture(scope="module")
def problem(works):
    period = calendar_month(MIDNIGHT, works.location.time_zone)
    horizon = Horizon.uniform(MIDNIGHT, MIDNIGHT + timedelta(hours=24), HOUR)
    return DispatchProblem(
        works, horizon, PerfectForecaster(Actuals(works, 1)).forecast(horizon), start_snapshot(works, MIDNIGHT),
        demand=demand_terms(works, period, 1500.0, 0.0), demand_windows=demand_windows(works, period), ends=EndRule().terms(works),
        integer_h=6.0, gap_share=5e-3,
    )  # fmt: skip


def test_every_lever_of_the_works_moves_and_the_twin_agrees(works, problem, tmp_path):
    dispatcher = Dispatcher(cache_folder=tmp_path)
    try:
        plan = dispatcher.dispatch(problem)
    finally:
        dispatcher.close()
    check = Verifier(works)(plan, problem.initial, problem.forecast)
    assert check.ok, check.findings
    assert list(problem.demand_windows) == ["evening"]
    held = plan.reserve_kw.sum("time").to_series()
    assert held["spinning_reserve"].sum() > 0
    assert held["regulation", "battery"] > 0
    turbine = plan.power_kw.sel(asset="turbine")
    assert float(turbine.sel(carrier="heat").max()) > 0
    assert plan.running.sel(asset="turbine").max() == 1
    columns = plan_table(plan)
    np.testing.assert_allclose(
        columns["battery.regulation_held_kw"], plan.reserve_kw.sel(contract="regulation", asset="battery")
    )
    assert "reserve_kw" in plan_dataset(plan, check)
    assert set(plan.cost) >= {"energy", "demand", "gas", "start", "maintenance", "wear", "reserve", "shed"}
