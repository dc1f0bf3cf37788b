"""Slow jobs that learn what the twin's parameters really are: friction, heat loss, delays, meter gains, efficiencies.

Every job starts from what is believed (a prior), weighs it against days of readings, and returns values with their uncertainty. Calibrate
before alarming: an uncalibrated friction factor looks like a broken pressure sensor.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import error
from twin.estimate.heat import HeatRows

Array = npt.NDArray[np.float64]
FRICTION_LOG_SD = 0.25
FRICTION_SNAPSHOTS_MIN = 24
LOSS_SD = 0.15
THERMOMETER_SD_K = 0.2
FACTOR_SD = 0.06
METERS_SD = 0.012
"""Of the ratio of two meters, of heat and of fuel or electricity."""
GAIN_FLAG = 3.5
UNEXPLAINED = 4.0
"""A balance of meters that is missed by more, in sigmas, is no question of gains."""
VOLUME_RANGE = (0.7, 1.4)


@dataclass(frozen=True, slots=True)
class Learned:
    """One parameter: a factor on its nominal value, with one standard deviation, and how much of the prior's is left."""

    name: str
    factor: float
    sd: float
    prior_sd: float

    @property
    def informed_share(self) -> float:
        """How much the readings have narrowed the prior: 0 learned nothing, 1 known exactly."""
        return 1.0 - self.sd / self.prior_sd

    @property
    def suspicious(self) -> bool:
        """Whether the factor lies further from 1 than its own sensors' accuracy explains: an advisory, not an alarm."""
        spread = np.sqrt(max(self.prior_sd**2 - self.sd**2, 0.0))
        return bool(spread > 0 and abs(self.factor - 1.0) / spread > GAIN_FLAG)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a job learned, from when to when, under a revision that names exactly these values."""

    kind: str
    subject: str
    """The network or carrier that it is about; empty for the whole site."""
    start: datetime
    end: datetime
    learned: tuple[Learned, ...]
    residual_sigma: float
    """Root mean square of what stays unexplained, in sensor standard deviations; near 1 for a good model."""

    @property
    def revision(self) -> str:
        """Digest of the values: the same calibration has the same name."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def factors(self) -> dict[str, float]:
        """Return the learned factors by name."""
        return {p.name: p.factor for p in self.learned}

    def to_json(self) -> str:
        """Return the calibration as JSON text that :meth:`from_json` reads back."""
        return json.dumps(asdict(self), default=datetime.isoformat, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Return the calibration in a JSON text."""
        data = json.loads(text)
        learned = tuple(Learned(**p) for p in data.pop("learned"))
        start, end = (datetime.fromisoformat(data.pop(k)) for k in ("start", "end"))
        return cls(start=start, end=end, learned=learned, **data)


def weigh(a: Array, b: Array, sigma: Array, prior: Array, prior_sd: Array) -> tuple[Array, Array, float]:
    """Return the factors that weigh ``a @ factors = b`` against the prior, their standard deviations, and the residual in sigmas.

    Parameters
    ----------
    a, b, sigma
        Equations, shape (equation, parameter), their right-hand sides and standard deviations, shape (equation,).
    prior, prior_sd
        What is believed, shape (parameter,).

    Source: linear Gaussian model; the posterior of ridge regression with a prior mean.
    """
    weighted = a / sigma[:, None]
    precision = weighted.T @ weighted + np.diag(prior_sd**-2)
    covariance = np.linalg.inv(precision)
    factors = covariance @ (weighted.T @ (b / sigma) + prior * prior_sd**-2)
    rest = (a @ factors - b) / sigma
    return factors, np.sqrt(np.diag(covariance)), float(np.sqrt(np.mean(rest**2)))


def _finite(what: str, least: int, *tables: Array) -> npt.NDArray[np.bool_]:
    """Return the snapshots in which everything was measured.

    Raises
    ------
    DataError
        When fewer than ``least`` are left.
    """
    usable = np.all([np.isfinite(t).reshape(len(t), -1).all(axis=1) for t in tables], axis=0)
    if int(usable.sum()) < least:
        words = f"{int(usable.sum())} complete snapshots, at least {least} are needed; wait or mend the missing meters"
        raise DataError([error(what, words, value=float(usable.sum()), limit=float(least))])
    return np.asarray(usable, dtype=bool)


def calibrate_friction(
    rows: HeatRows,
    flow_kg_per_s: Array,
    dp_kpa: Mapping[str, Array],
    lift_kpa: Array,
    window: tuple[datetime, datetime],
    *,
    sigma_kpa: float = 1.0,
) -> Calibration:
    """Return a factor on every pipe's friction from pressure differences at some consumers.

    Parameters
    ----------
    rows
        The network with its nominal pipe law.
    flow_kg_per_s
        Flow of every consumer, shape (snapshot, consumer), in the network's order.
    dp_kpa
        Pressure difference by consumer, shape (snapshot,).
    lift_kpa
        Pressure difference at the plant, shape (snapshot,).
    window
        First and last instant of the snapshots.
    sigma_kpa
        One standard deviation of a pressure difference.

    A single pipe stays uncertain where only its path is measured; the paths come out right.
    """
    usable = _finite("friction", FRICTION_SNAPSHOTS_MIN, flow_kg_per_s, lift_kpa, *dp_kpa.values())
    pipe = flow_kg_per_s[usable] @ rows.incidence.T
    drop = (rows.law.quadratic * np.abs(pipe) + rows.law.linear) * pipe
    consumers = list(rows.network.consumers)
    equations = [2.0 * drop * rows.incidence[:, consumers.index(c)] for c in dp_kpa]
    sides = [lift_kpa[usable] - values[usable] for values in dp_kpa.values()]
    a, b = np.vstack(equations), np.concatenate(sides)
    count = a.shape[1]
    found = weigh(a, b, np.full(len(b), sigma_kpa), np.ones(count), np.full(count, FRICTION_LOG_SD))
    names = [p.id for p in rows.paths.pipes]
    return _calibration("friction", rows.network.id, window, names, found, FRICTION_LOG_SD)


def calibrate_loss(
    misfit_k: Array,
    by_factor_k: Array,
    by_source: Array,
    window: tuple[datetime, datetime],
    *,
    subject: str = "",
    sigma_k: float = 0.1,
    source_sd_k: float = 1.0,
) -> Calibration:
    """Return a network's heat-loss factor from the temperatures that arrive at its consumers.

    Parameters
    ----------
    misfit_k
        Measured minus expected supply temperature at nominal losses, shape (snapshot, consumer); NaN where not measured or water
        under way disturbs it.
    by_factor_k, by_source
        How the expected temperature moves with the loss factor (K) and with the plant's supply temperature, same shape.
    window
        First and last instant of the snapshots.
    subject
        The network.
    sigma_k
        One standard deviation of what varies from snapshot to snapshot.
    source_sd_k
        How far the plant's supply temperature may be off all the time; 1 K where only its set-point is known.

    Every thermometer may be off by a constant (0.2 K); without that, a wrong thermometer would pass for insulation.
    """
    present = np.isfinite(misfit_k)
    if int(present.sum()) < FRICTION_SNAPSHOTS_MIN:
        words = f"{int(present.sum())} arrival temperatures, at least {FRICTION_SNAPSHOTS_MIN} are needed; meter some consumers"
        raise DataError([error(f"heat loss {subject}".strip(), words)])
    snapshot, consumer = np.nonzero(present)
    a = np.zeros((len(snapshot), 2 + misfit_k.shape[1]))
    a[:, 0], a[:, 1] = by_factor_k[present], by_source[present]
    a[np.arange(len(snapshot)), 2 + consumer] = 1.0
    sds = np.array([LOSS_SD, source_sd_k, *[THERMOMETER_SD_K] * misfit_k.shape[1]])
    moved, spread, rest = weigh(a, misfit_k[present], np.full(len(a), sigma_k), np.zeros(len(sds)), sds)
    found = moved[:1] + 1.0, spread[:1], rest
    return _calibration("heat_loss", subject, window, ["loss_factor"], found, LOSS_SD)


def calibrate_gains(
    meters: Mapping[str, Array],
    loss_kw: Array,
    window: tuple[datetime, datetime],
    *,
    sigma: Array,
    prior_sd: float,
    subject: str = "",
) -> Calibration:
    """Return a gain for every meter of one balance: what they read, each times its gain, adds up to the losses.

    Parameters
    ----------
    meters
        Readings by meter, shape (snapshot,), positive feeds the network.
    loss_kw, sigma
        Losses of the network, and one standard deviation of the balance, shape (snapshot,).
    window
        First and last instant of the snapshots.
    prior_sd
        How far meters of this class may be off.
    subject
        The carrier or network.

    Errors that all meters share cannot be told apart.
    """
    readings = np.array(list(meters.values())).T
    usable = _finite(f"meter gains {subject}".strip(), FRICTION_SNAPSHOTS_MIN, readings, loss_kw)
    count = readings.shape[1]
    found = weigh(readings[usable], loss_kw[usable], sigma[usable], np.ones(count), np.full(count, prior_sd))
    if found[2] > UNEXPLAINED:
        words = f"the balance is missed by {found[2]:.0f} times what meters explain; one is missing, or something feeds unmetered"
        raise DataError([error(f"meter gains {subject}".strip(), words, value=found[2], limit=UNEXPLAINED)])
    return _calibration("meter_gains", subject, window, list(meters), found, prior_sd)


def calibrate_conversion(
    nominal: Mapping[str, Array],
    measured: Mapping[str, Array],
    window: tuple[datetime, datetime],
    *,
    sigma_share: float = 0.02,
    meters_sd: float = METERS_SD,
) -> Calibration:
    """Return a factor on every characteristic: the measured port over what the unit's sheet gives for its other port.

    On a fuel or electricity port a factor above 1 means a unit that takes more than it should. Snapshots in which a unit stands are left
    out. ``meters_sd`` is what the two meters may be off all the time; no number of snapshots takes that away.
    """
    learned, squares, count = [], 0.0, 0
    for unit, expected in nominal.items():
        running = np.isfinite(expected) & np.isfinite(measured[unit]) & (np.abs(expected) > 0)
        if not running.any():
            continue
        a, b = expected[running, None], measured[unit][running]
        found = weigh(a, b, sigma_share * np.abs(b) + 1e-9, np.ones(1), np.full(1, FACTOR_SD))
        sd = min(float(np.hypot(found[1][0], meters_sd)), FACTOR_SD)
        learned.append(Learned(unit, float(found[0][0]), sd, FACTOR_SD))
        squares, count = squares + found[2] ** 2 * len(b), count + len(b)
    if not learned:
        raise DataError([error("conversion", "no unit ran while both sides were measured; wait for a running hour")])
    return Calibration("conversion", "", *window, tuple(learned), float(np.sqrt(squares / count)))


def calibrate_volume(
    predict: Callable[[float], Array],
    arriving_degc: Array,
    window: tuple[datetime, datetime],
    *,
    subject: str = "",
    sigma_k: float = 0.35,
) -> Calibration:
    """Return the factor on all pipe volumes (so on all delays) that makes predicted and measured arrival temperatures agree.

    ``predict`` returns the parcel model's temperatures for a volume factor, in the shape of ``arriving_degc`` (NaN where not measured).
    The search narrows a bracket by thirds; the standard deviation follows from how sharply the misfit rises around the best factor.
    """

    def misfit(factor: float) -> float:
        return float(np.nansum(((predict(factor) - arriving_degc) / sigma_k) ** 2))

    low, high = VOLUME_RANGE
    while high - low > 0.005:
        third = (high - low) / 3.0
        left, right = misfit(low + third), misfit(high - third)
        low, high = (low, high - third) if left < right else (low + third, high)
    best, reach = 0.5 * (low + high), 0.02
    rise = misfit(best - reach) + misfit(best + reach) - 2.0 * misfit(best)
    sd = min(float(np.sqrt(2.0 * reach**2 / rise)) if rise > 0 else VOLUME_RANGE[1] - 1.0, VOLUME_RANGE[1] - 1.0)
    rest = float(np.sqrt(misfit(best) / max(int(np.isfinite(arriving_degc).sum()), 1)))
    learned = Learned("volume", best, sd, VOLUME_RANGE[1] - 1.0)
    return Calibration("pipe_volume", subject, *window, (learned,), rest)


def _calibration(
    kind: str,
    subject: str,
    window: tuple[datetime, datetime],
    names: Sequence[str],
    found: tuple[Array, Array, float],
    prior_sd: float | Array,
) -> Calibration:
    factors, sds, rest = found
    priors = np.broadcast_to(np.asarray(prior_sd, float), factors.shape)
    learned = tuple(
        Learned(n, float(f), float(s), float(p)) for n, f, s, p in zip(names, factors, sds, priors, strict=True)
    )
    return Calibration(kind, subject, *window, learned, rest)
