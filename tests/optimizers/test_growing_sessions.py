"""A live model takes more rows and columns and stays the freshly built one; a sample of answers is repeated from nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.errors import InfeasiblePlanError, SolverCrashError, SolverTimeoutError, UnboundedPlanError
from optimizers.audit import Audit
from optimizers.dispatch import Dispatcher
from optimizers.secured import point_of
from optimizers.session import HighsSession, Program, Solution, Status
from optimizers.worker import Answer, Job


def drawn(rng: np.random.Generator, rows: int, columns: int) -> Program:
    """A program that has a solution: x between 0 and 10, rows around a point inside."""
    matrix = np.where(rng.random((rows, columns)) < 0.6, rng.uniform(-3, 3, (rows, columns)), 0.0)
    sparse_rows = sparse.csr_array(matrix)
    middle = matrix @ rng.uniform(1, 9, columns)
    return Program(
        sparse_rows.indptr.astype(np.int32), sparse_rows.indices.astype(np.int32), sparse_rows.data.copy(),
        np.zeros(columns), np.full(columns, 10.0), middle - rng.uniform(0, 2, rows), middle + rng.uniform(0, 2, rows),
        rng.uniform(-1, 1, columns), 0.0, np.zeros(columns, np.uint8),
    )  # fmt: skip


def grown(program: Program, rng: np.random.Generator, rows: int, columns: int) -> Program:
    """The program with columns that bend new rows, and those rows, behind what it has; the old numbers are changed too."""
    old = len(program.cost)
    more = np.hstack([rng.uniform(-3, 3, (rows, old)), rng.uniform(0.5, 1, (rows, columns))])
    below = sparse.csr_array(more)
    return replace(
        program,
        row_ptr=np.concatenate([program.row_ptr, program.row_ptr[-1] + below.indptr[1:]]).astype(np.int32),
        column_index=np.concatenate([program.column_index, below.indices]).astype(np.int32),
        coefficients=np.concatenate([program.coefficients * 1.1, below.data]),
        column_lower=np.concatenate([program.column_lower, np.full(columns, -1e3)]),
        column_upper=np.concatenate([program.column_upper, np.full(columns, 1e3)]),
        row_lower=np.concatenate([1.1 * program.row_lower, np.full(rows, -5.0)]),
        row_upper=np.concatenate([1.1 * program.row_upper, np.full(rows, 5.0)]),
        cost=np.concatenate([-program.cost, np.full(columns, 0.01)]),
        integrality=np.zeros(old + columns, np.uint8),
    )


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 5), columns=st.integers(1, 4))
def test_a_grown_model_is_the_freshly_built_one(seed, rows, columns):
    rng = np.random.default_rng(seed)
    first = drawn(rng, 4, 6)
    second = grown(first, rng, rows, columns)
    third = grown(second, rng, 2, 1)
    session = HighsSession(first)
    session.run()
    for program in (second, third, first):
        session.update(program)
        held = session.read_back()
        np.testing.assert_allclose(held.matrix.toarray(), program.matrix.toarray())
        for name in ("column_lower", "column_upper", "row_lower", "row_upper", "cost"):
            np.testing.assert_array_equal(getattr(held, name), getattr(program, name))
        warm, cold = session.run(), HighsSession(program).run()
        assert warm.status is cold.status
        if cold.status is Status.OPTIMAL:
            assert warm.objective == pytest.approx(cold.objective, abs=1e-6)


def answer(objective: float, status: Status = Status.OPTIMAL) -> Answer:
    point = Solution(status, "", np.zeros(1), np.zeros(1), objective, objective)
    return Answer(point, point, point)


def test_an_audit_takes_every_so_many_answers():
    audit = Audit(every=3)
    assert [audit.due() for _ in range(7)] == [False, False, True, False, False, True, False]
    assert not any(Audit(every=0).due() for _ in range(5))


@pytest.mark.parametrize(
    ("kept", "cold", "agrees"),
    [
        (answer(100.0), answer(100.0 + 1e-5), True),
        (answer(100.0), answer(99.0), False),
        (answer(100.0, Status.INFEASIBLE), answer(100.0), False),
        (answer(100.0, Status.TIMEOUT), answer(90.0), False),
    ],
)
def test_answers_agree_when_their_optima_do(kept, cold, agrees):
    assert Audit().agrees(kept, cold, gap_share=1e-4) is agrees


def test_a_kept_basis_that_led_astray_is_found_and_the_answer_from_nothing_is_used(monkeypatch):
    rng = np.random.default_rng(3)
    program = drawn(rng, 3, 4)
    right = HighsSession(program).run()
    made = Dispatcher()
    made.audit = Audit(every=1)

    def astray(job: Job, *, deadline_s: float) -> Answer:
        wrong = replace(right, objective=right.objective + 1.0)
        return Answer(*([right] * 3)) if job.fresh else Answer(*([wrong] * 3))

    monkeypatch.setattr(made.process, "solve", astray)
    monkeypatch.setattr("optimizers.dispatch.is_sound", lambda program, answer: True)
    found = made.answer(Job("k", program), deadline_s=1.0)
    assert found.solution.objective == right.objective
    assert (made.audit.repeated, made.audit.differing) == (1, 1)
    made.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (Status.INFEASIBLE, InfeasiblePlanError),
        (Status.UNBOUNDED, UnboundedPlanError),
        (Status.TIMEOUT, SolverTimeoutError),
        (Status.FAILED, SolverCrashError),
    ],
)
def test_every_ending_without_a_point_is_its_own_error(status, error):
    with pytest.raises(error):
        point_of(Solution(status, "why"))
