"""What is wrong with a history, said in words, and what is left of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.findings import Finding, Severity, warning
from models.forecast.grid import PER_DAY, Array, Quarters, instant_of

SHORT_DAYS, LEARNING_DAYS = 8, 42
"""With less history than the first no day or week before can be tried out, with less than the second nothing is learned."""
SPIKE = 6.0
"""A value beyond so many times the 99th percentile is no measurement."""
STEP_DAYS, BEFORE_DAYS = 7, 28
STEP_SHARE, STEP_SD = 0.5, 4.0
GAP_DAYS = 1.0
MISSING_SHARE = 0.02
SIGNED = ("_degc", "_per_kwh")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A history without what cannot be true; ``stepped`` names series whose recent level has little to do with the one before."""

    table: Quarters
    findings: tuple[Finding, ...]
    stepped: frozenset[str]
    constant: frozenset[str]


def clean(table: Quarters) -> Cleaned:
    """Return the history with impossible values forgotten, and everything that a forecaster should say about it."""
    values, findings = table.values.copy(), []
    stepped, constant = set(), set()
    for row, name in enumerate(table.names):
        findings += list(_impossible(name, values[row]))
        findings += list(_holes(name, values[row], table.first))
        if _is_constant(values[row]):
            constant.add(name)
            findings.append(
                info(name, f"always {np.nanmean(values[row]):g}: that value is forecast, and nothing was learned")
            )
        elif words := _step(values[row]):
            stepped.add(name)
            findings.append(warning(name, f"{words}; only the last days are used, its interval is a guess for a week"))
    return Cleaned(Quarters(table.names, table.first, values), tuple(findings), frozenset(stepped), frozenset(constant))


def info(place: str, message: str) -> Finding:
    """Return a finding that nobody has to act on."""
    return Finding(Severity.INFO, place, message)


def _impossible(name: str, values: Array) -> Iterator[Finding]:
    """Forget negative demand and spikes in place, and say so."""
    if not name.endswith(SIGNED) and (low := np.flatnonzero(values < 0)).size:
        yield warning(
            name, f"{low.size} quarter-hours are below zero, which no demand or yield is; they count as missing"
        )
        values[low] = np.nan
    known = values[np.isfinite(values)]
    if known.size < PER_DAY:
        return
    limit = SPIKE * max(float(np.quantile(np.abs(known), 0.99)), 1e-9)
    if (high := np.flatnonzero(np.abs(values) > limit)).size:
        yield warning(
            name,
            f"{high.size} quarter-hours are beyond {limit:g}, {SPIKE:g} times what is usual; they count as missing",
        )
        values[high] = np.nan


def _holes(name: str, values: Array, first: int) -> Iterator[Finding]:
    """Say what is missing, and how long history is at all."""
    known = np.isfinite(values)
    days = known.sum() / PER_DAY
    if days < SHORT_DAYS:
        yield warning(name, f"only {days:.1f} days are known: the last value is forecast until there are {SHORT_DAYS}")
        return
    if days < LEARNING_DAYS:
        yield info(name, f"{days:.0f} days are known: baselines only, learned models from {LEARNING_DAYS} days on")
    begin, end = np.flatnonzero(known)[[0, -1]]
    missing = ~known[begin : end + 1]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    lengths = edges[1::2] - edges[::2]
    longest = lengths.max(initial=0)
    if missing.mean() > MISSING_SHARE or longest > GAP_DAYS * PER_DAY:
        at = instant_of(first + begin + edges[::2][lengths.argmax()])
        words = f"{missing.mean():.1%} of the quarter-hours are missing, at most {longest / 4:g} h in a row from {at:%Y-%m-%d %H:%M} UTC"
        yield info(name, f"{words}; the usual day stands in for them")


def _is_constant(values: Array) -> bool:
    known = values[np.isfinite(values)]
    return known.size > 0 and float(np.ptp(known)) <= 1e-9 * max(abs(float(known[0])), 1.0)


def _step(values: Array) -> str:
    """Return in words how the level of the last week differs from the weeks before, "" where it does not."""
    days = len(values) // PER_DAY
    if days < STEP_DAYS + BEFORE_DAYS // 2:
        return ""
    by_day = values[len(values) - days * PER_DAY :].reshape(days, PER_DAY)
    with np.errstate(invalid="ignore"):
        level = np.array([np.nanmean(d) if np.isfinite(d).any() else np.nan for d in by_day])
    now, before = level[-STEP_DAYS:], level[-STEP_DAYS - BEFORE_DAYS : -STEP_DAYS]
    now, before = now[np.isfinite(now)], before[np.isfinite(before)]
    if min(now.size, before.size) < STEP_DAYS:
        return ""
    moved, spread = now.mean() - before.mean(), max(float(before.std()), 1e-12)
    apart = now.min() > before.max() or now.max() < before.min()
    if apart and abs(moved) > STEP_SHARE * abs(before.mean()) and abs(moved) > STEP_SD * spread:
        return f"its level went from {before.mean():g} to {now.mean():g} within the last week"
    return ""
