"""A long program that goes on where an earlier one began: which of its columns and rows are the earlier one's, so that its basis is not lost.

The peak of a month is looked for again every day, over one day less. Only that day differs: the simplex needs a twentieth of the steps when
it begins with yesterday's basis instead of none.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.horizon import Horizon
from optimizers.compile.program import CompiledModel, Family

Ints32 = npt.NDArray[np.int32]
LONG_STEPS = 60
"""Shorter programs are solved from nothing as fast."""
KEPT = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a program comes from: the ``key`` of the earlier job, and the column and row there for each column and row here."""

    key: str
    columns: Ints32
    rows: Ints32


class Lineage:
    """The long programs that were solved last, by the key of their job."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[CompiledModel, Horizon]] = OrderedDict()

    def origin(self, key: str, model: CompiledModel, horizon: Horizon) -> Origin | None:
        """Return what a program goes on from, and remember it for the next; None where it is short, or nothing fits.

        Programs fit that have the same structure (what their keys have before the colon), and reach as far and further back.
        """
        if len(horizon) < LONG_STEPS:
            return None
        found = None
        if key not in self._known:
            found = next((k for k in reversed(self._known) if self._fits(k, key, horizon)), None)
        origin = None if found is None else origin_of(found, *self._known[found], model, horizon)
        if found is not None:
            self._known.pop(found)  # its live model is given up for this one
        self._known[key] = model, horizon
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return origin

    def _fits(self, known: str, key: str, horizon: Horizon) -> bool:
        before = self._known[known][1]
        same = known.rpartition(":")[0] == key.rpartition(":")[0]
        return same and before.start <= horizon.start < before.end and before.end >= horizon.end


def origin_of(key: str, before: CompiledModel, earlier: Horizon, now: CompiledModel, horizon: Horizon) -> Origin:
    """Return, for every column and row of a program, its like in an earlier one of the same structure: of the step that holds at its time."""
    begun = np.array([e.timestamp() for e in earlier.edges[:-1]])
    starts = np.array([e.timestamp() for e in horizon.edges[:-1]])
    step = np.clip(np.searchsorted(begun, starts + 1.0, side="right") - 1, 0, len(begun) - 1)
    return Origin(key, _alike(before.columns, now.columns, step), _alike(before.rows, now.rows, step))


def _alike(before: Sequence[Family], now: Sequence[Family], step: npt.NDArray[np.intp]) -> Ints32:
    known = {(f.asset, f.quantity): f for f in before}
    return np.concatenate([_places(known[f.asset, f.quantity], f, step) for f in now]).astype(np.int32)


def _places(old: Family, new: Family, step: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return where the members of a family lie in the same family of an earlier program; those of its known past stay where they are."""
    if not new.stepwise:
        return old.start + np.minimum(np.arange(new.count), max(old.count - 1, 0))
    number = np.arange(new.first, new.first + new.count)
    then = np.where(number < 0, number, step[np.clip(number, 0, len(step) - 1)])
    found: npt.NDArray[np.intp] = old.start + np.clip(then - old.first, 0, max(old.count - 1, 0))
    return found
