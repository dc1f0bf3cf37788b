"""Time axes: half-open UTC horizons whose steps are named by their start."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)


def require_utc(instant: datetime) -> datetime:
    """Return ``instant`` in UTC.

    Raises
    ------
    ValueError
        If ``instant`` has no time zone: a local time without zone could be any of 24 hours.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; write it with an offset, for example ...+08:00 or Z")
    return instant.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Consecutive steps over ``start <= t < end``, in UTC; steps may differ in length.

    ``edges`` holds every step's start and, last, the end: one more than there are steps, strictly rising.
    """

    edges: tuple[datetime, ...]

    def __post_init__(self) -> None:
        if len(self.edges) < 2:
            raise ValueError("a horizon needs at least one step, so two edges")
        object.__setattr__(self, "edges", tuple(require_utc(e) for e in self.edges))
        if any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("the edges of a horizon must rise strictly")

    @classmethod
    def uniform(cls, start: datetime, end: datetime, step: timedelta = QUARTER) -> "Horizon":
        """Return equal steps of ``step`` that exactly fill ``start`` to ``end``."""
        count, rest = divmod(require_utc(end) - require_utc(start), step)
        if rest or count < 1:
            raise ValueError(f"{start.isoformat()} to {end.isoformat()} is not a whole number of steps of {step}")
        return cls(tuple(start + k * step for k in range(count + 1)))

    @classmethod
    def quarters_then_hours(cls, start: datetime, *, quarters: int = 16, hours: int = 20) -> "Horizon":
        """Return fine steps where decisions are near and hours behind them: 36 steps over 24 h by default."""
        fine = [start + k * QUARTER for k in range(quarters + 1)]
        return cls(tuple(fine + [fine[-1] + k * HOUR for k in range(1, hours + 1)]))

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def start(self) -> datetime:
        """The first instant that belongs to the horizon."""
        return self.edges[0]

    @property
    def end(self) -> datetime:
        """The first instant behind the horizon."""
        return self.edges[-1]

    @property
    def step_h(self) -> npt.NDArray[np.float64]:
        """Length of every step in hours; shape (step,)."""
        return np.array([(b - a) / HOUR for a, b in zip(self.edges, self.edges[1:], strict=False)])

    @property
    def times(self) -> pd.DatetimeIndex:
        """Start of every step as naive-UTC ``datetime64[ns]``, the form xarray's ``time`` coordinates use."""
        return _starts(self.edges)


@lru_cache(maxsize=256)  # everything about one plan asks for the same axis
def _starts(edges: tuple[datetime, ...]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([e.replace(tzinfo=None) for e in edges[:-1]]).as_unit("ns")


def to_index(instant: datetime) -> pd.Timestamp:
    """Return an aware instant as the naive-UTC timestamp used on ``time`` coordinates."""
    return pd.Timestamp(require_utc(instant).replace(tzinfo=None))


def from_index(stamp: pd.Timestamp | np.datetime64) -> datetime:
    """Return a ``time`` coordinate value as an aware UTC instant."""
    return pd.Timestamp(stamp).to_pydatetime().replace(tzinfo=UTC)


def quarter_start(at: datetime) -> datetime:
    """Return the start of the quarter-hour around an instant; local quarters and UTC quarters are the same everywhere."""
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
