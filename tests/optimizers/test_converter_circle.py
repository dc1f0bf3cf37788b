"""What a converter carries of real and reactive power together, in the program and in the twin's verdict."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from optimizers.levers import DRAWN, FED, Extension, circle_rows
from tests.optimizers.problems import battery, consumer, grid, hours, problem_of, site_of
from twin.verify import Verifier

SUN = {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 200, "profile": "sun_pu"}
SITE = site_of(
    [grid(), {**SUN, "reactive_max_kvar": 150, "apparent_max_kva": 210}, battery(reactive_max_kvar=50, apparent_max_kva=50),
     consumer("electricity")]
)  # fmt: skip
PROBLEM = problem_of(SITE, hours(2), {"sun_pu": 1.0, "mill_electricity_kw": 50.0})


def test_the_polygon_lies_in_the_circle_and_reaches_it_at_full_power(dispatcher):
    extension = Extension.of(dispatcher.case(PROBLEM))
    matrix, most = circle_rows(extension)
    place = {(v.asset, v.quantity): extension.place(k) for k, v in enumerate(extension.levers)}
    column = extension.case.compiled.model.column
    rng = np.random.default_rng(1)
    for asset, powers, carried in (("pv", ["power_kw"], 210.0), ("battery", ["charge_kw", "discharge_kw"], 50.0)):
        for quantity in powers:
            kept = 0
            for _ in range(300):
                p, q = rng.uniform(0, 1.1 * carried, 2)
                x = np.zeros(extension.columns)
                x[column(asset, quantity).steps] = p
                x[place[asset, FED if p > q else DRAWN]] = q
                inside = bool((matrix @ x <= most + 1e-9).all())
                kept += inside
                assert not inside or np.hypot(p, q) <= carried + 1e-9
                assert inside or np.hypot(p, q) > 0.98 * carried
            assert kept > 50
            full = np.zeros(extension.columns)
            full[column(asset, quantity).steps] = carried
            assert (matrix @ full <= most + 1e-9).all()


def test_the_twin_names_a_converter_that_carries_too_much(dispatcher):
    plan = dispatcher.dispatch(PROBLEM)
    named = []
    for kvar in (20.0, 150.0):
        reactive = xr.DataArray([[kvar] * 2], {"asset": ["pv"], "time": PROBLEM.horizon.times}, ("asset", "time"))
        check = Verifier(SITE)(replace(plan, reactive_kvar=reactive), PROBLEM.initial, PROBLEM.forecast)
        named.append([f.message for f in check.findings if "kVA" in f.message])
    assert named[0] == []
    assert "250 kVA planned, its converter carries 210 kVA" in named[1][0]


def test_a_site_without_circles_has_no_row_more(dispatcher):
    plain = site_of([grid(), {**SUN, "reactive_max_kvar": 150}, consumer("electricity")])
    problem = problem_of(plain, hours(2), {"sun_pu": 1.0, "mill_electricity_kw": 50.0})
    matrix, most = circle_rows(Extension.of(dispatcher.case(problem)))
    assert matrix.shape[0] == len(most) == 0


def test_reactive_power_of_a_plan_moves_the_voltages_of_its_replay(feeder_site):
    from tests.twin.plans import HORIZON, LEVELS, START, STEADY, forecast_of, plan_of
    from twin.state import start_snapshot

    initial = start_snapshot(feeder_site, START)
    plan = plan_of(feeder_site, initial, STEADY)
    volts = []
    for kvar in (-400.0, 0.0, 400.0):
        reactive = xr.DataArray([[kvar] * len(HORIZON)], {"asset": ["pv"], "time": HORIZON.times}, ("asset", "time"))
        check = Verifier(feeder_site)(replace(plan, reactive_kvar=reactive), initial, forecast_of(LEVELS))
        volts.append(float(check.states["grid_20kv"]["vm_pu"].sel(bus="works").mean()))
    assert volts[0] < volts[1] < volts[2]
    assert volts[2] - volts[1] == pytest.approx(volts[1] - volts[0], rel=0.05)


@pytest.fixture(scope="module")
def feeder_site():
    from tests.twin.conftest import make_site

    return make_site()
