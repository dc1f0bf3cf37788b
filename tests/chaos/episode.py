"""Episodes of one engine: a seed makes a plan, the plan runs in virtual time over real sockets, and leaves a device log and a journal."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hil.faultproxy import Fault, FaultProxy, Kind
from models.components import Chp, PartLoadMap
from models.ports import Command
from models.site import Device, Location, Networks, Node, Site
from tests.chaos.device import LoggedDevice
from tests.chaos.life import EPOCH, LENGTH_S, QUIET_S, Evidence, Hardships, at, draw_hardships, lives, run_episode

SETPOINT, HEARTBEAT = 0x4102, 0x4100
STEP_S = 5.0
"""Length of a schedule's steps."""
GRACE_S = 4.0
"""How long a step's command outlives its step."""
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
    Kind.GLUE,
    Kind.BYTEWISE,
    Kind.IGNORE,
    Kind.CORRUPT,
)


@dataclass(frozen=True)
class Spell:
    """A device's own misbehaviour for a while: ``ignore`` or ``clamp``."""

    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Plan(Hardships):
    """Everything that happens in an episode."""

    faults: tuple[Fault, ...] = ()
    spells: tuple[Spell, ...] = ()
    masters: tuple[tuple[float, int], ...] = ()
    """(second, raw value) that somebody else writes."""
    reboots: tuple[float, ...] = ()
    commands: tuple[tuple[float, float, float], ...] = ()
    """(second, kW, seconds until the deadline)."""
    steps: tuple[float, ...] = ()
    """kW of each step of a schedule, from the first second on."""

    @property
    def disturbances(self):
        """When anything disturbs the device or its line: (from, until)."""
        wire = [(f.start_s, f.end_s) for f in self.faults] + [(s.start_s, s.end_s) for s in self.spells]
        instants = [(t, t) for t in (*self.reboots, *(m[0] for m in self.masters))]
        return [*wire, *instants, *((s, s + d) for s, d in (*self.kills, *self.power_cuts, *self.full_disks))]


def window(dice, end, longest):
    """Return when something begins and ends."""
    start = dice.uniform(1, end - 2)
    return start, min(start + dice.uniform(0.5, longest), end)


def fault(dice, end, longest, kinds):
    """Return a fault of any kind at any time."""
    start, stop = window(dice, end, longest)
    share, late = dice.choice((0.3, 0.6, 1.0)), dice.uniform(0.1, 1.2)
    return Fault(dice.choice(kinds), start, stop, share, late, dice.choice((4, 5, 6, 10, 11)))


def unique_kw(dice, count):
    """Return as many values as wanted, no two of them alike, so that the log says whose write it is."""
    return tuple(200.0 + 7.3 * (k + 1) + dice.randint(0, 9) * 0.5 + 50 * dice.randint(0, 7) for k in range(count))


def draw(seed):
    """Make a plan from a seed: single commands, or one of four a schedule."""
    dice = random.Random(seed)
    end = LENGTH_S - QUIET_S
    scheduled = dice.random() < 0.25
    values = unique_kw(dice, 9 if scheduled else dice.randint(3, 7))
    return Plan(
        seed=seed,
        **draw_hardships(dice, end),
        faults=tuple(fault(dice, end, 9, WIRE) for _ in range(dice.randint(0, 4))),
        spells=tuple(
            Spell(dice.choice(("ignore", "clamp")), *window(dice, end, 9)) for _ in range(dice.choice((0, 0, 0, 1)))
        ),
        masters=tuple((dice.uniform(2, end), 2000 + k) for k in range(dice.choice((0, 0, 1, 2)))),
        reboots=tuple(dice.uniform(2, end) for _ in range(dice.choice((0, 0, 1)))),
        steps=values if scheduled else (),
        commands=() if scheduled else tuple((dice.uniform(1, end), v, dice.choice((4.0, 12.0, 90.0))) for v in values),
    )


class Engine(LoggedDevice):
    """A gas engine whose spells are the plan's."""

    heartbeat = HEARTBEAT

    def __init__(self, plan):
        super().__init__(plan.framer)
        self.plan = plan
        self.registers[SETPOINT] = 0
        self.log.append((0.0, "start", SETPOINT, 0))

    def spell(self, kind):
        return any(s.kind == kind and s.start_s <= self.now < s.end_s for s in self.plan.spells)

    def take(self, address, raw):
        if address != SETPOINT:
            self.log.append((self.now, "stray", address, raw))
        elif self.spell("ignore"):
            self.log.append((self.now, "ignored", address, raw))
        else:
            self.put("bridge", address, min(raw, 4000) if self.spell("clamp") else raw)


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

    async def main():
        device = Engine(plan)
        proxy = FaultProxy("127.0.0.1", await device.start(), plan.faults, framer=plan.framer, seed=plan.seed)
        evidence = Evidence(plan, [device.log], folder / f"{plan.seed}.sqlite")
        port = await proxy.start()
        background = [
            asyncio.create_task(at(second, device.put, who, SETPOINT, raw))
            for who, when in (("master", plan.masters), ("reboot", [(t, 0) for t in plan.reboots]))
            for second, raw in when
        ]
        await lives(evidence, site(port, plan.framer), commander(evidence), **options)
        await asyncio.gather(*background)
        await proxy.stop()
        await device.stop()
        evidence.injected = dict(proxy.injected)
        return evidence

    return run_episode(main)


def commander(evidence):
    """Return who commands the engine during one life of the bridge."""
    plan = evidence.plan

    def act(group, bridge, clock, born, death):
        for k, (second, value, life) in enumerate(plan.commands):
            if born <= second < death:
                group.create_task(issue(bridge, clock, evidence, f"c{k}", second, value, life))
        if plan.steps:
            group.create_task(follow(group, bridge, clock, evidence, born))

    return act


async def issue(bridge, clock, evidence, name, second, value, life):
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(second - loop.time(), 0.0))
    now = clock.now()
    command = Command(name, "chp", "setpoint_kw", value, now, "planner", now + timedelta(seconds=life))
    evidence.receipts.append((loop.time(), await bridge.write(command)))


async def follow(group, bridge, clock, evidence, born):
    """Command each step of the schedule when the clock says that it begins."""
    steps = evidence.plan.steps
    while True:
        passed = (clock.now() - EPOCH).total_seconds()
        step = int(passed // STEP_S)
        if not 0 <= step < len(steps):
            return
        left = (step + 1) * STEP_S - passed
        name = f"s{step}.{born:.0f}"
        group.create_task(issue(bridge, clock, evidence, name, 0.0, steps[step], left + GRACE_S))
        await clock.sleep(left)
