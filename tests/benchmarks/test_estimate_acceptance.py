"""What the estimator promises, on small samples of the benchmark's draws."""

import pytest

from benchmarks.registry import discover


def rows(name):
    phase = next(p for p in discover()["networks"] if p.name == name)
    return {row.phase: row for row in phase.run(quick=True)}


def test_clean_draws_of_random_hours_converge_and_stay_quiet():
    found = rows("estimate, clean draws")
    assert len(found) == 3
    assert all(row.met for row in found.values())


@pytest.mark.parametrize("name", ["estimate, one error", "estimate, three errors"])
def test_planted_errors_are_noticed_and_named(name):
    judged = [row for row in rows(name).values() if row.met is not None]
    small_sample = [row for row in judged if "engines" not in row.phase]
    assert small_sample
    assert all(row.met for row in small_sample)


def test_the_parcel_model_keeps_a_boost_day_quiet_and_steady_rows_do_not():
    assert all(row.met for row in rows("estimate, boost day").values())
