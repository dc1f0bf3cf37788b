"""Pictures of customers: a year by hour and day, typical days, the load over the weather, and what was saved."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from customers.efficiency.savings import Savings
from customers.features.table import FeatureTable
from customers.intervals.clock import clock_of
from customers.intervals.series import MeterTable
from customers.portraits.customer import CustomerPortrait

LINE, OTHER, FAINT = "#0b6e99", "#d97a2b", "#9ecbe0"
MONTHS = "JFMAMJJASOND"
WRAP = 165


def portrait_sheet(portrait: CustomerPortrait, table: MeterTable, features: FeatureTable, row: int) -> Figure:
    """Return one customer's sheet: heat map, typical days, load over temperature, and the portrait in words."""
    figure = Figure(figsize=(11.7, 8.3), layout="constrained")
    figure.suptitle(f"{portrait.customer}: {portrait.segment} ({portrait.sureness.grade})", fontsize=12)
    grid = figure.add_gridspec(3, 2, height_ratios=[2.7, 2.5, 2.8])
    heat_map(figure.add_subplot(grid[0, :]), table, row)
    typical_days(figure.add_subplot(grid[1, 0]), features, row)
    over_weather(figure.add_subplot(grid[1, 1]), features, row)
    words = figure.add_subplot(grid[2, :])
    words.axis("off")
    lines = [*portrait.energy, *portrait.asset, *portrait.business, portrait.sureness.words]
    text = "\n".join("\n   ".join(wrap(f"· {line}", WRAP)) for line in lines)
    words.text(0.0, 1.0, text, va="top", fontsize=7.8, linespacing=1.4, transform=words.transAxes)
    return figure


def heat_map(ax: Axes, table: MeterTable, row: int) -> None:
    """Draw a year: local days from left to right, the time of day upwards, power in colour; white where nothing is known."""
    clock = clock_of(table)
    power = np.full((clock.per_day, clock.days), np.nan)
    power[clock.slot, clock.day] = table.energy_kwh[row] / table.step_h
    days = clock.date.astype("datetime64[D]").astype(float)
    drawn = ax.imshow(
        power,
        aspect="auto",
        origin="lower",
        cmap="viridis",
        extent=(days[0], days[-1] + 1, 0, 24),
        interpolation="none",
    )
    ax.xaxis_date()
    ax.set_yticks(range(0, 25, 6))
    ax.set_ylabel("local hour", fontsize=8)
    ax.tick_params(labelsize=8)
    assert ax.figure is not None  # noqa: S101 - made by a figure
    bar = ax.figure.colorbar(drawn, ax=ax, pad=0.01)
    bar.set_label("kW", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def typical_days(ax: Axes, features: FeatureTable, row: int) -> None:
    """Draw the mean working day and the mean other day."""
    typical = features.days.typical_kw[row]
    hours = np.arange(25)
    for which, (name, colour) in enumerate((("working days", LINE), ("free days", OTHER))):
        if np.isfinite(typical[which]).any():
            ax.step(hours, np.append(typical[which], typical[which][-1]), where="post", color=colour, label=name)
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(typical))) if np.isfinite(typical).any() else 0.0)
    ax.set_xticks(range(0, 25, 3))
    ax.set_xlabel("local hour", fontsize=8)
    ax.set_ylabel("mean kW", fontsize=8)
    ax.legend(fontsize=7, frameon=False)
    _plain(ax)


def over_weather(ax: Axes, features: FeatureTable, row: int) -> None:
    """Draw every day's mean power over its outdoor temperature with the change-point line; months without weather."""
    days, weather = features.days, features.weather
    if weather is None:
        months = [
            np.nanmean(days.daily_kw[row][days.clock.month == m]) if (days.clock.month == m).any() else np.nan
            for m in range(12)
        ]
        ax.bar(list(MONTHS_AT), months, color=LINE)
        ax.set_xticks(list(MONTHS_AT), list(MONTHS))
        ax.set_ylabel("mean kW", fontsize=8)
        _plain(ax)
        return
    free = days.other > 0
    for rows, colour in ((~free, LINE), (free, OTHER)):
        ax.scatter(weather.air_degc[rows], days.daily_kw[row][rows], s=5, color=colour, alpha=0.45, linewidths=0)
    air = np.linspace(weather.air_degc.min(), weather.air_degc.max(), 60)
    for kind, colour in ((0, LINE), (2, OTHER)):
        ax.plot(air, weather.expected_kw(air, np.full(len(air), kind, dtype=np.int8))[row], color=colour, linewidth=1.3)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("outdoor temperature of the day, °C", fontsize=8)
    ax.set_ylabel("mean kW", fontsize=8)
    _plain(ax)


MONTHS_AT = range(12)


def savings_chart(made: Savings, since: Sequence[str]) -> Figure:
    """Return customers' savings with their 90 % intervals, in per cent of what was expected; ``since`` labels the axis."""
    shown = min(len(made.customers), 30)
    figure = Figure(figsize=(9.0, 1.2 + 0.32 * shown), layout="constrained")
    ax = figure.subplots()
    share = 100 / np.maximum(made.expected_kwh, 1e-9)
    middle, low, high = (v[:shown] * share[:shown] for v in (made.saved_kwh, made.low_kwh, made.high_kwh))
    ax.errorbar(middle, np.arange(shown), xerr=_ends(middle, low, high), fmt="o", color=LINE, ecolor=FAINT, capsize=3)
    ax.axvline(0.0, color="grey", linewidth=0.8)
    ax.set_yticks(range(shown), list(made.customers[:shown]))
    ax.invert_yaxis()
    ax.set_xlabel(f"saved, % of what the baseline expects {' '.join(since)} (bar: 90 % interval)", fontsize=8)
    _plain(ax)
    return figure


def _ends(
    middle: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.stack([middle - low, high - middle])


def segments_chart(features: FeatureTable, label: npt.NDArray[np.int64], names: Sequence[str]) -> Figure:
    """Return every segment's typical days in parts of the mean: the middle customer and the middle half."""
    figure = Figure(figsize=(11.0, 2.6 * -(-len(names) // 3)), layout="constrained")
    axes = figure.subplots(-(-len(names) // 3), 3, squeeze=False, sharey=True).ravel()
    level = np.nanmean(features.days.typical_kw[:, 0], axis=1)[:, None]
    for k, ax in enumerate(axes):
        if k >= len(names):
            ax.axis("off")
            continue
        rows = label == k
        for which, colour in ((0, LINE), (1, OTHER)):
            shape = features.days.typical_kw[rows, which] / level[rows]
            low, middle, high = np.nanpercentile(shape, [25, 50, 75], axis=0)
            ax.fill_between(range(24), low, high, color=colour, alpha=0.18, linewidth=0)
            ax.plot(range(24), middle, color=colour, linewidth=1.3)
        ax.set_title(f"{names[k]} ({int(rows.sum())})", fontsize=8.5)
        ax.set_xticks(range(0, 24, 6))
        _plain(ax)
    axes[0].set_ylabel("mean of a working day = 1", fontsize=8)
    return figure


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.25, linewidth=0.6)
