"""Offers that a grid has accepted: every path replayed, losses true where prices are negative, the trap of hour-by-hour curves."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from benchmarks.offers import SEASONS, hour_by_hour, trading_days
from models.site.file import load_site
from optimizers.dispatch import Dispatcher
from optimizers.offers.day import MarketDay
from optimizers.offers.paths import PricePaths
from scenarios.offer_proof import OfferProver
from scenarios.offering import Deviations, positions, regrets
from scenarios.sites import park_path
from twin.secure import GridCheck

DAY = date(2015, 7, 14)
FEE = 0.15


@pytest.fixture(scope="module")
def dispatcher():
    made = Dispatcher()
    yield made
    made.close()


@pytest.fixture(scope="module")
def days():
    return trading_days()


@pytest.fixture(scope="module")
def narrow():
    """The park with one line that carries a fifth less."""
    site = load_site(park_path())
    grid = site.networks.electricity[0]
    lines = tuple(replace(x, current_max_ka=0.8 * x.current_max_ka) if x.id == "line_12_13" else x for x in grid.lines)
    return GridCheck(site, replace(grid, lines=lines))


def test_every_position_behind_a_curve_is_carried_by_the_grid(days, dispatcher, narrow):
    paths = days.paths(DAY, 4)
    low = PricePaths(paths.energy_per_kwh - 0.35, paths.expected_per_kwh - 0.35)
    assert ((low.energy_per_kwh + FEE) < 0).any()
    prover = OfferProver(narrow, dispatcher, fee_per_kwh=FEE)
    problem = days.expected(DAY)
    day = MarketDay(problem, FEE, dispatcher)
    optima, proof = prover.proven(day, low)
    assert proof.accepted
    assert proof.replayed == low.energy_per_kwh.size
    assert proof.loss_error_kw <= 10.0
    assert proof.paths_hash == low.digest
    assert "not for every mixture" in proof.words()
    assert np.all(optima.cost >= day.optima(low).cost - 1e-3)  # the grid only takes away
    again = prover.proven(day, low)[1]
    assert again.accepted
    assert again.passes <= proof.passes


def test_hour_by_hour_curves_are_a_trap_and_the_joint_curve_is_none(days, dispatcher):
    uneven = Deviations(0.15, 0.15)
    found = {"curve": 0.0, "schedule": 0.0, "hour by hour": 0.0, "known price": 0.0}
    for day in (SEASONS[0], SEASONS[2]):
        made = positions(days, day, dispatcher, count=20, steps=20)
        made["hour by hour"] = hour_by_hour(days, day, dispatcher, levels=7)
        for name, regret in regrets(days, day, made, uneven, dispatcher).items():
            assert regret >= -1e-6
            found[name] += regret
    assert found["curve"] < found["schedule"] < found["hour by hour"]


def test_with_perfect_forecasts_and_free_deviations_nothing_is_regretted(days, dispatcher):
    day = SEASONS[1]
    market = MarketDay(days.actual(day), days.fee_per_kwh, dispatcher)
    came = days.came(day)
    known = market.optima(PricePaths(came[None], came)).bought_kwh[0]
    free = regrets(days, day, {"known": known, "nothing": 0 * known}, Deviations(0.0, 0.0), dispatcher)
    assert free["known"] == pytest.approx(0.0, abs=0.1)
    assert free["nothing"] == pytest.approx(0.0, abs=0.1)
    strict = regrets(days, day, {"known": known, "nothing": 0 * known}, Deviations(0.5, 0.5), dispatcher)
    assert strict["known"] == pytest.approx(0.0, abs=0.1)
    assert strict["nothing"] > 1000
