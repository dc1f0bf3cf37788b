"""``flow --year``: all networks at every hour of a year, as the common operator would run the site."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import xarray as xr
from rich.table import Table

from models.actuals import Actuals
from models.dispatch import DispatchProblem
from models.forecast.naive import PerfectForecaster
from models.horizon import Horizon
from models.networks.status import Status
from models.site import Site
from scenarios.rules import Rule, RulePlanner
from service.commands.network_files import States
from service.console.figures import grouped
from twin.state import start_snapshot
from twin.verify import verify

HOUR = timedelta(hours=1)
YEAR_H = 8760


def year_states(site: Site, year: int, *, seed: int, hours: int = YEAR_H) -> States:
    """Return every network over the hours of a local year, by network id."""
    start = datetime(year, 1, 1, tzinfo=ZoneInfo(site.location.time_zone)).astimezone(UTC)
    horizon = Horizon.uniform(start, start + hours * HOUR, HOUR)
    forecast = PerfectForecaster(Actuals(site, seed)).forecast(horizon)
    initial = start_snapshot(site, start)
    plan = RulePlanner(site, Rule()).plan(DispatchProblem(site, horizon, forecast, initial))
    return verify(plan, site, initial, forecast).states


def year_table(states: States) -> Table:
    """Return what every network went through: hours solved and not, extremes with their element and hour."""
    hours = next(iter(states.values())).sizes["time"]
    table = Table(title=f"{hours} hours", title_justify="left", header_style="bold")
    for name in ("network", "not solved", "quantity", "lowest", "at", "highest", "at"):
        table.add_column(name, justify="right" if name in ("not solved", "lowest", "highest") else "left")
    for network, state in states.items():
        failed = str(int((state["status"] != Status.OK).sum()))
        for name, title, digits in SHOWN:
            if name in state:
                low, high = extreme(state[name], highest=False), extreme(state[name], highest=True)
                table.add_row(
                    network, failed, title, grouped(low[0], digits), low[1], grouped(high[0], digits), high[1]
                )
                network = failed = ""
    return table


SHOWN = (
    ("vm_pu", "voltage, pu", 4),
    ("loading_share", "loading, share", 3),
    ("supply_degc", "supply, degC", 1),
    ("dp_kpa", "pressure difference, kPa", 1),
    ("pressure_kpa", "pressure, kPa", 2),
    ("velocity_m_per_s", "velocity, m/s", 2),
    ("loss_kw", "losses, kW", 1),
)


def extreme(array: xr.DataArray, *, highest: bool) -> tuple[float, str]:
    """Return the lowest or highest value of an array and where it occurs: element and hour, UTC; NaN and nowhere without any."""
    values = array.to_numpy()
    if not np.isfinite(values).any():
        return float("nan"), ""
    index = np.unravel_index(np.nanargmax(values) if highest else np.nanargmin(values), values.shape)
    place = {str(d): array[d].to_numpy()[i] for d, i in zip(array.dims, index, strict=True)}
    hour = np.datetime_as_string(place.pop("time"), unit="h")
    return float(values[index]), " ".join([*(str(p) for p in place.values()), hour])
