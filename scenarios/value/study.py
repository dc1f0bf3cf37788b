"""The value study: every operator over every stretch, each result kept as a file, so that a study can be stopped and goes on."""

import gc
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import asdict, replace
from datetime import timedelta
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from hil.emulators.deviations import deviated
from models.actuals import Actuals
from models.forecast import Forecast
from models.forecast.naive import Forecaster, NaiveForecaster, PerfectForecaster
from models.forecast.netload import cautiously
from models.forecast.own import OwnForecaster
from models.horizon import Horizon
from models.processes import worker_pool
from models.site import Site
from models.site.file import load_site
from scenarios.learning import own_forecaster
from scenarios.metered import emulated_days
from scenarios.planners import Optimizer
from scenarios.rules import Rule
from scenarios.tuning import tune
from scenarios.value.run import STEP_S, Bench, Outcome, run_foresight, run_loop, run_rule
from scenarios.value.variants import COMMON, FORESIGHT, WEEKS, Stretch, Variant
from twin.calibrate import Calibration
from twin.calibrated import calibrated
from twin.learn import learn, observe

CALIBRATED_DAYS = 1
Progress = Callable[[Outcome], None]
GARBAGE_EVERY = 200_000
METHOD = "3"
"""Part of every kept result's name: another one as soon as the loop, the rules or the plant do something else."""


class Shelf:
    """Results as files in a folder, one per operator and stretch, named after what they depend on."""

    def __init__(self, folder: Path, site_file: Path, seed: int, step_s: float) -> None:
        self.folder = folder
        self._mark = blake2b(f"{METHOD}/{site_file.read_text()}/{seed}/{step_s}".encode(), digest_size=4).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, stretch: Stretch, variant: Variant) -> Path:
        """Return where a result is kept."""
        what = blake2b(repr((stretch, variant)).encode(), digest_size=4).hexdigest()
        name = f"{stretch.name} {variant.name}".replace(",", "").replace(" ", "-")
        return self.folder / f"{name}-{self._mark}{what}.json"

    def calibrations(self, stretch: Stretch) -> tuple[Calibration, ...] | None:
        """Return what was learned about the plant before a stretch, None where nothing is kept."""
        path = self._learned_path(stretch)
        return tuple(Calibration.from_json(line) for line in path.read_text().splitlines()) if path.exists() else None

    def keep_calibrations(self, stretch: Stretch, found: Iterable[Calibration]) -> None:
        """Write what was learned, one calibration a line."""
        self._learned_path(stretch).write_text("".join(f"{c.to_json()}\n" for c in found))

    def _learned_path(self, stretch: Stretch) -> Path:
        return self.folder / f"{stretch.name}-{self._mark}.calibration".replace(" ", "-")

    def read(self, stretch: Stretch, variant: Variant) -> Outcome | None:
        """Return a kept result, None where there is none."""
        path = self.path(stretch, variant)
        return outcome_of(json.loads(path.read_text())) if path.exists() else None

    def keep(self, stretch: Stretch, variant: Variant, outcome: Outcome) -> None:
        """Write a result; a reader never sees half of it."""
        path = self.path(stretch, variant)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(as_json(outcome)))
        part.replace(path)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain values; series rounded to a tenth of a kW or of a per mille."""
    plain = asdict(replace(outcome, series={}))
    return plain | {"series": {k: np.round(v, 4).tolist() for k, v in outcome.series.items()}}


def outcome_of(plain: Mapping[str, Any]) -> Outcome:
    """Return an outcome from its plain values."""
    series = {k: np.array(v, dtype=float) for k, v in plain["series"].items()}
    return Outcome(**{**plain, "series": series, "faults": tuple(plain["faults"])})


class StretchWork:
    """One stretch with everything its operators share, made when it is first asked for."""

    def __init__(self, site_file: Path, stretch: Stretch, seed: int, step_s: float, shelf: Shelf) -> None:
        self.bench = Bench(load_site(site_file), stretch, seed, step_s)
        self.shelf = shelf
        self.actuals = Actuals(self.bench.site, seed)

    @property
    def site(self) -> Site:
        """The site as its file states it."""
        return self.bench.site

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Both rules as they would have been set up after the week before."""
        common, tuned = tune(self.site, self.actuals, self.bench.period.start)
        return {"common rule": common, "tuned rule": tuned}

    @cached_property
    def optimizer(self) -> Optimizer:
        """The planner, its solver in a process of its own."""
        return Optimizer(deadline_s=900.0)

    def close(self) -> None:
        """End the solver's process."""
        if "optimizer" in self.__dict__:
            self.optimizer.close()

    def outcome(self, variant: Variant) -> Outcome:
        """Return the kept result of an operator, or run it and keep that."""
        stretch = self.bench.stretch
        found = self.shelf.read(stretch, variant)
        if found is None:
            found = self._run(variant)
            self.shelf.keep(stretch, variant, found)
        return found

    def _run(self, variant: Variant) -> Outcome:
        if variant.kind in self.rules_kinds:
            naive = NaiveForecaster(self.site, self.actuals)
            return run_rule(self.bench, variant, self.rules[variant.kind], naive)
        if variant.kind == "perfect foresight":
            return run_foresight(self.bench, variant, self._losses(), self.optimizer)
        known = self.outcome(FORESIGHT).peak_kw if variant.floor == "known" else 0.0
        forecaster, model = self.forecaster(variant), self.model(variant)
        return run_loop(self.bench, variant, forecaster, self.optimizer, model=model, known_peak_kw=known)

    def model(self, variant: Variant) -> Site:
        """Return the site as a loop's planner believes it to be."""
        if variant.plans_with == "plant":
            return deviated(self.site, self.bench.seed)[0]
        return self.calibrated if variant.plans_with == "calibrated" else self.site

    @cached_property
    def calibrated(self) -> Site:
        """The site with what a day of meters before the stretch teaches about its units and pipes."""
        stretch = self.bench.stretch
        found = self.shelf.calibrations(stretch)
        if found is None:
            first = stretch.first - timedelta(days=CALIBRATED_DAYS)
            days = emulated_days(self.site, first, CALIBRATED_DAYS, self.bench.seed)
            found = learn(self.site, observe(self.site, days)).calibrations
            self.shelf.keep_calibrations(stretch, found)
        return calibrated(self.site, found)

    rules_kinds = ("common rule", "tuned rule")

    def _losses(self) -> dict[str, Any]:
        """Return what the networks lost under the common rule: they hardly depend on who operates."""
        series = self.outcome(COMMON).series
        prefix, unit = "losses_", "_kw"
        return {k[len(prefix) : -len(unit)]: v for k, v in series.items() if k.startswith(prefix)}

    def forecaster(self, variant: Variant) -> Forecaster:
        """Return what a loop expects."""
        if variant.expects == "perfect":
            return PerfectForecaster(self.actuals)
        if variant.expects == "naive":
            return NaiveForecaster(self.site, self.actuals)
        own = self.own()
        if variant.expects == "own":
            return own
        perfect = PerfectForecaster(self.actuals)
        return Switched(perfect, own) if variant.expects == "perfect now, own beyond" else Switched(own, perfect)

    def own(self) -> OwnForecaster:
        """Return the forecaster that has learned from the year without this stretch; all seasonal weeks are left out of one training."""
        stretch = self.bench.stretch
        left_out = WEEKS if any(w.holds(stretch) for w in WEEKS) else (stretch,)
        unseen = tuple(s.period(self.site) for s in left_out)
        return own_forecaster(self.site, self.bench.seed, self.actuals, unseen, self.shelf.folder)


class Switched:
    """One forecaster for the present quarter-hour, another one for everything behind it."""

    def __init__(self, now: Forecaster, beyond: Forecaster) -> None:
        self.now, self.beyond = now, beyond

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the far forecast with the first step of the near one."""
        return self._joined(*(f.forecast(horizon, present) for f in (self.now, self.beyond)))

    def cautious(self, horizon: Horizon) -> Forecast:
        """Return the same on the safe side of a peak, as far as its forecasters know how sure they are."""
        return self._joined(*(cautiously(f, horizon) for f in (self.now, self.beyond)))

    def _joined(self, near: Forecast, far: Forecast) -> Forecast:
        near_values = near.values.sel(series=far.values["series"])
        first = near_values.isel(time=slice(0, 1))
        values = xr.concat([first, far.values.isel(time=slice(1, None))], "time")
        return replace(far, values=values, source=f"{near.source}, then {far.source}")


def run_study(
    site_file: Path,
    stretches: Iterable[Stretch],
    variants: Iterable[Variant],
    folder: Path,
    *,
    seed: int = 1,
    step_s: float = STEP_S,
    workers: int = 2,
    progress: Progress = lambda _: None,
) -> list[Outcome]:
    """Return the outcome of every operator on every stretch; what the folder holds already is not run again.

    Each process takes one stretch with some of its operators; ``progress`` is told every outcome as its process ends.
    """
    jobs = [(s, tuple(v)) for s in stretches for v in portions(tuple(variants))]
    # threads of several processes would wait for one another, busily; read by what the children import
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: list[Outcome] = []
    with worker_pool(min(workers, len(jobs))) as pool:
        running = [pool.submit(outcomes_of, site_file, s, v, folder, seed, step_s) for s, v in jobs]
        for ended in as_completed(running):
            for outcome in ended.result():
                found.append(outcome)
                progress(outcome)
    return found


def portions(variants: tuple[Variant, ...]) -> Iterator[list[Variant]]:
    """Yield the operators that go to one process: rules with the bound that needs their losses, every loop by itself."""
    quick = [v for v in variants if v.kind != "loop"]
    if quick:
        yield quick
    yield from ([v] for v in variants if v.kind == "loop")


def outcomes_of(
    site_file: Path, stretch: Stretch, variants: tuple[Variant, ...], folder: Path, seed: int, step_s: float
) -> list[Outcome]:
    """Return the outcomes of some operators on one stretch; what a worker process does."""
    shelf = Shelf(folder, site_file, seed, step_s)
    work = StretchWork(site_file, stretch, seed, step_s, shelf)
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
    try:
        return [work.outcome(v) for v in variants]
    finally:
        work.close()
