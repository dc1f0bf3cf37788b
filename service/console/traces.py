"""The page of a chain: what was read, the plan made of it, who decided, what was sent, and what became of it on the device."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import HTMLResponse

from models.ports import Receipt
from service.api.schedules.chain import chain
from service.api.schedules.schemas import KeptCommandOut, KeptPlanOut, TraceOut
from service.auth.roles import Deed
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/trace/{thing_id}", **seen_by(Deed.SEE))
async def trace(request: Request, look: Glanced, thing_id: Annotated[str, Path(max_length=200)]) -> HTMLResponse:
    """Return the chain around a plan, a schedule, a command or a reading."""
    found = await _kept(look, thing_id) or await _young(look, thing_id)
    if found is None:
        raise HTTPException(404, f"No plan, schedule, command or reading {thing_id} is kept.")
    site = look.runtime.site
    titles = {d.id: site.asset(d.asset).title or d.asset for d in site.devices}
    return page(request, look.runtime, look.language, "trace.html", {"t": found, "titles": titles}, room="schedule")


async def _kept(look: Glance, thing_id: str) -> TraceOut | None:
    return await chain(look.backing.store, look.backing.telemetry, look.who.tenant_id, thing_id)


async def _young(look: Glance, thing_id: str) -> TraceOut | None:
    """Return the chain around what has just happened and is on its way into the store; None where nothing of that name has."""
    if look.who.tenant_id != look.backing.tenant_id:
        return None
    receipts = [r for r in look.memory.receipts() if thing_id in (r.command.id, r.command.plan_id)]
    plan_id = receipts[0].command.plan_id if receipts else thing_id
    made = look.memory.plan_by_id(plan_id)
    if not receipts and made is None:
        return None
    plan = None
    if made is not None:
        check_ok = None if made.check is None else made.check.ok
        plan = KeptPlanOut(id=made.plan.id, made_at=made.plan.made_at, source=made.plan.source, check_ok=check_ok)
    commands = [_sent(r) for r in receipts]
    around = await _kept(look, plan_id)
    if around is None:
        return TraceOut(asked_for=thing_id, readings=[], plan=plan, schedules=[], record=[], commands=commands)
    return around.model_copy(update={"asked_for": thing_id, "commands": [*around.commands, *commands]})


def _sent(receipt: Receipt) -> KeptCommandOut:
    command = receipt.command
    return KeptCommandOut(
        id=command.id,
        device=command.device,
        quantity=command.quantity,
        value=command.value,
        read_back=receipt.read_back,
        issued_by=command.issued_by,
        issued_at=command.issued_at,
        plan_id=command.plan_id,
        outcome=receipt.outcome.value,
        code=receipt.code,
        message=receipt.message,
        at=receipt.at,
    )
