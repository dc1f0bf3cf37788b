"""Keeping commands standing until their deadline: refresh, re-assert, resolve, suspend, resume."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from math import inf

from hil.bridge.driver import Driver, applied
from hil.bridge.events import CommandState, Listener
from hil.bridge.gate import Refusal, refuse_blind, refuse_late
from hil.bridge.hindrances import Hindrances
from hil.bridge.polled import PolledDevice
from hil.bridge.target import BRIDGE, Flight, State, Target
from hil.bridge.verdict import Sent, Verdict
from hil.clocks import transport_scale
from hil.codec import decode_one, encode
from hil.journal import Journal, JournalError
from models.ports import Clock, Command, Outcome, Receipt

REASSERTIONS = 3
TAKEN_UP_S = 8.0
"""A member of a group with fewer transport seconds left is not taken up again after a lease."""
AGAIN_S = 0.2
"""Shortest pause until a refresh that could not be sent is tried again."""
REASSERT_WINDOW_S = 600.0
"""A point that has to be put right more than so often within so long belongs to somebody else."""


ENDED = frozenset(s.value for s in State if not s.may_stand)


class Keeper:
    """The commands in force, one per point, and what has to be done so that they stay so."""

    def __init__(
        self,
        devices: Mapping[str, PolledDevice],
        driver: Driver,
        clock: Clock,
        journal: Journal,
        listener: Listener,
    ) -> None:
        self.targets: dict[tuple[str, str], Target] = {}
        self.suspended: dict[tuple[str, str], Target] = {}
        """Targets of other holders that wait for a lease to end."""
        self._mine: dict[str, dict[str, Target]] = {name: {} for name in devices}
        """The same by device: quantity → target."""
        self.locks = {name: asyncio.Lock() for name in devices}
        self.active = True
        """False keeps everything off the wire."""
        self._devices, self._driver, self._clock = devices, driver, clock
        self._journal, self._tell = journal, listener
        self.hindrances = Hindrances(self.targets, driver, clock, journal)
        self._owed: deque[Callable[[], None]] = deque()
        """Records of what has happened that the journal could not take yet."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to look after."""
        return bool(self.targets or self.suspended or self._owed)

    def put(self, target: Target) -> None:
        """Let a new command take the place of the one before on its point."""
        older = self.targets.pop(target.key, None)
        self._mine[target.command.device].pop(target.command.quantity, None)  # who is put last is tended last
        if older is not None:
            target.flights = older.flights
            # what a group that failed has left behind is over; only who has to give way to somebody else comes back
            gives_way = BRIDGE not in (target.command.issued_by, older.command.issued_by)
            gives_way &= target.command.issued_by != older.command.issued_by
            if gives_way and self.leased_away(older.command):
                self.suspended[older.key] = older
                self.enter(older, State.SUSPENDED, f"{target.command.issued_by} holds a lease")
            else:
                self.enter(older, State.SUPERSEDED, f"by {target.command.id}")
        waiting = self.suspended.get(target.key)
        if waiting is not None and target.command.issued_by != BRIDGE and not self.leased_away(waiting.command):
            del self.suspended[target.key]
            self.enter(waiting, State.SUPERSEDED, f"by {target.command.id}")
        self._hold(target)

    def settle(self, target: Target, verdict: Verdict) -> Receipt:
        """Record what became of a command and keep or drop its target.

        "No" needs proof: a command of which one frame was never answered stays at "maybe" unless it is read back. And a command
        that has stood once has been applied, whatever the device does later.
        """
        at = self._clock.now()
        doubt = target.doubtful and verdict.outcome is Outcome.NO
        outcome = Outcome.MAYBE if doubt else verdict.outcome
        receipt = Receipt(target.command, outcome, verdict.code, verdict.words, at, verdict.read_back)
        self.enter(target, verdict.state, verdict.words)
        if outcome is Outcome.APPLIED or not target.applied:
            self.record(partial(self._journal.outcome, receipt))
        target.applied |= outcome is Outcome.APPLIED
        if verdict.read_back is not None:
            device = self._devices[target.command.device]
            device.note_write(target.command.quantity, verdict.read_back, self._clock.monotonic(), at)
        if not verdict.state.stands:
            self._drop(target)
        return receipt

    def stands_until(self, device: PolledDevice) -> float | None:
        """Return the clock time of a device's next refresh where everything of it stands as it should, None where something is to be done."""
        if self.suspended or self._owed or not self.active or self.locks[device.id].locked():
            return None
        due, now, at = inf, self._clock.monotonic(), self._clock.now()
        for target in self._mine[device.id].values():
            due = min(due, target.refresh_due())
            stands = target.state is State.CONFIRMED and at < target.command.deadline
            if not stands or due <= now or self._shows_otherwise(target, device):
                return None
        return due

    async def tend(self, device: PolledDevice, good: bool = True) -> float:
        """Look after a device's targets following a poll; returns the clock time of the next refresh.

        After a poll that failed, or showed what may be a gateway's memory, nothing is written: no frame meets a device whose state is
        unknown.
        """
        lock = self.locks[device.id]
        self.pay()
        if not lock.locked():
            self._close_expired(device)
        mine = list(self._mine[device.id].values())
        if not good or not self.active or not (mine or self.suspended):
            return inf
        if refuse_blind(device, self._clock.monotonic()):
            return inf
        with suppress(JournalError):  # reading goes on; nothing may be sent without its record
            if lock.locked():
                await self._refresh_beside(mine, device)
            else:
                await self._look_after_all(mine, device)
        due = min((t.refresh_due() for t in mine if t.state.stands), default=inf)
        # what could not be refreshed just now is not tried again in the same instant
        return max(due, self._clock.monotonic() + AGAIN_S)

    async def _look_after_all(self, mine: Sequence[Target], device: PolledDevice) -> None:
        async with self.locks[device.id]:
            self._wake_suspended(device)
            for target in mine:
                await self._look_after(target, device)

    async def _refresh_beside(self, mine: Sequence[Target], device: PolledDevice) -> None:
        """Refresh what is due while another command takes its time with the device: its timers do not wait.

        Only a value that stands is written again, as it is; whatever else it needs waits for the device to be free.
        """
        for target in mine:
            current = self.targets.get(target.key) is target and not self.leased_away(target.command)
            if not current or target.refresh_due() > self._clock.monotonic():
                continue
            if self._no_more_writes(target, device):
                continue
            self._driver.stats.refreshes += 1
            sent, _ = await self._driver.send(target, device, target.frame)
            if target.state is State.SENT:
                target.state = State.CONFIRMED if sent is Sent.ECHOED else State.UNKNOWN

    async def _look_after(self, target: Target, device: PolledDevice) -> None:
        if self.targets.get(target.key) is not target:
            return
        if self.leased_away(target.command) and not target.restoring:
            return
        if target.state is State.UNKNOWN:
            await self._resolve(target, device)
        elif self._shows_otherwise(target, device):
            await self._reassert(target, device)
        elif target.refresh_due() <= self._clock.monotonic():
            self._driver.stats.refreshes += 1
            await self._again(target, device)

    def _close_expired(self, device: PolledDevice) -> None:
        """End targets at their deadline: nothing is written any more, and a device with a timer falls back by itself."""
        now = self._clock.now()
        for target in list(self._mine[device.id].values()):
            if now >= target.command.deadline:
                self.enter(target, State.COMPLETED if target.state is State.CONFIRMED else State.EXPIRED, "deadline")
                self._drop(target)

    def _shows_otherwise(self, target: Target, device: PolledDevice) -> bool:
        """Return whether a read that began after the last write shows another value."""
        state = device.block_of(target.point.quantity)
        value = device.value(target.point.quantity)
        if state is None or value is None or state.started <= target.written or value == target.agreed:
            return False
        if encode(target.point, value) != target.frame.words:
            return True
        target.agreed = value
        return False

    async def _resolve(self, target: Target, device: PolledDevice) -> None:
        """Find out whether a frame without answer has landed, and send it again when it has not."""
        if target.others_in_flight(asyncio.get_running_loop().time(), self._driver.frame_life_s):
            return
        seen = await self._driver.words(device, target.point)
        if seen == target.frame.words:
            self.settle(target, applied(target, seen))
        elif seen is not None:
            await self._again(target, device)

    async def _reassert(self, target: Target, device: PolledDevice) -> None:
        seen = await self._driver.words(device, target.point)
        if seen is None or seen == target.frame.words:
            return
        now = self._clock.monotonic()
        target.reasserted = [t for t in target.reasserted if now - t < REASSERT_WINDOW_S]
        value = decode_one(target.point, seen)
        words = f"{target.command.quantity} of {device.id} reads {value:g} instead of {target.command.value:g}"
        if len(target.reasserted) >= REASSERTIONS:
            self.enter(target, State.REJECTED, f"{words}, again and again; somebody else controls it. Released")
            self._drop(target)
            return
        if self.hindrances.against(device, target.point, target.command.value):
            target.written = self._clock.monotonic()
            return  # a later poll tries again
        self.enter(target, State.DIVERGED, f"{words}; writing it again")
        target.reasserted.append(now)
        self._driver.stats.reassertions += 1
        await self._again(target, device)

    async def _again(self, target: Target, device: PolledDevice) -> None:
        """Write a standing value once more."""
        if not self._no_more_writes(target, device):
            self.settle(target, await self._driver.bring_about(target, device, trusting=True))

    def _no_more_writes(self, target: Target, device: PolledDevice) -> bool:
        """Return whether a standing value may not be written once more now; then it is not due again before its time."""
        late = refuse_late(target.command, self._clock.now(), self._driver.frame_life_clock_s)
        refused = late or self.hindrances.against(device, target.point, target.command.value)
        if refused:
            target.written = self._clock.monotonic()
        return bool(refused)

    def resume(self) -> None:
        """After a start: take up the commands that the journal says may stand, none of them believed before it is read."""
        self._journal.close_orphans(self._clock.now())
        for item in self._journal.unresolved(self._clock.now()):
            device = self._devices.get(item.command.device)
            point = device.map.find(item.command.quantity) if device is not None else None
            if device is None or point is None or point.pulse or item.state in ENDED:
                continue
            target = Target(item.command, point, item.epoch, self._driver.frame(device, point, item.command.value))
            # a frame of the process before may still be on its way
            target.flights = [Flight((), asyncio.get_running_loop().time())]
            target.state, target.doubtful = State.UNKNOWN, True
            past = self._journal.receipt_of(item.command)
            target.applied = past is not None and past.outcome is Outcome.APPLIED
            self._hold(target)

    def leased_away(self, command: Command) -> Refusal | None:
        """Return why a command's device is not its commander's now."""
        return self._driver.leased_away(command)

    def _wake_suspended(self, device: PolledDevice) -> None:
        """Give suspended commands back their points, under a new epoch, once no lease keeps them off."""
        for target in self._woken(device):
            if target.point.group is None:
                self.put(self.renewed(target))
                self.enter(target, State.UNKNOWN, "the lease is over; taken up again")

    def woken_groups(self, device: PolledDevice) -> Iterable[Sequence[Target]]:
        """Return the suspended members of groups that no lease keeps off any more, those of one group and commander together."""
        found: dict[tuple[str, str], list[Target]] = {}
        for target in self._woken(device):
            if target.point.group is not None:
                found.setdefault((target.point.group, target.command.issued_by), []).append(target)
        return found.values()

    def renewed(self, target: Target) -> Target:
        """Return a suspended target ready to be written again, under a new epoch."""
        target.epoch = self._journal.renew(target.command.id)
        del self.suspended[target.key]
        target.state = State.PENDING
        return target

    def _woken(self, device: PolledDevice) -> Sequence[Target]:
        """Return the suspended targets of a device that no lease keeps off any more, and end those whose time is over."""
        woken = []
        mine = [t for t in self.suspended.values() if t.command.device == device.id]
        for target in (t for t in mine if not self.leased_away(t.command)):
            # a group that is taken up at the last moment would be left half-way
            needs_s = TAKEN_UP_S * transport_scale(self._clock) if target.point.group is not None else 0.0
            if self._clock.now() + timedelta(seconds=needs_s) >= target.command.deadline:
                del self.suspended[target.key]
                self.enter(target, State.EXPIRED, "deadline")
            else:
                woken.append(target)
        return woken

    def being_restored(self, command: Command) -> Refusal | None:
        """Return why a command comes too early: its point belongs to a half-written group that is being taken back."""
        target = self.targets.get((command.device, command.quantity))
        if target is None or not target.restoring:
            return None
        words = f"{command.quantity} of {command.device} is being taken back to {target.command.value:g}, because its group failed"
        return Refusal("refused_group", f"{words}. Write the whole group, or wait; nothing was sent")

    def overtaken(self, command: Command) -> Refusal | None:
        """Return why a command comes too late: its point follows one that was issued after it."""
        target = self.targets.get((command.device, command.quantity))
        if target is None or target.command.issued_at <= command.issued_at:
            return None
        newer = target.command
        words = (
            f"{newer.issued_by} has commanded {command.quantity} of {command.device} at {newer.issued_at:%H:%M:%S} UTC,"
        )
        return Refusal("refused_overtaken", f"{words} after this was issued; a stale plan is not carried out")

    def enter(self, target: Target, state: State, words: str) -> None:
        """Move a command to a state, and say so."""
        target.state = state
        self.note(target.command, state.value, words)

    def note(self, command: Command, state: str, words: str) -> None:
        """Record and announce what happened to a command."""
        at = self._clock.now()
        self.record(partial(self._journal.event, command.id, at, state, words))
        self._tell(CommandState(at, command.device, words, command.id, state))

    def record(self, write: Callable[[], None]) -> None:
        """Record what has happened, now or as soon as the journal can be written again; in order."""
        self._owed.append(write)
        self.pay()

    def pay(self) -> None:
        """Record what the journal could not take when it happened."""
        with suppress(JournalError):
            while self._owed:
                self._owed[0]()
                self._owed.popleft()

    def unrecorded(self, target: Target, why: JournalError) -> Receipt:
        """Return what became of a command whose next frame could not be recorded: nothing, unless one had left before."""
        if target.state is State.PENDING:
            self._drop(target)
            receipt = Receipt(target.command, Outcome.NO, "refused_journal", str(why), self._clock.now())
            self.record(partial(self._journal.outcome, receipt))
            return receipt
        words = f"{why}; what was sent before is looked at by the next good poll"
        return self.settle(target, Verdict(State.UNKNOWN, Outcome.MAYBE, "unknown", words))

    def _hold(self, target: Target) -> None:
        self.targets[target.key] = target
        self._mine[target.command.device][target.command.quantity] = target

    def _drop(self, target: Target) -> None:
        if self.targets.get(target.key) is target:
            del self.targets[target.key]
            del self._mine[target.command.device][target.command.quantity]
