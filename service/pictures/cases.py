"""Pictures of a what-if beside its base: where the money went, the day in power, how long the grid was loaded."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenarios.cases.compare import COST_PARTS, Comparison, duration_curve
from scenarios.cases.results import KPIS

Array = npt.NDArray[np.float64]
Words = Callable[[str], str]
"""The words of a language for an English text."""
BASE, CASE, MORE, LESS = "#7f8c9b", "#0b6e99", "#b5482a", "#2a8f5b"
KINDS = {
    "grid": ("#7f8c9b", "grid_connection"),
    "engines": ("#c77f1a", "chp"),
    "sun": ("#e3b505", "pv"),
    "wind": ("#3f8f8a", "wind"),
    "battery": ("#7a4fa3", "battery"),
}
"""What makes up the electric supply, by its word in the legend: colour and kind of asset."""
TOLD_BY = ("electricity", "heat", "cold", "gas")
"""An asset's change is told by the first of these carriers on which it changes; positive feeds the network."""
STILL_KW = 1.0
"""A change of less than this is rounding of the solver."""


def cost_change(comparison: Comparison, run: int, words: Words) -> Figure:
    """Return the steps from the base's total cost to the run's, one bar per part that changed."""
    found = {d.kpi: d for d in comparison.differences(comparison.runs[run])}
    total = found["total_cost"]
    parts = [
        found[p] for p in COST_PARTS if p in found and abs(found[p].change) > 1e-3 * max(abs(total.base), 1.0) / 10
    ]
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    axes = figure.subplots()
    labels = [words("Base"), *(words(KPIS[p.kpi].title) for p in parts), words("Case")]
    at = total.base
    axes.bar(0, total.base, color=BASE)
    for k, part in enumerate(parts, start=1):
        axes.bar(k, part.change, bottom=at, color=MORE if part.change > 0 else LESS)
        axes.annotate(f"{part.change:+,.0f}", (k, max(at, at + part.change)), ha="center", va="bottom", fontsize=8)
        at += part.change
    axes.bar(len(parts) + 1, total.value, color=CASE)
    low, high = min(total.base, total.value, at), max(total.base, total.value, at)
    reach = max((abs(p.change) for p in parts), default=1.0)
    axes.set_ylim(max(low - 3 * reach, 0.0) if low > 0 else None, high + 1.5 * reach)
    axes.set_xticks(range(len(labels)), labels, rotation=20, ha="right", fontsize=8)
    axes.set_ylabel(comparison.currency)
    _plain(axes)
    return figure


def supply(
    arrays: Sequence[xr.Dataset], kinds: dict[str, Sequence[str]], titles: Sequence[str], time_zone: str, words: Words
) -> Figure:
    """Return the electric supply over time of base and run, one above the other on the same axes; kW, local time."""
    figure = Figure(figsize=(9.0, 5.4), layout="constrained")
    panels = figure.subplots(len(arrays), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, data, title in zip(panels, arrays, titles, strict=True):
        times = _local(data, time_zone)
        given, taken = np.zeros(len(times)), np.zeros(len(times))
        for kind, assets in kinds.items():
            power = np.nan_to_num(
                data["power_kw"].sel(asset=list(assets), carrier="electricity").sum("asset").to_numpy()
            )
            colour = KINDS[kind][0]
            axes.fill_between(
                times, given, given + np.clip(power, 0, None), step="post", color=colour, lw=0, label=words(kind)
            )
            axes.fill_between(times, taken, taken + np.clip(power, None, 0), step="post", color=colour, lw=0, alpha=0.6)
            given, taken = given + np.clip(power, 0, None), taken + np.clip(power, None, 0)
        axes.axhline(0, color="#333333", lw=0.6)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_ylabel("kW")
        _plain(axes)
    panels[0].legend(ncols=len(kinds), fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    panels[-1].set_xlabel(words("local time"))
    panels[-1].tick_params(axis="x", labelrotation=20, labelsize=8)
    return figure


def durations(arrays: Sequence[xr.Dataset], grid: str, titles: Sequence[str], words: Words) -> Figure:
    """Return how long the grid connection gave at least how much, in base and run."""
    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    axes = figure.subplots()
    for data, title, colour in zip(arrays, titles, (BASE, CASE), strict=False):
        curve = duration_curve(data, grid)
        times = data["time"].to_numpy()
        step_h = float((times[1] - times[0]) / np.timedelta64(1, "s")) / 3600.0 if len(times) > 1 else 1.0
        axes.step(np.arange(len(curve)) * step_h, curve, where="post", color=colour, label=title)
    axes.set_xlabel(words("hours"))
    axes.set_ylabel("kW")
    axes.legend(fontsize=8, frameon=False)
    _plain(axes)
    return figure


def stores(
    arrays: Sequence[xr.Dataset], assets: Sequence[str], titles: Sequence[str], time_zone: str, words: Words
) -> Figure:
    """Return what each store holds over time in base and run; kWh, local time."""
    figure = Figure(figsize=(9.0, 1.7 * max(len(assets), 1) + 0.4), layout="constrained")
    panels = figure.subplots(max(len(assets), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, asset in zip(panels, assets, strict=False):
        for data, title, colour in zip(arrays, titles, (BASE, CASE), strict=False):
            if asset in data["asset"].to_numpy():
                axes.plot(
                    _local(data, time_zone),
                    data["stored_kwh"].sel(asset=asset).to_numpy(),
                    color=colour,
                    label=title,
                    lw=1.2,
                )
        axes.set_title(asset, fontsize=9, loc="left")
        axes.set_ylabel("kWh")
        axes.set_ylim(bottom=0)
        _plain(axes)
    panels[0].legend(fontsize=8, frameon=False)
    panels[-1].set_xlabel(words("local time"))
    panels[-1].tick_params(axis="x", labelrotation=20, labelsize=8)
    return figure


def schedule_change(arrays: Sequence[xr.Dataset], assets: Sequence[str], time_zone: str, words: Words) -> Figure | None:
    """Return who does more and who does less when, as a heat map of assets over local time in kW; None when nobody does.

    Runs of different stretches of time have no such picture.
    """
    before, after = (d["power_kw"].transpose("asset", "carrier", "time").sel(carrier=list(TOLD_BY)) for d in arrays)
    if before.sizes["time"] != after.sizes["time"] or (before["time"].to_numpy() != after["time"].to_numpy()).any():
        return None
    rows = {a: _first_moved(after.sel(asset=a).to_numpy() - before.sel(asset=a).to_numpy()) for a in assets}
    moved = {a: row for a, row in rows.items() if np.abs(row).max() > STILL_KW}
    if not moved:
        return None
    table, reach = np.array(list(moved.values())), float(np.abs(list(moved.values())).max())
    figure = Figure(figsize=(9.0, 0.24 * len(moved) + 1.2), layout="constrained")
    axes = figure.subplots()
    edges = _edges(_local(after, time_zone))
    mesh = axes.pcolormesh(edges, np.arange(len(moved) + 1), table, cmap="RdBu_r", vmin=-reach, vmax=reach)
    axes.set_yticks(np.arange(len(moved)) + 0.5, list(moved), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(words("local time"))
    axes.tick_params(axis="x", labelrotation=20, labelsize=8)
    figure.colorbar(mesh, ax=axes, label=words("change, kW"))
    return figure


def _first_moved(by_carrier: Array) -> Array:
    """Return the row of the first carrier that changes; shape (time,). ``by_carrier`` has shape (carrier, time)."""
    known = np.nan_to_num(by_carrier)
    row: Array = known[int((np.abs(known).max(axis=1) > STILL_KW).argmax())]
    return row


def _local(data: xr.DataArray | xr.Dataset, time_zone: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(data["time"].to_numpy()).tz_localize("UTC").tz_convert(time_zone).tz_localize(None)


def _edges(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the edges of steps that begin at these times; the last is as long as the one before."""
    step = times[-1] - times[-2] if len(times) > 1 else pd.Timedelta(hours=1)
    return pd.DatetimeIndex([*times, times[-1] + step])


def sweep_tornado(table: pd.DataFrame, title: str, unit: str) -> Figure:
    """Return how far each parameter by itself moves a figure, widest first; ``table`` as :func:`scenarios.cases.compare.tornado` makes it."""
    figure = Figure(figsize=(9.0, 0.5 * len(table) + 1.2), layout="constrained")
    axes = figure.subplots()
    for row, (_, moved) in enumerate(table.iterrows()):
        axes.barh(row, moved["high"], color=MORE)
        axes.barh(row, moved["low"], color=LESS)
        axes.annotate(f"{moved['low']:+,.0f}", (min(moved["low"], 0.0), row), ha="right", va="center", fontsize=8)
        axes.annotate(f"{moved['high']:+,.0f}", (max(moved["high"], 0.0), row), ha="left", va="center", fontsize=8)
    axes.set_yticks(range(len(table)), [str(name) for name in table.index])
    axes.invert_yaxis()
    axes.axvline(0.0, color="#333333", lw=0.6)
    axes.margins(x=0.2)
    axes.set_xlabel(f"{title}, {unit}")
    _plain(axes)
    return figure


def sweep_map(figures: xr.Dataset, kpi: str, parameters: Sequence[str]) -> Figure:
    """Return a figure over the first two parameters of a grid as a heat map."""
    across, up = parameters[:2]
    table = pd.DataFrame({n: figures[n].to_numpy() for n in (across, up, kpi)}).groupby([up, across])[kpi].mean()
    values = table.unstack()
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    axes = figure.subplots()
    mesh = axes.pcolormesh(values.columns, values.index, values.to_numpy(), cmap="viridis", shading="nearest")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    figure.colorbar(mesh, ax=axes, label=f"{figures[kpi].attrs['title']}, {figures[kpi].attrs['unit']}")
    return figure


def sweep_course(figures: xr.Dataset, kpi: str, parameter: str) -> Figure:
    """Return a figure against one parameter, a point per run."""
    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(figures[parameter].to_numpy(), kind="stable")
    axes.plot(figures[parameter].to_numpy()[order], figures[kpi].to_numpy()[order], "o-", color=CASE, ms=4, lw=0.8)
    axes.set_xlabel(parameter)
    axes.set_ylabel(f"{figures[kpi].attrs['title']}, {figures[kpi].attrs['unit']}", fontsize=8)
    _plain(axes)
    return figure


def sweep_spread(figures: xr.Dataset, kpi: str) -> Figure:
    """Return how often each value of a figure came out of runs that differ by chance."""
    figure = Figure(figsize=(9.0, 2.6), layout="constrained")
    axes = figure.subplots()
    values = figures[kpi].to_numpy()
    axes.hist(values[np.isfinite(values)], bins="auto", color=CASE)
    axes.set_xlabel(f"{figures[kpi].attrs['title']}, {figures[kpi].attrs['unit']}")
    axes.set_ylabel("runs")
    _plain(axes)
    return figure


def _plain(axes: Axes) -> None:
    """Take away what carries no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", lw=0.3, color="#cccccc")
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
