"""``value``: what the operating loop is worth over weeks and months, and where the rest goes."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from models.errors import SetupError
from scenarios.value.run import STEP_S, Outcome
from scenarios.value.study import run_study
from scenarios.value.summary import Line, Loss, Study
from scenarios.value.variants import DAYS, MAIN, MONTHS, SWITCHED, WEEKS, Stretch, Variant
from service.commands.files import require_writable
from service.commands.screen import console, progress_console
from service.console.figures import grouped
from service.pictures.sheet import DPI
from service.pictures.value import waterfall, week

CHAIN = 3
"""The first losses follow one another from perfect foresight to the loop; what comes behind is switched one at a time."""


def show_value(
    site_file: Path,
    stretches: Sequence[str],
    *,
    breakdown: bool,
    folder: Path,
    seed: int,
    workers: int,
    plots: Path | None,
    out: Path | None,
) -> int:
    """Run what the folder does not hold yet, print table and losses; return 1 when somebody went short of energy."""
    require_writable(out, (".json",), option="--json")
    chosen = chosen_stretches(stretches)
    asked: list[tuple[Sequence[Stretch], tuple[Variant, ...]]] = [(chosen, MAIN)]
    asked += [(DAYS, MAIN + SWITCHED)] if breakdown else []
    found: list[Outcome] = []
    for some, variants in asked:
        outcomes = run_study(site_file, some, variants, folder, seed=seed, step_s=STEP_S, workers=workers, progress=say)
        order = [s.name for s in some]
        found += sorted(outcomes, key=lambda o: order.index(o.stretch))
    study = Study(found)
    lines, losses = study.lines(), study.losses()
    console.print(value_table(lines))
    if losses:
        console.print(loss_table(losses))
    if plots is not None:
        draw(study, losses, plots)
    if out is not None:
        out.write_text(json.dumps({"lines": [asdict(x) for x in lines], "losses": [asdict(x) for x in losses]}))
    return int(any(line.unserved_kwh > 0.5 for line in lines if line.operator.startswith("loop")))


def chosen_stretches(names: Sequence[str]) -> list[Stretch]:
    """Return the stretches that are meant: weeks, months, or one by its name.

    Raises
    ------
    SetupError
        If there is none of that name.
    """
    groups = {"weeks": WEEKS, "months": MONTHS}
    single = {s.name: (s,) for s in (*WEEKS, *MONTHS, *DAYS)}
    found: list[Stretch] = []
    for name in names:
        if name not in groups and name not in single:
            raise SetupError(f"no stretch is called {name}; use {', '.join([*groups, *single])}")
        found += [s for s in groups.get(name, single.get(name, ())) if s not in found]
    return found


def say(outcome: Outcome) -> None:
    """Tell that one operator has ended one stretch."""
    progress_console.print(
        f"{outcome.stretch}: {outcome.variant}, {grouped(outcome.total_cost)}, {outcome.seconds:.0f} s"
    )


def value_table(lines: Sequence[Line]) -> Table:
    """Return cost, emissions, peak, unserved kWh, steps with a voltage out of its band, and the shares kept, by stretch and operator."""
    title = "Kept: share of the saving of perfect foresight, against either rule"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for head in ("cost", "CO2 t", "peak", "short", "volts", "tuned", "common"):
        table.add_column(head, justify="right", no_wrap=True)
    for k, line in enumerate(lines):
        if k == 0 or lines[k - 1].stretch != line.stretch:
            table.add_row(f"[bold]{line.stretch}[/]")
        last = k + 1 == len(lines) or lines[k + 1].stretch != line.stretch
        table.add_row(line.operator, *_cells(line), end_section=last)
    return table


def _cells(line: Line) -> tuple[str, ...]:
    return (
        grouped(line.total_cost),
        f"{line.co2_kg / 1e3:.1f}",
        grouped(line.peak_kw),
        f"{line.unserved_kwh:.1f}",
        str(line.band_breaks),
        percent(line.kept_tuned),
        percent(line.kept_common),
    )


def loss_table(losses: Sequence[Loss]) -> Table:
    """Return the losses: the chain first, then single switches."""
    title = (
        "Points of the saving of perfect foresight against the tuned rule; below the line one thing switched at a time"
    )
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("what", no_wrap=True)
    table.add_column("cost", justify="right")
    table.add_column("points", justify="right")
    for k, loss in enumerate(losses):
        table.add_row(loss.cause, grouped(loss.cost), f"{loss.points:+.1f}", end_section=k == CHAIN - 1)
    return table


def percent(share: float) -> str:
    """Return a share as text, "-" where there is none."""
    return f"{100 * share:.0f} %" if np.isfinite(share) else "-"


def draw(study: Study, losses: Sequence[Loss], folder: Path) -> None:
    """Draw the waterfall and every stretch into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(losses) >= CHAIN:
        waterfall(losses[:CHAIN], "Where the saving goes").savefig(folder / "waterfall.png", dpi=DPI)
    names = [v.name for v in MAIN[1:]]
    for stretch in study.stretches(*names):
        shown = {name: study.found[stretch, name] for name in names}
        week(shown, stretch).savefig(folder / f"{stretch.replace(' ', '-')}.png", dpi=DPI)
