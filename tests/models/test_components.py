"""Component equations told with round numbers, and the laws they keep."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    Battery,
    Chp,
    Consumer,
    Demand,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    EvFleet,
    EvGroup,
    FlexibleLoad,
    GasBoiler,
    HeatPump,
    HotTank,
    PartLoadMap,
    Pv,
    Wind,
)
from models.components.demand import counter_kwh
from models.components.renewables import pv_per_unit, wind_per_unit

MAP = PartLoadMap(power_kw=(175.0, 350.0, 700.0), fuel_kw=(598.0, 973.0, 1750.0), heat_kw=(291.0, 411.0, 612.0))
CHP = Chp(id="chp", electricity_node="e", heat_node="h", gas_node="g", part_load=MAP)


def battery(**changes: float) -> Battery:
    data = {
        "charge_max_kw": 50.0,
        "discharge_max_kw": 50.0,
        "energy_kwh": 100.0,
        "charge_efficiency": 0.8,
        "discharge_efficiency": 0.8,
    }
    return Battery(id="b", electricity_node="e", **(data | changes))


def test_an_engine_follows_its_map_between_the_points_and_stands_at_zero():
    assert CHP.fuel_kw(np.array([0.0, 175.0, 525.0])).tolist() == [0.0, 598.0, (973.0 + 1750.0) / 2]
    assert CHP.heat_kw(np.array([0.0, 700.0])).tolist() == [0.0, 612.0]
    assert (CHP.power_min_kw, CHP.power_max_kw) == (175.0, 700.0)


@given(st.floats(175, 700))
def test_an_engine_never_gives_more_than_it_burns(power_kw):
    p = np.array([power_kw])
    assert p + CHP.heat_kw(p) < CHP.fuel_kw(p)


def test_converters_take_what_their_efficiency_says():
    boiler = GasBoiler(id="b", heat_node="h", gas_node="g", heat_max_kw=3000, efficiency=0.9)
    assert boiler.gas_kw(np.array([900.0])) == pytest.approx(1000)
    kettle = ElectricBoiler(id="k", electricity_node="e", heat_node="h", heat_max_kw=100, efficiency=0.99)
    assert kettle.electricity_kw(np.array([99.0])) == pytest.approx(100)
    absorber = AbsorptionChiller(id="a", heat_node="h", cold_node="c", cold_max_kw=1000, cop=0.7)
    assert absorber.heat_kw(np.array([70.0])) == pytest.approx(100)
    stack = Electrolyser(id="x", electricity_node="e", hydrogen_node="h2", power_max_kw=100, efficiency=0.6)
    assert stack.hydrogen_kw(np.array([100.0])) == pytest.approx(60)


def test_a_heat_pump_keeps_its_rated_cop_and_works_harder_in_the_cold():
    pump = HeatPump(
        id="p",
        electricity_node="e",
        heat_node="h",
        heat_max_kw=1500,
        cop_rated=3.15,
        rated_air_degc=14.4,
        supply_degc=85.0,
        air_profile="temp_degc",
    )
    cop = pump.cop(np.array([-10.0, 14.4, 30.0]))
    assert cop[1] == pytest.approx(3.15)
    assert cop[0] == pytest.approx(3.15 * 70.6 / 95.0)
    assert cop[2] > 3.15
    assert pump.electricity_kw(np.array([315.0]), np.array([14.4])) == pytest.approx(100)


def test_a_chiller_draws_its_standing_share_at_part_load_and_nothing_when_off():
    chiller = ElectricChiller(
        id="c",
        electricity_node="e",
        cold_node="k",
        cold_max_kw=1000,
        cop_rated=5.0,
        part_load=(0.2, 0.3, 0.5),
    )
    assert chiller.electricity_kw(np.array([0.0, 500.0, 1000.0])) == pytest.approx(
        [0.0, 200 * (0.2 + 0.15 + 0.125), 200.0]
    )


def test_a_store_pays_for_both_ways():
    b = battery()
    assert b.stored_after(50, -10, 1.0) == pytest.approx(58)
    assert b.stored_after(50, 8, 1.0) == pytest.approx(40)


@given(
    stored=st.floats(10, 90),
    power=st.floats(-50, 50),
    step_h=st.floats(0.05, 1.0),
    loss=st.floats(0.0, 0.02),
)
def test_a_store_within_its_power_range_stays_within_its_limits(stored, power, step_h, loss):
    b = battery(loss_share_per_h=loss, stored_min_share=0.1, stored_max_share=0.9)
    low, high = b.power_range_kw(stored, step_h)
    assert low <= 0 <= high
    after = b.stored_after(stored, float(np.clip(power, low, high)), step_h)
    assert after <= 90 + 1e-9
    assert after >= min(10.0, stored * b.kept_share(step_h)) - 1e-9


def test_a_tank_cools_by_its_loss_share():
    tank = HotTank(
        id="t",
        heat_node="h",
        charge_max_kw=10,
        discharge_max_kw=10,
        energy_kwh=1000,
        charge_efficiency=1,
        discharge_efficiency=1,
        loss_share_per_h=0.01,
    )
    assert tank.stored_after(100, 0, 2.0) == pytest.approx(98.01)


def test_pv_and_wind_scale_their_profiles():
    field = Pv(id="pv", electricity_node="e", peak_kw=200, profile="pv_pu")
    assert field.available_kw(np.array([-0.1, 0.5])).tolist() == [0.0, 100.0]
    mill = Wind(id="w", electricity_node="e", rated_kw=2000, profile="wind_pu")
    assert mill.available_kw(np.array([0.25, 1.2])).tolist() == [500.0, 2000.0]


def test_pv_from_weather_is_zero_at_night_and_sensible_at_noon():
    field = Pv(id="pv", electricity_node="e", peak_kw=1, profile="pv_pu")
    times = pd.date_range("2015-06-21", periods=24, freq="1h", tz="UTC")
    noon = np.clip(np.cos((np.arange(24) - 4.3) / 24 * 2 * np.pi), 0, None)
    out = pv_per_unit(field, times, 950 * noon, np.full(24, 25.0), latitude_deg=36.1, longitude_deg=115.05)
    assert out[16] == 0.0
    assert 0.6 < out[4] < 0.85
    assert np.isfinite(out).all()


def test_wind_rises_to_rated_power_and_stops_in_a_storm():
    assert wind_per_unit(np.array([2.0, 13.0, 24.0, 26.0])).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_a_fleet_is_there_on_working_days_in_its_hours():
    fleet = EvFleet(
        id="f",
        electricity_node="e",
        charger_kw=11,
        groups=(EvGroup(vehicles=10, arrive_h=8, depart_h=17, energy_kwh=12),),
    )
    here = fleet.plugged(np.array([7.75, 8.0, 16.75, 17.0, 9.0]), np.array([True, True, True, True, False]))
    assert here.tolist() == [0, 10, 10, 0, 0]
    night = EvGroup(vehicles=3, arrive_h=22, depart_h=6, energy_kwh=12)
    late = EvFleet(id="n", electricity_node="e", charger_kw=11, groups=(night,), workdays_only=False)
    assert late.plugged(np.array([23.0, 3.0, 12.0]), np.array([True, True, True])).tolist() == [3, 3, 0]


def test_a_flexible_load_remembers_what_it_drew_ahead():
    load = FlexibleLoad(
        id="l", electricity_node="e", profile="l_kw", shift_up_kw=50, shift_down_kw=50, shiftable_kwh=100
    )
    ahead = load.ahead_after(0.0, -150.0, 100.0, 0.5)
    assert ahead == pytest.approx(25.0)
    assert load.ahead_after(ahead, -50.0, 100.0, 0.5) == pytest.approx(0.0)


def test_a_counter_counts_drawn_energy_only_and_never_falls():
    register = counter_kwh(1000.0, [-100.0, 50.0, -200.0], 0.25)
    assert register.tolist() == [1025.0, 1025.0, 1075.0]


def test_reactive_power_follows_the_power_factor():
    demand = Demand(carrier=Carrier.ELECTRICITY, node="bus", profile="el_kw", power_factor=0.8)
    assert -80.0 * demand.tan_phi == pytest.approx(-60.0)


def test_a_consumer_has_a_port_per_demand():
    mill = Consumer(
        id="m",
        demands=(
            Demand(carrier=Carrier.HEAT, node="h", profile="heat_kw"),
            Demand(carrier=Carrier.WATER, node="w", profile="water_m3_per_h"),
        ),
    )
    assert mill.ports() == {Carrier.HEAT: "h", Carrier.WATER: "w"}
    assert mill.series() == ("heat_kw", "water_m3_per_h")
