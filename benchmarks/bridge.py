"""The bridge beside a bare pymodbus client, its coalescing, its speed in virtual time, and the chaos suite's pace."""

import asyncio
import json
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from benchmarks.measure import Timed
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_least, value_at_most

if TYPE_CHECKING:
    from hil.maps.types import RegisterMap
    from models.ports import Clock
    from models.site import Site

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PACKAGES = ("pymodbus", "numpy")
POINTS = 50
Result = TypeVar("Result")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer reads with counting registers, as lean as a device can be, so that the client is what is measured."""
    beat = 0
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readexactly(7)
            body = await reader.readexactly(struct.unpack(">HHHB", head)[2] - 1)
            function, _, count = struct.unpack(">BHH", body)
            beat = (beat + 1) & 0x3FFF
            answer = struct.pack(">BB", function, 2 * count) + struct.pack(">H", 0x4000 | beat) * count
            writer.write(head[:4] + struct.pack(">H", len(answer) + 1) + head[6:7] + answer)
    writer.close()


def float_map(points: int) -> "RegisterMap":
    """Return a map of so many float points in a row, and a heartbeat."""
    from hil.maps.types import DataType, Point, RegisterMap

    beat = Point(quantity="heartbeat", address=2 * points, heartbeat=True)
    floats = tuple(Point(quantity=f"p{k}_kw", address=2 * k, type=DataType.FLOAT32, unit="W") for k in range(points))
    return RegisterMap(
        name="floats", title="Floats", source="made for a benchmark", kinds=("meter",), points=(*floats, beat)
    )


async def with_servers(count: int, work: Callable[[list[int]], Awaitable[Result]]) -> Result:
    """Run ``work`` with the ports of so many devices."""
    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(count)]
    try:
        return await work([s.sockets[0].getsockname()[1] for s in servers])
    finally:
        for server in servers:
            server.close()


@dataclass(frozen=True, slots=True)
class Polled:
    """What polling many devices at 1 Hz took: CPU seconds, points decoded, and how late each request was asked, in seconds."""

    cpu_s: float
    points: int
    late_s: tuple[float, ...] = ()


async def ours(ports: list[int], seconds: float) -> Polled:
    """Poll every port once a second with links, planner, poller and codec of the bridge."""
    from hil.bridge.events import nobody
    from hil.bridge.link import Link
    from hil.bridge.polled import BlockState, PolledDevice
    from hil.bridge.poller import Poller
    from hil.clocks import RealClock
    from models.site import Device

    late: list[float] = []

    class Noting(PolledDevice):
        """A polled device that notes how late it was asked."""

        def take(self, state: BlockState, registers: Sequence[int], started: float, *times: datetime) -> None:
            late.append(started - state.due)
            super().take(state, registers, started, *times)

    async def nothing(*_: object) -> float:
        return float("inf")

    clock, found = RealClock(), float_map(POINTS)
    pollers, made = list[Poller](), list[float]()
    for k, port in enumerate(ports):
        made.append(clock.monotonic())
        polled = Noting(Device(id=f"d{k}", asset="a", map="floats", port=port, poll_s=1.0), found)
        pollers.append(Poller(Link("127.0.0.1", port, "socket", clock), [polled], clock, nobody, nothing))
        await pollers[-1].link.open()
    # the first due time lies ahead of the last connection, or what connecting takes would count as lateness
    begin = clock.monotonic() + 0.2
    for k, poller in enumerate(pollers):
        poller.stagger(begin + k / len(pollers) - made[k])
    spent = await _while(seconds, [poller.run() for poller in pollers])
    for poller in pollers:
        poller.link.close()
    return Polled(spent, sum(p.stats.points for p in pollers), tuple(late))


async def bare(ports: list[int], seconds: float) -> Polled:
    """Poll every port once a second with a bare pymodbus client that decodes every float."""
    from pymodbus.client import AsyncModbusTcpClient

    clients = [AsyncModbusTcpClient("127.0.0.1", port=p, retries=0, reconnect_delay=0) for p in ports]
    for client in clients:
        await client.connect()
    reads = 0

    async def poll(client: AsyncModbusTcpClient, due: float) -> None:
        nonlocal reads
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(due - loop.time(), 0.0))
            answer = await client.read_holding_registers(0, count=2 * POINTS + 1, device_id=1)
            client.convert_from_registers(answer.registers[: 2 * POINTS], client.DATATYPE.FLOAT32, word_order="big")
            reads += 1
            due += 1.0

    start = asyncio.get_running_loop().time() + 0.2
    spent = await _while(seconds, [poll(c, start + k / len(clients)) for k, c in enumerate(clients)])
    for client in clients:
        client.close()
    return Polled(spent, reads * POINTS)


async def polled_by(client: Callable[[list[int], float], Awaitable[Polled]], devices: int, seconds: float) -> Polled:
    """Run a client against so many devices."""
    return await with_servers(devices, lambda ports: client(ports, seconds))


async def _while(seconds: float, works: Sequence[Coroutine[object, object, None]]) -> float:
    """Run endless work for some seconds and return the CPU seconds of this process."""
    from hil.tasks import end

    tasks = [asyncio.create_task(w) for w in works]
    started = time.process_time()
    await asyncio.sleep(seconds)
    spent = time.process_time() - started
    await end(tasks)
    return spent


@case("bridge", "CPU for 1000 points against a bare pymodbus client", size=500, quick_size=20, packages=PACKAGES)
def cpu_per_point(bench: Bench) -> Iterator[Row]:
    """Poll devices of 50 floats at 1 Hz, ours and bare in turn; the servers are in this process on both sides."""
    seconds, runs = (2.0, 1) if bench.quick else (5.0, 3)
    mine, theirs = list[Polled](), list[Polled]()
    for _ in range(runs):
        for client, found in ((ours, mine), (bare, theirs)):
            found.append(asyncio.run(polled_by(client, bench.size, seconds)))
    per_thousand = [statistics.median(1e6 * p.cpu_s / p.points for p in side) for side in (mine, theirs)]
    where = f"{bench.size} devices at 1 Hz"
    yield bench.figure(
        per_thousand[0],
        "ms",
        reference=per_thousand[1],
        target=ratio_at_most(1.5),
        phase=f"CPU for 1000 points against a bare pymodbus client, {where}",
    )
    yield bench.figure(
        1e6 / per_thousand[0],
        "points/s",
        target=value_at_least(100_000),
        phase=f"points decoded with quality a CPU second, {where}",
    )
    late_ms = np.percentile([1e3 * late for p in mine for late in p.late_s], 99)
    yield bench.figure(float(late_ms), "ms", target=value_at_most(20), phase=f"poll lateness p99, {where}")


PUBLISHED = (
    "eastron_sdm630",
    "janitza_umg604",
    "janitza_umg806",
    "huawei_sun2000",
    "sma_sunny_boy_storage",
    "solaredge_storedge",
    "fronius_gen24",
    "sungrow_sh",
    "lambda_heat_pump",
    "viessmann_vitobloc",
    "chiltrix_cx34",
    "kamstrup_multical",
    "my_pv_acthor",
    "sunspec_battery",
    "sunspec_pv_inverter",
)
"""The maps of makers' devices and of SunSpec; the others that are shipped are plant controllers of our own."""


@case("bridge", "requests saved by coalescing", packages=PACKAGES)
def coalescing(bench: Bench) -> Iterator[Row]:
    """Compare requests per full poll with one request per point, and with the fewest that 125 registers per request allow."""
    from dataclasses import replace

    from hil.maps import load_map, shipped_maps
    from hil.planner import is_polled, plan_blocks

    for names, words in ((PUBLISHED, "makers' and SunSpec maps"), (shipped_maps(), "all shipped maps")):
        maps = [load_map(name).for_rating(100.0) for name in names]
        points = sum(is_polled(p) for m in maps for p in m.points)
        blocks = sum(len(plan_blocks(m)) for m in maps)
        fewest = sum(len(plan_blocks(replace(m, gap_limit=124))) for m in maps)
        yield bench.figure(
            points / blocks,
            "points per request",
            target=value_at_least(8) if names is PUBLISHED else None,
            phase=f"requests saved by coalescing, {words}",
        )
        yield bench.figure(
            blocks,
            "requests",
            reference=fewest,
            target=ratio_at_most(1.1),
            phase=f"requests against the fewest, {words}",
        )


def virtual_speed(site: "Site", seconds: float) -> tuple[float, int]:
    """Return how many times faster than real (by CPU time) the bridge polls a site in virtual time, and how often time stalled."""
    from dataclasses import replace

    from hil.bridge import Bridge
    from hil.virtual_time import run_virtual, stalls

    async def main(clock: "Clock") -> tuple[float, int]:
        servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in site.devices]
        ports = [s.sockets[0].getsockname()[1] for s in servers]
        placed = replace(site, devices=tuple(replace(d, port=p) for d, p in zip(site.devices, ports, strict=True)))
        async with Bridge(placed, clock):
            started = time.process_time()
            await clock.sleep(seconds)
            speed = seconds / (time.process_time() - started)
        for server in servers:
            server.close()
        await asyncio.sleep(0.1)
        return speed, stalls(asyncio.get_running_loop())

    return run_virtual(main, EPOCH)


def bare_virtual_speed(count: int, seconds: float) -> float:
    """Return how many times faster than real (by CPU time) a bare pymodbus client polls so many devices of fifty floats in virtual time."""
    from hil.virtual_time import run_virtual

    async def main(clock: "Clock") -> Polled:
        found = await polled_by(bare, count, seconds)
        await clock.sleep(0.1)
        return found

    return seconds / run_virtual(main, EPOCH).cpu_s


def meters(count: int) -> "Site":
    """Return a site of so many multi-energy meters, polled once a second."""
    from models.carriers import Carrier
    from models.components import Consumer, Demand
    from models.site import Device, Location, Networks, Node, Site

    names = [f"c{k}" for k in range(count)]
    demand = (Demand(carrier=Carrier.ELECTRICITY, node="bus", profile="load_kw"),)
    return Site(
        name="meters",
        title="Meters",
        notice="made for a benchmark",
        currency="CNY",
        location=Location(latitude_deg=36.0, longitude_deg=117.0),
        nodes=(Node(id="bus", carrier=Carrier.ELECTRICITY),),
        assets=tuple(Consumer(id=n, demands=demand) for n in names),
        networks=Networks(),
        contracts=(),
        customers=(),
        devices=tuple(Device(id=n, asset=n, map="multi_energy_meter", poll_s=1.0) for n in names),
        profiles=None,
        folder=Path(),
    )


@case("bridge", "accelerated time", size=300, quick_size=20, packages=PACKAGES)
def accelerated(bench: Bench) -> Iterator[Row]:
    """Poll 10 and 100 devices once a second over loopback TCP in virtual time."""
    for count, target in ((10, 500.0), (100, 50.0)):
        seconds = bench.size if count == 10 else bench.size / 4
        speed, stalled = virtual_speed(meters(count), seconds)
        yield bench.figure(
            speed,
            "x real time",
            reference=bare_virtual_speed(count, seconds),
            target=value_at_least(target),
            phase=f"accelerated time, {count} devices at 1 Hz, beside a bare pymodbus client",
        )
        yield bench.figure(stalled, "stalls", target=value_at_most(0), phase=f"waits given up, {count} devices")


@case("bridge", "a durable command record", size=300, quick_size=20, packages=PACKAGES)
def journal(bench: Bench) -> Row:
    """Time one journalled attempt on the disk that holds temporary files."""
    from datetime import timedelta

    from hil.frames import WriteFrame
    from hil.journal import Journal
    from models.ports import Command

    command = Command("c", "d", "setpoint_kw", 1.0, EPOCH, "bench", EPOCH + timedelta(hours=1))
    frame = WriteFrame(1, 6, 1, (1,))
    with tempfile.TemporaryDirectory() as folder:
        kept = Journal(Path(folder) / "journal.sqlite")

        def write() -> Timed:
            started = time.perf_counter()
            for _ in range(bench.size):
                kept.attempt(command, 1, frame, EPOCH)
            return Timed((time.perf_counter() - started) / bench.size)

        found = bench.time(write, target=value_at_most(2.0))
        kept.close()
    return found


@case("bridge", "chaos episodes", size=200, quick_size=4, packages=PACKAGES)
def chaos(bench: Bench) -> Iterator[Row]:
    """Run random fault episodes in virtual time and judge each by the device's log and the journal."""
    work = [sys.executable, "-m", "tests.chaos", str(bench.size), "500000"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(work, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = json.loads(done.stdout.splitlines()[-1])
    yield bench.figure(bench.size / spent, "episodes per CPU second", target=value_at_least(13))
    yield bench.figure(found["violations"], "violations", target=value_at_most(0), phase="violations in chaos episodes")
    yield bench.figure(
        found["recovery_p99_s"], "s", target=value_at_most(2.0), phase="good reads after the last fault, p99"
    )
    # a frame's declared life of 1.5 s and a poll of 1 s
    yield bench.figure(
        found["target_p99_s"],
        "s",
        target=value_at_most(2.5),
        phase="register on target after the last disturbance, p99",
    )
