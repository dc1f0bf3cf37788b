"""Carrying out applied schedules on the bridge: a lease on their devices, then a command for every set-point that changes.

While the lease lasts the loop's own commands to these devices are refused; when it ends or is given back, as it is when the service is
told to end, they are the loop's again, and when this program dies, after the lease. A command that may not have landed is sent again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from hil.bridge import Lease
from hil.journal import JournalError
from hil.tasks import end
from models.errors import JouletwinError, PlantError
from models.ports import Command, Outcome, Receipt
from service.bridging.door import BridgeDoor
from service.runtime import Runtime
from service.schedules.orders import Order

LOOK_REAL_S = 1.0
PRIORITY = 10
"""People go before the loop."""
DEADLINE = timedelta(minutes=5)
AGAIN = timedelta(minutes=1)
"""A set-point that was refused, or of which nobody knows, is sent again after so long."""


@asynccontextmanager
async def carrying(carrier: "Carrier") -> AsyncIterator[None]:
    """Carry out orders while the block lasts; behind it nothing is leased any more, so that devices fall back and others may command them."""
    task = asyncio.create_task(carrier.run(), name="schedules")
    try:
        yield
    finally:
        await end([task])
        carrier.give_back_all()


@dataclass
class _Carried:
    """What has been done about one order."""

    order: Order
    sent_kw: dict[str, float] = field(default_factory=dict)
    tried: int = 0
    leased: bool = False


class Carrier:
    """Carries out the orders of a running site until it is cancelled."""

    def __init__(self, runtime: Runtime, bridge: BridgeDoor) -> None:
        self._runtime, self._bridge, self._clock = runtime, bridge, runtime.clock
        self._device = {d.asset: d.id for d in runtime.site.devices}
        self._carried: dict[str, _Carried] = {}
        self._again_at = self._clock.now()

    async def run(self) -> None:
        """Look for orders, again and again."""
        while True:
            try:
                await self.turn()
            except (JouletwinError, OSError) as fault:
                self._runtime.memory.take_fault(
                    self._clock.now(), "schedules", f"a turn broke off ({fault}); tried again"
                )
            await self._clock.sleep(LOOK_REAL_S * max(self._runtime.speed, 1.0))

    async def turn(self) -> None:
        """Give back what is not ordered any more, and send what is ordered now."""
        now = self._clock.now()
        ordered = {o.schedule_id: o for o in self._runtime.orders.current() if o.start <= now < o.until}
        for schedule_id in [s for s in self._carried if s not in ordered]:
            self._give_back(self._carried.pop(schedule_id))
        for order in ordered.values():
            carried = self._carried.setdefault(order.schedule_id, _Carried(order))
            if self._has_lease(carried, order):
                await self._send(carried, order)

    def give_back_all(self) -> None:
        """End every lease; the next start takes up the orders that are in force still."""
        while self._carried:
            self._give_back(self._carried.popitem()[1])

    def _has_lease(self, carried: _Carried, order: Order) -> bool:
        """Take the lease, or make it longer when the order was renewed; tell once where it cannot be had."""
        if carried.leased and carried.order.until == order.until:
            return True
        devices = frozenset(self._device[a] for a in order.steps)
        refusal = self._bridge.lease(Lease(order.holder, PRIORITY, order.until, devices))
        if refusal is not None and not carried.tried:
            self._runtime.memory.take_fault(self._clock.now(), order.holder, f"is not carried out: {refusal}")
        carried.tried += 1
        carried.order, carried.leased = order, refusal is None
        return carried.leased

    async def _send(self, carried: _Carried, order: Order) -> None:
        now = self._clock.now()
        wanted = order.setpoints_kw(now)
        due = {asset: kw for asset, kw in wanted.items() if carried.sent_kw.get(asset) != kw}
        if not due or (carried.tried > 1 and now < self._again_at):
            return
        receipts = [await self._write(order, asset, kw) for asset, kw in due.items()]
        landed = {r.command.device for r in receipts if r.outcome is Outcome.APPLIED}
        carried.sent_kw |= {asset: kw for asset, kw in due.items() if self._device[asset] in landed}
        if len(landed) < len(receipts):
            carried.tried, self._again_at = carried.tried + 1, now + AGAIN
        self._runtime.memory.take_receipts(receipts)

    async def _write(self, order: Order, asset: str, kw: float) -> Receipt:
        now = self._clock.now()
        command = Command(
            id=f"{order.schedule_id}-{asset}-{now:%Y%m%dT%H%M%S%f}",
            device=self._device[asset],
            quantity="setpoint_kw",
            value=kw,
            issued_at=now,
            issued_by=order.holder,
            deadline=min(now + DEADLINE, order.until),
            plan_id=order.schedule_id,
        )
        try:
            return await self._bridge.write(command)
        except (JouletwinError, OSError) as fault:
            return Receipt(command, Outcome.MAYBE, "unknown", str(fault), self._clock.now())

    def _give_back(self, carried: _Carried) -> None:
        try:
            self._bridge.give_back(carried.order.holder)
        except (JournalError, PlantError) as fault:
            words = f"its lease could not be given back before {carried.order.until:%H:%M} UTC: {fault}"
            self._runtime.memory.take_fault(self._clock.now(), carried.order.holder, words)
