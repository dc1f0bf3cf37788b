"""Plans that hold, and plans that break a limit: found, placed and worded."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from models.errors import ForecastError
from models.findings import Severity
from models.networks.data import ElectricNetwork
from models.site import Networks, Site
from tests.twin.plans import HORIZON, LEVELS, STEADY, STEPS, errors, forecast_of, plan_of, ready
from twin.verify import Verifier, verify


def test_a_plan_that_the_model_can_follow_has_no_findings(site: Site):
    check = verify(plan_of(site, ready(site), STEADY), site, ready(site), forecast_of(LEVELS))
    assert check.findings == ()
    assert check.ok
    assert check.worst is None
    assert check.states["grid_20kv"].sizes["time"] == STEPS


def test_losses_come_back_for_the_next_plan(site: Site):
    check = verify(plan_of(site, ready(site), STEADY), site, ready(site), forecast_of(LEVELS))
    losses = check.losses_kw.sel(carrier="electricity")
    np.testing.assert_allclose(losses, check.states["grid_20kv"]["loss_kw"])
    assert float(losses.min()) > 20.0


def weak_grid(change: Callable[[ElectricNetwork], ElectricNetwork], site: Site) -> Site:
    return dataclasses.replace(site, networks=Networks(electricity=(change(site.networks.electricity[0]),)))


def test_too_much_sun_lifts_the_voltage_and_the_finding_says_where(site: Site):
    def narrow(net: ElectricNetwork) -> ElectricNetwork:
        return dataclasses.replace(
            net, buses=tuple(dataclasses.replace(b, vm_max_pu=1.001) for b in net.buses), slack_vm_pu=1.0
        )

    weak = weak_grid(narrow, site)
    sunny = LEVELS | {"pv_pu": 1.0, "works_el_kw": 50.0}
    check = verify(plan_of(weak, ready(weak), STEADY, sunny), weak, ready(weak), forecast_of(sunny))
    (message,) = errors(check.findings, "works")
    assert message.startswith("voltage 1.0")
    assert "the band is 0.95 to 1.001 pu, at 2015-07-15" in message
    assert not check.ok
    found = next(f for f in check.findings if f.place == "works")
    assert found.value == pytest.approx(float(check.states["grid_20kv"]["vm_pu"].sel(bus="works").max()))


def test_an_overloaded_line_is_named_with_its_loading(site: Site):
    def thin(net: ElectricNetwork) -> ElectricNetwork:
        lines = tuple(dataclasses.replace(line, current_max_ka=0.02) for line in net.lines)
        return dataclasses.replace(net, lines=lines)

    weak = weak_grid(thin, site)
    check = verify(plan_of(weak, ready(weak), STEADY), weak, ready(weak), forecast_of(LEVELS))
    (message,) = errors(check.findings, "station_works")
    assert "of its thermal limit at" in message


def test_a_load_beyond_all_reason_is_a_finding_and_not_a_crash(site: Site):
    def long(net: ElectricNetwork) -> ElectricNetwork:
        return dataclasses.replace(net, lines=tuple(dataclasses.replace(x, length_km=300.0) for x in net.lines))

    weak = weak_grid(long, site)
    heavy = LEVELS | {"works_el_kw": 7000.0}
    check = verify(plan_of(weak, ready(weak), STEADY, heavy), weak, ready(weak), forecast_of(heavy))
    assert "no state of the network carries the plan" in errors(check.findings, "grid_20kv")[0]


def test_a_battery_told_to_give_what_it_does_not_hold(site: Site):
    plan = plan_of(site, ready(site), STEADY | {"battery": 500.0})
    check = verify(plan, site, ready(site), forecast_of(LEVELS))
    found = next(f for f in check.findings if f.place == "battery")
    assert found.severity is Severity.WARNING
    assert "500 kW planned, 0 kW happens" in found.message


def test_stored_energy_outside_the_store(site: Site):
    plan = plan_of(site, ready(site), STEADY)
    plan.stored_kwh.loc[{"asset": "battery"}] = np.linspace(1000.0, 2300.0, STEPS)
    check = verify(plan, site, ready(site), forecast_of(LEVELS))
    assert errors(check.findings, "battery")[0].startswith("2300 kWh planned, it can hold 200 to 2000 kWh")


def test_unmet_demand_is_an_error_unless_the_plan_says_so(site: Site):
    cold = LEVELS | {"works_heat_kw": 6000.0}
    plan = plan_of(site, ready(site), STEADY, cold)
    check = verify(plan, site, ready(site), forecast_of(cold))
    assert "kW of heat demand cannot be met, the plan says 0 kW" in errors(check.findings, "works")[0]
    plan.unserved_kw.loc[{"asset": "works", "carrier": "heat"}] = 3000.0
    told = verify(plan, site, ready(site), forecast_of(cold))
    assert not errors(told.findings, "works")
    assert any("as the plan says" in f.message for f in told.findings)


def test_import_beyond_the_connection(site: Site):
    heavy = LEVELS | {"works_el_kw": 9500.0}
    check = verify(plan_of(site, ready(site), STEADY, heavy), site, ready(site), forecast_of(heavy))
    assert any(f.place == "pcc" and "all that the connection allows" in f.message for f in check.findings)
    assert errors(check.findings, "works")


@pytest.mark.parametrize(
    ("power", "words"),
    [
        (np.r_[[500.0] * 2, [0.0] * 2, [500.0] * (STEPS - 4)], "started at 2015-07-15 01:00 UTC after 0.5 h of standing; it needs 1 h"),
        (np.r_[[0.0] * 8, [500.0] * 4, [0.0] * (STEPS - 12)], "stopped at 2015-07-15 03:00 UTC after 1 h of running; it needs 2 h"),
        (np.full(STEPS, 900.0), "900 kW of electricity planned, its limit is 800 kW"),
        (np.full(STEPS, 150.0), "150 kW planned, it runs from 200 kW upwards"),
    ],
)  # fmt: skip
def test_an_engine_outside_its_datasheet(site: Site, power: np.ndarray, words: str):
    check = verify(plan_of(site, ready(site), STEADY | {"chp": power}), site, ready(site), forecast_of(LEVELS))
    assert any(words in m for m in errors(check.findings, "chp"))


def test_an_engine_faster_than_its_ramp(site: Site):
    chp = dataclasses.replace(site.asset("chp"), ramp_kw_per_min=10.0)
    slow = dataclasses.replace(site, assets=tuple(chp if a.id == "chp" else a for a in site.assets))
    power = np.r_[[500.0] * 4, [800.0] * (STEPS - 4)]
    check = verify(plan_of(slow, ready(slow), STEADY | {"chp": power}), slow, ready(slow), forecast_of(LEVELS))
    assert "changes by 300 kW in one step where its ramp allows 150 kW" in errors(check.findings, "chp")[0]


def test_a_unit_out_of_service_does_nothing_in_the_replay(site: Site):
    gone = xr.DataArray(np.zeros((1, STEPS)), {"asset": ["chp"], "time": HORIZON.times}, ("asset", "time"))
    check = Verifier(site)(plan_of(site, ready(site), STEADY), ready(site), forecast_of(LEVELS), gone)
    assert any(f.place == "chp" and "0 kW happens" in f.message for f in check.findings)


def test_a_forecast_without_a_series_is_refused(site: Site):
    with pytest.raises(ForecastError, match="lacks this series"):
        verify(plan_of(site, ready(site), STEADY), site, ready(site), forecast_of({"pv_pu": 0.5}))


def test_a_forecast_on_other_steps_is_refused(site: Site):
    plan = plan_of(site, ready(site), STEADY)
    late = forecast_of(LEVELS)
    moved = dataclasses.replace(late, values=late.values.assign_coords(time=HORIZON.times + np.timedelta64(15, "m")))
    with pytest.raises(ValueError, match="cannot align"):
        verify(plan, site, ready(site), moved)
