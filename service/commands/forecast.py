"""``forecast``: what every series of a site will be, how sure that is, and what stands behind it."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from models.actuals import Actuals
from models.errors import SetupError
from models.findings import Severity
from models.forecast.archive import ForecastArchive
from models.forecast.drift import drifted
from models.forecast.own import Bands, OwnForecaster
from models.forecast.training import LEVELS
from models.horizon import Horizon, quarter_start, require_utc
from models.site import Site
from models.site.file import load_site
from models.tariffs.time_of_use import calendar_month
from scenarios.learning import own_forecaster
from service.commands.files import require_writable, write_as
from service.commands.screen import console, findings_table
from service.pictures.forecasts import fan_charts
from service.pictures.sheet import DPI, ENDINGS
from service.series_names import figure_words, series_words

SHOWN = 8
"""So many series are drawn: the largest of each kind first."""


def show_forecast(
    site_file: Path, at: datetime, hours: int, *, seed: int, out: Path | None, plot: Path | None, archive: Path | None
) -> int:
    """Forecast every series of an emulated site from an instant on, print the table; return 1 when the drift alarm goes off."""
    require_writable(out, WRITERS)
    require_writable(plot, ENDINGS, option="--plot")
    site = load_site(site_file)
    forecaster, bands = bands_at(site, at, hours, seed)
    if archive is not None:
        ForecastArchive(archive).keep(bands)
    if out is not None:
        write_as(WRITERS, bands, out)
    if plot is not None:
        draw(site, seed, bands, plot)
    console.print(forecast_table(forecaster, bands))
    said = [f for f in forecaster.trained.findings if f.severity is not Severity.INFO]
    alarms = drifted(forecaster)
    if said or alarms:
        console.print(findings_table([*said, *alarms], "What the forecaster says of its data"))
    return 1 if alarms else 0


def bands_at(site: Site, at: datetime, hours: int, seed: int) -> tuple[OwnForecaster, Bands]:
    """Return a trained forecaster and its forecast of so many hours from the quarter-hour around an instant on."""
    start = quarter_start(require_utc(at))
    forecaster = forecaster_at(site, seed, start)
    return forecaster, forecaster.bands(Horizon.uniform(start, start + timedelta(hours=hours)), levels=LEVELS)


def forecaster_at(site: Site, seed: int, start: datetime) -> OwnForecaster:
    """Return a forecaster that has not seen the local month around an instant in training.

    Raises
    ------
    SetupError
        If the site has no profiles to learn from.
    """
    if site.profiles is None:
        raise SetupError(
            f"{site.name} names no profiles, so there is nothing to learn from; add profiles to the site file"
        )
    month = calendar_month(start, site.location.time_zone)
    return own_forecaster(site, seed, Actuals(site, seed), (month,))


def forecast_table(forecaster: OwnForecaster, bands: Bands) -> Table:
    """Return the forecast by series: first value, range, how wide the 80 % band is, who forecasts, and its skill."""
    trained, skill = forecaster.trained, forecaster.trained.skill()
    words = (
        f"Forecast, {bands.forecast.source}; band: mean width of the one that holds 80 %; "
        "skill: % better than the better of yesterday and last week in the back-test"
    )
    table = Table(
        title=words,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("series", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for head in ("first", "mean", "most", "band"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("by", no_wrap=True)
    table.add_column("skill", justify="right", no_wrap=True)
    values = bands.forecast.values.to_numpy()
    low, high = (bands.values.sel(quantile=q).to_numpy() for q in (0.1, 0.9))
    for row, name in enumerate(trained.names):
        own = values[row]
        figures = (own[0], own.mean(), own.max(), float(np.mean(high[row] - low[row])))
        told = "-" if not np.isfinite(skill[row]) else f"{100 * skill[row]:.0f}"
        table.add_row(*series_words(name), *map(figure_words, figures), trained.chosen[row], told)
    return table


def draw(site: Site, seed: int, bands: Bands, path: Path) -> None:
    """Draw the fan of the largest series of each kind beside what the emulated site will really do."""
    actual = Actuals(site, seed).means(bands.forecast.horizon)
    names = largest(bands)
    known = {n: actual.sel(series=n).to_numpy() for n in names}
    fan_charts(bands, known, names, site.location.time_zone).savefig(path, dpi=DPI)


def largest(bands: Bands) -> list[str]:
    """Return the largest series of each kind, by the first word of their names, then the next ones."""
    values = bands.forecast.values.mean("time").to_numpy()
    means = pd.Series(values, index=[str(n) for n in bands.forecast.values["series"].to_numpy()])
    means = means.sort_values(ascending=False)
    kinds = pd.Series([n.split("_")[0] for n in means.index], index=means.index)
    order = kinds.groupby(kinds).cumcount().sort_values(kind="stable").index
    return [str(n) for n in order[:SHOWN]]


def _csv(bands: Bands, path: Path) -> None:
    frame = bands.values.to_series().unstack("quantile")
    frame.columns = pd.Index([f"q{q:g}" for q in frame.columns])
    frame.insert(0, "forecast", bands.forecast.values.to_series())
    frame.reset_index().to_csv(path, index=False)


def _json(bands: Bands, path: Path) -> None:
    frame = bands.forecast.values.transpose("series", "time")
    path.write_text(
        json.dumps(
            {
                "made_at": bands.forecast.made_at.isoformat(),
                "source": bands.forecast.source,
                "time": [e.isoformat() for e in bands.forecast.horizon.edges[:-1]],
                "series": {
                    str(s): frame.sel(series=s).to_numpy().round(4).tolist() for s in frame["series"].to_numpy()
                },
                "quantiles": {
                    f"{q:g}": {
                        str(s): bands.values.sel(series=s, quantile=q).to_numpy().round(4).tolist()
                        for s in frame["series"].to_numpy()
                    }
                    for q in np.asarray(bands.values["quantile"], dtype=float).tolist()
                },
            }
        )
    )


def _netcdf(bands: Bands, path: Path) -> None:
    table = bands.values.rename("quantiles").to_dataset().assign(forecast=bands.forecast.values.rename("forecast"))
    table.attrs = {"made_at": bands.forecast.made_at.isoformat(), "source": bands.forecast.source}
    table.to_netcdf(path, engine="scipy")


WRITERS = {".csv": _csv, ".json": _json, ".nc": _netcdf}
