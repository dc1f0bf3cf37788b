"""The page of a chain: what was read, the plan made of it, who decided, what was sent, and what became of it on the device."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import HTMLResponse

from service.api.schedules.chain import chain
from service.auth.roles import Deed
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glanced

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/trace/{thing_id}", **seen_by(Deed.SEE))
async def trace(request: Request, look: Glanced, thing_id: Annotated[str, Path(max_length=200)]) -> HTMLResponse:
    """Return the chain around a plan, a schedule, a command or a reading."""
    found = await chain(look.backing.store, look.backing.telemetry, look.who.tenant_id, thing_id)
    if found is None:
        raise HTTPException(404, f"No plan, schedule, command or reading {thing_id} is kept.")
    site = look.runtime.site
    titles = {d.id: site.asset(d.asset).title or d.asset for d in site.devices}
    return page(request, look.runtime, look.language, "trace.html", {"t": found, "titles": titles}, room="schedule")
