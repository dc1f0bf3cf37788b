"""The way back: what a group that did not become whole has left on its device is replaced by what stood before."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hil.bridge.driver import Driver
from hil.bridge.events import GroupTorn, Listener
from hil.bridge.keeper import Keeper
from hil.bridge.polled import PolledDevice
from hil.bridge.target import BRIDGE, State, Target
from hil.clocks import transport_scale
from hil.journal import GroupMember, Journal, JournalError
from models.ports import Clock, Command
from models.told import told

RESTORE_S = 15.0
"""For so many transport seconds ahead a way back is kept open, for as long as it is not at its end."""
INSISTENCE = 12
"""How often a point that does not take its old value back is tried again."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0
"""Transport seconds until it is tried again: twice as many every time, up to the longest."""
BACK = "/back"
"""Ending of the id of the command that restores a point."""


class WayBack:
    """Restores the points of half-written groups, those of this bridge and of one that died.

    It takes as long as it takes: neither the group's own deadline nor an outage nor somebody's lease may leave half of it standing.
    Only a newer command on a point, or a device that denies the old value again and again, ends it.
    """

    def __init__(
        self,
        devices: Mapping[str, PolledDevice],
        driver: Driver,
        keeper: Keeper,
        journal: Journal,
        clock: Clock,
        listener: Listener,
    ) -> None:
        self._devices, self._driver, self._keeper = devices, driver, keeper
        self._journal, self._clock, self._tell = journal, clock, listener
        self._returning: dict[str, Sequence[Target]] = {}
        """Group → the targets that restore it and are not all confirmed yet."""

    @property
    def busy(self) -> bool:
        """Whether a group is on its way back."""
        return bool(self._returning)

    def half_written(self, device: PolledDevice) -> dict[str, float]:
        """Return what the points of groups that are not whole will show once these are taken back, by quantity."""
        groups = [g for g in self._journal.open_groups() if g.device == device.id]
        return {m.quantity: m.before for g in groups for m in g.members if self._is_ours(device, m)}

    def resume(self, running: Iterable[str]) -> None:
        """Begin the way back of every group without an end that is not being written now."""
        for group in self._journal.open_groups():
            device = self._devices.get(group.device)
            if device is None or group.id in running or group.id in self._returning:
                continue
            members = [m for m in group.members if self._is_ours(device, m)]
            self._returning[group.id] = [self.restore(device, m) for m in members]

    def begin(self, group: str, backs: Sequence[Target]) -> None:
        """Look after the restoring targets of a group until all of them stand."""
        self._returning[group] = backs
        self._end_where_done(group, backs)

    def restore(self, device: PolledDevice, member: GroupMember) -> Target:
        """Return the target that puts a point back, in force from now on."""
        now = self._clock.now()
        until = max(member.until, now + self._ahead(RESTORE_S))
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

    def prolong(self) -> None:
        """Move the deadline of what is not restored yet."""
        soon = self._clock.now() + self._ahead(RESTORE_S / 2)
        for back in (b for backs in self._returning.values() for b in backs):
            if back.restoring and back.command.deadline < soon:
                back.command = replace(back.command, deadline=self._clock.now() + self._ahead(RESTORE_S))
                with suppress(JournalError):  # tried again with the next poll
                    self._journal.prolong(back.command)

    def go_on(self) -> None:
        """Try again what a device has denied, and close the groups that are back; JournalError while that cannot be recorded."""
        for group, backs in list(self._returning.items()):
            for back in backs:
                self._insist(back)
            self._end_where_done(group, backs)

    def _insist(self, back: Target) -> None:
        """Take up a restoring command that the device did not take, now and then, while nobody else has the point."""
        tries, now = back.reasserted, self._clock.monotonic()
        if back.state is not State.REJECTED or back.key in self._keeper.targets or len(tries) >= INSISTENCE:
            return
        pause_s = min(FIRST_PAUSE_S * 2 ** len(tries), LONGEST_PAUSE_S) * transport_scale(self._clock)
        if tries and now - tries[-1] < pause_s:
            return
        tries.append(now)
        self._keeper.put(back)
        self._keeper.enter(back, State.UNKNOWN, "tried again")

    def _end_where_done(self, group: str, backs: Sequence[Target]) -> None:
        """Record the end of a group of which nothing is on its way back any more."""
        if any(b.restoring and not self._given_up(b) for b in backs):
            return
        denied = [b for b in backs if b.state is State.REJECTED and b.key not in self._keeper.targets]
        self._journal.close_group(group, self._clock.now(), "half-written" if denied else "rolled back")
        del self._returning[group]
        if denied:
            points = tuple(b.command.quantity for b in denied)
            pattern = "group {group} is half-written: {device} does not take {points} back. Put it right by hand"
            words = told("half_written", pattern, group=group, device=denied[0].command.device, points=points)
            self._tell(GroupTorn(self._clock.now(), denied[0].command.device, words, group))

    def _given_up(self, back: Target) -> bool:
        """Return whether a denied value is not tried any more: often enough, or somebody else has the point."""
        return back.state is State.REJECTED and (len(back.reasserted) >= INSISTENCE or back.key in self._keeper.targets)

    def _is_ours(self, device: PolledDevice, member: GroupMember) -> bool:
        """Return whether nobody has commanded the point since."""
        newest = self._journal.newest(device.id, member.quantity)
        return device.map.find(member.quantity) is not None and newest.removesuffix(BACK) == member.command

    def _ahead(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds * transport_scale(self._clock))
