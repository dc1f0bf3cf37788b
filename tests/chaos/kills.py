"""Real SIGKILL: bridge and device killed as processes at random instants, with bad lines in between, and judged afterwards.

The device writes its own log to a file before it answers; every record of the journal and every entry of that log carries its time, so
that the age of each frame is known. Nothing may be lost or applied twice as long as no frame was older than the declared life.
"""

import asyncio
import json
import multiprocessing
import random
import signal
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hil.bridge import Bridge
from hil.clocks import RealClock
from hil.faultproxy import Fault, FaultProxy, Kind
from models.ports import Command
from tests.chaos.fleet import COUNTED, PULSE, RELEASED, Controller, FleetPlan, fleet_site
from tests.chaos.record import read_journal

SERVICE_ONE_IN = 5
"""One kill in so many is of the whole service; see service_kills."""
LIFE_S = 0.5
"""Declared life of a frame."""
TIMEOUT_S = 0.3
LATE = Fault(Kind.DELAY_REQUEST, share=0.06, delay_s=0.25, functions=(6,))
LOST = Fault(Kind.DROP_REPLY, share=0.08)
PLAN = FleetPlan(seed=0)
SETTLE_S = 4.0
PAUSE_S = 0.02
STARTED = -1
"""Address by which the log says that the device has started, with nothing in its registers."""
FORK = multiprocessing.get_context("fork")


class KeptDevice(Controller):
    """A controller whose log is a file, written before anything is answered; its count of pulses outlives a power cut."""

    def __init__(self, path):
        super().__init__(PLAN, 0)
        entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.registers[COUNTED] = sum(1 for _, address, _ in entries if address == PULSE)
        self.file = path.open("a", buffering=1)
        self.file.write(json.dumps([time.time(), STARTED, 0]) + "\n")

    def take(self, address, raw):
        self.file.write(json.dumps([time.time(), address, raw]) + "\n")
        super().take(address, raw)


def serve_device(path, port):
    """Be the device, for ever."""

    async def main():
        device = KeptDevice(path)
        await device.start(port)
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_line(device_port, port):
    """Be the bad line, for ever."""

    async def main():
        await FaultProxy("127.0.0.1", device_port, (LATE, LOST), seed=1).start(port)
        await asyncio.Event().wait()

    asyncio.run(main())


def quick_site(port, folder):
    """Return a site of one controller that is polled ten times a second."""
    site = fleet_site([port], PLAN, folder)
    return replace(site, devices=tuple(replace(d, poll_s=0.1) for d in site.devices))


def command_for_ever(folder, port, first):
    """Be the bridge: command one value after another, every fourth a pulse, and write down what it says of each."""

    async def main():
        site = quick_site(port, folder)
        with (folder / "heard").open("a", buffering=1) as heard:
            async with Bridge(
                site, RealClock(), folder / "journal.sqlite", timeout_s=TIMEOUT_S, frame_life_s=LIFE_S
            ) as bridge:
                for k in range(first, first + 10_000):
                    now = datetime.now(UTC)
                    quantity, value = ("start", 1.0) if k % 4 == 0 else ("released_kw", float(1 + k % 60_000))
                    wanted = Command(f"k{k}", "e0", quantity, value, now, "planner", now + timedelta(seconds=60))
                    heard.write(f"{k} asked\n")
                    receipt = await bridge.write(wanted)
                    heard.write(f"{k} {receipt.outcome.value}\n")
                    await asyncio.sleep(PAUSE_S)

    asyncio.run(main())


@dataclass
class Killed:
    """What so many kills left behind."""

    kills: dict
    commands: int
    landed: int
    ages: list
    """Seconds from each frame's record to its landing."""
    found: list
    """(class, words) of every violation."""

    @property
    def older(self):
        """Frames that outlived the declared life."""
        return sum(age > LIFE_S for age in self.ages)


class Players:
    """Device, line and bridge as processes."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = free_ports(2)
        self.first = 1
        self.device = self.start(serve_device, folder / "device.log", self.ports[0])
        self.line = self.start(serve_line, *self.ports)
        self.bridge = None
        self.start_bridge()

    def start(self, work, *values):
        process = FORK.Process(target=work, args=values, daemon=True)
        process.start()
        return process

    def start_bridge(self):
        heard = heard_in(self.folder)
        self.first = max(heard, default=0) + 1
        self.bridge = self.start(command_for_ever, self.folder, self.ports[1], self.first)

    def kill(self, dice):
        """Kill bridge or device, and start it again."""
        if dice.random() < 0.75:
            kill(self.bridge)
            self.start_bridge()
            return "bridge"
        kill(self.device)
        time.sleep(dice.uniform(0.0, 0.3))
        self.device = self.start(serve_device, self.folder / "device.log", self.ports[0])
        return "device"

    def end(self):
        for process in (self.bridge, self.line, self.device):
            kill(process)


def free_ports(count):
    import socket

    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def kill(process):
    import os

    os.kill(process.pid, signal.SIGKILL)
    process.join()


def run(count: int, folder: Path, seed: int = 1) -> Killed:
    """Kill so many times and judge."""
    dice = random.Random(seed)
    players = Players(folder)
    kills = {"bridge": 0, "device": 0}
    try:
        time.sleep(1.0)
        for _ in range(count):
            time.sleep(dice.uniform(0.05, 1.2))
            kills[players.kill(dice)] += 1
        time.sleep(SETTLE_S)
    finally:
        players.end()
    settle(folder, players.ports[1])
    return judge(folder, kills)


def settle(folder, port):
    """Start the bridge once more without a device, so that it says what it knows of everything that was left open."""

    async def main():
        async with Bridge(quick_site(port, folder), RealClock(), folder / "journal.sqlite", timeout_s=0.1):
            pass

    asyncio.run(main())


def heard_in(folder):
    """Return what the commander was told, whole lines only: number → outcome, ``asked`` while it waited."""
    path = folder / "heard"
    if not path.exists():
        return {}
    lines = path.read_text().split("\n")[:-1]
    return {int(k): word for k, word in (line.split() for line in lines)}


def judge(folder, kills):
    """Compare the device's log, the journal and what the commander was told."""
    from tests.chaos.life import EPOCH

    record, heard = read_journal(folder / "journal.sqlite"), heard_in(folder)
    lines = (folder / "device.log").read_text().split("\n")[:-1]
    log = [(at - EPOCH.timestamp(), address, raw) for at, address, raw in map(json.loads, lines)]
    found, ages, latest = [], [], 0
    tries = {}
    for t in record.tries:
        tries.setdefault((t.address, t.raw), []).append(t)
    for at, address, raw in log:
        if address == STARTED:
            continue
        before = [t for t in tries.get((address, raw), []) if t.at <= at + 0.005]
        if not before:
            found.append(("U3", f"{address} = {raw} landed without a record"))
            continue
        ages.append(max(at - before[-1].at, 0.0))
        if address == RELEASED:
            if before[-1].epoch < latest:
                found.append(("U4", f"{raw} of epoch {before[-1].epoch} landed after {latest}"))
            latest = max(latest, before[-1].epoch)
    found += told(record, heard, log)
    return Killed(kills, len(heard), len(ages), ages, found)


def told(record, heard, log):
    """Yield what was lost, or told wrong."""
    landed = {raw: at for at, address, raw in log if address == RELEASED}
    starts = [at for at, address, _ in log if address == STARTED]
    for k, word in heard.items():
        name = f"k{k}"
        outcome, _, told_at = record.outcomes.get(name, ("", "", 0.0))
        if word != "asked" and not outcome:
            yield "L1", f"{name} was answered with {word} and has no outcome"
        if word in ("applied", "no") and outcome and outcome != word:
            yield "L1", f"{name} was answered with {word}, the journal says {outcome}"
        if k % 4 and outcome == "applied" and (1 + k % 60_000) not in landed:
            yield "L2", f"{name} counts as applied and never landed"
        stood = landed.get(1 + k % 60_000)
        # nobody can tell a value that was lost with the device's power at once from one that was never taken
        lost = stood is not None and any(stood <= started <= told_at for started in starts)
        if k % 4 and outcome == "no" and stood is not None and not lost:
            yield "L3", f"{name} counts as not applied and landed"
    for name in record.orders.keys() - record.outcomes.keys():
        yield "L1", f"{name} was accepted and has no outcome"
    pulses = [record.outcomes[f"k{k}"][0] for k in heard if k % 4 == 0 and f"k{k}" in record.outcomes]
    done = sum(1 for _, address, _ in log if address == PULSE)
    if done > len(pulses) - pulses.count("no"):
        yield "D1", f"{done} pulses were carried out, {len(pulses)} asked for, {pulses.count('no')} of them denied"
    if done < pulses.count("applied"):
        yield "L2", f"{pulses.count('applied')} pulses count as applied, {done} were"


def show(killed):
    """Print what the kills showed; true when nothing was lost, doubled or told wrong."""
    ages = sorted(killed.ages)
    print(f"killed for real: {killed.kills}; {killed.commands} commands, {killed.landed} frames landed")
    if ages:
        p99 = ages[int(0.99 * (len(ages) - 1))]
        print(
            f"age of frames when they landed: p50 {ages[len(ages) // 2]:.3f} s, p99 {p99:.3f} s, most {ages[-1]:.3f} s;"
            f" {killed.older} older than the declared {LIFE_S:g} s"
        )
    print("violations:", killed.found or "none")
    return not killed.found
