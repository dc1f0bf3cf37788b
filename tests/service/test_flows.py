"""The energy flow adds up at every node, whatever the meters say."""

from collections import defaultdict
from datetime import timedelta
from graphlib import TopologicalSorter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carriers import Carrier
from models.site.file import load_site
from service.history import History
from service.places import PARK
from service.views.flows import flow_now, flow_view

SITE = load_site(PARK)
HISTORY = History(SITE)
ENDS = ("difference", "conversion_losses", "ambient")


def sums(view):
    into, out = defaultdict(float), defaultdict(float)
    for flow in view.flows:
        into[flow.target] += flow.amount
        out[flow.source] += flow.amount
    return into, out


def random_powers(seed, scale=1000.0):
    rng = np.random.default_rng(seed)
    power = np.zeros((len(HISTORY.assets), len(HISTORY.carriers)))
    for i, asset in enumerate(SITE.assets):
        for carrier in asset.ports():
            if carrier in HISTORY.carriers and asset.kind != "meter":
                power[i, HISTORY.carriers.index(carrier)] = rng.normal(0, scale)
    return power


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_what_enters_a_carrier_or_a_converter_leaves_it(seed):
    view = flow_now(SITE, HISTORY, random_powers(seed))
    into, out = sums(view)
    inner = {n for n in set(into) & set(out) if not n.startswith(ENDS)}
    assert {n for n in inner if n.startswith("carrier:")}
    for node in inner:
        assert into[node] == pytest.approx(out[node], abs=1e-3), node
    assert all(flow.amount > 0 for flow in view.flows)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_balance_of_every_carrier_closes(seed):
    for b in flow_now(SITE, HISTORY, random_powers(seed)).balances:
        assert b.supplied + b.discharged == pytest.approx(b.used + b.charged + b.exported + b.difference, abs=1e-6)


def test_no_flow_runs_in_a_circle():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        fed, drawn = np.abs(random_powers(seed)), np.abs(random_powers(seed + 1)) * rng.random()
        view = flow_view(SITE, HISTORY, fed, drawn, "kWh")
        follows = defaultdict(set)
        for flow in view.flows:
            follows[flow.source].add(flow.target)
        TopologicalSorter(follows).prepare()  # raises CycleError when a node feeds itself


def test_a_running_park_loses_only_what_its_networks_lose(running):
    memory = running.memory
    power = memory.history.matrix(memory.snapshot.power_kw)
    balances = {b.carrier: b for b in flow_now(memory.site, memory.history, power).balances}
    assert balances[Carrier.ELECTRICITY].difference == pytest.approx(35.0)
    assert balances[Carrier.HEAT].difference == pytest.approx(120.0)
    assert balances[Carrier.GAS].difference == pytest.approx(0.0, abs=1e-6)


def test_a_period_is_the_sum_of_its_instants(running):
    history, now = running.memory.history, running.memory.snapshot.at
    whole = history.span(now - timedelta(hours=12), now)
    halves = [
        history.span(now - timedelta(hours=12), now - timedelta(hours=6)),
        history.span(now - timedelta(hours=6), now),
    ]
    for name in ("fed_kwh", "drawn_kwh"):
        parts = sum(getattr(h, name).sum(axis=0) for h in halves)
        np.testing.assert_allclose(getattr(whole, name).sum(axis=0), parts, rtol=1e-12)
