"""Many episodes and one table: which rows they touched, what was violated, how fast the device came back."""

import gc
import hashlib
import json
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.chaos import episode, fleet, fleet_oracle, oracle
from tests.chaos.shrink import readable, shrink

SHRINK_AT_MOST = 3
BATCH = 50
"""Episodes that a process takes at once."""


class Tally:
    """What some episodes together showed; tallies add up."""

    def __init__(self):
        self.frames, self.episodes, self.spoilt, self.classes = Counter(), Counter(), Counter(), Counter()
        self.bad, self.readable_after, self.target_after = [], [], []
        self.deaths = self.stalls = 0
        self.traces = {}
        """Seed → digest of its device logs and receipts."""

    def __iadd__(self, other):
        for name, mine in vars(self).items():
            theirs = getattr(other, name)
            setattr(self, name, mine | theirs if type(mine) is dict else mine + theirs)
        return self

    def add(self, seed, evidence, found, rows, told):
        self.frames.update({k.value: n for k, n in evidence.injected.items()})
        self.episodes.update(rows)
        self.spoilt.update(rows if found else ())
        self.classes.update(kind for kind, _ in found)
        self.deaths += len(evidence.bridge_down)
        self.stalls += evidence.stalls
        self.bad += [(seed, *f) for f in found]
        self.traces[seed] = hashlib.sha256(repr((evidence.logs, told)).encode()).hexdigest()

    @property
    def trace(self):
        """One digest of all episodes, whoever ran which."""
        whole = "".join(self.traces[seed] for seed in sorted(self.traces))
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def hardships(plan):
    """Return the rows of what happens to the bridge itself."""
    rows = {
        "kill": plan.kills,
        "torn journal": plan.power_cuts,
        "clock jump": plan.jumps,
        "disk full": plan.full_disks,
        "two bridges": plan.rivals,
    }
    return {row for row, some in rows.items() if some} | {plan.framer}


def one_engine(seed, folder, tally):
    plan = episode.draw(seed)
    evidence = episode.run(plan, folder)
    told = [(at, r.command.id, r.outcome, r.code) for at, r in evidence.receipts]
    rows = hardships(plan) | {f.kind.value for f in plan.faults} | {s.kind for s in plan.spells}
    more = {
        "other master": plan.masters,
        "reboot": plan.reboots,
        "schedule": plan.steps,
        "single writes": plan.commands,
    }
    rows |= {row for row, some in more.items() if some}
    tally.add(seed, evidence, oracle.violations(evidence), rows, told)
    for found, times in ((oracle.recovery_s, tally.readable_after), (oracle.target_recovery_s, tally.target_after)):
        after = found(evidence)
        times += [] if after is None else [after]


def one_fleet(seed, folder, tally):
    plan = fleet.draw(seed)
    evidence = fleet.run(plan, folder)
    rows = hardships(plan) | {t.name for t in plan.troubles} | {a.kind for a in plan.acts}
    rows |= {row for row, some in (("lease", plan.leases), ("function 16", plan.fc16)) if some}
    rows |= {"10 devices" if plan.devices == 10 else "1 to 3 devices"}
    rows |= {"group after group"} if seed % 8 == fleet.CROWDED else set()
    tally.add(seed, evidence, fleet_oracle.violations(evidence), rows, evidence.receipts)


def memory_folder():
    """Return a temporary folder, in memory where there is such a thing."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder in memory, for speed
    return tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None)


def batch(seeds):
    """Run some episodes, even seeds with one engine, odd ones with a fleet."""
    tally = Tally()
    with memory_folder() as name:
        folder = Path(name)
        for seed in seeds:
            (one_fleet if seed % 2 else one_engine)(seed, folder, tally)
            for left in folder.glob("*.sqlite*"):
                left.unlink()
    return tally


def in_haste():
    """Let the collector look for cycles seldom: episodes are short, and leave little."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run(count, first, jobs):
    """Run episodes in so many processes, print what they showed, and return whether anything was violated."""
    started = time.perf_counter()
    in_haste()
    batches = [range(k, min(k + BATCH, first + count)) for k in range(first, first + count, BATCH)]
    tally = Tally()
    if jobs == 1:
        for seeds in batches:
            tally += batch(seeds)
    else:
        with ProcessPoolExecutor(jobs, initializer=in_haste) as pool:
            for part in pool.map(batch, batches):
                tally += part
    show_smallest(tally)
    show(tally, count, first, jobs, time.perf_counter() - started)
    return bool(tally.bad)


def show_smallest(tally):
    """Print the first failing episodes as the smallest plans that still fail."""
    first = {}
    for seed, kind, _ in tally.bad:
        first.setdefault(seed, kind)
    with memory_folder() as name:
        for seed, kind in list(first.items())[:SHRINK_AT_MOST]:
            small, runs = shrink((fleet if seed % 2 else episode).draw(seed), shows(kind, Path(name), seed % 2))
            print(f"{kind} in seed {seed}, after {runs} runs:", readable(small), sep="\n")


def shows(kind, folder, in_fleet):
    """Return whether a plan leads to a violation of this class."""
    runner, judge = (fleet, fleet_oracle) if in_fleet else (episode, oracle)

    def fails(plan):
        for left in folder.glob("*.sqlite*"):
            left.unlink()
        return any(k == kind for k, _ in judge.violations(runner.run(plan, folder)))

    return fails


def percentiles(times):
    found = sorted(times) or [0.0]
    return found[len(found) // 2], found[int(0.99 * (len(found) - 1))], found[-1]


def show(tally, count, first, jobs, spent):
    print(f"{count} episodes from seed {first} by {jobs} process(es) in {spent:.1f} s: {count / spent:.1f} a second")
    print(f"the bridge was killed {tally.deaths} times")
    print(f"{'row':20}{'episodes':>10}{'frames struck':>15}{'with violations':>17}")
    for row, n in sorted(tally.episodes.items()):
        print(f"{row:20}{n:>10}{tally.frames.get(row, 0) or '':>15}{tally.spoilt[row]:>17}")
    for words, times in (
        ("good reads again after the last fault", tally.readable_after),
        ("register on target again after the last disturbance", tally.target_after),
    ):
        p50, p99, most = percentiles(times)
        print(f"{words}: p50 {p50:.2f} s, p99 {p99:.2f} s, most {most:.2f} s ({len(times)} episodes)")
    print("violations:", dict(tally.classes) or "none")
    for line in tally.bad[:40]:
        print("  seed", *line)
    figures = {
        "episodes": count,
        "violations": len(tally.bad),
        "recovery_p99_s": round(percentiles(tally.readable_after)[1], 3),
        "target_p99_s": round(percentiles(tally.target_after)[1], 3),
        "stalls": tally.stalls,
        "trace": tally.trace,
    }
    print(json.dumps(figures))
