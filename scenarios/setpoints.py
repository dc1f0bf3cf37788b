"""From a plan to what every asset is told now."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from models.components import (
    AbsorptionChiller,
    Asset,
    Battery,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    Engine,
    EvFleet,
    FlexibleLoad,
    GasBoiler,
    HeatPump,
    Pv,
    Wind,
)
from models.dispatch import Plan
from models.forecast import Forecast
from models.horizon import to_index
from models.labelled import plain
from models.limits import smallest_kw
from models.site import Site

COMMANDED = (
    Engine,
    GasBoiler,
    HeatPump,
    ElectricBoiler,
    ElectricChiller,
    AbsorptionChiller,
    Electrolyser,
    Battery,
    Pv,
    Wind,
    EvFleet,
    FlexibleLoad,
)
"""Everything that takes a set-point; tanks float, connections close the balance."""
CURTAILED_SHARE = 0.97
"""A field planned at less than this share of what is expected is held down; otherwise it is left free, or forecast errors would cut it."""
STANDING_KW = 0.05


def setpoints_kw(site: Site, plan: Plan, forecast: Forecast, at: datetime) -> dict[str, float]:
    """Return the set-point of every commanded asset in the plan's step around ``at``, in kW of its control carrier.

    Raises
    ------
    ValueError
        If the plan does not cover ``at``.
    """
    step = step_at(plan, at)
    values = forecast.values
    expected = dict(zip(values.get_index("series"), plain(values, "time", "series")[step].tolist(), strict=True))
    powers = plan.power_kw
    row, column = powers.get_index("asset"), powers.get_index("carrier")
    table = plain(powers, "time", "asset", "carrier")[step]
    commanded = (a for a in site.assets if isinstance(a, COMMANDED))
    return {
        a.id: _within(a, float(table[row.get_loc(a.id), column.get_loc(a.control.value)]), expected) for a in commanded
    }


def step_at(plan: Plan, at: datetime) -> int:
    """Return the number of the plan's step around ``at``."""
    step = int(np.searchsorted(plan.horizon.times.to_numpy(), np.datetime64(to_index(at)), side="right")) - 1
    if step < 0 or at >= plan.horizon.end:
        raise ValueError(f"the plan covers {plan.horizon.start} to {plan.horizon.end}, not {at}")
    return step


def _within(asset: Asset, planned_kw: float, expected: Mapping[str, float]) -> float:
    """Return the planned power as a set-point: an upper limit for fields, never between standing and lowest load for units."""
    if isinstance(asset, Pv | Wind):
        rating = asset.peak_kw if isinstance(asset, Pv) else asset.rated_kw
        available = float(asset.available_kw(np.asarray(expected[asset.profile])))
        return rating if planned_kw >= CURTAILED_SHARE * available else max(planned_kw, 0.0)
    if abs(planned_kw) <= STANDING_KW:
        return 0.0
    least = smallest_kw(asset)
    if isinstance(asset, Engine):
        return min(max(planned_kw, least), asset.power_max_kw)
    if abs(planned_kw) < least:
        return float(np.copysign(least, planned_kw)) if abs(planned_kw) > least / 2.0 else 0.0
    return planned_kw
