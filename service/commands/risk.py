"""``risk``: one day under several futures: what not knowing costs, what a plan for all of them saves, and what the worst would cost."""

from datetime import date
from pathlib import Path

from rich import box
from rich.table import Table

from models.site.file import load_site
from optimizers.dispatch import Dispatcher
from optimizers.robust import RobustPlan, Uncertainty, dearer_day, reserve_kw, robust_plan
from optimizers.scenarios import FirstStage
from optimizers.stochastic import Foresight, Risk, ScenarioPlan, ScenarioPlanner
from scenarios.futures import Futures
from service.commands.screen import console, searching
from service.console.figures import grouped

PRICE_RISE = 0.5
"""By how much the import price may rise in the hours that go wrong."""


def show_risk(site_file: Path, day: date, *, seed: int, count: int, risk: Risk, budget: int, deadline_s: float) -> None:
    """Plan a local day for several futures and print what knowing them would be worth."""
    site, dispatcher = load_site(site_file), Dispatcher()
    try:
        with searching("futures") as (begin, dispatcher.process.watch):
            futures = Futures(site, day, count=count, seed=seed)
            planner = ScenarioPlanner(futures.scenarios(), FirstStage(), dispatcher, deadline_s=deadline_s)
            begin("one plan for all futures")
            mean, averse = planner.plan(), planner.plan(risk)
            begin("each future by itself")
            worth = planner.foresight()
            begin("the worst future")
            worst = _worst(futures, budget, dispatcher, deadline_s) if budget else None
            dear = dearer_day(futures.expected, dispatcher, rise_share=PRICE_RISE, budget=budget, deadline_s=deadline_s)
    finally:
        dispatcher.close()
    console.print(futures_table(futures, mean, averse, worth))
    console.print(worth_words(site.currency, mean, averse, worth, risk))
    if worst is not None:
        console.print(worst_words(site.currency, worst, budget))
        console.print(
            f"if electricity costs {PRICE_RISE:.0%} more in any {budget} hours, a plan can promise {grouped(dear)} {site.currency}"
        )
    console.print(reserve_words(futures))


def _worst(futures: Futures, budget: int, dispatcher: Dispatcher, deadline_s: float) -> RobustPlan:
    uncertainty = Uncertainty(futures.bad_ends(), min(budget, len(futures.expected.horizon)))
    return robust_plan(futures.expected, uncertainty, dispatcher, deadline_s=deadline_s)


def futures_table(futures: Futures, mean: ScenarioPlan, averse: ScenarioPlan, worth: Foresight) -> Table:
    """Return what each future costs under the plan for all, under the careful one, and the regret of not having known it."""
    title = f"{futures.site.title}, {futures.day}: what the day costs, {futures.site.currency}"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for name in ("future", "one plan for all", "careful plan", "regret"):
        table.add_column(name, justify="left" if name == "future" else "right")
    for scenario, cost, careful, regret in zip(
        futures.scenarios(), mean.costs, averse.costs, worth.regrets, strict=True
    ):
        table.add_row(scenario.name, grouped(cost), grouped(careful), grouped(regret))
    return table


def _stochastic_words(mean: ScenarioPlan, worth: Foresight) -> str:
    """Return what planning for all futures saves, or that it is less than the search has proven."""
    open_gap = mean.objective - mean.bound
    if abs(worth.stochastic_value) <= open_gap:
        return f"planning for all futures saves less than can be told, which is {grouped(open_gap)}"
    return f"planning for all futures saves {grouped(worth.stochastic_value)}"


def worth_words(currency: str, mean: ScenarioPlan, averse: ScenarioPlan, worth: Foresight, risk: Risk) -> str:
    """Return what knowledge, scenarios and care are worth."""
    known = f"with perfect forecasts {grouped(worth.perfect)}: knowing is worth {grouped(worth.information_value)}"
    naive = f"a plan for the mean forecast would cost {grouped(worth.mean_plan)}"
    careful = f"the worst {1 - risk.level:.0%} cost {grouped(averse.risk_cost)} under the careful plan"
    return "\n".join(
        (
            f"expected {grouped(mean.expected_cost)} {currency}, {known}",
            f"{naive}: {_stochastic_words(mean, worth)}",
            f"{careful}; it expects {grouped(averse.expected_cost)}",
        )
    )


def worst_words(currency: str, worst: RobustPlan, budget: int) -> str:
    """Return what the worst future of the budgeted set costs, and when it strikes."""
    hours = ", ".join(f"{h:02d}:00" for h in worst.bad_steps) or "none"
    return (
        f"if up to {budget} hours go wrong at once, the day costs at most {grouped(worst.worst_cost)} {currency} "
        f"(within {worst.gap_share:.1%} of the best for that case); the worst hours: {hours}"
    )


def reserve_words(futures: Futures) -> str:
    """Return how much power the forecast's errors may call for."""
    need = reserve_kw(futures.quantiles(), futures.signs())
    up, down = need.up_kw, need.down_kw
    return (
        f"reserve against forecast errors, 80 % of the time: up to {grouped(float(up.max()))} kW more (mean {grouped(float(up.mean()))}) "
        f"and {grouped(float(down.max()))} kW less (mean {grouped(float(down.mean()))})"
    )
