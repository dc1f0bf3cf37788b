"""Chaos: random episodes, rules switched off one by one, and processes killed for real; exit 1 on any violation.

python -m tests.chaos [COUNT] [FIRST_SEED] [--jobs N]    random episodes, a table per row of the matrix
python -m tests.chaos ablations [EPISODES]               every protective rule switched off, a row per rule
python -m tests.chaos kill [COUNT]                       SIGKILL of bridge, device and service at random instants
"""

import argparse
import sys
from pathlib import Path

from tests.chaos import ablations, kills, service_kills, suite

EVERY_RULE = 20
"""Episodes per rule."""
NEEDED_SHARE = 0.05
"""A rule counts as tested when its class shows in so many of its episodes."""


def main():
    wanted = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("what", nargs="?", default="10000", help="COUNT, ablations or kill")
    wanted.add_argument("number", type=int, nargs="?")
    wanted.add_argument("--jobs", type=int, default=1, help="processes")
    given = wanted.parse_args()
    with suite.memory_folder() as name:
        if given.what == "ablations":
            return show_rules(given.number or EVERY_RULE, Path(name))
        if given.what == "kill":
            return show_kills(given.number or 200, Path(name))
    return suite.run(int(given.what), given.number or 100_000, given.jobs)


def show_kills(count, folder):
    """Kill bridge and device, then the service; true when anything was lost, doubled or told wrong."""
    of_service = max(count // kills.SERVICE_ONE_IN, 1)
    (folder / "service").mkdir()
    good = kills.show(kills.run(count - of_service, folder))
    return not service_kills.show(service_kills.run(of_service, folder / "service")) or not good


def show_rules(episodes, folder):
    """Print a row per rule; true when a rule is untested or does not hold."""
    print(f"{'rule':34}{'class':>12}{'violations with it':>20}{'class without it':>18}   of {episodes}")
    bad = False
    for rule, violated, shown in ablations.table(episodes, folder):
        print(f"{rule.name:34}{' '.join(sorted(rule.classes)):>12}{violated:>20}{shown:>18}", flush=True)
        bad |= violated > 0 or shown < NEEDED_SHARE * episodes
    return bad


if __name__ == "__main__":
    sys.exit(main())
