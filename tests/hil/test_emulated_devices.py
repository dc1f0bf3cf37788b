"""Emulated devices as their master sees them: limits, refusals, timers, faults; no sockets."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.codec import BlockDecoder, decode_one, encode
from hil.emulators.bank import DeviceBank
from hil.emulators.devices import EmulatedDevice, Refusal
from hil.emulators.image import Encoder, Memory
from hil.emulators.plant import EmulatedPlant
from hil.maps import shipped_maps
from hil.maps.types import DataType, Point, RegisterMap, Table, WordOrder
from models.carriers import Carrier
from models.site import Site
from tests.hil.emulated_site import emulated_site

START = datetime(2015, 1, 5, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return emulated_site(tmp_path_factory.mktemp("devices"))


@pytest.fixture
def bank(site: Site) -> DeviceBank:
    return DeviceBank(site, EmulatedPlant(site, 5, START))


def value(device: EmulatedDevice, quantity: str, at: datetime = START) -> float:
    point = device.map.point(quantity)
    words = device.read(point.table, point.address, point.registers, at)
    assert not isinstance(words, Refusal)
    return decode_one(point, words)


def put(
    device: EmulatedDevice, quantity: str, number: float, at: datetime = START, function: int = 16
) -> Refusal | None:
    point = device.map.point(quantity)
    return device.write(function, point.table, point.address, encode(point, number), at)


def enable_battery(device: EmulatedDevice, power_kw: float, at: datetime = START, revert_s: float = 600) -> None:
    for quantity, number in (
        ("setpoint_mode", 1),
        ("setpoint_revert_s", revert_s),
        ("setpoint_enabled", 1),
        ("setpoint_kw", power_kw),
    ):
        assert put(device, quantity, number, at) is None


def power(bank: DeviceBank, asset: str) -> float:
    return bank.plant.power_kw((asset, Carrier.ELECTRICITY))


def test_every_shipped_map_is_emulated(site: Site) -> None:
    assert {d.map for d in site.devices} == set(shipped_maps())


def test_registers_show_what_the_instruments_show(bank: DeviceBank) -> None:
    bank.refresh(START + 7 * MINUTE)
    checked = 0
    for name, values in bank.readings().items():
        device = bank.devices[name]
        for quantity, shown in values:
            point = device.map.point(quantity)
            step = abs(point.linear.factor) if not point.type.is_float else 1e-6 * max(abs(shown), 1e-3)
            assert value(device, quantity) == pytest.approx(shown, abs=0.51 * step + 1e-5), (name, quantity)
            checked += 1
    assert checked > 120


def test_instruments_are_near_the_truth_and_not_the_truth(bank: DeviceBank) -> None:
    bank.refresh(START + 30 * MINUTE)
    truth = bank.plant.power_kw(("works", Carrier.HEAT))
    shown = value(bank.devices["works"], "heat_kw")
    assert shown != truth
    assert shown == pytest.approx(truth, rel=0.04)
    assert value(bank.devices["works"], "heat_kwh") == pytest.approx(
        bank.plant.drawn_kwh["works", Carrier.HEAT], rel=0.04
    )


def test_counters_never_fall_and_imports_are_the_sites(bank: DeviceBank) -> None:
    seen: list[list[float]] = []
    for k in range(1, 30):
        bank.refresh(START + k * MINUTE)
        seen.append([value(bank.devices[d], q) for d, q in (("pcc", "electricity_import_kwh"), ("works", "water_m3"))])
    assert (np.diff(np.array(seen), axis=0) >= 0).all()
    assert seen[-1][0] > 200.0


def test_a_set_point_moves_the_plant_only_with_its_switches_on(bank: DeviceBank) -> None:
    battery = bank.devices["battery"]
    assert put(battery, "setpoint_kw", 200.0) is None
    bank.refresh(START + 2 * MINUTE)
    assert power(bank, "battery") == 0.0
    enable_battery(battery, 200.0)
    bank.refresh(START + 4 * MINUTE)
    assert power(bank, "battery") == pytest.approx(200.0)
    assert value(battery, "electricity_kw") == pytest.approx(200.0, rel=0.02)
    assert put(battery, "setpoint_enabled", 0) is None
    bank.refresh(START + 6 * MINUTE)
    assert power(bank, "battery") == 0.0


@pytest.mark.parametrize(
    ("device", "number"),
    [("battery", 700.0), ("battery", -600.0), ("chp", 900.0), ("boiler", 2500.0), ("cars", -400.0)],
)
def test_numbers_beyond_the_devices_limits_are_refused(bank: DeviceBank, device: str, number: float) -> None:
    before = value(bank.devices[device], "setpoint_kw")
    assert put(bank.devices[device], "setpoint_kw", number) is Refusal.ILLEGAL_VALUE
    assert value(bank.devices[device], "setpoint_kw") == before
    assert bank.devices[device].records[-1].outcome == "refused"


def test_a_rounding_of_the_rating_is_no_breach(bank: DeviceBank) -> None:
    assert put(bank.devices["chp"], "setpoint_kw", 800.1) is None
    assert bank.plant.units["chp"].wanted_kw == 800.0


def test_measured_points_gaps_and_strangers_are_refused(bank: DeviceBank) -> None:
    battery, chp = bank.devices["battery"], bank.devices["chp"]
    assert battery.write(16, Table.HOLDING, 40092, [0, 0], START) is Refusal.ILLEGAL_ADDRESS
    assert battery.write(6, Table.HOLDING, 40000, [1], START) is Refusal.ILLEGAL_ADDRESS
    assert chp.write(6, Table.HOLDING, 0x4103, [1], START) is Refusal.ILLEGAL_ADDRESS
    assert chp.write(6, Table.HOLDING, 9, [1], START) is Refusal.ILLEGAL_ADDRESS
    assert battery.read(Table.HOLDING, 39990, 20, START) is Refusal.ILLEGAL_ADDRESS
    assert battery.read(Table.INPUT, 40000, 2, START) is Refusal.ILLEGAL_ADDRESS


def test_half_a_number_is_refused(bank: DeviceBank) -> None:
    assert bank.devices["battery"].write(6, Table.HOLDING, 40220, [0], START) is Refusal.ILLEGAL_VALUE


def test_a_group_is_written_in_one_request(bank: DeviceBank) -> None:
    battery = bank.devices["battery"]
    words = [1, 1, *encode(battery.map.point("setpoint_kw"), -150.0)]
    assert battery.write(16, Table.HOLDING, 40218, words, START) is None
    bank.refresh(START + 2 * MINUTE)
    assert power(bank, "battery") == pytest.approx(-150.0)


def test_some_devices_take_function_16_only(bank: DeviceBank) -> None:
    pump = bank.devices["pump"]
    assert put(pump, "setpoint_kw", 300.0, function=6) is Refusal.ILLEGAL_FUNCTION
    assert put(pump, "setpoint_kw", 300.0) is None


def test_silence_makes_a_battery_stand_and_a_limit_go(bank: DeviceBank) -> None:
    enable_battery(bank.devices["battery"], 250.0)
    pv = bank.devices["pv"]
    for quantity, number in (("setpoint_revert_s", 900), ("setpoint_enabled", 1), ("setpoint_kw", 0.0)):
        assert put(pv, quantity, number) is None
    bank.refresh(START + 5 * MINUTE)
    assert power(bank, "battery") == pytest.approx(250.0)
    assert power(bank, "pv") == 0.0
    bank.refresh(START + 12 * MINUTE)
    assert power(bank, "battery") == 0.0
    assert value(bank.devices["battery"], "setpoint_kw") == 0.0
    assert power(bank, "pv") == 0.0
    at = START + 5 * timedelta(hours=1)
    bank.refresh(at)
    assert power(bank, "pv") > 100.0
    assert value(pv, "setpoint_enabled") == 0.0


def test_writing_again_feeds_the_timer(bank: DeviceBank) -> None:
    enable_battery(bank.devices["battery"], 50.0)
    for minute in (5, 10, 15):
        assert put(bank.devices["battery"], "setpoint_kw", 50.0, START + minute * MINUTE) is None
        bank.refresh(START + minute * MINUTE)
    assert power(bank, "battery") == pytest.approx(50.0)
    bank.refresh(START + 26 * MINUTE)
    assert power(bank, "battery") == 0.0


def test_a_timer_of_zero_never_reverts(bank: DeviceBank) -> None:
    enable_battery(bank.devices["battery"], 20.0, revert_s=0)
    bank.refresh(START + 90 * MINUTE)
    assert power(bank, "battery") == pytest.approx(20.0)


def test_released_vehicles_charge_again(bank: DeviceBank) -> None:
    cars = bank.devices["cars"]
    assert put(cars, "setpoint_kw", 0.0, START + 180 * MINUTE) is None
    bank.refresh(START + 185 * MINUTE)
    assert power(bank, "cars") == 0.0
    bank.refresh(START + 192 * MINUTE)
    assert power(bank, "cars") < -10.0
    assert value(cars, "setpoint_kw") == -200.0


def test_acknowledged_without_effect(bank: DeviceBank) -> None:
    boiler = bank.devices["boiler"]
    boiler.faults.ignores_writes = True
    assert put(boiler, "setpoint_kw", 1000.0) is None
    assert value(boiler, "setpoint_kw") == 0.0
    assert [r.outcome for r in boiler.records] == ["ignored"]


def test_clamped_without_a_word(bank: DeviceBank) -> None:
    boiler = bank.devices["boiler"]
    boiler.faults.clamps = True
    assert put(boiler, "setpoint_kw", 2600.0) is None
    assert value(boiler, "setpoint_kw") == 2000.0
    assert boiler.records[-1].outcome == "clamped"


def test_a_frozen_device_shows_the_past_and_thaws(bank: DeviceBank) -> None:
    works = bank.devices["works"]
    bank.refresh(START + MINUTE)
    works.freeze()
    frozen = works.read(Table.INPUT, 0, 30, START + MINUTE)
    bank.refresh(START + 20 * MINUTE)
    assert works.read(Table.INPUT, 0, 30, START + 20 * MINUTE) == frozen
    works.freeze(False)
    assert works.read(Table.INPUT, 0, 30, START + 20 * MINUTE) != frozen


def test_heartbeats_move_between_refreshes(bank: DeviceBank) -> None:
    beats = [value(bank.devices["works"], "heartbeat", START + k * SECOND) for k in range(5)]
    assert (np.diff(beats) == 10).all()


def test_what_nobody_measures_says_so(site: Site) -> None:
    works = site.asset("works")
    dry = replace(works, demands=tuple(d for d in works.demands if d.carrier is not Carrier.WATER))
    site = replace(site, assets=tuple(dry if a.id == "works" else a for a in site.assets))
    bank = DeviceBank(site, EmulatedPlant(site, 5, START))
    assert np.isnan(value(bank.devices["works"], "water_m3_per_h"))
    assert not np.isnan(value(bank.devices["works"], "heat_kw"))


def test_same_seed_same_registers(site: Site) -> None:
    def day() -> bytes:
        bank = DeviceBank(site, EmulatedPlant(site, 5, START))
        shown = b""
        for k in range(1, 30):
            bank.refresh(START + k * MINUTE)
            shown += bank.values.tobytes()
        return shown

    assert day() == day()


NUMBERS = st.sampled_from(
    [
        DataType.INT16,
        DataType.UINT16,
        DataType.INT32,
        DataType.UINT32,
        DataType.INT64,
        DataType.UINT64,
        DataType.FLOAT32,
        DataType.FLOAT64,
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NUMBERS, st.sampled_from(WordOrder), st.sampled_from([0.1, 1.0, 2.5])), min_size=1, max_size=12),
    st.data(),
)
def test_what_is_encoded_together_decodes_alike(
    kinds: Sequence[tuple[DataType, WordOrder, float]], data: st.DataObject
) -> None:
    points, at = [], 7
    for number, (kind, order, scale) in enumerate(kinds):
        points.append(Point(quantity=f"q{number}", address=at, type=kind, order=order, scale=scale))
        at = points[-1].end
    found = RegisterMap(name="x", title="x", source="x", kinds=("meter",), points=tuple(points))
    memory = Memory([found])
    values = np.array(data.draw(st.lists(st.floats(0, 3000), min_size=len(points), max_size=len(points))))
    Encoder([(0, p) for p in points], memory).put(values)
    image = memory.claim(0)[Table.HOLDING]
    back = BlockDecoder(points, 7).decode(image.read(7, at - 7))
    for point, sent, got in zip(points, values, back, strict=True):
        step = 1e-6 * max(abs(sent), 1e-30) if point.type.is_float else 0.5 * point.scale
        assert abs(sent - got) <= step * (1 + 1e-6) + 1e-30


def test_numbers_too_large_for_a_register_stop_at_its_end() -> None:
    points = [Point(quantity="a", address=0, type=DataType.INT16), Point(quantity="b", address=1, type=DataType.UINT64)]
    memory = Memory([RegisterMap(name="x", title="x", source="x", kinds=("meter",), points=tuple(points))])
    Encoder([(0, p) for p in points], memory).put(np.array([1e9, 1e30]))
    image = memory.claim(0)[Table.HOLDING]
    assert image.read(0, 1) == [0x7FFF]
    assert image.read(1, 1) == [0xFFFF]
