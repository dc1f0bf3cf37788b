"""``backtest``: what each way of forecasting would have been off by, which one is used, and how errors grow."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from models.actuals import Actuals
from models.forecast.candidates import RACE
from models.forecast.features import scales
from models.forecast.grid import Array, read_quarters
from models.forecast.training import Trained
from models.site.file import load_site
from scenarios.day import local_day
from scenarios.learning import emulated_weather, learned, profile_year
from service.commands.files import require_writable, write_as
from service.commands.screen import console, findings_table
from service.pictures.forecasts import error_charts
from service.pictures.sheet import DPI, ENDINGS
from service.series_names import series_words

SHORT = dict(zip(RACE, ("last", "day", "week", "usual", "given", "ridge", "boost", "blend"), strict=True))


def show_backtest(
    site_file: Path, *, seed: int, unseen: date | None, days: int, out: Path | None, plot: Path | None
) -> int:
    """Train on a site's year, print the race of every series; ``unseen`` keeps some days from the first on out of it."""
    require_writable(out, WRITERS)
    require_writable(plot, ENDINGS, option="--plot")
    site = load_site(site_file)
    periods = () if unseen is None else tuple(local_day(site, unseen + timedelta(days=k)) for k in range(days))
    trained = learned(site, seed, periods, emulated_weather(site, seed))
    size = scales(read_quarters(Actuals(site, seed), *profile_year(site)))
    console.print(race_table(trained, size))
    console.print(summary(trained))
    if trained.findings:
        console.print(findings_table(trained.findings, "What the forecaster says of its data"))
    if out is not None:
        write_as(WRITERS, (trained, size), out)
    if plot is not None:
        error_charts(trained, size).savefig(plot, dpi=DPI)
    return 0


def race_table(trained: Trained, size: Array) -> Table:
    """Return mean absolute errors by series and runner, percent of each series' mean, the chosen one with its skill."""
    title = (
        "Back-test, a day ahead: mean absolute error, % of the mean; used: with the latest errors taken in; skill in %"
    )
    table = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("series", no_wrap=True)
    for head in (*SHORT.values(), "used", "skill"):  # "given": a weather service's own word
        table.add_column(head, justify="right", no_wrap=True)
    skill = trained.skill()
    for k, name in enumerate(trained.names):
        cells = []
        for runner in RACE:
            value = 100 * trained.test.error[runner][k] / size[k]
            text = _percent(value)
            cells.append(f"[bold]{text}[/]" if runner == trained.chosen[k] else text)
        used = 100 * trained.test.chosen_error[k] / size[k]
        table.add_row(series_words(name)[0], *cells, _percent(used), f"{100 * skill[k]:.0f}")
    return table


def _percent(value: float) -> str:
    """Return an error in two digits: eight of them stand on a line of 80 characters."""
    return "-" if not np.isfinite(value) else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def summary(trained: Trained) -> str:
    """Return what the choice comes to, in a sentence."""
    skill = trained.skill()
    better = int((skill > 0.005).sum())
    calendar = (
        f"holidays of {trained.country}" if trained.country else "weekends alone: no holidays show in this history"
    )
    return (
        f"{better} of {len(trained.names)} series are forecast better than by yesterday or last week, {len(trained.names) - better} as well; "
        f"{trained.test.days} days tested. Calendar: {calendar}."
    )


def _json(found: tuple[Trained, Array], path: Path) -> None:
    trained, size = found
    test, skill = trained.test, trained.skill()
    rows = [
        {
            "series": name,
            "chosen": trained.chosen[k],
            "error": float(test.chosen_error[k]),
            "mean_size": float(size[k]),
            "skill": float(skill[k]),
            "race": {r: float(e[k]) for r, e in test.error.items() if np.isfinite(e[k])},
            "by_lead": test.by_lead[k].round(5).tolist(),
            "by_hour": test.by_hour[k].round(5).tolist(),
        }
        for k, name in enumerate(trained.names)
    ]
    path.write_text(json.dumps({"days": test.days, "country": trained.country, "series": rows}))


WRITERS = {".json": _json}
