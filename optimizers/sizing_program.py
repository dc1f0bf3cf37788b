"""The sizing program: dispatch programs of typical periods, tied by sizes, months and stores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.components import GridConnection, Store
from models.errors import ProblemError
from models.finance import present_value
from models.findings import error
from models.site import Site
from models.tariffs.terms import Terms, optimizer_terms
from optimizers.compile.program import Family
from optimizers.dispatch import Case, Dispatcher
from optimizers.outlook import Outlook, grown, kept_share, once, payments
from optimizers.periods import Period, TypicalYear
from optimizers.problem import facts_of, parameters_of
from optimizers.session import Program
from optimizers.sizes import Lever, Measurer, Sized, SizeOption, levers_of
from optimizers.stack import Part, Stack

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CO2, DEMAND, SHORT = "co2", "demand", ("unserved", "late")


@dataclass(frozen=True, kw_only=True)
class SizingProblem:
    """What may be built on a site, the year that it is to be run through, and the years that count.

    ``site`` holds every option's asset at its reference size. ``co2_cap_kg`` bounds the mean emission per year. With ``whole_operation``
    engines run or stand; without, running is a share, which is quicker and a little cheaper than what can be.
    """

    site: Site
    year: TypicalYear
    options: tuple[SizeOption, ...]
    outlook: Outlook
    co2_cap_kg: float | None = None
    whole_operation: bool = False
    gap_share: float = 1e-3


@dataclass(frozen=True, slots=True)
class Build:
    """A column of the program: how much of a lever is built in a stage, in grains."""

    lever: Lever
    stage: int
    column: int


@dataclass(frozen=True)
class Block:
    """One typical period in one stage: its program, and the money and emission of a year as weights on its columns."""

    stage: int
    period: Period
    sized: Sized
    part: Part
    cost: Mapping[str, Floats]
    co2_kg: Floats


@dataclass(frozen=True)
class Peak:
    """The month's highest import at one grid connection in one stage, and what a kW of it costs."""

    stage: int
    column: int
    price_per_kw: float


@dataclass(frozen=True)
class SizingProgram:
    """The program with the meaning of its columns."""

    problem: SizingProblem
    program: Program
    builds: tuple[Build, ...]
    blocks: tuple[Block, ...]
    peaks: tuple[Peak, ...]
    co2_kg: Floats
    """Mean emission per year as weights on the columns."""
    shortfall: Floats
    """What demand that is not met, or met late, counts per mean year, as weights on the columns."""

    def size_weights(self, option: SizeOption, stage: int) -> Floats:
        """Return the size of an option in a stage, what exists left out, as weights on the columns; aged as it then is."""
        found = np.zeros(len(self.program.cost))
        years = self.problem.outlook.years_of(stage)
        for build in self.builds:
            if build.lever.option is option and build.stage <= stage:
                start = self.problem.outlook.stages[build.stage]
                found[build.column] = build.lever.grain * kept_share(option, start, years)
        return found


def sizing_program(problem: SizingProblem, dispatcher: Dispatcher) -> SizingProgram:
    """Return the program of a sizing problem; costs are present values in the site's currency."""
    return _Builder(problem, dispatcher).built()


class _Builder:
    """Puts one sizing program together."""

    def __init__(self, problem: SizingProblem, dispatcher: Dispatcher) -> None:
        self.problem, self.outlook = problem, problem.outlook
        self.levers = levers_of(problem.options)
        self.measurer = Measurer(dispatcher, problem.site, self.levers)
        self.stack = Stack()
        self.builds: list[Build] = []
        self.peaks: list[Peak] = []
        self._measured: dict[tuple[int, float], Sized] = {}

    def built(self) -> SizingProgram:
        """Add builds, periods, peaks and stores, in this order."""
        self._add_builds()
        blocks: list[Block] = []
        for stage in range(len(self.outlook.stages)):
            here = [self._block(stage, period) for period in self.problem.year.periods]
            for grid in self.problem.site.of_kind(GridConnection):
                self._add_peaks(stage, grid, here)
            for store in self.problem.site.of_kind(Store):
                self._link(stage, store, here)
            blocks += here
        co2_kg = self._yearly(blocks, [b.co2_kg for b in blocks])
        short = [sum((b.cost[p][:-1] for p in SHORT if p in b.cost), 0.0 * b.co2_kg) for b in blocks]
        if self.problem.co2_cap_kg is not None:
            self.stack.bind(np.arange(self.stack.width), co2_kg, upper=self.problem.co2_cap_kg)
        program, builds, peaks = self.stack.program(), tuple(self.builds), tuple(self.peaks)
        return SizingProgram(self.problem, program, builds, tuple(blocks), peaks, co2_kg, self._yearly(blocks, short))

    def _add_builds(self) -> None:
        rate, stages = self.outlook.discount_rate, self.outlook.stages
        for lever in self.levers:
            columns = []
            for k, start in enumerate(stages):
                cost = lever.grain * present_value(rate, payments(lever.option, start, self.outlook))
                least = _least(lever) if k == 0 else 0.0
                column = self.stack.column(cost=cost, lower=least, upper=_room(lever), integer=lever.whole)
                self.builds.append(Build(lever, k, column))
                columns.append(column)
            if len(columns) > 1:
                self.stack.tie(columns, [1.0] * len(columns), upper=_room(lever))
        for option in self.problem.options:
            self._add_option(option)

    def _add_option(self, option: SizeOption) -> None:
        """Add what an option costs once, and the order of its copies: the second is built after the first."""
        mine = [b for b in self.builds if b.lever.option is option]
        stages = range(len(self.outlook.stages))
        if option.copies:
            by_copy = [[b.column for b in mine if b.lever.copy == c] for c in option.copies]
            for first, then in pairwise(by_copy):
                self.stack.tie([*first, *then], [1.0] * len(first) + [-1.0] * len(then), lower=0.0)
        if option.cost_once:
            for k in stages:
                cost = present_value(self.outlook.discount_rate, once(option, self.outlook.stages[k], self.outlook))
                yes = self.stack.column(cost=cost, upper=1.0, integer=True)
                for build in (b for b in mine if b.stage == k):
                    self.stack.tie([build.column, yes], [1.0, -_room(build.lever)], upper=0.0)

    def _block(self, stage: int, period: Period) -> Block:
        """Add a period's program with its limits moved by sizes."""
        sized = self._sized(period, self.outlook.load_factor(stage))
        cost = _cost_by_part(sized.case, sized.case.cost_weights)
        weighted = sum(self.outlook.weight(stage, p) * c for p, c in cost.items())
        program = replace(sized.program, cost=np.asarray(weighted)[:-1], offset=float(np.asarray(weighted)[-1]))
        if not self.problem.whole_operation:
            program = program.relaxed()
        moved = self._at_most(program, sized)
        part = self.stack.add(moved, period.count)
        self._move_bounds(sized, program, part, stage)
        self._move_rows(sized, part, stage)
        self._close(sized.case, part)
        return Block(stage, period, sized, part, cost, _co2_kg(sized.case))

    def _sized(self, period: Period, load_factor: float) -> Sized:
        """Return a period's program with its levers; stages without growth share it."""
        key = id(period), load_factor
        if key not in self._measured:
            self._measured[key] = self.measurer.measure(grown(period.problem, load_factor))
        return self._measured[key]

    def _levers(self, stage: int) -> Iterator[tuple[int, list[tuple[int, float]]]]:
        """Yield each lever's position with the columns that make its size in a stage and what one unit of them counts."""
        years = self.outlook.years_of(stage)
        for k, lever in enumerate(self.levers):
            here = [b for b in self.builds if b.lever is lever and b.stage <= stage]
            starts = [self.outlook.stages[b.stage] for b in here]
            counts = [lever.grain * kept_share(lever.option, s, years) for s in starts]
            yield k, [(b.column, c) for b, c in zip(here, counts, strict=True)]

    def _at_most(self, program: Program, sized: Sized) -> Program:
        """Return the program with sides as for what exists, and with bounds that no choice of sizes can exceed."""
        lower, upper = program.column_lower.copy(), program.column_upper.copy()
        row_lower, row_upper = program.row_lower.copy(), program.row_upper.copy()
        for lever, effect in zip(self.levers, sized.effects, strict=True):
            row_lower += lever.existing * effect.row_lower
            row_upper += lever.existing * effect.row_upper
            lower += lever.existing * effect.column_lower + np.minimum(lever.room * effect.column_lower, 0.0)
            upper += lever.existing * effect.column_upper + np.maximum(lever.room * effect.column_upper, 0.0)
        for family in self._levels(sized.case):
            lower[family.steps], upper[family.steps] = -np.inf, np.inf
        return replace(program, column_lower=lower, column_upper=upper, row_lower=row_lower, row_upper=row_upper)

    def _move_bounds(self, sized: Sized, program: Program, part: Part, stage: int) -> None:
        """Tie the columns whose bounds depend on sizes: ``x - slope * size <= bound with nothing built``."""
        linked = np.zeros(len(program.cost), bool)
        for family in self._levels(sized.case):
            linked[family.span] = True
        for side, own in (("column_upper", program.column_upper), ("column_lower", program.column_lower)):
            slopes = np.array([getattr(e, side) for e in sized.effects]).reshape(len(self.levers), len(own))
            slopes = np.where(linked, 0.0, slopes)
            fixed = own + np.array([v.existing for v in self.levers]) @ slopes
            for at, active in _patterns(slopes):
                columns, weights = [part.columns.start + at], [np.ones(len(at))]
                for k, terms in self._levers(stage):
                    for column, count in terms if k in active else ():
                        columns.append(np.full(len(at), column))
                        weights.append(-count * slopes[k, at])
                self.stack.tie(columns, weights, **{side.removeprefix("column_"): fixed[at]})

    def _move_rows(self, sized: Sized, part: Part, stage: int) -> None:
        """Let sizes move the sides of rows; an equation moves as a whole."""
        for k, terms in self._levers(stage):
            effect, program = sized.effects[k], sized.program
            slope = np.where(np.isfinite(program.row_lower), effect.row_lower, effect.row_upper)
            at = np.flatnonzero(slope)
            for column, count in terms if len(at) else ():
                self.stack.extend(part.rows.start + at, column, -count * slope[at])

    def _close(self, case: Case, part: Part) -> None:
        """Let every period end as it began, but for the stores that carry energy into the next."""
        linked = self._levels(case)
        for family in case.compiled.model.columns:
            if family.first < 0 and family not in linked:
                past = np.arange(family.start, family.start - family.first) + part.columns.start
                self.stack.tie([past, past + case.compiled.model.steps], [1.0, -1.0], lower=0.0, upper=0.0)

    def _levels(self, case: Case) -> list[Family]:
        """Return the columns of stored energy that are linked over periods; none where the year is one period."""
        if len(self.problem.year.order) == 1:
            return []
        return [case.compiled.model.column(s.id, "stored_kwh") for s in self.problem.site.of_kind(Store)]

    def _add_peaks(self, stage: int, grid: GridConnection, blocks: Sequence[Block]) -> None:
        """Charge each month's highest import: every step counts for the months that its period stands in."""
        months = sorted({m for b in blocks for at in b.period.months for m in at})
        terms = [_terms(b, grid) for b in blocks]
        for term in terms[0].demand:
            weight = self.outlook.weight(stage, DEMAND)
            first = self.stack.column(cost=term.price_per_kw * weight, lower=term.floor_kw, count=len(months))
            self.peaks += [Peak(stage, first + k, term.price_per_kw) for k in range(len(months))]
            column_of = {m: first + k for k, m in enumerate(months)}
            for block, here in zip(blocks, terms, strict=True):
                counts = next(d.counts for d in here.demand if d.name == term.name)
                self._add_peak(block, grid, counts, column_of)

    def _add_peak(
        self, block: Block, grid: GridConnection, counts: npt.NDArray[np.bool_], column_of: Mapping[int, int]
    ) -> None:
        """Put the import of a period's counting steps below the peaks of the months that they stand in."""
        imported = block.sized.case.compiled.model.column(grid.id, "import_kw").steps.start + block.part.columns.start
        for months in sorted(set(block.period.months), key=sorted):
            steps = np.array([k for k, m in enumerate(block.period.months) if m == months and counts[k]], np.int64)
            if len(steps):
                highest = self.stack.column()
                self.stack.tie([imported + steps, highest], [1.0, -1.0], upper=0.0)
                self.stack.tie([highest, np.array([column_of[m] for m in sorted(months)])], [1.0, -1.0], upper=0.0)

    def _link(self, stage: int, store: Store, blocks: Sequence[Block]) -> None:
        """Carry a store's energy through the year: level at the start of each period, plus what the period does inside.

        Inside, a period begins at 0 and may go below; its highest and lowest point must fit on every level that it occurs at.
        """
        order = self.problem.year.order
        if len(order) == 1:
            return
        level = self.stack.column(lower=-np.inf, count=len(order)) + np.arange(len(order))
        inside = [self._inside(store, b, stage) for b in blocks]
        last, high, low = (np.array([part[k] for part in inside])[order] for k in range(3))
        kept = np.array([store.kept_share(float(b.sized.case.facts.step_h.sum())) for b in blocks])[order]
        self.stack.tie([np.roll(level, -1), level, last], [1.0, -kept, -1.0], lower=0.0, upper=0.0)
        for side, edge in (("upper", high), ("lower", low)):
            bound, terms = self._content(store, blocks[0], side, stage)
            self.stack.tie([level, edge, *(c for c, _ in terms)], [1.0, 1.0, *(-w for _, w in terms)], **{side: bound})

    def _inside(self, store: Store, block: Block, stage: int) -> tuple[int, int, int]:
        """Let a store begin a period at 0; return the columns of its last, highest and lowest level in it.

        Levels are counted as energy at the period's start: what stands loses its share on the way, and so does the room for it.
        """
        facts, family = block.sized.case.facts, block.sized.case.compiled.model.column(store.id, "stored_kwh")
        first = block.part.columns.start
        steps = np.arange(family.steps.start, family.steps.stop) + first
        self.stack.tie([first + family.start], [1.0], lower=0.0, upper=0.0)
        high, low = self.stack.column(), self.stack.column(lower=-np.inf, upper=0.0)
        grown = np.array([1.0 / store.kept_share(h) for h in np.cumsum(facts.step_h)])
        for side, edge in (("upper", high), ("lower", low)):
            bound, terms = self._content(store, block, side, stage)
            terms = terms if store.loss_share_per_h else []
            columns: list[npt.ArrayLike] = [steps, edge, *(c for c, _ in terms)]
            weights: list[npt.ArrayLike] = [grown, -1.0, *(-w * (grown - 1.0) for _, w in terms)]
            self.stack.tie(columns, weights, **{side: bound * (grown - 1.0)})
        return int(steps[-1]), high, low

    def _content(self, store: Store, block: Block, side: str, stage: int) -> tuple[float, list[tuple[int, float]]]:
        """Return a store's limit with nothing built, and what sizes add to it."""
        at = block.sized.case.compiled.model.column(store.id, "stored_kwh").steps.start
        bound, found = float(getattr(block.sized.program, f"column_{side}")[at]), []
        for k, terms in self._levers(stage):
            slope = float(getattr(block.sized.effects[k], f"column_{side}")[at])
            bound += slope * self.levers[k].existing
            found += [(column, count * slope) for column, count in terms if slope]
        return bound, found

    def _yearly(self, blocks: Sequence[Block], weights: Sequence[Floats]) -> Floats:
        """Return what each block counts of its columns as a sum over a mean year, on all columns."""
        found = np.zeros(self.stack.width)
        for block, own in zip(blocks, weights, strict=True):
            share = len(self.outlook.years_of(block.stage)) / self.outlook.years
            found[block.part.columns] = share * block.period.count * own
        return found


def _terms(block: Block, grid: GridConnection) -> Terms:
    """Return what a connection's tariff means for a period.

    Raises
    ------
    ProblemError
        If it counts energy over the month: a typical day belongs to several.
    """
    problem = block.period.problem
    terms = optimizer_terms(problem.site.tariff(grid.contract), problem.horizon)
    if terms.blocks or terms.netted:
        words = "its tariff counts energy by the month (blocks or net metering), which typical days cannot; size under a tariff without"
        raise ProblemError([error(grid.id, words)])
    return terms


def _room(lever: Lever) -> float:
    """Return how many grains of a lever can be built."""
    return lever.room / lever.grain


def _least(lever: Lever) -> float:
    """Return how many grains of a lever must be built, all of them in the first stage."""
    option = lever.option
    if lever.copy:
        return float(option.copies.index(lever.copy) < option.least)
    return max(option.least - option.existing, 0.0) / lever.grain


def _patterns(slopes: Floats) -> Iterator[tuple[Ints, frozenset[int]]]:
    """Yield columns moved by the same levers, with these levers."""
    moved = slopes != 0
    some = np.flatnonzero(moved.any(axis=0))
    kinds, which = np.unique(moved[:, some], axis=1, return_inverse=True)
    for k in range(kinds.shape[1]):
        yield some[which.ravel() == k], frozenset(np.flatnonzero(kinds[:, k]).tolist())


def _cost_by_part(case: Case, cost_weights: Floats) -> dict[str, Floats]:
    """Return each part of the cost as weights on the columns and, last, its constant."""
    model, found, start = case.compiled.model, dict[str, Floats](), 0
    for part, _, end in model.costs:
        here = slice(start, end)
        paid: Floats = np.bincount(model.cost_columns[here], cost_weights[here], model.column_count + 1).astype(float)
        found[part] = found[part] + paid if part in found else paid
        start = end
    found.pop("end", None)  # what is left at the end of a period goes into the next one
    return found


def _co2_kg(case: Case) -> Floats:
    """Return the emission of a period as weights on its columns: the cost of emissions at a price of 1 per kg."""
    facts = facts_of(replace(case.facts.problem, co2_price_per_kg=1.0))
    compiled = case.compiled
    vector = compiled.model.layout.vector(parameters_of(facts, compiled.blocks, compiled.carriers))
    parts = _cost_by_part(case, compiled.model.cost_terms.at(vector))
    return parts.get(CO2, np.zeros(compiled.model.column_count + 1))[:-1]
