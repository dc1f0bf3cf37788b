"""``flow``: all networks of a site at one instant, as the common operator would run it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr
from rich.table import Table

from models.actuals import Actuals
from models.dispatch import DispatchProblem
from models.forecast.naive import PerfectForecaster
from models.horizon import QUARTER, Horizon
from models.networks.status import Status
from models.site import Site
from models.site.file import load_site
from models.state import Snapshot
from scenarios.rules import Rule, RulePlanner
from scenarios.setpoints import setpoints_kw
from service.commands.files import require_writable
from service.commands.network_files import WRITERS, write_states
from service.commands.network_tables import element_tables, extremes, year_table
from service.commands.screen import console, progress_console
from service.commands.year import year_states
from service.console.figures import grouped, local_time
from service.history import EPOCH, History
from service.views.flows import CarrierBalance, flow_now
from twin.state import start_snapshot
from twin.step import Twin


def show_flow(site_file: Path, at: datetime, *, seed: int, full: bool, out: Path | None, plot: Path | None) -> None:
    """Print the balance of every carrier and the state of every network in the quarter-hour around an instant."""
    require_writable(out, WRITERS)
    site = load_site(site_file)
    snapshot = state_at(site, at, seed)
    history = History(site)
    view = flow_now(site, history, history.matrix(snapshot.power_kw))
    start = snapshot.at - QUARTER
    title = f"{site.title}, {local_time(start, site.location.time_zone, '%Y-%m-%d %H:%M')} local"
    console.print(balance_table(view.balances, f"{title}: balance, kW"))
    console.print(extremes(snapshot.networks))
    if full:
        for name, state in snapshot.networks.items():
            for table in element_tables(name, state):
                console.print(table)
    if out is not None:
        write_states(stamped(snapshot), out)
    if plot is not None:
        from service.pictures.sheet import write_sheet  # matplotlib takes a second to import

        write_sheet([n for _, n in site.networks], snapshot.networks, title, plot)


def stamped(snapshot: Snapshot) -> dict[str, xr.Dataset]:
    """Return the states of a snapshot's networks over a time axis of its one quarter-hour, named by its start."""
    step = np.datetime64((snapshot.at - QUARTER).replace(tzinfo=None), "ns")
    return {name: state.expand_dims(time=[step]) for name, state in snapshot.networks.items()}


def show_year(site_file: Path, year: int, *, seed: int, out: Path | None) -> int:
    """Print what every network went through in a year of hours; return 1 when an hour has no solution."""
    require_writable(out, WRITERS)
    site = load_site(site_file)
    with progress_console.status(f"{site.title}: every hour of {year}, a plan by rule, balances, then the networks"):
        states = year_states(site, year, seed=seed)
    console.print(year_table(states))
    if out is not None:
        write_states(states, out)
    return int(any((s["status"] != Status.OK).any() for s in states.values()))


def balance_table(balances: Iterable[CarrierBalance], title: str) -> Table:
    """Return one row per carrier: where its energy comes from and goes to."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("carrier", "supplied", "from stores", "used", "into stores", "exported", "network losses"):
        table.add_column(name, justify="left" if name == "carrier" else "right")
    for b in balances:
        amounts = (b.supplied, b.discharged, b.used, b.charged, b.exported, b.difference)
        table.add_row(b.carrier.value, *(grouped(a, 1) for a in amounts))
    return table


def state_at(site: Site, at: datetime, seed: int) -> Snapshot:
    """Return the site at the end of the quarter-hour around an instant, run by the common rule from half-full stores."""
    start = EPOCH + (at - EPOCH) // QUARTER * QUARTER
    horizon = Horizon.uniform(start, start + timedelta(hours=1))
    forecast = PerfectForecaster(Actuals(site, seed)).forecast(horizon)
    initial = start_snapshot(site, start)
    plan = RulePlanner(site, Rule()).plan(DispatchProblem(site, horizon, forecast, initial))
    series = {str(s): float(forecast.values.sel(series=s).values[0]) for s in forecast.values["series"].values}
    return Twin(site).step(initial, setpoints_kw(site, plan, forecast, start), series, QUARTER / timedelta(hours=1))
