"""Emulated SunSpec devices, scanned by a walk written here from the specification and nothing of the product's."""

import asyncio
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from hil.clocks import ScaledClock
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.emulators.sunspec import LAYOUTS, blank
from tests.hil.emulated_site import emulated_site

START = datetime(2015, 1, 5, 10, tzinfo=UTC)
LENGTHS = {1: 66, 103: 50, 113: 60, 120: 26, 123: 24, 704: 65, 715: 7, 802: 62}


async def registers(client: AsyncModbusTcpClient, address: int, count: int) -> list[int]:
    answer = await client.read_holding_registers(address, count=count, device_id=1)
    assert not answer.isError(), answer
    assert len(answer.registers) == count
    return answer.registers


async def scan(client: AsyncModbusTcpClient) -> dict[int, list[int]]:
    """Return the registers of every model by its id."""
    assert b"".join(r.to_bytes(2, "big") for r in await registers(client, 40000, 2)) == b"SunS"
    found: dict[int, list[int]] = {}
    at = 40002
    while True:
        model, length = await registers(client, at, 2)
        if model == 0xFFFF:
            assert length == 0
            return found
        found[model] = await registers(client, at + 2, length)
        at += 2 + length


def text(words: list[int]) -> str:
    return b"".join(w.to_bytes(2, "big") for w in words).rstrip(b"\0").decode()


def float32(words: list[int], point: int) -> float:
    return float(struct.unpack(">f", struct.pack(">HH", *words[2 * point : 2 * point + 2]))[0])


def signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


async def connected(fleet: Fleet, device: str) -> AsyncModbusTcpClient:
    port = next(d.port for d in fleet.site.devices if d.id == device)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2, retries=0, reconnect_delay=0)
    assert await client.connect()
    return client


async def with_fleet(folder: Path) -> AsyncIterator[Fleet]:
    site = emulated_site(folder)
    plant = EmulatedPlant(site, 2, START, stored_share={"battery": 0.6})
    async with Fleet(site, plant, ScaledClock(START, 1.0)) as fleet:
        yield fleet


def test_layouts_are_as_long_as_their_models() -> None:
    assert set(LAYOUTS) == set(LENGTHS)
    for model, length in LENGTHS.items():
        assert len(blank(model)) == length, model


@pytest.mark.parametrize("device", ["pv", "battery"])
def test_a_scan_finds_every_model_at_its_length(device: str, tmp_path: Path) -> None:
    async def story() -> dict[int, list[int]]:
        async for fleet in with_fleet(tmp_path):
            client = await connected(fleet, device)
            found = await scan(client)
            client.close()
        return found

    found = asyncio.run(story())
    expected = {"pv": [1, 113, 120, 123, 715], "battery": [1, 113, 802, 704, 715]}[device]
    assert list(found) == expected
    assert {m: len(words) for m, words in found.items()} == {m: LENGTHS[m] for m in expected}
    assert text(found[1][0:16]) == "Jouletwin emulation"


def test_values_scale_and_unmeasured_points_say_so(tmp_path: Path) -> None:
    async def story() -> tuple[dict[int, list[int]], float, float]:
        async for fleet in with_fleet(tmp_path):
            fleet.bank.refresh(START + timedelta(minutes=3))
            client = await connected(fleet, "battery")
            found = await scan(client)
            client.close()
            battery = fleet.plant.own_site.asset("battery")
            return (
                found,
                fleet.plant.stored_kwh["battery"] / battery.energy_kwh,
                fleet.plant.voltage_pu("grid", "south"),
            )
        raise AssertionError

    found, share, voltage = asyncio.run(story())
    base, inverter = found[802], found[113]
    assert base[9] * 10.0 ** signed(base[54]) == pytest.approx(100 * share, abs=3.0)  # SoC by SoC_SF
    assert base[1] * 10.0 ** signed(base[51]) == 1_000_000  # WHRtg in Wh
    assert float32(inverter, 7) == pytest.approx(voltage * 400 / 3**0.5, rel=0.01)  # PhVphA
    assert float32(inverter, 11) == pytest.approx(50.0, abs=0.1)  # Hz
    assert inverter[2 * 16] == 0x7FC0  # DCA is not measured: a float that is no number
    assert base[12:14] == [0xFFFF, 0xFFFF]  # cycles are not counted
    assert found[704][0] == 0xFFFF  # no power-factor control


def test_a_limit_written_by_a_stranger_holds_and_reads_back(tmp_path: Path) -> None:
    async def story() -> None:
        async for fleet in with_fleet(tmp_path):
            client = await connected(fleet, "pv")
            fleet.bank.refresh(START + timedelta(minutes=2))
            free_kw = float32(await registers(client, 40072, 60), 10) / 1e3
            assert free_kw > 300.0
            # 123: WMaxLimPct 20.00 %, no timer, enabled
            assert not (await client.write_register(40165, 2000, device_id=1)).isError()
            assert not (await client.write_register(40167, 0, device_id=1)).isError()
            assert not (await client.write_register(40169, 1, device_id=1)).isError()
            assert await registers(client, 40165, 1) == [2000]
            fleet.bank.refresh(START + timedelta(minutes=5))
            held_kw = float32(await registers(client, 40072, 60), 10) / 1e3
            assert held_kw == pytest.approx(200.0, rel=0.02)
            refused = await client.write_register(40092, 1, device_id=1)
            assert refused.isError()
            assert refused.exception_code == 2
            beyond = await client.write_register(40165, 20000, device_id=1)
            assert beyond.isError()
            assert beyond.exception_code == 3
            client.close()

    asyncio.run(story())
