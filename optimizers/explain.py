"""Why: which limits contradict each other when there is no plan, and what holds a set-point where it is when there is one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.findings import Finding, error
from models.horizon import Horizon
from models.told import told
from optimizers.blocks.book import Feed
from optimizers.compile.program import CompiledModel, Place
from optimizers.compile.rules import Series
from optimizers.plan import Outcome
from optimizers.session import Program

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-6
ROW_WORDS = {
    "balance": "its balance", "min_up": "its minimum up time", "min_down": "its minimum down time", "switch": "its starts and stops",
    "point": "its operating points", "ramp_up": "its ramp upwards", "ramp_down": "its ramp downwards", "maximum": "its maximum",
    "minimum": "its minimum load", "peak": "the agreed peak", "departure": "the departure of its vehicles", "end": "its end level",
    "radiator": "its radiator", "warm_starts": "its warm starts",
    "buy": "its one-way rule", "sell": "its one-way rule", "vent": "its vent", "power": "its power",
}  # fmt: skip
DEFINITIONS = frozenset({"point", "switch", "power", "radiator", "vent", "neighbour", "one", "warm"})
"""First words of rows that define a quantity rather than limit it."""


def contradictory_bounds(program: Program, model: CompiledModel, horizon: Horizon) -> tuple[Finding, ...]:
    """Return every column whose least value lies above its greatest, in words; nothing needs to be solved for it."""
    crossed = np.flatnonzero(program.column_lower > program.column_upper + TOLERANCE)
    return tuple(
        error(
            model.column_place(int(i)).asset,
            f"{_what(model.column_place(int(i)), horizon)} must be at least {program.column_lower[i]:g} but at most "
            f"{program.column_upper[i]:g}; correct one of the two",
            value=float(program.column_lower[i]),
            limit=float(program.column_upper[i]),
        )
        for i in crossed
    )


def firm_rows(model: CompiledModel) -> npt.NDArray[np.bool_]:
    """Return which rows only say what a quantity is, so that bending them would explain nothing."""
    firm = np.zeros(model.row_count, bool)
    for family in model.rows:
        firm[family.span] = family.quantity.split("_")[0] in DEFINITIONS
    return firm


def elastic(program: Program, firm: npt.NDArray[np.bool_]) -> Program:
    """Return the program in which every row but the firm ones can be bent, at a cost of 1 per unit, and nothing else costs."""
    rows, columns = len(program.row_lower), len(program.cost)
    bend = sparse.identity(rows, format="csr")
    matrix = sparse.csr_array(sparse.hstack([program.matrix, bend, -bend], format="csr"))
    open_end = np.tile(np.where(firm, 0.0, np.inf), 2)
    return replace(
        program,
        row_ptr=matrix.indptr.astype(np.int32),
        column_index=matrix.indices.astype(np.int32),
        coefficients=matrix.data,
        column_lower=np.concatenate([program.column_lower, np.zeros(2 * rows)]),
        column_upper=np.concatenate([program.column_upper, open_end]),
        cost=np.concatenate([np.zeros(columns), np.ones(2 * rows)]),
        offset=0.0,
        integrality=np.concatenate([program.integrality, np.zeros(2 * rows, np.uint8)]),
    )


def bent_rows(program: Program, x: Floats, model: CompiledModel, horizon: Horizon) -> tuple[Finding, ...]:
    """Return what had to bend in a solution of :func:`elastic`: the row, when, and by how much."""
    rows, columns = len(program.row_lower), len(program.cost)
    more, less = x[columns : columns + rows], x[columns + rows :]
    found = []
    for i in np.flatnonzero(np.maximum(more, less) > TOLERANCE):
        place, amount = model.row_place(int(i)), float(max(more[i], less[i]))
        found.append(error(place.asset, f"{_rule(place, horizon)} cannot be kept; it is missed by {amount:.4g}. Relax it by that much, or give "
                           "the plan another way to keep it", value=amount))  # fmt: skip
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Reason:
    """What holds one quantity of one asset at one step.

    ``worth_per_kwh`` is what one more kWh of it would save (of ``on``: one more unit, per hour); negative where it would
    cost. ``held`` is ``least``, ``most`` or ``margin`` (it could move both ways and therefore sets prices).
    """

    asset: str
    quantity: str
    value: float
    held: str
    worth_per_kwh: float
    sentence: str


def reasons(outcome: Outcome, asset: str, step: int, currency: str) -> tuple[Reason, ...]:
    """Return why ``asset`` (or its group of equal units) does what it does at ``step``; empty without prices.

    The worth of a quantity is its reduced cost in the program with yes-or-no decisions kept as they are.
    """
    if outcome.row_dual is None or outcome.program is None:
        return ()
    reduced: Floats = outcome.program.cost - outcome.program.matrix.T @ outcome.row_dual
    names = {asset, *(b.name for b in outcome.groups if asset in b.unit_ids)}
    return tuple(_reasons(outcome, outcome.program, reduced, names, step, currency))


def _reasons(
    outcome: Outcome, program: Program, reduced: Floats, names: set[str], step: int, currency: str
) -> Iterator[Reason]:
    step_h = float(outcome.facts.step_h[step])
    for family in outcome.model.columns:
        if family.asset not in names or not family.stepwise:
            continue
        at = family.steps.start + step
        value, worth = float(outcome.x[at]), -float(reduced[at]) / step_h
        if family.quantity.endswith("_kw"):
            yield _reason(family.asset, family.quantity, program, at, value, worth, currency)
        elif family.quantity == "on" and f"{family.asset}.weight_0" in outcome.book.f.columns:
            worth = _best_point_worth(outcome, program, family.asset, step)
            yield _running(family.asset, program, at, value, worth, currency)


def _best_point_worth(outcome: Outcome, program: Program, asset: str, step: int) -> float:
    """Return what an hour of one unit at its best operating point brings at the plan's prices, in currency; -inf without points."""
    assert outcome.row_dual is not None  # noqa: S101 - asked only with prices
    brought: dict[str, float] = {}
    for feed in outcome.book.feeds:
        if feed.asset == asset and feed.column.quantity.startswith("weight_"):
            price = outcome.row_dual[outcome.model.row(feed.carrier.value, "balance").start + step]
            at = outcome.model.column(asset, feed.column.quantity).steps.start + step
            so_far = brought.get(feed.column.quantity, -float(program.cost[at]))
            brought[feed.column.quantity] = so_far + float(_factor(outcome, feed)[step] * price)
    return max(brought.values(), default=float("-inf")) / float(outcome.facts.step_h[step])


def _factor(outcome: Outcome, feed: Feed) -> Floats:
    if isinstance(feed.factor, Series):
        return outcome.number(feed.factor)
    return np.full(len(outcome.facts.step_h), feed.factor)


def _reason(asset: str, quantity: str, program: Program, at: int, value: float, worth: float, currency: str) -> Reason:
    name = quantity.removesuffix("_kw")
    subject = {"asset": asset, "what": told(f"quantity_{name}", name.replace("_", " ")), "kw": value}
    room = TOLERANCE * (1.0 + abs(value))
    if value >= program.column_upper[at] - room and worth > TOLERANCE:
        held, pattern = (
            "most",
            "{asset}: {what} is at its most, {kw:.1f} kW; one kWh more would save {worth:.3f} {currency}",
        )
        words = told("held_most", pattern, **subject, worth=worth, currency=currency)
    elif value <= program.column_lower[at] + room and worth < -TOLERANCE:
        held, pattern = "least", "{asset}: {what} stays at {kw:.1f} kW; one kWh more would lose {worth:.3f} {currency}"
        words = told("held_least", pattern, **subject, worth=-worth, currency=currency)
    else:
        held, pattern = (
            "margin",
            "{asset}: {what} is at {kw:.1f} kW and could move either way at no loss; other units set the price around it",
        )
        words = told("held_margin", pattern, **subject)
    return Reason(asset, quantity, value, held, worth, words)


def _running(asset: str, program: Program, at: int, value: float, worth: float, currency: str) -> Reason:
    """Say what one more running unit would be worth; ``worth`` is in currency per hour, its start aside."""
    every = value >= program.column_upper[at] - TOLERANCE
    held = "most" if every else "least" if value <= TOLERANCE else "margin"
    which = (
        told("all_run", "all that are in service run")
        if every and value
        else told("some_run", "{on} of {all:.0f} run", on=round(value), all=program.column_upper[at])
    )
    change = told("would_save", "save") if worth > 0 else told("would_cost", "cost")
    keeps = told("kept_running", "; starts or minimum times keep them running")
    held_on = keeps if every and value and worth < -TOLERANCE else ""
    pattern = "{asset}: {which}; at its best load one more would {change} {worth:.2f} {currency} per hour, a start aside{held_on}"
    facts = {"asset": asset, "which": which, "change": change, "worth": abs(worth), "currency": currency}
    return Reason(asset, "on", value, held, worth, told("one_more", pattern, **facts, held_on=held_on))


def _rule(place: Place, horizon: Horizon) -> str:
    return f"{ROW_WORDS.get(place.quantity, place.quantity.replace('_', ' '))}{_when(place, horizon)}"


def _what(place: Place, horizon: Horizon) -> str:
    return f"{place.quantity.replace('_', ' ')}{_when(place, horizon)}"


def _when(place: Place, horizon: Horizon) -> str:
    if place.step is None:
        return ""
    return " before the start" if place.step < 0 else f" at {horizon.edges[place.step]:%Y-%m-%d %H:%M} UTC"
