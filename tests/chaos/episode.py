"""One chaos episode: a seed makes a plan, the plan runs in virtual time over real sockets, and leaves a device log and a journal."""

import asyncio
import random
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hil.bridge import Bridge
from hil.faultproxy import Fault, FaultProxy, Kind, crc16
from hil.virtual_time import run_virtual, stalls
from models.components import Chp, PartLoadMap
from models.ports import Command, Quality
from models.site import Device, Location, Networks, Node, Site

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LENGTH_S = 45.0
QUIET_S = 12.0
"""No faults in the last seconds, so that the end says whether the bridge recovers."""
FRAME_LIFE_S = 1.5
SETPOINT, HEARTBEAT = 0x4102, 0x4100
WIRE = (
    Kind.DROP_REQUEST,
    Kind.DROP_REPLY,
    Kind.DELAY_REQUEST,
    Kind.DELAY_REPLY,
    Kind.RESET,
    Kind.BLACK_HOLE,
    Kind.REFUSE,
    Kind.EXCEPTION,
    Kind.TRUNCATE,
    Kind.REPLAY,
    Kind.WRONG_UNIT,
    Kind.WRONG_TRANSACTION,
    Kind.DUPLICATE,
    Kind.BYTEWISE,
    Kind.CORRUPT,
)


@dataclass(frozen=True)
class Spell:
    """A device's own misbehaviour for a while: ``ignore`` or ``clamp``."""

    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Plan:
    """Everything that happens in an episode."""

    seed: int
    framer: str = "socket"
    faults: tuple[Fault, ...] = ()
    spells: tuple[Spell, ...] = ()
    masters: tuple[tuple[float, int], ...] = ()
    """(second, raw value) that somebody else writes."""
    reboots: tuple[float, ...] = ()
    commands: tuple[tuple[float, float, float], ...] = ()
    """(second, kW, seconds until the deadline)."""
    kills: tuple[tuple[float, float], ...] = ()
    """(second, seconds until the bridge is back)."""


def draw(seed):
    """Make a plan from a seed."""
    dice = random.Random(seed)
    end = LENGTH_S - QUIET_S

    def window():
        start = dice.uniform(1, end - 2)
        return start, min(start + dice.uniform(0.5, 9), end)

    faults = []
    for _ in range(dice.randint(0, 4)):
        kind = dice.choice(WIRE)
        start, stop = window()
        faults.append(
            Fault(
                kind, start, stop, dice.choice((0.3, 0.6, 1.0)), dice.uniform(0.1, 1.2), dice.choice((4, 5, 6, 10, 11))
            )
        )
    masters = tuple((dice.uniform(2, end), 2000 + k) for k in range(dice.choice((0, 0, 1, 2))))
    return Plan(
        seed=seed,
        framer=dice.choice(("socket", "socket", "rtu")),
        faults=tuple(faults),
        spells=tuple(Spell(dice.choice(("ignore", "clamp")), *window()) for _ in range(dice.choice((0, 0, 0, 1)))),
        masters=masters,
        reboots=tuple(dice.uniform(2, end) for _ in range(dice.choice((0, 0, 1)))),
        # every value is unique, so that the log says whose write it is
        commands=tuple(
            (
                dice.uniform(1, end),
                200.0 + 7.3 * (k + 1) + dice.randint(0, 9) * 0.5 + 50 * dice.randint(0, 7),
                dice.choice((4.0, 12.0, 90.0)),
            )
            for k in range(dice.randint(3, 7))
        ),
        kills=tuple(sorted((dice.uniform(2, end), dice.uniform(0.2, 4)) for _ in range(dice.choice((0, 0, 1, 2))))),
    )


class LoggedDevice:
    """A gas engine's registers behind a socket, with a log that the oracle believes."""

    def __init__(self, plan):
        self.plan = plan
        self.registers = {SETPOINT: 0}
        self.log = [(0.0, "start", 0)]
        """(second, who, raw value) of every change and every write of the set-point."""
        self.server = None
        self.links = set()

    @property
    def now(self):
        return asyncio.get_running_loop().time()

    def spell(self, kind):
        return any(s.kind == kind and s.start_s <= self.now < s.end_s for s in self.plan.spells)

    def put(self, who, raw):
        self.registers[SETPOINT] = raw
        self.log.append((self.now, who, raw))

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for writer in list(self.links):
            writer.close()

    async def serve(self, reader, writer):
        self.links.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                if self.plan.framer == "rtu":
                    frame = await reader.readexactly(8)
                    body = frame[:1] + self.answer(frame[1:-2])
                    writer.write(body + crc16(body))
                else:
                    head = await reader.readexactly(7)
                    transaction, _, length, unit = struct.unpack(">HHHB", head)
                    body = self.answer(await reader.readexactly(length - 1))
                    writer.write(struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body)
                await writer.drain()
        self.links.discard(writer)
        writer.close()

    def answer(self, body):
        function, address, count = struct.unpack(">BHH", body[:5])
        if function == 6:
            self.take(address, count)
            return body[:5]
        self.registers[HEARTBEAT] = int(self.now * 10) % 30000
        words = [self.registers.get(a, 0) for a in range(address, address + count)]
        return struct.pack(f">BB{count}H", function, 2 * count, *words)

    def take(self, address, raw):
        if address != SETPOINT:
            self.log.append((self.now, "stray", address))
        elif self.spell("ignore"):
            self.log.append((self.now, "ignored", raw))
        else:
            self.put("bridge", min(raw, 4000) if self.spell("clamp") else raw)


@dataclass
class Evidence:
    """What an episode leaves behind."""

    plan: Plan
    log: list
    journal: Path
    receipts: list = field(default_factory=list)
    escaped: list = field(default_factory=list)
    """Exceptions that left the bridge."""
    good_at: list = field(default_factory=list)
    """Seconds at which the device's quality was good."""
    bridge_down: list = field(default_factory=list)
    stalls: int = 0
    injected: dict = field(default_factory=dict)


def site(port, framer, poll_s=1.0):
    engine = Chp(
        id="chp",
        electricity_node="bus",
        heat_node="heat",
        gas_node="gas",
        part_load=PartLoadMap(power_kw=(175.0, 700.0), fuel_kw=(598.0, 1750.0), heat_kw=(291.0, 612.0)),
    )
    return Site(
        name="chaos",
        title="One engine",
        notice="made for tests",
        currency="CNY",
        location=Location(latitude_deg=36.0, longitude_deg=117.0),
        nodes=tuple(Node(id=i, carrier=c) for i, c in (("bus", "electricity"), ("heat", "heat"), ("gas", "gas"))),
        assets=(engine,),
        networks=Networks(),
        contracts=(),
        customers=(),
        devices=(Device(id="chp", asset="chp", map="gas_engine_chp", port=port, framer=framer, poll_s=poll_s),),
        profiles=None,
        folder=Path(),
    )


def run(plan, folder, **options):
    """Run an episode and return its evidence."""
    journal = folder / f"{plan.seed}.sqlite"

    async def main(clock):
        device = LoggedDevice(plan)
        proxy = FaultProxy("127.0.0.1", await device.start(), plan.faults, framer=plan.framer, seed=plan.seed)
        evidence = Evidence(plan, device.log, journal)
        port = await proxy.start()
        background = [asyncio.create_task(at(when, device.put, "master", raw)) for when, raw in plan.masters] + [
            asyncio.create_task(at(when, device.put, "reboot", 0)) for when in plan.reboots
        ]
        await lives(plan, clock, site(port, plan.framer), journal, evidence, options)
        await asyncio.gather(*background)
        await proxy.stop()
        await device.stop()
        evidence.stalls = stalls(asyncio.get_running_loop())
        evidence.injected = dict(proxy.injected)
        return evidence

    return run_virtual(main, EPOCH)


async def at(second, work, *values):
    await asyncio.sleep(second - asyncio.get_running_loop().time())
    work(*values)


async def lives(plan, clock, where, journal, evidence, options):
    """Run the bridge through its kills until the end of the episode."""
    loop = asyncio.get_running_loop()
    for kill, back in (*plan.kills, (LENGTH_S, 0.0)):
        if kill <= loop.time():
            continue
        born = loop.time()
        life = asyncio.create_task(live(plan, clock, where, journal, evidence, born, kill, options))
        await asyncio.sleep(kill - loop.time())
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life
        if back:
            evidence.bridge_down.append((loop.time(), loop.time() + back))
            await asyncio.sleep(back)


async def live(plan, clock, where, journal, evidence, born, death, options):
    try:
        async with (
            Bridge(where, clock, journal, timeout_s=0.4, frame_life_s=FRAME_LIFE_S, **options) as bridge,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(watch(bridge, evidence))
            for k, (second, value, life) in enumerate(plan.commands):
                if born <= second < death:
                    group.create_task(issue(bridge, clock, evidence, k, second, value, life))
    except* Exception as problems:
        evidence.escaped += problems.exceptions


async def watch(bridge, evidence):
    while True:
        await bridge.read()
        if bridge.quality("chp") is Quality.GOOD:
            evidence.good_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.5)


async def issue(bridge, clock, evidence, k, second, value, life):
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(second - loop.time(), 0.0))
    now = clock.now()
    command = Command(f"c{k}", "chp", "setpoint_kw", value, now, "planner", now + timedelta(seconds=life))
    evidence.receipts.append((loop.time(), await bridge.write(command)))
