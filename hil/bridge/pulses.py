"""Pulses: writes of which every one has an effect, so that none may be repeated on a guess."""

import asyncio

from hil.bridge.driver import ATTEMPTS, PATIENCE_S, Driver
from hil.bridge.keeper import Keeper
from hil.bridge.polled import PolledDevice
from hil.bridge.target import State, Target
from hil.bridge.verdict import Sent, Verdict, not_done
from hil.codec import decode_one
from hil.maps.types import Point
from models.ports import Clock, Outcome, Receipt

COUNT_S = 0.3
"""How long a device may take from the last instant at which a pulse can land until its counter shows it."""


class Pulses:
    """Carries out pulses: against the device's own count where it has one, otherwise once and never again."""

    def __init__(self, driver: Driver, keeper: Keeper, clock: Clock) -> None:
        self._driver, self._keeper, self._clock = driver, keeper, clock

    async def carry_out(self, device: PolledDevice, target: Target) -> Receipt:
        """Send a pulse and record what became of it; the device's lock is held by the caller."""
        counter = device.map.find(target.point.counted_by or "")
        if counter is None:
            verdict = await self._once(device, target)
        else:
            verdict = await self._counted(device, target, counter)
        return self._keeper.settle(target, verdict)

    async def _once(self, device: PolledDevice, target: Target) -> Verdict:
        """Send one frame; nothing but the device's refusal or silence of our own proves that it had no effect."""
        late = self._driver.too_late(target.command)
        if late is not None:
            return not_done(late.code, late.words)
        sent, problem = await self._driver.send(target, device, target.frame)
        if sent is Sent.NOT_SENT:
            return not_done("unreachable", f"{problem}; nothing was sent")
        if sent is Sent.REFUSED:
            return not_done("refused_device", problem)
        why = {Sent.ECHOED: "was acknowledged", Sent.FAILED: "went wrong on the device"}.get(sent, "may have landed")
        words = f"{target.command.quantity} of {device.id} {why}; the device counts no pulses, so look at it yourself"
        return Verdict(State.UNKNOWN, Outcome.MAYBE, "unknown", words)

    async def _counted(self, device: PolledDevice, target: Target, counter: Point) -> Verdict:
        """Send until the counter moves, each time only when nothing sent before can still land."""
        before = await self._count(device, counter)
        if before is None:
            return not_done("unreachable", f"{counter.quantity} of {device.id} cannot be read; nothing was sent")
        self._keeper.note(target.command, "counted", f"{counter.quantity} {before:g} before")
        sent, problem = Sent.NOT_SENT, ""
        for _ in range(ATTEMPTS):
            if self._driver.too_late(target.command):
                break
            sent, problem = await self._driver.send(target, device, target.frame)
            if sent is Sent.NOT_SENT and not target.doubtful:
                return not_done("unreachable", f"{problem}; nothing was sent")
            after = await self._settled_count(device, counter, before, sent)
            if after is None:
                break
            if after != before:
                words = f"{counter.quantity} of {device.id} went from {before:g} to {after:g}"
                return Verdict(State.COMPLETED, Outcome.APPLIED, "applied", words)
            target.doubtful = False  # the counter has proven that nothing of it landed
            if sent in (Sent.REFUSED, Sent.FAILED):
                return not_done("refused_device", problem)
        if target.doubtful or sent is Sent.ECHOED:
            words = f"{counter.quantity} of {device.id} could not be read after the pulse; look before it is sent again"
            return Verdict(State.UNKNOWN, Outcome.MAYBE, "unknown", words)
        return not_done("differs", f"{counter.quantity} of {device.id} still reads {before:g}")

    async def _settled_count(self, device: PolledDevice, counter: Point, before: float, sent: Sent) -> float | None:
        """Return the count after a pulse, at once when it has moved, otherwise when nothing can land any more."""
        if sent is Sent.ECHOED:
            at_once = await self._count(device, counter)
            if at_once is not None and at_once != before:
                return at_once
        await asyncio.sleep(self._driver.frame_life_s + COUNT_S)
        return await self._count(device, counter)

    async def _count(self, device: PolledDevice, counter: Point) -> float | None:
        """Return the counter from two equal reads between which the heartbeat has moved."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE_S
        while (seen := await self._driver.alive(device, (counter,))) is None:
            if loop.time() > give_up:
                return None
            await asyncio.sleep(COUNT_S)
        return decode_one(counter, seen[counter.quantity])
