"""What a tariff's price bands ask of a battery: when to charge, when to discharge."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from customers.packages.kernels import CHARGE, DISCHARGE
from customers.packages.priced import PricedYear

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]


def battery_mode(year: PricedYear, round_trip_efficiency: float, wear_per_kwh: float) -> Bytes:
    """Return for every interval whether a battery should discharge (1), charge (-1) or hold (0); shape (interval,).

    On each local day the dearest band that leaves ``wear_per_kwh`` after the losses against the day's cheapest one is discharged in, with
    every band that leaves it too; the cheapest band charges, and so does a band between two discharges where that alone pays.
    """
    local = year.tariff.calendar.local(year.intervals.times)
    day = np.asarray(pd.factorize(local.normalize())[0])
    mode = np.zeros(len(day), dtype=np.int8)
    edges = np.flatnonzero(np.diff(day, prepend=-1, append=-2))
    known: dict[bytes, Bytes] = {}
    for first, last in pairwise(edges.tolist()):
        price = year.import_per_kwh[first:last]
        key = price.tobytes()
        if key not in known:
            known[key] = _of_day(price, round_trip_efficiency, wear_per_kwh)
        mode[first:last] = known[key]
    return mode


def _of_day(price: Floats, round_trip_efficiency: float, wear_per_kwh: float) -> Bytes:
    low = price.min()
    pays = price - low / round_trip_efficiency > wear_per_kwh
    # what lies nearer to the cheapest band than to the dearest is left alone: the battery has more hours than energy
    dear = pays & (price >= 0.5 * (low + price.max()))
    mode = np.where(dear, DISCHARGE, np.where(price <= low, CHARGE, 0)).astype(np.int8)
    at = np.flatnonzero(dear)
    for gap in np.flatnonzero(np.diff(at) > 1):
        between = slice(at[gap] + 1, at[gap + 1])
        refill = price[between].min()
        if price[at[gap + 1]] - refill / round_trip_efficiency > wear_per_kwh:
            mode[between][price[between] <= refill] = CHARGE
    return mode
