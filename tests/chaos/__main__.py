"""Run chaos episodes: ``python -m tests.chaos COUNT [FIRST_SEED]`` prints a table per fault, exit 1 on any violation.

Even seeds are episodes of one engine, odd ones of a fleet. A failing fleet episode is printed as the smallest plan that still fails.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos import episode, fleet, fleet_oracle, oracle
from tests.chaos.shrink import readable, shrink

SHRINK_AT_MOST = 3


class Tally:
    """What all episodes together showed."""

    def __init__(self):
        self.frames, self.episodes, self.spoilt, self.classes = Counter(), Counter(), Counter(), Counter()
        self.bad, self.recoveries, self.kills = [], [], 0
        self.trace = hashlib.sha256()

    def add(self, seed, evidence, found, rows, trace):
        self.frames.update({k.value: n for k, n in evidence.injected.items()})
        self.episodes.update(rows)
        self.spoilt.update(rows if found else ())
        self.classes.update(kind for kind, _ in found)
        self.kills += len(evidence.bridge_down)
        self.bad += [(seed, *f) for f in found]
        self.trace.update(repr(trace).encode())


def one_engine(seed, folder, tally):
    plan = episode.draw(seed)
    evidence = episode.run(plan, folder)
    found = oracle.violations(evidence)
    told = [(at, r.command.id, r.outcome, r.code) for at, r in evidence.receipts]
    rows = {f.kind.value for f in plan.faults} | {s.kind for s in plan.spells}
    rows |= {n for n, some in (("other master", plan.masters), ("reboot", plan.reboots), ("kill", plan.kills)) if some}
    tally.add(seed, evidence, found, rows, (evidence.log, told))
    recovered = oracle.recovery_s(evidence)
    tally.recoveries += [] if recovered is None else [recovered]


def one_fleet(seed, folder, tally):
    plan = fleet.draw(seed)
    evidence = fleet.run(plan, folder)
    found = fleet_oracle.violations(evidence)
    rows = {"deaf points" if t.fault is None else t.fault.kind.value for t in plan.troubles}
    rows |= {n for n, some in (("lease", plan.leases), ("kill", plan.kills), ("function 16", plan.fc16)) if some}
    rows |= {"group" if a.kind == "group" else "pulse" for a in plan.acts}
    tally.add(seed, evidence, found, rows | {f"{plan.devices} device(s)"}, (evidence.logs, evidence.receipts))


def main(count, first=100_000):
    tally = Tally()
    started = time.perf_counter()
    shared = Path("/dev/shm")  # noqa: S108 - a folder in memory, for speed
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        folder = Path(name)
        for seed in range(first, first + count):
            (one_fleet if seed % 2 else one_engine)(seed, folder, tally)
            for left in folder.glob("*.sqlite*"):
                left.unlink()
        spent = time.perf_counter() - started
        for seed, kind, _ in [b for b in tally.bad if b[0] % 2][:SHRINK_AT_MOST]:
            small, runs = shrink(fleet.draw(seed), folder, kind)
            print(f"{kind} after {runs} runs:", readable(small), sep="\n")
        show(tally, count, first, spent)
    return bool(tally.bad)


def show(tally, count, first, spent):
    print(f"{count} episodes from seed {first} in {spent:.1f} s: {count / spent:.1f} per second, {tally.kills} kills")
    print(f"{'row':20}{'episodes':>10}{'frames struck':>15}{'with violations':>17}")
    for row, n in sorted(tally.episodes.items()):
        print(f"{row:20}{n:>10}{tally.frames.get(row, 0) or '':>15}{tally.spoilt[row]:>17}")
    found = sorted(tally.recoveries)
    p99 = found[int(0.99 * (len(found) - 1))] if found else 0.0
    if found:
        p50 = found[len(found) // 2]
        print(f"good reads again after the last fault: p50 {p50:.2f} s, p99 {p99:.2f} s, most {found[-1]:.2f} s")
    print("violations:", dict(tally.classes) or "none")
    for line in tally.bad[:20]:
        print("  seed", *line)
    figures = {"episodes": count, "violations": len(tally.bad), "recovery_p99_s": round(p99, 3)}
    print(json.dumps(figures | {"trace": tally.trace.hexdigest()[:16]}))


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:3])))
