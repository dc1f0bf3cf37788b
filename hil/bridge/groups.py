"""Groups: several points of one device that stand together or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import inf

from hil.bridge.driver import Driver, Words
from hil.bridge.gate import Refusal
from hil.bridge.keeper import Keeper
from hil.bridge.polled import PolledDevice
from hil.bridge.target import BRIDGE, State, Target
from hil.bridge.verdict import Verdict
from hil.clocks import transport_scale
from hil.codec import decode_one
from hil.journal import GroupMember, Journal, JournalError, OpenGroup
from hil.maps.types import Point
from models.errors import PlantError
from models.ports import Clock, Command, Outcome, Receipt

TEND_S = 0.3
"""Transport seconds for which a poll waits for what follows it."""
GROUP_S = 8.0
"""A group that is not whole after so many transport seconds is taken back."""
RESTORE_S = 15.0
"""For so many transport seconds at least a half-written group is being taken back, whenever that begins."""
INSISTENCE = 5
"""How often a point that does not take its old value back is tried again."""
BACK = "/back"
"""Ending of the id of the command that restores a point."""


@dataclass(slots=True)
class Step:
    """One member on its way: its command, where it goes, what stood there, and what became of it."""

    command: Command
    point: Point
    before: Words
    target: Target | None = None
    verdict: Verdict | None = None

    @property
    def was(self) -> float:
        """The value that stood before."""
        return decode_one(self.point, self.before)

    @property
    def applied(self) -> bool:
        """Whether the new value stands."""
        return self.verdict is not None and self.verdict.outcome is Outcome.APPLIED


class Groups:
    """Writes groups and takes half-written ones back, its own and those of a bridge that died."""

    def __init__(
        self, devices: Mapping[str, PolledDevice], driver: Driver, keeper: Keeper, journal: Journal, clock: Clock
    ) -> None:
        self._devices, self._driver, self._keeper, self._journal, self._clock = devices, driver, keeper, journal, clock
        self._returning: dict[str, list[Target]] = {}
        """Group → the targets that restore it and are not all confirmed yet."""
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
        return not (self.to_take_up or self.torn or self._returning or self._keeper.busy)

    async def _tend(self, device: PolledDevice, good: bool) -> float:
        """Look after a device's targets, and close the groups that are whole again."""
        if self.to_take_up or self.torn:
            with suppress(JournalError):
                self.take_up()
                if self.torn:
                    self.resume()
        wake = await self._keeper.tend(device, good)
        if not self._returning:
            return wake
        with suppress(JournalError):
            for name, backs in list(self._returning.items()):
                for back in backs:
                    self._insist(back)
                if all(t.state is State.CONFIRMED or not t.state.stands for t in backs):
                    self._close(name, "rolled back")
        return wake

    def _insist(self, back: Target) -> None:
        """Take up a restoring command that the device did not take, a few times, while nobody else has the point."""
        over = self._clock.now() >= back.command.deadline or back.key in self._keeper.targets
        if back.state is State.REJECTED and not over and len(back.reasserted) < INSISTENCE:
            back.reasserted.append(self._clock.monotonic())
            self._keeper.put(back)
            self._keeper.enter(back, State.UNKNOWN, "tried again")

    def take_up(self) -> None:
        """After a start: go on with what the bridge before has left open; JournalError while the journal cannot be written."""
        self._keeper.pay()
        if self.to_take_up:
            self._keeper.resume()
            self.resume()
            self.to_take_up = False

    def resume(self) -> None:
        """After a start: groups without an end are taken back as soon as their device is read well."""
        for group in self._journal.open_groups():
            device = self._devices.get(group.device)
            if device is None or group.id in self._running:
                continue
            members = [m for m in group.members if self._is_ours(device, m)]
            self._returning[group.id] = [self._restore(device, m) for m in members]
            self.torn.discard(group.id)

    def _is_ours(self, device: PolledDevice, member: GroupMember) -> bool:
        """Return whether nobody has commanded the point since."""
        newest = self._journal.newest(device.id, member.quantity)
        return device.map.find(member.quantity) is not None and newest.removesuffix(BACK) == member.command

    async def carry_out(self, device: PolledDevice, commands: Sequence[Command]) -> tuple[Receipt, ...] | Refusal:
        """Write a group whose commands have passed the gate; the device's lock is held by the caller."""
        steps = await self._steps(device, commands)
        if isinstance(steps, Refusal):
            return steps
        refusal = next((r for s in steps if (r := self._forbidden(device, s, steps))), None)
        if refusal is not None:
            return refusal
        name = steps[0].command.id
        self._running.add(name)
        try:
            self._open(device, steps)
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
        self._close(name, "applied")
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
        return [Step(c, p, found[p.quantity]) for c, p in zip(commands, members, strict=True)]

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

    def _open(self, device: PolledDevice, steps: Sequence[Step]) -> None:
        """Record the group and its commands before the first frame; the group goes by its first command's id."""
        name = steps[0].command.id
        members = []
        for step in steps:
            older = self._keeper.targets.get((device.id, step.point.quantity))
            until = step.command.deadline if older is None else max(older.command.deadline, step.command.deadline)
            members.append(GroupMember(step.command.id, step.point.quantity, step.was, until))
        self._journal.open_group(OpenGroup(name, device.id, tuple(members)), self._clock.now())
        for step in steps:
            epoch = self._journal.accept(step.command, self._clock.now())
            frame = self._driver.frame(device, step.point, step.command.value)
            step.target = Target(step.command, step.point, epoch, frame)
            self._keeper.note(step.command, "grouped", f"{name}: {step.was:g} before")

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
        touched = [s for s in safe_order(steps, back=True) if s.verdict is not None]
        members = {m.command: m for g in self._journal.open_groups() if g.id == name for m in g.members}
        backs = {s.command.id: self._restore(device, members[s.command.id]) for s in touched}
        for back in backs.values():
            if self._keeper.hindrances.over_sum(device, back.point, back.command.value):
                continue
            verdict = await self._driver.bring_about(back, device)
            if verdict.outcome is Outcome.APPLIED:
                self._keeper.settle(back, verdict)
            else:
                self._keeper.enter(back, State.UNKNOWN, verdict.words)
        self._returning[name] = list(backs.values())
        if all(b.state is State.CONFIRMED for b in backs.values()):
            self._close(name, "rolled back")
        return tuple(self._given_up(s, backs.get(s.command.id)) for s in steps)

    def _restore(self, device: PolledDevice, member: GroupMember) -> Target:
        """Return the target that puts a point back, in force from now on.

        It may take its time beyond the group's own deadline: half a group must not stay because nobody wants the whole one any more.
        """
        now = self._clock.now()
        until = max(member.until, now + timedelta(seconds=RESTORE_S * transport_scale(self._clock)))
        back = Command(f"{member.command}{BACK}", device.id, member.quantity, member.before, now, BRIDGE, until)
        epoch = self._journal.accept(back, now)
        self._journal.prolong(back)
        point = device.map.point(member.quantity)
        target = self._keeper.targets.get((device.id, member.quantity))
        if target is None or target.command.id != back.id:
            target = Target(back, point, epoch, self._driver.frame(device, point, member.before))
            self._keeper.put(target)
        target.command = back
        self._keeper.enter(target, State.UNKNOWN, "a group has failed; the value before is restored")
        return target

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
        self._keeper.record(partial(self._journal.outcome, receipt))
        self._keeper.note(step.command, State.ROLLED_BACK.value, receipt.message)
        return receipt

    def _close(self, name: str, result: str) -> None:
        self._journal.close_group(name, self._clock.now(), result)
        self._returning.pop(name, None)


def safe_order(steps: Sequence[Step], *, back: bool = False) -> list[Step]:
    """Return what falls before what rises, so that no prefix adds up to more than both ends do."""

    def rises(step: Step) -> bool:
        change = step.command.value - step.was
        return change < 0 if back else change > 0

    return sorted(steps, key=rises)
