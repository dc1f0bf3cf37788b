"""A customer's load as pictures show it: its year by day and hour."""

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import clock_of
from customers.intervals.series import MeterTable


def year_by_hour(table: MeterTable, row: int) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the local days of a table, and one customer's mean power of their hours in kW; shape (day, 24), NaN where nothing was measured."""
    clock = clock_of(table)
    power = np.full((clock.days, clock.per_day), np.nan)
    power[clock.day, clock.slot] = table.energy_kwh[row] / table.step_h
    return [str(d) for d in clock.date.astype("datetime64[D]")], power.reshape(clock.days, 24, -1).mean(axis=2)
