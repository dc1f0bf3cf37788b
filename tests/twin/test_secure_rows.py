"""Rows around a replayed plan: exact slopes, tangents on their proper side, violations as the power flow sees them."""

from dataclasses import replace

import numpy as np
import pytest

from models.security import PortPlan, Rows, Shape
from models.site import load_site
from scenarios.sites import park_path
from twin.secure import GridCheck, Watch


@pytest.fixture(scope="module")
def check() -> GridCheck:
    site = load_site(park_path())
    return GridCheck(site, site.networks.electricity[0], Watch(voltage_pu=10.0, loading_share=10.0))


def plan(check: GridCheck, seed: int, steps: int = 8, size_kw: float = 900.0) -> PortPlan:
    rng = np.random.default_rng(seed)
    half = len(check.buses)
    power = rng.uniform(-size_kw, size_kw, (steps, half))
    reactive = 0.25 * power + rng.uniform(-50, 50, (steps, half))
    return PortPlan(check.ports, np.hstack([power, reactive]), np.full(steps, 0.25), check.revision)


def test_rows_repeat_their_own_plan_and_predict_its_neighbours(check):
    here = plan(check, 1)
    report = check.check(here)
    rows = report.balance + report.findings
    assert rows.at(here.values) == pytest.approx(rows.value)
    near = replace(here, values=here.values + np.random.default_rng(2).uniform(-20, 20, here.values.shape))
    moved = check.check(near)
    for kind, tolerance in (("vm_pu", 2e-5), ("loss_kw", 0.2)):
        then = (moved.balance + moved.findings).select((moved.balance + moved.findings).kind == kind)
        told = rows.select(rows.kind == kind)
        assert told.at(near.values) == pytest.approx(then.value, abs=tolerance)


def test_loss_tangents_never_promise_too_little_and_voltage_tangents_never_too_low(check):
    for seed in range(12):
        here, there = plan(check, seed), plan(check, 100 + seed)
        first, then = check.check(here), check.check(there)
        assert np.all(then.balance.value - first.balance.at(there.values) >= -1e-8)
        vm = first.findings.select(first.findings.kind == "vm_pu")
        seen = then.findings.select(then.findings.kind == "vm_pu")
        assert np.all(vm.at(there.values) >= seen.value - 1e-9)


def test_only_quantities_near_a_limit_get_rows(check):
    usual = replace(check, watch=Watch())
    calm = usual.check(plan(check, 3, size_kw=100.0))
    assert len(calm.findings) == 0
    assert len(calm.balance) == 8
    assert calm.worst == {"vm_pu": 0.0, "loading_share": 0.0}


def test_an_overloaded_feeder_is_found_with_its_branch_and_limit(check):
    heavy = plan(check, 4, size_kw=1.0)
    values = heavy.values.copy()
    values[:, check.buses.index("bus_11")] = -9000.0
    report = replace(check, watch=Watch()).check(replace(heavy, values=values))
    assert report.worst["loading_share"] > 0.0
    over = report.findings.select(report.findings.kind == "loading_share")
    assert np.all(over.upper == 1.0)
    assert over.violation().max() == pytest.approx(report.worst["loading_share"])
    assert set(over.shape) == {int(Shape.LOCAL)}


def test_a_step_beyond_what_the_grid_can_carry_is_a_status_and_spares_the_others(check):
    far = plan(check, 5)
    values = far.values.copy()
    values[3, : len(check.buses)] = -400_000.0
    report = check.check(replace(far, values=values))
    assert report.status[3] != 0
    assert np.all(report.status[[0, 1, 2, 4, 5, 6, 7]] == 0)
    assert 3 not in set(report.balance.step.tolist())
    assert np.isfinite(report.findings.value).all()


def test_rows_can_be_joined_and_picked(check):
    report = check.check(plan(check, 6, steps=3))
    both = report.balance + report.findings
    picked = both.select(both.step == 1)
    assert len(picked) == int((both.step == 1).sum())
    assert picked.at(plan(check, 6, steps=3).values) == pytest.approx(both.value[both.step == 1])
    assert len(Rows.empty() + picked) == len(picked)


def test_a_plan_on_other_ports_is_refused(check):
    here = plan(check, 1)
    with pytest.raises(ValueError, match="needs"):
        check.check(replace(here, ports=here.ports[::-1]))
