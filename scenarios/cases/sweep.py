"""Sweeps: one case at many values of its parameters, in a pool of processes or on a Dask cluster, resumable after a kill.

Every point is a folder of its own that appears whole or not at all, so a sweep that was killed goes on where it stopped, and a point
that failed stands beside the others with its reason.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.errors import DataError, JouletwinError
from models.findings import error
from models.processes import worker_pool
from scenarios.cases.case import Case, Parameter
from scenarios.cases.file import load_case, with_values
from scenarios.cases.results import KPIS, RECORD, load_record, unit_of
from scenarios.cases.run import run_case

Array = npt.NDArray[np.float64]
Kind = Literal["grid", "one_at_a_time", "latin_hypercube", "sobol", "monte_carlo"]
PLAN, FAILED = "sweep.json", "failed.json"
KILLED_TWICE = 2
"""A point whose process died so often is given up: it would take the next worker along too."""
SCHEDULER_ANSWERS_S, WORKER_COMES_S = 10, 60
Progress = Callable[[int, int, int], None]
"""Told how many points are done, how many failed, and how many there are."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a sweep: its number, the values of the parameters, the seed."""

    number: int
    values: Mapping[str, float]
    seed: int

    @property
    def name(self) -> str:
        """Name of the point's folder."""
        return f"point-{self.number:05d}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which points of which case."""

    case: str
    kind: Kind
    points: tuple[Point, ...]
    step: str | None = None
    """Length of a step where it is not the case's own."""

    def as_json(self) -> dict[str, Any]:
        """Return the sweep as plain values."""
        points = [{"number": p.number, "values": dict(p.values), "seed": p.seed} for p in self.points]
        return {"case": self.case, "kind": self.kind, "step": self.step, "points": points}


def points_of(case: Case, kind: Kind, count: int = 16, *, seed: int = 1) -> tuple[Point, ...]:
    """Return the points of a sweep over all parameters of a case.

    Parameters
    ----------
    kind
        ``grid`` every combination, ``one_at_a_time`` each parameter by itself around the defaults, ``latin_hypercube`` and ``sobol``
        ``count`` points that fill the ranges evenly, ``monte_carlo`` ``count`` points drawn evenly, each with a seed of its own.
    count
        Number of points; ``sobol`` rounds it up to a power of two. Grids ignore it.

    Raises
    ------
    DataError
        When the case has no parameter with a range, or its sweep would have no point.
    """
    ranged = {n: p for n, p in case.parameters.items() if p.values or p.low is not None}
    if not ranged and kind != "monte_carlo":
        raise DataError([error(case.name, "has no parameter with values or a range; add 'parameters' to the case")])
    rows = list(_rows(ranged, dict(case.values), kind, count, seed))
    each = kind == "monte_carlo"
    return tuple(Point(k, row, case.run.seed + k if each else case.run.seed) for k, row in enumerate(rows))


def _rows(
    ranged: Mapping[str, Parameter], defaults: dict[str, float], kind: Kind, count: int, seed: int
) -> Iterator[dict[str, float]]:
    if kind == "grid":
        for combination in product(*(tried(p) for p in ranged.values())):
            yield defaults | dict(zip(ranged, combination, strict=True))
    elif kind == "one_at_a_time":
        yield defaults
        for name, parameter in ranged.items():
            yield from (defaults | {name: v} for v in tried(parameter) if v != defaults[name])
    else:
        for row in unit_cube(kind, len(ranged), count, seed):
            yield defaults | {n: stretched(p, u) for (n, p), u in zip(ranged.items(), row.tolist(), strict=True)}


def unit_cube(kind: Kind, dims: int, count: int, seed: int) -> Array:
    """Return points in the unit cube; shape (point, dim)."""
    if dims == 0:
        return np.zeros((count, 0))
    if kind == "monte_carlo":
        return np.asarray(np.random.default_rng(seed).random((count, dims)))
    from scipy.stats import qmc  # opened here: grids need none of it

    if kind == "sobol":
        return np.asarray(qmc.Sobol(dims, rng=seed).random_base2(max(count - 1, 1).bit_length()))
    return np.asarray(qmc.LatinHypercube(dims, rng=seed).random(count))


def tried(parameter: Parameter) -> tuple[float, ...]:
    """Return the values of a parameter that a grid takes."""
    if parameter.values:
        return parameter.values
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return (parameter.default,)
    return tuple(np.linspace(low, high, parameter.steps).tolist())


def stretched(parameter: Parameter, share: float) -> float:
    """Return the value at a share of a parameter's range; of listed values, the one that the share falls into."""
    if parameter.values:
        return parameter.values[min(int(share * len(parameter.values)), len(parameter.values) - 1)]
    low, high = parameter.low, parameter.high
    return parameter.default if low is None or high is None else low + share * (high - low)


def begin(sweep: Sweep, folder: Path) -> Sweep:
    """Write down what a sweep is, or return the one that the folder already holds.

    Raises
    ------
    DataError
        When the folder holds another sweep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN
    if path.exists():
        known = load_sweep(folder)
        if known != sweep:
            words = (
                f"holds another sweep ({known.kind} of {known.case}, {len(known.points)} points); take another folder"
            )
            raise DataError([error(str(folder), words)])
        return known
    making = path.with_suffix(".making")
    making.write_text(json.dumps(sweep.as_json(), indent=1), encoding="utf-8")
    making.rename(path)
    return sweep


def load_sweep(folder: Path) -> Sweep:
    """Return the sweep that a folder holds; raises DataError when it holds none."""
    try:
        read = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        points = tuple(Point(p["number"], p["values"], p["seed"]) for p in read["points"])
        return Sweep(read["case"], read["kind"], points, read["step"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise DataError(
            [error(str(folder), f"holds no sweep that can be read ({fault}); start one with sweep")]
        ) from fault


def open_points(sweep: Sweep, folder: Path, *, again: bool = False) -> list[Point]:
    """Return the points that have no result yet; those that failed count as done unless they are to be tried ``again``."""
    return [
        p
        for p in sweep.points
        if not (folder / p.name / RECORD).exists() and (again or not (folder / p.name / FAILED).exists())
    ]


def run_sweep(
    sweep: Sweep, folder: Path, *, workers: int = 2, again: bool = False, progress: Progress | None = None
) -> None:
    """Run every open point in processes of this machine; a worker that dies is replaced and its points are run again."""
    deaths: dict[int, int] = {}
    while left := open_points(sweep, folder, again=again):
        again = False
        with worker_pool(min(workers, len(left))) as pool:
            running = {pool.submit(run_point, sweep.case, sweep.step, p, str(folder)): p for p in left}
            try:
                for ended in as_completed(running):
                    ended.result()
                    tell(sweep, folder, progress)
            except BrokenProcessPool:
                _count_deaths(sweep, folder, deaths, [p for f, p in running.items() if f.running() or not f.done()])


def _count_deaths(sweep: Sweep, folder: Path, deaths: dict[int, int], suspects: Sequence[Point]) -> None:
    """Note whose process may have died; who was there every time is given up."""
    for point in suspects or open_points(sweep, folder)[:1]:
        deaths[point.number] = deaths.get(point.number, 0) + 1
    for point in open_points(sweep, folder)[:1]:
        # the pool does not say whose worker died: the first open point was running for sure
        if deaths.get(point.number, 0) > KILLED_TWICE:
            fail(folder, point, "the process that ran it died three times (killed, or out of memory)")


def run_sweep_on_dask(sweep: Sweep, folder: Path, address: str, *, progress: Progress | None = None) -> None:
    """Run every open point on a Dask cluster whose workers see the same folder; a lost worker's points are run by another.

    Raises
    ------
    DataError
        No scheduler answers at the address, or it has no worker.
    """
    dask: Any = import_module("distributed")  # an extra: one machine needs none of it

    with _client(dask, address) as client:
        left = open_points(sweep, folder)
        sent = [
            client.submit(run_point, sweep.case, sweep.step, p, str(folder), key=f"{folder}/{p.name}", pure=False)
            for p in left
        ]
        for ended in dask.as_completed(sent):
            ended.result()
            tell(sweep, folder, progress)


def _client(dask: Any, address: str) -> Any:
    """Return a client of a cluster that has somebody to do the work: without a worker a sweep waits for ever, and says nothing."""
    try:
        client = dask.Client(address, timeout=SCHEDULER_ANSWERS_S)
    except (OSError, ValueError) as why:
        raise DataError(
            [error(address, f"no Dask scheduler answers ({why}); start one with `dask scheduler`")]
        ) from why
    try:
        client.wait_for_workers(1, timeout=WORKER_COMES_S)
    except TimeoutError as why:
        client.close()
        words = f"the Dask scheduler has had no worker for {WORKER_COMES_S} s; start one with `dask worker {address}`"
        raise DataError([error(address, words)]) from why
    return client


def tell(sweep: Sweep, folder: Path, progress: Progress | None) -> None:
    """Say how far a sweep is."""
    if progress is not None:
        left = len(open_points(sweep, folder))
        failed = sum((folder / p.name / FAILED).exists() for p in sweep.points)
        progress(len(sweep.points) - left - failed, failed, len(sweep.points))


def run_point(case_name: str, step: str | None, point: Point, folder: str) -> str:
    """Run one point and leave its result, or the reason why there is none; what a worker does."""
    place = Path(folder)
    try:
        result = run_case(at_point(load_case(case_name), point, step))
    except JouletwinError as problem:
        fail(place, point, str(problem))
        return FAILED
    result.save(place / point.name)
    return RECORD


def at_point(case: Case, point: Point, step: str | None) -> Case:
    """Return a case at one point of a sweep."""
    placed = with_values(case, point.values) if point.values else case
    options = replace(placed.run, seed=point.seed)
    return replace(placed, run=replace(options, step=step) if step else options)  # type: ignore[arg-type]


def fail(folder: Path, point: Point, why: str) -> None:
    """Write down why a point has no result."""
    place = folder / point.name
    place.mkdir(parents=True, exist_ok=True)
    making = place / f"{FAILED}.making"
    making.write_text(json.dumps({"values": dict(point.values), "seed": point.seed, "why": why}), encoding="utf-8")
    making.rename(place / FAILED)


def failures(sweep: Sweep, folder: Path) -> dict[int, str]:
    """Return why points failed, by number."""
    found = {}
    for point in sweep.points:
        path = folder / point.name / FAILED
        if path.exists() and not (folder / point.name / RECORD).exists():
            found[point.number] = str(json.loads(path.read_text(encoding="utf-8"))["why"])
    return found


def gathered(sweep: Sweep, folder: Path) -> xr.Dataset:
    """Return all figures of a sweep.

    One variable per figure with dim (point,), NaN where a point has no result; the parameters' values and seeds are coordinates along it.
    """
    names = sorted({n for p in sweep.points for n in p.values})
    table = {kpi: np.full(len(sweep.points), np.nan) for kpi in KPIS}
    currency = ""
    for k, point in enumerate(sweep.points):
        if not (folder / point.name / RECORD).exists():
            continue
        record = load_record(folder / point.name)
        currency = record["currency"]
        for kpi, value in record["kpis"].items():
            table[kpi][k] = value
    coords: dict[str, Any] = {
        "point": [p.number for p in sweep.points],
        "seed": ("point", [p.seed for p in sweep.points]),
    }
    coords |= {n: ("point", [p.values.get(n, np.nan) for p in sweep.points]) for n in names}
    data = {
        n: ("point", v, {"unit": unit_of(n, currency), "title": KPIS[n].title})
        for n, v in table.items()
        if not np.isnan(v).all()
    }
    return xr.Dataset(data, coords, {"case": sweep.case, "kind": sweep.kind, "currency": currency})


def confidence(values: Iterable[float], share: float = 0.95) -> tuple[float, float, float]:
    """Return mean and the bounds of its confidence interval (Student's t) over independent points; bounds are NaN below two points."""
    from scipy.stats import t  # opened here: grids need none of it

    known = np.array([v for v in values if np.isfinite(v)])
    mean = float(known.mean()) if len(known) else float("nan")
    if len(known) < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf(0.5 + share / 2.0, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return mean, mean - half, mean + half
