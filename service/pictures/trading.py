"""The picture of a traded day: prices and positions, where each hour earned or lost, and what the whole came to."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenarios.trading.result import DayAccount, Hour

LINE, BAND, GAIN, LOSS = "#0b6e99", "#9ecbe0", "#2a8f5b", "#b5482a"


def day_chart(told: DayAccount, title: str, currency: str) -> Figure:
    """Return a traded day hour by hour, and what it earned and spent by kind."""
    figure = Figure(figsize=(12.0, 8.0), layout="constrained")
    figure.suptitle(title, fontsize=11)
    top, middle, bottom = figure.subplots(3, 1)
    _positions(top, told.hours, currency)
    _results(middle, told.hours, currency)
    _parts(bottom, told.parts, told.result, currency)
    for ax in (top, middle, bottom):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        ax.grid(axis="y", alpha=0.25, linewidth=0.6)
    return figure


def _positions(ax: Axes, hours: Sequence[Hour], currency: str) -> None:
    at = np.arange(len(hours))
    ax.bar(at, [h.position_kwh for h in hours], color=BAND, label="position")
    ax.step(at, [h.metered_kwh for h in hours], where="mid", color=LINE, label="metered")
    ax.set_ylabel("kWh fed (below 0: drawn)", fontsize=9)
    prices = ax.twinx()
    prices.plot(at, [1e3 * h.price_per_kwh for h in hours], color=LOSS, linewidth=1.2, label="price")
    prices.set_ylabel(f"{currency}/MWh", fontsize=9)
    lines = [entry for axes in (ax, prices) for entry in zip(*axes.get_legend_handles_labels(), strict=True)]
    ax.legend(*zip(*lines, strict=True), fontsize=8, frameon=False, ncols=3)


def _results(ax: Axes, hours: Sequence[Hour], currency: str) -> None:
    at = np.arange(len(hours))
    ax.bar(at - 0.2, [h.timing for h in hours], width=0.4, color=GAIN, label="against the day's mean price")
    ax.bar(at + 0.2, [h.beside for h in hours], width=0.4, color=LOSS, label="beside the position")
    ax.axhline(0.0, color="black", linewidth=0.6)
    ax.set_ylabel(f"{currency}, + earned", fontsize=9)
    ax.set_xlabel("interval of the day", fontsize=9)
    ax.legend(fontsize=8, frameon=False, ncols=2)


def _parts(ax: Axes, parts: Mapping[str, float], result: float, currency: str) -> None:
    """Draw what was earned and spent by kind as steps down to the result."""
    at = 0.0
    for k, value in enumerate(parts.values()):
        ax.bar(k, value, bottom=at, color=GAIN if value > 0 else LOSS)
        at += value
    ax.bar(len(parts), result, color=LINE)
    ax.set_xticks(range(len(parts) + 1), [name.replace(" ", "\n") for name in (*parts, "result")], fontsize=8)
    ax.set_ylabel(currency, fontsize=9)
