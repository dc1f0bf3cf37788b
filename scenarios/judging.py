"""What past forecasts were worth: each one as it was made, beside what was measured afterwards."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from models.forecast import Forecast
from twin.log import LAST, Kind, RecordLog
from twin.packing import unpack, unpack_forecast

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """How far off a series' forecasts were: mean absolute errors in the first step and behind it, beside the mean size of what came.

    All in the series' unit; NaN where nothing was measured in time.
    """

    series: str
    near: float
    far: float
    size: float


def judged(log: RecordLog, start: datetime, end: datetime) -> tuple[int, list[Judged]]:
    """Return how many forecasts were made in ``start <= t < end``, and what became of them by series, as far as it was measured."""
    forecasts = [unpack_forecast(r.body) for r in log.read(start, end, (Kind.FORECAST,))]
    seen = Seen(log, start)
    off: dict[str, list[Array]] = defaultdict(list)
    for forecast in forecasts:
        came = seen.means(forecast)
        for row, name in enumerate(str(s) for s in forecast.values["series"].to_numpy()):
            if name in came:
                expected = forecast.values.transpose("series", "time").to_numpy()[row]
                first = np.arange(len(expected)) == 0
                off[name].append(np.array([came[name], np.abs(expected - came[name]), first]))
    return len(forecasts), [_of(name, np.concatenate(rows, axis=1)) for name, rows in sorted(off.items())]


def _of(name: str, table: Array) -> Judged:
    """Return one series' verdict from a table of what came, by how much it was missed, and whether it was a first step."""
    came, missed, first = table[:, np.isfinite(table[0])]
    return Judged(name, _mean(missed[first > 0]), _mean(missed[first == 0]), _mean(np.abs(came)))


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


class Seen:
    """What was measured since an instant, by series."""

    def __init__(self, log: RecordLog, since: datetime) -> None:
        records = [(r.at.timestamp(), unpack(r.body)) for r in log.read(since, LAST, (Kind.MEASURED,))]
        self._times = np.array([at for at, _ in records])
        names = {name for _, series in records for name in series}
        self._values = {n: np.array([s.get(n, np.nan) for _, s in records], dtype=float) for n in names}

    def means(self, forecast: Forecast) -> dict[str, Array]:
        """Return the mean of what was measured in every step of a forecast; NaN for steps in which nothing was."""
        at = np.searchsorted(self._times, [e.timestamp() for e in forecast.horizon.edges])
        found = {}
        for name, values in self._values.items():
            known = np.isfinite(values)
            sums, number = (np.concatenate([[0.0], np.cumsum(v)])[at] for v in (np.where(known, values, 0.0), known))
            count = np.diff(number)
            found[name] = np.where(count > 0, np.diff(sums) / np.maximum(count, 1.0), np.nan)
        return found
