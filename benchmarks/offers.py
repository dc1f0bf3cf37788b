"""Offers: how long sixty price paths take, and what the curve is worth against knowing the price, self-scheduling and hour-by-hour curves.

Prices are made up unless JOULETWIN_PRICES names a CSV file (``time``, ``price_per_mwh``) that covers the demo park's year.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

if TYPE_CHECKING:
    from market.prices import PriceHistory
    from models.dispatch import Plan
    from models.site import Site
    from optimizers.dispatch import Dispatcher
    from scenarios.offering import TradingDays

Floats = npt.NDArray[np.float64]
PACKAGES = ("highspy", "numpy")
FEE_PER_KWH = 0.15
PATHS, STEPS = 60, 20
DELTAS = (0.05, 0.15, 0.4)
REGRET_LIMITS = {0.05: 0.75, 0.15: 0.75, 0.4: 0.78}
SEASONS = (date(2015, 1, 12), date(2015, 4, 13), date(2015, 7, 13), date(2015, 10, 12))
SEASON_DAYS = 11


def _park() -> "Site":
    from models.site.file import load_site
    from scenarios.sites import park_path

    return load_site(park_path())


def _prices(site: "Site") -> "PriceHistory":
    from market.prices import emulated_prices, read_prices

    told = os.environ.get("JOULETWIN_PRICES")
    return read_prices(Path(told), site.location.time_zone) if told else emulated_prices(date(2014, 8, 1), 500, 1)


def trading_days() -> "TradingDays":
    """Return the demo park at its market by the hour."""
    from scenarios.offering import TradingDays

    site = _park()
    return TradingDays(site, _prices(site), seed=1, fee_per_kwh=FEE_PER_KWH)


@case("market", "offers of an uncongested hourly day", size=PATHS, quick_size=6, packages=PACKAGES)
def hourly_day(bench: Bench) -> Iterator[Row]:
    """Time paths to curves on a compiled day: one optimum per path, then curves of at most twenty steps."""
    from optimizers.dispatch import Dispatcher
    from optimizers.offers.build import OfferSettings, offers_of
    from optimizers.offers.day import MarketDay

    days, dispatcher = trading_days(), Dispatcher()
    try:
        day = MarketDay(days.expected(SEASONS[2]), FEE_PER_KWH, dispatcher)
        paths = days.paths(SEASONS[2], bench.size)
        settings = OfferSettings(steps=STEPS)
        offers = offers_of(day, paths, day.optima(paths), settings)  # compiled, loaded, both processes up
        assert max(len(c.steps) for c in offers.curves) <= STEPS
        yield bench.time(
            lambda: offers_of(day, paths, day.optima(paths), settings),
            unit="s",
            target=value_at_most(0.2),
            phase=f"offers, hourly day, {bench.size} paths, {STEPS} steps",
        )
        optima = day.optima(paths)
        yield bench.time(lambda: offers_of(day, paths, optima, settings), phase="offers, curves and profiles alone")
        yield bench.time(
            lambda: MarketDay(days.expected(SEASONS[2]), FEE_PER_KWH, dispatcher), phase="offers, the day as numbers"
        )
    finally:
        dispatcher.close()


@case("market", "worth of offers", size=SEASON_DAYS, quick_size=1, packages=PACKAGES)
def worth(bench: Bench) -> Iterator[Row]:
    """Clear each day's offers at the prices that came, meet the position as well as the day allows, and count what it cost."""
    from optimizers.dispatch import Dispatcher
    from scenarios.offering import Deviations, positions, regrets

    days, dispatcher = trading_days(), Dispatcher()
    chosen = [first + timedelta(days=k) for first in SEASONS for k in range(bench.size)]
    try:
        found: dict[tuple[float, str], list[float]] = {}
        for day in chosen:
            made = positions(days, day, dispatcher, count=PATHS, steps=STEPS)
            made["whole curve"] = positions(days, day, dispatcher, count=PATHS, steps=PATHS)["curve"]
            made["hour by hour"] = hour_by_hour(days, day, dispatcher)
            for delta in DELTAS:
                for name, regret in regrets(days, day, made, Deviations(delta, delta), dispatcher).items():
                    found.setdefault((delta, name), []).append(regret)
        mean = {key: float(np.mean(values)) for key, values in found.items()}
        yield from _regret_rows(bench, mean)
        yield from _margin_rows(bench, days, chosen, dispatcher)
    finally:
        dispatcher.close()


def _regret_rows(bench: Bench, mean: dict[tuple[float, str], float]) -> Iterator[Row]:
    for delta in DELTAS:
        schedule, curve, known = (mean[delta, n] for n in ("schedule", "curve", "known price"))
        words = f"deviations at {1000 * delta:g} CNY/MWh"
        limit = value_at_most(REGRET_LIMITS[delta])
        yield bench.figure(curve, "CNY/day", phase=f"regret of the curve, {words}")
        yield bench.figure(
            curve / schedule, "of self-schedule", target=limit, phase=f"regret of the curve, {words}, share"
        )
        gain = (schedule - curve) / (schedule - known)
        target = value_at_least(0.85) if delta == 0.15 else None
        yield bench.figure(
            gain, "share", target=target, phase=f"gain of knowing the price that the curve keeps, {words}"
        )
        trap = mean[delta, "hour by hour"] / schedule
        yield bench.figure(
            trap, "of self-schedule", target=value_at_least(1.0), phase=f"trap: hour-by-hour curve, {words}"
        )
        steps = curve / mean[delta, "whole curve"] - 1.0
        yield bench.figure(steps, "share", target=value_at_most(0.02), phase=f"twenty steps beside all, {words}")


def _margin_rows(bench: Bench, days: "TradingDays", chosen: list[date], dispatcher: "Dispatcher") -> Iterator[Row]:
    """Compare the curve with and without the newsvendor's margin where being short costs six times being long."""
    from scenarios.offering import Deviations, positions, regrets

    uneven, found = Deviations(0.3, 0.05), list[tuple[float, float]]()
    for day in chosen:
        plain = positions(days, day, dispatcher, count=PATHS, steps=STEPS)["curve"]
        margin = days.margin_kwh(day, uneven)
        both = regrets(days, day, {"plain": plain, "margin": plain + margin}, uneven, dispatcher)
        found.append((both["plain"], both["margin"]))
    plain_mean, margin_mean = np.mean(found, axis=0)
    yield bench.figure(
        float(margin_mean / plain_mean),
        "of no margin",
        target=value_at_most(0.7),
        phase="newsvendor's margin, short 300, long 50 CNY/MWh",
    )


def hour_by_hour(days: "TradingDays", day: date, dispatcher: "Dispatcher", levels: int = 11) -> Floats:
    """Return the position of curves that are made hour by hour with all other hours at their expectation: the trap.

    Every hour then claims the same battery.
    """
    from optimizers.offers.curves import curves_of
    from optimizers.offers.day import MarketDay
    from optimizers.offers.paths import PricePaths

    market, paths, came = (
        MarketDay(days.expected(day), days.fee_per_kwh, dispatcher),
        days.paths(day, PATHS),
        days.came(day),
    )
    steps = len(paths.expected_per_kwh)
    quantiles = np.quantile(paths.energy_per_kwh, np.linspace(0, 1, levels), axis=0)
    moved = np.tile(paths.expected_per_kwh, (steps, levels, 1))
    every = np.arange(steps)
    moved[every, :, every] = quantiles.T
    optima = market.optima(PricePaths(moved.reshape(-1, steps), paths.expected_per_kwh))
    fed = -optima.bought_kwh.reshape(steps, levels, steps)[every, :, every].T
    nothing = np.zeros_like(fed)
    curves = curves_of(market.problem.horizon, quantiles, fed, (nothing, nothing))
    prices = np.rint(came * 1e9).astype(np.int64).tolist()
    return np.array([-c.at(p).quantity_wh / 1e3 for c, p in zip(curves, prices, strict=True)])


@case("market", "offers of congested days", size=20, quick_size=2, packages=(*PACKAGES, "pandapower"))
def congested_days(bench: Bench) -> Iterator[Row]:
    """Prove the offers of the demo site's congested days, 96 steps: violations before and after, seconds, mixtures of paths."""
    from benchmarks.demo_site import FOLDER
    from optimizers.dispatch import Dispatcher

    if not FOLDER.is_dir():
        return
    for name in ["pv10"] if bench.quick else ["overload", "pv10", "ev"]:
        dispatcher = Dispatcher()
        try:
            yield from _congested(bench, name, dispatcher)
        finally:
            dispatcher.close()


def _congested(bench: Bench, name: str, dispatcher: "Dispatcher") -> Iterator[Row]:
    """Measure one day; the prices of the day called pv10 lie 450 CNY/MWh lower, so that many of them are negative."""
    from benchmarks.demo_site import congested
    from market.prices import on_horizon
    from optimizers.offers.day import MarketDay
    from optimizers.offers.paths import PricePaths
    from scenarios.offer_proof import OfferProver
    from twin.secure import GridCheck

    problem, network = congested(name)
    check, lower = GridCheck(problem.site, network), 0.45 if name == "pv10" else 0.0
    ahead = trading_days().prices.ahead(SEASONS[1], bench.size)
    made = PricePaths(
        on_horizon(ahead.paths, problem.horizon) - lower, on_horizon(ahead.expected, problem.horizon) - lower
    )
    prover = OfferProver(check, dispatcher, fee_per_kwh=FEE_PER_KWH)
    day = MarketDay(problem, FEE_PER_KWH, dispatcher)
    copper = 100 * prover.replayed(day, made, secured=False)
    yield bench.figure(copper, "% of positions", phase=f"{name}: beyond a limit without rows")
    begun = time.perf_counter()
    proof = prover.proven(day, made)[1]
    seconds = time.perf_counter() - begun
    words = f"{name}: {bench.size} paths of {len(problem.horizon)} steps"
    yield bench.figure(seconds, "s", target=value_at_most(5.0), phase=f"{words}, offers with proof")
    yield bench.figure(
        proof.violated, "positions", target=value_at_most(0), phase=f"{words}, beyond a limit with proof"
    )
    yield bench.figure(proof.loss_error_kw, "kW", target=value_at_most(10.0), phase=f"{words}, largest loss error")
    yield bench.figure(proof.passes, "passes", phase=words)
    chosen = np.random.default_rng(5).integers(0, bench.size, made.energy_per_kwh.shape)
    mixed = replace(made, energy_per_kwh=np.take_along_axis(made.energy_per_kwh, chosen, axis=0))
    unseen = 100 * prover.replayed(day, mixed, secured=True)
    yield bench.figure(
        unseen, "% of positions", target=value_at_most(2.0), phase=f"{words}, unseen mixtures step by step"
    )
    cleared = replace(mixed, energy_per_kwh=mixed.energy_per_kwh[:1])
    again = prover.proven(day, cleared)[1].passes
    yield bench.figure(again, "passes", target=value_at_most(3), phase=f"{words}, one unseen path after clearing")


RESERVE_PRICES = (0.02, 0.05)
NAIVE_H = 0.01


@case("market", "capacity beside energy", size=SEASON_DAYS, quick_size=1, packages=PACKAGES)
def capacity(bench: Bench) -> Iterator[Row]:
    """Hold capacity beside energy, replay a full call of an hour from every quarter of every hour, and compare with energy first."""
    from optimizers.dispatch import Dispatcher

    chosen = [first + timedelta(days=k) for first in SEASONS for k in range(bench.size)]
    dispatcher = Dispatcher()
    try:
        for price in RESERVE_PRICES:
            found = [_capacity_day(day, price, dispatcher) for day in chosen]
            together, after, naive, calls, failed, naive_failed = (sum(column) for column in zip(*found, strict=True))
            words = f"capacity at {1000 * price:g} CNY/MW·h"
            yield bench.figure(
                failed, f"of {calls:.0f} calls", target=value_at_most(0), phase=f"{words}, calls not answered"
            )
            yield bench.figure(
                naive_failed, f"of {calls:.0f} calls", phase=f"{words}, not answered without energy behind it"
            )
            yield bench.figure(
                together / after,
                "x",
                target=value_at_least(1.8),
                phase=f"{words}, worth beside energy first, capacity after",
            )
            yield bench.figure(
                naive / together, "x", target=value_at_least(1.0), phase=f"{words}, bound without energy behind it"
            )
    finally:
        dispatcher.close()


def _capacity_day(day: date, price: float, dispatcher: "Dispatcher") -> tuple[float, ...]:
    """Return what capacity is worth held together with energy, after it, and without energy behind it; calls, failed ones, failed naive ones."""
    from scenarios.offering import TradingDays
    from twin.calls import replay_calls

    free = trading_days()
    worth, replays = {}, {}
    for name, sustain_h in (("together", 1.0), ("naive", NAIVE_H)):
        site = _with_capacity(free.site, price, sustain_h)
        days = TradingDays(site, free.prices, seed=1, fee_per_kwh=FEE_PER_KWH)
        plan = _known_plan(days, day, dispatcher)
        worth[name] = plan
        honest = _with_capacity(free.site, price, 1.0)
        before = days.actual(day).initial.stored_kwh
        held = {str(a): float(before.sel(asset=a)) for a in before["asset"].to_numpy()}
        replays[name] = replay_calls(plan, honest, held)
    alone = _known_plan(free, day, dispatcher).total_cost
    after = _after_energy(free, day, price, dispatcher)
    return (
        alone - worth["together"].total_cost, after, alone - worth["naive"].total_cost,
        replays["together"].calls, replays["together"].failed, replays["naive"].failed,
    )  # fmt: skip


def _with_capacity(site: "Site", price: float, sustain_h: float) -> "Site":
    from models.site import ReserveContract

    up = ReserveContract(
        id="reserve_up",
        party="grid operator",
        providers=("battery", "chp1", "chp2"),
        direction="up",
        spinning=True,
        sustain_h=sustain_h,
        price_per_kw_h=price,
    )
    return replace(site, contracts=(*site.contracts, up, replace(up, id="reserve_down", direction="down")))


def _known_plan(days: "TradingDays", day: date, dispatcher: "Dispatcher") -> "Plan":
    from models.trading import MarketTerms

    problem = replace(days.actual(day), market=MarketTerms(days.came(day), FEE_PER_KWH))
    return dispatcher.dispatch(replace(problem, integer_h=0.0))


def _after_energy(free: "TradingDays", day: date, price: float, dispatcher: "Dispatcher") -> float:
    """Return what capacity earns when energy is planned first and every column of that plan stays as it is."""
    from models.trading import MarketTerms
    from optimizers.worker import Job
    from scenarios.offering import TradingDays

    days = TradingDays(_with_capacity(free.site, price, 1.0), free.prices, seed=1, fee_per_kwh=FEE_PER_KWH)
    market = MarketTerms(days.came(day), FEE_PER_KWH)
    case_ = dispatcher.case(replace(days.actual(day), market=market))
    program = case_.program.relaxed()
    ready = [
        f.span for f in case_.compiled.model.columns
        if f.quantity.startswith(("reserve_", "lowest_later", "highest_later")) or f.quantity == "missing_kw"
    ]  # fmt: skip
    without = replace(program, cost=program.cost.copy())
    for span in ready:
        without.cost[span] = 0.0
    energy = dispatcher.answer(Job("capacity:energy", without), deadline_s=30.0).solution
    lower, upper = program.column_lower.copy(), program.column_upper.copy()
    kept = np.ones(len(lower), bool)
    for span in ready:
        kept[span] = False
    assert energy.x is not None
    room = 1e-5 * (1.0 + np.abs(energy.x[kept]))
    lower[kept], upper[kept] = (
        np.maximum(energy.x[kept] - room, lower[kept]),
        np.minimum(energy.x[kept] + room, upper[kept]),
    )
    fixed = replace(program, column_lower=lower, column_upper=upper)
    held = dispatcher.answer(Job("capacity:after", fixed), deadline_s=30.0).solution
    assert held.x is not None
    return float(energy.objective - held.objective)
