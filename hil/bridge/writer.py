"""Commands as they come in: refused in words, shown, held for an operator, or carried out."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial

from hil.bridge.driver import Driver, companions, companions_stand
from hil.bridge.events import ConfirmationWanted, FrameShadowed, Listener
from hil.bridge.gate import Refusal, refuse_blind, refuse_command, refuse_late
from hil.bridge.groups import Groups
from hil.bridge.keeper import Keeper
from hil.bridge.leases import Leases
from hil.bridge.polled import BEAT_S, PolledDevice
from hil.bridge.pulses import Pulses
from hil.bridge.target import State, Target
from hil.bridge.verdict import Verdict
from hil.codec import decode_one
from hil.journal import Journal, JournalError
from hil.maps.types import Point
from models.components import AnyAsset
from models.errors import PlantError
from models.ports import Clock, Command, Outcome, Receipt


class Mode(StrEnum):
    """How far the bridge may go."""

    OFF = "off"
    """Reads only."""
    SHADOW = "shadow"
    """Shows the exact frames that it would send, and sends none."""
    ADVISE = "advise"
    """Sends a command after an operator confirmed it."""
    AUTO = "auto"

    @property
    def writes(self) -> bool:
        """Whether frames may leave in this mode."""
        return self in (Mode.ADVISE, Mode.AUTO)


Approve = Callable[[Command], str | None]
"""The model's say on a command: None lets it pass, words forbid it."""


NOT_ALONE = Refusal("refused_group", "another member of the group is refused or was sent before; nothing was sent")


class Writer:
    """Takes commands for the devices of a bridge; whatever happens becomes a receipt."""

    def __init__(
        self,
        devices: Mapping[str, PolledDevice],
        assets: Mapping[str, AnyAsset],
        clock: Clock,
        journal: Journal,
        driver: Driver,
        keeper: Keeper,
        groups: Groups,
        leases: Leases,
        listener: Listener,
        *,
        mode: Mode,
        approve: Approve | None = None,
    ) -> None:
        self.mode = mode
        self._devices, self._assets, self._clock = devices, assets, clock
        self._journal, self._driver, self._keeper, self._leases = journal, driver, keeper, leases
        self._tell, self._approve, self._groups = listener, approve, groups
        self._pulses = Pulses(driver, keeper, clock)
        self._waiting: dict[str, Command] = {}
        """Commands that an operator has to confirm, by id; one for each point, the newest."""

    async def submit(self, command: Command) -> Receipt:
        """Carry out one command as far as the mode allows, and say what became of it."""
        self._driver.stats.commands += 1
        try:
            self._groups.take_up()
            known = self._journal.receipt_of(command)
            if known is not None:
                return known
            refusal = self._refusal(command)
            if refusal is not None:
                return self._refused(command, refusal)
            if self.mode is not Mode.AUTO:
                return self._held_back(command)
            return await self._carry_out(command)
        except JournalError as problem:
            return self._unjournalled(command, problem)

    def _unjournalled(self, command: Command, problem: JournalError) -> Receipt:
        return Receipt(command, Outcome.NO, "refused_journal", str(problem), self._clock.now())

    async def submit_group(self, commands: Sequence[Command]) -> tuple[Receipt, ...]:
        """Carry out commands to one group of a device together, or none of them; one receipt each, in their order."""
        self._driver.stats.commands += len(commands)
        try:
            self._groups.take_up()
            known = [self._journal.receipt_of(c) for c in commands]
            if any(known):
                return tuple(r or self._refused(c, NOT_ALONE) for r, c in zip(known, commands, strict=True))
            found = self._group_refusals(commands)
            if any(found):
                return tuple(self._refused(c, r or NOT_ALONE) for c, r in zip(commands, found, strict=True))
            if self.mode is not Mode.AUTO:
                return tuple(self._held_back(c) for c in commands)
            return await self._carry_out_group(commands)
        except JournalError as problem:
            torn = commands[0].id in self._groups.torn
            code, outcome = ("unknown", Outcome.MAYBE) if torn else ("refused_journal", Outcome.NO)
            receipts = tuple(Receipt(c, outcome, code, str(problem), self._clock.now()) for c in commands)
            for receipt in receipts if torn else ():
                self._keeper.record(partial(self._journal.outcome, receipt))
            return receipts

    def _group_refusals(self, commands: Sequence[Command]) -> list[Refusal | None]:
        """Return what speaks against each command, or against all of them as a group."""
        device = self._devices.get(commands[0].device) if commands else None
        points = [device.map.find(c.quantity) for c in commands] if device is not None else []
        names = {None if p is None else p.group for p in points}
        alike = len({(c.device, c.issued_by) for c in commands}) == 1 and len({c.quantity for c in commands}) == len(
            commands
        )
        if not alike or None in names or len(names) > 1:
            words = (
                "a group is written by one commander to different points of one group of one device; nothing was sent"
            )
            return [Refusal("refused_group", words)] * len(commands)
        if self.mode is Mode.ADVISE:
            return [Refusal("refused_mode", "an operator confirms single commands; groups need the mode auto")] * len(
                commands
            )
        return [self._refusal(c) for c in commands]

    async def _carry_out_group(self, commands: Sequence[Command]) -> tuple[Receipt, ...]:
        device = self._devices[commands[0].device]
        async with self._keeper.locks[device.id]:
            refusal = next((r for c in commands if (r := self._keeper.overtaken(c)) is not None), None)
            refusal = refusal or refuse_blind(device, self._clock.monotonic())
            if refusal is None:
                done = await self._groups.carry_out(device, commands)
                if not isinstance(done, Refusal):
                    return done
                refusal = done
            return tuple(self._refused(c, refusal) for c in commands)

    def waiting(self) -> tuple[Command, ...]:
        """Return the commands that wait for an operator and can still be carried out, oldest first; safe to call from any thread."""
        now = self._clock.now()
        return tuple(c for c in list(self._waiting.values()) if c.deadline > now)

    async def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits in advise mode; KeyError if none of that id waits."""
        command = self._waiting.pop(command_id)
        self._keeper.note(command, "confirmed_by", operator)
        refusal = self._refusal(command)
        if refusal is not None:
            return self._refused(command, refusal)
        try:
            return await self._carry_out(command)
        except JournalError as problem:
            return self._unjournalled(command, problem)

    def _refusal(self, command: Command) -> Refusal | None:
        """Return what speaks against a command before anybody looks at the device."""
        now = self._clock.now()
        found = refuse_command(command, self._devices.get(command.device), self._assets.get(command.device))
        found = found or refuse_late(command, now, self._driver.frame_life_clock_s)
        found = found or self._leases.refuse(command.issued_by, command.device, now)
        if found is None and self._approve is not None:
            words = self._approve(command)
            found = None if words is None else Refusal("refused_model", words)
        return found

    def _held_back(self, command: Command) -> Receipt:
        """Answer a command that the mode keeps from the wire."""
        if self.mode is Mode.OFF:
            return self._refused(command, Refusal("refused_mode", "the bridge is off: it reads and does not write"))
        if self.mode is Mode.SHADOW:
            self._show(command)
            return self._refused(
                command, Refusal("shadow", "shadow mode: its frames are in the journal, none was sent")
            )
        at = self._clock.now()
        self._let_wait(command)
        words = f"{command.quantity} {command.value:g} waits for an operator's confirmation"
        self._keeper.note(command, "waiting", words)
        self._tell(ConfirmationWanted(at, command.device, words, command.id))
        return Receipt(command, Outcome.NO, "waiting", words, at)

    def _let_wait(self, command: Command) -> None:
        """Put a command before the operator, in the place of an older one on its point: nobody shall confirm what is overtaken."""
        point = (command.device, command.quantity)
        for older in [c for c in self._waiting.values() if (c.device, c.quantity) == point and c.id != command.id]:
            del self._waiting[older.id]
            self._keeper.note(older, State.SUPERSEDED.value, f"by {command.id}, before anybody confirmed it")
        self._waiting[command.id] = command

    def _show(self, command: Command) -> None:
        """Record and announce the frames that a command would send, byte by byte."""
        device = self._devices[command.device]
        wanted = (device.map.point(command.quantity), command.value)
        for point, value in (*companions(device, command.quantity), wanted):
            frame = self._driver.frame(device, point, value)
            on_wire = frame.on_wire(device.device.framer)
            self._keeper.note(command, "shadowed", on_wire.hex(" "))
            self._tell(FrameShadowed(self._clock.now(), device.id, f"would send {frame}", command.id, on_wire))

    def _refused(self, command: Command, refusal: Refusal) -> Receipt:
        receipt = Receipt(command, Outcome.NO, refusal.code, refusal.words, self._clock.now())
        self._keeper.note(command, "refused", f"{refusal.code}: {refusal.words}")
        self._keeper.record(partial(self._journal.outcome, receipt))
        return receipt

    async def _carry_out(self, command: Command) -> Receipt:
        device = self._devices[command.device]
        point = device.map.point(command.quantity)
        async with self._keeper.locks[device.id]:
            if (known := self._journal.receipt_of(command)) is not None:
                return known  # the same command came in twice, and the other was first
            # another command may have taken its time with the device
            refusal = self._driver.too_late(command) or self._keeper.overtaken(command)
            refusal = refusal or refuse_blind(device, self._clock.monotonic()) or self._keeper.being_restored(command)
            refusal = refusal or self._keeper.hindrances.against(device, point, command.value)
            if refusal is not None:
                return self._refused(command, refusal)
            try:
                if await self._stands_still(device):
                    return self._refused(
                        command, Refusal("refused_stale", f"{device.id} answers, but its heartbeat stands")
                    )
                if point.pulse:
                    return await self._pulse(device, point, command)
                stands_at = await self._stands_near(device, point, command.value)
            except PlantError as problem:
                return self._refused(command, Refusal("unreachable", f"{problem}; nothing was sent"))
            target = self._accept(device, point, command)
            if stands_at is not None and companions_stand(device, point):
                return self._unchanged(target, device, stands_at)
            try:
                verdict = await self._driver.bring_about(target, device)
            except JournalError as problem:
                return self._keeper.unrecorded(target, problem)
            return self._keeper.settle(target, verdict)

    async def _pulse(self, device: PolledDevice, point: Point, command: Command) -> Receipt:
        epoch = self._journal.accept(command, self._clock.now())
        target = Target(command, point, epoch, self._driver.frame(device, point, command.value))
        try:
            return await self._pulses.carry_out(device, target)
        except JournalError as problem:
            return self._keeper.unrecorded(target, problem)

    async def _stands_still(self, device: PolledDevice) -> bool:
        """Return whether the heartbeat is older than a heartbeat may be: what answers could be a gateway's memory."""
        beat = device.map.heartbeat
        state = None if beat is None else device.block_of(beat.quantity)
        if beat is None or state is None or self._clock.monotonic() - state.still_since < BEAT_S:
            return False
        words = await self._driver.standing(device, beat)
        return words is not None and decode_one(beat, words) == device.index[beat.quantity].value

    async def _stands_near(self, device: PolledDevice, point: Point, value: float) -> float | None:
        """Return the value in force where it is too near to the wanted one to be worth a write, else None.

        It is read twice before it counts: leaving a value alone on the word of one damaged answer would be a silent miss.
        """
        for _ in range(2):
            words = await self._driver.standing(device, point)
            before = None if words is None else decode_one(point, words)
            if not _within_deadband(point, value, before):
                return None
        return before

    def _accept(self, device: PolledDevice, point: Point, command: Command) -> Target:
        """Record the command, durably, and put it in the place of the one before."""
        epoch = self._journal.accept(command, self._clock.now())
        target = Target(command, point, epoch, self._driver.frame(device, point, command.value))
        self._keeper.put(target)
        return target

    def _unchanged(self, target: Target, device: PolledDevice, value: float) -> Receipt:
        target.frame = self._driver.frame(device, target.point, value)
        target.written = self._clock.monotonic()
        words = f"{target.command.quantity} of {device.id} already stands at {value:g}"
        return self._keeper.settle(target, Verdict(State.CONFIRMED, Outcome.APPLIED, "unchanged", words, value))


def _within_deadband(point: Point, value: float, before: float | None) -> bool:
    """Return whether a value is too near to the one in force to be worth a write; stopping always is."""
    if before is None or (value == 0.0 and before != 0.0):
        return False
    return value == before or abs(value - before) < point.deadband
