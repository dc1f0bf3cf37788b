"""The registry: every case is a name with phases; a file in this folder registers itself by being there.

    @case("day_ahead", "build and solve", size=96, quick_size=12, packages=("highspy", "pyomo"))
    def build_and_solve(bench: Bench) -> Row:
        problem = ...
        return bench.pair(lambda: ours(problem), lambda: reference(problem), target=ratio_at_most(1.4))

Several files may add phases to one name. Imports of what is measured belong inside the function: ``list`` must stay quick.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import measure, measure_pair
from benchmarks.rows import Row, Target, row
from benchmarks.versions import versions_of

NAMES = (
    "setup",
    "demo_day",
    "day_ahead",
    "networks",
    "optimizers",
    "planning",
    "secure",
    "bridge",
    "forecast",
    "value",
    "scenarios",
    "service",
    "market",
    "customers",
    "packages",
    "console",
)
"""Names that ``run`` knows, in the order of the closing table; a name without a phase is listed as not yet measured."""

MACHINERY = frozenset(
    {
        "boost_day",
        "estimate_cases",
        "__main__",
        "demo_site",
        "meter_faults",
        "hub",
        "package_cases",
        "pipe_nets",
        "registry",
        "rows",
        "measure",
        "peers",
        "process",
        "report",
        "running_demo",
        "versions",
        "served",
        "service_parts",
    }
)
UNITS_PER_S = {"s": 1.0, "ms": 1e3, "µs": 1e6}


@dataclass(frozen=True, slots=True)
class Bench:
    """What a phase is run with: its size, how often to repeat, and helpers that make judged rows."""

    case: str
    phase: str
    size: int
    quick: bool

    @property
    def repeats(self) -> int:
        """How often each side is measured: 5 for figures to quote, 1 to see that the phase runs."""
        return 1 if self.quick else 5

    def pair(
        self,
        ours: Callable[[], object],
        reference: Callable[[], object],
        *,
        target: Target | None = None,
        unit: str = "ms",
        phase: str = "",
    ) -> Row:
        """Return the median time of ``ours`` beside that of ``reference``, alternated; ``unit`` is s, ms or µs."""
        pair, scale = measure_pair(ours, reference, repeats=self.repeats), UNITS_PER_S[unit]
        return self.figure(
            pair.ours_median_s * scale, unit, reference=pair.reference_median_s * scale, target=target, phase=phase
        )

    def time(
        self, work: Callable[[], object], *, target: Target | None = None, unit: str = "ms", phase: str = ""
    ) -> Row:
        """Return the median time of ``work`` alone, for a target that is a plain duration."""
        return self.figure(measure(work, repeats=self.repeats) * UNITS_PER_S[unit], unit, target=target, phase=phase)

    def figure(
        self,
        value: float,
        unit: str,
        *,
        reference: float | None = None,
        target: Target | None = None,
        phase: str = "",
    ) -> Row:
        """Return a row for a figure measured elsewhere (memory, a count, a cost)."""
        return row(self.case, phase or self.phase, value, unit, reference=reference, target=target)


Work = Callable[[Bench], Row | Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Phase:
    """One registered phase: what to run, at which size, and whose versions matter."""

    case: str
    name: str
    size: int
    quick_size: int
    packages: tuple[str, ...]
    work: Work

    def run(self, *, quick: bool) -> Iterator[Row]:
        """Run the phase and give its rows with command and versions filled in."""
        bench = Bench(self.case, self.name, self.quick_size if quick else self.size, quick)
        got = self.work(bench)
        command = f"python -m benchmarks run {self.case}{' --quick' if quick else ''}"
        for found in (got,) if isinstance(got, Row) else got:
            yield replace(found, command=found.command or command, versions=versions_of(self.packages))


PHASES: dict[str, list[Phase]] = {name: [] for name in NAMES}


def case(
    name: str, phase: str, *, size: int = 1, quick_size: int = 1, packages: Iterable[str] = ()
) -> Callable[[Work], Work]:
    """Register a function as one phase of the case ``name``; ``packages`` are distributions whose versions the rows quote.

    Raises
    ------
    ValueError
        If the name is not one of ``NAMES``: scripts and documents call cases by these names.
    """
    if name not in PHASES:
        raise ValueError(f"no benchmark is called {name!r}; add it to NAMES or use one of {', '.join(NAMES)}")

    def register(work: Work) -> Work:
        PHASES[name].append(Phase(name, phase, size, quick_size, tuple(packages), work))
        return work

    return register


def discover() -> dict[str, list[Phase]]:
    """Import every module of this folder once and return the phases by case name."""
    here = Path(__file__).parent
    for module in pkgutil.iter_modules([str(here)]):
        if module.name not in MACHINERY and not module.ispkg:
            importlib.import_module(f"benchmarks.{module.name}")
    return PHASES
