"""The iteration between machines and networks: it ends where both agree, each step by itself."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.networks.coupled import ROUNDS_MAX, TOLERANCE_KW, settle

shares = st.floats(-0.6, 0.6)


@given(st.lists(st.tuples(*[shares] * 4), min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_linear_circle_closes_where_algebra_says(circles, seed):
    around = np.array(circles).reshape(-1, 2, 2) / 1.3
    own = np.random.default_rng(seed).uniform(-500, 500, (len(circles), 2))
    met = settle(lambda x: (own + np.einsum("tij,tj->ti", around, x), x), np.zeros_like(own))
    exact = np.linalg.solve(np.eye(2) - around, own[:, :, None])[:, :, 0]
    assert met.rounds <= 6  # two unknowns: Newton's pace, with a round to find out
    np.testing.assert_allclose(met.solved, exact, atol=1e-5)
    assert (met.residual <= TOLERANCE_KW).all()


def test_what_does_not_answer_back_takes_one_round():
    met = settle(lambda x: (x, "same"), np.array([[3.0, 4.0]]))
    assert (met.rounds, met.solved) == (1, "same")


def test_a_machine_that_trips_and_comes_back_is_told_and_leaves_its_neighbour_alone():
    def answer(x):
        return np.array([[100.0 if x[0, 0] < 50 else 0.0], [30.0]]), x

    met = settle(answer, np.zeros((2, 1)))
    assert met.rounds == ROUNDS_MAX
    assert met.residual[0] > 1
    assert met.residual[1] == 0
    assert met.solved[1, 0] == 30.0
