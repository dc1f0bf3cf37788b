import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.packages.bands import battery_mode
from customers.packages.kernels import cost_of, hold_caps, run_battery
from customers.packages.priced import priced
from customers.packages.sketch import CellPrices, Cells, Population, SizedVariant, costs
from customers.packages.variants import Variant, variants
from models.components import Battery
from models.errors import DataError
from models.tariffs.bill import bill
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.components import Energy, Tier
from tests.packages.package_cases import bench, grid, load_wh, sun, tariff

BATTERY = np.array([30.0, 60.0, 0.93, 0.93, 0.0])


@given(st.lists(st.integers(-400_000, 900_000), min_size=59 * 24, max_size=59 * 24))
@settings(max_examples=8, deadline=None)
def test_a_tariff_as_arrays_costs_what_the_bill_engine_bills_to_rounding(wh):
    readings = np.array(wh, dtype=np.int64)
    year = priced(tariff(), grid())
    exact = bill(compile_tariff(tariff(), grid()), Meters(readings[np.newaxis])).total_micro.sum() / 1e6
    assert year.cost(readings / 1e3) == pytest.approx(exact, abs=0.2)
    fast = cost_of(
        readings / 1e3, year.import_per_kwh, year.export_per_kwh, year.month, year.counts,
        year.demand_per_kw * year.share, year.floor_kw, year.step_h,
    )  # fmt: skip
    assert fast + year.fixed.sum() == pytest.approx(year.cost(readings / 1e3), rel=1e-12, abs=1e-6)


def test_a_tariff_with_blocks_is_refused_in_words():
    tiers = (Tier(500_000, 1_000_000), Tier(600_000))
    plain = tariff()
    version = plain.versions[0]
    stepped = type(plain)(
        "stepped", "CNY", plain.calendar, (type(version)("1", version.valid_from, (Energy("energy", {0: tiers}),)),)
    )
    with pytest.raises(DataError, match="blocks of energy"):
        priced(stepped, grid())


@given(st.integers(0, 1_000), st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_the_battery_obeys_the_physics_of_a_store(seed, pv_kw):
    rng = np.random.default_rng(seed)
    before = rng.uniform(20, 200, 24 * 20) - pv_kw * np.maximum(np.sin(np.arange(480) / 24 * 2 * np.pi), 0)
    mode, month = rng.integers(-1, 2, 480).astype(np.int8), np.repeat([0, 1], 240)
    after, caps = before.copy(), np.array([150.0, 120.0])
    used = run_battery(after, mode, month, caps, BATTERY, 1.0)
    store = Battery(
        id="b", electricity_node="n", charge_max_kw=30, discharge_max_kw=30, energy_kwh=60,
        charge_efficiency=0.93, discharge_efficiency=0.93,
    )  # fmt: skip
    stored, discharged = 0.0, 0.0
    for power in (before - after).tolist():
        low, high = store.power_range_kw(stored, 1.0)
        assert low - 1e-6 <= power <= high + 1e-6
        stored = store.stored_after(stored, power, 1.0)
        discharged += max(power, 0.0)
    assert used == pytest.approx(discharged)
    drawn = before >= 0
    assert (after[drawn] >= -1e-9).all(), "a battery never sends its own energy out"
    for m in (0, 1):
        mine = month == m
        assert after[mine].max() <= max(before[mine].max(), caps[m]) + 1e-9, "charging makes no new peak"


def test_the_lowest_cap_that_holds_is_found():
    before = np.full(240, 50.0)
    before[100:102] = 90.0
    mode = np.where(np.arange(240) % 24 < 6, -1, 0).astype(np.int8)
    caps = hold_caps(before, mode, np.zeros(240, dtype=np.int64), BATTERY, 1.0, 20)
    # 60 kWh give 55.8 kWh for two hours: 27.9 kW below the peak
    assert caps[0] == pytest.approx(90 - 27.9, abs=0.05)


def test_bands_charge_in_the_cheap_and_discharge_in_the_dear():
    year = priced(tariff(), grid())
    mode = battery_mode(year, 0.86, 0.2)
    hour = year.tariff.calendar.local(year.intervals.times).hour
    assert set(hour[mode == 1]) == set(range(17, 22))
    assert set(hour[mode == -1]) == {23, *range(7)}
    assert not battery_mode(year, 0.86, 5.0).any() or (battery_mode(year, 0.86, 5.0) <= 0).all()


def test_sketches_cost_what_the_intervals_cost_under_every_tariff():
    intervals = grid()
    cells = Cells.over(tariff().calendar, intervals)
    tariffs = [tariff(), tariff(peak=1_300_000, valley=200_000), tariff(demand=0)]
    years = [priced(t, intervals) for t in tariffs]
    loads = np.array([load_wh(seed=k) / 1e3 for k in range(5)], dtype=np.float32)
    shape = sun(intervals).typical
    designs = [SizedVariant(), SizedVariant(pv_share=1.0), SizedVariant(0.5, 0.2), SizedVariant(saved_share=0.1)]
    mode = battery_mode(years[0], 0.86, 0.2)
    found = costs(
        Population(loads, np.full(5, 120.0)),
        designs,
        [CellPrices.of(y, cells) for y in years],
        cells,
        shape,
        mode,
        0.93,
    )
    for c in range(5):
        for v, design in enumerate(designs):
            net = loads[c].astype(float) * (1 - design.saved_share) - 120 * design.pv_share * shape
            if design.battery_share:
                power = design.battery_share * float(loads[c].max())
                peaks = np.array([net[cells.month == m].max() for m in range(cells.months)])
                run_battery(
                    net, mode, cells.month, peaks - 0.5 * power, np.array([power, 2 * power, 0.93, 0.93, 0.0]), 1.0
                )
            assert found[c, v] == pytest.approx([y.cost(net) for y in years], rel=1e-5)


def test_a_customer_costs_the_same_whoever_is_simulated_beside_it():
    intervals, shape = grid(), sun(grid()).typical
    cells, year = Cells.over(tariff().calendar, intervals), priced(tariff(), intervals)
    loads = np.array([load_wh(seed=k) / 1e3 * (1 + k) for k in range(67)], dtype=np.float32)
    roofs, designs = np.linspace(0, 900, 67), [SizedVariant(0.5, 0.2), SizedVariant(1.0, 0.1, saved_share=0.1)]
    fixed = [CellPrices.of(year, cells)], cells, shape, battery_mode(year, 0.86, 0.2), 0.93
    together = costs(Population(loads, roofs), designs, *fixed)
    for k in (0, 31, 32, 66):
        alone = costs(Population(loads[k : k + 1], roofs[k : k + 1]), designs, *fixed)
        assert together[k] == pytest.approx(alone[0], rel=1e-6)


def test_a_tariff_that_changes_inside_an_hour_has_no_cells():
    intervals = grid(minutes=15)
    cells = Cells.over(tariff().calendar, intervals)
    year = priced(tariff(), intervals)
    year.import_per_kwh[1] += 0.5
    with pytest.raises(DataError, match="changes inside an hour"):
        CellPrices.of(year, cells)


def test_nothing_built_changes_nothing_and_variants_follow_the_facts():
    b = bench()
    assert b.simulate(Variant()).cost == pytest.approx(b.before)
    assert next(variants(b)) == Variant()
    assert {v.points for v in variants(b)} == {0}
    assert {v.chp_kw for v in variants(b)} == {0.0}
    assert max(v.pv_kw for v in variants(b)) == pytest.approx(1200 / b.library["roof_per_kw"], abs=0.1)
