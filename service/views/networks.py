"""The networks' present: what the twin's flow equations make of the powers that were measured."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from models.site import Site
from models.state import Snapshot
from twin.networks import SiteNetworks
from twin.state import powers_of


def network_states(site: Site, snapshot: Snapshot) -> Mapping[str, xr.Dataset]:
    """Return every network's state at a snapshot, by network id, dims (bus, branch) or (junction, pipe).

    The powers are the measured ones, so what a network has to carry is as sure as they are; voltages, flows, temperatures and
    pressures between the meters are the model's.
    """
    networks = SiteNetworks.of(site)
    times = np.array([np.datetime64(snapshot.at.replace(tzinfo=None), "ns")])
    powers = {port: np.array([np.nan_to_num(kw)]) for port, kw in powers_of(snapshot).items()}
    wanted = {port: np.zeros(1) for ports in networks.ports_at.values() for own in ports.values() for port in own}
    found = networks.grids(wanted | powers, times) | networks.pipes(wanted | powers, times)
    return {name: state.isel(time=0) for name, state in found.states.items()}
