"""Faults in meter data are found on customers that no threshold was tuned on, and what replaces them is near the truth."""

from functools import cache

import numpy as np
import pytest

from benchmarks.meter_faults import planted, scores
from customers.intervals.clock import local_clock
from customers.intervals.rules import Fault
from customers.intervals.series import MeterTable, Version
from customers.intervals.vee import validate
from customers.population import FIRST_YEAR, population

SEED = 4321
LEAST = {Fault.GAP: (0.95, 0.95), Fault.STUCK: (0.95, 0.95), Fault.SCALE: (0.95, 0.95), Fault.SIGN: (0.95, 0.95)} | {
    Fault.SPIKE: (0.8, 0.8),
    Fault.SHIFT: (0.9, 0.75),
}


@cache
def checked():
    made = planted(160, SEED)
    return made, validate(made.table)


@pytest.mark.parametrize("fault", list(LEAST), ids=lambda f: f.name)
def test_precision_and_recall_by_day(fault):
    made, store = checked()
    day = local_clock(made.table.intervals, made.table.zone).day
    precision, recall = scores(store.flags, made.truth, fault, day)
    assert precision >= LEAST[fault][0]
    assert recall >= LEAST[fault][1]


def test_hardly_any_clean_customer_is_alarmed():
    made, store = checked()
    assert store.flags[made.clean].any(axis=1).mean() <= 0.05


def test_a_clock_that_is_off_is_a_suspicion_and_changes_nothing():
    made, store = checked()
    only = (made.truth == Fault.SHIFT) & (store.flags == Fault.SHIFT)
    assert only.any()
    assert np.array_equal(store.best.energy_kwh[only], made.table.energy_kwh[only])


@pytest.mark.parametrize(
    ("fault", "most"), [(Fault.GAP, 0.1), (Fault.STUCK, 0.1), (Fault.SCALE, 0.01), (Fault.SIGN, 0.01)]
)
def test_estimates_are_near_what_was_there(fault, most):
    made, store = checked()
    here = (made.truth == int(fault)) & (store.flags & np.uint8(fault) > 0)
    error = np.abs(store.best.energy_kwh[here] - made.before[here]) / made.before[here]
    assert np.median(error) < most


def test_sound_data_come_through_untouched():
    table = population(24, SEED).meters(FIRST_YEAR, 60)
    store = validate(table)
    assert not store.flags.any()
    assert np.array_equal(store.version(Version.ESTIMATED).energy_kwh, table.energy_kwh)


def test_a_coarse_meter_repeats_itself_and_is_not_stuck():
    table = population(12, SEED).meters(FIRST_YEAR, 60)
    coarse = MeterTable.of(table.customers, table.intervals.start, 60, np.rint(table.energy_kwh), table.zone)
    store = validate(coarse)
    assert ((store.flags & np.uint8(Fault.STUCK)) > 0).mean() < 1e-3
