"""Planning again and again: what is kept stays true, and looking ahead to a fixed end loses nothing on the way."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.day_ahead import park_problem
from models.dispatch import DemandTerms, EndTerm
from models.horizon import Horizon
from models.state import UnitState
from models.tariffs.terms import optimizer_terms
from optimizers.units import shares, split_count
from tests.optimizers.problems import START, battery, consumer, grid, hours, problem_of, site_of


def test_rolling_to_a_fixed_end_costs_what_one_plan_costs(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery(loss_share_per_h=0.01)])
    whole, load = hours(6, START + timedelta(hours=5)), [80.0, 120.0, 60.0, 150.0, 90.0, 30.0]
    price = optimizer_terms(site.tariff("power"), whole).import_per_kwh
    ends = {"battery": EndTerm(50.0, short_price_per_kwh=100.0)}
    stored, peak, paid, first = 50.0, 0.0, 0.0, None
    for k in range(6):
        problem = problem_of(
            site, hours(6 - k, whole.edges[k]), {"mill_electricity_kw": load[k:]}, stored={"battery": stored},
            ends=ends, demand=DemandTerms(3.0, peak),
        )  # fmt: skip
        plan = dispatcher.dispatch(problem)
        first = first or plan
        bought = float(plan.power_kw.sel(asset="grid", carrier="electricity")[0])
        paid += price[k] * bought if bought > 0 else 0.2 * bought
        stored, peak = float(plan.stored_kwh.sel(asset="battery")[0]), max(peak, bought)
    assert paid + 3.0 * peak == pytest.approx(first.total_cost, rel=1e-7)


@pytest.mark.parametrize("start", [datetime(2015, 1, 19, 16, tzinfo=UTC), datetime(2015, 7, 14, 16, tzinfo=UTC)])
def test_the_park_gets_a_sound_plan_near_its_bound(dispatcher, start):
    problem = park_problem(Horizon.quarters_then_hours(start), integer_h=3.0)
    plan = dispatcher.dispatch(problem)
    assert plan.solver.certified
    assert plan.solver.gap_share <= 1e-3
    assert plan.findings == ()
    np.testing.assert_allclose(plan.power_kw.sum("asset").values, 0.0, atol=1e-4)
    heat = plan.price_per_kwh.sel(carrier="heat").values
    assert ((heat > 0) & (heat < 1.0)).all()


def test_a_count_becomes_units_that_switch_as_little_as_possible():
    states = [UnitState(running=True, hours_in_state=5.0), UnitState(running=False, hours_in_state=9.0)]
    count = np.array([1.0, 2.0, 1.0, 0.0, 1.0, 0.5])
    running = split_count(count, states, np.ones((2, 6)), np.arange(6.0))
    # the first has run longest and stops first; at the end the first has stood longest and starts first
    np.testing.assert_array_equal(running[0], [1, 1, 0, 0, 1, 0.25])
    np.testing.assert_array_equal(running[1], [0, 1, 1, 0, 0, 0.25])
    np.testing.assert_allclose(shares(running).sum(axis=0), [1, 1, 1, 0, 1, 1])


def test_a_unit_out_of_service_hands_over():
    states = [UnitState(running=True, hours_in_state=5.0), UnitState(running=False, hours_in_state=1.0)]
    running = split_count(np.ones(3), states, np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]), np.arange(3.0))
    np.testing.assert_array_equal(running, [[1, 0, 0], [0, 1, 1]])
