"""Sizes to be chosen: what may be built, and how one unit of it moves the limits of a dispatch program.

A block says its limits once, for a plant of given size. What another size changes is measured on the finished numbers: the same site is
compiled with the asset at one, two and three times its size (or with a unit there and gone), and the difference is the slope. So every
kind of equipment whose limits are proportional to its size can be sized without a second set of rules, and one whose are not is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.dispatch import DispatchProblem
from models.errors import ProblemError
from models.findings import error
from models.site import Site
from optimizers.compile.program import CompiledModel
from optimizers.dispatch import Case, Dispatcher
from optimizers.session import Program

Floats = npt.NDArray[np.float64]
SIDES = ("column_lower", "column_upper", "row_lower", "row_upper")
TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeOption:
    """One quantity of one asset that may be built, what it costs and how long it lasts.

    The asset stands in the site with the size ``reference``; ``fields`` are its fields that scale with the quantity. With ``copies``
    the quantity is a number of equal units instead, all of which stand in the site. ``existing`` is there already and paid for; sizes
    are totals between ``least`` and ``most``, in ``unit``; with ``step`` only whole steps are sold. Costs are per ``unit`` of size.
    """

    asset: str
    unit: str
    most: float
    least: float = 0.0
    existing: float = 0.0
    reference: float = 1.0
    fields: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    step: float | None = None
    cost: float = 0.0
    cost_once: float = 0.0
    """Paid once if anything at all is built."""
    om_per_year: float = 0.0
    lifetime_years: float = 20.0
    degradation_share: float = 0.0
    """Share of what is left that is lost per year; a replacement is as new."""

    @property
    def name(self) -> str:
        """``asset, unit``: one asset may have a size in kW and one in kWh."""
        return f"{self.asset}, {self.unit}"


@dataclass(frozen=True, slots=True)
class Lever:
    """One column of size: an option as a whole, or one copy of its units."""

    option: SizeOption
    copy: str | None = None

    @property
    def grain(self) -> float:
        """How much size one unit of the column is."""
        return self.option.step or 1.0

    @property
    def whole(self) -> bool:
        """Whether only whole units of the column exist."""
        return self.copy is not None or self.option.step is not None

    @property
    def existing(self) -> float:
        """What of its size is there already."""
        return 0.0 if self.copy else self.option.existing

    @property
    def room(self) -> float:
        """How much can be built at most."""
        return 1.0 if self.copy else self.option.most - self.option.existing


@dataclass(frozen=True, slots=True)
class Effect:
    """What one unit of size adds to the bounds of columns and the sides of rows."""

    column_lower: Floats
    column_upper: Floats
    row_lower: Floats
    row_upper: Floats


@dataclass(frozen=True)
class Sized:
    """A dispatch program with nothing built of any lever (``program``), and what each lever adds to it."""

    case: Case
    program: Program
    effects: tuple[Effect, ...]


def levers_of(options: Sequence[SizeOption]) -> tuple[Lever, ...]:
    """Return the columns of size that the options need."""
    found: list[Lever] = []
    for option in options:
        found += [Lever(option, copy) for copy in option.copies] if option.copies else [Lever(option)]
    return tuple(found)


class Measurer:
    """Measures levers on programs of one site; varied sites are compiled once and kept."""

    def __init__(self, dispatcher: Dispatcher, site: Site, levers: Sequence[Lever]) -> None:
        self.dispatcher = dispatcher
        self.levers = tuple(levers)
        scaled = [v for v in self.levers if not v.copy]
        self.doubled = {v: scaled_site(site, {v: 2.0}) for v in scaled}
        self.tripled = scaled_site(site, dict.fromkeys(scaled, 3.0))

    def measure(self, problem: DispatchProblem) -> Sized:
        """Return the program of ``problem`` with its levers taken out of it.

        Raises
        ------
        ProblemError
            Naming every size that does not move the limits in proportion.
        """
        case = self.dispatcher.case(problem)
        full = opened(case.program, case.compiled.model)
        steps = tuple(self._step(v, problem, full) for v in self.levers)
        self._require_proportional(problem, full, steps)
        slopes = tuple(
            _scaled(s, 1.0 / (1.0 if v.copy else v.option.reference)) for v, s in zip(self.levers, steps, strict=True)
        )
        empty = full
        for step in steps:
            empty = _moved(empty, step, -1.0)
        return Sized(case, empty, slopes)

    def _step(self, lever: Lever, problem: DispatchProblem, full: Program) -> Effect:
        """Return what the reference size of a lever adds."""
        if lever.copy:
            return _difference(self._program(without(problem, [lever.copy])), full)
        other = self._program(replace(problem, site=self.doubled[lever]))
        _refuse_coefficients(lever, full, other)
        return _difference(full, other)

    def _require_proportional(self, problem: DispatchProblem, full: Program, steps: Sequence[Effect]) -> None:
        """Compare everything at three times its size and without copies with what the slopes say."""
        varied = self._program(replace(without(problem, [v.copy for v in self.levers if v.copy]), site=self.tripled))
        expected = full
        for lever, step in zip(self.levers, steps, strict=True):
            expected = _moved(expected, step, -1.0 if lever.copy else 2.0)
        if any(not _close(getattr(varied, s), getattr(expected, s)) for s in SIDES):
            names = ", ".join(v.option.name for v in self.levers)
            raise ProblemError(
                [error("sizes", f"the limits do not move in proportion to all of {names}; give the odd one as units")]
            )

    def _program(self, problem: DispatchProblem) -> Program:
        case = self.dispatcher.case(problem)
        return opened(case.program, case.compiled.model)


def scaled_site(site: Site, factors: Mapping[Lever, float]) -> Site:
    """Return the site with the fields of each lever's asset multiplied."""
    changed: dict[str, dict[str, float]] = {}
    for lever, factor in factors.items():
        asset = site.asset(lever.option.asset)
        fields = {f: factor * float(getattr(asset, f)) for f in lever.option.fields}
        changed.setdefault(lever.option.asset, {}).update(fields)
    return with_fields(site, changed)


def with_fields(site: Site, changed: Mapping[str, Mapping[str, float]]) -> Site:
    """Return the site with other values of some assets' fields, by asset."""
    assets = (replace(a, **changed[a.id]) if a.id in changed else a for a in site.assets)  # type: ignore[arg-type] # numbers only
    return replace(site, assets=tuple(assets))


def without(problem: DispatchProblem, assets: Sequence[str]) -> DispatchProblem:
    """Return the problem with some assets out of service throughout."""
    if not assets:
        return problem
    gone = xr.DataArray(
        np.zeros((len(assets), len(problem.horizon))),
        {"asset": list(assets), "time": problem.horizon.times},
        ("asset", "time"),
    )
    known = problem.available_share
    if known is not None:
        others = known.sel(asset=[a for a in known["asset"].values if a not in assets])
        gone = xr.concat([others, gone], "asset")
    return replace(problem, available_share=gone)


def opened(program: Program, model: CompiledModel) -> Program:
    """Return the program with its past and its end set free, for whoever ties them to something else."""
    lower, upper, cost = program.column_lower.copy(), program.column_upper.copy(), program.cost.copy()
    row_lower, row_upper = program.row_lower.copy(), program.row_upper.copy()
    for column in model.columns:
        if column.first < 0:
            past = slice(column.start, column.start - column.first)
            lower[past], upper[past] = -np.inf, np.inf
        elif column.quantity in ("end_above_kwh", "end_short_kwh"):
            upper[column.span] = cost[column.span] = 0.0
    for row in model.rows:
        if row.quantity == "end":
            row_lower[row.span], row_upper[row.span] = -np.inf, np.inf
    return replace(program, column_lower=lower, column_upper=upper, row_lower=row_lower, row_upper=row_upper, cost=cost)


def _difference(less: Program, more: Program) -> Effect:
    return Effect(*(_minus(getattr(more, s), getattr(less, s)) for s in SIDES))


def _minus(a: Floats, b: Floats) -> Floats:
    """Return a - b, 0 where both are the same infinity."""
    same = a == b
    return np.where(same, 0.0, np.subtract(a, b, out=np.zeros_like(a), where=~same))


def _scaled(effect: Effect, factor: float) -> Effect:
    return Effect(*(factor * getattr(effect, s) for s in SIDES))


def _moved(program: Program, effect: Effect, times: float) -> Program:
    return replace(program, **{s: getattr(program, s) + times * getattr(effect, s) for s in SIDES})


def _close(a: Floats, b: Floats) -> bool:
    return bool(np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE))


def _refuse_coefficients(lever: Lever, one: Program, two: Program) -> None:
    same = one.coefficients.shape == two.coefficients.shape and np.array_equal(one.column_index, two.column_index)
    if not (same and _close(one.coefficients, two.coefficients) and _close(one.cost, two.cost)):
        words = (
            "changes more than limits (a lowest load or a curved line moves with it); give the option as units instead"
        )
        raise ProblemError([error(lever.option.asset, f"its size in {lever.option.unit} {words}")])
