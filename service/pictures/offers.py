"""Pictures of offers: what a site feeds or draws over the price, hour by hour, and how it moves through the day."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure

from models.offers import OfferCurve, OfferSet

MWH, PRICE = 1e6, 1e6
SHOWN = 8
LINE, BAND = "#0b6e99", "#9ecbe0"


def offer_chart(made: OfferSet) -> Figure:
    """Return the day's curves: on the left some hours over the price, on the right the range of every interval and its middle."""
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    figure.suptitle(
        f"{made.site}: offers from {made.proof.paths_hash}, quantities of one interval (negative: bought)", fontsize=11
    )
    left, right = figure.subplots(1, 2)
    every = max(len(made.curves) // SHOWN, 1)
    times = pd.DatetimeIndex(made.horizon.times).tz_localize("UTC").tz_convert(made.time_zone).tz_localize(None)
    for k in range(0, len(made.curves), every):
        _stairs(left, made.curves[k], f"{times[k]:%H:%M}", k / max(len(made.curves) - 1, 1))
    left.set_xlabel(f"price, {made.currency}/MWh")
    left.set_ylabel("energy fed in the interval, MWh")
    left.legend(title="interval from", fontsize=7, title_fontsize=7, frameon=False, ncols=2)
    _ranges(right, made, times)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.25, linewidth=0.6)
    return figure


def _stairs(ax: Axes, curve: OfferCurve, label: str, shade: float) -> None:
    prices = np.array([s.price_micro for s in curve.steps]) / PRICE
    quantities = np.array([s.quantity_wh for s in curve.steps]) / MWH
    ends = np.append(prices, prices[-1] + max(0.1 * float(np.ptp(prices)), 10.0))
    colour = (0.04 + 0.75 * shade, 0.43 - 0.2 * shade, 0.6 - 0.4 * shade)
    ax.step(ends, np.append(quantities, quantities[-1]), where="post", linewidth=1.3, color=colour, label=label)


def _ranges(ax: Axes, made: OfferSet, times: pd.DatetimeIndex) -> None:
    quantities = [[s.quantity_wh / MWH for s in c.steps] for c in made.curves]
    ax.fill_between(
        times,
        [q[0] for q in quantities],
        [q[-1] for q in quantities],
        step="post",
        color=BAND,
        alpha=0.6,
        linewidth=0,
        label="lowest to highest price",
    )
    ax.step(times, [q[len(q) // 2] for q in quantities], where="post", color=LINE, linewidth=1.4, label="middle step")
    ax.set_xlabel("local time")
    ax.set_ylabel("energy fed in the interval, MWh")
    ax.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call] # matplotlib leaves it untyped
    ax.legend(fontsize=8, frameon=False)
