"""Other people's Modbus programs with our devices and our bridge: each exchange has to give the same values on both sides."""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least
from models.errors import SetupError

if TYPE_CHECKING:
    from models.site import Site

START = datetime(2015, 7, 15, 4, 0, tzinfo=UTC)
HERE = "127.0.0.1"


def park() -> "Site":
    """Return the demo park with free ports."""
    from models.site.file import load_site
    from service.places import PARK

    site = load_site(PARK)
    return replace(site, devices=tuple(replace(d, port=0, host=HERE) for d in site.devices))


async def with_fleet(server: Any, work: Callable[[int], Awaitable[list[bool]]], map_name: str) -> list[bool]:
    """Run ``work`` against an emulated device of the park that has this map."""
    from hil.clocks import ScaledClock
    from hil.emulators.fleet import Fleet
    from hil.emulators.plant import EmulatedPlant

    site = park()
    async with Fleet(site, EmulatedPlant(site, 1, START), ScaledClock(START, 1.0), server=server) as fleet:
        device = next(d for d in fleet.site.devices if d.map == map_name)
        return await work(device.port)


async def registers(port: int, address: int, count: int) -> list[int]:
    """Read holding registers with the product's own link."""
    from hil.bridge.link import Link
    from hil.clocks import RealClock
    from hil.maps import Table

    link = Link(HERE, port, "socket", RealClock())
    try:
        return list(await link.read(1, Table.HOLDING, address, count))
    finally:
        link.close()


def exchanges(peer: Peer, server: str) -> list[bool]:
    """Let pyModbusTCP and pysunspec2 read, write and scan a battery behind one of our servers."""

    async def work(port: int) -> list[bool]:
        async def ask(question: str, **values: Any) -> Any:
            return (await asyncio.to_thread(peer.ask, question, host=HERE, port=port, **values))["result"]

        head = await ask("read_block", address=40000, count=70)
        one = await ask("write_words", address=40219, words=[1])
        two = await ask("write_words", address=40220, words=[0, 50_000])
        shown = await registers(port, 40219, 3)
        refused = await ask("write_words", address=40143, words=[1])
        sunspec = await ask("sunspec", charge_w=-40_000.0)
        wrote = await registers(port, 40220, 2)
        return [
            head == await registers(port, 40000, 70),
            one and two and shown == [1, 0, 50_000],
            not refused,
            sunspec["models"] == [1, 113, 802, 704, 715],
            sunspec["set_w"] == -40_000 and sunspec["enabled"] == 1,
            wrote == [0xFFFF, 0x10000 - 40_000],
            0 <= sunspec["charge_percent"] <= 100,
            "2" in sunspec["refused"] or "exception" in sunspec["refused"].lower(),
        ]

    return asyncio.run(with_fleet(server, work, "sunspec_battery"))


@case("bridge", "clients of others, exchanges right", size=2, quick_size=2, packages=("pymodbus",))
def others_read_ours(bench: Bench) -> Row:
    """PyModbusTCP and pysunspec2 read, write and scan a battery behind both of our servers."""
    with Peer("modbus") as peer:
        found = [right for server in ("pymodbus", "own") for right in exchanges(peer, server)]
    return bench.figure(sum(found), f"of {len(found)}", target=value_at_least(len(found)))


@case("bridge", "mbpoll, exchanges right", size=3, quick_size=3, packages=("pymodbus",))
def mbpoll_reads_ours(bench: Bench) -> Row:
    """Mbpoll (libmodbus) reads and writes a gas engine and is told of an address that does not exist."""
    program = shutil.which("mbpoll")
    if program is None:
        raise SetupError("mbpoll is missing; install it with: apt-get install mbpoll")

    async def work(port: int) -> list[bool]:
        async def mbpoll(*arguments: str) -> str:
            command = [program, "-m", "tcp", "-p", str(port), "-a", "1", "-0", "-1", *arguments]
            done = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=10, check=False
            )
            return done.stdout + done.stderr

        read = await mbpoll("-r", "16642", "-c", "1", HERE)
        wrote = await mbpoll("-r", "16642", HERE, "3000")
        shown = await registers(port, 16642, 1)
        wrong = await mbpoll("-r", "60000", "-c", "1", HERE)
        return ["[16642]:" in read, "Written 1" in wrote and shown == [3000], "Illegal data address" in wrong]

    found = asyncio.run(with_fleet("own", work, "gas_engine_chp"))
    return bench.figure(sum(found), f"of {len(found)}", target=value_at_least(len(found)))


@case("bridge", "device of others, exchanges right", size=4, quick_size=4, packages=("pymodbus",))
def ours_commands_others(bench: Bench) -> Row:
    """Our bridge reads a pyModbusTCP device and brings it to a set-point, which the device itself then shows."""
    with Peer("modbus") as peer:
        found = asyncio.run(commanded(peer))
    return bench.figure(sum(found), f"of {len(found)}", target=value_at_least(len(found)))


async def commanded(peer: Peer) -> list[bool]:
    """Read and command a device that pyModbusTCP serves."""
    from hil.bridge import Bridge
    from hil.clocks import RealClock
    from models.ports import Command, Outcome, Quality

    site = park()
    engine = next(d for d in site.devices if d.map == "gas_engine_chp")
    words = {str(0x4100): 7, str(0x4034): 123, str(0x4102): 0}
    port = int((await asyncio.to_thread(peer.ask, "start_device", words=words))["result"])
    alone = replace(site, devices=(replace(engine, port=port, unit_id=1, poll_s=0.2),))
    async with Bridge(alone, RealClock()) as bridge:
        readings = {r.quantity: r for r in await bridge.read()}
        power = readings["electricity_kw"]
        now = datetime.now(UTC)
        wanted = Command("peer", engine.id, "setpoint_kw", 300.0, now, "planner", now + timedelta(seconds=60))
        receipt = await bridge.write(wanted)
    held = (await asyncio.to_thread(peer.ask, "held", address=0x4102, count=1))["result"]
    return [power.value == 123.0, power.quality is Quality.GOOD, receipt.outcome is Outcome.APPLIED, held == [3000]]
