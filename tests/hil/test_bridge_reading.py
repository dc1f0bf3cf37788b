import asyncio
import math
from datetime import UTC, datetime

import pytest
from pymodbus.pdu import DecodePDU

from hil.bridge import Bridge, DeviceBack, DeviceFrozen, DeviceLost, PointDisabled, WrongDevice
from hil.bridge.answers import CountedRtu
from hil.bridge.link import Link
from hil.bridge.polled import PolledDevice
from hil.checksum import crc16
from hil.clocks import RealClock
from hil.maps.types import DataType, Point, RegisterMap, Table
from models.errors import AnswerError
from models.ports import Quality
from models.site import Device

WHOLE = b"\x01\x03\x02\x00\x07" + crc16(b"\x01\x03\x02\x00\x07")
"""An answer of one register, as RTU frames carry it."""


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 20))


def by_quantity(readings, device):
    return {r.quantity: r for r in readings if r.device == device}


async def until(condition, seconds=4.0):
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return False


def test_values_arrive_in_kw_with_their_sign_turned_to_the_network(bench):
    async def scenario():
        scripted, found = await bench.add("chp")
        for quantity, value in (("electricity_kw", 420.0), ("gas_kw", -1180.5), ("heat_kw", 510.25)):
            scripted.put(found.point(quantity), value)
        async with Bridge(bench.site, RealClock()) as bridge:
            seen = by_quantity(await bridge.read(), "chp")
        await scripted.stop()
        return seen

    seen = run(scenario())
    assert [seen[q].value for q in ("electricity_kw", "gas_kw", "heat_kw")] == [420.0, -1180.5, 510.25]
    assert seen["heat_kw"].quality is Quality.GOOD
    assert seen["heat_kw"].received_at >= seen["heat_kw"].measured_at


def test_registers_are_read_in_few_blocks(bench):
    async def scenario():
        scripted, found = await bench.add("factory", poll_s=30)
        async with Bridge(bench.site, RealClock()) as bridge:
            await bridge.read()
        await scripted.stop()
        return scripted.requests, found

    requests, found = run(scenario())
    assert len(requests) <= 2
    assert {p.quantity for p in found.points}.isdisjoint({"heat_kw", "gas_kw", "cold_kw", "water_m3"})


def test_a_silent_device_turns_uncertain_then_bad_and_comes_back_by_itself(bench):
    async def scenario():
        events = []
        scripted, _ = await bench.add("chp", poll_s=0.5)
        async with Bridge(bench.site, RealClock(), listener=events.append, timeout_s=0.1) as bridge:
            scripted.silent = True
            assert await until(lambda: bridge.quality("chp") is Quality.UNCERTAIN)
            held = by_quantity(await bridge.read(), "chp")["electricity_kw"]
            assert await until(lambda: bridge.quality("chp") is Quality.BAD)
            gone = by_quantity(await bridge.read(), "chp")["electricity_kw"]
            scripted.silent = False
            assert await until(lambda: bridge.quality("chp") is Quality.GOOD)
        await scripted.stop()
        return events, held, gone

    events, held, gone = run(scenario())
    assert not math.isnan(held.value) or held.quality is Quality.BAD
    assert math.isnan(gone.value)
    assert [type(e) for e in events] == [DeviceLost, DeviceBack]


def test_a_device_that_is_off_and_switched_on_later_is_found(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        port = bench.ports["chp"]
        await scripted.stop()
        async with Bridge(bench.site, RealClock(), timeout_s=0.2) as bridge:
            assert bridge.quality("chp") is Quality.BAD
            await scripted.start(port)
            assert await until(lambda: bridge.quality("chp") is Quality.GOOD, 8)
        await scripted.stop()

    run(scenario())


def test_one_dead_device_does_not_slow_the_others(bench):
    async def scenario():
        dead, _ = await bench.add("chp")
        alive, _ = await bench.add("battery")
        async with Bridge(bench.site, RealClock(), timeout_s=0.3) as bridge:
            dead.silent = True
            await asyncio.sleep(0.5)
            before = len(alive.requests)
            await asyncio.sleep(1.0)
            after = len(alive.requests)
            assert bridge.quality("battery") is Quality.GOOD
        await dead.stop()
        await alive.stop()
        return after - before

    assert run(scenario()) >= 8


@pytest.mark.parametrize(
    "bend",
    [
        lambda answer: bytes([4]) + answer[1:],
        lambda answer: answer[:1] + bytes([answer[1] - 2]) + answer[2:-2],
        lambda answer: bytes([0x84, 2]),
    ],
    ids=["another function", "fewer registers", "an exception of another function"],
)
def test_an_answer_that_does_not_fit_its_question_is_never_used(bench, bend):
    async def scenario():
        scripted, found = await bench.add("chp")
        scripted.put(found.point("heat_kw"), 100.0)
        async with Bridge(bench.site, RealClock(), timeout_s=0.2) as bridge:
            scripted.bend = bend
            scripted.put(found.point("heat_kw"), 999.0)
            assert await until(lambda: bridge.quality("chp") is not Quality.GOOD)
            seen = by_quantity(await bridge.read(), "chp")["heat_kw"]
            misfits = bridge.stats.misfits
        await scripted.stop()
        return seen, misfits

    seen, misfits = run(scenario())
    assert seen.value != 999.0
    assert misfits > 0


def test_late_answers_over_rtu_never_shift_the_values_of_later_reads(bench):
    async def scenario():
        scripted, found = await bench.add("chp", framer="rtu", poll_s=0.05)
        scripted.put(found.point("supply_degc"), 80.0)
        scripted.put(found.point("heat_kw"), 500.0)
        seen = []
        async with Bridge(bench.site, RealClock(), timeout_s=0.15) as bridge:
            scripted.delays = [0.0, 0.25, 0.0, 0.25, 0.0]
            for _ in range(40):
                readings = by_quantity(await bridge.read(), "chp")
                seen.append((readings["supply_degc"].value, readings["heat_kw"].value))
                await asyncio.sleep(0.04)
            misses = bridge.stats.misses
        await scripted.stop()
        return seen, misses

    seen, misses = run(scenario())
    assert misses >= 1
    assert all(pair == (80.0, 500.0) or all(math.isnan(x) for x in pair) for pair in seen)


@pytest.mark.parametrize("second", [b"\x83\x06", b"\x03\x02\x00\x07"], ids=["an exception", "the new answer"])
def test_an_old_answer_in_front_of_the_new_one_is_not_taken_over_rtu(second, bench):
    async def scenario():
        scripted, _ = await bench.add("chp", framer="rtu")
        plain = scripted._wrapped
        link = Link("127.0.0.1", bench.ports["chp"], "rtu", RealClock(), timeout_s=0.5)
        await link.read(1, Table.HOLDING, 10, 1)
        scripted._wrapped = lambda transaction, unit, body: plain(0, unit, body) + plain(0, unit, second)
        with pytest.raises(AnswerError, match="more than one answer"):
            await link.read(1, Table.HOLDING, 10, 1)
        assert not link.connected
        scripted._wrapped = plain
        await asyncio.sleep(0.25)
        assert await link.read(1, Table.HOLDING, 10, 1) == [0]
        link.close()
        await scripted.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("pieces", "heard"),
    [
        ([WHOLE], 1),
        ([WHOLE[:4], WHOLE], 1),
        ([WHOLE, WHOLE], 2),
        ([WHOLE + WHOLE], 2),
        ([WHOLE + WHOLE[:3]], 2),
        ([b"\x00\xff" + WHOLE], 0),
        ([WHOLE[:-1] + b"\x00"], 0),
    ],
    ids=["one", "one in two pieces", "two", "two in one piece", "one and a half", "noise in front", "damaged"],
)
def test_rtu_answers_are_counted_as_they_come(pieces, heard):
    framer = CountedRtu(DecodePDU(False))
    for piece in pieces:
        framer.handleFrame(piece, 1, 0)
    assert framer.heard == heard


def test_a_heartbeat_that_stands_still_makes_the_values_stale(bench):
    async def scenario():
        events = []
        scripted, _ = await bench.add("chp")
        async with Bridge(bench.site, RealClock(), listener=events.append) as bridge:
            scripted.heart = None
            assert await until(lambda: bridge.quality("chp") is Quality.STALE, 6)
        await scripted.stop()
        return events

    assert any(isinstance(e, DeviceFrozen) for e in run(scenario()))


def test_a_refused_register_costs_its_point_and_nothing_else(bench):
    async def scenario():
        events = []
        scripted, found = await bench.add("chp")
        scripted.put(found.point("heat_kw"), 55.0)
        scripted.refuse[3, found.point("return_degc").address] = 2
        async with Bridge(bench.site, RealClock(), listener=events.append) as bridge:
            assert await until(lambda: any(isinstance(e, PointDisabled) for e in events))
            await asyncio.sleep(0.3)
            seen = by_quantity(await bridge.read(), "chp")
            refused = list(scripted.requests[-6:])
        await scripted.stop()
        return seen, events, refused

    seen, events, refused = run(scenario())
    assert seen["heat_kw"].value == 55.0
    assert seen["return_degc"].quality is Quality.BAD
    assert [e.quantity for e in events if isinstance(e, PointDisabled)] == ["return_degc"]
    assert not any(a <= 0x4019 < a + n for _, a, n in refused)


def test_a_device_that_is_not_what_its_map_says_is_named_and_not_read(bench):
    async def scenario():
        events = []
        scripted, _ = await bench.add("battery")
        scripted.tables[3][40132] = 803
        async with Bridge(bench.site, RealClock(), listener=events.append) as bridge:
            seen = by_quantity(await bridge.read(), "battery")
        await scripted.stop()
        return seen, events

    seen, events = run(scenario())
    assert all(r.quality is Quality.BAD for r in seen.values())
    wrong = next(e for e in events if isinstance(e, WrongDevice))
    assert "battery base at holding 40132 reads 803 62 instead of 802 62" in wrong.words


def test_values_that_are_missing_for_hours_are_no_frozen_device():
    """A field at night: its noisy points answer with their code for no value, again and again."""
    noisy = tuple(
        Point(quantity=f"p{k}_kw", address=k, type=DataType.INT16, unit="kW", noisy=True, nan=-32768) for k in range(4)
    )
    found = RegisterMap(name="night", title="Night", source="made up", kinds=("meter",), points=noisy)
    device = PolledDevice(Device(id="d", asset="a", map="night"), found)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for second in range(60):
        device.take(device.blocks[0], [0x8000] * 4, float(second), noon, noon)
    assert not device.frozen
    for second in range(60, 70):
        device.take(device.blocks[0], [7, 8, 9, 10], float(second), noon, noon)
    assert device.frozen
