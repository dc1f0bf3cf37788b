"""What a block may say: parameters, columns, rows and costs, each written once for an unnamed step.

A rule receives a :class:`Step` and answers with a Pyomo expression. The step knows only how far it is from "now", so a
rule cannot treat one hour differently from another by accident; whatever differs between steps is a parameter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn, Protocol

from models.errors import JouletwinError

STEP = "step"
"""Extent of what exists once per step."""
ONCE = "once"
"""Extent of what exists once per horizon; every other extent names a group of steps, for example a month."""


class NotTileableError(JouletwinError):
    """A rule cannot be repeated along time; the message names the rule and the reason."""


class Before(StrEnum):
    """What a reference that points before the first step means."""

    SKIP = "skip"
    """The row does not exist there."""
    ZERO = "zero"
    """Nothing was there: the term drops out."""
    CYCLIC = "cyclic"
    """The horizon repeats: before the first step comes the last."""
    GIVEN = "given"
    """A known past: columns before the first step are fixed by the parameter ``<column>.before``."""


class At(StrEnum):
    """Where a row or a cost exists."""

    EACH = "each"
    FIRST = "first"
    LAST = "last"
    TOTAL = "total"
    """One row for the whole horizon, or one per group, that adds up every step."""


class Reader(Protocol):
    """Turns references made by a rule into Pyomo objects."""

    def column(self, column: "Column", offset: int) -> Any:
        """Return the variable of ``column`` that lies ``offset`` steps from now."""

    def parameter(self, series: "Series", offset: int) -> Any:
        """Return the parameter of ``series`` that lies ``offset`` steps from now."""


class Step:
    """An unnamed step: it can be moved by whole steps and used as an index, and nothing else."""

    __slots__ = ("offset", "reader")

    def __init__(self, reader: Reader, offset: int = 0) -> None:
        self.reader = reader
        self.offset = offset

    def __add__(self, steps: int) -> "Step":
        return Step(self.reader, self.offset + _whole(steps))

    def __sub__(self, steps: int) -> "Step":
        return Step(self.reader, self.offset - _whole(steps))

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a rule cannot ask which step it is; put what differs between steps into a parameter")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __int__ = __index__ = __float__ = __hash__ = _refuse
    __mod__ = __floordiv__ = __mul__ = __rmul__ = __radd__ = __rsub__ = _refuse


def _whole(steps: object) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"a step moves by whole steps, not by {steps!r}")
    return steps


def _step(index: object, name: str) -> Step:
    if not isinstance(index, Step):
        raise TypeError(f"{name} is indexed by the step of its rule, not by {index!r}")
    return index


Rule = Callable[[Step], Any]


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """A named parameter: one value per step, per group or per horizon; its numbers arrive when a problem is solved."""

    name: str
    extent: str = STEP

    def __getitem__(self, index: Step) -> Any:
        return _step(index, self.name).reader.parameter(self, index.offset)


Bound = float | Series | Rule


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """A family of decision variables of one asset, for example ``battery.charge_kw``."""

    asset: str
    quantity: str
    lower: Bound
    upper: Bound
    integer: bool
    extent: str
    before: Before
    history: int

    @property
    def name(self) -> str:
        """``asset.quantity``."""
        return f"{self.asset}.{self.quantity}"

    def __getitem__(self, index: Step) -> Any:
        return _step(index, self.name).reader.column(self, index.offset)


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """A family of constraints; ``rule`` gives the relation, or the summand when ``at`` is TOTAL."""

    asset: str
    quantity: str
    rule: Rule
    at: At
    extent: str = ONCE
    lower: Bound = float("-inf")
    upper: Bound = float("inf")
    plus: Rule | None = None

    @property
    def name(self) -> str:
        """``asset.quantity``."""
        return f"{self.asset}.{self.quantity}"


@dataclass(frozen=True, eq=False, slots=True)
class Cost:
    """One part of the objective, to be minimised."""

    part: str
    asset: str
    rule: Rule
    at: At


@dataclass(slots=True)
class Formulation:
    """Everything the blocks of one problem have said, in the order they said it."""

    parameters: dict[str, Series] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)

    def series(self, name: str, extent: str = STEP) -> Series:
        """Declare a parameter with one value per step (or per group); asking again returns the same one."""
        known = self.parameters.setdefault(name, Series(name, extent))
        if known.extent != extent:
            raise ValueError(f"parameter {name} was declared per {known.extent} and is now wanted per {extent}")
        return known

    def scalar(self, name: str) -> Series:
        """Declare a parameter with one value for the whole horizon."""
        return self.series(name, ONCE)

    def column(
        self,
        asset: str,
        quantity: str,
        *,
        lower: Bound = 0.0,
        upper: Bound = float("inf"),
        integer: bool = False,
        extent: str = STEP,
        before: Before = Before.SKIP,
        history: int = 1,
    ) -> Column:
        """Declare a family of variables.

        ``lower`` and ``upper`` are numbers, parameters or rules affine in parameters. ``history`` is how many steps of
        the past exist when ``before`` is GIVEN.
        """
        depth = history if before is Before.GIVEN else 0
        made = Column(asset, quantity, lower, upper, integer, extent, before, depth)
        if made.name in self.columns:
            raise ValueError(f"column {made.name} is declared twice")
        self.columns[made.name] = made
        return made

    def row(self, asset: str, quantity: str, rule: Rule, *, at: At = At.EACH) -> None:
        """Declare one constraint per step, or one at the first or last step."""
        self._keep(Row(asset, quantity, rule, at))

    def total(
        self,
        asset: str,
        quantity: str,
        summand: Rule,
        *,
        lower: Bound = float("-inf"),
        upper: Bound = float("inf"),
        group: str = ONCE,
        plus: Rule | None = None,
    ) -> None:
        """Declare ``lower <= sum over steps of summand + plus <= upper``, once or per group.

        ``plus`` may use columns that exist once (or per group), for example a priced excess.
        """
        self._keep(Row(asset, quantity, summand, At.TOTAL, group, lower, upper, plus))

    def cost(self, part: str, asset: str, rule: Rule, *, at: At = At.EACH) -> None:
        """Add a term to the objective; ``part`` is the name under which it appears in the plan's cost parts."""
        self.costs.append(Cost(part, asset, rule, at))

    def _keep(self, row: Row) -> None:
        if row.name in self.rows:
            raise ValueError(f"row {row.name} is declared twice")
        self.rows[row.name] = row
