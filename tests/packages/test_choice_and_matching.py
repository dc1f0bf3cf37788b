from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from customers.catalogue.offers import ProviderOffer
from customers.matching.match import Need, gain_of, match
from customers.recommend.offline import compare, made_market, observed
from customers.recommend.ranking import CRITERIA, USUAL_WEIGHTS, Evidence, recommend
from models.errors import ProblemError
from optimizers.packages import Columns, choose, worth_keeping
from optimizers.packing import NOBODY

ON = date(2026, 1, 1)


def small(seed, customers=4, each=3, resources=2):
    rng = np.random.default_rng(seed)
    count = customers * each
    uses = rng.integers(0, 6, (resources, count)).astype(float)
    return Columns(
        np.repeat(np.arange(customers), each),
        rng.integers(-2, 20, count).astype(float),
        sparse.csr_array(uses),
        np.full(resources, 9.0),
    )


def best_by_hand(c):
    groups = [[NOBODY, *np.flatnonzero(c.owner == k).tolist()] for k in range(c.customers)]
    best = 0.0
    for pick in product(*groups):
        chosen = np.array([k for k in pick if k != NOBODY], dtype=np.int64)
        if (c.taken(chosen) <= c.room + 1e-9).all():
            best = max(best, float(c.value[chosen].sum()))
    return best


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_the_choice_is_as_good_as_trying_everything(seed):
    c = small(seed)
    found = choose(c, gap_share=0.0)
    assert found.value == pytest.approx(best_by_hand(c), abs=1e-6)
    assert found.bound >= found.value - 1e-6
    taken = found.column[found.column != NOBODY]
    assert (c.owner[taken] == np.flatnonzero(found.column != NOBODY)).all()
    assert (c.taken(taken) <= c.room + 1e-6).all()


def test_columns_that_another_beats_are_left_out_and_columns_that_do_not_fit():
    uses = sparse.csr_array(np.array([[1.0, 2.0, 99.0, 1.0]]))
    c = Columns(np.array([0, 0, 0, 1]), np.array([5.0, 5.0, 50.0, -1.0]), uses, np.array([10.0]))
    assert worth_keeping(c).tolist() == [True, False, False, False]


def test_what_does_not_fit_together_is_told_at_once():
    c = Columns(np.array([0]), np.array([np.nan]), sparse.csr_array(np.array([[-1.0]])), np.array([1.0, 2.0]))
    with pytest.raises(ProblemError) as fault:
        choose(c)
    assert len(fault.value.findings) == 3


def offer(provider, module="pv", factor=1.0, capacity=100.0, rating=1.0):
    return ProviderOffer(provider, module, factor, capacity, date(2027, 1, 1), 1.0, rating)


@given(st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_a_matching_keeps_every_limit_and_is_never_worse_than_first_come(seed):
    rng = np.random.default_rng(seed)
    needs = [
        Need(f"c{k}", "pv", float(rng.integers(5, 60)), float(rng.integers(10, 100)), 20.0, bus=f"b{k % 2}")
        for k in range(14)
    ]
    offers = [
        offer(f"p{k}", factor=float(rng.uniform(0.7, 1.6)), capacity=float(rng.integers(40, 150))) for k in range(4)
    ]
    found = match(needs, offers, ON, {"b0": 120.0, "b1": 90.0})
    assert found.gain >= found.greedy_gain - 1e-6
    assert found.gain <= found.bound + 1e-6
    for o in offers:
        assert sum(m.need.size for m in found.matches if m.offer is o) <= o.capacity + 1e-6
    for bus, room in (("b0", 120.0), ("b1", 90.0)):
        assert sum(m.need.size for m in found.matches if m.need.bus == bus) <= room + 1e-6
    assert len(found.matches) + len(found.left) == len(needs)
    assert sum(found.shares.values()) == pytest.approx(1.0 if found.matches else 0.0)


def test_every_need_is_told_why_it_has_its_provider_or_none():
    needs = [
        Need("a", "pv", 50, 100.0, 40.0),
        Need("b", "chp", 10, 100.0, 40.0),
        Need("c", "pv", 500, 100.0, 40.0),
        Need("d", "pv", 10, 1.0, 400.0),
    ]
    found = match(needs, [offer("Sun Ltd", factor=1.5)], ON)
    assert [m.need.customer for m in found.matches] == ["a"]
    assert "Sun Ltd" in found.matches[0].sentence
    assert found.left == {
        "b/chp": "no provider offers this module",
        "c/pv": "no provider can build 500 of it",
        "d/pv": "at every provider's price it would lose money",
    }


def test_providers_of_like_terms_get_like_shares():
    needs = [Need(f"c{k}", "pv", 10, 100.0, 40.0) for k in range(10)]
    found = match(needs, [offer("first", factor=1.0), offer("second", factor=1.0)], ON)
    assert min(found.shares.values()) > 0.35
    assert found.gain >= 0.99 * found.bound
    assert gain_of(needs[0], offer("x", rating=1.0)) >= gain_of(needs[0], offer("x", rating=0.0))


def market(taste_share, customers=300):
    rng = np.random.default_rng(7)
    kinds = rng.integers(0, 4, customers)
    features = rng.standard_normal((customers, 4))
    money = rng.standard_normal((4, 20))[kinds] + 0.5 * rng.standard_normal((customers, 20))
    return made_market(money, features, [(f"kind={k}",) for k in kinds.tolist()], taste_share, seed=2)


def test_money_and_taste_together_beat_what_is_popular_and_what_is_alike():
    m = market(0.5)
    found = {j.method: j for j in compare(m, observed(m, 0.3))}
    for other in ("popularity", "cosine", "money"):
        assert found["hybrid"].recall > found[other].recall
        assert found["hybrid"].regret <= found[other].regret + 0.02


def test_where_nothing_was_taken_money_leads_and_every_share_is_told():
    m = market(0.5, 20)
    seen = np.zeros(m.money.shape, dtype=bool)
    made = recommend(Evidence(m.money, seen, m.features, m.attributes))
    assert not made.learnt
    assert dict(made.weights) == dict(USUAL_WEIGHTS)
    best = made.best(3)
    assert best[0].package == int(m.money[3].argmax())
    assert set(best[0].shares) == set(CRITERIA)
    assert sum(best[0].shares.values()) == pytest.approx(1.0)
    assert [b.score for b in best] == sorted((b.score for b in best), reverse=True)


def test_what_was_taken_is_not_recommended_again():
    m = market(0.3, 60)
    seen = observed(m, 0.5)
    made = recommend(Evidence(m.money, seen, m.features, m.attributes))
    assert made.learnt
    assert sum(made.weights.values()) == pytest.approx(1.0)
    for c in range(60):
        assert not any(seen[c, b.package] for b in made.best(c))
