"""Run chaos episodes: ``python -m tests.chaos COUNT [FIRST_SEED]`` prints a table per class and per fault, exit 1 on any violation."""

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.episode import draw, run
from tests.chaos.oracle import recovery_s, violations


def main(count, first=100_000):
    classes, faults, bad, recoveries, kills = Counter(), Counter(), [], [], 0
    started = time.perf_counter()
    shared = Path("/dev/shm")  # noqa: S108 - a folder in memory, for speed
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        for seed in range(first, first + count):
            evidence = run(draw(seed), Path(folder))
            found = violations(evidence)
            classes.update(kind for kind, _ in found)
            faults.update(evidence.injected)
            kills += len(evidence.bridge_down)
            bad += [(seed, *f) for f in found]
            recovered = recovery_s(evidence)
            recoveries += [] if recovered is None else [recovered]
            for left in Path(folder).glob(f"{seed}.sqlite*"):
                left.unlink()
    spent = time.perf_counter() - started
    recoveries.sort()
    print(f"{count} episodes from seed {first} in {spent:.1f} s: {count / spent:.1f} per second, {kills} kills")
    print("frames struck:", ", ".join(f"{k.value} {n}" for k, n in sorted(faults.items())))
    if recoveries:
        p50, p99 = recoveries[len(recoveries) // 2], recoveries[int(0.99 * (len(recoveries) - 1))]
        print(f"good reads again after the last fault: p50 {p50:.2f} s, p99 {p99:.2f} s, most {recoveries[-1]:.2f} s")
    print("violations:", dict(classes) or "none")
    for line in bad[:20]:
        print("  seed", *line)
    p99 = recoveries[int(0.99 * (len(recoveries) - 1))] if recoveries else 0.0
    print(json.dumps({"episodes": count, "violations": len(bad), "recovery_p99_s": round(p99, 3)}))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:3])))
