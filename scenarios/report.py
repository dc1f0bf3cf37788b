"""The report of one day: the loop with perfect and naive forecasts, the rules that people run today, and perfect foresight."""

import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from hil.emulators.deviations import deviated
from models.actuals import Actuals
from models.dispatch import DispatchProblem, Plan
from models.findings import Severity
from models.forecast.naive import Forecaster, NaiveForecaster, PerfectForecaster
from models.horizon import Horizon
from models.processes import worker_pool
from models.site import Site
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import Powers, co2_kg, demand_cost, operating_cost, peak_import_kw, stored_value
from scenarios.day import AS_AT_START, DayResult, following, local_day, optimizing, run_day, run_day_over_modbus
from scenarios.kpis import UNSERVED_PRICE_PER_KWH
from scenarios.planners import Optimizer, balances_of, planner_for
from scenarios.problem import Planner, demand_terms, demand_windows, losses_on
from scenarios.rules import Rule
from scenarios.secured import SecuredOptimizer
from scenarios.tuning import end_of, tune
from twin.state import start_snapshot, stored_of
from twin.sync import Synchroniser
from twin.verify import Verifier

PERFECT, NAIVE, COMMON, TUNED, FORESIGHT = (
    "loop, perfect forecasts",
    "loop, naive forecasts",
    "common rule",
    "tuned rule",
    "perfect foresight",
)
ORDER = (FORESIGHT, PERFECT, NAIVE, TUNED, COMMON)
IMBALANCE_MAX_SHARE = 1e-3
WORKERS = 3
GARBAGE_EVERY = 200_000
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One operator's day as the table shows it.

    Counts are None where nothing was read or written: perfect foresight is a plan, not a run. ``reads`` are blocks over Modbus,
    ``values_read`` the readings that the loop took in.
    """

    operator: str
    total_cost: float
    cost: Mapping[str, float]
    peak_kw: float
    co2_kg: float
    unserved_kwh: float
    stored_kwh: Mapping[str, float]
    over_modbus: bool = False
    energy_kwh: Mapping[str, float] | None = None
    imbalance_share: Mapping[str, float] | None = None
    self_use_share: float | None = None
    reads: int | None = None
    values_read: int | None = None
    writes: int | None = None
    commands: int | None = None
    refused: int | None = None
    differences: int | None = None
    unaccounted: int | None = None
    guard_turns: int | None = None
    plans: int | None = None
    faults: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def balances_close(self) -> bool:
        """Whether every carrier's books close."""
        return all(share < IMBALANCE_MAX_SHARE for share in (self.imbalance_share or {}).values())


@dataclass(frozen=True, slots=True)
class DayReport:
    """All operators of one day, cheapest bound first, and the verdict."""

    site: str
    title: str
    notice: str
    currency: str
    day: date
    seed: int
    rows: tuple[Row, ...]

    def row(self, operator: str) -> Row:
        """Return one operator's row; KeyError if it is not in the report."""
        for row in self.rows:
            if row.operator == operator:
                return row
        raise KeyError(operator)

    @property
    def balances_close(self) -> bool:
        """Whether every carrier of every run closes to less than 0.1 %."""
        return all(r.balances_close for r in self.rows)

    @property
    def writes_accounted(self) -> bool:
        """Whether it is known of every command what became of it."""
        return not any(r.unaccounted for r in self.rows)

    @property
    def ok(self) -> bool:
        """Whether the day may count: balances close and no write is unaccounted for."""
        return self.balances_close and self.writes_accounted

    def saved_share(self, operator: str, against: str) -> float:
        """Return what ``operator`` saves of the cost of ``against``."""
        reference = self.row(against).total_cost
        return 1.0 - self.row(operator).total_cost / reference

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values for a JSON file."""
        verdict = {"balances_close": self.balances_close, "writes_accounted": self.writes_accounted, "ok": self.ok}
        return asdict(self) | {"day": self.day.isoformat(), "verdict": verdict}


def day_report(
    site_file: Path,
    day: date,
    *,
    seed: int = 1,
    operators: tuple[str, ...] = ORDER,
    workers: int = WORKERS,
    progress: Progress = lambda _: None,
) -> DayReport:
    """Return the report of one local day: both loops over loopback Modbus, the rules in process, perfect foresight as a plan.

    The runs are independent and go to ``workers`` processes; ``progress`` is told the name of each that has ended.
    """
    site = load_site(site_file)
    jobs = [names for names in ((PERFECT,), (NAIVE,), (COMMON, TUNED), (FORESIGHT,)) if set(names) & set(operators)]
    rows: dict[str, Row] = {}
    with worker_pool(min(workers, len(jobs))) as pool:
        running = [pool.submit(rows_of, site_file, day, seed, tuple(set(names) & set(operators))) for names in jobs]
        for ended in as_completed(running):
            for row in ended.result():
                rows[row.operator] = row
                progress(row.operator)
    found = tuple(rows[name] for name in ORDER if name in rows)
    return DayReport(site.name, site.title, site.notice, site.currency, day, seed, found)


def rows_of(site_file: Path, day: date, seed: int, operators: tuple[str, ...]) -> list[Row]:
    """Return the rows of some operators; what a worker process does."""
    work = DayWork(load_site(site_file), day, seed)
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)  # a run makes millions of short-lived readings and hardly any cycles
    return list(work.rows(operators))


class DayWork:
    """One day with everything its operators share."""

    def __init__(self, site: Site, day: date, seed: int) -> None:
        self.site, self.day, self.seed = site, day, seed
        self.actuals = Actuals(site, seed)
        self.period = local_day(site, day)

    def rows(self, operators: tuple[str, ...]) -> Iterator[Row]:
        """Yield the row of each named operator."""
        if {COMMON, TUNED} & set(operators):
            yield from self._rules(operators)
        if {PERFECT, NAIVE, FORESIGHT} & set(operators):
            optimizer = planner_for(self.site)
            try:
                yield from self._optimized(optimizer, operators)
            finally:
                optimizer.close()

    def _optimized(self, optimizer: Optimizer | SecuredOptimizer, operators: tuple[str, ...]) -> Iterator[Row]:
        forecasters: dict[str, Forecaster] = {
            PERFECT: PerfectForecaster(self.actuals),
            NAIVE: NaiveForecaster(self.site, self.actuals),
        }
        for name, forecaster in forecasters.items():
            if name in operators:
                operator = optimizing(name, optimizer, forecaster, Verifier(self.site), balances_of(optimizer))
                yield row_of(run_day_over_modbus(self.site, self.day, operator, self.synchroniser(), seed=self.seed))
        if FORESIGHT in operators:
            plant, _ = deviated(self.site, self.seed)
            plan = foresight(plant, self.actuals, self.period, optimizer)
            yield row_of_plan(plant, plan, self.period)

    def _rules(self, operators: tuple[str, ...]) -> Iterator[Row]:
        rules = dict(zip((COMMON, TUNED), tune(self.site, self.actuals, self.period.start), strict=True))
        naive, known = NaiveForecaster(self.site, self.actuals), dict[Rule, Row]()
        for name, rule in ((n, r) for n, r in rules.items() if n in operators):
            if rule not in known:  # on some days tuning finds nothing better than the common rule
                operator = following(self.site, name, rule, naive)
                known[rule] = row_of(run_day(self.site, self.day, operator, self.synchroniser(), seed=self.seed))
            yield replace(known[rule], operator=name)

    def synchroniser(self) -> Synchroniser:
        """Return a synchroniser that knows the plant at rest at the day's start."""
        return Synchroniser(
            self.site, initial=start_snapshot(self.site, self.period.start), billing_period=lambda _: self.period
        )


def row_of(result: DayResult) -> Row:
    """Return a run as a row of the table."""
    kpis, diary, wire = result.kpis, result.diary, result.wire
    return Row(
        operator=result.operator,
        total_cost=kpis.total_cost,
        cost=dict(kpis.cost),
        peak_kw=kpis.peak_kw,
        co2_kg=kpis.co2_kg,
        unserved_kwh=sum(kpis.unserved_kwh.values()),
        stored_kwh=dict(kpis.stored_kwh),
        over_modbus=wire is not None,
        energy_kwh=dict(kpis.energy_kwh),
        imbalance_share=dict(kpis.imbalance_share),
        self_use_share=kpis.self_use_share,
        reads=wire.reads if wire else None,
        values_read=diary.values_read,
        writes=wire.writes if wire else None,
        commands=len(diary.receipts),
        refused=sum(r.code.startswith("refused") for r in diary.receipts),
        differences=result.differences,
        unaccounted=len(result.unaccounted),
        guard_turns=diary.guard_turns,
        plans=len(diary.plans),
        faults=tuple(f"{f.at:%H:%M} UTC {f.place}: {f.message}" for f in diary.faults),
        findings=tuple(str(f) for f in result.findings if f.severity is not Severity.INFO),
    )


def foresight(plant: Site, actuals: Actuals, period: BillingPeriod, optimizer: Planner) -> Plan:
    """Return the plan of somebody who knows the whole day and the plant's own parameters beforehand.

    It is the bound for every operator that leaves the stores as it found them; one that empties them is credited end values only and
    may come out cheaper for a day. It knows 15-min means; what happens inside them costs it nothing. Every yes-or-no decision is kept over the whole day.
    """
    horizon = Horizon.uniform(period.start, period.end)
    problem = DispatchProblem(
        site=plant,
        horizon=horizon,
        forecast=PerfectForecaster(actuals).forecast(horizon),
        initial=start_snapshot(plant, period.start),
        demand=demand_terms(plant, period, 0.0, 0.0),
        demand_windows=demand_windows(plant, period),
        ends=AS_AT_START.terms(plant),
        unserved_price_per_kwh=UNSERVED_PRICE_PER_KWH,
    )
    check = Verifier(plant)(optimizer.plan(problem), problem.initial, problem.forecast)
    return optimizer.plan(replace(problem, losses_kw=losses_on(check, horizon)))


def row_of_plan(site: Site, plan: Plan, period: BillingPeriod) -> Row:
    """Return a plan as a row, priced like a run."""
    powers = Powers(plan.horizon, plan.power_kw)
    peak_kw = peak_import_kw(site, powers)
    short_kwh = float(
        (plan.unserved_kw.sum([d for d in plan.unserved_kw.dims if d != "time"]) * plan.horizon.step_h).sum()
    )
    before, after = stored_of(start_snapshot(site, period.start)), end_of(plan)
    cost = operating_cost(site, powers)
    cost["demand"] = demand_cost(site, powers, period)
    cost["unserved"] = short_kwh * UNSERVED_PRICE_PER_KWH
    cost["stored"] = stored_value(site, before) - stored_value(site, after)
    return Row(FORESIGHT, sum(cost.values()), cost, peak_kw, co2_kg(site, powers), short_kwh, after, plans=1)
