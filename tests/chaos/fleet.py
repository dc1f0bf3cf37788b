"""Fleet episodes: several devices with capped groups, function 6 or 16, leases, pulses and faults on every line."""

import asyncio
import random
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from hil.bridge import Bridge, Lease
from hil.faultproxy import Fault, FaultProxy, crc16
from hil.virtual_time import run_virtual
from models.ports import Command
from models.site import Device
from tests.chaos.episode import EPOCH, FRAME_LIFE_S, LENGTH_S, QUIET_S, WIRE, at, site

LIMITS = (0x20, 0x21, 0x22, 0x23, 0x24, 0x25)
PULSE, COUNTED, UNCOUNTED = 0x30, 0x31, 0x32
SUM_MAX = 3000
MAP = """
format: jouletwin-map/1
name: {name}
title: Plant controller with six power limits under one sum, as string inverters behind one connection have
source: made for the chaos suite
kinds: [chp]
fc16_only: {fc16}
group_max: {{strings: 3000}}
points:
  - {{quantity: heartbeat, address: 0, heartbeat: true}}
  - {{quantity: electricity_kw, address: 1, unit: kW}}
  - {{quantity: heat_kw, address: 2, unit: kW}}
  - {{quantity: gas_kw, address: 3, unit: kW, positive: draws}}
  - {{quantity: setpoint_kw, address: 4, unit: kW, access: readwrite}}
{limits}
  - {{quantity: start, address: 48, access: write, pulse: true, counted_by: starts}}
  - {{quantity: starts, address: 49, counter: true}}
  - {{quantity: reset, address: 50, access: write, pulse: true}}
"""
LIMIT = "  - {{quantity: limit{k}_kw, address: {a}, unit: kW, access: readwrite, group: strings}}"


@dataclass(frozen=True)
class Act:
    """Something that a commander does at a second: a group of six values, or a pulse."""

    second: float
    device: int
    kind: str
    """``group``, ``start`` or ``reset``."""
    values: tuple[int, ...] = (1,)
    life_s: float = 90.0
    by: str = "planner"


@dataclass(frozen=True)
class Trouble:
    """A fault on one device's line, or a spell of the device: ``deaf`` points ignore writes and say yes."""

    device: int
    fault: Fault | None = None
    deaf: tuple[int, ...] = ()
    start_s: float = 0.0
    end_s: float = 0.0


@dataclass(frozen=True)
class FleetPlan:
    """Everything that happens in an episode; every part can be left out to see whether it matters."""

    seed: int
    devices: int = 1
    framer: str = "socket"
    fc16: bool = False
    acts: tuple[Act, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    leases: tuple[tuple[float, float, str, int], ...] = ()
    """(second, seconds, holder, device)."""
    kills: tuple[tuple[float, float], ...] = ()


def six(dice, used):
    """Return six values within the sum, none of them used before in the episode, so that the log says whose they are."""
    while True:
        cuts = sorted(dice.sample(range(1, SUM_MAX), 6))
        values = [b - a for a, b in zip([0, *cuts[:5]], cuts, strict=True)]
        dice.shuffle(values)
        if not used & set(values) and len(set(values)) == 6:
            used |= set(values)
            return tuple(values)


def draw(seed):
    """Make a plan from a seed."""
    dice = random.Random(f"fleet {seed}")
    end = LENGTH_S - QUIET_S
    devices = dice.randint(1, 3)
    used = [{0} for _ in range(devices)]

    def window():
        start = dice.uniform(1, end - 2)
        return start, min(start + dice.uniform(0.5, 8), end)

    troubles = []
    for _ in range(dice.randint(0, 4)):
        start, stop = window()
        where = dice.randrange(devices)
        if dice.random() < 0.25:
            deaf = tuple(dice.sample(LIMITS, dice.randint(1, 3)))
            troubles.append(Trouble(where, deaf=deaf, start_s=start, end_s=stop))
        else:
            share, late = dice.choice((0.3, 0.6, 1.0)), dice.uniform(0.1, 1.2)
            fault = Fault(dice.choice(WIRE[:-1]), start, stop, share, late, dice.choice((4, 5, 6, 10, 11)))
            troubles.append(Trouble(where, fault))
    acts = []
    for _ in range(dice.randint(2, 6)):
        where, kind = dice.randrange(devices), dice.choice(("group", "group", "group", "start", "reset"))
        values = six(dice, used[where]) if kind == "group" else (1,)
        by = dice.choice(("planner", "planner", "operator"))
        acts.append(Act(dice.uniform(1, end), where, kind, values, dice.choice((6.0, 20.0, 90.0)), by))
    leases = ()
    if dice.random() < 0.4:
        leases = ((dice.uniform(2, end - 8), dice.uniform(3, 8), "operator", dice.randrange(devices)),)
    kills = tuple((dice.uniform(2, end), dice.uniform(0.2, 4)) for _ in range(dice.choice((0, 0, 1))))
    return FleetPlan(
        seed,
        devices,
        dice.choice(("socket", "socket", "rtu")),
        dice.random() < 0.5,
        tuple(acts),
        tuple(troubles),
        leases,
        kills,
    )


def shorter(plan):
    """Yield the plan with one part left out at a time."""
    for name in ("troubles", "kills", "leases", "acts"):
        parts = getattr(plan, name)
        for k in range(len(parts)):
            yield replace(plan, **{name: parts[:k] + parts[k + 1 :]})


class Controller:
    """Registers behind a socket, with a log that the oracle believes: (second, who, address, raw)."""

    def __init__(self, plan, number):
        self.rtu = plan.framer == "rtu"
        self.troubles = [t for t in plan.troubles if t.device == number and t.fault is None]
        self.registers = {}
        self.log = []
        self.server = None
        self.links = set()

    @property
    def now(self):
        return asyncio.get_running_loop().time()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for writer in list(self.links):
            writer.close()

    async def frame(self, reader):
        if not self.rtu:
            head = await reader.readexactly(7)
            return head[:7], await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
        body = await reader.readexactly(6)
        if body[1] == 16:
            body += await reader.readexactly(1)
            body += await reader.readexactly(body[6])
        await reader.readexactly(2)
        return body[:1], body[1:]

    async def serve(self, reader, writer):
        self.links.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head, question = await self.frame(reader)
                answer = self.answer(question)
                if self.rtu:
                    writer.write(head + answer + crc16(head + answer))
                else:
                    writer.write(head[:4] + struct.pack(">HB", len(answer) + 1, head[6]) + answer)
                await writer.drain()
        self.links.discard(writer)
        writer.close()

    def answer(self, body):
        function, address, count = struct.unpack(">BHH", body[:5])
        if function in (6, 16):
            words = (count,) if function == 6 else struct.unpack(f">{count}H", body[6:])
            for k, raw in enumerate(words):
                self.take(address + k, raw)
            return body[:5]
        self.registers[0] = int(self.now * 10) % 30000
        words = [self.registers.get(a, 0) for a in range(address, address + count)]
        return struct.pack(f">BB{count}H", function, 2 * count, *words)

    def take(self, address, raw):
        deaf = any(address in t.deaf and t.start_s <= self.now < t.end_s for t in self.troubles)
        self.log.append((self.now, "ignored" if deaf else "bridge", address, raw))
        if deaf:
            return
        if address == PULSE:
            self.registers[COUNTED] = self.registers.get(COUNTED, 0) + 1
        else:
            self.registers[address] = raw


@dataclass
class FleetEvidence:
    """What an episode leaves behind."""

    plan: FleetPlan
    logs: list
    journal: Path
    receipts: list = field(default_factory=list)
    """(second, act number, device, outcome, code) of every receipt."""
    escaped: list = field(default_factory=list)
    bridge_down: list = field(default_factory=list)
    injected: Counter = field(default_factory=Counter)


def fleet_site(ports, plan, folder):
    """Return a site with one engine per device, each on its own line."""
    name = "sixfold16" if plan.fc16 else "sixfold"
    limits = "\n".join(LIMIT.format(k=k + 1, a=a) for k, a in enumerate(LIMITS))
    path = folder / f"{name}.yaml"
    if not path.exists():
        path.write_text(MAP.format(name=name, fc16=str(plan.fc16).lower(), limits=limits))
    base = site(1, plan.framer)
    engine = base.assets[0]
    return replace(
        base,
        assets=tuple(replace(engine, id=f"e{k}") for k in range(len(ports))),
        devices=tuple(
            Device(id=f"e{k}", asset=f"e{k}", map=str(path), port=p, framer=plan.framer, poll_s=1.0)
            for k, p in enumerate(ports)
        ),
    )


def run(plan, folder, **options):
    """Run an episode and return its evidence."""
    journal = folder / f"fleet{plan.seed}.sqlite"
    for left in folder.glob(f"{journal.name}*"):
        left.unlink()

    async def main(clock):
        devices = [Controller(plan, k) for k in range(plan.devices)]
        proxies = []
        for k, device in enumerate(devices):
            faults = [t.fault for t in plan.troubles if t.device == k and t.fault is not None]
            proxies.append(
                FaultProxy("127.0.0.1", await device.start(), faults, framer=plan.framer, seed=plan.seed * 7 + k)
            )
        ports = [await p.start() for p in proxies]
        evidence = FleetEvidence(plan, [d.log for d in devices], journal)
        await lives(plan, clock, fleet_site(ports, plan, folder), evidence, options)
        for end in (*proxies, *devices):
            await end.stop()
        evidence.injected = sum((p.injected for p in proxies), Counter())
        return evidence

    return run_virtual(main, EPOCH)


async def lives(plan, clock, where, evidence, options):
    """Run the bridge through its kills until the end of the episode."""
    loop = asyncio.get_running_loop()
    for kill, back in (*plan.kills, (LENGTH_S, 0.0)):
        born = loop.time()
        life = asyncio.create_task(live(plan, clock, where, evidence, born, kill, options))
        await asyncio.sleep(kill - loop.time())
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life
        if back:
            evidence.bridge_down.append((loop.time(), loop.time() + back))
            await asyncio.sleep(back)


async def live(plan, clock, where, evidence, born, death, options):
    try:
        async with (
            Bridge(where, clock, evidence.journal, timeout_s=0.4, frame_life_s=FRAME_LIFE_S, **options) as bridge,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(asyncio.sleep(LENGTH_S))
            for second, length, holder, device in plan.leases:
                if born <= second + length:
                    until = EPOCH + timedelta(seconds=second + length)
                    lease = Lease(holder, 5, until, frozenset([f"e{device}"]))
                    group.create_task(at(max(second, asyncio.get_running_loop().time()), bridge.lease, lease))
            for k, act in enumerate(plan.acts):
                if born <= act.second < death:
                    group.create_task(perform(bridge, clock, evidence, k, act))
    except* Exception as problems:
        evidence.escaped += problems.exceptions


async def perform(bridge, clock, evidence, k, act):
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(act.second - loop.time(), 0.0))
    now = clock.now()

    def command(name, quantity, value):
        deadline = now + timedelta(seconds=act.life_s)
        return Command(name, f"e{act.device}", quantity, float(value), now, act.by, deadline)

    if act.kind == "group":
        commands = [command(f"a{k}.{i}", f"limit{i + 1}_kw", v) for i, v in enumerate(act.values)]
        receipts = await bridge.write_group(commands)
    else:
        receipts = [await bridge.write(command(f"a{k}", act.kind, 1))]
    evidence.receipts += [(loop.time(), k, r.command.device, r.outcome.value, r.code) for r in receipts]
