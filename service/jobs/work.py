"""The work behind every kind of job, in a process of its own that waits for the job's folder: ``python -m service.jobs.work``."""

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from models.errors import DataError, JouletwinError, PlanningError
from models.site import Site
from service.commands.screen import gap_words
from service.emulation import heed
from service.jobs.billing_work import bills
from service.jobs.child import OUTCOME, SAID
from service.jobs.customer_requests import CustomerInputs, CustomerJob
from service.jobs.customer_work import OF_CUSTOMERS
from service.jobs.efficiency_work import efficiency
from service.jobs.queue import ORDER
from service.jobs.requests import (
    DispatchJob,
    EstimateJob,
    ExplainJob,
    FlowJob,
    ForecastJob,
    OffersJob,
    OutageJob,
    ParetoJob,
    Request,
    ScenarioJob,
    SizeJob,
    SweepJob,
    TradeDayJob,
    case_of,
    options_of,
    shipped,
    standing_alone,
)
from service.jobs.results import Tell, kept, kept_json

if TYPE_CHECKING:
    from optimizers.session import Progress

POINTS = "points"
"""Where the points of a sweep lie in its job's folder, whichever attempt made them."""
RUNS = "runs"
CASE_RUN, BASE_RUN = f"{RUNS}/case", f"{RUNS}/base"
"""Where a scenario's run and its base lie in its result; a run without a base lies in RUNS itself."""
NICENESS = 10
"""Jobs leave the processor to the loop and its plans."""


def dispatch(asked: DispatchJob, site: Site, folder: Path, tell: Tell) -> str:
    """Plan a day."""
    from service.commands.plan_files import WRITERS
    from service.day_plan import made_plan

    tell(None, "the plan of the day")
    made = made_plan(site, asked.as_day(), searching(tell))
    kept(WRITERS, made, folder)
    return "the twin agrees" if made.check is not None and made.check.ok else "the twin objects"


def explain(asked: ExplainJob, site: Site, folder: Path, tell: Tell) -> str:
    """Say why a day is as it is."""
    from service.commands.explain import explained
    from service.day_plan import day_problem

    tell(None, "why the day is as it is")
    problem = day_problem(site, asked.day, asked.seed)
    found = explained(problem, asset=asked.asset, at=asked.at, deadline_s=asked.deadline_s)
    short = found.shortage
    kept_json(
        {
            "total_cost": found.plan.total_cost,
            "currency": site.currency,
            "step_start": found.plan.horizon.edges[found.step].isoformat(),
            "reasons": [asdict(r) for r in found.why],
            "short_kwh": short.short_kwh,
            "findings": [str(f) for f in (*short.findings, *short.precheck)],
            "reliefs": [r.sentence for r in short.reliefs],
            "conflict": list(short.conflict),
        },
        folder,
    )
    return "the day falls short" if short.findings else "the day can be served"


def flow(asked: FlowJob, site: Site, folder: Path, tell: Tell) -> str:
    """Compute all networks at an instant."""
    from service.commands.flow import stamped, state_at
    from service.commands.network_files import WRITERS

    tell(None, "the networks")
    snapshot = state_at(site, asked.at, asked.seed)
    kept(WRITERS, stamped(site, snapshot), folder)
    return f"{len(snapshot.networks)} networks"


def n1(asked: OutageJob, site: Site, folder: Path, tell: Tell) -> str:
    """Compute every single outage."""
    from service.commands.flow import state_at
    from service.commands.n1 import flat, outages
    from service.commands.network_files import WRITERS

    tell(None, "every single outage")
    snapshot = state_at(site, asked.at, asked.seed)
    kept(WRITERS, {n.id: flat(outages(site, n, snapshot)) for n in site.networks.electricity}, folder)
    return "every single outage is looked at"


def estimate(asked: EstimateJob, site: Site, folder: Path, tell: Tell) -> str:
    """Estimate the site from an emulated plant's readings."""
    from service.commands.estimate import WRITERS, emulated, sensors_table
    from twin.estimate.live import LiveEstimator

    tell(None, "half an hour of readings")
    found = emulated(site, LiveEstimator(site), asked.at, asked.seed)
    kept(WRITERS, (sensors_table(found), found), folder)
    return "the meters' accuracy explains what is left" if found.estimate.plausible else "more than accuracy explains"


def forecast(asked: ForecastJob, site: Site, folder: Path, tell: Tell) -> str:
    """Forecast every series."""
    from service.commands.forecast import WRITERS, bands_at

    tell(None, "learns from the past")
    _, bands = bands_at(site, asked.at, asked.hours, asked.seed)
    kept(WRITERS, bands, folder)
    return bands.forecast.source


def offers(asked: OffersJob, site: Site, folder: Path, tell: Tell) -> str:
    """Make a day's offers and prove them."""
    from scenarios.offering import Deviations
    from service.commands.offers import WRITERS, Asked, offers_for

    tell(None, "price paths, an optimum for each, and their replay on the grid")
    beside = Deviations(asked.short_per_kwh, asked.long_per_kwh)
    numbers = asked.paths, asked.steps, asked.fee_per_kwh
    made = offers_for(site, Asked(asked.day, None, *numbers, beside, asked.proven, asked.seed))
    kept(WRITERS, made, folder)
    return made.proof.words()


def trade_day(asked: TradeDayJob, site: Site, folder: Path, tell: Tell) -> str:
    """Trade a day and operate it, from the forecast to the ledger."""
    from scenarios.trading.traded import TradeSettings
    from service.commands.trade_day import WRITERS, traded_at

    tell(None, "forecast, offers, clearing, schedule, delivery, settlement")
    settings = TradeSettings(
        asked.paths, asked.steps, fee_per_kwh=asked.fee_per_kwh, hedged_share=asked.hedged_share, seed=asked.seed
    )
    made = traded_at(site, asked.day, None, settings)
    kept(WRITERS, made, folder)
    whole = "the trace is whole and the books sum to zero" if made.ok else "the trace or the books do not close"
    return f"{whole}; the day came to {made.account.result:.2f} {site.currency}"


def size(asked: SizeJob, site: Site, folder: Path, tell: Tell) -> str:
    """Choose sizes."""
    from service.commands.size import WRITERS, sized

    done = sized(
        options_of(asked.options, site),
        partial(tell, None),
        searching(tell),
        deadline_s=asked.deadline_s,
        whole=asked.whole,
        weeks=asked.weeks,
        slack=asked.slack_share,
    )
    kept(WRITERS, done, folder)
    return "the twin agrees" if done.ok else "the twin objects to a worst week"


def pareto(asked: ParetoJob, site: Site, folder: Path, tell: Tell) -> str:
    """Find plans from the cheapest to the cleanest."""
    from service.commands.size import FRONT_WRITERS, front_of

    tell(None, "plans from the cheapest to the cleanest")
    options = options_of(asked.options, site)
    table = front_of(options, searching(tell), points=asked.points, deadline_s=asked.deadline_s)
    kept(FRONT_WRITERS, table, folder)
    kept_json(table.to_dict("records"), folder)
    return f"{len(table)} plans"


def scenario(asked: ScenarioJob, _site: Site, folder: Path, tell: Tell) -> str:
    """Run a case beside its base."""
    from scenarios.cases.run import run_case
    from service.commands.scenario import TABLES, run_beside_base, stepped

    case = stepped(case_of(asked), asked.step)
    if asked.begins is not None:
        case = asked.begins.begin(case)
    record, comparison = run_beside_base(
        case, folder / RUNS, lambda each: run_case(each, progress=tell), alone=asked.alone
    )
    if comparison is not None:
        kept(TABLES, comparison, folder)
    kept_json(record | {"why": [] if comparison is None else list(comparison.why(record))}, folder)
    return "the networks object" if record["kpis"].get("violations", 0) > 0 else "the networks agree"


def sweep(asked: SweepJob, _site: Site, folder: Path, tell: Tell) -> str:
    """Run a case at many points; what an earlier attempt has done stays done."""
    from scenarios.cases.sweep import Sweep, begin, failures, gathered, run_sweep
    from service.commands.sweep import SWEEP_TABLES, sweep_figures

    case = case_of(asked)
    plan = Sweep(str(case_file(asked, folder.parent)), asked.cover, asked.points(case), asked.step)
    points = folder.parent / POINTS
    begin(plan, points)
    run_sweep(plan, points, progress=lambda done, failed, of: tell((done + failed) / of, f"{done} of {of} points"))
    figures, failed = gathered(plan, points), failures(plan, points)
    kept(SWEEP_TABLES, figures, folder)
    kept_json(sweep_figures(figures) | {"failed": {str(k): why for k, why in failed.items()}}, folder)
    return f"{len(plan.points) - len(failed)} of {len(plan.points)} points have a result"


def case_file(asked: SweepJob, folder: Path) -> Path:
    """Return the file of a sweep's case; a document that was sent is written into the job's folder."""
    if isinstance(asked.case, str):
        return shipped(asked.case)
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(standing_alone(asked.case)[0], allow_unicode=True), encoding="utf-8")
    return path


KINDS: Mapping[str, Callable[[Any, Any, Path, Tell], str]] = {
    f.__name__: f
    for f in (
        dispatch,
        explain,
        flow,
        n1,
        estimate,
        forecast,
        offers,
        trade_day,
        bills,
        size,
        pareto,
        scenario,
        sweep,
        *OF_CUSTOMERS,
        efficiency,
    )
}


def searching(tell: Tell) -> Callable[["Progress"], None]:
    """Return who tells how far a search has come."""
    return lambda progress: tell(None, gap_words(progress).removesuffix("; Ctrl-C takes the best so far"))


def outcome(request: Request | CustomerJob, site: Site | CustomerInputs, folder: Path, tell: Tell) -> dict[str, Any]:
    """Do the work and return how it ended, findings included."""
    try:
        return {"done": True, "words": KINDS[request.kind](request, site, folder, tell), "findings": []}
    except JouletwinError as fault:
        found = fault.findings if isinstance(fault, DataError | PlanningError) else ()
        findings = [(f.severity.value, f.place, f.message) for f in found]
        return {"done": False, "words": str(fault), "findings": findings}


def warm_up() -> None:
    """Load what most jobs need, before anybody waits for it."""
    for name in ("scenarios.checked", "service.commands.dispatch", "service.commands.plan_files"):
        import_module(name)


def main() -> None:
    """Wait for a job's folder and work on it; progress goes out as lines of JSON, everything else that is printed into a file."""
    os.nice(NICENESS)
    warm_up()
    line = sys.stdin.readline().strip()
    if not line:
        return  # nobody needs it any more
    folder = Path(line)
    heed(sys.stdin, lambda _: None, lambda: os.killpg(0, signal.SIGKILL))  # the worker has ended
    with os.fdopen(os.dup(1), "w", buffering=1) as lines, (folder / SAID).open("w") as said:
        os.dup2(said.fileno(), 1)  # what a library prints is no progress
        os.dup2(said.fileno(), 2)

        def tell(share: float | None, words: str) -> None:
            print(json.dumps([share, words]), file=lines, flush=True)

        request, site = pickle.loads((folder.parent / ORDER).read_bytes())  # noqa: S301 # the service wrote it, in its own folder
        found = outcome(request, site, folder, tell)
    (folder / OUTCOME).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
