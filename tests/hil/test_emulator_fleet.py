"""The fleet on loopback: every shipped map read by pymodbus, faults on the wire, ports in words, a process of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from hil.clocks import ScaledClock
from hil.codec import BlockDecoder, encode
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.emulators.process import placed, serve_fleet
from hil.maps import load_map
from hil.maps.types import DataType, Table
from models.errors import SetupError
from models.site import Device, Site
from tests.hil.emulated_site import emulated_site

START = datetime(2015, 1, 5, 10, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return emulated_site(tmp_path_factory.mktemp("fleet"))


KINDS = pytest.mark.parametrize("kind", ["pymodbus", "own"])


def on_fleet(
    site: Site,
    story: Callable[[Fleet], Awaitable[None]],
    speed: float = 1.0,
    kind: Literal["pymodbus", "own"] = "pymodbus",
) -> None:
    async def run() -> None:
        plant = EmulatedPlant(site, 4, START)
        async with Fleet(site, plant, ScaledClock(START, speed), server=kind) as fleet:
            await asyncio.wait_for(story(fleet), 30)

    asyncio.run(run())


async def client_of(fleet: Fleet, device: str, timeout: float = 2.0) -> AsyncModbusTcpClient:
    found = next(d for d in fleet.site.devices if d.id == device)
    client = AsyncModbusTcpClient(found.host, port=found.port, timeout=timeout, retries=0, reconnect_delay=0)
    await client.connect()
    return client


@KINDS
def test_every_device_is_read_by_a_stranger_as_its_instruments_show(
    kind: Literal["pymodbus", "own"], site: Site
) -> None:
    async def story(fleet: Fleet) -> None:
        fleet.bank.refresh(START + timedelta(minutes=5))
        shown = {(d, q): v for d, values in fleet.bank.readings().items() for q, v in values}
        for device in fleet.site.devices:
            client = await client_of(fleet, device.id)
            found = fleet.devices[device.id].map
            for point in found.points:
                if point.type is DataType.STRING:
                    continue
                read = client.read_input_registers if point.table is Table.INPUT else client.read_holding_registers
                answer = await read(point.address, count=point.registers, device_id=1)
                assert not answer.isError(), (device.id, point.quantity)
                value = float(BlockDecoder([point], point.address).decode(answer.registers)[0])
                if (device.id, point.quantity) in shown:
                    step = 1e-6 * abs(value) if point.type.is_float else abs(point.linear.factor)
                    assert value == pytest.approx(shown[device.id, point.quantity], abs=0.51 * step + 1e-5)
            client.close()

    on_fleet(site, story, kind=kind)


def test_the_plant_lives_on_the_fleets_clock(site: Site) -> None:
    async def story(fleet: Fleet) -> None:
        client = await client_of(fleet, "works")
        before = (await client.read_input_registers(0, count=16, device_id=1)).registers
        await asyncio.sleep(0.5)
        after = (await client.read_input_registers(0, count=16, device_id=1)).registers
        assert before[0] != after[0]
        assert before[2:14] != after[2:14]
        assert fleet.plant.now >= START + timedelta(minutes=5)
        client.close()

    on_fleet(site, story, speed=1200.0)


@KINDS
def test_a_write_moves_the_plant_and_a_bad_one_is_an_exception(kind: Literal["pymodbus", "own"], site: Site) -> None:
    async def story(fleet: Fleet) -> None:
        client = await client_of(fleet, "heater")
        point = fleet.devices["heater"].map.point("setpoint_kw")
        answer = await client.write_register(point.address, encode(point, 300.0)[0], device_id=1)
        assert not answer.isError()
        fleet.bank.refresh(START + timedelta(minutes=10))
        assert fleet.plant.units["heater"].actual_kw == pytest.approx(300.0, rel=0.01)
        refused = await client.write_registers(point.address, list(encode(point, 501.0 + 10)), device_id=1)
        assert refused.isError()
        assert refused.exception_code == 3
        assert (await client.read_holding_registers(point.address, count=1, device_id=1)).registers == [3000]
        client.close()

    on_fleet(site, story, kind=kind)


@KINDS
def test_faults_on_the_wire(kind: Literal["pymodbus", "own"], site: Site) -> None:
    async def story(fleet: Fleet) -> None:
        faults = fleet.devices["heater"].faults
        point = fleet.devices["heater"].map.point("setpoint_kw")
        client = await client_of(fleet, "heater", timeout=0.3)
        faults.ignores_writes = True
        answer = await client.write_register(point.address, 1000, device_id=1)
        assert not answer.isError()
        assert answer.registers == [1000]  # the echo looks like success
        assert (await client.read_holding_registers(point.address, count=1, device_id=1)).registers == [0]
        faults.ignores_writes, faults.clamps = False, True
        answer = await client.write_register(point.address, 9000, device_id=1)
        assert answer.registers == [9000]
        assert (await client.read_holding_registers(point.address, count=1, device_id=1)).registers == [5000]
        faults.silent = True
        with pytest.raises(ModbusException):
            await client.read_holding_registers(point.address, count=1, device_id=1)
        faults.silent = False
        assert (await client.read_holding_registers(point.address, count=1, device_id=1)).registers == [5000]
        client.close()

    on_fleet(site, story, kind=kind)


@KINDS
def test_an_unplugged_device_is_gone_and_comes_back_on_its_port(kind: Literal["pymodbus", "own"], site: Site) -> None:
    async def story(fleet: Fleet) -> None:
        port = next(d.port for d in fleet.site.devices if d.id == "ice")
        client = await client_of(fleet, "ice", timeout=0.5)
        await fleet.unplug("ice")
        with pytest.raises(ModbusException):
            await client.read_input_registers(0, count=2, device_id=1)
        client.close()
        other = await client_of(fleet, "tank")
        assert not (await other.read_input_registers(0, count=2, device_id=1)).isError()
        other.close()
        await fleet.plug("ice")
        assert next(d.port for d in fleet.site.devices if d.id == "ice") == port
        again = await client_of(fleet, "ice")
        assert not (await again.read_input_registers(0, count=2, device_id=1)).isError()
        again.close()

    on_fleet(site, story, kind=kind)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@KINDS
def test_devices_share_an_address_by_their_unit_ids(kind: Literal["pymodbus", "own"], site: Site) -> None:
    port = free_port()
    pair = tuple(
        Device(id=a, asset=a, map=f"{m}_transmitter", port=port, unit_id=unit)
        for a, m, unit in (("tank", "hot_tank", 3), ("ice", "cold_store", 4))
    )

    async def story(fleet: Fleet) -> None:
        client = await client_of(fleet, "tank")
        warm = await client.read_input_registers(5, count=1, device_id=3)
        cold = await client.read_input_registers(5, count=1, device_id=4)
        assert warm.registers[0] > 800
        assert cold.registers[0] < 100
        client.close()

    on_fleet(replace(site, devices=pair), story, kind=kind)


@KINDS
def test_coils_are_served_too(kind: Literal["pymodbus", "own"], site: Site, tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text(
        "format: jouletwin-map/1\nname: relay\ntitle: Relay\nsource: made up for tests\nkinds: [gas_boiler]\npoints:\n"
        "  - {quantity: running, address: 19, table: discrete, type: bits}\n"
        "  - {quantity: lamp, address: 35, table: coil, type: bits, access: readwrite}\n"
        "  - {quantity: heat_kw, address: 0, type: float32, unit: kW}\n"
    )
    relay = Device(id="relay", asset="boiler", map=str(tmp_path / "relay.yaml"), port=0)

    async def story(fleet: Fleet) -> None:
        fleet.plant.command("boiler", 800.0)
        fleet.bank.refresh(START + timedelta(minutes=5))
        client = await client_of(fleet, "relay")
        assert (await client.read_discrete_inputs(19, count=1, device_id=1)).bits[0]
        assert not (await client.read_coils(35, count=1, device_id=1)).bits[0]
        assert not (await client.write_coil(35, True, device_id=1)).isError()
        assert (await client.read_coils(35, count=1, device_id=1)).bits[0]
        assert fleet.devices["relay"].held["lamp"] == 1.0
        client.close()

    on_fleet(replace(site, devices=(relay,)), story, kind=kind)


def test_rtu_frames_over_tcp(site: Site) -> None:
    async def story(fleet: Fleet) -> None:
        port = fleet.site.devices[0].port
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=port, framer=FramerType.RTU, timeout=2, retries=0, reconnect_delay=0
        )
        await client.connect()
        assert (await client.read_input_registers(5, count=1, device_id=7)).registers[0] > 800
        client.close()

    serial = Device(id="tank", asset="tank", map="hot_tank_transmitter", port=0, unit_id=7, framer="rtu")
    on_fleet(replace(site, devices=(serial,)), story, kind="own")


def test_a_port_in_use_is_said_in_one_line(site: Site) -> None:
    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            crowded = placed(site, 0)
            crowded = replace(crowded, devices=(*crowded.devices[:2], replace(crowded.devices[2], port=port)))
            fleet = Fleet(crowded, EmulatedPlant(site, 1, START), ScaledClock(START, 1.0))
            with pytest.raises(
                SetupError, match=rf"{crowded.devices[2].id} cannot listen on 127.0.0.1:{port}: the port is in use"
            ):
                await fleet.start()
            assert all(d.port in (0, port) for d in fleet.site.devices)  # none of the others stayed

    asyncio.run(story())


def test_ports_are_counted_from_a_base(site: Site) -> None:
    assert [d.port for d in placed(site, 20000).devices[:3]] == [20000, 20001, 20002]
    assert placed(site, None) is site
    assert {d.port for d in placed(site, 0).devices} == {0}


SERVE = """
import sys
from pathlib import Path
from datetime import datetime, UTC
from hil.emulators.process import serve_fleet
from tests.hil.emulated_site import emulated_site
serve_fleet(emulated_site(Path(sys.argv[1])), base_port=int(sys.argv[2]), seed=3, start=datetime(2015, 1, 5, tzinfo=UTC), speed=60.0,
            announce=lambda line: print(line, flush=True))
"""


def test_the_process_serves_until_it_is_told_to_stop(site: Site, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in site.devices]
        places = {line[0]: line[1].rpartition(":") for line in lines}
        assert set(places) == {d.id for d in site.devices}
        host, _, port = places["works"]
        with socket.create_connection((host, int(port)), timeout=5) as link:
            link.sendall(bytes.fromhex("000700000006010400020002"))
            answer = link.recv(64)
            assert answer[:8] == bytes.fromhex("0007000000070104")
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert (rest, errors) == ("", "")


def test_an_interrupt_from_the_keyboard_ends_it_cleanly(site: Site) -> None:
    said: list[str] = []

    def announce(line: str) -> None:
        said.append(line)
        if len(said) == len(site.devices):
            signal.raise_signal(signal.SIGINT)

    serve_fleet(site, base_port=0, seed=1, start=START, announce=announce)
    assert [line.split()[0] for line in said] == [d.id for d in site.devices]


def test_serving_on_a_taken_port_raises_before_any_line(site: Site) -> None:
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SetupError, match="in use"):
            serve_fleet(site, base_port=taken.getsockname()[1], seed=1, start=START, announce=said.append)
    assert said == []


def test_maps_of_the_test_site_are_shipped(site: Site) -> None:
    assert all(load_map(d.map).name == d.map for d in site.devices)
