"""``n1``: what happens to the electric network when one line or transformer fails."""

from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr
from rich.markup import escape
from rich.table import Table

from models.horizon import QUARTER
from models.networks.data import ElectricNetwork
from models.networks.status import Status
from models.site import Site
from models.site.file import load_site
from models.state import Snapshot
from service.commands.files import require_writable
from service.commands.flow import state_at
from service.commands.network_files import WRITERS, write_states
from service.commands.screen import console, count
from service.console.figures import grouped, local_time
from twin.networks import SiteNetworks
from twin.state import powers_of

WORDS = {Status.OK: "", Status.ISLAND: "islands", Status.NOT_CONVERGED: "no solution"}


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


def outage_table(network: ElectricNetwork, found: xr.Dataset, title: str) -> Table:
    """Return one row per outage: lowest voltage, heaviest branch, who is left without supply."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("outage", "", "lowest voltage, pu", "at", "highest loading, %", "at", "without supply, kW", "buses"):
        table.add_column(name, justify="right" if name.endswith(("pu", "%", "kW")) else "left")
    now = found.isel(time=0)
    order = np.lexsort((-now.loading_max_share.to_numpy(), -now.unsupplied_kw.to_numpy()))
    for k in order.tolist():
        one = now.isel(outage=k)
        vm = one.vm_pu.to_numpy()
        dead = [str(b) for b in one.bus.to_numpy()[np.isnan(vm)]]
        table.add_row(
            str(one.outage.item()),
            WORDS[Status(int(one.status.item()))],
            grouped(float(one.vm_min_pu.item()), 4),
            str(one.bus.to_numpy()[int(np.nanargmin(vm))]),
            grouped(100 * float(one.loading_max_share.item()), 1),
            str(one.worst_branch.item()),
            grouped(float(one.unsupplied_kw.item())),
            ", ".join(dead[:4]) + (f" and {len(dead) - 4} more" if len(dead) > 4 else ""),
            style="yellow" if hurts(network, one) else "",
        )
    return table


def hurts(network: ElectricNetwork, one: xr.Dataset) -> bool:
    """Return whether an outage leaves somebody without supply, a voltage outside its band or a branch overloaded."""
    low = {b.id: b.vm_min_pu for b in network.buses}
    vm = zip(one.bus.to_numpy(), one.vm_pu.to_numpy(), strict=True)
    return (
        int(one.status.item()) != Status.OK
        or float(one.loading_max_share.item()) > 1.0
        or any(v < low[str(b)] for b, v in vm)
    )


def summary(network: ElectricNetwork, found: xr.Dataset) -> str:
    """Return how many outages the grid carries without anybody noticing."""
    cases = [found.isel(time=0, outage=k) for k in range(found.sizes["outage"])]
    bad = sum(hurts(network, c) for c in cases)
    return f"{count(len(cases) - bad, 'outage')} of {len(cases)} within all limits, {bad} not"


def flat(found: xr.Dataset) -> xr.Dataset:
    """Return the figures per outage as a network state over time, without the tables of every bus and branch."""
    return found[["vm_min_pu", "loading_max_share", "worst_branch", "unsupplied_kw", "status", "residual_kva"]]
