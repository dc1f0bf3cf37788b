"""Where the energy of every carrier comes from and goes, and what machines turn into what, at one instant of a site."""

import numpy as np
import xarray as xr

from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import Consumer, GasSupply, GridConnection, Store
from models.site import Site
from models.state import Snapshot

RUNNING_KW = 0.1


def energy_balance(site: Site, snapshot: Snapshot) -> xr.Dataset:
    """Return the balance of every carrier in kW, dims (carrier).

    ``slack_kw`` comes from outside the site through its connections (below zero: goes out), ``fed_kw`` and ``drawn_kw`` are what everything
    else feeds and draws, neither below zero, ``loss_kw`` is what the solved networks lose, and ``gap_kw`` is what all this leaves open.
    """
    powers = snapshot.power_kw.transpose("asset", "carrier").fillna(0.0)
    outside = [a.id for a in (*site.of_kind(GridConnection), *site.of_kind(GasSupply))]
    inside = powers.drop_sel(asset=outside)
    carriers = [c for c in ENERGY_CARRIERS if c in site.carriers and c.value in powers["carrier"].to_numpy()]
    lost = xr.DataArray(
        [_lost_kw(site, snapshot, c) for c in carriers], {"carrier": [c.value for c in carriers]}, ("carrier",)
    )
    found = xr.Dataset(
        {
            "slack_kw": powers.sel(asset=outside).sum("asset"),
            "fed_kw": inside.clip(min=0.0).sum("asset"),
            "drawn_kw": -inside.clip(max=0.0).sum("asset"),
        }
    ).sel(carrier=lost["carrier"])
    gap = found["slack_kw"] + found["fed_kw"] - found["drawn_kw"] - lost
    return found.assign(loss_kw=lost, gap_kw=gap).drop_vars(set(found.coords) - {"carrier"})


def _lost_kw(site: Site, snapshot: Snapshot, carrier: Carrier) -> float:
    """Return what the networks of a carrier lose; one that did not converge loses an unknown amount, counted as nothing."""
    states = (snapshot.networks[n.id] for c, n in site.networks if Carrier(c) is carrier and n.id in snapshot.networks)
    return float(sum(np.nan_to_num(s["loss_kw"].item()) for s in states if "loss_kw" in s))


def machine_powers(site: Site, snapshot: Snapshot) -> xr.Dataset:
    """Return what every running machine between carriers feeds and draws: ``<carrier>_kw`` with dims (asset), positive feeds."""
    powers = snapshot.power_kw.transpose("asset", "carrier").fillna(0.0)
    turning = [a.id for a in site.assets if len(a.ports()) > 1 and not isinstance(a, Consumer | Store)]
    running = powers.sel(asset=[a for a in turning if float(np.abs(powers.sel(asset=a)).max()) > RUNNING_KW])
    carriers = [
        c
        for c in ENERGY_CARRIERS
        if c.value in powers["carrier"].to_numpy() and bool((running.sel(carrier=c.value) != 0).any())
    ]
    return xr.Dataset({f"{c.value}_kw": running.sel(carrier=c.value, drop=True) for c in carriers})
