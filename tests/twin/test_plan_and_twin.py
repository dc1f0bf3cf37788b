"""The planner and the twin share no code but the equations; played on the twin, a plan must do what it says."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from models.dispatch import DemandTerms, DispatchProblem, EndTerm
from models.site import Site
from models.station import Station
from optimizers.dispatch import Dispatcher
from tests.twin.plans import HORIZON, LEVELS, START, STEPS, forecast_of
from twin.state import start_snapshot
from twin.verify import Verifier


@pytest.mark.parametrize("integer_h", [None, 2.0])
def test_an_optimal_plan_played_on_the_twin_stores_the_same_energy(site: Site, integer_h: float | None):
    levels = LEVELS | {"works_heat_kw": 1400.0, "works_cold_kw": 1200.0, "works_el_kw": 2500.0}
    forecast, initial = forecast_of(levels), start_snapshot(site, START)
    verifier = Verifier(site)
    ends = {s.id: EndTerm(0.0, 0.0) for s in Station.of(site).stores}
    problem = DispatchProblem(site, HORIZON, forecast, initial, DemandTerms(1.0), ends, integer_h=integer_h)
    with closing(Dispatcher()) as planner:
        first = planner.dispatch(problem)
        losses = verifier(first, initial, forecast).losses_kw
        plan = planner.dispatch(replace(problem, losses_kw=losses))
    check = verifier(plan, initial, forecast)
    assert check.findings == ()
    for store in Station.of(site).stores:
        planned, played = (table.sel(asset=store.id).to_numpy() for table in (plan.stored_kwh, check.stored_kwh))
        np.testing.assert_allclose(played, planned, atol=2.0)
    grid = check.states["grid_20kv"]
    imported = plan.power_kw.sel(asset="pcc", carrier="electricity").to_numpy()
    np.testing.assert_allclose(grid["slack_p_kw"], imported, atol=20.0)
    assert len(imported) == STEPS
