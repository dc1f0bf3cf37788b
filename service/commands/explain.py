"""``explain``: why a day cannot be served, or why every set-point of its plan is where it is."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from models.dispatch import DispatchProblem, Plan
from models.errors import InfeasiblePlanError, SetupError
from models.horizon import Horizon
from models.site import Site
from models.site.file import load_site
from optimizers.dispatch import Dispatcher
from optimizers.explain import Reason
from optimizers.shortage import Shortage, decisions_finding, explain_shortage
from service.commands.dispatch import cost_line
from service.commands.screen import console, count, findings_table
from service.console.figures import grouped, local_time
from service.day_plan import day_problem

RELIEFS_SHOWN = 8


def explain_day(
    site_file: Path, day: date, *, seed: int, asset: str | None, at: datetime | None, deadline_s: float
) -> int:
    """Say why a local day cannot be served in full, or why its plan is as it is; return 1 when something is missing."""
    site = load_site(site_file)
    if asset is not None and all(a.id != asset for a in site.assets):
        raise SetupError(f"the site has no asset {asset}; known are {', '.join(a.id for a in site.assets)}")
    try:
        found = explained(day_problem(site, day, seed), asset=asset, at=at, deadline_s=deadline_s)
    except InfeasiblePlanError as problem_found:
        console.print(findings_table(problem_found.findings, "No plan keeps every limit"))
        return 1
    console.print(cost_line(site, found.plan))
    if show_shortage(found.plan, found.shortage):
        return 1
    console.print(reasons_table(site, found.plan, found.why, found.step))
    return 0


@dataclass(frozen=True, slots=True)
class Explained:
    """A day's plan, what it is short of, and why the set-points of one of its steps are where they are."""

    plan: Plan
    shortage: Shortage
    why: list[Reason]
    step: int


def explained(problem: DispatchProblem, *, asset: str | None, at: datetime | None, deadline_s: float) -> Explained:
    """Return why a problem's plan is as it is, at an instant (the dearest without one), for one asset or all.

    Raises
    ------
    SetupError
        If the instant lies outside the day.
    PlanningError
        If there is no usable plan.
    """
    step, dispatcher = _step(problem.horizon, at), Dispatcher()
    try:
        plan = dispatcher.dispatch(problem, deadline_s=deadline_s)
        shortage = explain_shortage(problem, dispatcher, deadline_s=deadline_s)
        shown = _shown(plan, step)
        why = [r for a in _assets(problem.site, asset) for r in dispatcher.why(plan, a, shown)]
    finally:
        dispatcher.close()
    return Explained(plan, shortage, why, shown)


def show_shortage(plan: Plan, shortage: Shortage) -> bool:
    """Print what is missing, which limits make it, and what would help; return whether anything is missing."""
    unserved_kwh = float((plan.unserved_kw.sum(("asset", "carrier")) * plan.horizon.step_h).sum())
    more = decisions_finding(shortage, unserved_kwh)
    missing = [*shortage.findings, *([more] if more else [])]
    if not missing:
        return False
    console.print(findings_table([*missing, *shortage.precheck], "What the day is short of"))
    if shortage.reliefs:
        console.print("[bold]What would help[/], most effective first:")
    for relief in shortage.reliefs[:RELIEFS_SHOWN]:
        console.print(f"- {escape(relief.sentence)}")
    if len(shortage.reliefs) > RELIEFS_SHOWN:
        console.print(f"- and {count(len(shortage.reliefs) - RELIEFS_SHOWN, 'limit')} more that each bring less")
    if shortage.conflict:
        console.print("[bold]At the worst instant these cannot hold together[/], and none of them can be left out:")
    for words in shortage.conflict:
        console.print(f"- {escape(words)}")
    console.print(f"explained by one linear program in {shortage.seconds:.2f} s")
    return True


def reasons_table(site: Site, plan: Plan, why: list[Reason], step: int) -> Table:
    """Return why every set-point of one step is where it is, with the marginal prices of that step."""
    zone = site.location.time_zone
    when = local_time(plan.horizon.edges[step], zone, "%Y-%m-%d %H:%M")
    prices = plan.price_per_kwh.isel(time=step)
    shown = ", ".join(
        f"{c} {grouped(float(p), 3)}"
        for c, p in zip(prices["carrier"].values, prices.values, strict=True)
        if np.isfinite(p)
    )
    title = f"{when} local; one more kWh costs, {site.currency}: {shown}"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("what holds it")
    table.add_column("why it is where it is", overflow="fold")
    words = {"most": "its limit", "least": "its cost", "margin": "it sets the price"}
    for reason in {r.sentence: r for r in why}.values():  # equal units have one reason
        table.add_row(words[reason.held], escape(reason.sentence))
    return table


def _assets(site: Site, asset: str | None) -> list[str]:
    return [asset] if asset is not None else [a.id for a in site.assets]


def _step(horizon: Horizon, at: datetime | None) -> int | None:
    """Return the step that an instant lies in, None without one."""
    if at is None:
        return None
    if not horizon.start <= at < horizon.end:
        raise SetupError(
            f"{at.isoformat()} lies outside the day, {horizon.start.isoformat()} to {horizon.end.isoformat()}"
        )
    return (
        int(
            np.searchsorted(
                horizon.times.to_numpy(),
                np.datetime64(at.astimezone(horizon.start.tzinfo).replace(tzinfo=None)),
                side="right",
            )
        )
        - 1
    )


def _shown(plan: Plan, step: int | None) -> int:
    """Return the step that is asked for, or the one with the dearest electricity."""
    if step is not None:
        return step
    price = plan.price_per_kwh.sel(carrier="electricity").values
    return int(np.nanargmax(price)) if np.isfinite(price).any() else 0
