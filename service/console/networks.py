"""The networks' page: single line of the grid, heat, cold and gas, now or at a step of the plan."""

import asyncio
from collections.abc import Mapping

import xarray as xr
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from models.site import Site
from service.auth.roles import Deed
from service.console.diagrams import Diagram, diagram
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced
from service.views.networks import network_states
from twin.networks import SiteNetworks

router = APIRouter(include_in_schema=False, route_class=PageRoute)
SHOWN = ("electricity", "heat", "cold", "gas")


@router.get("/networks", **seen_by(Deed.SEE))
async def networks(request: Request, look: Glanced) -> HTMLResponse:
    """Return the page of networks."""
    parts = await diagrams(look)
    return page(request, look.runtime, look.language, "networks.html", parts, room="networks")


async def diagrams(look: Glance) -> dict[str, object]:
    """Return every network's diagram at the present, or at the step of the newest plan that begins at ``thing``."""
    found = await asyncio.to_thread(_diagrams, look)
    made = look.memory.plan
    steps = [] if made is None or made.check is None else list(made.plan.horizon.edges[:-1])
    return {"diagrams": found, "steps": steps, "step": look.thing, "now": look.now}


def _diagrams(look: Glance) -> list[Diagram]:
    site = look.runtime.site
    states, names = _states(look), titles_at(site)
    return [
        diagram(carrier.value, network, states[network.id], names, look.w)
        for carrier, network in site.networks
        if carrier.value in SHOWN and network.id in states
    ]


def _states(look: Glance) -> Mapping[str, xr.Dataset]:
    """Return the networks' states now, or as the twin's replay of the plan has them."""
    snapshot, made = look.memory.snapshot, look.memory.plan
    if not look.thing:
        return {} if snapshot is None else network_states(look.runtime.site, snapshot)
    edges = [] if made is None else [e.isoformat() for e in made.plan.horizon.edges[:-1]]
    if made is None or made.check is None or look.thing not in edges:
        raise HTTPException(404, f"The newest plan has no step that begins at {look.thing}; choose another.")
    step = edges.index(look.thing)
    return {
        name: state.isel(time=step) for name, state in made.check.states.items() if step < state.sizes.get("time", 0)
    }


def titles_at(site: Site) -> Mapping[str, list[str]]:
    """Return the titles of the assets at every bus and junction."""
    found: dict[str, list[str]] = {}
    for places in SiteNetworks.of(site).ports_at.values():
        for place, ports in places.items():
            found[place] = [site.asset(asset).title or asset for asset, _ in ports]
    return found
