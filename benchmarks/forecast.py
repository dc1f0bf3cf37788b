"""Forecasts: how fast, how good against yesterday and last week, and whether bands and joint futures hold what they promise."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

if TYPE_CHECKING:
    from models.forecast.own import OwnForecaster
    from models.forecast.training import Trained

PACKAGES = ("scikit-learn", "numpy", "pvlib", "holidays")
HELD_OUT = ((1, 19), (4, 20), (7, 20), (10, 19))
"""First days (month, day) of the weeks that training never sees."""
WEEK = timedelta(days=7)
ORIGIN_EVERY = timedelta(hours=3)
COVERAGE = (75.0, 85.0)


@cache
def trained() -> "tuple[OwnForecaster, Trained, float]":
    """Return the park's forecaster that has seen none of the weeks held out, what it learned, and the seconds that took."""
    from models.actuals import Actuals
    from models.forecast.grid import number_of, read_quarters
    from models.forecast.own import OwnForecaster
    from models.forecast.training import Trainer
    from models.site.file import load_site
    from scenarios.learning import emulated_weather, profile_year
    from service.places import PARK

    site = load_site(PARK)
    actuals, weather = Actuals(site, 1), emulated_weather(site, 1)
    table = read_quarters(actuals, *profile_year(site))
    for start in (first_of(*week) for week in HELD_OUT):
        table = table.without(number_of(start), number_of(start + WEEK))
    began = time.perf_counter()
    learned = Trainer(site, table, weather).train()
    return OwnForecaster(site, actuals, learned, weather), learned, time.perf_counter() - began


def first_of(month: int, day: int) -> datetime:
    """Return the start of a local day of the park's year."""
    return datetime(2015, month, day, tzinfo=UTC) - timedelta(hours=8)


@case("forecast", "speed", packages=PACKAGES)
def speed(bench: Bench) -> Iterator[Row]:
    """Give the seconds of a training on one year, of a warm forecast of the whole park, and of a thousand customers."""
    from models.horizon import Horizon

    forecaster, _, seconds = trained()
    yield bench.figure(seconds, "s", target=value_at_most(60.0), phase="retraining all series on one year")
    start = first_of(*HELD_OUT[2])
    horizon = Horizon.uniform(start, start + timedelta(days=1))
    forecaster.forecast(horizon)
    yield bench.time(
        lambda: forecaster.bands(horizon), unit="s", target=value_at_most(1.0), phase="all park series, 24 h, warm"
    )
    later = iter(range(1, 1000))

    def moved() -> None:
        at = start + next(later) * ORIGIN_EVERY
        forecaster.bands(Horizon.uniform(at, at + timedelta(days=1)))

    yield bench.time(
        moved, unit="s", target=value_at_most(1.0), phase="all park series, 24 h, new origin three hours on"
    )
    yield bench.figure(
        thousand_customers(200 if bench.quick else 1000), "s", target=value_at_most(10.0), phase="1000 customers, 24 h"
    )


def thousand_customers(count: int) -> float:
    """Return the seconds for a day ahead of many customers, each the park's own series with a size and a noise of its own."""
    from dataclasses import replace

    from models.forecast.backtest import pairs, pick
    from models.forecast.candidates import Learned, answers
    from models.forecast.features import features
    from models.forecast.grid import Quarters, number_of, read_quarters
    from models.forecast.training import world_of

    forecaster, found, _ = trained()
    now = number_of(first_of(*HELD_OUT[2]))
    own = read_quarters(forecaster.history, now - 35 * 96, now)
    rng = np.random.default_rng(0)
    loads = [k for k, n in enumerate(own.names) if n.startswith(("electricity", "heat"))]
    of = rng.choice(loads, count)
    air = own.names.index("air_degc")
    size = rng.uniform(0.2, 5.0, (count, 1)) * rng.normal(1.0, 0.05, (count, own.values.shape[1]))
    values = np.concatenate([own.values[of] * size, own.values[[air]]])
    names = (*(f"{own.names[k]}_{i}" for i, k in enumerate(of)), "air_degc")
    learned = found.learned
    assert learned is not None
    rows = [*of, air]
    many = Learned(
        np.nanmean(np.abs(values), axis=1), learned.weights[rows], [learned.classes[k] for k in rows], learned.boosted
    )
    table = Quarters(names, own.first, values)
    began = time.perf_counter()
    world = replace(world_of(forecaster.site, table, forecaster.service, found.country), air="air_degc")
    issued, target = pairs(np.array([now]), 1)
    ahead = pick(answers(features(table, world, issued, target), names, many), [found.chosen[k] for k in rows])
    assert np.isfinite(ahead).all()
    return time.perf_counter() - began


@case("forecast", "truth", packages=PACKAGES)
def truth(bench: Bench) -> Iterator[Row]:
    """Give coverage of the 80 % bands and skill on weeks that training never saw, by group of series, and what joint futures keep."""
    weeks = HELD_OUT[:1] if bench.quick else HELD_OUT
    _, found, _ = trained()
    best = np.nanmin([found.test.error[b] for b in ("last value", "yesterday", "last week")], axis=0)
    worse = int((found.test.chosen_error > best * (1 + 1e-9)).sum())
    yield bench.figure(worse, "series worse than their best baseline on the back-test", target=value_at_most(0.0))
    seen = [judged(first_of(*week)) for week in weeks]
    groups = np.array([n.split("_")[0] for n in found.names])
    for group in dict.fromkeys(groups):
        rows = groups == group
        inside = np.concatenate([s.inside[rows].ravel() for s in seen])
        cover = 100.0 * float(np.nanmean(inside))
        low, high = COVERAGE
        yield bench.figure(cover, "% inside", target=value_at_least(low), phase=f"80 % band, {group}, at least")
        yield bench.figure(cover, "% inside", target=value_at_most(high), phase=f"80 % band, {group}, at most")
    skill = 1.0 - sum(s.off for s in seen) / np.maximum(sum(s.naive for s in seen), 1e-12)
    for group in dict.fromkeys(groups):
        own = skill[groups == group]
        phase = f"skill, {group} (least of its {len(own)} series {100.0 * own.min():.0f})"
        yield bench.figure(100.0 * float(own.mean()), "% less error than the seasonal naive", phase=phase)
    yield bench.figure(
        int((skill <= 0.005).sum()), f"of {len(skill)} series", phase="without skill on the weeks held out"
    )
    yield from _joint(bench)


@dataclass(frozen=True, slots=True)
class Judged:
    """A week held out, forecast from an origin every three hours; NaN where a band says for sure what came, as of the sun at night.

    ``inside`` has shape (series, pair), ``off`` and ``naive`` are absolute errors by series, those of the better of yesterday and last week.
    """

    inside: "np.ndarray"
    off: "np.ndarray"
    naive: "np.ndarray"


def judged(start: datetime) -> Judged:
    """Return how a week went."""
    from models.forecast.grid import covered
    from models.horizon import Horizon

    forecaster, _, _ = trained()
    inside, off, naive = [], [], []
    for k in range(WEEK // ORIGIN_EVERY):
        horizon = Horizon.uniform(start + k * ORIGIN_EVERY, start + k * ORIGIN_EVERY + timedelta(days=1))
        bands = forecaster.bands(horizon)
        came = forecaster.history.means(horizon).transpose("series", "time").to_numpy()
        low, _, high = np.moveaxis(bands.values.to_numpy(), 2, 0)
        hit = ((came >= low - 1e-9) & (came <= high + 1e-9)).astype(float)
        inside.append(np.where((high - low < 1e-9) & (hit > 0), np.nan, hit))
        off.append(np.abs(bands.forecast.values.to_numpy() - came).mean(axis=1))
        before = (_shifted(forecaster, covered(horizon), days) for days in (1, 7))
        naive.append([np.abs(b - came).mean(axis=1) for b in before])
    return Judged(np.concatenate(inside, axis=1), np.mean(off, axis=0), np.mean(naive, axis=0).min(axis=0))


def _shifted(forecaster: "OwnForecaster", numbers: "np.ndarray", days: int) -> "np.ndarray":
    """Return what every series was some days before."""
    from models.forecast.grid import instant_of
    from models.horizon import QUARTER, Horizon

    first = instant_of(int(numbers[0]) - 96 * days)
    earlier = Horizon.uniform(first, first + len(numbers) * QUARTER)
    return np.asarray(forecaster.history.means(earlier).transpose("series", "time").to_numpy())


def _joint(bench: Bench) -> Iterator[Row]:
    """Give how far a scenario set is from the quantiles of the forecast and from the correlations of past errors."""
    from models.forecast.grid import covered
    from models.forecast.own import step_means
    from models.forecast.scenarios import reduced, shuffled
    from models.forecast.training import LEVELS
    from models.horizon import Horizon

    forecaster, found, _ = trained()
    start = first_of(*HELD_OUT[0])
    horizon = Horizon.quarters_then_hours(start)
    bands = forecaster.bands(horizon, levels=LEVELS)
    paths = forecaster.past_paths(horizon)
    errors = np.array([step_means(horizon, covered(horizon), p) for p in paths])
    values = shuffled(bands, errors)
    size = np.maximum(np.abs(bands.forecast.values.to_numpy()).mean(axis=1, keepdims=True), 1e-9)
    asked = bands.values.sel(quantile=0.9).to_numpy()
    off = np.abs(np.quantile(values, 0.9, axis=0) - asked) / size
    yield bench.figure(
        100.0 * float(np.median(off)), "% of the mean, median", phase="joint futures, 90 % quantile off by"
    )
    rows = [k for k, n in enumerate(found.names) if n.startswith("heat")]
    theirs, ours = (np.corrcoef(v[:, rows].mean(axis=2).T) for v in (errors, values))
    yield bench.figure(
        float(np.abs(theirs - ours).mean()), "mean difference", phase="joint futures, correlation across heat"
    )
    members, probability = reduced(values, 10, 0)
    mean = np.einsum("p,psk->sk", probability, values[members])
    lost = np.abs(mean - values.mean(axis=0)) / size
    yield bench.figure(100.0 * float(np.median(lost)), "% of the mean, median", phase="ten futures, mean off by")
