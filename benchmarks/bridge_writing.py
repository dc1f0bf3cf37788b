"""Writing: how long a set-point is looked at before it may leave, how long it waits behind polls, and what protects it."""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

PACKAGES = ("pymodbus", "numpy", "xarray")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST_S = 0.005
"""What the device takes for each answer."""
UNITS = 8
LOAD = 0.8
PAUSE_S = 0.06


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(values)[int(0.99 * (len(values) - 1))]


@case("bridge", "gate with power flow", size=300, quick_size=10, packages=PACKAGES)
def gate(bench: Bench) -> Row:
    """Judge set-points of the park's battery by the power flow of the state that they would bring about."""
    from models.carriers import Carrier
    from models.ports import Command
    from models.site import load_site
    from scenarios.sites import park_path
    from twin.candidate import Candidates

    site = load_site(park_path())
    candidates = Candidates(site)
    dice = random.Random(1)
    battery = next(d for d in site.devices if site.asset(d.asset).kind == "battery")
    powers: dict[tuple[str, Carrier], float] = {
        (a.id, c): dice.uniform(-100.0, 100.0) for a in site.assets for c in a.ports() if c is Carrier.ELECTRICITY
    }
    spent = []
    for k in range(bench.size + 1):
        candidates.present(powers)
        wanted = Command(f"c{k}", battery.id, "setpoint_kw", float(1 + k % 400), NOW, "bench", NOW + timedelta(hours=1))
        began = time.perf_counter()
        candidates.objection(wanted)
        spent.append(time.perf_counter() - began)
    return bench.figure(
        1e3 * p99(spent[1:]),
        "ms",
        target=value_at_most(20),
        phase="gate with AC power flow on the candidate state, p99",
    )


@case("bridge", "write behind polls", size=150, quick_size=10, packages=PACKAGES)
def write_behind_polls(bench: Bench) -> Row:
    """Write while one line is polled four fifths of the time; a write passes every read that has not begun."""
    with tempfile.TemporaryDirectory() as folder:
        waits = asyncio.run(_waits(bench.size, Path(folder)))
    words = f"write on the device, p99 after {1e3 * REQUEST_S:g} ms requests at {LOAD:.0%} poll load"
    return bench.figure(1e3 * p99(waits), "ms", target=value_at_most(1e3 * REQUEST_S + 20), phase=words)


async def _waits(count: int, folder: Path) -> list[float]:
    """Return the seconds from each command to its frame on the device."""
    from hil.bridge import Bridge
    from hil.clocks import RealClock
    from hil.faultproxy import Fault, FaultProxy, Kind
    from models.ports import Command
    from tests.chaos.fleet import Controller, FleetPlan, fleet_site

    plan = FleetPlan(seed=0)
    device = Controller(plan, 0)
    slow = FaultProxy("127.0.0.1", await device.start(), [Fault(Kind.DELAY_REPLY, delay_s=REQUEST_S)])
    site = fleet_site([await slow.start()] * UNITS, plan, folder)
    period_s = UNITS * REQUEST_S / LOAD
    units = tuple(replace(d, unit_id=k + 1, poll_s=period_s) for k, d in enumerate(site.devices))
    loop, clock, waits = asyncio.get_running_loop(), RealClock(), []
    async with Bridge(replace(site, devices=units), clock, folder / "journal.sqlite", frame_life_s=0.1) as bridge:
        for k in range(count):
            now, began = clock.now(), loop.time()
            wanted = Command(f"c{k}", "e0", "released_kw", float(1 + k), now, "bench", now + timedelta(hours=1))
            await bridge.write(wanted)
            waits += [at - began for at, _, _, raw in device.log if raw == 1 + k]
            await asyncio.sleep(PAUSE_S)
    await slow.stop()
    await device.stop()
    return waits


@case("bridge", "rules switched off", size=20, quick_size=1, packages=PACKAGES)
def rules(bench: Bench) -> Iterator[Row]:
    """Switch every protective rule off in its own episodes: its class of violation has to show, and without that none may."""
    from tests.chaos.ablations import table

    with tempfile.TemporaryDirectory() as folder:
        found = list(table(bench.size, Path(folder)))
    for rule, _, shown in found:
        share = shown / bench.size
        phase = f"without {rule.name}: episodes with {' or '.join(sorted(rule.classes))}"
        yield bench.figure(100 * share, "%", target=value_at_least(5), phase=phase)
    violated = sum(n for _, n, _ in found)
    yield bench.figure(violated, "violations", target=value_at_most(0), phase="the same episodes with every rule")


@case("bridge", "killed for real", size=200, quick_size=5, packages=PACKAGES)
def killed(bench: Bench) -> Iterator[Row]:
    """Kill bridge, device and service as processes at random instants, and compare device log, journal and what was told."""
    from tests.chaos import kills, service_kills

    of_service = max(bench.size // kills.SERVICE_ONE_IN, 1)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        found = kills.run(bench.size - of_service, Path(folder))
        service = service_kills.run(of_service, Path(other))
    wrong = len(found.found) + len(service.found)
    yield bench.figure(wrong, "violations", target=value_at_most(0), phase=f"{bench.size} times SIGKILL")
    yield bench.figure(max(found.ages, default=0.0), "s", phase="oldest frame that landed; 0.5 s is declared")
    yield bench.figure(
        max(service.ages, default=0.0),
        "s",
        phase=f"the same of the service, killed {of_service} times; 1.5 s is declared",
    )
    ready_s = statistics.median(service.ready_s or [0.0])
    yield bench.figure(ready_s, "s", phase="first frame after a start of the service")
