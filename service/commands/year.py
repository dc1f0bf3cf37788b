"""``flow --year``: all networks at every hour of a year, as the common operator would run the site."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from models.actuals import Actuals
from models.dispatch import DispatchProblem
from models.forecast.naive import PerfectForecaster
from models.horizon import Horizon
from models.site import Site
from scenarios.rules import Rule, RulePlanner
from service.commands.network_files import States
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
