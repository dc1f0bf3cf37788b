"""Benchmarking, indicators, odd days, and savings whose truth is known."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from customers.efficiency.benchmark import benchmark, hints
from customers.efficiency.indicators import drift_words, indicators, odd_days
from customers.efficiency.savings import YearEffect, between_years, hourly_savings, savings
from customers.features.table import features_of
from customers.population import FIRST_YEAR, Between, population
from customers.segments.segmentation import segment
from models.errors import DataError

ALIKE = Between(growth=0.0, own=0.0, common=0.0)


@cache
def years(seed: int, count: int, between: Between | None = None):
    made = population(count, seed, between or Between())
    air = tuple(made.weather(y, 60).air_degc for y in (FIRST_YEAR, FIRST_YEAR + 1))
    return (*(made.meters(y, 60) for y in (FIRST_YEAR, FIRST_YEAR + 1)), *air)


def cut(table, share):
    return replace(table, energy_kwh=table.energy_kwh * np.float32(1 - share))


def test_where_years_are_alike_the_saving_is_found_within_a_percent():
    before, since, *air = years(31, 24, ALIKE)
    found = savings(before, cut(since, 0.1), *air, YearEffect(0.0, 0.0))
    assert found.saved_kwh / found.expected_kwh == pytest.approx(0.1, abs=0.012)
    assert (found.low_kwh > 0).all()
    one = hourly_savings(before, cut(since, 0.1), "c00003", *air, YearEffect(0.0, 0.0))
    assert one.saved_kwh[0] == pytest.approx(found.saved_kwh[3], rel=0.1)
    assert "proven" in one.words(0)


def test_the_interval_holds_the_truth_nine_times_of_ten_only_with_what_years_do():
    inside, without = [], []
    for seed in range(40, 48):
        before, since, *air = years(seed, 45)
        mine, rest = before.customers[:25], before.customers[25:]
        true = 0.08 * since.select(mine).energy_kwh.sum(axis=1, dtype=float)
        effect = between_years(before.select(rest), since.select(rest), *air)
        for kept, used in ((inside, effect), (without, YearEffect(0.0, 0.0))):
            found = savings(before.select(mine), cut(since.select(mine), 0.08), *air, used)
            kept.append(((found.low_kwh <= true) & (true <= found.high_kwh)).mean())
    assert 0.82 <= np.mean(inside) <= 0.97
    assert np.mean(without) < 0.4


def test_nothing_saved_is_not_told_as_proven():
    before, since, *air = years(31, 24, ALIKE)
    found = savings(before, since, *air)
    assert (found.low_kwh < 0).all()
    assert "not told from zero" in found.words(0)


def test_what_cannot_be_compared_is_told_at_once():
    before, since, *air = years(31, 24, ALIKE)
    short = before.between(before.intervals.start, before.intervals.instant(24 * 50))
    with pytest.raises(DataError) as caught:
        savings(short, since.select(since.customers[:3]), air[0], air[1])
    words = str(caught.value)
    assert "other customers" in words
    assert "50 days" in words
    assert "temperatures" in words
    with pytest.raises(DataError, match="10 at least"):
        between_years(before.select(before.customers[:4]), since.select(since.customers[:4]), *air)


@cache
def judged():
    before, _, air, _ = years(33, 120)
    energy = before.energy_kwh.copy()
    energy[5] += 0.4 * np.float32(np.nanmean(energy[5]))  # a base that never stops
    energy[7, 24 * 100 : 24 * 102] *= 1.8
    energy[9, -24 * 28 :] *= 1.25
    features = features_of(replace(before, energy_kwh=energy), air)
    return features, segment(features).label


def test_ranks_and_grades_are_shares_and_a_high_base_is_hinted_at():
    features, label = judged()
    found = benchmark(features, label)
    assert found.grade.sum(axis=1) == pytest.approx(1.0)
    assert found.rank.min() == 0.0
    assert found.rank.max() == 1.0
    told = hints(features, label, 5)
    assert any("runs when nothing is made" in h.measure for h in told)
    assert all(h.saves_kwh > 0 for h in told)


def test_few_peers_grade_nobody():
    features, label = judged()
    alone = np.arange(len(label))
    assert "nobody else" in benchmark(features, alone).words(0)


def test_odd_days_and_a_drift_are_found_where_they_were_planted():
    features, _ = judged()
    clock = features.days.clock
    planted = {np.datetime64(int(clock.date[k]), "D") for k in (100, 101)}
    assert planted & {np.datetime64(d.day) for d in odd_days(features, features.customers[7])}
    assert "more than the baseline" in drift_words(features, features.customers[9])
    assert drift_words(features, features.customers[20]) == ""


def test_indicators_stand_on_the_customer_s_own_baseline():
    features, _ = judged()
    found = {i.name: i for i in indicators(features, features.customers[20], 1_000.0)}
    months = [i.value for name, i in found.items() if name.endswith("over its baseline")]
    assert len(months) == 12
    assert np.mean(months) == pytest.approx(1.0, abs=0.02)
    assert found["energy per area"].value == pytest.approx(found["energy of a year"].value / 1_000.0)
    with pytest.raises(DataError, match="temperature"):
        indicators(replace(features, weather=None), features.customers[20])
