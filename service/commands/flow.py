"""``flow``: all networks of a site at one instant, as the common operator would run it."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr
from rich.table import Table

from models.actuals import Actuals
from models.carriers import Carrier
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
from service.views.flows import flow_now
from twin.energy import energy_balance, machine_powers
from twin.state import start_snapshot
from twin.step import Twin


def show_flow(site_file: Path, at: datetime, *, seed: int, full: bool, out: Path | None, plot: Path | None) -> None:
    """Print the balance of every carrier and the state of every network in the quarter-hour around an instant."""
    require_writable(out, WRITERS)
    site = load_site(site_file)
    snapshot = state_at(site, at, seed)
    start = snapshot.at - QUARTER
    title = f"{site.title}, {local_time(start, site.location.time_zone, '%Y-%m-%d %H:%M')} local"
    console.print(balance_table(site, snapshot, f"{title}: balance, kW"))
    console.print(machine_table(machine_powers(site, snapshot)))
    console.print(extremes(snapshot.networks))
    if full:
        for name, state in snapshot.networks.items():
            for table in element_tables(name, state):
                console.print(table)
    if out is not None:
        write_states(stamped(site, snapshot), out)
    if plot is not None:
        from service.pictures.sheet import write_sheet  # matplotlib takes a second to import

        write_sheet([n for _, n in site.networks], snapshot.networks, title, plot)


def stamped(site: Site, snapshot: Snapshot) -> dict[str, xr.Dataset]:
    """Return a snapshot's networks, the balance of every carrier and the machines between them over its one quarter-hour, named by its start."""
    step = np.datetime64((snapshot.at - QUARTER).replace(tzinfo=None), "ns")
    whole = {"balance": energy_balance(site, snapshot), "machines": machine_powers(site, snapshot)}
    return {name: state.expand_dims(time=[step]) for name, state in {**snapshot.networks, **whole}.items()}


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


def balance_table(site: Site, snapshot: Snapshot, title: str) -> Table:
    """Return one row per carrier: where its energy comes from and goes to, what its networks lose, and what is left open."""
    history = History(site)
    view = flow_now(site, history, history.matrix(snapshot.power_kw))
    books = energy_balance(site, snapshot)
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("carrier", no_wrap=True, min_width=len(Carrier.ELECTRICITY))
    for name in ("supplied", "from stores", "used", "to stores", "out", "losses", "open"):
        table.add_column(name, justify="right")
    for b in view.balances:
        amounts = (b.supplied, b.discharged, b.used, b.charged, b.exported)
        own = books.sel(carrier=b.carrier.value)
        shown = (*amounts, own["loss_kw"].item(), own["gap_kw"].item())
        table.add_row(b.carrier.value, *(grouped(a, 1) for a in shown))
    return table


def machine_table(powers: xr.Dataset) -> Table:
    """Return one row per machine that turns one carrier into another; positive feeds, negative draws."""
    table = Table(title="Machines, kW (− draws)", title_justify="left", header_style="bold")
    table.add_column("machine")
    for name in powers.data_vars:
        table.add_column(str(name).removesuffix("_kw"), justify="right")
    for asset in powers["asset"].to_numpy():
        row = powers.sel(asset=asset)
        table.add_row(str(asset), *(grouped(float(row[n]), 1) if float(row[n]) else "" for n in powers.data_vars))
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
