"""The emulated plant: closed balances, stated deviations, repeatable days, units that take their time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.emulators.deviations import deviated
from hil.emulators.pipes import pipe_loss_kw
from hil.emulators.plant import EmulatedPlant
from hil.emulators.sensors import Sensors
from hil.emulators.units import Unit
from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import Chp, EvFleet
from models.horizon import Horizon
from models.networks.electricity import solve_electricity
from models.networks.heat import solve_heat
from models.site import Site
from tests.hil.emulated_site import emulated_site, equipment

START = datetime(2015, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return emulated_site(tmp_path_factory.mktemp("emulated"))


def imbalance_kw(truth: xr.Dataset) -> xr.DataArray:
    """Return what is left of each carrier's balance at every step: feeds and draws less losses; dims (carrier, time)."""
    rest = truth.power_kw.sum("asset") - truth.losses_kw
    return rest.sel(carrier=[c.value for c in ENERGY_CARRIERS])


def energy_kwh(truth: xr.Dataset) -> dict[str, float]:
    """Return the energy fed into each carrier over a log of minutes, in kWh."""
    fed = truth.power_kw.clip(min=0.0).sum(("asset", "time")) * (MINUTE / HOUR)
    return {c.value: float(fed.sel(carrier=c.value)) for c in ENERGY_CARRIERS}


def commanded(plant: EmulatedPlant, hours: int, seed: int) -> None:
    """Command every unit at random each quarter of an hour, beyond its limits at times."""
    rng = np.random.default_rng(seed)
    for quarter in range(4 * hours):
        for name in plant.units:
            plant.command(name, None if rng.uniform() < 0.2 else float(rng.uniform(-900, 1600)))
        plant.advance(plant.start + (quarter + 1) * 15 * MINUTE)


def test_every_carriers_balance_closes_whatever_is_commanded(site: Site) -> None:
    plant = EmulatedPlant(site, 3, START)
    commanded(plant, 12, seed=5)
    truth = plant.log.dataset()
    assert len(truth.time) == 720
    assert float(abs(imbalance_kw(truth)).max()) < 1e-6
    moved = energy_kwh(truth)
    assert all(moved[c] > 1000 for c in ("electricity", "heat", "gas", "cold"))
    assert float(truth.dumped_kw.sel(carrier="hydrogen").sum()) > 10  # nobody takes it here


def test_stores_hold_what_went_through_their_ports(site: Site) -> None:
    plant = EmulatedPlant(site, 4, START)
    commanded(plant, 6, seed=1)
    truth = plant.log.dataset()
    battery = plant.own_site.asset("battery")
    power = truth.power_kw.sel(asset="battery", carrier="electricity").values
    stored = truth.stored_kwh.sel(asset="battery").values
    before = np.concatenate([[0.5 * battery.energy_kwh], stored[:-1]])
    expected = [battery.stored_after(s, p, 1 / 60) for s, p in zip(before, power, strict=True)]
    np.testing.assert_allclose(stored, expected, atol=1e-9)
    assert np.abs(power).max() > 100
    assert stored.min() >= battery.stored_min_kwh - 1e-9


def test_the_public_grid_covers_what_the_power_flow_says(site: Site) -> None:
    plant = EmulatedPlant(site, 2, START)
    plant.advance(START + 9 * HOUR)
    power = plant.balance.power_kw
    at_south = sum(p for (a, c), p in power.items() if c is Carrier.ELECTRICITY and a != "pcc")
    works_kvar = plant.reactive_kvar("works")
    time = {"bus": ["south"], "time": [0]}
    p_kw = xr.DataArray([[at_south]], time, ("bus", "time"))
    flow = solve_electricity(plant.own_site.networks.electricity[0], p_kw, xr.full_like(p_kw, works_kvar))
    assert power["pcc", Carrier.ELECTRICITY] == pytest.approx(float(flow.slack_p_kw[0]), abs=1e-6)
    assert plant.reactive_kvar("pcc") == pytest.approx(float(flow.slack_q_kvar[0]), abs=1e-6)
    assert plant.voltage_pu("grid", "south") == pytest.approx(float(flow.vm_pu.sel(bus="south")[0]), abs=1e-9)


def test_pipes_lose_and_cool_as_their_network_says(site: Site) -> None:
    plant = EmulatedPlant(site, 2, START)
    plant.advance(START + 9 * HOUR)
    network = plant.own_site.networks.heat[0]
    quarter = Horizon.uniform(START + 8.75 * HOUR, START + 9 * HOUR)
    demand = float(plant.actuals.means(quarter).sel(series="works_heat_kw")[0])
    flow = solve_heat(
        network, xr.DataArray([[demand]], {"consumer": ["heat_works"], "time": [0]}, ("consumer", "time"))
    )
    assert plant.balance.losses_kw[Carrier.HEAT] == pytest.approx(float(flow.loss_kw[0]), rel=1e-6)
    assert flow.loss_kw[0] > 500 * 0.3 * (75 + 45) / 1e3 * 1.09  # the insulation is worse than stated
    supply, back = plant.pipes[0].degc("heat_works")
    assert supply == pytest.approx(float(flow.supply_degc.sel(junction="heat_works")[0]), abs=1e-6)
    assert back < supply < network.supply_degc
    assert plant.balance.losses_kw[Carrier.COLD] > 0


def test_a_network_without_a_solution_has_its_rated_losses(site: Site) -> None:
    narrow = replace(site.networks.heat[0], pipes=(replace(site.networks.heat[0].pipes[0], inner_diameter_mm=20.0),))
    plant = EmulatedPlant(replace(site, networks=replace(site.networks, heat=(narrow,))), 2, START)
    assert plant.balance.losses_kw[Carrier.HEAT] == pytest.approx(pipe_loss_kw(plant.own_site.networks.heat[0]))
    assert plant.pipes[0].degc("heat_works") == (85.0, 55.0)


def test_deviations_are_bounded_stated_and_complete(site: Site) -> None:
    own, stated = deviated(site, seed=9)
    by_place = {(d.place, d.parameter): d for d in stated}
    assert by_place["networks.heat_pipes.pipes.trunk", "heat_loss_w_per_m_k"].share == pytest.approx(0.15, abs=0.05)
    assert abs(by_place["assets.pump", "cop_rated"].share) <= 0.05
    assert abs(by_place["assets.tank", "energy_kwh"].share) <= 0.10
    assert own.asset("pump").cop_rated == by_place["assets.pump", "cop_rated"].actual
    untouched = replace(
        own.asset("tank"), **{p: d.stated for (place, p), d in by_place.items() if place == "assets.tank"}
    )
    assert untouched == site.asset("tank")
    for kept in ("pcc", "gate", "works", "washer"):
        assert own.asset(kept) == site.asset(kept)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_no_seed_makes_energy_from_nothing(seed: int) -> None:
    site = Site(
        name="x", title="x", notice="", currency="CNY", location=None, nodes=(), assets=equipment(),  # type: ignore[arg-type]
        networks=emulated_networks(), contracts=(), customers=(), devices=(), profiles=None, folder=Path(),
    )  # fmt: skip
    own, stated = deviated(site, seed)
    chp = own.asset("chp").part_load
    assert all(f > p + h for f, p, h in zip(chp.fuel_kw, chp.power_kw, chp.heat_kw, strict=True))
    assert own.asset("heater").efficiency < 1.0
    assert own.asset("boiler").efficiency < 1.0
    assert (own, stated) == deviated(site, seed)


def emulated_networks():
    from tests.hil.emulated_site import networks

    return networks()


def test_one_more_asset_changes_nobody_elses_deviation(site: Site) -> None:
    fewer = replace(site, assets=tuple(a for a in site.assets if a.id != "battery"))
    assert set(deviated(fewer, 5)[1]) == {d for d in deviated(site, 5)[1] if d.place != "assets.battery"}


def test_same_seed_same_bytes_however_time_is_cut(site: Site) -> None:
    one, other = EmulatedPlant(site, 7, START, outages=True), EmulatedPlant(site, 7, START, outages=True)
    one.advance(START + 5 * HOUR)
    for k in range(1, 5 * 60 * 2 + 1):
        other.advance(START + k * timedelta(seconds=30))
    for name, values in one.log.dataset().data_vars.items():
        assert values.values.tobytes() == other.log.dataset()[name].values.tobytes()
    different = EmulatedPlant(site, 8, START)
    different.advance(START + 5 * HOUR)
    assert not np.array_equal(different.log.dataset().power_kw, one.log.dataset().power_kw)


def test_time_moves_in_whole_steps(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START, step_s=20.0)
    assert plant.advance(START + timedelta(seconds=59)) == 2
    assert plant.now == START + timedelta(seconds=40)
    assert plant.advance(START) == 0
    with pytest.raises(ValueError, match="plant step"):
        EmulatedPlant(site, 1, START, step_s=900.0)


def engine() -> Unit:
    return Unit(next(a for a in equipment() if isinstance(a, Chp)))


def run(unit: Unit, minutes: int, start: int = 0) -> list[float]:
    powers = []
    for k in range(start, start + minutes):
        unit.follow(60.0 * k, 60.0)
        powers.append(unit.actual_kw)
    return powers


def test_an_engine_starts_slowly_and_ramps() -> None:
    unit = engine()
    unit.wanted_kw = 800.0
    powers = run(unit, 20)
    assert powers[:2] == [0.0, 0.0]  # two minutes to synchronise
    assert powers[2] == 200.0
    assert max(np.diff(powers[2:])) <= 60.0 + 1e-9
    assert powers[-1] == pytest.approx(800.0, abs=1.0)
    assert unit.starts == 1


def test_an_engine_keeps_its_minimum_run_and_rest() -> None:
    unit = engine()
    unit.wanted_kw = 800.0
    run(unit, 15)
    unit.wanted_kw = 0.0
    powers = run(unit, 60, 15)
    assert powers[30] == pytest.approx(200.0, abs=1.0)  # held at lowest load until its hour is over
    assert powers[-1] == 0.0
    unit.wanted_kw = 800.0
    again = run(unit, 40, 75)
    assert again[5] == 0.0  # half an hour of rest
    assert again[-1] > 200.0
    assert unit.starts == 2


def test_too_little_to_run_on_means_stand_or_lowest_load() -> None:
    unit = engine()
    unit.wanted_kw = 90.0
    assert run(unit, 10)[-1] == 0.0
    unit.wanted_kw = 110.0
    assert run(unit, 20, 10)[-1] == 200.0


def test_units_follow_with_their_lag(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START)
    plant.command("battery", -400.0)
    plant.command("heater", 400.0)
    plant.command("pump", 600.0)
    plant.advance(START + 2 * MINUTE)
    power = plant.balance.power_kw
    assert power["battery", Carrier.ELECTRICITY] == pytest.approx(-400.0)
    assert power["heater", Carrier.HEAT] > 300.0
    assert 0.0 < power["pump", Carrier.HEAT] < 400.0
    plant.advance(START + 30 * MINUTE)
    assert plant.balance.power_kw["pump", Carrier.HEAT] == pytest.approx(600.0, rel=1e-3)


def test_a_failed_unit_stands_and_a_repaired_one_returns(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START)
    plant.command("battery", 300.0)
    plant.advance(START + 5 * MINUTE)
    plant.fail("battery")
    plant.advance(START + 10 * MINUTE)
    assert plant.balance.power_kw["battery", Carrier.ELECTRICITY] == 0.0
    plant.repair("battery")
    plant.advance(START + 15 * MINUTE)
    assert plant.balance.power_kw["battery", Carrier.ELECTRICITY] == pytest.approx(300.0)


def test_random_outages_happen_and_end(site: Site) -> None:
    bare = replace(site, networks=replace(site.networks, electricity=()))
    plant = EmulatedPlant(bare, 11, START, step_s=300.0, outages=True)
    down = set()
    for hour in range(1, 24 * 4):
        plant.advance(START + hour * HOUR)
        down |= plant.out_of_service
    assert down
    assert down - plant.out_of_service


def test_vehicles_come_charge_and_go(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START, step_s=300.0)
    plant.advance(START + 10 * HOUR)
    park = plant.parks["cars"]
    assert park.plugged == 20
    plant.advance(START + 23 * HOUR)
    assert park.plugged == 0
    assert park.short_kwh < 1.0
    charged = -float(plant.log.dataset().power_kw.sel(asset="cars", carrier="electricity").sum()) / 12
    fleet = plant.own_site.asset("cars")
    assert isinstance(fleet, EvFleet)
    assert 20 * 20 * 0.7 < charged * fleet.efficiency < 20 * 20 * 1.2


def test_vehicles_that_may_not_charge_leave_short(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START, step_s=300.0)
    plant.command("cars", 0.0)
    plant.advance(START + 23 * HOUR)
    assert plant.parks["cars"].short_kwh > 20 * 20 * 0.7


def test_a_start_at_noon_finds_vehicles_half_charged(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START + 12 * HOUR)
    plant.advance(plant.start + MINUTE)
    assert plant.parks["cars"].plugged == 20
    assert plant.parks["cars"].need_kwh < 20 * 20 * 1.2 * 0.6


def test_initial_content_is_what_was_asked(site: Site) -> None:
    plant = EmulatedPlant(site, 1, START, stored_share={"tank": 0.9, "battery": 0.0})
    assert plant.stored_kwh["tank"] == pytest.approx(0.9 * plant.own_site.asset("tank").energy_kwh)
    assert plant.stored_kwh["battery"] == pytest.approx(0.1 * plant.own_site.asset("battery").energy_kwh)


def test_instruments_have_a_lasting_error_and_fresh_noise() -> None:
    points = [("works", "electricity_kw"), ("works", "electricity_import_kwh"), ("works", "running")]
    sensors = Sensors(points, seed=3)
    truth = np.array([1000.0, 5000.0, 1.0])
    shown = np.array([sensors.show(truth) for _ in range(400)])
    assert np.std(shown[:, 0]) == pytest.approx(0.82, rel=0.2)
    assert np.mean(shown[:, 0]) / 1000 == pytest.approx(sensors.gain[0], abs=2e-4)
    assert sensors.gain[0] == sensors.gain[1] != 1.0  # one meter, one gain
    assert set(shown[:, 2]) == {1.0}
    assert len(set(shown[:, 1])) == 1  # a counter does not jitter
    assert sensors.show(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
