"""``n1``: what happens to the electric network when one line or transformer fails."""

from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr
from rich.markup import escape

from models.horizon import QUARTER
from models.networks.data import ElectricNetwork
from models.site import Site
from models.site.file import load_site
from models.state import Snapshot
from service.commands.files import require_writable
from service.commands.flow import state_at
from service.commands.network_files import WRITERS, write_states
from service.commands.network_tables import outage_table, summary
from service.commands.screen import console
from service.console.figures import local_time
from twin.networks import SiteNetworks
from twin.state import powers_of


def show_outages(site_file: Path, at: datetime, *, seed: int, out: Path | None) -> None:
    """Print every single outage of the site's grids in the quarter-hour around an instant, gravest first."""
    require_writable(out, WRITERS)
    site = load_site(site_file)
    snapshot = state_at(site, at, seed)
    found = {n.id: outages(site, n, snapshot) for n in site.networks.electricity}
    when = local_time(snapshot.at - QUARTER, site.location.time_zone, "%Y-%m-%d %H:%M")
    for network in site.networks.electricity:
        title = f"{escape(site.title)}, {network.id}, {when} local: single outages"
        console.print(outage_table(network, found[network.id], title))
        console.print(summary(network, found[network.id]))
    if out is not None:
        write_states({name: flat(state) for name, state in found.items()}, out)


def outages(site: Site, network: ElectricNetwork, snapshot: Snapshot) -> xr.Dataset:
    """Return a grid's state after each single outage, for the powers of a snapshot."""
    from models.networks.electricity import n1

    flows = {port: np.array([kw]) for port, kw in powers_of(snapshot).items()}
    times = np.array([np.datetime64(snapshot.at.replace(tzinfo=None), "ns")])
    return n1(network, *SiteNetworks.of(site).bus_powers(network, flows, times))


def flat(found: xr.Dataset) -> xr.Dataset:
    """Return the figures per outage as a network state over time, without the tables of every bus and branch."""
    return found[["vm_min_pu", "loading_max_share", "worst_branch", "unsupplied_kw", "status", "residual_kva"]]
