"""The figures of a day, on stories small enough to work out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from models.carriers import Carrier
from models.components import WarmStart
from models.horizon import Horizon
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import Powers, demand_price_per_kw, operating_cost, peak_import_kw, quarter_means, start_cost
from scenarios.kpis import kpis_of
from scenarios.sites import park_path

PARK = load_site(park_path())
VALLEY = datetime(2015, 4, 21, 16, 0, tzinfo=UTC)  # 00:00 local: 0.41880875 CNY/kWh
PERIOD = BillingPeriod(VALLEY, VALLEY + timedelta(days=1))
CARRIERS = [c.value for c in Carrier]


def truth(powers, *, minutes=60, unserved=(), losses=(), stored=()):
    """Return a log of constant powers by (asset, carrier)."""
    assets = [a.id for a in PARK.assets]
    times = pd.date_range(VALLEY.replace(tzinfo=None), periods=minutes, freq="1min")
    coords = {"asset": assets, "carrier": CARRIERS, "time": times}

    def cube(values):
        array = xr.DataArray(np.zeros((len(assets), len(CARRIERS), minutes)), coords, ("asset", "carrier", "time"))
        for (asset, carrier), value in dict(values).items():
            array.loc[{"asset": asset, "carrier": carrier}] = value
        return array

    lost = xr.DataArray(np.zeros((len(CARRIERS), minutes)), {"carrier": CARRIERS, "time": times}, ("carrier", "time"))
    for carrier, value in dict(losses).items():
        lost.loc[{"carrier": carrier}] = value
    held = xr.DataArray(np.full((len(assets), minutes), np.nan), {"asset": assets, "time": times}, ("asset", "time"))
    for asset, value in {"battery": 1500.0, "hot_tank": 5000.0, "cold_tank": 2000.0, **dict(stored)}.items():
        held.loc[{"asset": asset}] = value
    return xr.Dataset(
        {
            "power_kw": cube(powers),
            "unserved_kw": cube(unserved),
            "dumped_kw": cube({}),
            "losses_kw": lost,
            "stored_kwh": held,
        }
    )


BEFORE = {"battery": 1500.0, "hot_tank": 5000.0, "cold_tank": 2000.0}


def test_an_hour_of_import_costs_energy_and_the_days_share_of_the_demand_charge():
    kpis = kpis_of(PARK, truth({("grid", "electricity"): 1000.0, ("metal1", "electricity"): -1000.0}), BEFORE, PERIOD)
    assert kpis.cost["energy"] == pytest.approx(418.80875)
    assert kpis.peak_kw == pytest.approx(1000.0)
    assert kpis.cost["demand"] == pytest.approx(1000.0 * 36.1 / (365 / 12))
    assert kpis.co2_kg == pytest.approx(536.6)
    assert kpis.cost["stored"] == 0.0
    assert kpis.imbalance_share["electricity"] == 0.0
    assert kpis.self_supply_share == 0.0


def test_export_earns_and_counts_as_sun_not_used_here():
    powers = {("pv_food", "electricity"): 800.0, ("metal1", "electricity"): -600.0, ("grid", "electricity"): -200.0}
    kpis = kpis_of(PARK, truth(powers), BEFORE, PERIOD)
    assert kpis.cost["export"] == pytest.approx(-200.0 * 0.30)
    assert kpis.peak_kw == 0.0
    assert kpis.self_use_share == pytest.approx(0.75)
    assert kpis.self_supply_share == pytest.approx(1.0)


def test_what_nobody_can_explain_is_an_imbalance():
    powers = {("grid", "electricity"): 1000.0, ("metal1", "electricity"): -900.0}
    kpis = kpis_of(PARK, truth(powers, losses={"electricity": 60.0}), BEFORE, PERIOD)
    assert kpis.imbalance_share["electricity"] == pytest.approx(0.04)


def test_energy_left_in_the_stores_is_credited_and_shortage_is_dear():
    log = truth({}, stored={"battery": 2500.0}, unserved={("hotel", "heat"): 10.0})
    kpis = kpis_of(PARK, log, BEFORE, PERIOD)
    assert kpis.cost["stored"] == pytest.approx(-1000.0 * 0.44)
    assert kpis.cost["unserved"] == pytest.approx(10.0 * 20.0)
    assert kpis.unserved_kwh["heat"] == pytest.approx(10.0)
    assert kpis.total_cost == pytest.approx(200.0 - 440.0)


def test_engines_pay_for_gas_maintenance_and_starts():
    horizon = Horizon.uniform(VALLEY, VALLEY + timedelta(hours=1))
    power = truth({}, minutes=4).power_kw.assign_coords(time=horizon.times)
    power.loc[{"asset": "chp1", "carrier": "electricity"}] = [0.0, 700.0, 0.0, 700.0]
    power.loc[{"asset": "gas", "carrier": "gas"}] = [0.0, 1750.0, 0.0, 1750.0]
    cost = operating_cost(PARK, Powers(horizon, power))
    assert cost["start"] == 300.0
    assert cost["maintenance"] == pytest.approx(350.0 * 0.133)
    assert cost["gas"] == pytest.approx(875.0 * 0.32)


def test_the_peak_is_a_quarter_hour_mean_not_a_minute():
    horizon = Horizon.uniform(VALLEY, VALLEY + timedelta(hours=1), timedelta(minutes=1))
    power = truth({}).power_kw
    spike = np.zeros(60)
    spike[20] = 1500.0
    power.loc[{"asset": "grid", "carrier": "electricity"}] = spike
    assert peak_import_kw(PARK, Powers(horizon, power)) == pytest.approx(100.0)
    assert quarter_means(
        np.arange(4.0), Horizon.uniform(VALLEY, VALLEY + timedelta(hours=4), timedelta(hours=1))
    ).tolist() == [0, 1, 2, 3]


def test_a_month_pays_the_whole_demand_price_and_a_run_in_progress_no_start():
    month = BillingPeriod(VALLEY, VALLEY + timedelta(days=31))
    assert demand_price_per_kw(PARK, month) == pytest.approx(36.1)
    engine = replace(PARK.asset("chp1"), start_cost=150.0, warm_starts=(WarmStart(off_below_h=1.0, cost=40.0),))
    power = np.array([500.0, 500.0, 0.0, 500.0, 0.0, 0.0, 500.0])
    assert start_cost(engine, power, np.full(7, 0.5)) == 40.0 + 150.0
