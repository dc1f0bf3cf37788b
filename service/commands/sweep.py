"""``scenario sweep``: a case at many points, as tables in the terminal, as files, and as plain values."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.markup import escape
from rich.table import Table

from scenarios.cases.compare import tornado
from scenarios.cases.file import library, load_case
from scenarios.cases.results import KPIS, words_of
from scenarios.cases.sweep import (
    Kind,
    Sweep,
    begin,
    confidence,
    failures,
    gathered,
    points_of,
    run_sweep,
    run_sweep_on_dask,
)
from service.commands.screen import bar, console

SHOWN = (
    "total_cost",
    "co2_kg",
    "peak_kw",
    "import_kwh",
    "gas_kwh",
    "self_use_share",
    "unserved_kwh",
    "loading_max_share",
    "violations",
)


def sweep_case(
    path: Path,
    folder: Path,
    kind: Kind,
    *,
    count: int,
    seed: int,
    step: str | None,
    workers: int,
    dask: str | None,
    again: bool,
) -> int:
    """Run a sweep, or what is left of it, and print its figures; return 1 when a point failed."""
    case = load_case(path)
    sweep = begin(
        Sweep(str(library().get(str(path), path.resolve())), kind, points_of(case, kind, count, seed=seed), step),
        folder,
    )
    with bar() as shown:
        task = shown.add_task(f"{case.title}: {len(sweep.points)} points", total=len(sweep.points))

        def told(done: int, failed: int, total: int) -> None:
            shown.update(
                task, completed=done + failed, description=f"{case.title}: {done} of {total} done, {failed} failed"
            )

        if dask is not None:
            run_sweep_on_dask(sweep, folder, dask, progress=told)
        else:
            run_sweep(sweep, folder, workers=workers, again=again, progress=told)
    figures = gathered(sweep, folder)
    for ending, write in SWEEP_TABLES.items():
        write(figures, folder / f"sweep{ending}")
    console.print(sweep_table(figures))
    failed = failures(sweep, folder)
    for number, why in failed.items():
        console.print(f"[red]point {number}[/] {escape(why)}")
    console.print(
        f"[dim]{len(sweep.points) - len(failed)} points in {escape(str(folder))}; failed ones are run again with --again[/]"
    )
    return int(bool(failed))


def _sweep_csv(figures: xr.Dataset, path: Path) -> None:
    figures.to_dataframe().to_csv(path)


def _sweep_netcdf(figures: xr.Dataset, path: Path) -> None:
    figures.to_netcdf(path, engine="scipy")


SWEEP_TABLES = {".csv": _sweep_csv, ".nc": _sweep_netcdf}


def sweep_figures(figures: xr.Dataset) -> dict[str, Any]:
    """Return a sweep as plain values: every point with its figures, how each figure spreads, and what each parameter moves alone."""
    parameters = [str(n) for n in figures.coords if n not in ("point", "seed")]
    known = {str(n): [_known(v) for v in figures[n].to_numpy().tolist()] for n in figures.data_vars}
    points = [
        {
            "number": int(number),
            "seed": int(figures["seed"][k]),
            "values": {n: float(figures[n][k]) for n in parameters},
            "kpis": {n: values[k] for n, values in known.items() if values[k] is not None},
        }
        for k, number in enumerate(figures["point"].to_numpy())
    ]
    alone = figures.attrs["kind"] == "one_at_a_time" and "total_cost" in figures
    return {
        "kind": figures.attrs["kind"],
        "currency": figures.attrs["currency"],
        "units": {n: figures[n].attrs["unit"] for n in known},
        "points": points,
        "spread": {n: _spread(figures[n].to_numpy().tolist()) for n in known},
        "tornado": {str(n): row.to_dict() for n, row in tornado(figures).iterrows()} if alone else {},
    }


def _spread(values: list[float]) -> dict[str, float | None]:
    """Return mean with its 95 % interval, least and most; None where too few points have a result."""
    mean, low, high = confidence(values)
    known = [v for v in values if np.isfinite(v)]
    least, most = (min(known), max(known)) if known else (np.nan, np.nan)
    named = {"mean": mean, "low": low, "high": high, "least": least, "most": most}
    return {name: _known(value) for name, value in named.items()}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def sweep_table(figures: Any) -> Table:
    """Return how the main figures move over a sweep: mean with its 95 % interval, least and most, and each parameter's pull."""
    table = Table(
        title=f"{figures.attrs['kind']} over {figures.sizes['point']} points", title_justify="left", header_style="bold"
    )
    for name in ("figure", "mean", "95 % interval of the mean", "least", "most"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    currency = figures.attrs["currency"]
    for name in (n for n in SHOWN if n in figures):
        values = figures[name].to_numpy()
        mean, low, high = confidence(values.tolist())
        cells = (words_of(name, v, currency) for v in (mean, float(values.min()), float(values.max())))
        first, least, most = cells
        table.add_row(
            KPIS[name].title, first, f"{words_of(name, low, currency)} … {words_of(name, high, currency)}", least, most
        )
    if figures.attrs["kind"] == "one_at_a_time" and "total_cost" in figures:
        for parameter, row in tornado(figures).iterrows():
            table.add_row(
                f"total cost by {parameter} alone",
                "",
                "",
                f"{row['low']:+,.0f} {currency}",
                f"{row['high']:+,.0f} {currency}",
            )
    return table
