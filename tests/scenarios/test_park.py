"""The demo park: it loads cleanly, says where every figure comes from, and holds what the loop needs."""

from dataclasses import MISSING, fields

import numpy as np
import pytest

from models.carriers import Carrier
from models.components import Asset, Consumer, HeatPump, Pv
from models.horizon import HOUR, Horizon, from_index
from models.site.file import load_site, read_site
from models.site.profiles import load_profiles
from models.tariffs.terms import optimizer_terms
from scenarios.sites import park_path

STRUCTURE = {"id", "title", "sources", "kind", "contract", "asset", "carrier", "demands"}
"""Fields that name, connect or count; every other field is a figure and needs a source, "example" or "guess"."""


@pytest.fixture(scope="module")
def park():
    return load_site(park_path())


def figures(asset: Asset) -> set[str]:
    """Return the fields of an asset whose value somebody had to come up with: not structural and not left at the default."""
    return {
        f.name
        for f in fields(asset)
        if f.name not in STRUCTURE
        and not f.name.endswith("_node")
        and (f.default is MISSING or getattr(asset, f.name) != f.default)
    }


def test_park_has_no_findings_at_all():
    site, findings = read_site(park_path())
    assert site is not None
    assert findings == []


def test_park_says_that_it_is_derived_and_that_prices_are_examples(park):
    assert "no real site" in park.notice
    assert "example" in park.notice
    assert all("example" in text for text in park.contract("power").tariff.sources.values())
    assert "example" in park.contract("natural_gas").sources["price_per_kwh"]


def test_every_figure_of_every_asset_has_a_source_or_says_that_it_has_none(park):
    bare = {a.id: sorted(figures(a) - set(a.sources)) for a in park.assets}
    assert {name: missing for name, missing in bare.items() if missing} == {}
    for consumer in park.of_kind(Consumer):
        assert {d.carrier.value for d in consumer.demands} - set(consumer.sources) <= set()


def test_every_asset_is_measured_and_every_customer_exists(park):
    metered = {d.asset for d in park.devices}
    assert {a.id for a in park.assets if a.kind != "meter"} == metered
    assert len(park.customers) == 10
    assert {c.consumer for c in park.customers} == {a.id for a in park.of_kind(Consumer)}


def test_profiles_are_one_whole_year_and_carry_no_market_data(park):
    table = load_profiles(park)
    assert len(table) == 8760
    assert from_index(table.index[0]).isoformat() == "2014-12-31T16:00:00+00:00"
    assert "synthetic" in park.profiles.sources["price_day_ahead_cny_per_kwh"]
    assert not [c for c in table.columns if "nl2019" in c or "eur" in c]
    assert table["wind_pu"].max() <= 1.0


def test_the_sun_is_highest_at_local_noon(park):
    table = load_profiles(park)
    local_hour = (table.index.hour + 8) % 24
    by_hour = table["pv_pu"].groupby(local_hour).mean()
    assert by_hour.idxmax() == 12
    assert by_hour.loc[[0, 1, 2, 3, 4, 21, 22, 23]].max() == 0.0


def test_sharp_hours_cost_a_fifth_more_than_peak_hours(park):
    table = load_profiles(park)
    year = Horizon.uniform(from_index(table.index[0]), from_index(table.index[-1]) + HOUR, HOUR)
    price = optimizer_terms(park.tariff("power"), year).import_per_kwh
    assert price.max() / 0.887077 == pytest.approx(1.2)
    # 3 h on 62 days of July and August, 3 h on 62 days of December and January
    assert int(np.isclose(price, price.max()).sum()) == 3 * 62 + 3 * 62


def test_sizes_are_those_that_make_every_asset_earn_its_place(park):
    assert sum(pv.peak_kw for pv in park.of_kind(Pv)) == 6000
    assert park.asset("battery").energy_kwh == 3000
    assert sum(p.heat_max_kw for p in park.of_kind(HeatPump)) == 1500
    assert park.asset("chiller1").cold_max_kw == park.asset("chiller2").cold_max_kw == 1800
    assert park.contract("natural_gas").price_per_kwh == 0.32


def test_peak_demand_can_be_met_on_heat_and_cold(park):
    table = load_profiles(park)
    for carrier, capacity_kw in (
        (Carrier.HEAT, 2 * 3000 + 1500 + 1000 + 2 * 611),
        (Carrier.COLD, 2 * 1800 + 1000 + 1500),
    ):
        names = [d.profile for c in park.of_kind(Consumer) for d in c.demands if d.carrier is carrier]
        assert table[names].sum(axis=1).max() < capacity_kw


def test_the_folder_stays_small():
    assert sum(f.stat().st_size for f in park_path().parent.iterdir()) < 1_000_000
