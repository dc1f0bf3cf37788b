"""Other people's Modbus programs with our devices and our bridge, both ways: each exchange has to give the same values on both sides."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchmarks.peers import SCRIPTS, Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least
from models.errors import SetupError

if TYPE_CHECKING:
    from models.site import Site

START = datetime(2015, 7, 15, 4, 0, tzinfo=UTC)
HERE = "127.0.0.1"
SERVERS = ("pymodbus", "own")
ENGINE_WORDS = {0x4100: 7, 0x4034: 123, 0x4102: 0}
"""What a stranger's device shows in the layout of the gas engine: heartbeat, power, set-point."""
SETPOINT = 0x4102
Ask = Callable[..., Awaitable[Any]]


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


def asking(peer: Peer, **always: Any) -> Ask:
    """Return a function that asks a peer without holding up the event loop."""

    async def ask(question: str, **values: Any) -> Any:
        return (await asyncio.to_thread(peer.ask, question, **always, **values))["result"]

    return ask


def figure(bench: Bench, phase: str, found: list[bool]) -> Row:
    """Return how many exchanges gave the same on both sides; all of them have to."""
    return bench.figure(sum(found), f"of {len(found)}", target=value_at_least(len(found)), phase=phase)


async def read_and_written(port: int, read: Ask, write: Ask) -> list[bool]:
    """Let a client read a block of a battery, write one and two registers, and be refused a third; look at it with our own link."""
    head = await read(port=port, address=40000, count=70)
    one = await write(port=port, address=40219, words=[1])
    two = await write(port=port, address=40220, words=[0, 50_000])
    shown = await registers(port, 40219, 3)
    refused = await write(port=port, address=40143, words=[1])
    return [
        head == await registers(port, 40000, 70),
        one is True,
        two is True,
        shown == [1, 0, 50_000],
        refused is not True,
    ]


@case("bridge", "clients of others with our devices", size=8, quick_size=8, packages=("pymodbus",))
def others_read_ours(bench: Bench) -> Iterator[Row]:
    """PyModbusTCP, pysunspec2, modbus-serial, jsmodbus read, write and scan a battery behind both of our servers."""
    with Peer("modbus") as python, Peer("modbus.js") as node:
        for server in SERVERS:
            clients = {
                "pyModbusTCP": lambda port: _python_client(python, port),
                "pysunspec2": lambda port: _sunspec(python, port),
                "modbus-serial": lambda port: _node_client(node, "serial", port),
                "jsmodbus": lambda port: _node_client(node, "js", port),
            }
            for name, work in clients.items():
                found = asyncio.run(with_fleet(server, work, "sunspec_battery"))
                yield figure(bench, f"{name} with our device, {server} server, exchanges right", found)
        found = asyncio.run(with_fleet("own", lambda port: _pipelined(node, port), "sunspec_battery"))
        yield figure(bench, "jsmodbus, requests sent without waiting, own server, answers right", found)


async def _python_client(peer: Peer, port: int) -> list[bool]:
    ask = asking(peer, host=HERE)
    return await read_and_written(port, lambda **v: ask("read_block", **v), lambda **v: ask("write_words", **v))


async def _node_client(peer: Peer, library: str, port: int) -> list[bool]:
    ask = asking(peer)
    return await read_and_written(
        port, lambda **v: ask(f"{library}_read", **v), lambda **v: ask(f"{library}_write", **v)
    )


async def _sunspec(peer: Peer, port: int) -> list[bool]:
    """Scan the models, read scaled values, command the power, and be refused a point that can only be read."""
    found = await asking(peer, host=HERE, port=port)("sunspec", charge_w=-40_000.0)
    wrote = await registers(port, 40220, 2)
    return [
        found["models"] == [1, 113, 802, 704, 715],
        found["set_w"] == -40_000 and found["enabled"] == 1,
        wrote == [0xFFFF, 0x10000 - 40_000],
        0 <= found["charge_percent"] <= 100,
        "2" in found["refused"] or "exception" in found["refused"].lower(),
    ]


async def _pipelined(peer: Peer, port: int) -> list[bool]:
    addresses = list(range(40000, 40040))
    found = await asking(peer)("js_pipelined", port=port, addresses=addresses)
    return [got == want for got, want in zip(found, await registers(port, 40000, 40), strict=True)]


@case("bridge", "mbpoll (libmodbus) with our device, exchanges right", size=3, quick_size=3, packages=("pymodbus",))
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

    return figure(bench, bench.phase, asyncio.run(with_fleet("own", work, "gas_engine_chp")))


@case("bridge", "our bridge with devices of others", size=4, quick_size=4, packages=("pymodbus",))
def ours_commands_others(bench: Bench) -> Iterator[Row]:
    """Our bridge reads devices made with other libraries and brings them to a set-point, which the device itself then shows."""
    words = {str(a): w for a, w in ENGINE_WORDS.items()}
    with Peer("modbus") as python, Peer("modbus.js") as node, libmodbus_device(ENGINE_WORDS) as (port, held):
        strangers: dict[str, tuple[int, Callable[[], list[int]]]] = {
            "pyModbusTCP": (
                python.ask("start_device", words=words)["result"],
                lambda: python.ask("held", address=SETPOINT, count=1)["result"],
            ),
            "modbus-serial": (
                node.ask("serial_device", words=words)["result"],
                lambda: [node.ask("serial_held", address=SETPOINT)["result"]],
            ),
            "jsmodbus": (
                node.ask("js_device", words=words)["result"],
                lambda: [node.ask("js_held", address=SETPOINT)["result"]],
            ),
            "libmodbus": (port, held),
        }
        for name, (where, shows) in strangers.items():
            yield figure(
                bench, f"our bridge with a {name} device, exchanges right", asyncio.run(commanded(where, shows))
            )


@contextmanager
def libmodbus_device(words: dict[int, int]) -> Iterator[tuple[int, Callable[[], list[int]]]]:
    """Give the port of a device made with libmodbus, compiled here, and what its set-point register holds."""
    compiler = shutil.which("cc")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "device")
        source = str(SCRIPTS / "libmodbus_device.c")
        built = compiler and subprocess.run(
            [compiler, "-O1", "-o", program, source, "-lmodbus", "-lpthread"],
            capture_output=True,
            text=True,
            check=False,
        )
        if not built or built.returncode:
            raise SetupError(
                "a C compiler or libmodbus is missing; install them with: apt-get install gcc libmodbus-dev"
            )
        arguments = [str(x) for pair in words.items() for x in pair]
        with subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            into, out = piped(child)
            port = int(out.readline())

            def held() -> list[int]:
                into.write(f"{SETPOINT}\n")
                into.flush()
                return [int(out.readline())]

            yield port, held
            into.close()


def piped(child: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return where to write to a child and where to read from it."""
    if child.stdin is None or child.stdout is None:
        raise SetupError("the device has no pipes")
    return child.stdin, child.stdout


async def commanded(port: int, shows: Callable[[], list[int]]) -> list[bool]:
    """Read and command a stranger's device in the layout of the gas engine."""
    from hil.bridge import Bridge
    from hil.clocks import RealClock
    from models.ports import Command, Outcome, Quality

    site = park()
    engine = next(d for d in site.devices if d.map == "gas_engine_chp")
    alone = replace(site, devices=(replace(engine, port=port, unit_id=1, poll_s=0.2),))
    async with Bridge(alone, RealClock()) as bridge:
        power = {r.quantity: r for r in await bridge.read()}["electricity_kw"]
        now = datetime.now(UTC)
        wanted = Command("peer", engine.id, "setpoint_kw", 300.0, now, "planner", now + timedelta(seconds=60))
        receipt = await bridge.write(wanted)
    held = await asyncio.to_thread(shows)
    return [power.value == 123.0, power.quality is Quality.GOOD, receipt.outcome is Outcome.APPLIED, held == [3000]]
