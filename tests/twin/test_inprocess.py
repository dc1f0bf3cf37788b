"""The twin as a plant: what it shows, what it is told, what it refuses."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from models.ports import Command, Outcome, Plant, Quality
from models.site import Site
from twin.inprocess import TwinPlant
from twin.simulate import Happening, Reliability
from twin.state import powers_of, start_snapshot, stored_of
from twin.sync import Synchroniser

START = datetime(2015, 7, 13, 6, tzinfo=UTC)
SERIES = {
    "works_el_kw": 1000.0, "works_heat_kw": 500.0, "works_cold_kw": 300.0, "works_gas_kw": 100.0, "pv_pu": 0.25,
    "wind_pu": 0.1, "air_degc": 3.0, "washer_kw": 60.0, "works_water_m3_per_h": 2.0,
}  # fmt: skip


class Steady:
    def at(self, instant: datetime) -> Mapping[str, float]:
        return SERIES


class HandClock:
    """A clock that is set by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def plant_of(site: Site, **more: object) -> tuple[TwinPlant, HandClock]:
    clock = HandClock(START)
    return TwinPlant(site, Steady(), clock, start_snapshot(site, START), **more), clock  # type: ignore[arg-type]


def tell(plant: Plant, clock: HandClock, device: str, value: float, quantity: str = "setpoint_kw", life_s: float = 900):
    command = Command("c1", device, quantity, value, clock.at, "test", clock.at + timedelta(seconds=life_s))
    return asyncio.run(plant.write(command))


def shown(plant: Plant) -> dict[tuple[str, str], float]:
    return {(r.device.removesuffix("_device"), r.quantity): r.value for r in asyncio.run(plant.read())}


def test_readings_are_good_and_on_every_device(site: Site):
    plant, _ = plant_of(site)
    readings = asyncio.run(plant.read())
    assert {r.device for r in readings} == {d.id for d in site.devices}
    assert {r.quality for r in readings} == {Quality.GOOD}
    found = shown(plant)
    assert found["works", "electricity_kw"] == -1000.0
    assert found["works", "water_m3_per_h"] == -2.0
    assert found["washer", "baseline_kw"] == -60.0
    assert 0.95 < found["works", "voltage_pu"] < 1.05


def test_a_synchroniser_sees_the_twins_own_state(site: Site):
    plant, clock = plant_of(site)
    tell(plant, clock, "chp_device", 500.0)
    clock.at += timedelta(minutes=30)
    seen = Synchroniser(site).snapshot(asyncio.run(plant.read()), clock.at)
    truth = plant.snapshot()
    assert powers_of(seen) == powers_of(truth)
    assert stored_of(seen) == stored_of(truth)


def test_a_command_is_followed_at_the_engines_ramp(site: Site):
    plant, clock = plant_of(site)
    receipt = tell(plant, clock, "chp_device", 800.0)
    assert (receipt.outcome, receipt.code, receipt.read_back) == (Outcome.APPLIED, "applied", 800.0)
    clock.at += timedelta(minutes=3)
    # lowest load, then 100 kW a minute; a step shows where it arrives
    assert shown(plant)["chp", "electricity_kw"] == pytest.approx(500.0)
    clock.at += timedelta(minutes=10)
    found = shown(plant)
    assert found["chp", "electricity_kw"] == 800.0
    assert found["chp", "running"] == 1.0
    assert tell(plant, clock, "chp_device", 800.0).code == "unchanged"


def test_an_hour_of_charging_fills_battery_and_counters(site: Site):
    plant, clock = plant_of(site)
    before = shown(plant)["battery", "stored_kwh"]
    tell(plant, clock, "battery_device", -200.0)
    clock.at += timedelta(hours=1)
    found = shown(plant)
    assert found["battery", "stored_kwh"] - before == pytest.approx(200.0 * 0.95)
    assert found["works", "electricity_import_kwh"] == pytest.approx(1000.0)
    assert found["works", "heat_kwh"] == pytest.approx(500.0)
    assert found["pcc", "electricity_import_kwh"] > 0.0


@pytest.mark.parametrize(
    ("device", "value", "quantity", "life_s", "code"),
    [
        ("chp_device", 900.0, "setpoint_kw", 900, "refused_limit"),
        ("tank_device", 100.0, "setpoint_kw", 900, "refused_device"),
        ("nobody", 1.0, "setpoint_kw", 900, "refused_device"),
        ("chp_device", 500.0, "setpoint_kw", -1, "refused_expired"),
        ("chp_device", 500.0, "frequency_hz", 900, "refused_device"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(site: Site, device, value, quantity, life_s, code):
    plant, clock = plant_of(site)
    receipt = tell(plant, clock, device, value, quantity, life_s)
    assert (receipt.outcome, receipt.code) == (Outcome.NO, code)
    assert len(receipt.message) > 20


def test_a_unit_that_fails_stands_and_refuses(site: Site):
    plant, clock = plant_of(site, reliability={"chp": Reliability(mean_up_h=1.0, mean_repair_h=100.0)}, seed=3)
    tell(plant, clock, "chp_device", 800.0)
    clock.at += timedelta(hours=12)
    assert shown(plant)["chp", "electricity_kw"] == 0.0
    assert plant.events[0].what is Happening.FAILS or any(e.what is Happening.FAILS for e in plant.events)
    assert tell(plant, clock, "chp_device", 500.0).code == "refused_device"


def test_vehicles_charge_as_they_come_until_told_otherwise(site: Site):
    plant, clock = plant_of(site)
    clock.at = START + timedelta(hours=2, minutes=2)  # 08:02
    found = shown(plant)
    assert found["cars", "vehicles"] == 20.0
    assert found["cars", "electricity_kw"] == pytest.approx(-200.0)
    tell(plant, clock, "cars_device", -50.0)
    clock.at += timedelta(minutes=2)
    assert shown(plant)["cars", "electricity_kw"] == pytest.approx(-50.0)


def test_a_day_conserves_energy_on_every_carrier(site: Site):
    plant, clock = plant_of(site)
    tell(plant, clock, "chp_device", 600.0)
    for hour in range(1, 25):
        clock.at = START + timedelta(hours=hour)
        snapshot = plant.snapshot()
        balance = snapshot.power_kw.sum("asset")
        lost = float(snapshot.networks["grid_20kv"]["loss_kw"])
        assert float(balance.sel(carrier="electricity")) == pytest.approx(lost, abs=1e-6)
        assert float(balance.sel(carrier="heat")) == pytest.approx(0.0, abs=1e-6)
