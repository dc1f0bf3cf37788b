"""``size`` and ``pareto``: what to build, why, what it earns, and what the twin says of its worst weeks."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from models.findings import errors_in
from models.site.file import load_site
from optimizers.alternatives import Alternative
from optimizers.capacity import Sizing
from optimizers.dispatch import Dispatcher
from optimizers.pareto import front
from optimizers.session import Progress
from scenarios.sizing.options import Options, load_options, options_schema
from scenarios.sizing.study import Study, Workshop, study
from service.commands.files import require_writable, write_as
from service.commands.screen import console, findings_table, searching
from service.console.figures import grouped

KG_PER_T = 1000.0


def size_site(
    site_file: Path, options_file: Path, *, out: Path | None, whole: bool, weeks: int, slack: float, deadline_s: float
) -> int:
    """Choose sizes, print plan, worth and reasons; return 1 when the twin rejects a worst week."""
    require_writable(out, WRITERS)
    options = load_options(options_file, load_site(site_file))
    with searching("reading") as (begin, told):
        done = sized(options, begin, told, deadline_s=deadline_s, whole=whole, weeks=weeks, slack=slack)
    if out is not None:
        write_as(WRITERS, done, out)
    console.print(sizes_table(done))
    console.print(worth_words(done))
    console.print(trust_words(done))
    if done.near:
        console.print(near_table(done.near, slack))
    for week in done.worst:
        if week.check.findings:
            console.print(findings_table(week.check.findings, f"The twin's replay of the week with the {week.why}"))
    return 0 if done.ok else 1


def sized(
    options: Options,
    begin: Callable[[str], None],
    watch: Callable[[Progress], None],
    *,
    deadline_s: float,
    whole: bool,
    weeks: int,
    slack: float,
) -> Study:
    """Return the study of options; ``begin`` is told what comes next, ``watch`` how far each search has come."""
    dispatcher = Dispatcher()
    dispatcher.process.watch = watch
    try:
        return study(
            options, dispatcher, deadline_s=deadline_s, whole=whole, weeks=weeks, slack_share=slack, progress=begin
        )
    finally:
        dispatcher.close()


def pareto_site(site_file: Path, options_file: Path, *, points: int, out: Path | None, deadline_s: float) -> None:
    """Print plans from the cheapest to the cleanest."""
    require_writable(out, FRONT_WRITERS)
    options = load_options(options_file, load_site(site_file))
    with searching("plans from the cheapest to the cleanest") as (_, told):
        table = front_of(options, told, points=points, deadline_s=deadline_s)
    if out is not None:
        write_as(FRONT_WRITERS, table, out)
    console.print(
        _screen(
            table,
            f"{options.document.title}: present cost over {options.outlook.years} years against emissions",
            options.before.currency,
        )
    )
    if len(table) == 1:
        console.print("the cheapest plan is also the cleanest")


def front_of(options: Options, watch: Callable[[Progress], None], *, points: int, deadline_s: float) -> pd.DataFrame:
    """Return the plans from the cheapest to the cleanest, one per row; ``watch`` is told how far each search has come."""
    dispatcher = Dispatcher()
    dispatcher.process.watch = watch
    try:
        found = front(Workshop(options, dispatcher, deadline_s=deadline_s).planner, points=points)
    finally:
        dispatcher.close()
    return front_table(options, found)


def print_schema() -> None:
    """Print the JSON Schema of the options format."""
    print(json.dumps(options_schema(), indent=1, ensure_ascii=False))


def sizes_table(done: Study) -> Table:
    """Return what is built of each option, with its reason."""
    title = f"{done.options.document.title}: sizes of least present cost"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for name in ("option", "there", "built", "in all", ""):
        table.add_column(name, justify="left" if name == "option" else "right", no_wrap=name == "option")
    table.add_column("why", overflow="fold")
    for choice in done.plan.choices:
        option = choice.option
        built = " + ".join(grouped(b) for b in choice.built)
        table.add_row(option.asset, grouped(option.existing), built, grouped(choice.size), option.unit, choice.reason)
    return table


def worth_words(done: Study) -> str:
    """Return what the plan costs and earns, in words."""
    plan, base, worth, money = done.plan, done.base, done.worth, done.options.before.currency
    years, rate = plan.outlook.years, plan.outlook.discount_rate
    npv = f"net present value [bold]{grouped(worth.npv)} {money}[/], {grouped(worth.annuity)} a year"
    lines = [
        f"[bold]{grouped(plan.present_cost)} {money}[/] over {years} years at {rate:.1%}, as it is {grouped(base.present_cost)}",
        npv,
        f"first payment {grouped(max(-worth.returns[0], 0.0))} {money}; {_return_words(worth.rates)}; {_payback_words(done)}",
        f"{grouped(plan.co2_kg_per_year / KG_PER_T)} t CO2 a year instead of {grouped(base.co2_kg_per_year / KG_PER_T)}",
    ]
    if base.unserved_kwh_per_year > 1.0:
        short = grouped(base.unserved_kwh_per_year)
        lines.append(
            f"as it is, the site goes short of {short} kWh a year; what that costs is part of what the plan saves"
        )
    return "\n".join(lines)


def _return_words(rates: tuple[float, ...]) -> str:
    if len(rates) == 1:
        return f"internal rate of return {rates[0]:.1%}"
    if not rates:
        return "no internal rate of return: the payments never change their sign"
    return f"several internal rates of return ({', '.join(f'{r:.1%}' for r in rates)}), so none of them counts: look at the present value"


def _payback_words(done: Study) -> str:
    years = done.worth.payback_years
    return "never paid back" if years is None else f"paid back in {years:.1f} years"


def trust_words(done: Study) -> str:
    """Return how far the figures can be trusted: proof, typical periods, whole year, worst weeks."""
    proof = f"{done.plan.status}, {100 * done.plan.gap_share:.2f} % from the bound, certified"
    lines = [
        f"{proof}; {done.periods} typical periods, mean error of the series {done.aggregation_error_share:.1%} of their range"
    ]
    if done.year is not None:
        lines.append(
            f"every hour of the year with these sizes: operation {grouped(done.year.whole)} a year; the typical periods say "
            f"{grouped(done.year.typical)} ({done.year.error_share:+.1%}); {grouped(done.year.unserved_kwh)} kWh unserved"
        )
    for week in done.worst:
        verdict = "the twin agrees" if week.check.ok else "[bold red]the twin objects[/]"
        lines.append(
            f"week from {week.start:%Y-%m-%d}, {week.why}: {grouped(week.unserved_kwh)} kWh unserved, {verdict}"
        )
    return "\n".join(lines)


def near_table(near: tuple[Alternative, ...], slack: float) -> Table:
    """Return how little and how much of each option a plan may hold that costs hardly more."""
    title = f"Within {slack:.0%} of the least cost"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for name in ("option", "at least", "at most"):
        table.add_column(name, justify="left" if name == "option" else "right")
    for least, most in zip(near[::2], near[1::2], strict=True):
        table.add_row(least.option.name, grouped(least.size), grouped(most.size))
    return table


def front_table(options: Options, found: tuple[Sizing, ...]) -> pd.DataFrame:
    """Return the plans of a front, one per row: cost, emission, investment and every size."""
    money = options.before.currency
    rows = [
        {
            f"present cost, {money}": s.present_cost,
            "CO2, t a year": s.co2_kg_per_year / KG_PER_T,
            f"equipment, {money}": s.investment,
            **s.sizes,
        }
        for s in found
    ]
    return pd.DataFrame(rows)


def _screen(table: pd.DataFrame, title: str, money: str) -> Table:
    """Return a front for eighty columns: money in thousands."""
    shown = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    scale = [1e-3 if str(name).endswith(f", {money}") else 1.0 for name in table.columns]
    for name, factor in zip(table.columns, scale, strict=True):
        head = str(name).replace(f", {money}", f", 1000 {money}") if factor < 1.0 else str(name)
        shown.add_column(
            head.replace("_", " "), justify="right", min_width=max(len(w) for w in head.split("_")[0].split())
        )
    for row in table.itertuples(index=False):
        shown.add_row(*(grouped(factor * float(v)) for v, factor in zip(row, scale, strict=True)))
    return shown


def _plain(done: Study) -> dict[str, Any]:
    """Return a study as plain values."""
    return {
        "title": done.options.document.title,
        "currency": done.options.before.currency,
        "options": done.options.document.model_dump(mode="json"),
        "sizes": [
            {"option": c.option.name, "built": c.built, "size": c.size, "reason": c.reason} for c in done.plan.choices
        ],
        "plan": _sizing(done.plan),
        "base": _sizing(done.base),
        "worth": asdict(done.worth),
        "typical_periods": done.periods,
        "aggregation_error_share": done.aggregation_error_share,
        "whole_year": None if done.year is None else {**asdict(done.year), "error_share": done.year.error_share},
        "worst_weeks": [
            {
                "why": w.why,
                "start": w.start.isoformat(),
                "unserved_kwh": w.unserved_kwh,
                "accepted": w.check.ok,
                "errors": [str(f) for f in errors_in(w.check.findings)],
            }
            for w in done.worst
        ],
    }


def _sizing(plan: Sizing) -> dict[str, Any]:
    names = (
        "present_cost",
        "investment",
        "payments",
        "operation",
        "co2_kg_per_year",
        "unserved_kwh_per_year",
        "bound",
        "status",
    )
    return {n: getattr(plan, n) for n in names}


def _json(done: Study, path: Path) -> None:
    path.write_text(json.dumps(_plain(done), indent=1, ensure_ascii=False), encoding="utf-8")


def _sheets(done: Study) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "sizes", pd.DataFrame(_plain(done)["sizes"])
    years = range(done.plan.outlook.years + 1)
    payments = {"as it is": done.base.payments, "plan": done.plan.payments, "returns": done.worth.returns}
    yield "payments", pd.DataFrame({"year": list(years)} | {k: list(v) for k, v in payments.items()})
    yield "operation", pd.DataFrame({"as it is": done.base.mean_operation, "plan": done.plan.mean_operation})


def _excel(done: Study, path: Path) -> None:
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for name, table in _sheets(done):
            table.to_excel(book, sheet_name=name, index=name == "operation")


WRITERS: Mapping[str, Callable[[Study, Path], None]] = {".json": _json, ".xlsx": _excel}
FRONT_WRITERS: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".xlsx": lambda table, path: table.to_excel(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}
