"""Command line of the benchmarks: ``python -m benchmarks list`` and ``python -m benchmarks run NAME... [--only WORD] [--quick] [--json FILE]``."""

import argparse
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.registry import NAMES, Phase, discover
from benchmarks.report import print_rows, save_json
from benchmarks.rows import Row, missed


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="do", required=True)
    commands.add_parser("list", help="names, phases and sizes")
    run = commands.add_parser("run", help="measure; exit 1 when a target is missed")
    run.add_argument("names", nargs="+", metavar="NAME", choices=[*NAMES, "all"], help="a listed name, or all")
    run.add_argument("--only", default="", metavar="WORD", help="only phases whose name contains this word")
    run.add_argument("--quick", action="store_true", help="small sizes, each once: shows that it runs, not how fast")
    run.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    return parser.parse_args(argv)


def print_list() -> None:
    """Print every name with its phases."""
    for name, phases in discover().items():
        print(f"{name}{'' if phases else ': not yet'}")
        for p in phases:
            print(f"    {p.name} (size {p.size}, quick {p.quick_size})")


def chosen(names: Sequence[str]) -> list[Phase]:
    """Return the phases of the named cases; says which names have none yet."""
    known = discover()
    wanted = NAMES if "all" in names else names
    for name in wanted:
        if not known[name]:
            print(f"{name}: not yet, nothing to measure")
    return [p for name in wanted for p in known[name]]


def measured(phases: Sequence[Phase], failures: list[str], *, quick: bool) -> Iterator[Row]:
    """Run the phases one after the other and give their rows as they come; a phase that breaks is noted and the next one runs.

    Ctrl-C ends the run; what was measured until then is kept.
    """
    for p in phases:
        print(f"{p.case}: {p.name} ...", flush=True)
        try:
            yield from p.run(quick=quick)
        except KeyboardInterrupt:
            failures.append(f"{p.case}, {p.name}: interrupted, and what comes after it")
            return
        except Exception as fault:  # whatever it is, the other figures are still wanted
            traceback.print_exc()
            failures.append(f"{p.case}, {p.name}: {type(fault).__name__}: {fault}")


def main(argv: Sequence[str]) -> int:
    """Run the command and return the exit code."""
    args = arguments(argv)
    if args.do == "list":
        print_list()
        return 0
    failures: list[str] = []
    phases = [p for p in chosen(args.names) if args.only in p.name]
    rows = list(measured(phases, failures, quick=args.quick))
    print_rows(rows, failures)
    if args.json:
        save_json(rows, args.json)
    # a quick run shows that phases work; its figures are too few and too small to be judged
    return int(bool(failures) or (not args.quick and bool(missed(rows))))


if __name__ == "__main__":
    # as the product does, for us and our peers alike: threads inside a product of small matrices only wait for one another
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
