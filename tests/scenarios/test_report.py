"""The report of a day: what counts as a good day, what the table says, and that perfect foresight is a bound."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from models.actuals import Actuals
from models.forecast.naive import PerfectForecaster
from models.horizon import Horizon
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.day import local_day
from scenarios.planners import Optimizer
from scenarios.report import COMMON, FORESIGHT, PERFECT, DayReport, Row, foresight, row_of_plan
from scenarios.rollout import rolled_out
from scenarios.rules import Rule, RulePlanner
from scenarios.sites import park_path
from twin.state import start_snapshot

PARK = load_site(park_path())
DAY = date(2015, 4, 22)
CLOSED = {"electricity": 1e-12, "heat": 2e-12}


def row(operator, cost, **changes):
    plain = Row(operator, cost, {"energy": cost}, 3000.0, 4e4, 0.0, {}, imbalance_share=CLOSED, unaccounted=0)
    return replace(plain, **changes)


def report(*rows):
    return DayReport("park", "Demo park", "derived", "CNY", DAY, 1, rows)


def test_a_day_counts_when_books_close_and_every_write_is_accounted_for():
    assert report(row(PERFECT, 900.0), row(COMMON, 1000.0)).ok
    assert not report(row(PERFECT, 900.0, imbalance_share={"heat": 0.002})).ok
    assert not report(row(PERFECT, 900.0, unaccounted=1)).writes_accounted
    assert report(Row(FORESIGHT, 1.0, {}, 0.0, 0.0, 0.0, {})).ok  # a plan has no books and writes nothing


def test_savings_are_shares_of_the_other_operators_cost():
    made = report(row(PERFECT, 900.0), row(COMMON, 1000.0))
    assert made.saved_share(PERFECT, COMMON) == pytest.approx(0.1)
    with pytest.raises(KeyError):
        made.row("nobody")


def test_the_report_is_plain_json():
    text = json.dumps(report(row(PERFECT, 900.0), row(COMMON, 1000.0)).as_json())
    back = json.loads(text)
    assert back["day"] == "2015-04-22"
    assert back["verdict"] == {"balances_close": True, "writes_accounted": True, "ok": True}
    assert back["rows"][0]["operator"] == PERFECT


def test_perfect_foresight_is_cheaper_than_a_rule_that_sees_the_same():
    day = local_day(PARK, DAY)
    period = BillingPeriod(day.start + timedelta(hours=8), day.start + timedelta(hours=14))
    actuals, optimizer = Actuals(PARK, 5), Optimizer()
    try:
        bound = row_of_plan(PARK, foresight(PARK, actuals, period, optimizer), period)
    finally:
        optimizer.close()
    rule = RulePlanner(PARK, Rule())
    problem = _problem(actuals, period)
    followed = row_of_plan(PARK, rolled_out(problem, rule.station, rule.decide, source="rule"), period)
    assert bound.total_cost < followed.total_cost
    assert bound.unserved_kwh == pytest.approx(0.0, abs=1e-3)
    assert bound.plans == 1


def _problem(actuals, period):
    from models.dispatch import DispatchProblem

    horizon = Horizon.uniform(period.start, period.end)
    return DispatchProblem(
        PARK, horizon, PerfectForecaster(actuals).forecast(horizon), start_snapshot(PARK, period.start)
    )
