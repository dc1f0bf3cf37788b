"""Pictures of forecasts: the fan of what may come, and how errors grow with the lead and move through the day."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure

from models.forecast.own import Bands
from models.forecast.training import Trained
from service.series_names import series_words

Array = npt.NDArray[np.float64]
LINE, FAN, TRUTH = "#0b6e99", "#9ecbe0", "#222222"
COLUMNS = 2


def fan_charts(bands: Bands, actual: Mapping[str, Array], names: Sequence[str], time_zone: str) -> Figure:
    """Return one fan per series: quantiles as shades, the forecast as a line, and what came, where it is known."""
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(11.0, 2.5 * rows + 0.6), layout="constrained")
    made_at = bands.forecast.made_at.astimezone(ZoneInfo(time_zone))
    figure.suptitle(f"Forecast made at {made_at:%Y-%m-%d %H:%M}, local times ({time_zone})", fontsize=11)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    times = pd.DatetimeIndex(bands.forecast.horizon.times).tz_localize("UTC").tz_convert(time_zone).tz_localize(None)
    for ax, name in zip(axes, names, strict=False):
        _fan(ax, bands, name, times, actual.get(name))
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    axes[0].legend(fontsize=7, frameon=False)
    return figure


def _fan(ax: Axes, bands: Bands, name: str, times: pd.DatetimeIndex, actual: Array | None) -> None:
    quantiles = bands.values.sel(series=name).transpose("quantile", "time").to_numpy()
    levels = np.asarray(bands.values["quantile"], dtype=float)
    half = len(levels) // 2
    for k in range(half):
        words = f"{levels[-1 - k] - levels[k]:.0%} of what may come" if k in (0, half - 1) else None
        ax.fill_between(times, quantiles[k], quantiles[-1 - k], color=FAN, alpha=0.3, linewidth=0, label=words)
    ax.plot(times, bands.forecast.values.sel(series=name).to_numpy(), color=LINE, linewidth=1.4, label="forecast")
    if actual is not None:
        ax.plot(times, actual, color=TRUTH, linewidth=0.8, label="came")
    words, unit = series_words(name)
    ax.set_title(words, fontsize=9, loc="left")
    ax.set_ylabel(unit, fontsize=8)
    ax.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call] # matplotlib leaves it untyped
    _plain(ax)


def error_charts(trained: Trained, size: Array) -> Figure:
    """Return the back-test's errors by lead and by hour of the day, as a share of each series' mean size, by class of series."""
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    by_lead, by_hour = figure.subplots(1, 2)
    classes = sorted({n.split("_")[0] for n in trained.names})
    for name in classes:
        rows = [k for k, n in enumerate(trained.names) if n.split("_")[0] == name]
        lead, hour = (
            np.nanmean(t[rows] / size[rows, None], axis=0) for t in (trained.test.by_lead, trained.test.by_hour)
        )
        by_lead.plot((np.arange(len(lead)) + 1) / 4.0, 100 * lead, label=name, linewidth=1.3)
        by_hour.plot(np.arange(24) + 0.5, 100 * hour, label=name, linewidth=1.3)
    by_lead.set_xlabel("lead, h")
    by_hour.set_xlabel("hour of the local day")
    for ax in (by_lead, by_hour):
        ax.set_ylabel("mean absolute error, % of the mean")
        ax.set_ylim(bottom=0)
        _plain(ax)
    by_hour.legend(fontsize=8, frameon=False, ncols=2)
    figure.suptitle(f"Back-test over {trained.test.days} days from rolling origins", fontsize=11)
    return figure


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.25, linewidth=0.6)
