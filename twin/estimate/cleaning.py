"""Bad data: find the sensors that do not fit, without throwing out those that do.

A robust start sets suspicious rows aside, plain least squares on the rest decides, rows that fit come back one by one, and what still
stands out is removed largest first. Rows that little else checks are never removed: a flag with their group is the honest answer.

Source: Huber 1964 for the start; largest normalised residual (Abur, Gómez Expósito, chapter 5) for the end.
"""

from functools import cache

import numpy as np
from scipy.stats import chi2

from twin.estimate.problem import (
    Array,
    Estimate,
    Fit,
    Mask,
    Origin,
    RowModel,
    SensorReport,
    SensorStatus,
)
from twin.estimate.wls import Redundancy, redundancy, solve_wls

FLAG = 3.5
"""Normalised residual that raises a flag: a clean snapshot passes it in some 2.5 % of cases."""
REMOVE = 4.0
GUARD = 0.15
"""Rows with less redundancy are never removed automatically."""
CRITICAL = 1e-3
TIE = 0.98
RIVAL_CHI2 = 2.0
"""Two explanations whose sums of squares differ by less are about as likely: both are named."""
REMOVALS_MAX = 10
DETECTION_MARGIN = 1.65
"""One-sided 95 % quantile of the normal distribution."""


Rivals = dict[int, tuple[int, ...]]
"""By removed row: the rows, itself included, between which its error cannot be told."""


def estimate(model: RowModel, z: Array, x0: Array | None = None) -> Estimate:
    """Return the state behind measurements with gross errors found and set aside.

    Parameters
    ----------
    model
        Rows and laws.
    z
        Measured values, shape (row,), in the sensors' units; NaN where a sensor is silent.
    x0
        State to start from, for example the previous estimate.

    Returns
    -------
    Estimate
        State, verdict per sensor, unobservable states and the chi-square test. A fit that did not converge says so.
    """
    sigma = np.array([s.sigma for s in model.sensors])
    present = np.isfinite(z)
    fit = solve_wls(model, z, present, x0)
    spread = redundancy(fit, sigma)
    rivals: Rivals = {}
    if _alarmed(fit, spread):
        fit, spread = _clean(model, z, present, fit, spread, sigma)
        rivals = _rivals(model, z, present, fit, sigma)
    return _verdicts(model, z, fit, spread, sigma, rivals)


def normalised(fit: Fit, spread: Redundancy) -> Array:
    """Return residual over its own standard deviation for used rows, 0 for unused and critical rows; shape (row,)."""
    root = np.sqrt(np.clip(np.diag(spread.omega), 0.0, 1.0))
    out = np.zeros(len(fit.residual))
    out[fit.used] = np.where(root > CRITICAL, np.abs(fit.residual[fit.used]) / np.maximum(root, CRITICAL), 0.0)
    return out


def redundancies(fit: Fit, spread: Redundancy) -> Array:
    """Return the redundancy (0..1) of used rows, 0 elsewhere; shape (row,)."""
    out = np.zeros(len(fit.residual))
    out[fit.used] = np.sqrt(np.clip(np.diag(spread.omega), 0.0, 1.0))
    return out


def _alarmed(fit: Fit, spread: Redundancy) -> bool:
    return not fit.converged or float(np.max(normalised(fit, spread), initial=0.0)) > FLAG


def _clean(
    model: RowModel, z: Array, present: Mask, plain: Fit, spread: Redundancy, sigma: Array
) -> tuple[Fit, Redundancy]:
    """Return the fit that explains the snapshot with the fewest rows taken out, and best among those."""
    found = [_several_errors(model, z, present, plain, spread, sigma)]
    if plain.converged:
        found.append(_remove_largest(model, z, plain, spread, sigma, removals=1))
    return min(found, key=lambda f: (_alarmed(*f), int((present & ~f[0].used).sum()), f[0].chi2))


def _several_errors(
    model: RowModel, z: Array, present: Mask, plain: Fit, spread: Redundancy, sigma: Array
) -> tuple[Fit, Redundancy]:
    """Return the fit after robust start, setting aside, re-insertion, removal and exchange."""
    robust = solve_wls(model, z, present, plain.x if plain.converged else None, huber=True)
    testable = (redundancies(plain, spread) >= GUARD) & ~_beliefs(model)
    aside = present & testable & (np.abs(np.nan_to_num(robust.residual)) > FLAG)
    fit = solve_wls(model, z, present & ~aside, robust.x)
    spread = redundancy(fit, sigma)
    fit, spread = _reinsert(model, z, aside, fit, spread, sigma)
    fit, spread = _remove_largest(model, z, fit, spread, sigma)
    return _exchange(model, z, present, fit, spread, sigma)


def _reinsert(
    model: RowModel, z: Array, aside: Mask, fit: Fit, spread: Redundancy, sigma: Array
) -> tuple[Fit, Redundancy]:
    """Return the fit with every set-aside row back that raises no flag, mildest first."""
    for row in sorted(np.flatnonzero(aside), key=lambda r: abs(fit.residual[r])):
        used = fit.used.copy()
        used[row] = True
        trial = solve_wls(model, z, used, fit.x)
        trial_spread = redundancy(trial, sigma)
        if not _alarmed(trial, trial_spread):
            fit, spread = trial, trial_spread
    return fit, spread


def _remove_largest(
    model: RowModel, z: Array, fit: Fit, spread: Redundancy, sigma: Array, removals: int = REMOVALS_MAX
) -> tuple[Fit, Redundancy]:
    """Return the fit after taking out, one at a time, guarded rows excepted, what stands out most."""
    for _ in range(removals):
        testable = (redundancies(fit, spread) >= GUARD) & ~_beliefs(model)
        score = np.where(testable, normalised(fit, spread), 0.0)
        worst = int(np.argmax(score))
        if score[worst] <= REMOVE:
            break
        used = fit.used.copy()
        used[worst] = False
        fit = solve_wls(model, z, used, fit.x)
        spread = redundancy(fit, sigma)
    return fit, spread


def _exchange(
    model: RowModel, z: Array, present: Mask, fit: Fit, spread: Redundancy, sigma: Array
) -> tuple[Fit, Redundancy]:
    """Return the fit with every removed row exchanged for the one whose absence explains more, where there is one.

    A robust start accuses what an error pulls along as readily as its source: a gate's meter or a unit's sheet in place of the unit's meter.
    """
    for row in np.flatnonzero(present & ~fit.used).tolist():
        back, score = _put_back(model, z, fit, row, sigma)
        worst = int(np.argmax(score))
        if not back.converged or worst == row:
            continue
        used = back.used.copy()
        used[worst] = False
        trial = solve_wls(model, z, used, back.x)
        if trial.converged and trial.chi2 < fit.chi2:
            fit, spread = trial, redundancy(trial, sigma)
    return fit, spread


def _rivals(model: RowModel, z: Array, present: Mask, fit: Fit, sigma: Array) -> Rivals:
    """Return, for every removed row, those that might as well have been taken out: noise decides between them, not the error."""
    found: Rivals = {}
    for row in np.flatnonzero(present & ~fit.used).tolist():
        score = _put_back(model, z, fit, row, sigma)[1] ** 2
        rivals = np.flatnonzero(score > max(score[row] - RIVAL_CHI2, FLAG**2)).tolist()
        found[row] = (row, *(r for r in rivals if r != row))
    return found


def _put_back(model: RowModel, z: Array, fit: Fit, row: int, sigma: Array) -> tuple[Fit, Array]:
    """Return the fit with a removed row back in place, and every testable row's normalised residual there; 0 for others."""
    used = fit.used.copy()
    used[row] = True
    back = solve_wls(model, z, used, fit.x)
    spread = redundancy(back, sigma)
    testable = ~_beliefs(model) & (redundancies(back, spread) >= GUARD)
    return back, np.where(testable, normalised(back, spread), 0.0)


def _beliefs(model: RowModel) -> Mask:
    return np.array([s.origin is Origin.BELIEF for s in model.sensors], dtype=bool)


def _verdicts(model: RowModel, z: Array, fit: Fit, spread: Redundancy, sigma: Array, rivals: Rivals) -> Estimate:
    score, root = normalised(fit, spread), redundancies(fit, spread)
    groups = tie_groups(fit, spread)
    for group in rivals.values():
        for row in group:
            groups[row] = tuple(sorted({*groups[row], *group}))
    flagged = {member for row in (*np.flatnonzero(score > FLAG).tolist(), *rivals) for member in groups[row]}
    flagged -= set(
        np.flatnonzero(_beliefs(model)).tolist()
    )  # a nominal value bends, and is no sensor that could be faulty
    statuses = [_status(row, z, fit, float(root[row]), row in flagged) for row in range(len(z))]
    shown = np.where([s is SensorStatus.REMOVED for s in statuses], np.abs(fit.residual), score)
    with np.errstate(divide="ignore"):
        detectable = np.where(root > CRITICAL, (FLAG + DETECTION_MARGIN) / root * sigma, np.inf)
    names = [s.name for s in model.sensors]
    called = {group: tuple(names[m] for m in group) for group in set(groups)}
    ties = [_others(called[group], group.index(row)) for row, group in enumerate(groups)]
    columns = (x.tolist() for x in (z, fit.modelled.value, shown, root, detectable))
    reports = tuple(map(SensorReport, model.sensors, statuses, *columns, ties))
    freedom = int(fit.used.sum()) - spread.rank
    return Estimate(fit, reports, _blind_states(model, spread), fit.chi2, freedom, chi2_limit(freedom))


def _others(group: tuple[str, ...], own: int) -> tuple[str, ...]:
    return group[:own] + group[own + 1 :]


@cache
def chi2_limit(freedom: int) -> float:
    """Return what the sum of squared residuals stays below in 99 % of honest snapshots; infinite without any redundancy."""
    return float(chi2.ppf(0.99, freedom)) if freedom > 0 else np.inf


def _status(row: int, z: Array, fit: Fit, root: float, flagged: bool) -> SensorStatus:
    if not fit.used[row]:
        return SensorStatus.REMOVED if np.isfinite(z[row]) else SensorStatus.UNTESTABLE
    if flagged:
        return SensorStatus.FLAGGED
    return SensorStatus.OK if root >= CRITICAL else SensorStatus.UNTESTABLE


def tie_groups(fit: Fit, spread: Redundancy) -> list[tuple[int, ...]]:
    """Return, for every row, the rows (itself included) whose residuals move together so that an error cannot be told apart."""
    rows = np.flatnonzero(fit.used)
    root = np.sqrt(np.clip(np.diag(spread.omega), 1e-18, 1.0))
    tied = (np.abs(spread.omega) > TIE * np.outer(root, root)) & (np.minimum.outer(root, root) > CRITICAL)
    np.fill_diagonal(tied, val=True)
    groups: list[tuple[int, ...]] = [(row,) for row in range(len(fit.residual))]
    for index in np.flatnonzero(tied.sum(axis=1) > 1):
        groups[rows[index]] = tuple(rows[tied[index]].tolist())
    return groups


def _blind_states(model: RowModel, spread: Redundancy) -> tuple[str, ...]:
    """Return the names of the states that some unseen direction moves noticeably."""
    if not spread.unobservable.size:
        return ()
    size = np.max(np.abs(spread.unobservable), axis=1)
    return tuple(name for name, s in zip(model.state_names, size, strict=True) if s > 1e-6 * size.max())
