"""The demo park's four networks at every hour of a year: how many hours have no solution, and how long all of them take."""

import time
from collections.abc import Iterable

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_most

PACKAGES = ("numba", "numpy", "scipy", "xarray")


@case("networks", "park, every hour", size=8760, quick_size=48, packages=PACKAGES)
def park(bench: Bench) -> Iterable[Row]:
    """Run the park by the common rule over local 2015 and count the hours that a network leaves without a solution."""
    from models.networks.status import Status
    from models.site import load_site
    from scenarios.sites import park_path
    from service.commands.year import year_states

    site = load_site(park_path())
    began = time.perf_counter()
    states = year_states(site, 2015, seed=1, hours=bench.size)
    spent = time.perf_counter() - began
    for network, state in states.items():
        failed = int((state["status"] != Status.OK).sum())
        yield bench.figure(
            failed, "hours", target=value_at_most(0), phase=f"park, hours without a solution in {network}"
        )
    yield bench.figure(spent, "s", phase=f"park, {bench.size} hours with plan, balances and networks")
