"""A dispatch problem with rows from the grid: ports are what the plan says, losses cost, decisions stay once they are taken."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.actuals import Actuals
from models.carriers import Carrier
from models.dispatch import DemandTerms, DispatchProblem, EndTerm
from models.forecast import Forecast
from models.horizon import Horizon
from models.security import Rows, Shape
from models.site import load_site
from models.state import Snapshot
from optimizers.dispatch import Dispatcher
from optimizers.secured import SecuredProblem
from scenarios.secure import secure
from scenarios.sites import park_path
from twin.secure import GridCheck


@pytest.fixture(scope="module")
def site():
    return load_site(park_path())


@pytest.fixture(scope="module")
def dispatcher():
    made = Dispatcher()
    yield made
    made.close()


@pytest.fixture(scope="module")
def problem(site):
    start = datetime(2015, 7, 14, 22, tzinfo=UTC)
    horizon = Horizon.uniform(start, start + timedelta(hours=6))
    ids = [a.id for a in site.assets]
    stored = {"battery": 1500.0, "hot_tank": 5000.0, "cold_tank": 2000.0}
    power = xr.DataArray(np.zeros((len(ids), 1)), {"asset": ids, "carrier": ["electricity"]}, ("asset", "carrier"))
    kept = xr.DataArray([stored.get(i, 0.0) for i in ids], {"asset": ids}, ("asset",))
    forecast = Forecast(start, horizon, Actuals(site, 1).means(horizon), "perfect")
    ends = {k: EndTerm(v, 0.3) for k, v in stored.items()}
    return DispatchProblem(site, horizon, forecast, Snapshot(start, power, kept), DemandTerms(1.2), ends)


@pytest.fixture(scope="module")
def check(site):
    return GridCheck(site, site.networks.electricity[0])


def secured(problem, check, dispatcher) -> SecuredProblem:
    return SecuredProblem(problem, check.ports, check.revision, dispatcher)


def test_ports_are_the_sums_of_the_plan_at_each_bus(problem, check, dispatcher):
    planner = secured(problem, check, dispatcher)
    planner.commit()
    ports = planner.solve()
    plan = planner.plan()
    nodes = {a.id: a.ports().get(Carrier.ELECTRICITY) for a in problem.site.assets}
    for k, port in enumerate(ports.ports):
        if port.quantity == "power_kw":
            here = [a for a, node in nodes.items() if node == port.node and a in plan.power_kw.asset.values]
            told = plan.power_kw.sel(asset=here, carrier="electricity").sum("asset").values
            assert ports.values[:, k] == pytest.approx(told, abs=1e-3)
    bus = next(i for i, p in enumerate(ports.ports) if p.key == "bus_4.reactive_kvar")
    power = plan.power_kw.sel(asset="metal2", carrier="electricity").values
    assert ports.values[:, bus] == pytest.approx(power * np.tan(np.arccos(0.97)), rel=1e-6)


def test_losses_make_the_plan_dearer_by_about_what_they_cost(problem, check, dispatcher):
    planner = secured(problem, check, dispatcher)
    planner.solve()
    without = planner.objective
    result = secure(planner, check)
    assert result.clean
    lost_kwh = float(result.losses_kw[Carrier.ELECTRICITY] @ problem.horizon.step_h)
    assert lost_kwh > 20.0
    assert 0.2 * lost_kwh < result.objective - without < 2.5 * lost_kwh


def test_decisions_once_taken_are_kept_and_the_plan_is_certified_with_its_bound(problem, check, dispatcher):
    planner = secured(problem, check, dispatcher)
    first = secure(planner, check)
    planner.commit()
    second = secure(planner, check)
    plan = planner.plan("proven on the grid")
    assert second.clean
    assert plan.solver.certified
    assert set(np.unique(plan.running.values)) <= {0.0, 1.0}
    assert first.objective - 1e-6 <= second.objective
    assert plan.solver.bound <= second.objective + 1e-6
    assert plan.total_cost == pytest.approx(second.objective, rel=1e-9)


def test_a_row_that_cannot_be_kept_bends_at_its_price_and_says_how_far(problem, check, dispatcher):
    planner = secured(problem, check, dispatcher)
    ports = planner.solve()
    port = next(i for i, p in enumerate(ports.ports) if p.key == "bus_13.power_kw")
    slopes = np.zeros((1, len(ports.ports)))
    slopes[0, port] = 1.0
    value = ports.values[3, port]
    demand_free = Rows.over(
        "loading_share",
        ["bus_13"],
        np.array([3]),
        np.array([value]),
        (np.array([value + 100.0]), np.array([np.inf])),
        slopes,
        ports.values[[3]],
        slack_price=0.01,
        shape=Shape.LOCAL,
    )
    planner.add_rows(demand_free)
    before = planner.objective
    planner.solve()
    assert planner.slack() == pytest.approx([100.0], abs=1e-6)
    assert planner.objective == pytest.approx(before + 1.0, abs=1e-3)
    assert planner.add_rows(Rows.empty(), replace=("loading_share",)) == 0
    planner.solve()
    assert planner.objective == pytest.approx(before, rel=1e-9)
