"""The single line of a grid: buses coloured by voltage, branches by loading."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm, Colormap, LinearSegmentedColormap, Normalize

from models.networks.data import ElectricNetwork
from service.pictures.layout import Ends, SingleLine, open_branches, single_line

LOADING: Colormap = LinearSegmentedColormap.from_list("loading", ["#2a9d63", "#e9b44c", "#d1495b"])
VOLTAGE: Colormap = LinearSegmentedColormap.from_list("voltage", ["#b5382e", "#4a4a4a", "#2f6db3"])
DEAD = "#bbbbbb"
BAR = 0.36
"""Half the length of a bus, in columns."""


def draw_grid(axes: Axes, network: ElectricNetwork, state: xr.Dataset) -> None:
    """Draw a grid at one instant; ``state`` has ``vm_pu`` (bus) and ``loading_share`` (branch)."""
    plan = single_line(network)
    loading = dict(zip(state["branch"].to_numpy().tolist(), state["loading_share"].to_numpy().tolist(), strict=True))
    opened = open_branches(network)
    for branch in plan.tree:
        _branch(axes, plan, branch, loading.get(branch.id, 0.0), is_open=branch.id in opened)
    for branch in plan.rest:
        _chord(axes, plan, branch, loading.get(branch.id, 0.0), is_open=branch.id in opened)
    spread = _buses(axes, network, plan, state)
    axes.set_axis_off()
    rows = max(y for _, y in plan.place.values())
    columns = max(x for x, _ in plan.place.values())
    axes.set_xlim(-0.7, columns + 0.7)
    axes.set_ylim(-rows - 0.4, 0.5)
    _scale(axes, ScalarMappable(Normalize(0, 100), LOADING), "loading, %")
    _scale(axes, ScalarMappable(spread, VOLTAGE), "voltage, pu")


def _buses(axes: Axes, network: ElectricNetwork, plan: SingleLine, state: xr.Dataset) -> Normalize:
    volts = dict(zip(state["bus"].to_numpy().tolist(), state["vm_pu"].to_numpy().tolist(), strict=True))
    band = max(max(b.vm_max_pu - 1.0, 1.0 - b.vm_min_pu) for b in network.buses)
    spread = CenteredNorm(1.0, band)
    for bus in network.buses:
        x, y = plan.place[bus.id]
        live = bool(np.isfinite(volts[bus.id]))
        colour = VOLTAGE(spread(volts[bus.id])) if live else DEAD
        axes.plot([x - BAR, x + BAR], [-y, -y], color=colour, linewidth=4, solid_capstyle="butt", zorder=3)
        words = f"{volts[bus.id]:.4f}" if live else "dead"
        axes.text(x - BAR, -y + 0.08, bus.id, fontsize=7, ha="left", va="bottom", color="#222222")
        axes.text(x + BAR, -y + 0.08, words, fontsize=6.5, ha="right", va="bottom", color=colour)
    return spread


def _branch(axes: Axes, plan: SingleLine, branch: Ends, share: float, *, is_open: bool) -> None:
    """Draw a branch of the tree from the upper bus down to the lower one, with its load beside it."""
    (x0, y0), (x1, y1) = sorted((plan.place[branch.first], plan.place[branch.last]), key=lambda p: p[1])
    colour, style = _look(share, is_open=is_open)
    start = min(max(x1, x0 - 0.8 * BAR), x0 + 0.8 * BAR)
    bend = -y0 - 0.3
    axes.plot([start, start, x1, x1], [-y0, bend, bend, -y1], color=colour, linestyle=style, linewidth=2, zorder=1)
    if branch.kind == "transformer":
        for shift in (0.06, -0.06):
            middle = (bend - y1) / 2 + shift
            axes.plot(x1, middle, "o", markersize=13, markerfacecolor="none", color=colour, markeredgewidth=1.6)
    side = 0.16 if branch.kind == "transformer" else 0.05
    words = "open" if is_open else f"{100 * share:.0f} %"
    axes.text(x1 + side, (bend - y1) / 2, words, fontsize=6.5, ha="left", va="center", color=colour)


def _chord(axes: Axes, plan: SingleLine, branch: Ends, share: float, *, is_open: bool) -> None:
    """Draw a branch that closes a ring, as a curve from bar end to bar end beside the tree."""
    left, right = sorted((plan.place[branch.first], plan.place[branch.last]))
    x0, y0, x1, y1 = left[0] + BAR, -left[1], right[0] - BAR, -right[1]
    if right[0] - left[0] < 2 * BAR:
        x1 = right[0] + BAR
    colour, style = _look(share, is_open=is_open)
    arrow = {"arrowstyle": "-", "color": colour, "linestyle": style, "linewidth": 1.2}
    axes.annotate("", (x0, y0), (x1, y1), arrowprops={**arrow, "connectionstyle": "arc3,rad=0.15"}, zorder=0)
    words = f"{branch.id}, open" if is_open else f"{branch.id}, {100 * share:.0f} %"
    axes.text((x0 + x1) / 2, (y0 + y1) / 2, words, fontsize=6, ha="center", color="#777777", backgroundcolor="white")


def _look(share: float, *, is_open: bool) -> tuple[object, str]:
    if is_open or not np.isfinite(share):
        return DEAD, "--"
    return LOADING(min(share, 1.0)), "-"


def _scale(axes: Axes, colours: ScalarMappable, label: str) -> None:
    figure = axes.get_figure()
    if figure is not None:
        bar = figure.colorbar(colours, ax=axes, fraction=0.02, pad=0.02, aspect=30, shrink=0.7)
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
