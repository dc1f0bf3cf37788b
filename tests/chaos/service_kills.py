"""Real SIGKILL of the whole service: `jouletwin serve` in a process of its own, killed at random instants and started again on the same
journal and log, over bad lines, and judged afterwards.

Three boilers and a heat meter answer in a process of their own, which writes down every value before it answers. The boilers fall back by
themselves when nobody feeds their timers, so that every life of the service has to bring them back. Somebody reads the service's receipts
over HTTP, as a client would, and what that client has been told must still be true at the end.
"""

import asyncio
import json
import random
import re
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hil.faultproxy import Fault, FaultProxy, Kind
from tests.chaos.device import LoggedDevice
from tests.chaos.kills import FORK, free_ports, kill
from tests.chaos.life import EPOCH
from tests.chaos.record import read_journal

LIFE_S = 1.5
"""Declared life of a frame: what the service takes when nobody says otherwise."""
FAULTS = (Fault(Kind.DELAY_REQUEST, share=0.05, delay_s=0.3, functions=(6,)), Fault(Kind.DROP_REPLY, share=0.03))
BOILERS = 3
RATED_KW = 300
REVERT_S = 4.0
SETPOINT, POWER, HEAT = 4, 1, 2
READY_S = 60.0
"""A service that has not commanded anything by then counts as not coming back."""
ON_TARGET_S = LIFE_S + 2.0
EARLY_SHARE = 0.25
"""So many are killed while they start."""
MAPS = {
    "kept_boiler": """
format: jouletwin-map/1
name: kept_boiler
title: Boiler that falls back when it hears nothing
source: made for the chaos suite
kinds: [electric_boiler]
points:
  - {quantity: heartbeat, address: 0, heartbeat: true}
  - {quantity: electricity_kw, address: 1, unit: kW, positive: draws}
  - {quantity: heat_kw, address: 2, unit: kW}
  - {quantity: setpoint_kw, address: 4, unit: kW, access: readwrite, revert_s: 4, revert_to: 0}
""",
    "heat_meter": """
format: jouletwin-map/1
name: heat_meter
title: Heat meter
source: made for the chaos suite
kinds: [consumer]
points:
  - {quantity: heartbeat, address: 0, heartbeat: true}
  - {quantity: heat_kw, address: 2, unit: kW, positive: draws}
""",
}
SITE = """
format: jouletwin-site/1
name: kept
title: Three boilers
currency: CNY
location: {latitude_deg: 36.1, longitude_deg: 115.05, time_zone: Asia/Shanghai}
nodes:
  - {id: board, carrier: electricity}
  - {id: main, carrier: heat}
assets:
  - {kind: grid_connection, id: grid, electricity_node: board, import_max_kw: 2000, export_max_kw: 0, contract: power}
  - {kind: consumer, id: hall, demands: [{carrier: heat, node: main, profile: hall_kw}]}
"""
REST = """
contracts:
  - {kind: electricity, id: power, party: Example, tariff: {bands: [{name: flat, price_per_kwh: 0.65, windows: [{start_h: 0, end_h: 24}]}]}}
customers:
  - {id: works, name: Works, sector: metal, consumer: hall}
profiles: {file: profiles.csv}
devices:
"""


def write_site(folder, ports):
    """Write the site, its maps and its profile, and return the site file."""
    for name, text in MAPS.items():
        (folder / f"{name}.yaml").write_text(text)
    boiler = "  - {{kind: electric_boiler, id: b{k}, electricity_node: board, heat_node: main, heat_max_kw: {kw}, efficiency: {eta}}}\n"
    units = "".join(boiler.format(k=k, kw=RATED_KW, eta=0.99 - 0.01 * k) for k in range(BOILERS))
    device = "  - {{id: {i}, asset: {i}, map: {m}.yaml, port: {p}, poll_s: 0.5}}\n"
    rows = [(f"b{k}", "kept_boiler") for k in range(BOILERS)] + [("hall", "heat_meter")]
    places = "".join(device.format(i=i, m=m, p=p) for (i, m), p in zip(rows, ports, strict=True))
    (folder / "site.yaml").write_text(SITE + units + REST + places)
    hours = (f"2015-01-{1 + h // 24:02d}T{h % 24:02d}:00:00Z,{400 + 20 * (h % 24)}" for h in range(24 * 14))
    (folder / "profiles.csv").write_text("\n".join(("start_utc,hall_kw", *hours, "")))
    return folder / "site.yaml"


class KeptBoiler(LoggedDevice):
    """A boiler that does as it is told, and falls back to nothing when it is not told again within four seconds."""

    def __init__(self, name, log):
        super().__init__()
        self.name, self.file, self.fed = name, log, 0.0
        self.note("start", 0)

    def note(self, who, raw):
        self.file.write(json.dumps([time.time(), self.name, who, raw]) + "\n")

    def answer(self, body):
        if self.registers.get(SETPOINT) and self.now - self.fed > REVERT_S:
            self.registers[SETPOINT] = 0
            self.note("revert", 0)
        self.registers[HEAT] = self.registers.get(SETPOINT, 0)
        self.registers[POWER] = round(self.registers[HEAT] / 0.98)
        return super().answer(body)

    def take(self, address, raw):
        self.note("bridge" if address == SETPOINT else "stray", raw)
        self.registers[address], self.fed = raw, self.now


class HeatMeter(LoggedDevice):
    """A meter whose load changes every few seconds, so that every plan asks for something else."""

    def answer(self, body):
        self.registers[HEAT] = random.Random(int(time.time() / 7)).randrange(100, BOILERS * RATED_KW)
        return super().answer(body)


def serve_devices(path, ports):
    """Be all devices, for ever."""

    async def main():
        with path.open("a", buffering=1) as log:
            for k, port in enumerate(ports[:-1]):
                await KeptBoiler(f"b{k}", log).start(port)
            await HeatMeter().start(ports[-1])
            await asyncio.Event().wait()

    asyncio.run(main())


def serve_lines(behind, ports):
    """Be the bad lines, for ever."""

    async def main():
        for k, (device, port) in enumerate(zip(behind, ports, strict=True)):
            await FaultProxy("127.0.0.1", device, FAULTS, seed=k).start(port)
        await asyncio.Event().wait()

    asyncio.run(main())


@dataclass
class Deaths:
    """What so many deaths of the service left behind."""

    kills: Counter = field(default_factory=Counter)
    """When it was killed → how often."""
    ready_s: list = field(default_factory=list)
    """Seconds from each start to the first frame on a device."""
    told: dict = field(default_factory=dict)
    """Command → outcome, as the client read it over HTTP."""
    ages: list = field(default_factory=list)
    commands: int = 0
    found: list = field(default_factory=list)
    """(class, words) of every violation."""


class Play:
    """Devices, lines, the service and its client."""

    def __init__(self, folder, deaths):
        self.folder, self.deaths = folder, deaths
        self.log, self.said = folder / "device.log", folder / "service.out"
        ports = free_ports(2 * (BOILERS + 1))
        self.site = write_site(folder, ports[BOILERS + 1 :])
        self.others = [
            self.start(serve_devices, self.log, ports[: BOILERS + 1]),
            self.start(serve_lines, ports[: BOILERS + 1], ports[BOILERS + 1 :]),
        ]
        self.service = None
        self.address = ""

    def start(self, work, *values):
        process = FORK.Process(target=work, args=values, daemon=True)
        process.start()
        return process

    def start_service(self):
        self.address, self.began = "", time.time()
        records = {
            "--journal": "journal.sqlite",
            "--log": "log.sqlite",
            "--store": "store.sqlite",
            "--results": "results",
        }
        placed = [word for option, name in records.items() for word in (option, str(self.folder / name))]
        command = [sys.executable, "-m", "service.cli", "serve", str(self.site), "--port", "0", "--local", *placed]
        self.heard_before = self.said.stat().st_size if self.said.exists() else 0
        with self.said.open("a") as out:
            self.service = subprocess.Popen(
                command, cwd=Path(__file__).parents[2], stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def commanded(self):
        """Return whether the service has brought a value to a device since it was started."""
        return any(who == "bridge" and at > self.began for at, _, who, _ in last_entries(self.log))

    def wait(self, until):
        """Let the client read until ``until()`` is true or the patience is over."""
        while not until() and time.time() - self.began < READY_S and self.service.poll() is None:
            time.sleep(0.05)
            self.listen()
        return until()

    def listen(self):
        """Read what became of commands, as a client of the service does."""
        if not self.address:
            found = re.search(r"http://127\.0\.0\.1:\d+/", self.said.read_text()[self.heard_before :])
            self.address = found.group(0) if found else ""
        if not self.address:
            return
        try:
            items = httpx.get(self.address + "api/v1/receipts?limit=50", timeout=2).json()["items"]
        except (httpx.HTTPError, KeyError):
            return
        self.deaths.told |= {item["id"]: item["outcome"] for item in items}

    def kill_service(self, dice):
        """Start the service and kill it: while it starts, or some moments into its work."""
        self.start_service()
        if dice.random() < EARLY_SHARE:
            born = time.time()
            length = dice.uniform(0.2, 6.0)
            self.wait(lambda: time.time() - born > length)
            when = "starting"
        else:
            if not self.wait(self.commanded):
                words = " ".join(self.said.read_text()[self.heard_before :].split())[-300:]
                self.deaths.found.append(("R", f"the service commanded nothing within {READY_S:g} s: {words}"))
            self.deaths.ready_s.append(time.time() - self.began)
            until = time.time() + dice.uniform(0.0, 4.0)
            self.wait(lambda: time.time() > until)
            when = "working"
        self.deaths.kills[when] += 1
        self.service.send_signal(signal.SIGKILL)
        self.service.wait()

    def last_life(self):
        """Start the service once more, let it bring everything back, and end it in order."""
        self.start_service()
        if not self.wait(self.commanded):
            self.deaths.found.append(("R", f"the service commanded nothing within {READY_S:g} s"))
        until = time.time() + ON_TARGET_S + 2.0
        self.wait(lambda: time.time() > until)
        self.service.terminate()
        if (code := self.service.wait(60)) != 0:
            self.deaths.found.append(("X", f"the service ended with {code} when it was asked to"))
        time.sleep(
            LIFE_S
        )  # the last frame may be late, and nobody asks a device any more, so that it does not fall back
        self.standing = {name: raw for _, name, _, raw in last_entries(self.log)}

    def end(self):
        if self.service is not None and self.service.poll() is None:
            self.service.kill()
            self.service.wait()
        for process in self.others:
            kill(process)


def last_entries(path):
    """Return the newest entries of a device log, whole lines only."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 20_000, 0))
        lines = file.read().split(b"\n")[1:-1] if file.tell() > 20_000 else file.read().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def run(count: int, folder: Path, seed: int = 1) -> Deaths:
    """Kill the service so many times and judge."""
    dice, deaths = random.Random(seed), Deaths()
    play = Play(folder, deaths)
    try:
        for _ in range(count):
            play.kill_service(dice)
            time.sleep(dice.uniform(0.0, 1.0))
        play.last_life()
    finally:
        play.end()
    judge(play, deaths)
    return deaths


def judge(play, deaths):
    """Compare the devices' log, the journal, the log of the twin and what the client was told."""
    record = read_journal(play.folder / "journal.sqlite")
    lines = [json.loads(line) for line in play.log.read_text().split("\n")[:-1]]
    log = [(at - EPOCH.timestamp(), name, who, raw) for at, name, who, raw in lines]
    deaths.commands = len(record.orders)
    deaths.found += landed(record, log, deaths.ages)
    deaths.found += answered(record, log, deaths.told)
    deaths.found += stands(record, play.standing)
    deaths.found += rebuilt(play)


def landed(record, log, ages):
    """Yield frames without a record, frames that came after newer ones, and values that nobody may write."""
    tries = {}
    for t in record.tries:
        tries.setdefault((t.device, t.raw), []).append(t)
    latest = Counter()
    for at, name, who, raw in log:
        if who == "stray":
            yield "S", f"{name} was written somewhere else"
        if who != "bridge":
            continue
        if not 0 <= raw <= RATED_KW:
            yield "U1", f"{name} was sent {raw}"
        mine = tries.get((name, raw), [])
        before = mine[: bisect_right([t.at for t in mine], at + 0.005)]
        if not before:
            yield "U3", f"{name} = {raw} landed at {at:.2f} without a record"
            continue
        ages.append(max(at - before[-1].at, 0.0))
        if at > record.orders[before[-1].command].deadline:
            yield "U2", f"{name} = {raw} landed at {at:.2f}, after its deadline"
        if before[-1].epoch < latest[name]:
            yield "U4", f"{name} = {raw} of epoch {before[-1].epoch} landed after {latest[name]}"
        latest[name] = max(latest[name], before[-1].epoch)


def answered(record, log, told):
    """Yield what the client was told and is not so, and commands of which nobody knows anything."""
    for name, outcome in told.items():
        kept = record.outcomes.get(name, ("nothing", "", 0.0))
        # the only word that may be said better later is "maybe"
        if outcome != kept[0] and outcome != "maybe":
            yield "L1", f"the client was told {outcome} of {name}, the journal says {kept[0]}"
    for name in record.orders.keys() - record.outcomes.keys():
        yield "L1", f"{name} was accepted and has no outcome"
    shown = {}
    for at, device, who, raw in log:
        shown.setdefault(device, []).append((at, who, raw))
    sent = {t.command: t.device for t in record.tries}
    for name, (outcome, _, at) in record.outcomes.items():
        order = record.orders.get(name)
        if order is None or name not in sent:
            continue
        mine = shown.get(sent[name], [])
        near = [raw for s, _, raw in mine if order.accepted - REVERT_S <= s <= at + 0.005]
        before = [raw for s, _, raw in mine if s < order.accepted][-1:]
        if outcome == "applied" and round(order.value) not in (*near, *before):
            yield "L2", f"{name} counts as applied, {sent[name]} never showed {order.value:g}"
        if outcome == "no" and any(t.command == name and t.raw in near for t in record.tries):
            yield "L3", f"{name} counts as not applied and landed"


def stands(record, standing):
    """Yield devices that do not show the newest command in the end, where it counts as applied."""
    for device in (f"b{k}" for k in range(BOILERS)):
        mine = {t.command for t in record.tries if t.device == device}
        newest = max(mine, key=lambda c: record.orders[c].epoch, default=None)
        applied = newest is not None and record.outcomes.get(newest, ("", "", 0.0))[0] == "applied"
        if applied and standing.get(device) != round(record.orders[newest].value):
            yield "H1", f"{device} shows {standing.get(device)}, {newest} wants {record.orders[newest].value:g}"


def rebuilt(play):
    """Yield what the log of the twin cannot rebuild bit for bit, across all the deaths."""
    command = [sys.executable, "-m", "service.cli", "replay", "--site", str(play.site), "--log"]
    done = subprocess.run(
        [*command, str(play.folder / "log.sqlite")],
        capture_output=True,
        text=True,
        check=False,
        cwd=play.site.parents[0],
    )
    if done.returncode:
        yield "B", f"a turn is not rebuilt from the log: {' '.join((done.stdout + done.stderr).split())[-300:]}"


def show(deaths):
    """Print what the deaths showed; true when nothing was lost, doubled or told wrong."""
    ready, ages = sorted(deaths.ready_s) or [0.0], sorted(deaths.ages) or [0.0]
    print(
        f"the service killed for real: {dict(deaths.kills)}; first frame {ready[len(ready) // 2]:.1f} s after a start, at most {ready[-1]:.1f} s"
    )
    print(
        f"{deaths.commands} commands, {len(deaths.ages)} frames landed, {len(deaths.told)} receipts read by a client;"
        f" age of frames: p50 {ages[len(ages) // 2]:.3f} s, most {ages[-1]:.3f} s;"
        f" {sum(a > LIFE_S for a in ages)} older than the declared {LIFE_S:g} s"
    )
    print("violations:", deaths.found or "none")
    return not deaths.found
