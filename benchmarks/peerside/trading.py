"""Markets and bills by others: ASSUME clears the same blocks, PySAM bills the same year, PyPSA prices the same grid."""

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from serve import serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
HOUR = timedelta(hours=1)
FIRST = datetime(2026, 7, 1)  # noqa: DTZ001 # ASSUME's times have no zone
LOT_PER_MW = 10


os.chdir(tempfile.mkdtemp())  # ASSUME writes a log file wherever it is imported


def assume(simple: list[list[int]], blocks: list[Any]) -> dict[str, list[float]]:
    """Clear a day with ASSUME's complex clearing; return the accepted MW of simple orders and the ratios of blocks."""
    from assume.common.market_objects import MarketConfig, MarketProduct
    from assume.markets.clearing_algorithms.complex_clearing import ComplexClearingRole
    from dateutil.relativedelta import relativedelta
    from dateutil.rrule import HOURLY, rrule
    from pyomo.contrib.appsi.solvers import highs

    # Pyomo's capture of HiGHS's output can deadlock where standard output is redirected (Pyomo issue 3908); and without it HiGHS talks where answers go
    highs.capture_output = lambda *_, **__: contextlib.nullcontext()
    config = MarketConfig(
        opening_hours=rrule(HOURLY, dtstart=FIRST, until=FIRST + 24 * HOUR),
        market_products=[MarketProduct(relativedelta(hours=1), 24, relativedelta(hours=1))],
        additional_fields=["bid_type", "min_acceptance_ratio"],
        market_mechanism="complex_clearing",
        maximum_bid_volume=1e6,
        maximum_bid_price=1e6,
    )
    products = [(FIRST + t * HOUR, FIRST + (t + 1) * HOUR, None) for t in range(24)]
    orders = [_simple(k, t, mw, cents) for k, (t, mw, cents) in enumerate(simple)]
    orders += [_block(k, *b) for k, b in enumerate(blocks)]
    with _talk_to_nobody():
        accepted, rejected, _, _ = ComplexClearingRole(config).clear(orders, products)
    found = {o["bid_id"]: o for o in [*accepted, *rejected]}
    ratios = []
    for k, (lots, *_) in enumerate(blocks):
        got, whole = found[f"b{k}"]["accepted_volume"], sum(lots) / LOT_PER_MW
        ratios.append(sum(got.values()) / whole if isinstance(got, dict) else got / whole)
    return {"simple": [float(found[f"s{k}"]["accepted_volume"]) for k in range(len(simple))], "blocks": ratios}


@contextlib.contextmanager
def _talk_to_nobody() -> Iterator[None]:
    """Drop what compiled code prints: standard output is for answers, and the log of a solver hides them on any other."""
    kept, nobody = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nobody)


def _simple(k: int, t: int, mw: int, cents: int) -> dict[str, Any]:
    start = FIRST + t * HOUR
    return {
        "bid_id": f"s{k}", "agent_addr": f"a{k}", "start_time": start, "end_time": start + HOUR, "volume": mw, "price": cents,
        "bid_type": "SB", "min_acceptance_ratio": 0, "node": "node0", "accepted_volume": 0, "accepted_price": 0, "only_hours": None,
    }  # fmt: skip


def _block(k: int, lots: list[int], cents: int, least: float) -> dict[str, Any]:
    volume = {FIRST + t * HOUR: q / LOT_PER_MW for t, q in enumerate(lots) if q}
    return {
        "bid_id": f"b{k}", "agent_addr": f"b{k}", "start_time": FIRST, "end_time": FIRST + 24 * HOUR, "volume": volume,
        "price": cents, "bid_type": "BB", "min_acceptance_ratio": least, "node": "node0",
        "accepted_volume": {}, "accepted_price": {}, "only_hours": None,
    }  # fmt: skip


KEPT: dict[str, Any] = {}


def pysam(
    load_kw: list[float] | None, periods: list[list[int]], prices: list[list[float]], limits: list[float], demand: float
) -> float:
    """Bill a year of quarter-hours with PySAM's utility rate; return what it comes to. ``load_kw`` None bills the last one again."""
    import PySAM.Utilityrate5 as Rate

    if load_kw is not None:
        KEPT["load"] = load_kw
    rate, schedule = Rate.new(), [[p + 1 for p in hours] for hours in periods]
    rows = [[p + 1, k + 1, limits[k], 0, price, 0] for p, tiers in enumerate(prices) for k, price in enumerate(tiers)]
    rate.ElectricityRates.assign({
        "en_electricity_rates": 1, "ur_metering_option": 0, "ur_monthly_fixed_charge": 0, "ur_monthly_min_charge": 0,
        "ur_annual_min_charge": 0, "ur_nm_yearend_sell_rate": 0, "rate_escalation": [0],
        "ur_ec_tou_mat": rows, "ur_ec_sched_weekday": schedule, "ur_ec_sched_weekend": schedule, "ur_dc_enable": 1,
        "ur_dc_sched_weekday": [[1] * 24] * 12, "ur_dc_sched_weekend": [[1] * 24] * 12,
        "ur_dc_tou_mat": [[1, 1, 1e38, 0]], "ur_dc_flat_mat": [[m, 1, 1e38, demand] for m in range(12)],
        "ur_en_ts_sell_rate": 0, "ur_en_ts_buy_rate": 0, "ur_sell_eq_buy": 0, "ur_enable_billing_demand": 0,
    })  # fmt: skip
    rate.Lifetime.assign({"analysis_period": 1, "inflation_rate": 0, "system_use_lifetime_output": 0})
    rate.SystemOutput.assign({"gen": [0.0] * len(KEPT["load"]), "degradation": [0]})
    rate.Load.assign({"load": KEPT["load"], "load_escalation": [0]})
    rate.execute(0)
    return float(rate.Outputs.utility_bill_wo_sys[1])


def pypsa(grid: dict[str, Any]) -> dict[str, Any]:
    """Clear one hour of a grid by PyPSA's linear optimal power flow; return the nodal prices and the cost."""
    import pypsa as package

    network = package.Network()
    network.set_snapshots([0])
    network.add("Bus", grid["buses"], v_nom=1.0)
    names = [f"line{k}" for k in range(len(grid["from"]))]
    network.add("Line", names, bus0=grid["from"], bus1=grid["to"], x=grid["x"], s_nom=grid["limit"])
    generators = [f"g{k}" for k in range(len(grid["at"]))]
    network.add("Generator", generators, bus=grid["at"], p_nom=grid["p_max"], marginal_cost=grid["cost"])
    loads = [f"l{k}" for k in range(len(grid["load_at"]))]
    network.add("Load", loads, bus=grid["load_at"], p_set=grid["load"])
    network.optimize(solver_name="highs", solver_options={"output_flag": False, "threads": 1})
    prices = network.buses_t.marginal_price.iloc[0]
    return {"price": [float(prices[b]) for b in grid["buses"]], "cost": float(network.objective)}


serve({"assume": assume, "pysam": pysam, "pypsa": pypsa})
