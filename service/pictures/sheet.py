"""One sheet with all networks at one instant, as PNG or SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure, SubFigure

from models.errors import SetupError
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork

Network = ElectricNetwork | PipeNetwork | GasNetwork
ENDINGS = (".png", ".svg")
WIDTH_IN = 11.7
GRID_IN, PIPES_IN = 6.2, 3.4
DPI = 150


def write_sheet(networks: Sequence[Network], states: Mapping[str, xr.Dataset], title: str, path: Path) -> None:
    """Draw networks and write the sheet; ``states`` by network id, at one instant.

    Raises
    ------
    SetupError
        If the ending is neither ``.png`` nor ``.svg`` or the file cannot be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise SetupError(f"{path}: no picture format for this ending; use one of {', '.join(ENDINGS)}")
    try:
        draw_sheet(networks, states, title).savefig(path, dpi=DPI)
    except OSError as fault:
        raise SetupError(f"{path} cannot be written: {fault.strerror or fault}") from None


def draw_sheet(networks: Sequence[Network], states: Mapping[str, xr.Dataset], title: str) -> Figure:
    """Return the sheet: one strip per network, grids as single lines, pipes as profiles to their worst consumer."""
    networks = [n for n in networks if n.id in states]
    heights = [GRID_IN if isinstance(n, ElectricNetwork) else PIPES_IN for n in networks]
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    strips = figure.subfigures(len(networks), 1, height_ratios=heights, squeeze=False)[:, 0]
    for strip, network in zip(strips, networks, strict=True):
        _draw(strip, network, states[network.id])
    return figure


def _draw(strip: SubFigure, network: Network, state: xr.Dataset) -> None:
    from service.pictures.grid import draw_grid
    from service.pictures.profile import draw_pressures, draw_single, draw_temperatures, worst_consumer

    if isinstance(network, ElectricNetwork):
        strip.suptitle(f"{network.id}: losses {float(state['loss_kw']):.1f} kW", fontsize=9)
        draw_grid(strip.subplots(), network, state)
        return
    consumer = worst_consumer(network, state)
    if isinstance(network, GasNetwork) or network.carrier == "water":
        strip.suptitle(f"{network.id}: to {consumer}, the lowest pressure", fontsize=9)
        draw_single(strip.subplots(), network, state, consumer)
        return
    lost = f"losses {float(state['loss_kw']):.0f} kW"
    strip.suptitle(f"{network.id}: to {consumer}, the least pressure difference; {lost}", fontsize=9)
    left, right = strip.subplots(1, 2)
    draw_pressures(left, network, state, consumer)
    draw_temperatures(right, network, state, consumer)
