"""Day-ahead dispatch of the demo park: 96 quarters with commitment, against the same numbers handed to HiGHS as plain arrays."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most

if TYPE_CHECKING:
    from models.dispatch import DispatchProblem
    from models.horizon import Horizon
    from models.site import Site
    from optimizers.session import Program

SUMMER_DAY = datetime(2015, 7, 14, 16, tzinfo=UTC)
GAP_SHARE = 1e-3


@functools.cache
def _park() -> "Site":
    """Return the demo park, loaded once: a running system does not load its site again for every plan either."""
    from models.site.file import load_site
    from scenarios.sites import park_path

    return load_site(park_path())


def park_problem(horizon: "Horizon", *, integer_h: float | None = None) -> "DispatchProblem":
    """Return the demo park over ``horizon`` with its profiles as the forecast and half-full stores."""
    import numpy as np
    import xarray as xr

    from models.carriers import Carrier
    from models.components import EvFleet, FlexibleLoad, Store
    from models.dispatch import DemandTerms, DispatchProblem
    from models.forecast import Forecast
    from models.site.profiles import load_profiles
    from models.state import Snapshot

    site = _park()
    profiles, names = load_profiles(site), list(site.series())
    instants = profiles.index.values.astype("datetime64[s]").astype(float)
    middle = horizon.times.values.astype("datetime64[s]").astype(float) + horizon.step_h * 1800.0
    values = np.array([np.interp(middle, instants + 1800.0, profiles[n].to_numpy()) for n in names])
    array = xr.DataArray(values, {"series": names, "time": horizon.times}, ("series", "time"))
    held = {s.id: 0.5 * s.energy_kwh for s in site.of_kind(Store)}
    held |= {u.id: 0.0 for kind in (FlexibleLoad, EvFleet) for u in site.of_kind(kind)}
    nothing = xr.DataArray(np.zeros((0, 6)), {"asset": [], "carrier": [c.value for c in Carrier]}, ("asset", "carrier"))
    start = Snapshot(horizon.start, nothing, xr.DataArray(list(held.values()), {"asset": list(held)}, ("asset",)))
    return DispatchProblem(
        site, horizon, Forecast(horizon.start, horizon, array, "profiles"), start,
        demand=DemandTerms(36.1, 2500.0, 3000.0), integer_h=integer_h, gap_share=GAP_SHARE,
    )  # fmt: skip


def solve_raw(program: "Program") -> float:
    """Hand plain arrays to HiGHS and solve; return the objective."""
    import highspy
    import numpy as np

    make = highspy.Highs
    highs = make()  # type: ignore[no-untyped-call] # highspy has no types
    for name, value in {"output_flag": False, "threads": 1, "random_seed": 0, "mip_rel_gap": GAP_SHARE}.items():
        highs.setOptionValue(name, value)
    status = highs.passModel(
        len(program.cost), len(program.row_lower), len(program.coefficients), int(highspy.MatrixFormat.kRowwise), 1,
        program.offset, program.cost, program.column_lower, program.column_upper, program.row_lower, program.row_upper,
        program.row_ptr[:-1], program.column_index, program.coefficients, program.integrality.astype(np.int32),
    )  # fmt: skip
    assert status == highspy.HighsStatus.kOk
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value)


def _without_zeros(program: "Program") -> "Program":
    import numpy as np

    kept = program.coefficients != 0.0
    ends = np.concatenate([[0], np.cumsum(kept)])[program.row_ptr].astype(np.int32)
    return replace(
        program, row_ptr=ends, column_index=program.column_index[kept], coefficients=program.coefficients[kept]
    )


@case("day_ahead", "build and solve, 96 quarters", size=96, quick_size=8, packages=("highspy", "pyomo"))
def build_and_solve(bench: Bench) -> Iterator[Row]:
    """Compare a fresh build and one from a kept template with the bare solver; both reach the same optimum."""
    from models.horizon import Horizon
    from optimizers.compile.tiling import TimeGrid, tile
    from optimizers.dispatch import program_of
    from optimizers.problem import Structure, blocks_of, facts_of, parameters_of, stencil_of
    from optimizers.session import HighsSession

    horizon = Horizon.uniform(SUMMER_DAY, SUMMER_DAY + bench.size * timedelta(minutes=15))
    problem = park_problem(horizon)
    structure = Structure.of(problem)
    blocks = blocks_of(problem.site, structure)
    kept = stencil_of(problem.site, structure)
    # prices, weather and states as arrays: whoever hands arrays to a solver needs them too
    numbers = parameters_of(facts_of(problem), blocks, structure.carriers)

    def build(*, fresh: bool) -> "Program":
        stencil = stencil_of(problem.site, structure) if fresh else kept
        model = tile(stencil, TimeGrid(len(horizon)))
        return program_of(model, model.layout.vector(numbers))

    def solve(*, fresh: bool) -> float:
        return HighsSession(build(fresh=fresh)).run(gap_share=GAP_SHARE).objective

    bare = _without_zeros(build(fresh=False))
    assert abs(solve(fresh=True) - solve_raw(bare)) <= 1e-9 * abs(solve_raw(bare))
    yield bench.pair(
        lambda: solve(fresh=True), lambda: solve_raw(bare), target=ratio_at_most(1.4), phase="build and solve, fresh"
    )
    yield bench.pair(
        lambda: solve(fresh=False),
        lambda: solve_raw(bare),
        target=ratio_at_most(1.05),
        phase="build and solve, kept template",
    )
    yield bench.time(
        lambda: parameters_of(facts_of(problem), blocks, structure.carriers), phase="numbers from the problem"
    )
    yield bench.time(lambda: build(fresh=True), phase="build, fresh")
    yield bench.time(lambda: build(fresh=False), phase="build, kept template")
