"""Why a day cannot be served: one linear program for the least shortage, whose prices say which limits make it and what more of each would bring.

Beside it a look at the plain sums, for which nothing is solved, and the smallest set of limits that contradict each other at the worst instant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.carriers import Carrier
from models.components import Pv, Wind
from models.dispatch import DispatchProblem
from models.findings import Finding, error, warning
from models.horizon import Horizon
from models.told import told
from optimizers.blocks.book import Feed
from optimizers.certificate import certify, require
from optimizers.compile.program import CompiledModel, Family
from optimizers.compile.rules import Series
from optimizers.dispatch import Case, Dispatcher
from optimizers.explain import DEFINITIONS, ROW_WORDS
from optimizers.session import HighsSession, Program, Solution
from optimizers.worker import Job

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
GAPS = frozenset({"unserved_kw", "lacking_kw", "late_kwh"})
SMALLEST_KWH = 0.01
WORTH = 1e-4
"""What brings less than this share of itself is no way out."""
REDUCE = {"iis_strategy": 4, "iis_time_limit": 1.0}


@dataclass(frozen=True, slots=True)
class Relief:
    """A limit that the shortage hangs on.

    ``worth`` is the kWh of shortage that one more unit (kW or kWh, or one more running unit) avoids over all its steps, ``needed`` by how
    many it has to give at least, if it alone gives: shortage falls ever more slowly, so that no less can be enough.
    """

    asset: str
    quantity: str
    steps: tuple[int, ...]
    worth: float
    needed: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Shortage:
    """What a day is short of, and why.

    ``findings`` say what is missing and when; ``precheck`` which sums already do not add up; ``reliefs`` the limits that would have to give, the most
    effective first; ``conflict`` the limits that contradict each other at the worst instant, in words.
    """

    short_kwh: float
    findings: tuple[Finding, ...]
    precheck: tuple[Finding, ...]
    reliefs: tuple[Relief, ...]
    conflict: tuple[str, ...]
    seconds: float


def explain_shortage(problem: DispatchProblem, dispatcher: Dispatcher, *, deadline_s: float = 30.0) -> Shortage:
    """Return why ``problem`` cannot be served in full; without a shortage everything in it is empty.

    One linear program is solved, in which units may run in part: what is short here is short in every plan.

    Raises
    ------
    SolverTimeoutError, SolverCrashError, CertificateError
        If that program has no certified answer in time.
    """
    case = dispatcher.case(problem)
    model, horizon = case.compiled.model, problem.horizon
    least = replace(case.program.relaxed(), cost=_missing_kwh(case), offset=0.0)
    answer = dispatcher.process.solve(Job(f"{case.compiled.key}:shortage", least), deadline_s=deadline_s)
    point = answer.solution
    require(certify(least, point), "shortage")
    precheck = tuple(capacity_findings(case))
    assert point.x is not None and point.row_dual is not None  # noqa: S101, PT018 - certified, and linear
    if point.objective < SMALLEST_KWH:
        return Shortage(0.0, (), precheck, (), (), point.seconds)
    gaps = _gaps(model, case, point.x)
    reduced: Floats = least.cost - least.matrix.T @ point.row_dual
    reliefs = [*_column_reliefs(case, least, point, reduced), *_row_reliefs(case, least, point)]
    reliefs.sort(key=lambda r: -r.worth)
    step = int(np.argmax(sum(gaps.values())))
    return Shortage(
        point.objective,
        tuple(_findings(gaps, case, horizon)),
        precheck,
        tuple(reliefs),
        tuple(_conflict(case, least, point.x, step)),
        point.seconds,
    )


def capacity_findings(case: Case) -> Iterator[Finding]:
    """Yield every carrier whose demand is above everything that can feed it together, at its worst step; nothing is solved."""
    horizon = case.facts.problem.horizon
    for carrier in case.compiled.carriers:
        draws = [
            np.asarray(case.parameters[d.wanted.name], float) for d in case.compiled.book.draws if d.carrier is carrier
        ]
        wanted = np.sum([np.broadcast_to(d, len(horizon)) for d in draws], axis=0) if draws else np.zeros(len(horizon))
        most = sum(_most_kw(case, carrier).values(), np.zeros(len(horizon)))
        over = wanted - most
        if over.max() > SMALLEST_KWH:
            worst = int(over.argmax())
            yield error(
                carrier.value,
                f"{wanted[worst]:,.0f} kW are asked at {_at(horizon, worst)}, and everything that can feed it gives at most "
                f"{most[worst]:,.0f} kW together; {over[worst]:,.0f} kW more are needed there, in {int((over > 0).sum())} steps in all",
                value=float(wanted[worst]),
                limit=float(most[worst]),
            )


def _most_kw(case: Case, carrier: Carrier) -> dict[str, Floats]:
    """Return the most that each asset can feed into a carrier, whatever the others do; shape (step,)."""
    found: dict[str, Floats] = {}
    upper, count = case.program.column_upper, len(case.facts.step_h)
    for feed in case.compiled.book.feeds:
        if feed.carrier is not carrier:
            continue
        factor, name = _factor(case, feed), feed.column.quantity
        if name.startswith("weight_"):
            most = np.maximum(factor, 0.0) * upper[case.compiled.model.column(feed.asset, "on").steps]
            found[feed.asset] = np.maximum(found.get(feed.asset, np.zeros(count)), most)
        elif (factor > 0).any() and name not in GAPS:
            limit = upper[case.compiled.model.column(feed.column.asset, name).steps]
            found[f"{feed.asset}.{name}"] = np.maximum(factor, 0.0) * limit
    return found


def _factor(case: Case, feed: Feed) -> Floats:
    value = case.parameters[feed.factor.name] if isinstance(feed.factor, Series) else feed.factor
    return np.broadcast_to(np.asarray(value, float), len(case.facts.step_h))


def _missing_kwh(case: Case) -> Floats:
    """Return what each column counts as energy that somebody goes short of."""
    cost = np.zeros(len(case.program.cost))
    for family in case.compiled.model.columns:
        if family.quantity in GAPS:
            cost[family.steps] = case.facts.step_h if family.quantity.endswith("_kw") else 1.0
    return cost


def _gaps(model: CompiledModel, case: Case, x: Floats) -> dict[str, Floats]:
    """Return what is missing by carrier or fleet, kWh per step."""
    found: dict[str, Floats] = {}
    for family in (f for f in model.columns if f.quantity in GAPS):
        kwh = x[family.steps] * (case.facts.step_h if family.quantity.endswith("_kw") else 1.0)
        if kwh.sum() > SMALLEST_KWH:
            found[family.asset] = found.get(family.asset, np.zeros(len(kwh))) + kwh
    return found


def _findings(gaps: Mapping[str, Floats], case: Case, horizon: Horizon) -> Iterator[Finding]:
    for name, kwh in gaps.items():
        worst, steps = int((kwh / case.facts.step_h).argmax()), np.flatnonzero(kwh > SMALLEST_KWH)
        yield error(
            name,
            f"short of {kwh.sum():,.0f} kWh whatever is done: {kwh[worst] / case.facts.step_h[worst]:,.0f} kW at {_at(horizon, worst)}, "
            f"{len(steps)} steps from {_at(horizon, int(steps[0]))} to {_at(horizon, int(steps[-1]) + 1)}",
            value=float(kwh[worst] / case.facts.step_h[worst]),
        )


def _column_reliefs(case: Case, least: Program, point: Solution, reduced: Floats) -> Iterator[Relief]:
    """Yield the limits on set-points, contents and units that would avoid shortage if they were wider; the weather is none."""
    assert point.x is not None  # noqa: S101 - checked by the caller
    weather = {u.id for u in (*case.facts.problem.site.of_kind(Pv), *case.facts.problem.site.of_kind(Wind))}
    for family in case.compiled.model.columns:
        if not family.stepwise or family.quantity in GAPS or family.asset in weather:
            continue
        worth, x = -reduced[family.steps], point.x[family.steps]
        upper, lower = least.column_upper[family.steps], least.column_lower[family.steps]
        held = np.flatnonzero(
            (worth > WORTH) & np.isfinite(upper) & (x + 1e-6 * (1.0 + np.abs(x)) >= upper) & (upper > lower)
        )
        if len(held):
            what, unit = _what(family.quantity)
            worst = int(held[np.argmax(worth[held])])
            limit = f"{what} is at its limit of {upper[worst]:,.4g} {unit}{'s' if unit == 'unit' else ''}"
            yield _relief(family, held, worth[held], f"{limit} {_when(case, held, worst)}", unit, point.objective)


def _row_reliefs(case: Case, least: Program, point: Solution) -> Iterator[Relief]:
    """Yield the rules that would avoid shortage if they could bend: ramps, minimum times, agreed peaks."""
    assert point.row_dual is not None  # noqa: S101 - checked by the caller
    for family in case.compiled.model.rows:
        if family.quantity.split("_")[0] in DEFINITIONS or family.quantity in ("balance", "end") or not family.stepwise:
            continue
        worth = np.abs(point.row_dual[family.span])
        equal = least.row_lower[family.span] == least.row_upper[family.span]
        bent = np.flatnonzero((worth > WORTH) & ~equal)
        if len(bent):
            at = family.first + bent
            words = ROW_WORDS.get(family.quantity, family.quantity.replace("_", " "))
            held = f"{words} holds it back {_when(case, at, int(at[np.argmax(worth[bent])]))}"
            yield _relief(family, at, worth[bent], held, "unit", point.objective)


def _relief(family: Family, steps: Ints, worth: Floats, held: str, unit: str, short_kwh: float) -> Relief:
    total = float(worth.sum())
    needed = short_kwh / total
    brings = f"one {unit} more throughout avoids {total:,.2f} kWh of shortage, at least {needed:,.3g} are needed if it alone gives"
    return Relief(
        family.asset, family.quantity, tuple(steps.tolist()), total, needed, f"{family.asset}: {held}; {brings}"
    )


def _when(case: Case, steps: Ints, worst: int) -> str:
    horizon = case.facts.problem.horizon
    return f"in {len(steps)} of {len(horizon)} steps, for example at {_at(horizon, worst)}"


def _conflict(case: Case, least: Program, x: Floats, step: int) -> Iterator[str]:
    """Yield the limits that contradict each other at one step while all others keep what the least shortage gives them.

    The program of one step is small enough to be reduced until nothing can be left out.
    """
    model, horizon = case.compiled.model, case.facts.problem.horizon
    free = [f.steps.start + step for f in model.columns if f.stepwise and f.count > step]
    columns = np.array(free, np.int64)
    small, rows = _part(least, x, columns)
    short = np.array([model.column_place(int(c)).quantity in GAPS for c in columns])
    session = HighsSession(replace(small, column_upper=np.where(short, 0.0, small.column_upper)), REDUCE)
    session.run(time_limit_s=1.0)
    for row, column in session.conflict():
        if row is not None:
            place = model.row_place(int(rows[row]))
            if place.quantity.split("_")[0] not in DEFINITIONS:
                words = (
                    "demand and losses are to be met"
                    if place.quantity == "balance"
                    else f"{place.quantity.replace('_', ' ')} holds"
                )
                yield f"{place.asset}: {words} at {_at(horizon, step)}"
        elif column is not None:
            place = model.column_place(int(columns[column]))
            limit = least.column_upper[columns[column]]
            if place.quantity not in GAPS and np.isfinite(limit):
                what, unit = _what(place.quantity)
                yield f"{place.asset}: {what} at most {limit:,.4g} {unit}{'s' if unit == 'unit' else ''}"


def _part(least: Program, x: Floats, columns: Ints) -> tuple[Program, Ints]:
    """Return the program of some columns, the others fixed at ``x``, and which rows are left in it."""
    matrix = least.matrix.tocsc()[:, columns].tocsr()
    rows = np.flatnonzero(np.diff(matrix.indptr))
    others = least.matrix @ x - least.matrix.tocsc()[:, columns] @ x[columns]
    kept = sparse.csr_array(matrix[rows])
    count = len(columns)
    program = Program(
        row_ptr=kept.indptr.astype(np.int32),
        column_index=kept.indices.astype(np.int32),
        coefficients=kept.data,
        column_lower=least.column_lower[columns],
        column_upper=least.column_upper[columns],
        row_lower=(least.row_lower - others)[rows],
        row_upper=(least.row_upper - others)[rows],
        cost=np.zeros(count),
        offset=0.0,
        integrality=np.zeros(count, np.uint8),
    )
    return program, rows


def decisions_finding(shortage: Shortage, unserved_kwh: float) -> Finding | None:
    """Return what to say when a plan is short of more than every plan must be: yes-or-no decisions, or the price of what is missing."""
    more = unserved_kwh - shortage.short_kwh
    if more <= max(1.0, 1e-3 * unserved_kwh):
        return None
    pattern = (
        "{more:,.0f} kWh more are left unserved than limits alone force: starts, minimum times or prices make it so"
    )
    return warning("plan", told("left_by_decisions", pattern, more=more), value=more)


def _what(quantity: str) -> tuple[str, str]:
    """Return the words and the unit of a column."""
    if quantity.endswith("_kwh"):
        return quantity.removesuffix("_kwh").replace("_", " ") + " energy", "kWh"
    if quantity.endswith("_kw"):
        return quantity.removesuffix("_kw").replace("_", " "), "kW"
    return {"on": "number of running units", "start": "number of starts"}.get(
        quantity, quantity.replace("_", " ")
    ), "units"


def _at(horizon: Horizon, step: int) -> str:
    return f"{horizon.edges[step]:%Y-%m-%d %H:%M} UTC"
