"""One door to HiGHS: what is loaded is what was asked for, and every ending has its own outcome."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.errors import CertificateError, SolverCrashError, SolverTimeoutError
from optimizers.certificate import certify, dual_bound, optimality_error, require
from optimizers.session import HighsSession, Program, Solution, Status
from optimizers.worker import Job, SolverKilledError, SolverProcess


def program(a, row_lower, row_upper, cost, *, lower=0.0, upper=np.inf, integer=False) -> Program:
    rows = sparse.csr_array(np.atleast_2d(np.asarray(a, float)))
    n = rows.shape[1]
    return Program(
        row_ptr=rows.indptr.astype(np.int32),
        column_index=rows.indices.astype(np.int32),
        coefficients=rows.data.copy(),
        column_lower=np.broadcast_to(np.asarray(lower, float), n).copy(),
        column_upper=np.broadcast_to(np.asarray(upper, float), n).copy(),
        row_lower=np.atleast_1d(np.asarray(row_lower, float)),
        row_upper=np.atleast_1d(np.asarray(row_upper, float)),
        cost=np.asarray(cost, float),
        offset=5.0,
        integrality=np.full(n, int(integer), np.uint8),
    )


KNAPSACK = program([[3.0, 4.0, 5.0]], -np.inf, 7.5, [-4.0, -5.0, -6.0], upper=1.0, integer=True)
TRIVIAL = program([[1.0, 1.0]], 3.0, 3.0, [2.0, 1.0], upper=2.0)


def test_a_linear_program_comes_with_prices():
    found = HighsSession(TRIVIAL).run()
    assert found.status is Status.OPTIMAL
    assert found.x == pytest.approx([1.0, 2.0])
    assert found.objective == pytest.approx(2 + 2 + 5)
    assert found.row_dual == pytest.approx([2.0])
    assert certify(TRIVIAL, found).dual_bound == pytest.approx(found.objective)


def test_fixed_integers_give_prices_and_are_freed_again():
    session = HighsSession(KNAPSACK.relaxed())
    fixed = session.run_within(KNAPSACK.integers, np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    assert fixed.objective == pytest.approx(5 - 4)
    assert fixed.row_dual is not None
    free = session.run()
    assert free.objective < 5 - 9
    assert optimality_error(KNAPSACK.relaxed(), free) < 1e-9
    assert HighsSession(KNAPSACK).run().objective == pytest.approx(5 - 9)


def test_integers_can_be_switched_on_and_off():
    session = HighsSession(KNAPSACK.relaxed())
    loose = session.run().objective
    session.update(KNAPSACK)
    assert session.run().objective == pytest.approx(5 - 9)
    session.update(KNAPSACK.relaxed())
    assert session.run().objective == pytest.approx(loose)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        (program([[1.0, 1.0]], 5.0, 5.0, [1.0, 1.0], upper=2.0), Status.INFEASIBLE),
        (program([[1.0, -1.0]], 0.0, 0.0, [-1.0, 0.0]), Status.UNBOUNDED),
        (program([[1.0, 1.0]], 5.0, 5.0, [1.0, 1.0], upper=2.0, integer=True), Status.INFEASIBLE),
    ],
)
def test_impossible_and_endless_programs_are_told_apart(case, status):
    assert HighsSession(case).run().status is status


numbers = st.floats(-5, 5).map(lambda v: round(v, 3))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_an_updated_model_is_the_freshly_built_one(data):
    shape = (3, 4)

    def draw() -> Program:
        a = np.array(data.draw(st.lists(numbers, min_size=12, max_size=12))).reshape(shape)
        sides = np.sort(np.array(data.draw(st.lists(numbers, min_size=6, max_size=6))).reshape(2, 3), axis=0)
        bounds = np.sort(np.array(data.draw(st.lists(numbers, min_size=8, max_size=8))).reshape(2, 4), axis=0)
        cost = data.draw(st.lists(numbers, min_size=4, max_size=4))
        pattern = sparse.csr_array(np.ones(shape))
        return Program(
            pattern.indptr.astype(np.int32), pattern.indices.astype(np.int32), a.ravel(), bounds[0], bounds[1],
            sides[0], sides[1], np.array(cost), data.draw(numbers), np.zeros(4, np.uint8),
        )  # fmt: skip

    first, second = draw(), draw()
    session = HighsSession(first)
    session.run()
    session.update(second)
    held = session.read_back()
    np.testing.assert_array_equal(held.matrix.toarray(), second.matrix.toarray())
    for name in ("column_lower", "column_upper", "row_lower", "row_upper", "cost"):
        np.testing.assert_array_equal(getattr(held, name), getattr(second, name))
    warm, cold = session.run(), HighsSession(second).run()
    assert warm.status is cold.status
    if cold.status is Status.OPTIMAL:
        assert warm.objective == pytest.approx(cold.objective, abs=1e-7)
        assert dual_bound(second, warm.row_dual, warm.x) == pytest.approx(cold.objective, abs=1e-6)


def test_a_wrong_option_is_refused():
    with pytest.raises(SolverCrashError, match="option no_such"):
        HighsSession(TRIVIAL, {"no_such": 1})


@pytest.mark.parametrize(
    ("x", "objective", "words"),
    [
        ([0.0, 2.0], 7.0, "row 0"),
        ([-1.0, 4.0], 7.0, "outside its bounds"),
        ([1.0, 2.0], 8.0, "objective"),
    ],
)
def test_the_certificate_finds_what_is_wrong(x, objective, words):
    certificate = certify(TRIVIAL, Solution(Status.OPTIMAL, "", np.array(x), objective=objective))
    with pytest.raises(CertificateError, match=words):
        require(certificate, "plan")


def test_the_certificate_finds_a_broken_integer():
    solution = Solution(Status.OPTIMAL, "", np.array([0.5, 0.0, 0.0]), objective=3.0)
    assert any("integer" in f for f in certify(KNAPSACK, solution).faults)
    with pytest.raises(CertificateError):
        certify(KNAPSACK, Solution(Status.OPTIMAL, ""))


@pytest.fixture(scope="module")
def child():
    process = SolverProcess()
    yield process
    process.close()


def test_the_child_solves_and_keeps_its_model(child):
    first = child.solve(Job("k", KNAPSACK), deadline_s=10)
    pid = child.pid
    second = child.solve(Job("k", KNAPSACK), deadline_s=10)
    assert first.solution.objective == second.solution.objective == pytest.approx(-4.0)
    assert first.priced.row_dual is not None
    assert child.pid == pid


def during_solve(child, act):
    """Solve while ``act`` is done to the stopped child a moment after the job was sent."""
    child.solve(Job("k", KNAPSACK), deadline_s=10)
    os.kill(child.pid, signal.SIGSTOP)
    thread = threading.Thread(target=lambda pid=child.pid: (time.sleep(0.2), act(pid)))
    thread.start()
    try:
        return child.solve(Job("k", KNAPSACK), deadline_s=0.3)
    finally:
        thread.join()


def test_a_child_that_does_not_answer_is_stopped_and_replaced(child):
    with pytest.raises(SolverTimeoutError, match=r"within 0.3 s"):
        during_solve(child, lambda pid: None)
    assert child.solve(Job("k", KNAPSACK), deadline_s=10).solution.status is Status.OPTIMAL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_child_is_its_own_outcome(child, number):
    with pytest.raises(SolverKilledError) as caught:
        during_solve(child, lambda pid: (os.kill(pid, number), os.kill(pid, signal.SIGCONT)))
    assert caught.value.signal_number == number
    assert child.solve(Job("k", KNAPSACK), deadline_s=10).solution.status is Status.OPTIMAL


def test_a_job_that_fails_is_told_and_does_not_end_the_child(child):
    child.solve(Job("k", KNAPSACK), deadline_s=10)
    pid = child.pid
    with pytest.raises(SolverCrashError, match="no_such"):
        child.solve(Job("broken", KNAPSACK, options={"no_such": 1}), deadline_s=10)
    assert child.pid == pid


def test_time_is_up_with_and_without_a_point(child):
    rng = np.random.default_rng(1)
    a = rng.integers(1, 1000, (30, 60)).astype(float)
    hard = program(a, -np.inf, a.sum(axis=1) / 3, -rng.integers(1, 1000, 60).astype(float), upper=1.0, integer=True)
    hard = Program(
        **{
            **{f: getattr(hard, f) for f in Program.__slots__},
            "row_lower": np.full(30, -np.inf),
            "row_upper": a.sum(axis=1) / 3,
        }
    )
    answer = child.solve(Job("hard", hard, gap_share=0.0), deadline_s=0.5)
    assert answer.solution.status is Status.TIMEOUT
    assert answer.solution.x is not None
    assert answer.solution.bound < answer.solution.objective
