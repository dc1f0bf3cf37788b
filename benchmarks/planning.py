"""Planning: sizes against PyPSA and oemof, typical days against the whole year, many futures at once, and a day that cannot be served."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import seconds_of
from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_most

if TYPE_CHECKING:
    from models.dispatch import DispatchProblem
    from optimizers.dispatch import Dispatcher
    from optimizers.sizing_program import SizingProblem
    from scenarios.sizing.options import Options

PACKAGES = ("highspy", "pyomo", "tsam")
START = datetime(2015, 1, 4, 16, tzinfo=UTC)
WINTER_DAY = date(2015, 1, 14)
NODES = {"electricity": "bus", "heat": "warm", "gas": "gate"}


def hub(hours: int) -> dict[str, Any]:
    """Return the numbers of a small hub as plain lists: what both peers and we are given."""
    import numpy as np

    rng, step = np.random.default_rng(7), np.arange(hours)
    sun = np.clip(np.sin((step % 24 - 6) / 12 * np.pi), 0.0, 1.0) * (0.3 + 0.7 * rng.random(hours))
    return {
        "load_kw": (300 + 150 * np.sin((step - 8) / 24 * 2 * np.pi) + 60 * rng.random(hours)).tolist(),
        "heat_kw": (250 + 120 * np.cos(step / 24 * 2 * np.pi) + 40 * rng.random(hours)).tolist(),
        "sun_pu": sun.tolist(),
        "price": np.where((step % 24 >= 8) & (step % 24 < 22), 0.9, 0.4).tolist(),
        "grid_kw": 420.0, "gas_price": 0.35, "cop": 3.0, "boiler": 0.9, "one_way": 0.95, "loss": 0.001, "hours": 4.0,
        "pv_cost": 380.0 * hours / 8760, "battery_cost": 95.0 * hours / 8760, "pump_cost": 210.0 * hours / 8760,
        "boiler_cost": 40.0 * hours / 8760,
    }  # fmt: skip


def hub_problem(given: dict[str, Any]) -> "SizingProblem":
    """Return the hub as a sizing problem of ours, each size at its own cost, over one year that is these hours."""
    import numpy as np
    import xarray as xr

    from models.components import Battery
    from models.dispatch import DispatchProblem
    from models.forecast import Forecast
    from models.horizon import Horizon
    from models.site.file import parse_site
    from optimizers.outlook import Outlook
    from optimizers.periods import whole_year
    from optimizers.sizes import SizeOption
    from optimizers.sizing_program import SizingProblem
    from twin.state import start_snapshot

    site, findings = parse_site(hub_document(given), Path())
    assert site is not None, findings
    count = len(given["load_kw"])
    horizon = Horizon.uniform(START, START + count * timedelta(hours=1), timedelta(hours=1))
    series = {
        "load_kw": given["load_kw"],
        "heat_kw": given["heat_kw"],
        "sun_pu": given["sun_pu"],
        "air_degc": [7.0] * count,
    }
    values = xr.DataArray(
        np.array(list(series.values())), {"series": list(series), "time": horizon.times}, ("series", "time")
    )
    problem = DispatchProblem(site, horizon, Forecast(START, horizon, values, "benchmark"), start_snapshot(site, START))
    assert isinstance(site.asset("battery"), Battery)
    once: dict[str, Any] = {"lifetime_years": 1.0, "most": 1e5}
    options = (
        SizeOption(asset="pv", unit="kW", reference=100, fields=("peak_kw",), cost=given["pv_cost"], **once),
        SizeOption(
            asset="battery", unit="kWh", reference=100, fields=("energy_kwh", "charge_max_kw", "discharge_max_kw"),
            cost=given["battery_cost"], **once,
        ),
        SizeOption(asset="pump", unit="kW", reference=100, fields=("heat_max_kw",), cost=given["pump_cost"], **once),
        SizeOption(asset="boiler", unit="kW", reference=100, fields=("heat_max_kw",), cost=given["boiler_cost"], **once),
    )  # fmt: skip
    return SizingProblem(
        site=site, year=whole_year(problem), options=options, outlook=Outlook(years=1, discount_rate=0.0)
    )


def hub_document(given: dict[str, Any]) -> dict[str, Any]:
    """Return the hub as a site document: dear hours from 8 to 22, no export, a heat pump of constant COP."""
    price = [
        {"name": "night", "price_per_kwh": 0.4, "windows": [{"start_h": 0, "end_h": 24}]},
        {"name": "day", "price_per_kwh": 0.9, "windows": [{"start_h": 8, "end_h": 22}]},
    ]
    power, heat, gas = ({f"{c}_node": n} for c, n in NODES.items())
    battery = {"charge_max_kw": 25, "discharge_max_kw": 25, "energy_kwh": 100, "loss_share_per_h": given["loss"]}
    return {
        "format": "jouletwin-site/1", "name": "hub", "title": "Benchmark hub", "currency": "CNY",
        "location": {"latitude_deg": 36.0, "longitude_deg": 115.0},
        "nodes": [{"id": n, "carrier": c} for c, n in NODES.items()],
        "contracts": [
            {"id": "power", "kind": "electricity", "party": "p", "tariff": {"bands": price}},
            {"id": "fuel", "kind": "gas", "party": "g", "price_per_kwh": given["gas_price"]},
        ],
        "assets": [
            {"id": "grid", "kind": "grid_connection", **power, "import_max_kw": given["grid_kw"], "export_max_kw": 0, "contract": "power"},
            {"id": "gas", "kind": "gas_supply", **gas, "import_max_kw": 1e6, "contract": "fuel"},
            {"id": "pv", "kind": "pv", **power, "peak_kw": 100, "profile": "sun_pu"},
            {
                "id": "battery", "kind": "battery", **power, **battery, "charge_efficiency": given["one_way"],
                "discharge_efficiency": given["one_way"],
            },
            {
                "id": "pump", "kind": "heat_pump", **power, **heat, "heat_max_kw": 100, "cop_rated": given["cop"], "rated_air_degc": 7,
                "supply_degc": 60, "air_profile": "air_degc",
            },
            {"id": "boiler", "kind": "gas_boiler", **heat, **gas, "heat_max_kw": 100, "efficiency": given["boiler"]},
            {
                "id": "works", "kind": "consumer",
                "demands": [
                    {"carrier": "electricity", "node": "bus", "profile": "load_kw"},
                    {"carrier": "heat", "node": "warm", "profile": "heat_kw"},
                ],
            },
        ],
    }  # fmt: skip


@case("planning", "small hub, sizes", size=672, quick_size=48, packages=PACKAGES)
def small_hub(bench: Bench) -> Iterator[Row]:
    """Compare sizes of least cost with PyPSA's and oemof's, and how long each takes from numbers to answer."""
    from optimizers.capacity import size
    from optimizers.dispatch import Dispatcher

    given, dispatcher = hub(bench.size), Dispatcher()
    try:
        ours = size(hub_problem(given), dispatcher)
        with Peer("planning") as peer:
            for name in ("pypsa", "oemof"):
                theirs = peer.ask(name, hub=given)["result"]["cost"]
                apart = abs(ours.present_cost - theirs) / abs(theirs)
                yield bench.figure(apart, "share", target=value_at_most(1e-6), phase=f"small hub, cost against {name}")
            for name in ("pypsa", "oemof"):
                yield bench.pair(
                    lambda: size(hub_problem(given), dispatcher),
                    lambda n=name: peer.timed(n, hub=given),  # type: ignore[misc]
                    unit="s",
                    phase=f"small hub, build and solve, beside {name}",
                )
    finally:
        dispatcher.close()


def _park_options() -> "Options":
    from models.site.file import load_site
    from scenarios.sites import park_path
    from scenarios.sizing.options import load_options

    return load_options(park_path().parent / "options.yaml", load_site(park_path()))


@case("planning", "demo park, sizes", size=1, quick_size=1, packages=PACKAGES)
def park_sizes(bench: Bench) -> Iterator[Row]:
    """Size the demo park over typical days, then run every hour of the year with these sizes and state how far apart they are."""
    from optimizers.dispatch import Dispatcher
    from scenarios.sizing.study import Workshop

    options, dispatcher = _park_options(), Dispatcher()
    try:
        made: list[Workshop] = []
        yield bench.figure(
            seconds_of(lambda: made.append(Workshop(options, dispatcher))),
            "s",
            phase="demo park, typical days and program",
        )
        shop = made[0]
        plan = shop.planner.cheapest()
        yield bench.figure(seconds_of(shop.planner.cheapest), "s", phase="demo park, sizes from a loaded program")
        yield bench.figure(len(shop.typical.periods), "days", phase="demo park, typical days")
        if not bench.quick:
            check = shop.check_year(plan)
            yield bench.figure(
                100 * check.error_share, "%", phase="demo park, cost of operation, typical days less whole year"
            )
            yield bench.figure(
                check.unserved_kwh, "kWh", phase="demo park, unserved in the whole year with these sizes"
            )
    finally:
        dispatcher.close()


@case("planning", "many futures", size=10, quick_size=2, packages=PACKAGES)
def many_futures(bench: Bench) -> Iterator[Row]:
    """Plan a winter day of the park by the hour for several futures at once, and for the worst of a budgeted set."""
    from models.site.file import load_site
    from optimizers.dispatch import Dispatcher
    from optimizers.robust import Uncertainty, robust_plan
    from optimizers.scenarios import FirstStage
    from optimizers.stochastic import Risk, ScenarioPlanner
    from scenarios.futures import Futures
    from scenarios.sites import park_path

    futures, dispatcher = Futures(load_site(park_path()), WINTER_DAY, count=bench.size, seed=1), Dispatcher()
    try:
        planner = ScenarioPlanner(futures.scenarios(), FirstStage(), dispatcher)
        yield bench.time(planner.plan, unit="s", phase=f"{bench.size} futures, expected cost")
        yield bench.time(
            lambda: planner.plan(Risk(0.5, 0.8)), unit="s", phase=f"{bench.size} futures, half of it tail cost"
        )
        worth = planner.foresight()
        slack = 2e-3 * abs(worth.stochastic)
        assert worth.perfect <= worth.stochastic + slack
        assert worth.stochastic <= worth.mean_plan + slack
        yield bench.figure(
            worth.stochastic_value, "CNY", phase="a plan for all futures saves against one for their mean"
        )
        uncertainty = Uncertainty(futures.bad_ends(), 4)
        robust = [robust_plan(futures.expected, uncertainty, dispatcher)]
        yield bench.figure(
            seconds_of(lambda: robust_plan(futures.expected, uncertainty, dispatcher)),
            "s",
            phase="worst future of 4 bad hours",
        )
        yield bench.figure(
            robust[0].gap_share, "share", target=value_at_most(1e-3), phase="worst future, distance to the bound"
        )
    finally:
        dispatcher.close()


@case("planning", "a day that cannot be served", size=1, quick_size=1, packages=PACKAGES)
def short_day(bench: Bench) -> Iterator[Row]:
    """Explain the park's winter day behind a far too small grid connection; count the linear programs that it takes."""
    from optimizers.dispatch import Dispatcher
    from optimizers.shortage import explain_shortage

    problem, dispatcher = _short_problem(), Dispatcher()
    try:
        plan = dispatcher.dispatch(problem)
        solves = _counted(dispatcher)
        found = explain_shortage(problem, dispatcher)
        assert found.reliefs
        assert found.conflict
        assert float(plan.unserved_kw.sum()) > 0
        yield bench.figure(
            len(solves), "programs", target=value_at_most(1.0), phase="a short day explained, extra programs"
        )
        yield bench.time(lambda: explain_shortage(problem, dispatcher), phase="a short day explained, all of it")
        yield bench.figure(1e3 * found.seconds, "ms", phase="a short day explained, the program alone")
    finally:
        dispatcher.close()


def _short_problem() -> "DispatchProblem":
    from models.components import GasSupply, GridConnection
    from models.site.file import load_site
    from optimizers.sizes import with_fields
    from scenarios.sites import park_path
    from service.day_plan import day_problem

    site = load_site(park_path())
    limits = {g.id: {"import_max_kw": 800.0} for g in site.of_kind(GridConnection)}
    limits |= {g.id: {"import_max_kw": 6000.0} for g in site.of_kind(GasSupply)}
    return day_problem(with_fields(site, limits), WINTER_DAY, 1)


def _counted(dispatcher: "Dispatcher") -> list[str]:
    """Return a list that grows by one with every program that goes to the solver's process."""
    solves: list[str] = []
    solve = dispatcher.process.solve

    def counted(job: Any, *, deadline_s: float) -> Any:
        solves.append(job.key)
        return solve(job, deadline_s=deadline_s)

    dispatcher.process.solve = counted  # type: ignore[method-assign]
    return solves
