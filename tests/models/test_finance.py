"""Money over years, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.finance import (
    annuity_factor,
    discount_factors,
    payback_years,
    present_value,
    rate_of_return,
    rates_of_return,
)


def test_a_present_value_by_hand():
    assert present_value(0.1, [-100.0, 60.0, 60.0]) == pytest.approx(-100 + 60 / 1.1 + 60 / 1.21)


def test_an_annuity_pays_back_exactly_what_it_is_worth():
    assert annuity_factor(0.05, 2) == pytest.approx(1.05**2 * 0.05 / (1.05**2 - 1))
    assert annuity_factor(0.0, 4) == 0.25
    with pytest.raises(ValueError, match="longer than 0"):
        annuity_factor(0.05, 0)


def test_rates_of_return_by_hand():
    assert rate_of_return([-100.0, 110.0]) == pytest.approx(0.10)
    assert rate_of_return([-100.0, 0.0, 144.0]) == pytest.approx(0.20)
    assert rate_of_return([100.0, 110.0]) is None


def test_two_rates_are_both_named_and_neither_is_the_answer():
    flows = [-1000.0, 2300.0, -1320.0]  # (x - 1.1) (x - 1.2) = 0
    assert rates_of_return(flows) == pytest.approx((0.10, 0.20))
    assert rate_of_return(flows) is None


def test_payback_is_linear_within_the_year_and_counts_the_last_return():
    assert payback_years([-100.0, 40.0, 40.0, 40.0]) == pytest.approx(2.5)
    assert payback_years([-100.0, 40.0, 40.0]) is None
    assert payback_years([-100.0, 200.0, -150.0, 100.0]) == pytest.approx(2.5)
    assert payback_years([0.0, 5.0]) == 0.0
    assert payback_years([-100.0, 55.0, 60.5], 0.1) == pytest.approx(2.0)


def test_a_rate_that_loses_everything_is_refused():
    with pytest.raises(ValueError, match="above -1"):
        discount_factors(-1.0, 3)


@given(st.floats(-0.5, 2.0), st.integers(1, 25), st.floats(1.0, 1e6))
def test_the_rate_of_return_makes_the_present_value_nothing(rate, years, paid):
    yearly = paid * annuity_factor(rate, years)
    flows = [-paid, *[yearly] * years]
    found = rate_of_return(flows)
    assert found == pytest.approx(rate, abs=1e-6)
    assert abs(present_value(found, flows)) <= 1e-6 * paid * max(1.0, *discount_factors(found, years))


@given(st.floats(0.0, 0.3), st.integers(1, 40))
def test_an_annuity_is_worth_one(rate, years):
    assert present_value(rate, np.array([0.0, *[annuity_factor(rate, years)] * years])) == pytest.approx(1.0)
