"""Key figures: small stories with round numbers, and laws that hold for any."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.lifecycle.lead import Channel, Lead, Stage
from customers.lifecycle.settlement import Settlement, SettlementLine
from customers.management.availability import Service, availability, weighted_share
from customers.management.funnel import History, funnel, won_by_channel
from customers.management.money import Owed, margin, receivables, worn_micro
from customers.management.risk import MOST, POINTS, Standing, risks

START = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = date(2026, 7, 1)
HOUR = timedelta(hours=1)


def history(*stages, channel=Channel.OWN, days=10):
    lead = Lead(party_id="p", title="x", channel=channel, stage=stages[-1], since=START, expected_micro=100)
    return History(lead, tuple((START + timedelta(days=days * i), s) for i, s in enumerate(stages)))


def test_four_leads_in_a_funnel():
    way = [Stage.LEAD, Stage.FOLLOW_UP, Stage.PROPOSAL, Stage.CONTRACT]
    leads = [history(*way), history(*way[:3], Stage.LOST), history(*way[:2]), history(Stage.LEAD)]
    found = {s.stage: s for s in funnel(leads, START + timedelta(days=30))}
    assert [found[s].reached for s in way] == [4, 3, 2, 1]
    assert found[Stage.FOLLOW_UP].share == 0.75
    assert [found[s].now for s in way] == [1, 1, 0, 1]
    assert found[Stage.FOLLOW_UP].median_days == 10
    assert found[Stage.LEAD].expected_micro == 100
    own = won_by_channel(leads)[list(Channel).index(Channel.OWN)]
    assert (own.leads, own.won, own.lost, own.win_share) == (4, 1, 1, 0.5)


def test_a_happy_customer_is_no_risk_and_each_reason_has_its_points():
    happy = Standing(party_id="a", name="A", until=date(2030, 1, 1), last_spoken=date(2026, 6, 1))
    angry = replace(
        happy,
        party_id="b",
        name="B",
        until=TODAY,
        overdue_micro=5_000_000,
        complaints=2,
        late_answers=3,
        last_spoken=None,
    )
    found = risks([happy, angry], TODAY)
    assert [(r.name, r.score) for r in found] == [("B", MOST), ("A", 0)]
    assert {r.name for r in found[0].reasons} == set(POINTS)
    assert sum(POINTS.values()) == MOST
    assert "5.00 are overdue" in [r.words for r in found[0].reasons]


def test_a_margin_is_what_is_left():
    line = SettlementLine(text="fee", amount_micro=1000)
    period = Settlement(
        start=TODAY, end=date(2026, 8, 1), lines=(line,), cost_micro=300, contract_id="c", amount_micro=1000,
        shares_micro={"v": 100, "us": 900}, invoice="i1", issued_at=START, due_on=TODAY,
    )  # fmt: skip
    found = margin("c", "roof", [period, period], work_micro=50, built_micro=250)
    assert (found.revenue_micro, found.partners_micro, found.served_micro) == (2000, 200, 600)
    assert (found.margin_micro, found.share) == (900, 0.45)
    assert worn_micro(3650, date(2026, 1, 1), date(2027, 1, 1), 10) == 100
    assert worn_micro(3650, date(2026, 1, 1), date(2027, 1, 1), 1000) == 3650


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**12), st.integers(-100, 200)), max_size=20))
def test_what_is_owed_is_the_same_by_age_and_by_party(rows):
    owed = [Owed(party, left, TODAY - timedelta(days=late)) for party, left, late in rows]
    found = receivables(owed, 365_000_000, 365, TODAY)
    assert found.total_micro == sum(o.left_micro for o in owed)
    assert sum(found.by_age_micro.values()) == sum(found.by_party_micro.values()) == found.total_micro
    assert found.days_of_revenue == pytest.approx(found.total_micro / 1_000_000)


def test_an_invoice_grows_older():
    ages = {0: "not_due", 1: "days_1_30", 31: "days_31_60", 90: "days_61_90", 91: "days_over_90"}
    for late, name in ages.items():
        found = receivables([Owed("a", 7, TODAY - timedelta(days=late))], 0, 365, TODAY)
        assert found.by_age_micro[name] == 7
        assert found.days_of_revenue is None


def service(*outages, power_kw=1.0):
    told = tuple((START + a * HOUR, None if b is None else START + b * HOUR) for a, b in outages)
    return Service("x", "x", power_kw, START, START + 100 * HOUR, told)


def test_hours_in_two_outages_count_once_and_a_lasting_one_until_now():
    found = availability(service((0, 10), (5, 20), (90, None)))
    assert (found.down_h, found.outages, found.share) == (30, 3, 0.7)
    assert availability(service((-10, 0), (100, 110))).share == 1.0
    assert weighted_share([service((0, 50), power_kw=3), service()]) == pytest.approx((3 * 0.5 + 1) / 4)
    assert weighted_share([]) is None


@given(st.lists(st.tuples(st.integers(-20, 120), st.integers(1, 60)), max_size=8))
def test_availability_is_what_counting_hours_gives(outages):
    spans = [(a, a + d) for a, d in outages]
    down = sum(any(a <= h < b for a, b in spans) for h in range(100))
    assert availability(service(*spans)).share == pytest.approx(1 - down / 100)
