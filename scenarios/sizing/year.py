"""The year that a site is sized for: its typical profiles, hour by hour, as one problem."""

from datetime import timedelta

import numpy as np
import xarray as xr

from models.dispatch import DispatchProblem
from models.errors import SetupError
from models.forecast import Forecast
from models.horizon import HOUR, Horizon, from_index
from models.site import Site
from models.site.profiles import load_profiles
from twin.state import start_snapshot

LONGEST_H = 8784


def year_problem(
    site: Site, *, hours: int = LONGEST_H, unserved_price_per_kwh: float = 20.0, co2_price_per_kg: float = 0.0
) -> DispatchProblem:
    """Return the hours of a site's profile year, at most ``hours`` of them, as a problem whose forecast are the profiles.

    Raises
    ------
    SetupError
        If the site has no profiles, or their step does not divide an hour.
    """
    if site.profiles is None:
        raise SetupError("the site has no profiles; a year of them is what sizes are chosen for")
    per_hour, rest = divmod(3600, site.profiles.step_s)
    if rest:
        raise SetupError(f"the profiles step by {site.profiles.step_s} s, which is no part of an hour; resample them")
    table = load_profiles(site)
    count = min(len(table) // per_hour, hours)
    means = table.to_numpy()[: count * per_hour].reshape(count, per_hour, -1).mean(axis=1)
    start = from_index(table.index[0])
    horizon = Horizon.uniform(start, start + count * HOUR, timedelta(hours=1))
    names = [str(c) for c in table.columns]
    values = xr.DataArray(np.ascontiguousarray(means.T), {"series": names, "time": horizon.times}, ("series", "time"))
    return DispatchProblem(
        site=site,
        horizon=horizon,
        forecast=Forecast(start, horizon, values, "profiles"),
        initial=start_snapshot(site, start),
        unserved_price_per_kwh=unserved_price_per_kwh,
        co2_price_per_kg=co2_price_per_kg,
    )
