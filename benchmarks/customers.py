"""Customers' data: checking and portraits of ten thousand meters, faults found on unseen seeds, stable segments, savings that hold."""

import resource
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

if TYPE_CHECKING:
    from customers.efficiency.savings import Savings

QUARTERS_OF_A_YEAR = 35_040
HELD_OUT = range(101, 105)
"""Seeds of faults that no threshold was tuned on."""
WEATHER_SEEDS = range(201, 221)
LEAST = {"GAP": 0.95, "STUCK": 0.95, "SCALE": 0.95, "SIGN": 0.95, "SPIKE": 0.8}


@case("customers", "check and estimate", size=10_000, quick_size=100, packages=("numba", "numpy"))
def check_and_estimate(bench: Bench) -> Iterable[Row]:
    """Validate and estimate a year of quarter-hours; seconds, and the memory of this process at its highest, data included."""
    from customers.intervals.vee import validate
    from customers.population import population

    validate(population(4, 1).meters())  # compiled before the clock runs
    table = population(bench.size, 11).meters()
    _spoil(table.energy_kwh)
    began, spent = time.perf_counter(), time.process_time()
    store = validate(table)
    seconds = time.perf_counter() - began
    yield bench.figure(seconds, "s", target=value_at_most(15.0))
    yield bench.figure(time.process_time() - spent, "s", phase=f"{bench.phase}, processor time")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    yield bench.figure(peak, "GiB", target=value_at_most(4.0), phase=f"{bench.phase}, memory")
    rate = bench.size * QUARTERS_OF_A_YEAR / seconds / 1e6
    yield bench.figure(rate, "M intervals/s", phase=f"{bench.phase}, rate")
    made = 0 if store.estimates is None else len(store.estimates.row)
    yield bench.figure(made / table.energy_kwh.size * 100, "%", phase=f"{bench.phase}, share estimated")


def _spoil(energy: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> None:
    """Take a day out of every tenth customer and stop every thirtieth meter for half a day."""
    energy[::10, 9_600:9_696] = np.nan
    energy[::30, 20_000:20_048] = energy[::30, 20_000:20_001]


@case("customers", "faults on unseen seeds", size=400, quick_size=60, packages=("numba", "numpy"))
def faults(bench: Bench) -> Iterable[Row]:
    """Precision and recall by customer and day of every rule, over four unseen seeds; clean customers that are alarmed."""
    from benchmarks.meter_faults import planted, scores
    from customers.intervals.clock import local_clock
    from customers.intervals.rules import Fault
    from customers.intervals.vee import validate

    seeds = list(HELD_OUT)[: 1 if bench.quick else None]
    found: dict[str, list[tuple[float, float]]] = {f.name or "": [] for f in Fault}
    alarmed, errors = [], []
    for seed in seeds:
        made = planted(bench.size, seed)
        store = validate(made.table)
        assert store.flags is not None, "a validated store has flags"
        day = local_clock(made.table.intervals, made.table.zone).day
        for fault in Fault:
            found[fault.name or ""].append(scores(store.flags, made.truth, fault, day))
        alarmed.append(float(store.flags[made.clean].any(axis=1).mean()))
        gap = (made.truth == int(Fault.GAP)) & ~np.isnan(store.best.energy_kwh)
        errors.append(float(np.median(np.abs(store.best.energy_kwh[gap] - made.before[gap]) / made.before[gap])))
    for name, pairs in found.items():
        precision, recall = np.mean(pairs, axis=0)
        wanted = (0.9, 0.75) if name == "SHIFT" else (LEAST[name], LEAST[name])
        for what, value, least in zip(("precision", "recall"), (precision, recall), wanted, strict=True):
            yield bench.figure(float(value), "", target=value_at_least(least), phase=f"{name.lower()}, {what}")
    yield bench.figure(100 * float(np.mean(alarmed)), "%", target=value_at_most(5.0), phase="clean customers alarmed")
    yield bench.figure(100 * float(np.mean(errors)), "%", phase="median error of an estimated gap")


@case("customers", "portraits and clusters", size=10_000, quick_size=120, packages=("numba", "scikit-learn"))
def portraits(bench: Bench) -> Iterable[Row]:
    """Features, segments and portraits of customers from a year of quarter-hours; the clustering of their days alone; its stability."""
    from customers.evaluation.target import indicators_of, target_index
    from customers.features.table import features_of
    from customers.intervals.store import IntervalStore
    from customers.population import FIRST_YEAR, population
    from customers.portraits.customer import portraits as draw
    from customers.portraits.gather import drawn_from
    from customers.segments.clusters import fit

    people = population(bench.size, 12)
    table, air = people.meters(), people.weather(FIRST_YEAR).air_degc
    small = population(40, 1)
    features_of(small.meters(), small.weather(FIRST_YEAR).air_degc)  # compiled before the clock runs
    fit(np.random.default_rng(0).random((100, 4)), 2, 0)
    began, spent = time.perf_counter(), time.process_time()
    drawn = drawn_from(IntervalStore(table), air)
    made = draw(drawn)
    yield bench.figure(time.perf_counter() - began, "s", target=value_at_most(5.0))
    yield bench.figure(time.process_time() - spent, "s", phase=f"{bench.phase}, processor time")
    assert len(made) == bench.size, "everybody has a portrait"
    count = max(len(drawn.segments.model.names), 2)
    days = drawn.features.days.typical_kw.reshape(bench.size, -1)
    shape = np.repeat(days / np.maximum(days.mean(axis=1, keepdims=True), 1e-9), 2, axis=1)
    began = time.perf_counter()
    fit(shape, count, 0)
    yield bench.figure(
        time.perf_counter() - began, "s", target=value_at_most(0.5), phase=f"clustering alone, {shape.shape[1]} values"
    )
    ari = drawn.segments.model.stability.get(len(drawn.segments.model.names), 0.0)
    yield bench.figure(ari, "", target=value_at_least(0.8), phase="agreement of segments over draws")
    yield bench.figure(float(count), "segments", phase="segments")
    began = time.perf_counter()
    target_index(drawn.features.customers, indicators_of(drawn.features, np.zeros(bench.size)))
    yield bench.figure(time.perf_counter() - began, "s", phase="index of target customers")
    yield from _again(bench, people.seed, drawn.segments.label)


def _again(bench: Bench, seed: int, label: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Iterable[Row]:
    """Give the agreement with the planted kinds, and with the segments of the same customers' next year."""
    from sklearn.metrics import adjusted_rand_score

    from customers.features.table import features_of
    from customers.population import FIRST_YEAR, population
    from customers.segments.segmentation import segment

    people = population(bench.size, seed)
    yield bench.figure(float(adjusted_rand_score(people.kind, label)), "", phase="agreement with the planted kinds")
    some = population(600 if not bench.quick else bench.size, seed)
    one, two = (
        segment(features_of(some.meters(y, 60), some.weather(y, 60).air_degc)) for y in (FIRST_YEAR, FIRST_YEAR + 1)
    )
    yield bench.figure(
        float(adjusted_rand_score(one.label, two.label)), "", phase="agreement with the next year's segments"
    )


@case("customers", "savings measured and verified", size=400, quick_size=60, packages=("numpy",))
def coverage(bench: Bench) -> Iterable[Row]:
    """Share of customers whose true saving lies in the 90 % interval, over twenty weather years, years learned from other customers."""
    from dataclasses import replace

    from customers.efficiency.savings import YearEffect, between_years, savings
    from customers.population import FIRST_YEAR, population

    inside: list[float] = []
    without: list[float] = []
    others = 30
    each = max((bench.size if not bench.quick else 40) // 20, 20)
    for seed in list(WEATHER_SEEDS)[: 2 if bench.quick else None]:
        people = population(each + others, seed)
        now = FIRST_YEAR + 1
        air = people.weather(FIRST_YEAR, 60).air_degc, people.weather(now, 60).air_degc
        tables = people.meters(FIRST_YEAR, 60), people.meters(now, 60)
        mine, rest = people.names[:each], people.names[each:]
        before, since = tables[0].select(mine), tables[1].select(mine)
        share = np.random.default_rng(seed).normal(0.08, 0.03, each).clip(0.01).astype(np.float32)
        true = (since.energy_kwh * share[:, None]).sum(axis=1, dtype=np.float64)
        since = replace(since, energy_kwh=since.energy_kwh * (1 - share[:, None]))
        years = between_years(tables[0].select(rest), tables[1].select(rest), *air)
        for kept, effect in ((inside, years), (without, YearEffect(0.0, 0.0))):
            found = savings(before, since, *air, effect)
            kept.append(float(((found.low_kwh <= true) & (true <= found.high_kwh)).mean()))
    told = 100 * float(np.mean(inside))
    yield bench.figure(told, "%", target=value_at_least(85.0), phase="truth inside the 90 % interval, at least")
    yield bench.figure(told, "%", target=value_at_most(95.0), phase="truth inside the 90 % interval, at most")
    yield bench.figure(100 * float(np.mean(without)), "%", phase="the same, years taken to be alike")


@case("customers", "savings beside OpenDSM", size=8, quick_size=2, packages=("numpy",))
def beside_opendsm(bench: Bench) -> Iterable[Row]:
    """OpenDSM's sample meters whose saving is stated of them: whether our intervals hold it, and how far all are from it."""
    found: list[dict[str, Savings]] = []
    stated, theirs = [], []
    with Peer("efficiency") as peer:
        for name in peer.ask("samples")["result"][: bench.size]:
            told = peer.ask("meter", name=name)["result"]
            found.append(_sample_savings(name, told))
            stated.append(float(told["saved_share"]))
            theirs.append(abs(peer.ask("daily_saving", name=name)["result"]["saved_share"] - stated[-1]))
    for method in found[0]:
        held = [_holds(each[method], share) for each, share in zip(found, stated, strict=True)]
        target = None if method.endswith("alike") else value_at_least(85.0)
        words = f"stated saving inside the 90 % interval, {len(held)} meters, {method}"
        yield bench.figure(100 * float(np.mean(held)), "%", target=target, phase=words)
    for method in METHODS:
        far = [abs(_share(each[method]) - share) for each, share in zip(found, stated, strict=True)]
        words = f"mean error of the saved share, {method}, beside OpenDSM's daily model"
        yield bench.figure(100 * float(np.mean(far)), "points", reference=100 * float(np.mean(theirs)), phase=words)


METHODS = DAYS, HOURS = "lines of days", "time of the week"


def _share(found: "Savings") -> float:
    return float(found.saved_kwh[0] / found.expected_kwh[0])


def _holds(found: "Savings", share: float) -> bool:
    """Tell whether an interval holds a saving that is stated as the share of what would have been drawn."""
    true = found.actual_kwh[0] / (1.0 - share) * share
    return bool(found.low_kwh[0] <= true <= found.high_kwh[0])


def _sample_savings(name: str, told: dict[str, Any]) -> "dict[str, Savings]":
    """Return what a sample meter saved in the year after its change by both baselines, and by the first with years taken to be alike."""
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from customers.efficiency.savings import YearEffect, hourly_savings, savings
    from customers.intervals.series import MeterTable

    zone = "America/Chicago"
    energy = np.array([[np.nan if v is None else v for v in told["kwh"]]])
    table = MeterTable.of([name], datetime.fromisoformat(told["start"]), 60, energy, zone)
    air, year = np.array(told["degc"]), timedelta(days=365)
    begins, ends = (datetime.fromisoformat(d).replace(tzinfo=ZoneInfo(zone)) for d in told["change"])
    spans = ((begins - year, begins), (ends, ends + year))
    before, since = (table.between(*span) for span in spans)
    old, new = (air[slice(*(table.intervals.index(t) for t in span))] for span in spans)
    alike = savings(before, since, old, new, YearEffect(0.0, 0.0))
    made = (savings(before, since, old, new), hourly_savings(before, since, name, old, new))
    return {**dict(zip(METHODS, made, strict=True)), "years taken to be alike": alike}
