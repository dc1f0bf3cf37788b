"""Rolling plans know the whole tariff: what each plan says it costs is what it adds to the bill of the month so far."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from models.forecast.naive import PerfectForecaster
from models.horizon import HOUR, QUARTER
from models.site import Device
from models.tariffs.bill import bill
from models.tariffs.calendar import Intervals
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.sums import whole_wh
from models.tariffs.time_of_use import calendar_month, monthly
from optimizers.dispatch import Dispatcher
from scenarios.day import JumpingClock
from scenarios.events import PlanMade, SnapshotTaken
from scenarios.loop_settings import LoopSettings, at_once
from scenarios.operate import OperatingLoop
from scenarios.planners import Optimizer
from scenarios.problem import Horizons
from tests.optimizers.problems import START, battery, consumer, grid, site_of
from twin.billing import Counting, ImportMeter
from twin.inprocess import TwinPlant
from twin.state import start_snapshot
from twin.sync import Synchroniser

PV = {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 260, "profile": "sun_pu"}
BLOCKS = [
    {"adder_per_kwh": 0.0, "up_to_kwh": 900},
    {"adder_per_kwh": 0.15, "up_to_kwh": 2000},
    {"adder_per_kwh": 0.4},
]
EVENING = {"name": "evening", "price_per_kw_month": 9.0, "windows": [{"start_h": 18, "end_h": 21}]}
TARIFFS = {
    "blocks and a window": {"blocks": BLOCKS, "peak_windows": [EVENING]},
    "net metering": {"net_metering": True, "export_price_per_kwh": 0.0},
}


@dataclass(frozen=True)
class Hourly:
    """Two days of a mill and the sun, constant over each hour."""

    def at(self, instant):
        hour = (instant - START) // HOUR
        sun = max(np.sin((hour % 24 - 6) / 12 * np.pi), 0.0)
        return {"mill_electricity_kw": 70.0 + 60.0 * ((7 * hour) % 5 > 2), "sun_pu": float(sun)}

    def means(self, horizon):
        rows = [self.at(edge) for edge in horizon.edges[:-1]]
        names = list(rows[0])
        table = np.array([[row[n] for row in rows] for n in names])
        return xr.DataArray(table, {"series": names, "time": horizon.times}, ("series", "time"))


def operated(prices, cache):
    """Run the loop for two days and return the site, every plan, and the import seen at every quarter-hour."""
    site = site_of([grid(), consumer("electricity"), battery(), PV], prices=prices)
    site = replace(site, devices=tuple(Device(id=f"{a.id}_device", asset=a.id, map="none") for a in site.assets))
    clock, made, seen = JumpingClock(START), [], []

    def note(event):
        if isinstance(event, PlanMade):
            made.append((len(seen), event.plan))
        if isinstance(event, SnapshotTaken):
            seen.append(float(event.snapshot.power_kw.sel(asset="grid", carrier="electricity")))

    planner = Optimizer(Dispatcher(cache_folder=cache))
    loop = OperatingLoop(
        site,
        TwinPlant(site, Hourly(), clock, step_s=900.0),
        clock,
        planner,
        PerfectForecaster(Hourly()),
        Synchroniser(site, initial=start_snapshot(site, START)),
        listener=note,
        settings=LoopSettings(
            poll=QUARTER, replan=4 * HOUR, horizons=Horizons(8, 6), in_background=at_once, guarded=False, tracked=False
        ),
    )
    try:
        asyncio.run(loop.run(until=START + timedelta(days=2)))
    finally:
        planner.close()
    return site, made, np.array(seen)


def month_bill(site, quarters_kw):
    """Return the bill of the month in which only these quarter-hours, from the run's start on, carry anything."""
    period = calendar_month(START, site.location.time_zone)
    wh = np.zeros((period.end - period.start) // QUARTER, dtype=np.int64)
    first = (START - period.start) // QUARTER
    wh[first : first + len(quarters_kw)] = whole_wh(quarters_kw, 0.25)
    compiled = compile_tariff(site.tariff("power"), Intervals(period.start, len(wh), 15))
    return float(bill(compiled, Meters(wh[None])).total_micro.sum()) / 1e6


@pytest.mark.parametrize("prices", TARIFFS.values(), ids=TARIFFS.keys())
def test_what_a_rolling_plan_costs_is_what_it_adds_to_the_bill(prices, tmp_path):
    site, made, seen = operated(prices, tmp_path)
    assert len(made) == 12
    for count, plan in made:
        # a meter's mean of what runs straight between two readings
        means_kw = (seen[: count - 1] + seen[1:count]) / 2.0
        planned_kw = plan.power_kw.sel(asset="grid", carrier="electricity").to_numpy()
        quarters_kw = np.repeat(planned_kw, np.round(plan.horizon.step_h * 4).astype(int))
        more = month_bill(site, np.append(means_kw, quarters_kw)) - month_bill(site, means_kw)
        said = sum(plan.cost.get(part, 0.0) for part in ("energy", "export", "demand"))
        # each line of a bill is rounded to the cent, peaks and blocks are cut at whole watt-hours
        assert said == pytest.approx(more, abs=0.3)


def test_a_meter_counts_windows_bands_and_energy_only_where_a_tariff_does():
    evening = {**EVENING, "windows": [{"start_h": 0.5, "end_h": 0.75}]}
    site = site_of([grid(), consumer("electricity")], prices={"peak_windows": [evening]})
    meter = ImportMeter(monthly("Asia/Shanghai"), counting=Counting.of(site))
    for minutes, kw in ((0, 300.0), (30, 300.0), (45, 100.0), (60, -100.0)):
        meter.observe(START + timedelta(minutes=minutes), kw)
    assert meter.month.peaks_kw == pytest.approx({"evening": 200.0})
    assert meter.month.bought_kwh == pytest.approx(200.0)
    heir = ImportMeter(monthly("Asia/Shanghai"), counting=Counting.of(site))
    heir.recall(meter.memory)
    assert heir.memory == meter.memory
    heir.observe(START + timedelta(days=40), 0.0)
    assert heir.month.bought_kwh == 0.0  # a new month owes nothing yet
    assert Counting.of(site_of([grid(), consumer("electricity")])) is None
    assert ImportMeter(monthly("Asia/Shanghai")).month is None
