"""Pressure and temperature along the way from the plant to the consumer that has the least of them."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from models.networks.data import GasNetwork, PipeNetwork
from service.pictures.layout import path

SUPPLY, RETURN, LIMIT = "#c0392b", "#2c6fbb", "#888888"


def worst_consumer(network: PipeNetwork | GasNetwork, state: xr.Dataset) -> str:
    """Return the consumer with the least pressure difference (heat, cold) or pressure (gas, water)."""
    name = "dp_kpa" if "dp_kpa" in state else "pressure_kpa"
    consumers = list(network.consumers)
    values = state[name].sel(junction=consumers).to_numpy()
    return consumers[int(np.nanargmin(values))] if np.isfinite(values).any() else consumers[0]


def draw_pressures(axes: Axes, network: PipeNetwork, state: xr.Dataset, consumer: str) -> None:
    """Draw supply and return pressure between the plant and a consumer, and what the consumer has between them."""
    way, metres = path(network.pipes, network.plant_junction, consumer)
    supply, back = (_along(state, f"{side}_pressure_kpa", way) for side in ("supply", "return"))
    axes.fill_between(metres, back, supply, color="#f3ece0", zorder=0)
    axes.plot(metres, supply, color=SUPPLY, marker="o", markersize=3, label="supply")
    axes.plot(metres, back, color=RETURN, marker="o", markersize=3, label="return")
    if way:
        left = supply[-1] - back[-1]
        axes.annotate(
            f"{left:.0f} kPa,\nneeds {network.dp_min_kpa:.0f}",
            (metres[-1], (supply[-1] + back[-1]) / 2),
            (-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
        )
    _finish(axes, "pressure, kPa (absolute)", way, metres)


def draw_temperatures(axes: Axes, network: PipeNetwork, state: xr.Dataset, consumer: str) -> None:
    """Draw supply and return temperature between the plant and a consumer; cold water supplies in blue."""
    way, metres = path(network.pipes, network.plant_junction, consumer)
    colours = (SUPPLY, RETURN) if network.carrier == "heat" else (RETURN, SUPPLY)
    for side, colour in zip(("supply", "return"), colours, strict=True):
        degc = _along(state, f"{side}_degc", way)
        axes.plot(metres, degc, color=colour, marker="o", markersize=3, label=side)
        if way:
            axes.annotate(
                f"{degc[-1]:.1f}", (metres[-1], degc[-1]), (0, 5), textcoords="offset points", ha="right", fontsize=7
            )
    axes.margins(y=0.15)
    _finish(axes, "temperature, degC", way, metres)


def draw_single(axes: Axes, network: GasNetwork | PipeNetwork, state: xr.Dataset, consumer: str) -> None:
    """Draw the pressure between the source of gas or water and a consumer; a station in between is a jump at one place."""
    is_gas = isinstance(network, GasNetwork)
    start, needs = (
        (_behind_stations(network), f"needs {network.pressure_min_kpa:.0f} kPa")
        if isinstance(network, GasNetwork)
        else (network.plant_junction, f"needs {network.dp_min_kpa:.0f} kPa over the air's")
    )
    way, metres = path(network.pipes, start, consumer)
    axes.plot(
        metres, _along(state, "pressure_kpa", way), color="#8a6d1d" if is_gas else RETURN, marker="o", markersize=3
    )
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.annotate(needs, (0.98, 0.93), xycoords="axes fraction", ha="right", fontsize=7)
    _finish(axes, "pressure, kPa (absolute)", way, metres, legend=False)


def _behind_stations(network: GasNetwork) -> str:
    """Return the junction behind the chain of stations that stands at the source."""
    after = {c.from_junction: c.to_junction for c in network.compressors}
    piped = {j for p in network.pipes for j in (p.from_junction, p.to_junction)}
    here = network.source_junction
    while here not in piped and here in after:
        here = after.pop(here)
    return here


def _along(state: xr.Dataset, name: str, way: Sequence[str]) -> np.ndarray:
    return np.asarray(state[name].sel(junction=list(way)).to_numpy(), dtype=float)


def _finish(axes: Axes, label: str, way: Sequence[str], metres: Sequence[float], *, legend: bool = True) -> None:
    axes.set_xlabel(f"distance from {way[0]}, m" if way else "distance, m", fontsize=8)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if legend:
        axes.legend(fontsize=7, frameon=False)
    if not way:
        axes.text(0.5, 0.5, "no way there", transform=axes.transAxes, ha="center")
    for junction, x in zip(way, metres, strict=True):
        axes.annotate(
            junction,
            (x, 1.0),
            (0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=6,
            rotation=35,
            ha="left",
            va="bottom",
            color="#555555",
        )
