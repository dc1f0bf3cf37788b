"""Features, segments and portraits of customers whose truth is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.features.price_response import call_response, price_response
from customers.features.table import features_of
from customers.intervals.clock import keep_holidays
from customers.intervals.series import MeterTable
from customers.intervals.store import IntervalStore
from customers.intervals.vee import validate
from customers.population import FIRST_YEAR, KINDS, population
from customers.portraits.customer import portraits
from customers.portraits.gather import drawn_from, portraits_with_hints, site_customers
from customers.portraits.market import market_portrait
from customers.segments.segmentation import read_model, segment
from models.errors import DataError
from models.site.file import load_site
from service.places import PARK

START = datetime(2025, 12, 31, 16, tzinfo=UTC)


@cache
def people():
    made = population(150, 21)
    return made, made.meters(FIRST_YEAR, 60), made.weather(FIRST_YEAR, 60).air_degc


@cache
def features():
    return features_of(*people()[1:])


def flat(days: int = 60, kw: float = 10.0) -> MeterTable:
    return MeterTable.of(["a"], START, 60, np.full((1, days * 24), kw), "Asia/Shanghai")


def test_a_flat_load_has_the_features_of_one():
    found = features_of(flat()).at(0)
    assert found["load_factor"] == found["base_share"] == found["weekend_ratio"] == pytest.approx(1.0)
    assert found["annual_kwh"] == pytest.approx(87_600)
    assert found["day_variation"] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(found["cooling_share"])
    assert np.isnan(found["summer_ratio"])


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 1000))
def test_the_shape_of_a_load_does_not_depend_on_its_size(times):
    table = people()[1].select(people()[1].customers[:6])
    larger = replace(table, energy_kwh=table.energy_kwh * np.float32(times))
    one, two = features_of(table), features_of(larger)
    assert two.values[:, 2:12] == pytest.approx(one.values[:, 2:12], rel=1e-4)
    assert two.column("annual_kwh") == pytest.approx(one.column("annual_kwh") * np.float32(times), rel=1e-4)


def test_planted_answers_to_the_weather_are_found():
    made, found = people()[0], features()
    for planted, name in ((made.cooling, "cooling_share"), (made.heating, "heating_share")):
        assert np.corrcoef(planted, found.column(name))[0, 1] > 0.85


def test_a_gap_is_left_out_and_a_customer_without_figures_has_no_features():
    table = flat()
    energy = table.energy_kwh.copy()
    energy[0, 100:300] = np.nan
    assert features_of(replace(table, energy_kwh=energy)).at(0)["annual_kwh"] == pytest.approx(87_600)
    nothing = features_of(replace(table, energy_kwh=np.full_like(energy, np.nan)))
    assert np.isnan(nothing.at(0)["load_factor"])


def test_the_temperature_has_to_fit():
    with pytest.raises(DataError, match="intervals"):
        features_of(flat(), np.zeros(5))


def test_segments_are_stable_near_the_planted_kinds_and_keep_their_names():
    from sklearn.metrics import adjusted_rand_score

    one = segment(features())
    assert one.model.stability[len(one.model.names)] >= 0.8
    assert adjusted_rand_score(people()[0].kind, one.label) > 0.4
    assert one.membership.sum(axis=1) == pytest.approx(1.0)
    again = segment(features(), read_model(one.model.text()), seed=5)
    assert set(again.model.names) == set(one.model.names)
    same = [one.model.names[a] == again.model.names[b] for a, b in zip(one.label, again.label, strict=True)]
    assert np.mean(same) > 0.95


def test_a_model_of_segments_that_is_none_is_refused():
    for text in ("{", "[]", '{"format": "other/1"}'):
        with pytest.raises(DataError, match="no model of segments"):
            read_model(text)


def test_a_portrait_says_how_sure_it_is():
    table = people()[1].select(people()[1].customers[:40])
    energy = table.energy_kwh.copy()
    energy[0, : energy.shape[1] * 6 // 10] = np.nan
    poor = MeterTable.of(table.customers, table.intervals.start, 60, energy, table.zone)
    made = portraits(drawn_from(validate(poor), people()[2]))
    assert made[0].sureness.grade == "unsure"
    assert made[1].sureness.grade == "sure"
    assert "40" in made[0].sureness.words


def test_the_market_s_segments_add_up_and_growth_is_found():
    made = people()[0]
    later = features_of(made.meters(FIRST_YEAR + 1, 60), made.weather(FIRST_YEAR + 1, 60).air_degc)
    found = market_portrait(later, segment(features()), (features(), later), np.ones(made.count))
    assert sum(s.customers for s in found) == made.count
    assert sum(s.share for s in found) == pytest.approx(1.0)
    true = made.level(FIRST_YEAR + 1).mean() - 1
    grown = np.average([s.growth_share for s in found], weights=[s.customers for s in found])
    assert grown == pytest.approx(true, abs=0.03)
    assert sum(s.margin for s in found) == pytest.approx(made.count)


def test_the_park_s_customers_have_portraits_that_fit_them():
    site = site_customers(load_site(PARK))
    drawn = drawn_from(IntervalStore(site.table), site.air_degc)
    made = {p.customer: p for p in portraits_with_hints(drawn, site.businesses, range(len(site.table.customers)))}
    assert len(made) == 10
    assert made["hotel"].segment.startswith("every day, evening")
    assert made["office"].segment.startswith("working days, daytime")
    assert "40 kW" in " ".join(made["warehouse"].asset)
    assert "Photovoltaics" in " ".join(made["metal1"].asset)
    assert "gas" in " ".join(made["food"].business)
    assert all("CNY a year" in " ".join(p.business) for p in made.values())
    assert not keep_holidays(replace(site.table, country=None))
    assert site.table.country == ""


def test_kinds_are_told_apart_by_their_days():
    found, kind = features(), people()[0].kind
    names = [k.name for k in KINDS]
    night = {n: float(np.median(found.column("night_share")[kind == k])) for k, n in enumerate(names)}
    assert night["three_shift"] > 0.8 > 0.6 > night["one_shift"]


def days(count: int) -> np.ndarray:
    hours = np.arange(count * 24) % 24
    return np.where((hours >= 8) & (hours < 18), 100.0, 40.0)


def test_an_elasticity_is_found_where_prices_differ_at_one_time_of_day_and_nowhere_else():
    rng = np.random.default_rng(3)
    load = days(200)
    price = np.exp(rng.normal(0, 0.3, load.size))
    energy = load * price**-0.15 * np.exp(rng.normal(0, 0.05, load.size))
    table = MeterTable.of(["a"], START, 60, energy[None], "Asia/Shanghai")
    found = price_response(table, "a", price)
    assert found.elasticity == pytest.approx(-0.15, abs=0.02)
    tou = np.where(load > 50, 1.2, 0.4)
    assert price_response(table, "a", tou).elasticity is None
    assert "cannot be told apart" in price_response(table, "a", tou).words


def test_a_call_s_reduction_rebound_and_recovery_are_found():
    energy = days(60)
    spans = []
    for day in (20, 29, 40):
        first = day * 24 + 10
        energy[first : first + 2] -= 30
        energy[first + 2 : first + 5] += 15
        spans.append((START + timedelta(hours=first), START + timedelta(hours=first + 2)))
    table = MeterTable.of(
        ["a"],
        START,
        60,
        energy[None],
        "Asia/Shanghai",
    )
    found = call_response(table, "a", spans)
    assert found.flexible_kw == pytest.approx(30, rel=0.02)
    assert found.rebound_share == pytest.approx(0.75, rel=0.05)
    assert found.recovery_h == pytest.approx(3)
    assert found.calls == 3
    with pytest.raises(DataError, match="like days before"):
        call_response(table, "a", spans[:0])
