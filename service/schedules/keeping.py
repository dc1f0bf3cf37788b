"""Writing down what the running site does: plans and receipts go from its memory into the store, a second behind."""

import asyncio
import zlib

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from models.ports import Receipt
from service.api.operations.schemas import PlanOut
from service.backing import Backing
from service.memory import MadePlan
from service.runtime import Runtime
from service.schedules.book import orders_in_force
from service.store.operations import CommandRow, PlanRow

EVERY_S = 1.0
AT_ONCE = 500


class Keeping:
    """Keeps plans and receipts of a running site; what the store refuses is tried again, and told once."""

    def __init__(self, runtime: Runtime, backing: Backing) -> None:
        self._runtime, self._backing = runtime, backing
        self._kept: dict[str, None] = {}
        self._refused = ""

    async def run(self) -> None:
        """Take up what was in force before this start, then keep what happens, until cancelled."""
        taken_up = False
        while True:
            try:
                if not taken_up:
                    await self._take_up()
                    taken_up = True
                await self.turn()
                self._recovered()
            except (DBAPIError, OSError) as fault:
                self._tell(fault)
            await asyncio.sleep(EVERY_S)

    async def _take_up(self) -> None:
        runtime, backing = self._runtime, self._backing
        for order in await orders_in_force(backing.store, backing.tenant_id, runtime.clock.now()):
            runtime.orders.put(order)

    async def turn(self) -> None:
        """Keep what has happened since the last turn."""
        memory = self._runtime.memory
        plans = [made for made in memory.plans() if made.plan.id not in self._kept]
        receipts = {r.command.id: r for r in reversed(memory.receipts()) if _mark(r) not in self._kept}
        if not plans and not receipts:
            return
        async with self._backing.store.changing(self._backing.tenant_id) as session:
            known = set(await session.scalars(select(PlanRow.id).where(PlanRow.id.in_([m.plan.id for m in plans]))))
            session.add_all(_plan_row(made) for made in plans if made.plan.id not in known)
            for receipt in list(receipts.values())[:AT_ONCE]:
                await session.merge(_command_row(receipt, self._backing.tenant_id))
        self._kept |= dict.fromkeys(m.plan.id for m in plans)
        self._kept |= dict.fromkeys(_mark(r) for r in list(receipts.values())[:AT_ONCE])
        for old in list(self._kept)[:-5000]:
            del self._kept[old]

    def _tell(self, fault: Exception) -> None:
        words = f"the store refuses to be written ({getattr(fault, 'orig', fault)}); the site is operated on, and this is tried again"
        if not self._refused:
            self._runtime.memory.take_fault(self._runtime.clock.now(), "store", words)
        self._refused = words

    def _recovered(self) -> None:
        if self._refused:
            self._runtime.memory.take_recovery(self._runtime.clock.now(), "store", "can be written again")
        self._refused = ""


def _mark(receipt: Receipt) -> str:
    """Return what tells one receipt from another of the same command: a command that waited has two."""
    return f"{receipt.command.id} {receipt.code}"


def _plan_row(made: MadePlan) -> PlanRow:
    ok = None if made.check is None else made.check.ok
    body = zlib.compress(PlanOut.of(made).model_dump_json().encode())
    return PlanRow(id=made.plan.id, made_at=made.plan.made_at, source=made.plan.source, check_ok=ok, body=body)


def _command_row(receipt: Receipt, tenant_id: str) -> CommandRow:
    command = receipt.command
    same = {k: getattr(command, k) for k in ("id", "device", "quantity", "value", "issued_by", "issued_at", "plan_id")}
    told = {k: getattr(receipt, k) for k in ("code", "message", "at", "read_back")}
    return CommandRow(tenant_id=tenant_id, outcome=receipt.outcome.value, **same, **told)
