"""Fleet episodes: several devices with capped groups, ramps, interlocks, function 6 or 16, leases, pulses and faults on every line."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from hil.bridge import Lease
from hil.faultproxy import Fault, FaultProxy, Kind
from models.ports import Command
from models.site import Device, Site
from tests.chaos.device import LoggedDevice
from tests.chaos.episode import WIRE, fault, site, window
from tests.chaos.life import EPOCH, LENGTH_S, QUIET_S, Evidence, Hardships, at, draw_hardships, lives, run_episode

LIMITS = (0x20, 0x21, 0x22, 0x23, 0x24, 0x25)
PULSE, COUNTED, UNCOUNTED = 0x30, 0x31, 0x32
RAMPED, RELEASE, RELEASED, REVERTING = 0x40, 0x41, 0x42, 0x43
RAMP_PER_S, REVERT_S = 40, 4.0
SUM_MAX = 3000
CROWDED = 5
"""Remainder of the seeds whose plans are crowded with groups."""
AWAY = (Kind.DROP_REPLY, Kind.DELAY_REQUEST, Kind.BLACK_HOLE, Kind.REFUSE, Kind.EXCEPTION, Kind.RESET)
SINGLE = {"ramped": RAMPED, "released": RELEASED, "reverting": REVERTING}
"""Points of single values, by the kind of act."""
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
  - {{quantity: ramped_kw, address: 64, unit: kW, access: readwrite, ramp_per_s: 40}}
  - {{quantity: release, address: 65}}
  - {{quantity: released_kw, address: 66, unit: kW, access: readwrite, needs: {{release: 1}}}}
  - {{quantity: reverting_kw, address: 67, unit: kW, access: readwrite, revert_s: 4, revert_to: 0}}
"""
LIMIT = "  - {{quantity: limit{k}_kw, address: {a}, unit: kW, access: readwrite, group: strings}}"


@dataclass(frozen=True)
class Act:
    """Something that a commander does at a second: a group of six values, one value, or a pulse."""

    second: float
    device: int
    kind: str
    """``group``, ``ramped``, ``released``, ``reverting``, ``start`` or ``reset``."""
    values: tuple[int, ...] = (1,)
    life_s: float = 90.0
    by: str = "planner"


@dataclass(frozen=True)
class Trouble:
    """A fault on one device's line, or a spell of the device: ``deaf`` points ignore writes and say yes; ``local`` takes the
    release away that one of its points needs."""

    device: int
    fault: Fault | None = None
    deaf: tuple[int, ...] = ()
    local: bool = False
    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def span(self):
        """From when until when."""
        return (self.start_s, self.end_s) if self.fault is None else (self.fault.start_s, self.fault.end_s)

    @property
    def name(self):
        """What the table calls it."""
        if self.fault is not None:
            return self.fault.kind.value
        return "local mode" if self.local else "deaf points"


@dataclass(frozen=True, kw_only=True)
class FleetPlan(Hardships):
    """Everything that happens in an episode; every part can be left out to see whether it matters."""

    devices: int = 1
    fc16: bool = False
    acts: tuple[Act, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    leases: tuple[tuple[float, float, str, int], ...] = ()
    """(second, seconds, holder, device)."""

    def disturbances(self, device):
        """When anything disturbs a device, its line or the bridge: (from, until)."""
        own = [t.span for t in self.troubles if t.device == device]
        return [*own, *((s, s + d) for s, d in (*self.kills, *self.power_cuts, *self.full_disks))]


def six(dice, used):
    """Return six values within the sum, none of them used before in the episode, so that the log says whose they are."""
    while True:
        cuts = sorted(dice.sample(range(1, SUM_MAX), 6))
        values = [b - a for a, b in zip([0, *cuts[:5]], cuts, strict=True)]
        dice.shuffle(values)
        if not used & set(values) and len(set(values)) == 6:
            used |= set(values)
            return tuple(values)


def draw_trouble(dice, end, devices):
    """Return a fault on a line, or a spell of a device."""
    where, which = dice.randrange(devices), dice.random()
    if which > 0.35:
        return Trouble(where, fault(dice, end, 8, WIRE[:-1]))
    start, stop = window(dice, end, 8)
    if which > 0.25:
        return Trouble(where, local=True, start_s=start, end_s=stop)
    return Trouble(where, deaf=tuple(dice.sample(LIMITS, dice.randint(1, 3))), start_s=start, end_s=stop)


def draw_act(dice, end, used):
    """Return something to do with one of the devices."""
    where = dice.randrange(len(used))
    kind = dice.choice(("group", "group", "group", "ramped", "released", "reverting", "start", "reset"))
    values = (1,)
    if kind == "group":
        values = six(dice, used[where])
    elif kind in SINGLE:
        values = (dice.choice(sorted(set(range(20, 400, 3)) - used[where])),)
        used[where].add(values[0])
    by = dice.choice(("planner", "planner", "operator"))
    return Act(dice.uniform(1, end), where, kind, values, dice.choice((6.0, 20.0, 90.0)), by)


def draw_crowded(seed):
    """Make a plan in which groups follow one another on one device that is deaf or away most of the time."""
    dice = random.Random(f"crowded fleet {seed}")
    end = LENGTH_S - QUIET_S
    used = {0}

    def trouble():
        if dice.random() < 0.4:
            return Trouble(0, fault(dice, end, 10, AWAY))
        start, stop = window(dice, end, 12)
        return Trouble(0, deaf=tuple(dice.sample(LIMITS, dice.randint(1, 3))), start_s=start, end_s=stop)

    def group():
        life_s, by = dice.choice((6.0, 20.0, 90.0)), dice.choice(("planner", "operator"))
        return Act(dice.uniform(1, end), 0, "group", six(dice, used), life_s, by)

    leased = dice.random() < 0.6
    lease = (dice.uniform(2, end - 8), dice.uniform(3, 8), dice.choice(("planner", "operator")), 0)
    full = dice.random() < 0.2
    return FleetPlan(
        seed=seed,
        framer=dice.choice(("socket", "rtu")),
        fc16=dice.random() < 0.5,
        kills=tuple((dice.uniform(2, end), dice.uniform(0.2, 4)) for _ in range(dice.choice((0, 0, 1, 2)))),
        full_disks=((dice.uniform(1, end - 6), dice.uniform(0.5, 6)),) if full else (),
        acts=tuple(group() for _ in range(dice.randint(2, 5))),
        troubles=tuple(trouble() for _ in range(dice.randint(1, 4))),
        leases=(lease,) if leased else (),
    )


def draw(seed):
    """Make a plan from a seed: of everything something, or one of eight crowded with groups."""
    if seed % 8 == CROWDED:
        return draw_crowded(seed)
    dice = random.Random(f"fleet {seed}")
    end = LENGTH_S - QUIET_S
    devices = 10 if dice.random() < 0.03 else dice.randint(1, 3)
    used = [{0} for _ in range(devices)]
    leases = ()
    if dice.random() < 0.4:
        leases = ((dice.uniform(2, end - 8), dice.uniform(3, 8), "operator", dice.randrange(devices)),)
    return FleetPlan(
        seed=seed,
        **draw_hardships(dice, end),
        devices=devices,
        fc16=dice.random() < 0.5,
        acts=tuple(draw_act(dice, end, used) for _ in range(dice.randint(2, 6))),
        troubles=tuple(draw_trouble(dice, end, devices) for _ in range(dice.randint(0, 4))),
        leases=leases,
    )


class Controller(LoggedDevice):
    """A plant controller whose spells are the plan's."""

    def __init__(self, plan: FleetPlan, number: int) -> None:
        super().__init__(plan.framer)
        self.written = 0.0
        self.troubles = [t for t in plan.troubles if t.device == number and t.fault is None]

    def troubled(self):
        return [t for t in self.troubles if t.start_s <= self.now < t.end_s]

    def answer(self, body):
        self.registers[RELEASE] = 0 if any(t.local for t in self.troubled()) else 1
        if self.registers.get(REVERTING) and self.now - self.written > REVERT_S:
            self.put("revert", REVERTING, 0)
        return super().answer(body)

    def take(self, address, raw):
        if any(address in t.deaf for t in self.troubled()):
            self.log.append((self.now, "ignored", address, raw))
            return
        self.put("bridge", address, raw)
        if address == REVERTING:
            self.written = self.now
        if address == PULSE:
            self.registers[COUNTED] = self.registers.get(COUNTED, 0) + 1


def fleet_site(ports: list[int], plan: FleetPlan, folder: Path) -> Site:
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
    """Run an episode and return its evidence; receipts are (second, act number, device, outcome, code)."""
    journal = folder / f"fleet{plan.seed}.sqlite"
    for left in folder.glob(f"{journal.name}*"):
        left.unlink()

    async def main():
        devices = [Controller(plan, k) for k in range(plan.devices)]
        proxies = []
        for k, device in enumerate(devices):
            faults = [t.fault for t in plan.troubles if t.device == k and t.fault is not None]
            port = await device.start()
            proxies.append(FaultProxy("127.0.0.1", port, faults, framer=plan.framer, seed=plan.seed * 7 + k))
        ports = [await p.start() for p in proxies]
        evidence = Evidence(plan, [d.log for d in devices], journal)
        await lives(evidence, fleet_site(ports, plan, folder), commander(evidence), **options)
        for end in (*proxies, *devices):
            await end.stop()
        evidence.injected = sum((p.injected for p in proxies), Counter())
        return evidence

    return run_episode(main)


def commander(evidence):
    """Return who commands the fleet during one life of the bridge."""
    plan = evidence.plan

    def act(group, bridge, clock, born, death):
        for lease in plan.leases:
            if not granted(evidence, lease) and born <= lease[0] + lease[1]:
                group.create_task(at(max(lease[0], born), take, bridge, evidence, lease))
        for k, one in enumerate(plan.acts):
            if born <= one.second < death:
                group.create_task(at_its_second(bridge, clock, evidence, k, one))

    return act


def take(bridge, evidence, planned):
    """Take a lease as planned, or for what is left of it where the bridge could not give it before; it outlives the bridge."""
    second, length, holder, device = planned
    lease = Lease(holder, 5, EPOCH + timedelta(seconds=second + length), frozenset([f"e{device}"]))
    if bridge.lease(lease) is None:
        now = asyncio.get_running_loop().time()
        evidence.leases.append((now, second + length - now, holder, device))


def granted(evidence, planned):
    """Return whether a planned lease, which goes by its end, has been given."""
    second, length, holder, device = planned
    return any(abs(s + d - second - length) < 1e-6 and (h, e) == (holder, device) for s, d, h, e in evidence.leases)


async def at_its_second(bridge, clock, evidence, k, act):
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
        quantity = f"{act.kind}_kw" if act.kind in SINGLE else act.kind
        receipts = [await bridge.write(command(f"a{k}", quantity, act.values[0]))]
    evidence.receipts += [(loop.time(), k, r.command.device, r.outcome.value, r.code) for r in receipts]
