from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forecast.calendar import SUNDAY, WORKING, WorkCalendar, country_of, kind_of
from models.forecast.grid import PER_DAY, LocalTime, Quarters, index_of, instant_of, number_of


@settings(deadline=None)
@given(st.integers(0, 3_000_000))
def test_a_quarter_hour_s_number_and_start_belong_together(number: int) -> None:
    assert number_of(instant_of(number)) == number
    assert index_of(np.array([number]))[0] == instant_of(number)


@settings(deadline=None, max_examples=60)
@given(st.integers(1_500_000, 2_000_000), st.integers(1, 30))
def test_a_day_back_is_the_same_local_time_also_where_clocks_change(number: int, days: int) -> None:
    local = LocalTime("Europe/Berlin")
    here, back = np.array([number]), local.back(np.array([number]), days)
    assert abs(int((local.slot(here) - local.slot(back))[0])) in (
        0,
        4,
        92,
    )  # the hour that does not exist moves on by one
    assert int(local.day(here)[0] - local.day(back)[0]) in (days, days - 1)


def test_the_day_of_the_clock_change_looks_back_at_the_same_hour_on_the_clock() -> None:
    local = LocalTime("Europe/Berlin")
    noon = number_of(datetime(2026, 3, 29, 10, tzinfo=UTC))  # 12:00 summer time, the day before it was winter time
    assert instant_of(int(local.back(np.array([noon]), 1)[0])) == datetime(2026, 3, 28, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2015-02-19", SUNDAY),
        ("2015-02-15", WORKING),
        ("2015-10-10", WORKING),
        ("2015-10-05", SUNDAY),
        ("2015-07-15", WORKING),
    ],
)
def test_chinese_holidays_and_the_weekend_days_worked_for_them(day: str, kind: int) -> None:
    number = int(np.datetime64(day, "D").astype(int))
    assert kind_of(number, "CN") == kind
    assert country_of("Asia/Shanghai") == "CN"
    assert country_of("UTC") == ""


def test_special_days_are_those_on_which_the_calendar_differs_from_the_week() -> None:
    zone = "Asia/Shanghai"
    start = number_of(datetime(2015, 2, 14, 16, tzinfo=UTC))  # Sunday 15 February, worked
    numbers = np.arange(start, start + 2 * PER_DAY)
    special = WorkCalendar(zone, "CN").special(numbers)
    assert special[:PER_DAY].all()
    assert not special[PER_DAY:].any()


def test_a_table_answers_nothing_outside_itself_and_forgets_what_it_is_told_to() -> None:
    table = Quarters(("a_kw",), 100, np.arange(10.0)[None])
    assert np.isnan(table.at(np.array([99, 110]))).all()
    assert table.at(np.array([100, 109]))[0].tolist() == [0.0, 9.0]
    assert table.before(105).end == 105
    assert np.isnan(table.without(102, 104).at(np.array([102, 103]))).all()
