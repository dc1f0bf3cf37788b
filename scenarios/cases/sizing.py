"""Cases that ask what to build: sizes of least present cost on the changed site, what they earn, and what lies beside them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import xarray as xr
from annotated_types import Ge, Le

from models.errors import DataError
from models.findings import Finding, error, errors_in
from models.site import Site
from optimizers.alternatives import Alternative
from optimizers.capacity import Sizing
from optimizers.dispatch import Dispatcher
from optimizers.pareto import front
from scenarios.cases.results import Result
from scenarios.sizing.options import Options, read_options
from scenarios.sizing.study import Study, Workshop, study
from scenarios.sizing.worst import WorstWeek

PLANS = ("as_it_is", "built")


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingTask:
    """What a case of mode ``size`` decides: the options file, and how closely it is looked at."""

    options: str
    """A file of what may be built, beside the case, or ``park`` for the shipped one."""
    typical_periods: Annotated[int, Ge(1), Le(366)] | None = None
    """Another number than the options file says."""
    near_share: Annotated[float, Ge(0), Le(1)] = 0.0
    """Seek the plans with least and most of each option that cost at most this share more; none at 0."""
    front_points: Annotated[int, Ge(0), Le(50)] = 0
    """Plans from the cheapest to the cleanest; none below 2."""
    whole_year: bool = False
    """Run every hour of the year with the sizes chosen."""
    worst_weeks: Annotated[int, Ge(0), Le(8)] = 1
    """So many of the year's worst weeks are replayed on the networks."""


def read_task(task: SizingTask, site: Site) -> tuple[Options | None, list[Finding]]:
    """Return the options of a task on a site, and everything wrong with them."""
    options, findings = read_options(Path(task.options), site)
    if options is None or task.typical_periods is None:
        return options, findings
    document = options.document.model_copy(update={"typical_periods": task.typical_periods})
    return replace(options, document=document), findings


def run_sizing(
    task: SizingTask, site: Site, result: Callable[..., Result], progress: Callable[[float, str], None]
) -> Result:
    """Return what should be built on a site; ``result`` makes the record of a run around figures, findings and arrays.

    Raises
    ------
    DataError
        With every finding when the options do not fit the changed site.
    """
    options, findings = read_task(task, site)
    if options is None or errors_in(findings):
        raise DataError([*findings] or [error(task.options, "holds no options")])
    began = time.perf_counter()
    steps = iter(np.linspace(0.05, 0.95, 8).tolist())

    def told(words: str) -> None:
        progress(next(steps, 0.95), words)

    dispatcher = Dispatcher()
    try:
        done = study(
            options,
            dispatcher,
            whole=task.whole_year,
            weeks=task.worst_weeks,
            slack_share=task.near_share,
            progress=told,
        )
        told("plans from the cheapest to the cleanest")
        ends = front(Workshop(options, dispatcher).planner, points=task.front_points) if task.front_points > 1 else ()
    finally:
        dispatcher.close()
    return result(
        kpis=figures_of(done),
        findings=tuple(worst_findings(done.worst)),
        arrays=arrays_of(done, ends),
        seconds=time.perf_counter() - began,
    )


def figures_of(done: Study) -> dict[str, float]:
    """Return a study's figures, in the units of :data:`scenarios.cases.results.KPIS`; without pay-back or rate of return there is no such figure."""
    plan, base, worth = done.plan, done.base, done.worth
    found = {
        "present_cost": plan.present_cost,
        "investment": plan.investment,
        "npv": worth.npv,
        "annuity": worth.annuity,
        "co2_kg_per_year": plan.co2_kg_per_year,
        "co2_saved_kg_per_year": base.co2_kg_per_year - plan.co2_kg_per_year,
        "unserved_kwh_per_year": plan.unserved_kwh_per_year,
        "violations": float(len(errors_in(worst_findings(done.worst)))),
    }
    if len(worth.rates) == 1:
        found["irr_share"] = worth.rates[0]
    if worth.payback_years is not None:
        found["payback_years"] = worth.payback_years
    return found


def worst_findings(worst: Sequence[WorstWeek]) -> Iterator[Finding]:
    """Yield what the twin says of the worst weeks, each with the week that it is about."""
    for week in worst:
        for finding in week.check.findings:
            yield replace(finding, message=f"week of {week.start:%Y-%m-%d}, {week.why}: {finding.message}")


def arrays_of(done: Study, ends: Sequence[Sizing]) -> xr.Dataset:
    """Return a study as arrays.

    ``payments`` (plan, year) are all payments by year, not discounted, of the site as it is and as built; ``returns`` (year) their
    difference; ``operation`` (plan, part) the cost of a mean year; ``existing``, ``built`` (option, stage) and the attribute ``units`` what
    is built; ``near_least``, ``near_most`` (option) the sizes within the slack; ``front_cost``, ``front_co2_kg``, ``front_size`` along
    ``point`` from the cheapest to the cleanest.
    """
    choices, plans = done.plan.choices, (done.base, done.plan)
    names = [c.option.name for c in choices]
    parts = sorted({p for plan in plans for p in plan.mean_operation})
    data: dict[str, object] = {
        "payments": (("plan", "year"), np.array([p.payments for p in plans])),
        "returns": (("year",), np.array(done.worth.returns)),
        "operation": (("plan", "part"), np.array([[p.mean_operation.get(n, 0.0) for n in parts] for p in plans])),
        "existing": (("option",), np.array([c.option.existing for c in choices])),
        "built": (("option", "stage"), np.array([c.built for c in choices])),
        **_near(done.near, names),
    }
    if ends:
        data |= {
            "front_cost": (("point",), np.array([p.present_cost for p in ends])),
            "front_co2_kg": (("point",), np.array([p.co2_kg_per_year for p in ends])),
            "front_size": (("point", "option"), np.array([[p.sizes[n] for n in names] for p in ends])),
        }
    coords = {
        "plan": list(PLANS),
        "year": np.arange(len(done.plan.payments)),
        "part": parts,
        "option": names,
        "stage": np.array(done.plan.outlook.stages),
    }
    attributes = {"units": [c.option.unit for c in choices], "reasons": [c.reason for c in choices]}
    return xr.Dataset(data, coords, attributes)


def _near(near: Sequence[Alternative], names: Sequence[str]) -> dict[str, object]:
    if not near:
        return {}
    ends = {(a.option.name, a.most): a.size for a in near}
    return {
        "near_least": (("option",), np.array([ends[n, False] for n in names])),
        "near_most": (("option",), np.array([ends[n, True] for n in names])),
    }
