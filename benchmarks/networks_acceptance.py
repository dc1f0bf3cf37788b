"""What the estimator promises, counted: hours that converge, false alarms, faults found, and what water under way does to it.

All truth is simulated on the shipped park with every meter in place; noise is Gaussian with the sensors' own spread, a planted error ten
times that unless it says otherwise.
"""

from collections.abc import Iterable

import numpy as np

from benchmarks.estimate_cases import CHECKED, Case, accused, cases, park, removed
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most
from twin.estimate.cleaning import estimate
from twin.estimate.problem import Estimate

PACKAGES = ("numpy", "scipy")
ERROR_SIGMAS = 10.0
ENGINE_METERS = ("chp1.gas_kw", "chp2.gas_kw", "chp1.heat_kw", "chp2.heat_kw")
ERRORS_AT_ONCE = 3


def _share(found: list[bool]) -> float:
    return float(np.mean(found)) if found else float("nan")


@case("networks", "estimate, clean draws", size=150, quick_size=6, packages=PACKAGES)
def clean(bench: Bench) -> Iterable[Row]:
    """Count random hours of the year that do not converge, and clean draws with an alarm or a removal."""
    rng = np.random.default_rng(2)
    lost, alarms, spoiled = 0, [], []
    for _, found in cases(park(), bench.size, seed=7):
        if found is None:
            lost += 1
            continue
        fit = estimate(found.rows, found.noisy(rng))
        lost += not fit.fit.converged
        alarms.append(not fit.plausible)
        spoiled.append(bool(removed(fit)))
    yield bench.figure(lost, "hours", target=value_at_most(0), phase="estimate, hours of 150 that do not converge")
    yield bench.figure(_share(alarms), "share", target=value_at_most(0.02), phase="estimate, false alarms (chi-square)")
    kept = 1 - _share(spoiled)
    yield bench.figure(kept, "share", target=value_at_least(0.95), phase="estimate, clean draws without a removal")


@case("networks", "estimate, one error", size=60, quick_size=2, packages=PACKAGES)
def one_error(bench: Bench) -> Iterable[Row]:
    """Plant single errors at sensors that others check, and at the engines' meters; count those noticed and those named."""
    rng = np.random.default_rng(3)
    noticed, named, engines, checked, lost = [], [], [], [], 0
    for _, found in cases(park(), bench.size, seed=8):
        if found is None:
            continue
        for row in _checked(found, rng, 6):
            fit, name = _with_errors(found, [row], rng), found.rows.sensors[row].name
            lost += not fit.fit.converged
            noticed.append(bool(accused(fit)) or not fit.plausible)
            named.append(name in accused(fit))
        for row, sensor in enumerate(found.rows.sensors):
            if sensor.name in ENGINE_METERS:
                engines.append(sensor.name in accused(_with_errors(found, [row], rng)))
                redundancy = estimate(found.rows, found.shown, found.x).sensors[row].redundancy
                checked += engines[-1:] if redundancy >= CHECKED else []
    yield bench.figure(lost, "fits", target=value_at_most(0), phase="estimate, fits with an error that do not converge")
    yield bench.figure(_share(noticed), "share", target=value_at_least(0.95), phase="estimate, errors noticed")
    yield bench.figure(_share(named), "share", target=value_at_least(0.80), phase="estimate, errors named")
    yield bench.figure(_share(engines), "share", target=value_at_least(0.85), phase="estimate, engines' meters named")
    phase = "estimate, engines' meters that others check, named"
    yield bench.figure(_share(checked), "share", target=value_at_least(0.85), phase=phase)


@case("networks", "estimate, three errors", size=60, quick_size=2, packages=PACKAGES)
def three_errors(bench: Bench) -> Iterable[Row]:
    """Plant three errors of 10 to 30 sigmas at once and count the draws in which all are found."""
    rng = np.random.default_rng(4)
    complete, innocent = [], []
    for _, found in cases(park(), bench.size, seed=9):
        rows = _checked(found, rng, ERRORS_AT_ONCE) if found is not None else []
        if found is None or len(rows) < ERRORS_AT_ONCE:
            continue
        fit = _with_errors(found, rows, rng, rng.uniform(1, 3, ERRORS_AT_ONCE))
        planted = {found.rows.sensors[row].name for row in rows}
        complete.append(planted <= accused(fit))
        innocent.append(len(removed(fit) - planted))
    yield bench.figure(_share(complete), "share", target=value_at_least(0.85), phase="estimate, three errors all found")
    yield bench.figure(float(np.mean(innocent)), "per draw", phase="estimate, wrong removals beside three errors")


def _checked(found: Case, rng: np.random.Generator, count: int) -> list[int]:
    """Return some meters that other sensors check."""
    clean_fit = estimate(found.rows, found.shown, found.x)
    checked = [i for i, s in enumerate(clean_fit.sensors) if s.redundancy >= CHECKED and not s.sensor.pseudo]
    return [int(i) for i in rng.choice(checked, min(count, len(checked)), replace=False)]


def _with_errors(found: Case, rows: list[int], rng: np.random.Generator, times: np.ndarray | float = 1.0) -> Estimate:
    """Return the estimate of a draw with errors of either sign at some rows."""
    z = found.noisy(rng)
    z[rows] += ERROR_SIGMAS * times * found.sigma[rows] * rng.choice([-1, 1], len(rows))
    return estimate(found.rows, z)


@case("networks", "estimate, boost day", size=96, quick_size=36, packages=PACKAGES)
def boost_day(bench: Bench) -> Iterable[Row]:
    """Estimate a day whose supply temperature jumps by 8 K every two hours, with the parcel model's offsets and without."""
    from benchmarks.boost_day import alarms

    with_offset, without = (alarms(bench.size, with_offset=w) for w in (True, False))
    yield bench.figure(with_offset, "share", target=value_at_most(0.02), phase="estimate, boost day, false alarms")
    yield bench.figure(
        without, "share", target=value_at_least(0.20), phase="estimate, boost day, false alarms of steady rows"
    )
