"""The lives of a bridge in an episode: killed, robbed of its disk and its clock, rivalled by a second one, and started again."""

import asyncio
import random
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from hil.bridge import Bridge, Mode
from hil.clocks import RealClock
from hil.virtual_time import stalls
from models.errors import SetupError
from models.ports import Quality

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LENGTH_S = 45.0
QUIET_S = 12.0
"""No faults in the last seconds, so that the end says whether the bridge recovers."""
FRAME_LIFE_S = 1.5
TIMEOUT_S = 0.4


@dataclass(frozen=True, kw_only=True)
class Hardships:
    """What happens to the bridge itself, whatever its devices do."""

    seed: int
    framer: str = "socket"
    kills: tuple[tuple[float, float], ...] = ()
    """(second, seconds until the bridge is back)."""
    power_cuts: tuple[tuple[float, float], ...] = ()
    """Like a kill, and the journal's last record is torn."""
    jumps: tuple[tuple[float, float], ...] = ()
    """(second, seconds by which somebody sets the machine's clock)."""
    full_disks: tuple[tuple[float, float], ...] = ()
    """(second, seconds for which the journal cannot be written)."""
    rivals: tuple[float, ...] = ()
    """Seconds at which second bridges are started: one on the same journal, one with its own on the same devices."""

    @property
    def ends(self):
        """Every second at which the bridge dies, how long it stays dead, and whether the journal's tail is torn."""
        deaths = [(*k, False) for k in self.kills] + [(*c, True) for c in self.power_cuts]
        return (*sorted(deaths), (LENGTH_S, 0.0, False))


def draw_hardships(dice, end):
    """Return the fields of Hardships, each of them in some episodes."""

    def some(share, make):
        return (make(),) if dice.random() < share else ()

    return {
        "framer": dice.choice(("socket", "socket", "rtu")),
        "kills": tuple((dice.uniform(2, end), dice.uniform(0.2, 4)) for _ in range(dice.choice((0, 0, 1, 2)))),
        "power_cuts": some(0.15, lambda: (dice.uniform(2, end), dice.uniform(0.2, 4))),
        "jumps": some(0.25, lambda: (dice.uniform(1, end), dice.choice((-3600.0, 3600.0, -40.0, 15.0, 0.7)))),
        "full_disks": some(0.15, lambda: (dice.uniform(1, end - 6), dice.uniform(0.5, 6))),
        "rivals": some(0.1, lambda: dice.uniform(2, end)),
    }


@dataclass
class Evidence:
    """What an episode leaves behind."""

    plan: Hardships
    logs: list
    """One per device: (second, who, address, raw)."""
    journal: Path
    receipts: list = field(default_factory=list)
    escaped: list = field(default_factory=list)
    """Exceptions that left the bridge."""
    accepted: list = field(default_factory=list)
    """(second, second of the answer, device, heartbeat) of every reading that counted as good."""
    leases: list = field(default_factory=list)
    """(second, seconds, holder, device) of every lease that was granted."""
    let_in: list = field(default_factory=list)
    """(second, where to) of every second bridge that was let in."""
    bridge_down: list = field(default_factory=list)
    stalls: int = 0
    injected: dict = field(default_factory=dict)


class SetClock:
    """The machine's clock, which somebody sets."""

    def __init__(self, jumps):
        self.jumps = jumps

    def __call__(self):
        at = asyncio.get_running_loop().time()
        return EPOCH + timedelta(0, at + sum([by for when, by in self.jumps if when <= at]))


class FullDisk:
    """A database whose disk has no room for a while."""

    def __init__(self, db, windows):
        self.db, self.windows = db, windows

    def __getattr__(self, name):
        return getattr(self.db, name)

    def execute(self, statement, *values):
        now = asyncio.get_running_loop().time()
        if statement.startswith(("INSERT", "UPDATE", "DELETE")) and any(s <= now < s + d for s, d in self.windows):
            raise sqlite3.OperationalError("database or disk is full")
        return self.db.execute(statement, *values)


async def at(second, work, *values):
    """Do something at a second."""
    await asyncio.sleep(second - asyncio.get_running_loop().time())
    work(*values)


async def lives(evidence, site, act, **options):
    """Run the bridge through its deaths until the end of the episode; ``act(bridge, clock, born, death)`` commands it."""
    loop = asyncio.get_running_loop()
    for death, pause, torn in evidence.plan.ends:
        if death <= loop.time():
            continue
        life = asyncio.create_task(live(evidence, site, act, loop.time(), death, options))
        await asyncio.sleep(death - loop.time())
        with as_it_was(evidence.journal, evidence.plan.seed if torn else None, untouched=not pause):
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life
        if pause:
            evidence.bridge_down.append((death, loop.time() + pause))
            await asyncio.sleep(pause)
    evidence.stalls = stalls(loop)


@contextmanager
def as_it_was(journal, torn_seed, *, untouched):
    """Leave the journal's files as they are now, whatever a bridge does to them while it is cancelled: SIGKILL lets it do nothing.

    With ``torn_seed`` half a record follows the last whole one, as a power cut leaves it.
    """
    if untouched:
        yield
        return
    names = [journal, Path(f"{journal}-wal")]
    kept = [(name, name.read_bytes()) for name in names if name.exists()]
    yield
    for name in (*names, Path(f"{journal}-shm")):
        name.unlink(missing_ok=True)
    for name, data in kept:
        if torn_seed is not None and name is not journal:
            dice = random.Random(torn_seed)
            data += dice.randbytes(dice.randint(1, 4000))
        name.write_bytes(data)


async def live(evidence, site, act, born, death, options):
    """Run one bridge until it is cancelled."""
    plan = evidence.plan
    loop = asyncio.get_running_loop()
    clock = RealClock(SetClock(plan.jumps), loop.time, "this machine")
    try:
        bridge = Bridge(site, clock, evidence.journal, timeout_s=TIMEOUT_S, frame_life_s=FRAME_LIFE_S, **options)
        if plan.full_disks:
            bridge.journal._db = FullDisk(bridge.journal._db, plan.full_disks)
        async with bridge, asyncio.TaskGroup() as group:
            group.create_task(watch(bridge, evidence))
            for second in plan.rivals:
                if born <= second < death:
                    group.create_task(at(second, rival, evidence, site, clock))
            act(group, bridge, clock, born, death)
    except* Exception as problems:
        evidence.escaped += problems.exceptions


def rival(evidence, site, clock):
    """Start a second bridge on the same journal, which would only look, and one that brings its own and would write."""
    own = evidence.journal.with_name("rival.sqlite")
    for journal, mode in ((evidence.journal, Mode.SHADOW), (own, Mode.AUTO)):
        with suppress(SetupError):
            let_in = Bridge(site, clock, journal, mode=mode)
            let_in.journal.close()
            let_in._fence.release()
            where = "to the devices" if journal is own else "onto the journal"
            evidence.let_in.append((asyncio.get_running_loop().time(), where))


async def watch(bridge, evidence):
    """Note every good reading of a heartbeat."""
    loop = asyncio.get_running_loop()
    while True:
        for reading in await bridge.read():
            if reading.quantity == "heartbeat" and reading.quality is Quality.GOOD:
                measured = (reading.measured_at - EPOCH).total_seconds()
                evidence.accepted.append((loop.time(), measured, reading.device, reading.value))
        await asyncio.sleep(0.5)


def run_episode(main):
    """Run ``main()`` in virtual time from the first second."""
    from hil.virtual_time import run_virtual

    return run_virtual(partial(_ignoring_the_clock, main), EPOCH)


async def _ignoring_the_clock(main, clock):
    del clock  # every bridge has a clock of its own, which somebody may set
    return await main()
