"""The hub in four tools: the same optimum, and how long each takes from new numbers to it."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.hub import FIRST, hub_numbers, hub_problem
from benchmarks.measure import measure
from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_least, value_at_most

if TYPE_CHECKING:
    from models.dispatch import DispatchProblem

WINDOWS = 96
PEERS = {"oemof": 100.0, "pypsa": 400.0}
SAME = 1e-6


@case("optimizers", "rolling step beside other tools", size=WINDOWS, quick_size=3, packages=("highspy", "pyomo"))
def beside_peers(bench: Bench) -> Iterator[Row]:
    """Compare a rolling linear step with Pyomo's persistent solver, oemof.solph and PyPSA; the optima agree on every window they share."""
    from optimizers.dispatch import Dispatcher

    problems = [hub_problem(FIRST + timedelta(days=10, minutes=15 * k)) for k in range(bench.size)]
    dispatcher = Dispatcher()
    ours_ms, optima = _ours(dispatcher, problems)
    theirs_ms, found = _persistent(problems[: max(bench.size // 8, 2)])
    yield from _compared(bench, "Pyomo persistent", theirs_ms, ours_ms, _gap(found, optima), 5.0)
    with Peer("hub") as peer:
        for name, least in PEERS.items():
            hubs = [hub_numbers(p) for p in problems[: 2 if bench.quick else 5]]
            peer.ask(name, hub=hubs[0])  # imports and first-time work are nobody's rolling step
            answers = [peer.ask(name, hub=h) for h in hubs]
            seconds = sorted(a["seconds"] for a in answers)
            gap = _gap([a["result"] for a in answers], optima)
            yield from _compared(bench, name, 1e3 * seconds[len(seconds) // 2], ours_ms, gap, least)


def _compared(bench: Bench, name: str, theirs_ms: float, ours_ms: float, gap: float, least: float) -> Iterator[Row]:
    phase = f"rolling step, {name} / ours"
    yield bench.figure(theirs_ms, "ms", reference=ours_ms, target=ratio_at_least(least), phase=phase)
    yield bench.figure(gap, "", target=value_at_most(SAME), phase=f"same optimum as {name}, relative difference")


def _ours(dispatcher: Any, problems: "list[DispatchProblem]") -> tuple[float, list[float]]:
    """Return milliseconds from a parameter vector to the optimum, and the optima."""
    from optimizers.dispatch import program_of
    from optimizers.session import HighsSession

    cases = [dispatcher.case(p) for p in problems]
    model = cases[0].compiled.model
    vectors = [model.layout.vector(c.parameters) for c in cases]
    session, found = HighsSession(program_of(model, vectors[0]).relaxed()), []
    session.run()
    begun = time.perf_counter()
    for vector in vectors:
        session.update(program_of(model, vector).relaxed())
        found.append(session.run().objective)
    return 1e3 * (time.perf_counter() - begun) / len(vectors), found


def _persistent(problems: "list[DispatchProblem]") -> tuple[float, list[float]]:
    """Return the same for Pyomo's persistent HiGHS interface on the same formulation, its parameters set anew for each window."""
    import numpy as np
    import pyomo.environ as pyo
    from pyomo.contrib.appsi.solvers import Highs

    from optimizers.compile.ordinary import pyomo_model
    from optimizers.compile.tiling import TimeGrid
    from optimizers.problem import Structure, blocks_of, facts_of, formulation_of, parameters_of

    first = problems[0]
    structure = Structure.of(first)
    blocks = blocks_of(first.site, structure)
    numbers = [parameters_of(facts_of(p), blocks, structure.carriers) for p in problems]
    model = pyomo_model(formulation_of(first), TimeGrid(len(first.horizon)), numbers[0])
    for variable in model.component_data_objects(pyo.Var):
        variable.domain = pyo.Reals
    solver = Highs()
    solver.highs_options = {"output_flag": False, "threads": 1}
    solver.update_config.check_for_new_or_removed_constraints = False
    solver.update_config.check_for_new_or_removed_vars = False
    solver.update_config.check_for_new_or_removed_params = False
    solver.update_config.update_constraints = False
    solver.update_config.update_named_expressions = False
    solver.solve(model)
    found: list[float] = []
    begun = time.perf_counter()
    for now in numbers:
        for name, value in now.items():
            parameter = getattr(model, f"parameter_{name}", None)
            if parameter is not None:
                parameter.store_values(
                    dict(enumerate(np.broadcast_to(np.asarray(value, float).ravel(), len(parameter)).tolist()))
                )
        found.append(float(solver.solve(model).best_feasible_objective))
    return 1e3 * (time.perf_counter() - begun) / len(numbers), found


def _gap(found: list[float], optima: list[float]) -> float:
    return max(abs(a - b) / max(abs(b), 1.0) for a, b in zip(found, optima, strict=False))


@case("optimizers", "from a problem to its program", size=96, quick_size=96, packages=("numpy", "xarray"))
def from_problem(bench: Bench) -> Row:
    """Time what lies before the parameter vector: series from labelled arrays, prices from the tariff, limits from availability."""
    from optimizers.dispatch import Dispatcher

    problem, dispatcher = hub_problem(FIRST, bench.size), Dispatcher()
    dispatcher.case(problem)
    return bench.figure(1e3 * measure(lambda: dispatcher.case(problem), repeats=bench.repeats), "ms")
