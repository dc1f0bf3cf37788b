"""Gas in pipes: the rule that says whether it matters, a day on one long pipe, and the block as a readable program."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from models.horizon import HOUR, Horizon
from models.networks.data import GasNetwork, Junction, Pipe
from models.networks.gas import solve_gas
from models.networks.linepack import start_gas
from models.site import load_site
from optimizers.blocks.linepack import LinepackBlock
from optimizers.compile.template import read
from optimizers.compile.text import to_text
from optimizers.compile.tiling import TimeGrid, tile
from optimizers.linepack import GasPurchase, linepack_rule, plan_gas
from scenarios.sites import park_path

START = datetime(2015, 1, 1, tzinfo=UTC)
PIPE = GasNetwork(
    id="line", junctions=(Junction(id="a"), Junction(id="b")),
    pipes=(Pipe(id="p", from_junction="a", to_junction="b", length_m=40_000.0, inner_diameter_mm=600.0, friction_factor=0.012),),
    source_junction="a", source_pressure_kpa=6000.0, consumers=("b",), pressure_min_kpa=4000.0,
    lower_heating_value_kwh_per_kg=13.9, equation_of_state="constant", compressibility=0.9,
)  # fmt: skip


def day_of(prices, demand_kw, cap_kw):
    horizon = Horizon.uniform(START, START + timedelta(hours=len(demand_kw)), HOUR)
    asked = xr.DataArray([demand_kw], {"consumer": ["b"], "time": horizon.times}, ("consumer", "time"))
    level = asked.mean("time").expand_dims(time=horizon.times[:1]).transpose("consumer", "time")
    start = start_gas(PIPE, solve_gas(PIPE, level, source_pressure_kpa=5000.0))
    return plan_gas(PIPE, asked, horizon, start, GasPurchase(np.asarray(prices, float), cap_kw))


def test_the_park_has_a_minute_of_gas_and_needs_no_plan_for_it():
    (network,) = load_site(park_path()).networks.gas
    rule = linepack_rule(network, 13_500.0, 900.0)
    assert rule.usable_kwh == pytest.approx(159.0, abs=2.0)
    assert rule.seconds == pytest.approx(42.0, abs=1.0)
    assert not rule.include


def test_gas_is_bought_when_it_is_cheap_and_no_more_than_pressures_allow():
    demand = np.full(12, 300_000.0)
    prices = np.where(np.arange(12) < 6, 0.2, 0.4)
    day = day_of(prices, demand, 900_000.0)
    flat = day_of(np.full(12, 0.3), demand, 900_000.0)
    assert day.source_kw[:6].sum() > day.source_kw[6:].sum() + 100_000.0
    assert day.source_kw.sum() == pytest.approx(demand.sum(), rel=1e-4)  # the pipe ends as full as it began
    assert day.pressure_kpa.min() >= 4000.0 - 1e-6
    assert day.pressure_kpa.max() <= 6000.0 + 1e-6
    assert day.cost < flat.cost
    assert day.apart_kpa < 0.1


def test_what_neither_supply_nor_pipe_can_bring_is_short():
    demand = np.full(24, 300_000.0)
    day = day_of(np.full(24, 0.3), demand, 200_000.0)
    missing_kwh = 24 * 100_000.0
    assert day.short_kw.sum() == pytest.approx(
        missing_kwh, rel=1e-3
    )  # lasting shortage: the pipe's content has to be given back


def test_the_block_is_written_as_before():
    block = LinepackBlock(np.array([0]), np.array([1]), 2, (1,), (40.0, 60.0))
    model = tile(read(block.formulation()), TimeGrid(2))
    numbers = {n: 1.0 + k for k, n in enumerate(model.layout.start)}
    text = to_text(model, model.arrays(model.layout.vector(numbers)))
    path = Path(__file__).parent / "golden" / "linepack.txt"
    if os.environ.get("JOULETWIN_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()
