"""Rows that outlast a plan: kept by the instant they were made for, found again by the next horizon, worthless for other networks."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.horizon import Horizon
from models.security import Rows

NEWEST = 3
"""How many rows are kept of one kind for one element and step; older ones only cost time."""


@dataclass
class Pool:
    """The rows of the last loop on one revision of the networks."""

    revision: str
    _rows: Rows = field(default_factory=Rows.empty)
    _starts: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self._rows)

    def enter(self, revision: str) -> None:
        """Drop every row when the networks are no longer those that made them."""
        if revision != self.revision:
            self.revision, self._rows = revision, Rows.empty()

    def keep(self, rows: Rows, horizon: Horizon) -> None:
        """Remember the newest rows of a loop that ran on ``horizon``."""
        self._rows, self._starts = rows.select(_newest(rows)), _starts(horizon)

    def rows_on(self, horizon: Horizon) -> Rows:
        """Return the rows for a horizon: each step takes those of the step that its start fell into, or of the nearest one.

        A row describes the networks around one set of injections, whenever these occur; the instant only says where they are likely.
        """
        if not len(self._rows):
            return self._rows
        place = np.searchsorted(self._starts, _starts(horizon) + 1e-6, side="right") - 1
        return self._rows.moved(np.clip(place, 0, len(self._starts) - 1))


def _starts(horizon: Horizon) -> npt.NDArray[np.float64]:
    return np.array([e.timestamp() for e in horizon.edges[:-1]])


def _newest(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which rows are among the last few of their kind, element and step."""
    _, kind = np.unique(rows.kind, return_inverse=True)
    _, element = np.unique(rows.element, return_inverse=True)
    order = np.lexsort((-np.arange(len(rows)), rows.step, element, kind))
    same = np.zeros(len(rows), dtype=bool)
    keys = np.stack([kind, element, rows.step])[:, order]
    same[1:] = (keys[:, 1:] == keys[:, :-1]).all(axis=0)
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(rows))))
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[order] = np.arange(len(rows)) - first < NEWEST
    return chosen
