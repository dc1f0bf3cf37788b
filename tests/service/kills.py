"""Kill -9 under load: python -m tests.service.kills 200 [--seed 1] [--engine sqlite]

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
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

DAY = datetime(2026, 3, 1, tzinfo=UTC)
NOON = datetime(2015, 7, 15, 4, tzinfo=UTC)
BATCH = 50
SETTLE_S = 60.0
OPEN = ("queued", "running")


@dataclass
class Told:
    """What was acknowledged, and how often something had to be sent again."""

    points: dict = field(default_factory=dict)
    schedules: dict = field(default_factory=dict)
    approved: set = field(default_factory=set)
    jobs: set = field(default_factory=set)
    counts: Counter = field(default_factory=Counter)


class Zygote:
    """A process that has everything imported and gives birth to services and workers in no time."""

    def __init__(self, folder, address):
        command = [sys.executable, "-m", "tests.service.kills", "--zygote", str(folder), "--store", address]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def born(self, what):
        """Start a service or a worker; its number and, for a service, its address and key."""
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the zygote has died")
        return json.loads(line)

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)


def zygote(folder, address):
    """Fork what is asked for, line by line."""
    import service.app
    import service.jobs.queue
    import twin.state
    from models.site.file import load_site
    from service.places import PARK

    assert service.app
    assert service.jobs.queue
    assert twin.state
    site = load_site(PARK)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the killed
    for line in sys.stdin:
        reader, writer = os.pipe()
        mother, pid = os.getpid(), os.fork()
        if pid == 0:
            os.close(reader)
            try:
                {"service": serve, "worker": work}[line.strip()](site, folder, address, writer, mother)
            finally:
                os._exit(1)
        os.close(writer)
        with os.fdopen(reader) as told:
            print(json.dumps({"pid": pid} | json.loads(told.readline() or "{}")), flush=True)


def say(writer, what):
    os.write(writer, f"{json.dumps(what)}\n".encode())
    os.close(writer)


def serve(site, folder, address, writer, mother):
    from hil.clocks import RealClock
    from service.app import create_app
    from service.auth.limits import Limit
    from service.memory import Memory
    from service.opening import Doors, opened
    from service.runtime import PlantKind, Runtime
    from service.web import Web, listening_socket

    backing, _ = opened(Doors(address, folder / "results", local=True))
    backing.requests = Limit(1e9, 1e9)
    runtime = Runtime(Memory(site), RealClock(), PlantKind.EMULATED)
    web = Web(create_app(runtime, backing), runtime, listening_socket("127.0.0.1", 0))
    web.start()
    say(writer, {"address": web.address})
    while os.getppid() == mother:
        time.sleep(0.2)


def work(_site, _folder, address, writer, mother):
    """Take jobs from the queue as a worker does; the work itself is a moment of waiting."""
    from service.jobs import queue
    from service.jobs.job import JobState
    from service.store.engine import Store, store_url

    async def run():
        store = Store(store_url(address))
        say(writer, {})
        while os.getppid() == mother:
            job = await queue.claim(store, f"worker {os.getpid()}")
            if job is None:
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(0.05)
            await queue.told(store, job, 0.5, "half")
            await queue.ended(store, job, JobState.DONE, "done")

    asyncio.run(run())


class Load:
    """Three clients that never give up."""

    def __init__(self, told):
        self.told, self.address, self.stop = told, "", threading.Event()
        self._threads = [threading.Thread(target=self._go, args=(w,)) for w in (self.points, self.schedule, self.job)]
        self.faults = []

    def start(self):
        for thread in self._threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self._threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

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
                answer = httpx.request(method, f"{self.address}api/v1/{path}", timeout=10, **more)
            except httpx.TransportError:
                self.told.counts["sent again"] += 1
                time.sleep(0.02)
                continue
            busy = answer.status_code == 409 and b"right now" in answer.content
            if answer.status_code not in (429, 503) and not busy:
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
        made = self.asked("POST", "jobs", json=asked, headers={"Idempotency-Key": f"j{number}"})
        if made is not None:
            assert made.status_code == 202, made.text
            self.told.jobs.add(made.json()["id"])
            time.sleep(0.05)


@contextmanager
def place(engine):
    """Give a folder and the address of an empty store."""
    with TemporaryDirectory(prefix="jt-kills-") as found:
        folder = Path(found)
        if engine == "sqlite":
            yield folder, str(folder / "store.sqlite")
            return
        from benchmarks.service_parts import postgres

        with postgres() as url:
            yield folder, url.set(drivername="postgresql").render_as_string(hide_password=False)


def campaign(kills, seed, engine="sqlite"):
    """Kill so many times under load; return what was found wrong and the counts."""
    chance, told = random.Random(seed), Told()
    with place(engine) as (folder, address):
        mother, load = Zygote(folder, address), Load(told)
        alive = {what: mother.born(what) for what in ("service", "worker")}
        load.address = alive["service"]["address"]
        load.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.02, 0.6))
            if load.stop.is_set():
                break
            what = chance.choices(("service", "worker"), (3, 1))[0]
            os.kill(alive[what]["pid"], signal.SIGKILL)
            told.counts[f"{what} killed"] += 1
            alive[what] = mother.born(what)
            load.address = alive["service"]["address"]
        load.end()
        wrong = settled(load.address, told)
        for one in alive.values():
            os.kill(one["pid"], signal.SIGKILL)
        mother.close()
        wrong += chain(address)
    return wrong, told.counts


def settled(address, told):
    """Return what is not as it was acknowledged."""
    with httpx.Client(base_url=f"{address}api/v1/", timeout=30) as http:
        wrong = [*lost_points(http, told), *lost_schedules(http, told)]
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until and [j for j in every(http, "jobs") if j["state"] in OPEN]:
            time.sleep(0.5)
        jobs = {j["id"]: j for j in every(http, "jobs")}
        told.counts.update(f"jobs {j['state']}" for j in jobs.values())
        wrong += [f"job {j} was acknowledged and is gone" for j in told.jobs - jobs.keys() if len(jobs) < 200]
        wrong += [f"job {j['id']} is {j['state']} still" for j in jobs.values() if j["state"] in OPEN]
        acts = Counter((e["action"], e["thing"]) for e in every(http, "audit"))
        ended = {thing for (action, thing), n in acts.items() if action.startswith("job.") and n > 1}
        wrong += [f"{thing} was asked for or ended twice" for thing in ended]
    return wrong


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
            page = http.get(f"telemetry/points/{tag}", params=asked).json()
            found |= dict(zip(page["at"], page["value"], strict=True))
            start = page["next"]
        for number, first in told.points.items():
            for k in range(BATCH):
                at = (first + timedelta(seconds=k)).isoformat().replace("+00:00", "Z")
                if found.get(at) != number + k / 100:
                    yield f"point {tag} at {at} was acknowledged as {number + k / 100} and is {found.get(at)}"


def lost_schedules(http, told):
    found = list(every(http, "schedules"))
    titles = Counter(s["title"] for s in found)
    yield from (f"schedule {t} is there {n} times" for t, n in titles.items() if n > 1)
    states = {s["id"]: s["state"] for s in found}
    told.counts["schedules"] = len(told.schedules)
    for title, number in told.schedules.items():
        if number not in states:
            yield f"schedule {title} was acknowledged and is gone"
        elif number in told.approved and states[number] != "approved":
            yield f"schedule {title} was approved and is {states[number]}"


def chain(address):
    """Return what is wrong with the record of who did what."""
    from service.auth.doors import HOME
    from service.store.audit import verify
    from service.store.engine import Store, store_url

    async def run():
        store = Store(store_url(address))
        found = await verify(store, HOME)
        await store.close()
        return [str(f) for f in found.findings]

    return asyncio.run(run())


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("kills", type=int, nargs="?", default=200)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    asked.add_argument("--zygote", type=Path)
    asked.add_argument("--store", default="")
    told = asked.parse_args()
    if told.zygote is not None:
        zygote(told.zygote, told.store)
        return 0
    began = time.monotonic()
    wrong, counts = campaign(told.kills, told.seed, told.engine)
    for name, count in sorted(counts.items()):
        print(f"{name:>18}  {count}")
    print(
        f"{told.kills} kills on {told.engine}, seed {told.seed}, {time.monotonic() - began:.0f} s: {len(wrong)} wrong"
    )
    for line in wrong[:20]:
        print(f"  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
