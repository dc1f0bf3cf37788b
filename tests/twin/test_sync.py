"""Readings become a snapshot, also when some of them are late, frozen or lost."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carriers import Carrier
from models.components import Meter
from models.ports import Quality, Reading
from models.site import Device, Site
from models.state import Snapshot
from models.tariffs.time_of_use import monthly
from twin.billing import ImportMeter
from twin.state import powers_of, start_snapshot, stored_of
from twin.step import Twin
from twin.sync import Synchroniser

NOON = datetime(2015, 7, 15, 12, tzinfo=UTC)
SERIES = {
    "works_el_kw": 1000.0, "works_heat_kw": 500.0, "works_cold_kw": 300.0, "works_gas_kw": 100.0, "pv_pu": 0.25,
    "wind_pu": 0.1, "air_degc": 3.0, "washer_kw": 60.0, "works_water_m3_per_h": 2.0,
}  # fmt: skip
E, H, G = Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS
CONTROLS = {"chp": 600.0, "pump": 300.0, "chiller": 400.0, "battery": -200.0}


@pytest.fixture(scope="module")
def truth(site: Site) -> Snapshot:
    return Twin(site).step(start_snapshot(site, NOON - timedelta(minutes=15)), CONTROLS, SERIES, 0.25)


def readings_of(truth: Snapshot, at: datetime = NOON, lost: Iterable[tuple[str, str]] = ()) -> list[Reading]:
    """Return what perfect devices would show, all but the lost points."""
    found = {(a, f"{c.value}_kw"): kw for (a, c), kw in powers_of(truth).items()}
    found |= {(a, "stored_kwh"): kwh for a, kwh in stored_of(truth).items()}
    found[("pump", "air_degc")] = 3.0
    gone = set(lost)
    return [
        Reading(f"{a}_device", q, np.nan if (a, q) in gone else v, at, at, Quality.BAD if (a, q) in gone else Quality.GOOD)
        for (a, q), v in found.items()
    ]  # fmt: skip


def test_good_readings_are_the_snapshot(site: Site, truth: Snapshot):
    found = Synchroniser(site).snapshot(readings_of(truth), NOON)
    assert powers_of(found) == powers_of(truth)
    assert stored_of(found) == stored_of(truth)
    assert {t.quality for t in found.tags.values()} == {Quality.GOOD}
    assert found.tags["chp", "heat_kw"].residual == pytest.approx(0.0, abs=1e-9)


def test_a_lost_gas_meter_is_filled_in_by_the_engines_equation(site: Site, truth: Snapshot):
    found = Synchroniser(site).snapshot(readings_of(truth, lost=[("chp", "gas_kw")]), NOON)
    assert powers_of(found)["chp", G] == pytest.approx(powers_of(truth)["chp", G])
    assert found.tags["chp", "gas_kw"].quality is Quality.SUBSTITUTED


def test_a_heat_pumps_draw_follows_the_measured_air(site: Site, truth: Snapshot):
    found = Synchroniser(site).snapshot(readings_of(truth, lost=[("pump", "electricity_kw")]), NOON)
    assert powers_of(found)["pump", E] == pytest.approx(powers_of(truth)["pump", E])


def test_a_lost_grid_meter_is_what_the_others_leave(site: Site, truth: Snapshot):
    found = Synchroniser(site).snapshot(readings_of(truth, lost=[("pcc", "electricity_kw")]), NOON)
    loss = float(truth.networks["grid_20kv"]["loss_kw"])
    assert powers_of(found)["pcc", E] == pytest.approx(powers_of(truth)["pcc", E] - loss)
    assert found.tags["pcc", "electricity_kw"].quality is Quality.SUBSTITUTED


def test_two_lost_values_on_one_carrier_keep_their_last_ones(site: Site, truth: Snapshot):
    sync = Synchroniser(site)
    sync.snapshot(readings_of(truth), NOON)
    later = NOON + timedelta(minutes=1)
    gone = [("pcc", "electricity_kw"), ("works", "electricity_kw")]
    found = sync.snapshot(readings_of(truth, later, gone), later)
    assert powers_of(found)["works", E] == -1000.0
    assert found.tags["works", "electricity_kw"].age_s == 60.0


def test_a_lost_charge_level_is_carried_on_by_the_batterys_balance(site: Site, truth: Snapshot):
    sync = Synchroniser(site)
    before = stored_of(sync.snapshot(readings_of(truth), NOON))["battery"]
    later = NOON + timedelta(hours=0.5)
    found = sync.snapshot(readings_of(truth, later, [("battery", "stored_kwh")]), later)
    assert stored_of(found)["battery"] == pytest.approx(before + 200.0 * 0.5 * 0.95)
    assert found.tags["battery", "stored_kwh"].quality is Quality.SUBSTITUTED


def test_a_share_is_read_as_energy(site: Site, truth: Snapshot):
    share = Reading("battery_device", "stored_share", 0.5, NOON, NOON, Quality.GOOD)
    readings = [r for r in readings_of(truth) if (r.device, r.quantity) != ("battery_device", "stored_kwh")]
    assert stored_of(Synchroniser(site).snapshot([*readings, share], NOON))["battery"] == 1000.0


def test_values_grow_stale_and_then_say_nothing(site: Site, truth: Snapshot):
    sync = Synchroniser(site)
    late = sync.snapshot(readings_of(truth), NOON + timedelta(minutes=6))
    assert late.tags["works", "electricity_kw"].quality is Quality.STALE
    assert powers_of(late)["works", E] == -1000.0
    lost = sync.snapshot(readings_of(truth), NOON + timedelta(minutes=20))
    assert lost.tags["works", "electricity_kw"].quality is Quality.SUBSTITUTED
    assert lost.tags["works", "electricity_kw"].age_s == 1200.0


def test_a_check_meter_reads_its_assets_power(site: Site, truth: Snapshot):
    meter = Meter(id="billing", asset="pcc", carrier=E)
    device = Device(id="billing_device", asset="billing", map="generic")
    metered = dataclasses.replace(site, assets=(*site.assets, meter), devices=(*site.devices, device))
    reading = Reading("billing_device", "electricity_kw", 777.0, NOON, NOON, Quality.GOOD)
    readings = [*readings_of(truth, lost=[("pcc", "electricity_kw")]), reading]
    assert powers_of(Synchroniser(metered).snapshot(readings, NOON))["pcc", E] == 777.0


def test_units_remember_how_long_they_have_run(site: Site, truth: Snapshot):
    sync = Synchroniser(site, initial=start_snapshot(site, NOON))
    for k in range(1, 5):
        at = NOON + timedelta(minutes=15 * k)
        found = sync.snapshot(readings_of(truth, at), at)
    assert found.units["chp"].running
    assert found.units["chp"].hours_in_state == pytest.approx(0.75)
    assert found.units["boiler"].hours_in_state == pytest.approx(25.0)


def test_a_told_state_wins_over_a_power(site: Site, truth: Snapshot):
    told = Reading("chp_device", "running", 0.0, NOON, NOON, Quality.GOOD)
    assert not Synchroniser(site).snapshot([*readings_of(truth), told], NOON).units["chp"].running


def test_the_quarter_hours_mean_and_the_months_peak(site: Site, truth: Snapshot):
    sync = Synchroniser(site, peak_import_kw=100.0)
    imported = powers_of(truth)["pcc", E]
    for minute in range(20):
        at = NOON + timedelta(minutes=minute)
        found = sync.snapshot(readings_of(truth, at), at)
    assert found.peak_import_kw == pytest.approx(imported)
    assert found.import_so_far is not None
    assert found.import_so_far.start == NOON + timedelta(minutes=15)
    assert found.import_so_far.covered_h == pytest.approx(4 / 60)


def test_the_bills_mean_of_a_ramp_and_a_new_month():
    meter = ImportMeter(monthly("UTC"))
    start = datetime(2015, 7, 31, 23, 30, tzinfo=UTC)
    meter.observe(start, 0.0)
    meter.observe(start + timedelta(minutes=30), 300.0)  # means 75 and 225
    assert meter.peak_kw is None  # midnight began a new month
    assert meter.running is not None
    assert meter.running.covered_h == 0.0
    meter = ImportMeter(monthly("UTC"))
    meter.observe(start - timedelta(hours=1), 0.0)
    meter.observe(start - timedelta(minutes=30), 300.0)
    assert meter.peak_kw == pytest.approx(225.0)


def test_a_quarter_that_was_hardly_seen_is_no_peak():
    meter = ImportMeter(monthly("UTC"))
    meter.observe(NOON + timedelta(minutes=10), 5000.0)
    meter.observe(NOON + timedelta(minutes=16), 5000.0)
    assert meter.peak_kw is None


POINTS = ["pcc", "chp", "works", "battery", "tank", "boiler", "pump", "ice", "cars", "washer"]


@settings(max_examples=60, deadline=None)
@given(lost=st.sets(st.sampled_from(POINTS)), minutes=st.integers(0, 40))
def test_whatever_is_lost_the_snapshot_is_whole(site: Site, truth: Snapshot, lost: set[str], minutes: int):
    sync = Synchroniser(site)
    sync.snapshot(readings_of(truth), NOON)
    at = NOON + timedelta(minutes=minutes)
    found = sync.snapshot([r for r in readings_of(truth, at) if r.device.removesuffix("_device") not in lost], at)
    assert np.isfinite(list(powers_of(found).values())).all()
    assert np.isfinite(found.stored_kwh.to_numpy()).all()
    for asset in lost:
        marked = [t.quality for (a, _), t in found.tags.items() if a == asset]
        assert marked
        assert set(marked) == {Quality.SUBSTITUTED}
