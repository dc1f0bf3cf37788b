"""Operations endpoints: plans and receipts."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import HTTPException, Path, Query

from models.ports import Receipt
from service.api.access import Known, guarded, only
from service.api.fields import Running
from service.api.operations.schemas import (
    CommandOut,
    PlanOut,
    PlanPage,
    PlanSummary,
    ReceiptOut,
    ReceiptPage,
    WaitingOut,
)
from service.api.problems import NotYet, described
from service.auth.roles import Deed
from service.runtime import Runtime

router = guarded(Deed.SEE, "/api/v1", "operations", 404)
Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Before = Annotated[str | None, Query(description="id of the last item of the page before")]


@router.get("/plans")
async def plans(runtime: Running, limit: Limit = 20, before: Before = None) -> PlanPage:
    """List plans in short, newest first."""
    kept = runtime.memory.plans()
    page, following = paged(kept, [m.plan.id for m in kept], limit, before)
    return PlanPage(items=[PlanSummary.of(m) for m in page], next=following)


@router.get("/plans/latest", responses=described(503))
async def latest_plan(runtime: Running) -> PlanOut:
    """Return the newest plan with its arrays."""
    made = runtime.memory.plan
    if made is None:
        raise NotYet("plan")
    return PlanOut.of(made)


@router.get("/plans/{plan_id}")
async def plan(runtime: Running, plan_id: Annotated[str, Path(description="the plan's id")]) -> PlanOut:
    """Return one plan with its arrays."""
    made = runtime.memory.plan_by_id(plan_id)
    if made is None:
        raise HTTPException(404, f"No plan {plan_id} is kept; /api/v1/plans lists those that are.")
    return PlanOut.of(made)


@router.get("/receipts")
async def receipts(runtime: Running, limit: Limit = 50, before: Before = None) -> ReceiptPage:
    """List what became of commands, newest first."""
    kept = runtime.memory.receipts()
    page, following = paged(kept, [r.command.id for r in kept], limit, before)
    return ReceiptPage(items=[ReceiptOut.of(r) for r in page], next=following)


@router.get("/commands/waiting")
async def waiting(
    runtime: Running,
    limit: Limit = 50,
    after: Annotated[str | None, Query(description="id of the last item of the page before")] = None,
) -> WaitingOut:
    """List the commands that wait for an operator, oldest first; there are some in the mode advise only."""
    there = runtime.desk.waiting()
    page, following = paged(there, [c.id for c in there], limit, after)
    return WaitingOut(mode=runtime.mode, items=[CommandOut.of(c) for c in page], next=following)


@router.post("/commands/{command_id}/confirm", **only(Deed.OPERATE))
def confirm(
    runtime: Running, command_id: Annotated[str, Path(description="the command's id")], who: Known
) -> ReceiptOut:
    """Carry out a command that waits, with every check made anew, and return what became of it."""
    return ReceiptOut.of(confirmed(runtime, command_id, who.name))


def confirmed(runtime: Runtime, command_id: str, operator: str) -> Receipt:
    """Carry out a command that waits for an operator; 404 where none of that id does."""
    try:
        return runtime.desk.confirm(command_id, operator)
    except KeyError:
        raise HTTPException(
            404, f"No command {command_id} waits any more; /api/v1/commands/waiting lists those that do."
        ) from None


def paged(
    items: Sequence[Item], ids: Sequence[str], limit: int, before: str | None
) -> tuple[Sequence[Item], str | None]:
    """Return the page behind the item ``before`` and the cursor of the next page, None on the last."""
    start = 0
    if before is not None:
        if before not in ids:
            raise HTTPException(404, f"Nothing with the id {before} is there any more; start again without it.")
        start = ids.index(before) + 1
    page = items[start : start + limit]
    more = start + limit < len(items)
    return page, ids[start + len(page) - 1] if more and page else None
