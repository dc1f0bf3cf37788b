"""The balances of all carriers at one instant."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import Chp
from models.site import Site
from models.station import Balance, Conditions, Station, resolve

E, H, G, C, H2 = ENERGY_CARRIERS
QUIET = {"pv_pu": 0.0, "wind_pu": 0.0, "air_degc": 7.0, "washer_kw": 60.0, "works_water_m3_per_h": 3.0}
HALF = {"battery": 1000.0, "tank": 3000.0, "ice": 1500.0, "cars": 100.0, "washer": 0.0}


def at(
    station: Station, el: float = 0.0, heat: float = 0.0, cold: float = 0.0, gas: float = 0.0, **more: float
) -> Conditions:
    series = {"works_el_kw": el, "works_heat_kw": heat, "works_cold_kw": cold, "works_gas_kw": gas, **QUIET, **more}
    return station.conditions(series, {"cars": 10.0})


@pytest.fixture(scope="module")
def station(site: Site) -> Station:
    return Station.of(site)


def test_the_grid_brings_what_is_missing(station: Station) -> None:
    result = resolve(station, at(station, el=1000.0, pv_pu=0.25), {}, HALF, 0.25, {E: 40.0})
    assert result.power_kw["pv", E] == 500.0
    assert result.power_kw["pcc", E] == pytest.approx(1000.0 + 60.0 + 40.0 - 500.0)  # works, washer, losses, sun
    assert result.power_kw["works", Carrier.WATER] == -3.0


def test_the_tank_takes_the_engines_heat_and_gives_what_is_short(station: Station) -> None:
    charging = resolve(station, at(station, heat=100.0), {"chp": 800.0}, HALF, 0.25)
    assert charging.power_kw["tank", H] == pytest.approx(-800.0)
    assert charging.power_kw["chp", G] == -2000.0
    assert charging.stored_kwh["tank"] == pytest.approx(3000.0 * 0.997**0.25 + 200.0)
    giving = resolve(station, at(station, heat=1500.0), {"boiler": 500.0}, HALF, 0.25)
    assert giving.power_kw["tank", H] == pytest.approx(1000.0)
    assert giving.power_kw["boiler", H] == 500.0


def test_a_full_tank_throttles_the_boiler_and_then_blows_engine_heat_off(station: Station) -> None:
    full = HALF | {"tank": 6000.0}
    result = resolve(station, at(station, heat=100.0), {"chp": 800.0, "boiler": 1000.0}, full, 0.25)
    assert result.power_kw["boiler", H] == 0.0
    room_kw = 6000.0 * (1 - 0.997**0.25) / 0.25
    assert result.dumped_kw["chp", H] == pytest.approx(800.0 - room_kw)
    assert result.power_kw["chp", H] == pytest.approx(100.0 + room_kw)


def test_an_engine_without_radiator_stops_when_nobody_takes_its_heat(site: Site) -> None:
    chp = dataclasses.replace(site.of_kind(Chp)[0], heat_can_be_dumped=False)
    bare = dataclasses.replace(site, assets=tuple(chp if a.id == "chp" else a for a in site.assets))
    station = Station.of(bare)
    result = resolve(station, at(station, heat=100.0), {"chp": 800.0}, HALF | {"tank": 6000.0}, 0.25)
    assert result.power_kw["chp", E] == 0.0
    assert not result.dumped_kw


def test_an_empty_tank_calls_gas_boiler_then_electric_boiler_then_leaves_demand_short(station: Station) -> None:
    empty = HALF | {"tank": 0.0}
    result = resolve(station, at(station, heat=3800.0), {}, empty, 0.25)
    assert (result.power_kw["boiler", H], result.power_kw["heater", H]) == (3000.0, 500.0)
    assert result.unserved_kw == {("works", H): pytest.approx(300.0)}
    assert result.power_kw["works", H] == pytest.approx(-3500.0)


def test_cold_calls_compression_before_absorption(station: Station) -> None:
    result = resolve(station, at(station, cold=1900.0), {}, HALF | {"ice": 0.0}, 0.25)
    assert (result.power_kw["chiller", C], result.power_kw["absorber", C]) == (1500.0, pytest.approx(400.0))
    assert result.power_kw["chiller", E] == pytest.approx(-300.0)
    assert result.power_kw["absorber", H] == pytest.approx(-400.0 / 0.7)


def test_without_gas_engines_and_boilers_stand(station: Station) -> None:
    result = resolve(
        station, at(station, gas=700.0), {"chp": 800.0, "boiler": 900.0}, HALF, 0.25, out_of_service=["gate"]
    )
    assert result.power_kw["chp", E] == result.power_kw["boiler", H] == 0.0
    assert result.unserved_kw["works", G] == pytest.approx(700.0)


def test_an_island_sheds_load_and_stops_electric_heat(station: Station) -> None:
    controls = {"pump": 900.0, "chp": 300.0, "cars": -80.0, "chiller": 1000.0}
    result = resolve(station, at(station, el=2000.0), controls, HALF, 0.25, {E: 30.0}, ["pcc"])
    assert result.power_kw["pcc", E] == 0.0
    assert result.power_kw["cars", E] == 0.0
    assert result.unserved_kw["works", E] > 1000.0
    assert abs(imbalance(result, E)) < 1e-9


def test_an_island_with_too_much_sun_curtails_it(station: Station) -> None:
    result = resolve(station, at(station, el=500.0, pv_pu=1.0), {}, HALF, 0.25, out_of_service=["pcc"])
    assert result.power_kw["pv", E] == pytest.approx(560.0)


def test_a_dead_grid_has_no_losses(station: Station) -> None:
    result = resolve(station, at(station), {}, HALF, 0.25, {E: 50.0}, ["pcc", "washer"])
    assert result.losses_kw[E] == pytest.approx(0.0, abs=1e-9)


def test_a_cut_flexible_load_loses_its_energy_instead_of_putting_it_off(station: Station) -> None:
    result = resolve(station, at(station, el=500.0), {}, HALF, 0.25, out_of_service=["pcc"])
    assert result.unserved_kw["washer", E] == pytest.approx(60.0)
    assert result.stored_kwh["washer"] == pytest.approx(0.0)


def test_vehicles_draw_no_more_than_they_need(station: Station) -> None:
    result = resolve(station, at(station), {"cars": -500.0}, HALF | {"cars": 9.0}, 0.25)
    assert result.power_kw["cars", E] == pytest.approx(-40.0)  # 40 kW for a quarter of an hour at 0.9 is 9 kWh
    assert result.stored_kwh["cars"] == pytest.approx(0.0)


def imbalance(result: Balance, carrier: Carrier) -> float:
    return sum(p for (_, c), p in result.power_kw.items() if c is carrier) - result.losses_kw[carrier]


kw = st.floats(0.0, 6000.0)
any_kw = st.floats(-4000.0, 4000.0)
CONTROLS = (
    "chp",
    "boiler",
    "pump",
    "heater",
    "chiller",
    "absorber",
    "electrolyser",
    "battery",
    "cars",
    "washer",
    "pv",
    "wind",
)
ALL = ("pcc", "gate", *CONTROLS, "tank", "ice", "works")


@settings(max_examples=300, deadline=None)
@given(
    demand=st.tuples(kw, kw, kw, kw),
    sun=st.floats(0.0, 1.1),
    control=st.dictionaries(st.sampled_from(CONTROLS), any_kw),
    share=st.tuples(*[st.floats(0.0, 1.0)] * 3),
    ahead=st.floats(-100.0, 100.0),
    loss=st.tuples(*[st.floats(0.0, 100.0)] * 4),
    off=st.sets(st.sampled_from(ALL), max_size=6),
    step_h=st.sampled_from([1 / 60, 0.25, 1.0]),
    dumps=st.booleans(),
)
def test_every_carrier_closes_within_every_limit(
    site: Site, demand, sun, control, share, ahead, loss, off, step_h, dumps
) -> None:
    chp = dataclasses.replace(site.of_kind(Chp)[0], heat_can_be_dumped=dumps)
    station = dataclasses.replace(Station.of(site), chps=(chp,))
    el, heat, cold, gas = demand
    stored = {
        "battery": 2000 * share[0],
        "tank": 6000 * share[1],
        "ice": 3000 * share[2],
        "cars": 50.0,
        "washer": ahead,
    }
    conditions = at(station, el, heat, cold, gas, pv_pu=sun, wind_pu=sun)
    result = resolve(station, conditions, control, stored, step_h, dict(zip((E, H, G, C), loss, strict=True)), off)
    power = result.power_kw
    for carrier in ENERGY_CARRIERS:
        assert abs(imbalance(result, carrier)) < 1e-9
        assert -1e-9 <= result.losses_kw[carrier] <= 1e-9 + dict(zip((E, H, G, C), loss, strict=True)).get(carrier, 0.0)
    assert all(v >= 0 for v in (*result.unserved_kw.values(), *result.dumped_kw.values()))
    assert all(power[a, c] == 0.0 for a, c in power if a in off)
    for store in station.stores:
        before = stored[store.id] * store.kept_share(step_h)
        assert min(before, store.stored_min_kwh) - 1e-6 <= result.stored_kwh[store.id]
        assert result.stored_kwh[store.id] <= max(before, store.stored_max_kwh) + 1e-6
        assert -store.charge_max_kw - 1e-9 <= power[store.id, store.control] <= store.discharge_max_kw + 1e-9
    for unit, top in (("boiler", 3000.0), ("pump", 900.0), ("heater", 500.0), ("chp", 900.0)):
        assert 0.0 <= power[unit, H] <= top + 1e-9
    assert 0.0 <= power["chiller", C] <= 1500.0
    assert 0.0 <= power["absorber", C] <= 500.0
    assert -4000.0 - 1e-6 <= power["pcc", E] <= 8000.0
    assert 0.0 <= power["gate", G] <= 10000.0
    assert 0.0 <= power["pv", E] <= 2000.0 * sun + 1e-9
    assert -100.0 - 1e-6 <= result.stored_kwh["washer"] <= 100.0 + 1e-6
    assert result.stored_kwh["cars"] >= 0.0
