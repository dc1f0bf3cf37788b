"""Weights and rankings: published values, an independent library, and the laws that every such method keeps."""

import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pymcdm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymcdm.weights.subjective import AHP

from customers.evaluation.ranking import fuzzy_comprehensive, grade_membership, spotis, topsis, vikor
from customers.evaluation.system import read_system, systems, weigh
from customers.evaluation.target import target_index
from customers.evaluation.weights import ahp, critic, entropy
from models.errors import DataError

CASES = Path(os.environ.get("JOULETWIN_CASES", "../shared/cases"))
cases = pytest.mark.skipif(not (CASES / "mcdm_published.json").is_file(), reason="the reference cases are not here")


def published(method: str) -> dict:
    found = json.loads((CASES / "mcdm_published.json").read_text())["cases"]
    return next(c for c in found if c["method"].startswith(method))


def parts(case: dict):
    benefit = np.array([o == "max" for o in case["objectives"]])
    return np.array(case["matrix"], float), np.array(case["weights"], float), benefit


@cases
def test_topsis_gives_the_published_closeness():
    case = published("TOPSIS")
    assert topsis(*parts(case)) == pytest.approx(case["similarity"], abs=case["atol"])


@cases
def test_vikor_gives_the_published_compromise():
    case = published("VIKOR")
    found = vikor(*parts(case))
    for name in ("s", "r", "q"):
        assert getattr(found, name) == pytest.approx(case[name], abs=1e-9)
    assert sorted(found.compromise) == sorted(case["compromise_set"])


@cases
@pytest.mark.parametrize("method", ["SPOTIS a", "SPOTIS b"])
def test_spotis_gives_the_published_scores(method):
    case = published(method)
    assert spotis(*parts(case), np.array(case["bounds"], float)) == pytest.approx(case["score"], abs=1e-3)


@cases
def test_critic_gives_the_published_weights():
    case = published("CRITIC")
    matrix = np.array(case["matrix"], float)
    assert critic(matrix, np.ones(matrix.shape[1], bool)) == pytest.approx(case["weights"], abs=1e-7)


@cases
def test_judgements_of_drinks_give_saaty_s_priorities():
    case = json.loads((CASES / "ahp_saaty_drinks.json").read_text())
    found = ahp(np.array([case["upper"][n] for n in case["names"]], float))
    assert found.weights == pytest.approx([case["priority"][n] for n in case["names"]], abs=case["tolerance"])
    assert found.consistency_ratio == pytest.approx(case["consistency_ratio_saaty_RI"], abs=1e-3)
    assert found.consistent


def random_problem(seed: int):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(3, 12)), int(rng.integers(2, 7))
    weights = rng.dirichlet(np.ones(columns))
    return rng.uniform(0.5, 10, (rows, columns)), weights, rng.random(columns) < 0.6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_an_independent_library_finds_the_same(seed):
    matrix, weights, benefit = random_problem(seed)
    types = np.where(benefit, 1, -1)
    normal = pymcdm.normalizations.vector_normalization
    theirs = pymcdm.methods.TOPSIS(lambda x, cost=False: normal(x))  # ours turns costs round at the ideal, not before
    x = normal(matrix[:, 0])
    assert x == pytest.approx(matrix[:, 0] / np.linalg.norm(matrix[:, 0]))
    only_benefits = np.ones(len(weights), bool)
    assert topsis(matrix, weights, only_benefits) == pytest.approx(theirs(matrix, weights, np.ones(len(weights))))
    assert vikor(matrix, weights, benefit).q == pytest.approx(pymcdm.methods.VIKOR()(matrix, weights, types), abs=1e-9)
    assert entropy(matrix) == pytest.approx(pymcdm.weights.entropy_weights(matrix, types), abs=1e-9)
    assert critic(matrix, only_benefits) == pytest.approx(pymcdm.weights.critic_weights(matrix), abs=1e-9)
    bounds = np.stack([matrix.min(axis=0) - 1, matrix.max(axis=0) + 1], axis=1)
    assert spotis(matrix, weights, benefit, bounds) == pytest.approx(
        pymcdm.methods.SPOTIS(bounds)(matrix, weights, types)
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_units_do_not_matter_and_who_is_better_everywhere_is_never_behind(seed):
    matrix, weights, benefit = random_problem(seed)
    scaled = matrix * np.random.default_rng(seed).uniform(0.1, 1000, matrix.shape[1])
    assert topsis(scaled, weights, benefit) == pytest.approx(topsis(matrix, weights, benefit))
    better = matrix.copy()
    better[0] = np.where(benefit, matrix.max(axis=0), matrix.min(axis=0))
    assert int(np.argmax(topsis(better, weights, benefit))) == 0 or (better == better[0]).all(axis=1).sum() > 1
    assert vikor(better, weights, benefit).q[0] == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=6, max_size=6))
def test_judgements_weigh_as_an_independent_library_says(grades):
    matrix = np.eye(4)
    scale = [g + 1.0 if g >= 0 else 1.0 / (1.0 - g) for g in grades]
    for (i, k), value in zip(combinations(range(4), 2), scale, strict=True):
        matrix[i, k], matrix[k, i] = value, 1.0 / value
    theirs = AHP(matrix=matrix)
    assert ahp(matrix).weights == pytest.approx(theirs(), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10_000))
def test_judgements_made_from_weights_give_them_back_without_contradiction(size, seed):
    weights = np.random.default_rng(seed).dirichlet(np.full(size, 3.0)) + 0.02
    weights /= weights.sum()
    found = ahp(weights[:, None] / weights[None])
    assert found.weights == pytest.approx(weights, rel=1e-6)
    assert found.consistency_ratio == pytest.approx(0.0, abs=1e-9)


def test_what_is_no_matrix_of_judgements_is_refused():
    for wrong in ([[1, 2], [2, 1]], [[1, -2], [-0.5, 1]], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="judgements form a square matrix"):
            ahp(np.array(wrong, float))


def test_membership_and_its_composition_are_shares():
    corners = np.array([0.125, 0.375, 0.625, 0.875])
    assert grade_membership(0.0, corners).tolist() == [1, 0, 0, 0]
    assert grade_membership(0.5, corners).tolist() == [0, 0.5, 0.5, 0]
    r = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    assert fuzzy_comprehensive(np.array([0.5, 0.5]), r) == pytest.approx([0.4, 0.4, 0.2])
    assert fuzzy_comprehensive(np.array([0.7, 0.3]), r, "max_min") == pytest.approx(np.array([0.3, 0.5, 0.3]) / 1.1)
    for operator in ("max_product", "bounded_sum_min"):
        assert fuzzy_comprehensive(np.array([0.7, 0.3]), r, operator).sum() == pytest.approx(1.0)


def test_the_shipped_systems_are_consistent_and_their_weights_sum_to_one():
    found = systems()
    assert {"target_customer", "energy_efficiency"} <= set(found)
    for system in found.values():
        assert weigh(system).weights.sum() == pytest.approx(1.0)
        assert max(weigh(system).consistency.values()) <= 0.1


SYSTEM = """
format: jouletwin-evaluation/1
id: own
version: 2
valid_from: 2026-01-01
title: Own
source: test
method: {method}
groups:
- id: one
  title: One
  indicators:
  - {{id: a, title: A, unit: kWh, better: high, source: test}}
  - {{id: b, title: B, unit: kWh, better: low, source: test}}
  - {{id: c, title: C, unit: kWh, better: high, source: test}}
  pairs: {pairs}
"""
GOOD = "[[a, b, 2], [a, c, 4], [b, c, 2]]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SYSTEM.format(method="topsis", pairs="[[a, b, 2], [a, c, 4]]"), "pair b and c is judged 0 times"),
        (SYSTEM.format(method="topsis", pairs="[[a, b, 2], [a, c, 4], [b, c, 2], [c, b, 2]]"), "judged 2 times"),
        (SYSTEM.format(method="topsis", pairs="[[a, b, 9], [b, c, 9], [a, c, 0.2]]"), "contradict one another"),
        (SYSTEM.format(method="topsis", pairs="[[a, b, 2], [a, c, 4], [b, x, 2]]"), "no such two criteria"),
        (SYSTEM.format(method="spotis", pairs=GOOD), "needs bounds"),
        (SYSTEM.format(method="guess", pairs=GOOD), "method"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_system_that_cannot_be_used_says_why(text, words):
    with pytest.raises(DataError) as caught:
        read_system(text)
    assert words in str(caught.value)


def test_a_simulated_margin_ranks_and_the_score_explains_beside_it():
    rng = np.random.default_rng(2)
    indicators = rng.uniform(1, 10, (20, 3))
    system = read_system(SYSTEM.format(method="vikor", pairs=GOOD))
    names = [f"c{k}" for k in range(20)]
    margin = rng.normal(size=20)
    index = target_index(names, indicators, margin, system)
    assert index.rank[np.argmax(margin)] == 1
    assert index.by_margin
    assert sorted(index.score_rank) == list(range(1, 21))
    assert (index.rank_low <= index.rank_high).all()
    assert index.contribution.sum(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert ":" in index.why(int(index.order()[0])) or "mean customer" in index.why(int(index.order()[0]))
    with pytest.raises(DataError, match="simulate them"):
        target_index(names, indicators, np.full(20, np.nan), system)
    with pytest.raises(DataError, match="shape"):
        target_index(names, indicators[:, :2], None, system)
