"""Training as a job: back-test every runner from rolling origins, choose per series, then learn from everything."""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.errors import DataError
from models.findings import Finding, error
from models.forecast.backtest import (
    ISSUES_PER_DAY,
    BackTest,
    Fold,
    best_of,
    consecutive,
    corrected,
    error_by_lead,
    mean_error,
    nan_mean,
    pairs,
    pick,
)
from models.forecast.bands import Spread, calibrate, usual_size
from models.forecast.calendar import WorkCalendar, country_of
from models.forecast.candidates import (
    BASELINES,
    DAY,
    LAST,
    RACE,
    Learned,
    answers,
    learn,
)
from models.forecast.clean import LEARNING_DAYS, SHORT_DAYS, Cleaned, clean
from models.forecast.features import World, features, scales
from models.forecast.grid import PER_DAY, Array, LocalTime, Quarters
from models.forecast.recent import Memory, remember
from models.forecast.weather import Sun, WeatherService
from models.site import Site

FOLDS = (0.55, 0.78, 1.0)
"""Where each back-test ends, as a share of the history."""
TEST_DAYS = 14
WARM_DAYS = 28
"""Days behind the start of a history that only feed the usual day."""
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Trained:
    """Everything a forecaster needs besides the history of the last weeks."""

    names: tuple[str, ...]
    chosen: tuple[str, ...]
    country: str
    learned: Learned | None
    memory: Memory
    spread: Spread
    test: BackTest
    findings: tuple[Finding, ...]
    until: int
    """The first quarter-hour that was not seen in training."""

    def skill(self) -> Array:
        """Return by which part the choice is better than the better of yesterday and last week; 0 is no better; shape (series,)."""
        naive = np.fmin(self.test.error[DAY], self.test.error["last week"])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(naive > 0, 1.0 - self.test.chosen_error / naive, 0.0)


@dataclass
class Trainer:
    """Trains on a history; ``service`` is the weather service whose old issues can be asked for."""

    site: Site
    table: Quarters
    service: WeatherService
    seed: int = 0
    cleaned: Cleaned = field(init=False)

    def __post_init__(self) -> None:
        self.cleaned = clean(self.table)

    def train(self) -> Trained:
        """Back-test, choose, calibrate, and learn from the whole history."""
        table = self.cleaned.table
        world = self._world(self._country())
        days = table.values.shape[1] // PER_DAY
        folds = list(self._folds(world)) if days >= SHORT_DAYS + 2 else []
        if not folds:
            return self._untested(world)
        race = {r: self._remembering(folds, r) for r in RACE if folds[-1].race.get(r) is not None}
        chosen = self._choice(folds, {r: error for r, (_, error) in race.items()})
        memory = Memory(np.array([race[r][0].weights[k] for k, r in enumerate(chosen)]))
        chosen, memory = self._never_worse(self._tested(folds, chosen, memory), chosen, memory)
        test = self._tested(folds, chosen, memory)
        spread = self._spread(world, folds, chosen, memory)
        learned = self._learn(world, table.first + WARM_DAYS * PER_DAY, table.end) if days >= LEARNING_DAYS else None
        return Trained(
            table.names, chosen, world.calendar.country, learned, memory, spread, test, self.cleaned.findings, table.end
        )

    def _world(self, country: str) -> World:
        return world_of(self.site, self.cleaned.table, self.service, country)

    def _country(self) -> str:
        """Return the country whose holidays explain this history better than weekends alone do, "" where none does."""
        zone = self.site.location.time_zone
        country = country_of(zone)
        table = self.cleaned.table
        numbers = np.arange(table.first + WARM_DAYS * PER_DAY, table.end, 4)
        special = numbers[WorkCalendar(zone, country).special(numbers)] if country and len(numbers) else numbers[:0]
        if len(special) < PER_DAY:
            return ""
        issued = special - (special - table.first) % PER_DAY
        truth, size = table.at(special), scales(table)[:, None]
        off = {}
        for choice in (country, ""):
            usual = features(table, self._world(choice), issued, special).usual
            off[choice] = float(np.nanmean(np.abs(usual - truth) / size))
        return min(off, key=lambda c: off[c])

    def _folds(self, world: World) -> Iterator[Fold]:
        """Yield back-tests whose models have seen nothing at or behind their start."""
        table = self.cleaned.table
        days = table.values.shape[1] // PER_DAY
        test_days = min(TEST_DAYS, max((days - 7) // 2, 1))
        ends = FOLDS if days >= 2 * LEARNING_DAYS else FOLDS[-1:]
        for share in ends:
            end = table.first + int(share * days) * PER_DAY
            start = end - test_days * PER_DAY
            yield self._fold(world, start, end)

    def _fold(self, world: World, start: int, end: int) -> Fold:
        table = self.cleaned.table
        enough = start - table.first >= LEARNING_DAYS * PER_DAY
        learned = self._learn(world, table.first + WARM_DAYS * PER_DAY, start) if enough else None
        issued, target = pairs(np.arange(start, end, PER_DAY // ISSUES_PER_DAY), 1)
        inside = target < end
        issued, target = issued[inside], target[inside]
        known = features(table, world, issued, target)
        return Fold(issued, target, table.at(target), answers(known, table.names, learned))

    def _learn(self, world: World, first: int, end: int) -> Learned:
        """Return models learned from the targets ``first <= t < end``, forecast from the day before."""
        table = self.cleaned.table
        issues = np.arange(first, end - PER_DAY + 1, PER_DAY)
        rng = np.random.default_rng(self.seed)
        issued, target = pairs(issues + 24 * rng.integers(-1, 2, len(issues)), 4)
        inside = target < end
        known = features(table.before(end), world, issued[inside], target[inside])
        classes = [class_of(n) for n in table.names]
        return learn(known, table.at(target[inside]), scales(table.before(end)), classes, self.seed)

    def _spread(self, world: World, folds: Sequence[Fold], chosen: tuple[str, ...], memory: Memory) -> Spread:
        """Return how far the choice was off, over what is usual at the same time of day."""
        size, scores, leads = scales(self.cleaned.table), [], []
        for fold in folds:
            base = pick(fold.race, chosen)
            run = consecutive(fold, fold.truth - base)
            first = int(fold.target.min())
            usual = usual_size(run, world.local.slot(np.arange(first, first + run.shape[1])), size)
            scores.append(corrected(fold, base, memory) / usual[:, world.local.slot(fold.target)])
            leads.append(fold.target - fold.issued)
        return calibrate(np.concatenate(scores, axis=1), np.concatenate(leads), LEVELS)

    def _remembering(self, folds: Sequence[Fold], runner: str) -> tuple[Memory, Array]:
        """Return how a runner's errors last, and what it is off by when the latest are taken in; inf where it says nothing.

        A lead at which the latest errors do not help is left without them.
        """
        chosen = (runner,) * len(self.cleaned.table.names)
        told = [f for f in folds if runner in f.race]
        runs = [consecutive(f, f.truth - pick(f.race, chosen)) for f in told]
        length = min(r.shape[1] for r in runs)
        memory = remember(np.array([r[:, :length] for r in runs]))
        with_it, without = (error_by_lead(told, chosen, m) for m in (memory, Memory(np.zeros_like(memory.weights))))
        memory = Memory(np.where((with_it < without)[:, :, None], memory.weights, 0.0))
        error = nan_mean(np.fmin(with_it, without))
        return memory, np.where(np.isfinite(mean_error(folds, runner)), error, np.inf)

    def _choice(self, folds: Sequence[Fold], error: Mapping[str, Array]) -> tuple[str, ...]:
        """Return the best runner of every series; after a step in its level the best of the last value and yesterday."""
        late = {r: mean_error(folds[-1:], r) for r in (LAST, DAY)}
        chosen = []
        for k, name in enumerate(self.cleaned.table.names):
            chosen.append(best_of(late if name in self.cleaned.stepped else error, k))
        return tuple(chosen)

    def _never_worse(self, test: BackTest, chosen: tuple[str, ...], memory: Memory) -> tuple[tuple[str, ...], Memory]:
        """Return the choice, and a plain baseline where nothing beats it."""
        weights = memory.weights.copy()
        final = list(chosen)
        for k, runner in enumerate(chosen):
            if test.chosen_error[k] > test.error[runner][k]:
                weights[k] = 0.0
            best = best_of({b: test.error[b] for b in BASELINES}, k)
            if min(test.error[runner][k], test.chosen_error[k]) > test.error[best][k]:
                final[k], weights[k] = best, 0.0
        return tuple(final), Memory(weights)

    def _tested(self, folds: Sequence[Fold], chosen: tuple[str, ...], memory: Memory) -> BackTest:
        errors = [np.abs(corrected(f, pick(f.race, chosen), memory)) for f in folds]
        every = np.concatenate(errors, axis=1)
        local = LocalTime(self.site.location.time_zone)
        hours = np.concatenate([local.slot(f.target) // 4 for f in folds])
        days = sum(len(np.unique(f.target)) for f in folds) // PER_DAY
        return BackTest(
            {r: mean_error(folds, r) for r in RACE},
            nan_mean(every),
            error_by_lead(folds, chosen, memory),
            np.array([nan_mean(every, hours == h) for h in range(24)]).T,
            days,
        )

    def _untested(self, world: World) -> Trained:
        """Return a forecaster for a history too short for any test: the last value, or yesterday where there is one."""
        table = self.cleaned.table
        nothing = np.full(len(table.names), np.nan)
        days = table.values.shape[1] // PER_DAY
        runner = DAY if days >= 2 else LAST
        flat = np.linspace(-1.0, 1.0, len(LEVELS))
        spread = Spread(LEVELS, np.broadcast_to(flat, (len(table.names), 4, len(LEVELS))).copy())
        test = BackTest(
            dict.fromkeys(RACE, nothing),
            nothing,
            np.full((len(nothing), PER_DAY), np.nan),
            np.full((len(nothing), 24), np.nan),
            0,
        )
        memory = Memory(np.zeros((len(table.names), PER_DAY, 2)))
        chosen = (runner,) * len(table.names)
        return Trained(
            table.names, chosen, world.calendar.country, None, memory, spread, test, self.cleaned.findings, table.end
        )


def world_of(site: Site, table: Quarters, service: WeatherService, country: str) -> World:
    """Return what surrounds the series of a site; loads follow the first outdoor temperature among them."""
    zone = site.location.time_zone
    air = next((n for n in table.names if n.endswith("_degc")), None)
    return World(LocalTime(zone), WorkCalendar(zone, country), service, Sun(site), air)


def class_of(name: str) -> str:
    """Return the class a series is learned with: the carrier that its name begins with."""
    return name.split("_")[0]


def save_trained(trained: Trained, path: Path) -> None:
    """Keep what was learned in a file of this program's own; a reader never sees half of it."""
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(trained))
    part.replace(path)


def load_trained(path: Path) -> Trained:
    """Return what was kept; read only files that this program wrote: reading runs what is in them.

    Raises
    ------
    DataError
        If the file holds something else.
    """
    found = pickle.loads(path.read_bytes())  # noqa: S301 - a file of our own, never one that came in
    if not isinstance(found, Trained):
        raise DataError([error(str(path), "the file holds no trained forecaster; remove it and train again")])
    return found
