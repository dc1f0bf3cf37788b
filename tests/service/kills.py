"""Kill -9 under load: python -m tests.service.kills 200 [--seed 1] [--engine sqlite|postgresql|both]

A service and a worker run on one store while three clients bring points, draft and approve schedules and ask for jobs. At random
instants one of the two is killed, and started again. A client that gets no answer sends the same request again, with the same key. In
the end everything that was ever acknowledged has to be there as it was acknowledged, nothing may be there twice, every job must have
reached its end once, and the chain of the record must hold.
"""

import argparse
import asyncio
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

DAY = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
"""So long ago that points are sealed with every start of a service, and not so long that their means alone are kept."""
NOON = datetime(2015, 7, 15, 4, tzinfo=UTC)
BATCH = 50
SETTLE_S = 60.0
BORN_S = 120.0
"""How long a process may take to be born, on a machine where many want the processor."""
TOLD_EVERY = 10
ACKNOWLEDGED, HEARD_S = 3, 20.0
"""Between two kills so many requests are acknowledged, or so many seconds pass: who is killed without having worked proves nothing."""
OPEN = ("queued", "running")
ENDED = "ended"
"""A file in which workers note the jobs that they have ended."""
ENGINES = ("sqlite", "postgresql")


@dataclass
class Told:
    """What was acknowledged, and how often something had to be sent again."""

    points: dict = field(default_factory=dict)
    schedules: dict = field(default_factory=dict)
    approved: set = field(default_factory=set)
    jobs: set = field(default_factory=set)
    wishes: set = field(default_factory=set)
    """Numbers of the jobs that somebody began to ask for; each is one job, however often it was sent."""
    counts: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Wrong:
    """Something that is not as it was acknowledged: ``lost``, there or done ``twice``, or ``unsettled``."""

    kind: str
    words: str


class Zygote:
    """A process that has everything imported and gives birth to services and workers in no time."""

    def __init__(self, folder, address):
        command = [sys.executable, "-m", "tests.service.kills", "--zygote", str(folder), "--store", address]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def born(self, what):
        """Start a service or a worker; its number and, for a service, its address and key."""
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], BORN_S)[0]:
            raise RuntimeError(f"no {what} was born within {BORN_S:g} s")
        line = self._process.stdout.readline()
        found = json.loads(line) if line else {}
        if found.get("born") is not True:
            raise RuntimeError(f"the {what} did not come to life: {found.get('why', 'its mother has died')}")
        return found

    def close(self):
        self._process.stdin.close()  # its children end with it
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self._process.kill()


def zygote(folder, address):
    """Fork what is asked for, line by line; what takes long is done once, before."""
    from hil.clocks import RealClock
    from models.site.file import load_site
    from service.app import create_app
    from service.memory import Memory
    from service.opening import Doors, opened
    from service.places import PARK
    from service.runtime import PlantKind, Runtime

    doors = Doors(address, folder / "results", local=True)
    runtime = Runtime(Memory(load_site(PARK)), RealClock(), PlantKind.EMULATED)
    app = create_app(runtime, opened(doors)[0])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the killed
    deeds = {"service": partial(serve, app, doors), "worker": partial(work, address, folder / ENDED)}
    for line in sys.stdin:
        reader, writer = os.pipe()
        mother, pid = os.getpid(), os.fork()
        if pid == 0:
            os.close(reader)
            try:
                deeds[line.strip()](writer, mother)
            except BaseException as fault:  # told to who waits for the birth, if anybody still does
                with suppress(OSError):
                    say(writer, {"why": repr(fault)[:300]})
            finally:
                os._exit(1)
        os.close(writer)
        with os.fdopen(reader) as told:
            print(json.dumps({"pid": pid} | json.loads(told.readline() or "{}")), flush=True)


def say(writer, what):
    os.write(writer, f"{json.dumps(what)}\n".encode())
    os.close(writer)


def serve(app, doors, writer, mother):
    """Serve as the shipped service does: the store is opened, brought up to date and asked for its tenant with every start."""
    from service.auth.limits import Limit
    from service.opening import opened
    from service.web import Web, listening_socket

    app.state.backing, _ = opened(doors)
    app.state.backing.requests = Limit(1e9, 1e9)
    web = Web(app, app.state.runtime, listening_socket("127.0.0.1", 0))
    web.start()
    say(writer, {"born": True, "address": web.address})
    while os.getppid() == mother:
        time.sleep(0.2)


def work(address, ends, writer, mother):
    """Take jobs from the queue as a worker does, and note which it has ended; the work itself is a moment of waiting."""
    from service.jobs import queue
    from service.jobs.job import JobState
    from service.store.engine import Store, store_url

    async def run():
        store = Store(store_url(address))
        say(writer, {"born": True})
        while os.getppid() == mother:
            job = await queue.claim(store, f"worker {os.getpid()}")
            if job is None:
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(0.05)
            await queue.told(store, job, 0.5, "half")
            if await queue.ended(store, job, JobState.DONE, "done"):
                with ends.open("a") as noted:
                    noted.write(f"{job.id}\n")

    asyncio.run(run())


class Load:
    """Three clients that never give up."""

    def __init__(self, told):
        self.told, self.address, self.stop = told, "", threading.Event()
        self._threads = [
            threading.Thread(target=self._go, args=(w,), daemon=True) for w in (self.points, self.schedule, self.job)
        ]
        self.faults = []
        self._http = httpx.Client(verify=False, timeout=10)  # noqa: S501 # nothing here is encrypted, and certificates take long to load

    def start(self):
        for thread in self._threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self._threads:
            thread.join(30)
        if self.faults:
            raise self.faults[0]

    def heard(self, count):
        """Wait until so many more requests were acknowledged, but not for ever."""
        until, wanted = time.monotonic() + HEARD_S, self.told.counts["acknowledged"] + count
        while self.told.counts["acknowledged"] < wanted and time.monotonic() < until and not self.stop.is_set():
            time.sleep(0.01)

    def _go(self, deed):
        number = 0
        try:
            while not self.stop.is_set():
                deed(number)
                number += 1
        except BaseException as fault:  # told by who waits for the load
            self.faults.append(fault)
            self.stop.set()

    def asked(self, method, path, **more):
        """Send a request until it is answered; None when the load ends before."""
        while not self.stop.is_set():
            try:
                answer = self._http.request(method, f"{self.address}api/v1/{path}", **more)
            except httpx.TransportError:
                self.told.counts["sent again"] += 1
                time.sleep(0.1)
                continue
            busy = answer.status_code == 409 and b"right now" in answer.content
            if answer.status_code not in (429, 503) and not busy:
                self.told.counts["acknowledged"] += 1
                return answer
            time.sleep(0.05)
        return None

    def points(self, number):
        start = DAY + timedelta(seconds=BATCH * number)
        at = [(start + timedelta(seconds=k)).isoformat() for k in range(BATCH)]
        series = [{"tag": tag, "at": at, "value": [number + k / 100 for k in range(BATCH)]} for tag in "ab"]
        answer = self.asked("POST", "telemetry", json={"series": series})
        if answer is not None:
            assert answer.status_code == 200, answer.text
            self.told.points[number] = start
            self.told.counts["points"] += 2 * BATCH

    def schedule(self, number):
        start, end = NOON.isoformat(), (NOON + timedelta(hours=1)).isoformat()
        wanted = {"title": f"s{number}", "start": start, "end": end}
        wanted["setpoints_kw"] = {"battery": [{"at": start, "kw": 1}]}
        made = self.asked("POST", "schedules", json=wanted, headers={"Idempotency-Key": f"s{number}"})
        if made is None:
            return
        assert made.status_code == 201, made.text
        found = made.json()
        self.told.schedules[found["title"]] = found["id"]
        headers = {"Idempotency-Key": f"a{number}", "If-Match": f'"{found["version"]}"'}
        approved = self.asked("POST", f"schedules/{found['id']}/approve", headers=headers)
        if approved is not None:
            assert approved.status_code == 200, approved.text
            self.told.approved.add(found["id"])

    def job(self, number):
        asked = {"kind": "dispatch", "day": "2015-07-15"}
        self.told.wishes.add(number)
        made = self.asked("POST", "jobs", json=asked, headers={"Idempotency-Key": f"j{number}"})
        if made is not None:
            assert made.status_code == 202, made.text
            self.told.jobs.add(made.json()["id"])
            time.sleep(0.05)


@contextmanager
def place(engine):
    """Give a folder and the address of an empty store."""
    with TemporaryDirectory(prefix="jt-kills-", ignore_cleanup_errors=True) as found:
        folder = Path(found)
        if engine == "sqlite":
            yield folder, str(folder / "store.sqlite")
            return
        from benchmarks.service_parts import postgres

        with postgres() as url:
            yield folder, url.set(drivername="postgresql").render_as_string(hide_password=False)


def campaign(kills, seed, engine="sqlite", tell=lambda _: None, seconds=inf):
    """Kill so many times under load, or for so long; return what was found wrong and the counts."""
    told = Told()
    with place(engine) as (folder, address):
        mother, load = Zygote(folder, address), Load(told)
        try:
            alive = {what: mother.born(what) for what in ("service", "worker")}
            load.address = alive["service"]["address"]
            load.start()
            killed(kills, random.Random(seed), mother, load, alive, tell, time.monotonic() + seconds)
            load.end()
            tell("all asked for; waiting for the last jobs, then comparing")
            wrong = settled(load.address, told, folder / ENDED)
        finally:
            load.stop.set()
            mother.close()
        wrong += chain(address)
    return wrong, told.counts


def killed(kills, chance, mother, load, alive, tell, until):
    """Kill one or the other at random instants, and start it again."""
    told = load.told
    for number in range(1, kills + 1):
        load.heard(ACKNOWLEDGED)
        time.sleep(chance.uniform(0.0, 0.5))
        if load.stop.is_set() or time.monotonic() > until:
            tell(f"ended after {number - 1} kills")
            return
        what = chance.choices(("service", "worker"), (3, 1))[0]
        os.kill(alive[what]["pid"], signal.SIGKILL)
        told.counts[f"{what} killed"] += 1
        alive[what] = mother.born(what)
        load.address = alive["service"]["address"]
        if number % TOLD_EVERY == 0 or number == kills:
            done = f"{told.counts['points']} points, {len(told.schedules)} schedules, {len(told.jobs)} jobs"
            tell(f"{number} of {kills} kills; acknowledged: {done}; sent again: {told.counts['sent again']}")


def settled(address, told, ends):
    """Return what is not as it was acknowledged."""
    with httpx.Client(base_url=f"{address}api/v1/", timeout=30) as http:
        wrong = [*lost_points(http, told), *wrong_schedules(http, told)]
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until and [j for j in every(http, "jobs") if j["state"] in OPEN]:
            time.sleep(0.5)
        wrong += wrong_jobs({j["id"]: j for j in every(http, "jobs")}, told, ends)
        acts = Counter((e["action"], e["thing"]) for e in every(http, "audit"))
        told.counts["acts"] = len(acts)
        wrong += [
            Wrong("twice", f"{action} of {thing} is told {n} times") for (action, thing), n in acts.items() if n > 1
        ]
    return wrong


def wrong_jobs(jobs, told, ends):
    """Yield jobs that are gone, are there or were ended twice, or have come to no end."""
    told.counts["jobs"] = len(jobs)
    yield from (Wrong("lost", f"job {j} was acknowledged and is gone") for j in told.jobs - jobs.keys())
    yield from (Wrong("unsettled", f"job {j['id']} is {j['state']} still") for j in jobs.values() if j["state"] in OPEN)
    if len(jobs) > len(told.wishes):
        yield Wrong("twice", f"{len(told.wishes)} jobs were asked for and there are {len(jobs)}")
    ended = Counter(ends.read_text().split() if ends.exists() else ())
    yield from (Wrong("twice", f"job {j} was ended {n} times") for j, n in ended.items() if n > 1)


def every(http, what):
    """Yield every item of a list, page by page."""
    before = None
    while True:
        page = http.get(
            what, params={"limit": 100 if what == "jobs" else 200} | ({} if before is None else {"before": before})
        ).json()
        yield from page["items"]
        if (before := page["next"]) is None:
            return


def lost_points(http, told):
    for tag in "ab":
        found, start = {}, DAY.isoformat()
        while start is not None:
            asked = {"start": start, "end": "2030-01-01T00:00:00Z", "limit": 100_000}
            answer = http.get(f"telemetry/points/{tag}", params=asked)
            if answer.status_code == 404 and not told.points:
                break
            page = answer.json()
            found |= dict(zip(page["at"], page["value"], strict=True))
            start = page["next"]
        for number, first in told.points.items():
            for k in range(BATCH):
                at = (first + timedelta(seconds=k)).isoformat().replace("+00:00", "Z")
                if found.get(at) != number + k / 100:
                    words = f"point {tag} at {at} was acknowledged as {number + k / 100} and is {found.get(at)}"
                    yield Wrong("lost", words)


def wrong_schedules(http, told):
    found = list(every(http, "schedules"))
    titles = Counter(s["title"] for s in found)
    yield from (Wrong("twice", f"schedule {t} is there {n} times") for t, n in titles.items() if n > 1)
    states = {s["id"]: s["state"] for s in found}
    told.counts["schedules"] = len(told.schedules)
    for title, number in told.schedules.items():
        if number not in states:
            yield Wrong("lost", f"schedule {title} was acknowledged and is gone")
        elif number in told.approved and states[number] != "approved":
            yield Wrong("lost", f"schedule {title} was approved and is {states[number]}")


def chain(address):
    """Return what is wrong with the record of who did what."""
    from service.auth.doors import HOME
    from service.store.audit import verify
    from service.store.engine import Store, store_url

    async def run():
        store = Store(store_url(address))
        found = await verify(store, HOME)
        await store.close()
        return [Wrong("lost", str(f)) for f in found.findings]

    return asyncio.run(run())


COLUMNS = ("service killed", "worker killed", "points", "schedules", "jobs", "acts", "sent again")
KINDS = ("lost", "twice", "unsettled")


def table(rows):
    """Return what was found as a table for the documentation."""
    titles = ("engine", "seed", *COLUMNS, *KINDS, "s")
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for engine, seed, wrong, counts, seconds in rows:
        kinds = Counter(w.kind for w in wrong)
        numbers = [*(f"{counts[c]:,}" for c in COLUMNS), *(str(kinds[k]) for k in KINDS)]
        lines.append(f"| {engine} | {seed} | {' | '.join(numbers)} | {seconds:.0f} |")
    return "\n".join(lines)


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("kills", type=int, nargs="?", default=200)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--engine", choices=(*ENGINES, "both"), default="sqlite")
    asked.add_argument("--seconds", type=float, default=inf, help="stop killing after so long, then compare")
    asked.add_argument("--zygote", type=Path)
    asked.add_argument("--store", default="")
    told = asked.parse_args()
    if told.zygote is not None:
        zygote(told.zygote, told.store)
        return 0
    rows = []
    for engine in ENGINES if told.engine == "both" else (told.engine,):
        began = time.monotonic()

        def tell(words, engine=engine, began=began):
            print(f"{engine}, {time.monotonic() - began:.0f} s: {words}", flush=True)

        wrong, counts = campaign(told.kills, told.seed, engine, tell, told.seconds)
        rows.append((engine, told.seed, wrong, counts, time.monotonic() - began))
        for line in wrong[:20]:
            print(f"  {line.kind}: {line.words}")
    print(table(rows))
    return 1 if any(row[2] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
