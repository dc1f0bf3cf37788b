"""Every block as a readable program of three steps; a changed sign is a changed line here.

Run with JOULETWIN_GOLDEN=write to accept a change after reading it.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from models.dispatch import DemandTerms, EmissionBudget, ReductionEvent
from models.tariffs.terms import BilledSoFar
from optimizers.blocks.book import Book
from optimizers.compile.template import read
from optimizers.compile.text import to_text
from optimizers.compile.tiling import TimeGrid, tile
from optimizers.problem import Structure, blocks_of, facts_of, parameters_of
from tests.optimizers.problems import (
    START,
    battery,
    consumer,
    engine,
    gas,
    grid,
    hours,
    problem_of,
    reserve,
    site_of,
    turbine,
)

FOLDER = Path(__file__).parent / "golden"
HEAT = ["heat"]


def shedding(unit):
    unit["demands"][0] |= {"shed_price_per_kwh": 3.0, "shed_max_share": 0.5}
    return unit


CASES = {
    "grid": grid(co2_kg_per_kwh=0.5),
    "gas": gas(),
    "pv": {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 200, "profile": "sun_pu"},
    "wind": {"id": "wind", "kind": "wind", "ports": ["electricity"], "rated_kw": 300, "profile": "wind_pu"},
    "chp": engine(min_up_h=2, min_down_h=2, om_cost_per_kwh=0.1),
    "chp_ramped": engine(ramp_kw_per_min=0.5, heat_can_be_dumped=False),
    "chp_bent": engine(part_load={"power_kw": [50, 75, 100], "fuel_kw": [150, 220, 260], "heat_kw": [60, 85, 110]}),
    "chp_warm": engine(warm_starts=[{"off_below_h": 1.5, "cost": 2}, {"off_below_h": 3, "cost": 6}]),
    "extraction_chp": turbine(min_down_h=2),
    "gas_boiler": {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": 0.8, "min_load_share": 0.25},
    "heat_pump": {
        "id": "pump", "kind": "heat_pump", "ports": ["electricity", "heat"], "heat_max_kw": 300, "cop_rated": 3.0,
        "rated_air_degc": 7, "supply_degc": 60, "air_profile": "air_degc",
    },
    "electric_boiler": {"id": "eboiler", "kind": "electric_boiler", "ports": ["electricity", "heat"], "heat_max_kw": 100, "efficiency": 0.8},
    "electric_chiller": {"id": "chiller", "kind": "electric_chiller", "ports": ["electricity", "cold"], "cold_max_kw": 200, "cop_rated": 4.0},
    "electric_chiller_curved": {
        "id": "chiller", "kind": "electric_chiller", "ports": ["electricity", "cold"], "cold_max_kw": 160, "cop_rated": 4.0,
        "part_load": [0.2, 0.3, 0.5], "min_load_share": 0.2,
    },
    "absorption_chiller": {"id": "absorber", "kind": "absorption_chiller", "ports": ["heat", "cold"], "cold_max_kw": 100, "cop": 0.8},
    "electrolyser": {
        "id": "stack", "kind": "electrolyser", "ports": ["electricity", "hydrogen"], "power_max_kw": 100,
        "efficiency": 0.6, "min_load_share": 0.2,
    },
    "battery": battery(wear_cost_per_kwh=0.1, stored_min_share=0.1, loss_share_per_h=0.01),
    "flexible_load": {
        "id": "flex", "kind": "flexible_load", "ports": ["electricity"], "profile": "flex_kw", "shift_up_kw": 20,
        "shift_down_kw": 30, "shiftable_kwh": 50,
    },
    "ev_fleet": {
        "id": "fleet", "kind": "ev_fleet", "ports": ["electricity"], "charger_kw": 11,
        "groups": [{"vehicles": 10, "arrive_h": 7.5, "depart_h": 9, "energy_kwh": 20}],
    },
    "ev_fleet_gives_back": {
        "id": "fleet", "kind": "ev_fleet", "ports": ["electricity"], "charger_kw": 11, "v2g_kwh": 5,
        "groups": [{"vehicles": 10, "arrive_h": 7.5, "depart_h": 9, "energy_kwh": 20}],
    },
    "consumer": consumer("electricity", "heat"),
    "consumer_sheds": shedding(consumer("electricity")),
    "reserve_on_engines": engine(ramp_kw_per_min=2.0),
    "reserve_on_battery": battery(),
    "demand_response": grid(),
    "grid_blocks": grid(),
    "grid_netted": grid(),
    "co2_cap": grid(co2_kg_per_kwh=0.5),
}  # fmt: skip
EVENING = {"name": "evening", "price_per_kw_month": 9.0, "windows": [{"start_h": 8, "end_h": 9}]}
PRICES = {
    "grid_blocks": {
        "blocks": [{"adder_per_kwh": 0.1, "up_to_kwh": 500}, {"adder_per_kwh": 0.0}],
        "peak_windows": [EVENING],
    },
    "grid_netted": {"net_metering": True},
}
RESERVES = {
    "reserve_on_engines": [reserve("spin", ["chp"], price_per_kw_h=0.1, activation_share=0.2, most_kw=40)],
    "reserve_on_battery": [reserve("both", ["battery"], direction="both", sustain_h=0.5, required_kw=10)],
}
MORE = {
    "demand_response": {
        "events": (ReductionEvent(START + timedelta(hours=8), START + timedelta(hours=9), 300, 100, 1.0),)
    },
    "grid_blocks": {"demand_windows": {"evening": DemandTerms(9.0, 40.0)}, "billed": BilledSoFar(bought_kwh=100.0)},
    "grid_netted": {"billed": BilledSoFar(net_kwh={"energy_0": -25.0})},
    "co2_cap": {"co2_cap": EmissionBudget(400.0, 2.0)},
}
WITH_OTHERS = ("co2_cap", "reserve_on_engines", "reserve_on_battery", "demand_response")
SERIES = {"sun_pu": [0.1, 0.2, 0.3], "wind_pu": [0.9, 0.8, 0.7], "air_degc": [0.0, 7.0, 10.0], "flex_kw": 40.0}
DEMAND = {f"mill_{c}_kw": [10.0, 20.0, 30.0] for c in ("electricity", "heat", "gas", "cold", "hydrogen")}


def written(name: str) -> str:
    """The program of one block alone: its columns, rows and costs, without balances."""
    asset = CASES[name]
    others = [grid(id="other"), gas(id="other_gas")]
    site = site_of(
        [asset, *(o for o in others if o["kind"] != asset["kind"])],
        prices=PRICES.get(name),
        reserves=RESERVES.get(name, ()),
    )
    problem = problem_of(
        site,
        hours(3, START + timedelta(hours=7)),
        SERIES | DEMAND,
        demand=DemandTerms(7.0, 100.0, 80.0),
        **MORE.get(name, {}),
    )
    structure = Structure.of(problem)
    blocks = [
        b for b in blocks_of(site, structure) if name in WITH_OTHERS or "other" not in str(getattr(b, "unit", ""))
    ]
    book = Book()
    for block in blocks:
        block.declare(book)
    model = tile(read(book.f), TimeGrid(3))
    arrays = model.arrays(model.layout.vector(parameters_of(facts_of(problem), blocks, ())))
    fed = [
        f"  {x.carrier.value}: {x.factor if isinstance(x.factor, float | int) else x.factor.name} * {x.column.name}"
        for x in book.feeds
    ]
    drawn = [f"  {d.carrier.value}: - {d.wanted.name}" for d in book.draws]
    return "\n".join([to_text(model, arrays) + "feeds", *fed, *drawn]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_block_is_written_as_before(name):
    path, text = FOLDER / f"{name}.txt", written(name)
    if os.environ.get("JOULETWIN_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
