"""Groups: several points of one device that stand together or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from math import inf

from hil.bridge.driver import Driver
from hil.bridge.events import Listener
from hil.bridge.gate import Refusal
from hil.bridge.keeper import Keeper
from hil.bridge.polled import PolledDevice
from hil.bridge.target import State, Target
from hil.bridge.verdict import Verdict
from hil.bridge.wayback import WayBack
from hil.codec import decode_one
from hil.journal import GroupMember, Journal, JournalError, OpenGroup
from hil.maps.types import Point
from models.errors import PlantError
from models.ports import Clock, Command, Outcome, Receipt

TEND_S = 0.3
"""Transport seconds for which a poll waits for what follows it."""
GROUP_S = 8.0
"""A group that is not whole after so many transport seconds is taken back."""


@dataclass(slots=True)
class Step:
    """One member on its way: its command, where it goes, what stands there, what to go back to, and what became of it."""

    command: Command
    point: Point
    shown: float
    was: float
    """The value to go back to: what stands, unless that is the half of a group before."""
    target: Target | None = None
    verdict: Verdict | None = None

    @property
    def stands(self) -> float:
        """The value that the point shows or may show by now."""
        return self.shown if self.verdict is None else self.command.value

    @property
    def applied(self) -> bool:
        """Whether the new value stands."""
        return self.verdict is not None and self.verdict.outcome is Outcome.APPLIED


class Groups:
    """Writes groups and takes half-written ones back, its own and those of a bridge that died."""

    def __init__(
        self,
        devices: Mapping[str, PolledDevice],
        driver: Driver,
        keeper: Keeper,
        journal: Journal,
        clock: Clock,
        listener: Listener,
    ) -> None:
        self._driver, self._keeper, self._journal, self._clock = driver, keeper, journal, clock
        self._way_back = WayBack(devices, driver, keeper, journal, clock, listener)
        self._running: set[str] = set()
        self.torn: set[str] = set()
        """Groups that the journal, not the device, has left half-written."""
        self.tending: dict[str, asyncio.Task[float]] = {}
        """Device → what is being done for it beside the polls."""
        self.to_take_up = False
        """Whether a bridge before this one may have left something open that has not been taken up yet."""

    async def tend(self, device: PolledDevice, good: bool = True) -> float:
        """Look after a device's targets following a poll; returns the clock time of the next refresh.

        What takes longer than :data:`TEND_S` goes on beside the polls: a device that has to be put right, read and read again must not
        keep its line from being read, nor hide that its values have stopped moving.
        """
        if self.quiet:
            return inf
        wake = self._keeper.stands_until(device) if good and not self._unfinished(device) else None
        if wake is not None:
            return wake
        self._way_back.prolong()
        before = self.tending.pop(device.id, None)
        if before is not None and not before.done():
            self.tending[device.id] = before
            return await self._keeper.tend(device, good)
        if before is not None:
            before.result()
        task = asyncio.create_task(self._tend(device, good))
        self.tending[device.id] = task
        await asyncio.wait({task}, timeout=TEND_S)
        return self.tending.pop(device.id).result() if task.done() else inf

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to look after."""
        return not (self.to_take_up or self.torn or self._way_back.busy or self._keeper.busy)

    def _unfinished(self, device: PolledDevice) -> bool:
        """Return whether a group, or what a bridge before has left open, may have to be looked after."""
        return bool(self.to_take_up or self.torn or self._way_back.busy or device.id in self.tending)

    async def _tend(self, device: PolledDevice, good: bool) -> float:
        """Look after a device's targets, and close the groups that are whole again."""
        if self.to_take_up or self.torn:
            with suppress(JournalError):
                self.take_up()
                if self.torn:
                    self.resume()
        if good and not self._keeper.locks[device.id].locked():
            with suppress(JournalError):
                await self._write_again(device)
        wake = await self._keeper.tend(device, good)
        with suppress(JournalError):
            self._way_back.go_on()
        return wake

    def take_up(self) -> None:
        """After a start: go on with what the bridge before has left open; JournalError while the journal cannot be written."""
        self._keeper.pay()
        if self.to_take_up:
            self._keeper.resume()
            self.resume()
            self.to_take_up = False

    def resume(self) -> None:
        """Begin to take back every group without an end that nobody is writing."""
        self._way_back.resume(self._running)
        self.torn.clear()

    async def _write_again(self, device: PolledDevice) -> None:
        """Write groups again that had to give way to a lease: as groups, whole or not at all."""
        for targets in self._keeper.woken_groups(device):
            async with self._keeper.locks[device.id]:
                await self.carry_out(device, [t.command for t in targets], targets)

    async def carry_out(
        self, device: PolledDevice, commands: Sequence[Command], again: Sequence[Target] = ()
    ) -> tuple[Receipt, ...] | Refusal:
        """Write a group whose commands have passed the gate; the device's lock is held by the caller.

        ``again`` are the targets of commands that stood before and had to give way; until the group begins they go on waiting.
        """
        steps = await self._steps(device, commands)
        if isinstance(steps, Refusal):
            return steps
        refusal = next((r for s in steps if (r := self._forbidden(device, s, steps))), None)
        if refusal is not None:
            return refusal
        # a group goes by its first command, and by that one's epoch where it is not the first time
        name = f"{commands[0].id}/{again[0].epoch}" if again else commands[0].id
        self._running.add(name)
        try:
            self._open(device, name, steps)
            self._accept(device, name, steps, again)
            return await self._drive(device, name, steps)
        except JournalError:
            self.torn.add(name)
            raise
        finally:
            self._running.discard(name)

    async def _drive(self, device: PolledDevice, name: str, steps: Sequence[Step]) -> tuple[Receipt, ...]:
        """Make one member after another stand, or take all of them back."""
        give_up = asyncio.get_running_loop().time() + GROUP_S
        for step in safe_order(steps):
            if asyncio.get_running_loop().time() > give_up or not await self._advance(device, step):
                return await self._take_back(device, name, steps)
        self._journal.close_group(name, self._clock.now(), "applied")
        return tuple(self._settled(s) for s in steps)

    async def _steps(self, device: PolledDevice, commands: Sequence[Command]) -> Sequence[Step] | Refusal:
        """Return the members with what stands on their points, read so that neither a damaged answer nor a gateway's memory counts.

        The whole group is read, because what its other points show counts for the sum.
        """
        members = [device.map.point(c.quantity) for c in commands]
        name = members[0].group or ""
        points = device.map.group(name)
        found = await self._driver.alive(device, points)
        if found is None:
            words = f"{name} of {device.id} did not read alike twice while the device lived"
            return Refusal("unreachable", f"{words}; nothing was sent")
        for point in points:
            value = decode_one(point, found[point.quantity])
            device.note_write(point.quantity, value, self._clock.monotonic(), self._clock.now())
        shown = [decode_one(p, found[p.quantity]) for p in members]
        return [Step(c, p, v, v) for c, p, v in zip(commands, members, shown, strict=True)]

    def _forbidden(self, device: PolledDevice, step: Step, steps: Sequence[Step]) -> Refusal | None:
        """Return what speaks against a member by now: a lease, its own point's rules, or where the group would end."""
        leased = self._keeper.leased_away(step.command)
        if leased is not None:
            return leased
        limit = device.map.group_max.get(step.point.group or "")
        if limit is not None:
            wanted = {s.point.quantity: s.command.value for s in steps}
            points = device.map.group(step.point.group or "")
            total = sum(wanted.get(p.quantity, device.value(p.quantity) or 0.0) for p in points)
            if total > limit:
                words = f"{step.point.group} of {device.id} would add up to {total:g}, {limit:g} is the most"
                return Refusal("refused_limit", f"{words}; nothing was sent")
        return self._keeper.hindrances.against(device, step.point, step.command.value, in_group=True)

    def _open(self, device: PolledDevice, name: str, steps: Sequence[Step]) -> None:
        """Record, before the first frame, which commands stand or fall together and what to go back to."""
        members = []
        torn = self._way_back.half_written(device)
        for step in steps:
            older = self._keeper.targets.get((device.id, step.point.quantity))
            until = step.command.deadline if older is None else max(older.command.deadline, step.command.deadline)
            step.was = self._wanted(step, older, torn)
            members.append(GroupMember(step.command.id, step.point.quantity, step.was, until))
        self._journal.open_group(OpenGroup(name, device.id, tuple(members)), self._clock.now())

    def _accept(self, device: PolledDevice, name: str, steps: Sequence[Step], again: Sequence[Target]) -> None:
        """Record the commands of a group, or give those that stood before a new epoch."""
        for step, target in zip_longest(steps, again):
            if target is not None:
                step.target = self._keeper.renewed(target)
            else:
                epoch = self._journal.accept(step.command, self._clock.now())
                frame = self._driver.frame(device, step.point, step.command.value)
                step.target = Target(step.command, step.point, epoch, frame)
            self._keeper.note(step.command, "grouped", f"{name}: {step.was:g} before")

    def _wanted(self, step: Step, older: Target | None, torn: Mapping[str, float]) -> float:
        """Return what a point has to go back to: never the half of a group before, nor what a device has lost or somebody overwritten."""
        if step.point.quantity in torn:
            return torn[step.point.quantity]
        if older is not None and older.applied and older.state.stands:
            return decode_one(step.point, older.frame.words)
        return step.shown

    async def _advance(self, device: PolledDevice, step: Step) -> bool:
        """Make one member stand; False when the group has to be taken back."""
        if step.target is None or self._keeper.leased_away(step.command):
            return False
        if self._keeper.hindrances.over_sum(device, step.point, step.command.value):
            return False
        self._keeper.put(step.target)
        step.verdict = await self._driver.bring_about(step.target, device)
        self._keeper.enter(step.target, step.verdict.state, step.verdict.words)
        if step.verdict.read_back is not None:
            at = self._clock.now()
            device.note_write(step.point.quantity, step.verdict.read_back, self._clock.monotonic(), at)
        return step.applied

    async def _take_back(self, device: PolledDevice, name: str, steps: Sequence[Step]) -> tuple[Receipt, ...]:
        """Restore what stood before, what falls first; what cannot be restored now is tried after every good poll."""
        touched = [s for s in safe_order(steps, back=True) if s.verdict is not None or s.shown != s.was]
        members = {m.command: m for g in self._journal.open_groups() if g.id == name for m in g.members}
        backs = {s.command.id: self._way_back.restore(device, members[s.command.id]) for s in touched}
        for back in backs.values():
            if self._keeper.hindrances.over_sum(device, back.point, back.command.value):
                continue
            verdict = await self._driver.bring_about(back, device)
            if verdict.outcome is Outcome.APPLIED:
                self._keeper.settle(back, verdict)
            else:
                self._keeper.enter(back, State.UNKNOWN, verdict.words)
        self._way_back.begin(name, list(backs.values()))
        return tuple(self._given_up(s, backs.get(s.command.id)) for s in steps)

    def _settled(self, step: Step) -> Receipt:
        """Record the outcome of a member of a whole group."""
        if step.target is None or step.verdict is None:
            raise PlantError(f"{step.command.id} was never driven")
        return self._keeper.settle(step.target, step.verdict)

    def _given_up(self, step: Step, back: Target | None) -> Receipt:
        """Record the outcome of a member of a group that was taken back."""
        restored = back is None or back.state is State.CONFIRMED
        outcome = Outcome.NO if restored else Outcome.MAYBE
        why = step.verdict.words if step.verdict is not None and not step.applied else "the group did not become whole"
        way = f"{step.was:g} stands again" if restored else f"{step.was:g} is restored as soon as the device answers"
        receipt = Receipt(
            step.command,
            outcome,
            "rolled_back",
            f"{why}; {way}",
            self._clock.now(),
            step.was if restored else None,
        )
        if step.target is None or not step.target.applied:  # what has stood once has been applied
            self._keeper.record(partial(self._journal.outcome, receipt))
        self._keeper.note(step.command, State.ROLLED_BACK.value, receipt.message)
        return receipt


def safe_order(steps: Sequence[Step], *, back: bool = False) -> list[Step]:
    """Return what falls before what rises, so that no prefix adds up to more than both ends do."""

    def rises(step: Step) -> bool:
        return step.was > step.stands if back else step.command.value > step.shown

    return sorted(steps, key=rises)
