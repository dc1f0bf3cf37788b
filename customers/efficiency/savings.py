"""Savings measured and verified on the whole meter: a baseline of the time before, what it expects since, and how sure the difference is.

Whole-facility method (IPMVP option C). Two baselines: change-point lines of days, for masses of customers at once, and the time of the week
with the temperature by hours, for one customer. The interval counts what one year of data shows (unexplained days, coefficients) and what
it cannot show (whole years differ), which is taken from other customers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.efficiency.time_of_week import fit_time_of_week, hourly
from customers.features.days import DayData, days_of
from customers.features.weather_response import daily_mean, weather_response
from customers.intervals.series import MeterTable
from models.errors import DataError
from models.findings import Finding, error

Array = npt.NDArray[np.float64]
Airs = npt.NDArray[np.floating]
FEWEST_BASE_DAYS, FEWEST_SINCE_DAYS = 270, 28
LEAST_COVERAGE = 0.9
BETWEEN_SHARE = 0.057
"""Standard deviation of a customer's load level from year to year where no other customers tell it; a judgement."""
FEWEST_OTHERS = 10
NORMAL_90 = 1.645
WEEK = 7


@dataclass(frozen=True, slots=True)
class YearEffect:
    """What whole years do to load that no measure was taken at: mean and standard deviation, as share of what was expected."""

    mean_share: float = 0.0
    spread_share: float = BETWEEN_SHARE
    customers: int = 0
    """Customers it was learned from; 0 for a judgement."""


@dataclass(frozen=True, slots=True, eq=False)
class Savings:
    """Energy saved since a measure, per customer, all in kWh over the days since; the interval is to hold the truth in 90 of 100 cases."""

    customers: tuple[str, ...]
    expected_kwh: Array
    actual_kwh: Array
    spread_kwh: Array
    """Standard deviation of the saving."""
    noise_kwh: Array
    model_kwh: Array
    years_kwh: Array
    days: int

    @property
    def saved_kwh(self) -> Array:
        """What was expected less what was drawn."""
        return self.expected_kwh - self.actual_kwh

    @property
    def low_kwh(self) -> Array:
        """Lower end of the 90 % interval."""
        return self.saved_kwh - NORMAL_90 * self.spread_kwh

    @property
    def high_kwh(self) -> Array:
        """Upper end of the 90 % interval."""
        return self.saved_kwh + NORMAL_90 * self.spread_kwh

    def words(self, row: int) -> str:
        """Return one customer's saving in a sentence, with what makes it unsure."""
        share = self.saved_kwh[row] / max(self.expected_kwh[row], 1e-9)
        parts = {
            "days that differ": self.noise_kwh,
            "the baseline": self.model_kwh,
            "years that differ": self.years_kwh,
        }
        most = max(parts, key=lambda name: float(parts[name][row]))
        sure = "proven" if self.low_kwh[row] > 0 else "not told from zero"
        interval = f"{self.low_kwh[row]:,.0f} to {self.high_kwh[row]:,.0f} kWh with 90 %"
        return f"{self.saved_kwh[row]:,.0f} kWh ({share:.1%}) over {self.days} days, {interval}: {sure}; least sure because of {most}"


def between_years(before: MeterTable, since: MeterTable, air_before: Airs, air_since: Airs) -> YearEffect:
    """Return what whole years do, from customers at whom no measure was taken.

    Raises
    ------
    DataError
        If there are fewer than ten of them; a standard deviation from fewer is guesswork.
    """
    if len(before.customers) < FEWEST_OTHERS:
        text = f"{len(before.customers)} customers to compare with; {FEWEST_OTHERS} at least, or take the default"
        raise DataError([error("others", text)])
    found = savings(before, since, air_before, air_since, YearEffect(0.0, 0.0))
    share = -found.saved_kwh / found.expected_kwh
    inside = found.noise_kwh**2 + found.model_kwh**2
    own = share.var(ddof=1) - float(np.median(inside / found.expected_kwh**2))
    widened = 1.0 + 1.0 / len(share)  # the mean is an estimate too
    return YearEffect(float(share.mean()), float(np.sqrt(max(own, 0.0) * widened)), len(share))


def savings(
    before: MeterTable,
    since: MeterTable,
    air_before: Airs,
    air_since: Airs,
    years: YearEffect = YearEffect(),
) -> Savings:
    """Return what customers saved since a measure, by change-point lines of their days before it.

    Temperatures are outdoor, one per interval. Days without a figure since the measure count on neither side.

    Raises
    ------
    DataError
        If customers differ, or there are too few days before or since.
    """
    if findings := _unfit(before, since, air_before, air_since):
        raise DataError(findings)
    base, now = days_of(before), days_of(since)
    line = weather_response(base.daily_kw, daily_mean(air_before, base.clock), base.clock.kind)
    air, there = daily_mean(air_since, now.clock), np.isfinite(now.daily_kw)
    expected = line.expected_kw(air, now.clock.kind)
    level = 1.0 + years.mean_share
    expected_kwh = 24.0 * np.where(there, expected, 0.0).sum(axis=1) * level
    actual_kwh = 24.0 * np.where(there, now.daily_kw, 0.0).sum(axis=1, dtype=np.float64)
    spread_kw = long_run_spread(line.left_kw)
    noise = 24.0 * spread_kw * np.sqrt(there.sum(axis=1))
    model = np.sqrt(line.unsure_kwh2(air, now.clock.kind, spread_kw))
    return _savings(before.customers, expected_kwh, actual_kwh, (noise, model), years, now)


def hourly_savings(
    before: MeterTable,
    since: MeterTable,
    customer: str,
    air_before: Airs,
    air_since: Airs,
    years: YearEffect = YearEffect(),
) -> Savings:
    """Return what one customer saved, by the time of the week and the temperature of its hours before the measure.

    Raises
    ------
    DataError
        As ``savings``.
    """
    one, now = before.select([customer]), since.select([customer])
    if findings := _unfit(one, now, air_before, air_since):
        raise DataError(findings)
    model = fit_time_of_week(hourly(one, air_before))
    hours = hourly(now, air_since)
    there = np.isfinite(hours.power_kw)
    expected = model.expected_kw(hours)
    base_days = _by_day(model.left_kw, model.day)
    spread_kw = long_run_spread(base_days[None])
    noise = 24.0 * spread_kw * np.sqrt(there.sum() / 24.0)
    line = np.array([model.unsure_kwh(hours, float(spread_kw[0]))])
    level = 1.0 + years.mean_share
    kwh = (np.array([expected[there].sum() * level]), np.array([hours.power_kw[there].sum()]))
    return _savings((customer,), *kwh, (noise, line), years, days_of(now))


def _savings(
    customers: Sequence[str],
    expected: Array,
    actual: Array,
    parts: tuple[Array, Array],
    years: YearEffect,
    now: DayData,
) -> Savings:
    between = years.spread_share * np.abs(expected)
    spread = np.sqrt(parts[0] ** 2 + parts[1] ** 2 + between**2)
    return Savings(tuple(customers), expected, actual, spread, *parts, between, now.clock.days)


def long_run_spread(left_kw: Array) -> Array:
    """Return the standard deviation of a day as it adds up over many days that are alike within weeks; shape (customer,).

    From the sums of weeks and the correlation of each with the next, so that spells of weather and habits count.
    """
    weeks = left_kw.shape[1] // WEEK
    sums = left_kw[:, : weeks * WEEK].reshape(len(left_kw), weeks, WEEK).sum(axis=2)
    sums = sums - sums.mean(axis=1, keepdims=True)
    variance = (sums**2).sum(axis=1) / max(weeks - 1, 1)
    next_week = (sums[:, 1:] * sums[:, :-1]).sum(axis=1) / np.maximum((sums**2).sum(axis=1), 1e-30)
    return np.asarray(np.sqrt(variance / WEEK * (1.0 + 2.0 * np.clip(next_week, 0.0, 0.9))))


def _by_day(values: Array, day: npt.NDArray[np.int64]) -> Array:
    """Return the mean of every day's hours, those without a figure left out."""
    good = np.isfinite(values)
    total = np.bincount(day[good], weights=values[good], minlength=int(day[-1]) + 1)
    return np.asarray(total / np.maximum(np.bincount(day[good], minlength=int(day[-1]) + 1), 1))


def _unfit(before: MeterTable, since: MeterTable, air_before: Airs, air_since: Airs) -> list[Finding]:
    """Return everything that keeps two periods from being compared."""
    found = []
    if before.customers != since.customers:
        found.append(error("since", "has other customers, or another order, than the time before"))
    for name, table, air, fewest in (
        ("before", before, air_before, FEWEST_BASE_DAYS),
        ("since", since, air_since, FEWEST_SINCE_DAYS),
    ):
        days = table.intervals.count / table.per_day
        if days < fewest:
            found.append(error(name, f"holds {days:.0f} days; {fewest} at least, so that seasons are seen", value=days))
        if len(air) != table.intervals.count:
            found.append(error(name, f"has {len(air)} temperatures for {table.intervals.count} intervals"))
        little = np.flatnonzero(table.coverage_share() < LEAST_COVERAGE)
        if name == "before":
            text = f"fewer than {LEAST_COVERAGE:.0%} of the baseline's intervals have a figure; estimate them or leave the customer out"
            found += [error(before.customers[k], text, before.customers[k]) for k in little]
    return found
