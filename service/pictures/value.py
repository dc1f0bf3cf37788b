"""Pictures of a value study: where the saving goes, and each week as it was run."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenarios.value.run import Outcome
from scenarios.value.summary import Loss

KEPT, LOST, WHOLE = "#2a8f5b", "#b5482a", "#0b6e99"


def waterfall(losses: Sequence[Loss], title: str) -> Figure:
    """Return the saving of perfect foresight against the tuned rule as 100, less each loss, down to what is kept."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    axes = figure.subplots()
    inside = next((loss.points for loss in losses[:1]), 0.0)
    at = 100.0 + inside
    axes.bar(0, at, color=WHOLE)
    axes.annotate(f"{at:.0f}", (0, at), ha="center", va="bottom", fontsize=9)
    for k, loss in enumerate(losses, start=1):
        axes.bar(k, -loss.points, bottom=at, color=LOST if loss.points > 0 else KEPT)
        axes.annotate(f"{-loss.points:+.0f}", (k, max(at, at - loss.points)), ha="center", va="bottom", fontsize=9)
        at -= loss.points
    axes.bar(len(losses) + 1, at, color=KEPT)
    axes.annotate(f"{at:.0f}", (len(losses) + 1, max(at, 0)), ha="center", va="bottom", fontsize=9)
    labels = ["the bound in\nquarter-hours", *(_folded(loss.cause) for loss in losses), "kept by the loop"]
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylabel("points of the saving of perfect\nforesight against the tuned rule", fontsize=9)
    axes.set_ylim(top=1.08 * (100.0 + inside))
    axes.set_title(title, fontsize=10, loc="left")
    _plain(axes)
    return figure


def week(outcomes: Mapping[str, Outcome], title: str) -> Figure:
    """Return one stretch: import and the peak that was held, engines, battery and stores, one line per operator."""
    figure = Figure(figsize=(12.0, 10.0), layout="constrained")
    rows = (
        ("import_kw", "import, MW", 1e-3),
        ("engines_kw", "engines, MW", 1e-3),
        ("battery_share", "battery", 1.0),
        ("hot_tank_share", "hot tank", 1.0),
        ("cold_tank_share", "cold tank", 1.0),
    )
    axes = figure.subplots(len(rows), 1, sharex=True)
    for ax, (name, words, factor) in zip(axes, rows, strict=True):
        for operator, outcome in outcomes.items():
            if name in outcome.series:
                values = outcome.series[name] * factor
                ax.plot(np.arange(len(values)) / 96.0, values, linewidth=0.9, label=operator)
        if name == "import_kw":
            _caps(ax, outcomes, factor)
        ax.set_ylabel(words, fontsize=9)
        _plain(ax)
    axes[0].legend(fontsize=8, frameon=False, ncols=3, loc="upper right")
    axes[-1].set_xlabel("days", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _caps(ax: Axes, outcomes: Mapping[str, Outcome], factor: float) -> None:
    for operator, outcome in outcomes.items():
        if operator.startswith("loop") and "cap_kw" in outcome.series:
            cap = outcome.series["cap_kw"] * factor
            ax.plot(np.arange(len(cap)) / 96.0, cap, linestyle=":", linewidth=0.8, color="#777777")


def _folded(words: str, width: int = 22) -> str:
    """Return words in lines no longer than ``width`` where a space allows it."""
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, linewidth=0.6)
