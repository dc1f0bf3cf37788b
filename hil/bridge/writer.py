"""The writing side: journal first, gate last, one frame at a time, and nothing believed that was not read back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from hil.bridge.events import CommandState, ConfirmationWanted, FrameShadowed, Listener
from hil.bridge.gate import Refusal, refuse_blind, refuse_command, refuse_late
from hil.bridge.link import Link, NotSentError
from hil.bridge.polled import PolledDevice
from hil.bridge.target import Flight, State, Target
from hil.clocks import transport_scale
from hil.codec import decode_one, encode
from hil.frames import WriteFrame, write_frame
from hil.journal import Journal, JournalError
from hil.maps.types import Point
from models.components import AnyAsset
from models.errors import AnswerError, PlantError, RefusedError, UnreachableError
from models.ports import Clock, Command, Outcome, Receipt

ATTEMPTS = 3
PATIENCE_S = 3.0
"""How long a read-back is tried before the outcome is left open; the next good poll settles it."""
SETTLE_S = 0.3
"""How long a device may take from its echo until the register shows the value."""
REASSERTIONS = 3
REASSERT_WINDOW_S = 600.0
BUSY_CODES = (5, 6)


class Mode(StrEnum):
    """How far the bridge may go."""

    OFF = "off"
    """Reads only."""
    SHADOW = "shadow"
    """Shows the exact frames that it would send, and sends none."""
    ADVISE = "advise"
    """Sends a command after an operator confirmed it."""
    AUTO = "auto"


class _Sent(StrEnum):
    ECHOED = "echoed"
    BUSY = "busy"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


@dataclass(slots=True)
class WriteStats:
    """What the writer did."""

    commands: int = 0
    frames: int = 0
    refreshes: int = 0
    reassertions: int = 0
    differences: int = 0
    """Read-backs that showed something else than was written."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: State
    outcome: Outcome
    code: str
    words: str
    read_back: float | None = None


class Writer:
    """Carries out commands on the devices of a bridge and keeps them standing until their deadline."""

    def __init__(
        self,
        devices: Mapping[str, PolledDevice],
        links: Mapping[str, Link],
        assets: Mapping[str, AnyAsset],
        clock: Clock,
        journal: Journal,
        listener: Listener,
        *,
        mode: Mode = Mode.AUTO,
        frame_life_s: float = 1.5,
    ) -> None:
        self.mode = mode
        self.stats = WriteStats()
        self.targets: dict[tuple[str, str], Target] = {}
        self._devices, self._links, self._assets = devices, links, assets
        self._clock, self._journal, self._tell = clock, journal, listener
        self._frame_life_s = frame_life_s
        self._locks = {name: asyncio.Lock() for name in devices}
        self._waiting: dict[str, Command] = {}

    # -- commands -----------------------------------------------------------------------------------------------------------

    async def submit(self, command: Command) -> Receipt:
        """Carry out one command as far as the mode allows, and say what became of it."""
        self.stats.commands += 1
        try:
            known = self._journal.receipt_of(command)
            if known is not None:
                return known
            refusal = refuse_command(command, self._devices.get(command.device), self._assets.get(command.device))
            if refusal is None:
                refusal = refuse_late(command, self._clock.now(), self._frame_life_clock_s)
            if refusal is not None:
                return self._refused(command, refusal)
            if self.mode is not Mode.AUTO:
                return self._held_back(command)
            async with self._locks[command.device]:
                return await self._carry_out(command)
        except JournalError as problem:
            return Receipt(command, Outcome.NO, "refused_journal", str(problem), self._clock.now())

    async def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits in advise mode; KeyError if none of that id waits."""
        command = self._waiting.pop(command_id)
        self._note(command, "confirmed_by", operator)
        refusal = refuse_late(command, self._clock.now(), self._frame_life_clock_s)
        if refusal is not None:
            return self._refused(command, refusal)
        async with self._locks[command.device]:
            return await self._carry_out(command)

    def _held_back(self, command: Command) -> Receipt:
        """Answer a command that the mode keeps from the wire."""
        device = self._devices[command.device]
        at = self._clock.now()
        if self.mode is Mode.OFF:
            return self._refused(command, Refusal("refused_mode", "the bridge is off: it reads and does not write"))
        if self.mode is Mode.ADVISE:
            self._waiting[command.id] = command
            words = f"{command.quantity} {command.value:g} waits for an operator's confirmation"
            self._tell(ConfirmationWanted(at, device.id, words, command.id))
            return Receipt(command, Outcome.NO, "waiting", words, at)
        for point, value in (
            *_companions(device, command.quantity),
            (device.map.point(command.quantity), command.value),
        ):
            frame = self._frame(device, point, value)
            on_wire = frame.on_wire(device.device.framer)
            self._note(command, "shadowed", on_wire.hex(" "))
            self._tell(FrameShadowed(at, device.id, f"would send {frame}", command.id, on_wire))
        return self._refused(command, Refusal("shadow", "shadow mode: the frames are in the journal, none was sent"))

    def _refused(self, command: Command, refusal: Refusal) -> Receipt:
        receipt = Receipt(command, Outcome.NO, refusal.code, refusal.words, self._clock.now())
        self._note(command, "refused", f"{refusal.code}: {refusal.words}")
        self._journal.outcome(receipt)
        return receipt

    async def _carry_out(self, command: Command) -> Receipt:
        device, link = self._devices[command.device], self._links[command.device]
        point = device.map.point(command.quantity)
        refusal = refuse_blind(device, self._clock.monotonic())
        if refusal is not None:
            return self._refused(command, refusal)
        if self._over_budget(device, point):
            return self._refused(command, _budget_words(device, point))
        try:
            before = await self._standing(device, link, point)
        except (UnreachableError, AnswerError) as problem:
            return self._refused(command, Refusal("unreachable", f"{problem}; nothing was sent"))
        target = self._accept(device, point, command)
        if _within_deadband(point, command.value, before) and self._companions_stand(device, point):
            return self._unchanged(target, device, before)
        verdict = await self._enable(target, device, link) or await self._drive(target, device, link)
        return self._settle(target, device, verdict)

    def _accept(self, device: PolledDevice, point: Point, command: Command) -> Target:
        """Record the command, durably, and put it in the place of the one before."""
        epoch = self._journal.accept(command, self._clock.now())
        target = Target(command, point, epoch, self._frame(device, point, command.value))
        older = self.targets.get(target.key)
        if older is not None:
            target.flights = older.flights
            self._enter(older, State.SUPERSEDED, f"by {command.id}")
        self.targets[target.key] = target
        return target

    def _unchanged(self, target: Target, device: PolledDevice, before: float | None) -> Receipt:
        value = target.command.value if before is None else before
        target.frame = self._frame(device, target.point, value)
        target.written = self._clock.monotonic()
        words = f"{target.command.quantity} of {device.id} already stands at {value:g}"
        return self._settle(target, device, _Verdict(State.CONFIRMED, Outcome.APPLIED, "unchanged", words, value))

    def _settle(self, target: Target, device: PolledDevice, verdict: _Verdict) -> Receipt:
        """Record what became of a command and keep or drop its target."""
        receipt = Receipt(
            target.command, verdict.outcome, verdict.code, verdict.words, self._clock.now(), verdict.read_back
        )
        self._enter(target, verdict.state, verdict.words)
        self._journal.outcome(receipt)
        if verdict.read_back is not None:
            device.note_write(target.command.quantity, verdict.read_back, self._clock.monotonic(), self._clock.now())
        if not verdict.state.stands and self.targets.get(target.key) is target:
            del self.targets[target.key]
        return receipt

    # -- frames -------------------------------------------------------------------------------------------------------------

    async def _enable(self, target: Target, device: PolledDevice, link: Link) -> _Verdict | None:
        """Write what has to stand in other points; None when all of it does."""
        for point, value in _companions(device, target.command.quantity):
            frame = self._frame(device, point, value)
            for _ in range(ATTEMPTS):
                if await self._words(device, link, point) == frame.words:
                    break
                sent, problem = await self._send(target, frame, link)
                if sent is _Sent.REFUSED:
                    words = f"{device.id} refuses {point.quantity}: {problem}"
                    return _Verdict(State.REJECTED, Outcome.NO, "refused_device", words)
            else:
                words = f"{device.id} does not take {point.quantity} {value:g}, without which {target.command.quantity} has no effect"
                return _Verdict(State.REJECTED, Outcome.NO, "differs", words)
        return None

    async def _drive(self, target: Target, device: PolledDevice, link: Link) -> _Verdict:
        """Send the value until the device shows it, refuses it, or the outcome has to stay open."""
        for attempt in range(ATTEMPTS):
            late = refuse_late(target.command, self._clock.now(), self._frame_life_clock_s)
            if late is not None:
                return _unread(device) if attempt else _Verdict(State.EXPIRED, Outcome.NO, late.code, late.words)
            sent, problem = await self._send(target, target.frame, link)
            if sent is _Sent.NOT_SENT and not attempt and not target.flights:
                return _Verdict(State.REJECTED, Outcome.NO, "unreachable", f"{problem}; nothing was sent")
            seen = await self._read_back(target, device, link)
            if seen is None:
                return _unread(device)
            if seen == target.frame.words:
                return self._applied(target, device, seen)
            if sent in (_Sent.ECHOED, _Sent.REFUSED):
                return await self._denied(target, device, link, sent, problem)
            if sent is _Sent.BUSY:
                await asyncio.sleep(0.1 * (attempt + 1))
        return _unread(device)

    def _applied(self, target: Target, device: PolledDevice, seen: tuple[int, ...]) -> _Verdict:
        value = decode_one(target.point, seen)
        return _Verdict(
            State.CONFIRMED,
            Outcome.APPLIED,
            "applied",
            f"{target.command.quantity} of {device.id} reads {value:g}",
            value,
        )

    async def _denied(self, target: Target, device: PolledDevice, link: Link, sent: _Sent, problem: str) -> _Verdict:
        """Prove that the value does not stand: nothing of it may still be in flight when the register is read."""
        await self._wait_out(target)
        seen = await self._read_back(target, device, link)
        if seen is None:
            return _unread(device)
        if seen == target.frame.words:
            return self._applied(target, device, seen)
        self.stats.differences += 1
        value = decode_one(target.point, seen)
        asked = f"{target.command.quantity} of {device.id} reads {value:g} after writing {target.command.value:g}"
        if sent is _Sent.REFUSED:
            return _Verdict(State.REJECTED, Outcome.NO, "refused_device", f"{problem}; {asked}", value)
        return _Verdict(
            State.REJECTED, Outcome.NO, "differs", f"{asked}. The device may limit it or be in local mode", value
        )

    async def _send(self, target: Target, frame: WriteFrame, link: Link) -> tuple[_Sent, str]:
        """Let one frame leave, its record on the disk first."""
        attempt = self._journal.attempt(target.command, target.epoch, frame, self._clock.now())
        flight = Flight(frame.words, asyncio.get_running_loop().time())
        if frame == target.frame:
            target.flights.append(flight)
            target.state = State.SENT
            target.written = self._clock.monotonic()
        self.stats.frames += 1
        sent, problem = await self._transmit(frame, link)
        if sent is not _Sent.UNKNOWN and flight in target.flights:
            target.flights.remove(flight)  # answered or never sent: nothing is left on its way
        self._journal.result(attempt, f"{sent.value} {problem}".strip())
        return sent, problem

    async def _transmit(self, frame: WriteFrame, link: Link) -> tuple[_Sent, str]:
        try:
            await link.write(frame)
        except RefusedError as problem:
            return (_Sent.BUSY if problem.code in BUSY_CODES else _Sent.REFUSED), str(problem)
        except NotSentError as problem:
            return _Sent.NOT_SENT, str(problem)
        except PlantError as problem:
            return _Sent.UNKNOWN, str(problem)
        return _Sent.ECHOED, ""

    async def _read_back(self, target: Target, device: PolledDevice, link: Link) -> tuple[int, ...] | None:
        """Return the register as it reads now, twice looked at when it is not as written; None when it cannot be read."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE_S
        seen: tuple[int, ...] | None = None
        while loop.time() <= give_up and link.retry_at <= give_up:
            wait = max(link.retry_at - loop.time(), SETTLE_S if seen is not None else 0.0)
            if wait > 0.0:
                await asyncio.sleep(wait + 1e-3)
            again = await self._words(device, link, target.point)
            if again is not None and (again == target.frame.words or again == seen):
                return again
            seen = again
        return seen

    async def _words(self, device: PolledDevice, link: Link, point: Point) -> tuple[int, ...] | None:
        if not point.access.readable:
            return None
        try:
            words = await link.read(device.device.unit_id, point.table, point.address, point.registers, urgent=True)
        except PlantError:
            return None
        return tuple(words)

    async def _standing(self, device: PolledDevice, link: Link, point: Point) -> float | None:
        """Return what the device shows now; raises when it does not answer, so that no frame meets an unknown state."""
        if not point.access.readable:
            await link.open()
            return None
        words = await link.read(device.device.unit_id, point.table, point.address, point.registers, urgent=True)
        return decode_one(point, words)

    async def _wait_out(self, target: Target) -> None:
        """Wait until no frame of this point can still land."""
        now = asyncio.get_running_loop().time()
        latest = max((f.sent + self._frame_life_s for f in target.flights), default=now)
        if latest > now:
            await asyncio.sleep(latest - now)

    # -- standing -----------------------------------------------------------------------------------------------------------

    async def tend(self, device: PolledDevice) -> float:
        """Look after the device's targets following a good poll; returns the clock time of the next refresh."""
        lock = self._locks[device.id]
        mine = [t for t in self.targets.values() if t.command.device == device.id]
        if not mine or lock.locked() or self.mode is not Mode.AUTO:
            return inf
        async with lock:
            for target in mine:
                try:
                    await self._look_after(target, device)
                except JournalError:
                    break  # reading goes on; nothing may be sent without its record
        return min((t.refresh_due() for t in mine if t.state.stands), default=inf)

    async def _look_after(self, target: Target, device: PolledDevice) -> None:
        if self.targets.get(target.key) is not target:
            return
        if self._clock.now() >= target.command.deadline:
            self._close(target)
        elif target.state is State.UNKNOWN:
            await self._resolve(target, device)
        elif self._shows_otherwise(target, device):
            await self._reassert(target, device)
        elif target.refresh_due() <= self._clock.monotonic():
            self.stats.refreshes += 1
            await self._again(target, device)

    def _close(self, target: Target) -> None:
        """End a target at its deadline: nothing is written any more, and a device with a timer falls back by itself."""
        state = State.COMPLETED if target.state is State.CONFIRMED else State.EXPIRED
        self._enter(target, state, "deadline")
        del self.targets[target.key]

    def _shows_otherwise(self, target: Target, device: PolledDevice) -> bool:
        """Return whether a read that began after the last write shows another value."""
        state = next((b for b in device.blocks if target.point in b.block.points), None)
        value = device.value(target.point.quantity)
        if state is None or value is None or state.started <= target.written:
            return False
        return encode(target.point, value) != target.frame.words

    async def _resolve(self, target: Target, device: PolledDevice) -> None:
        """Find out whether a frame without answer has landed, and send it again when it has not."""
        if target.others_in_flight(asyncio.get_running_loop().time(), self._frame_life_s):
            return
        seen = await self._words(device, self._links[device.id], target.point)
        if seen == target.frame.words:
            self._settle(target, device, self._applied(target, device, seen))
        elif seen is not None:
            await self._again(target, device)

    async def _reassert(self, target: Target, device: PolledDevice) -> None:
        seen = await self._words(device, self._links[device.id], target.point)
        if seen is None or seen == target.frame.words:
            return
        now = self._clock.monotonic()
        target.reasserted = [t for t in target.reasserted if now - t < REASSERT_WINDOW_S]
        value = decode_one(target.point, seen)
        words = f"{target.command.quantity} of {device.id} reads {value:g} instead of {target.command.value:g}"
        if len(target.reasserted) >= REASSERTIONS:
            self._enter(target, State.REJECTED, f"{words}, again and again; somebody else controls it. Released")
            del self.targets[target.key]
            return
        self._enter(target, State.DIVERGED, f"{words}; writing it again")
        target.reasserted.append(now)
        self.stats.reassertions += 1
        await self._again(target, device)

    async def _again(self, target: Target, device: PolledDevice) -> None:
        """Write a standing value once more."""
        if refuse_late(target.command, self._clock.now(), self._frame_life_clock_s) or self._over_budget(
            device, target.point
        ):
            target.written = self._clock.monotonic()
            return
        link = self._links[device.id]
        verdict = None if self._companions_stand(device, target.point) else await self._enable(target, device, link)
        self._settle(target, device, verdict or await self._drive(target, device, link))

    def resume(self) -> None:
        """After a start: take up the commands that the journal says may stand, none of them believed before it is read."""
        for item in self._journal.unresolved(self._clock.now()):
            device = self._devices.get(item.command.device)
            point = device.map.find(item.command.quantity) if device is not None else None
            if device is None or point is None or State(item.state or "unknown") in (State.REJECTED, State.EXPIRED):
                continue
            target = Target(item.command, point, item.epoch, self._frame(device, point, item.command.value))
            # a frame of the process before may still be on its way
            target.flights = [Flight((), asyncio.get_running_loop().time())]
            target.state = State.UNKNOWN
            self.targets[target.key] = target

    # -- small things -------------------------------------------------------------------------------------------------------

    @property
    def _frame_life_clock_s(self) -> float:
        return self._frame_life_s * transport_scale(self._clock)

    def _frame(self, device: PolledDevice, point: Point, value: float) -> WriteFrame:
        return write_frame(device.device.unit_id, point, encode(point, value), fc16_only=device.map.fc16_only)

    def _companions_stand(self, device: PolledDevice, point: Point) -> bool:
        return all(device.value(p.quantity) == v for p, v in _companions(device, point.quantity))

    def _over_budget(self, device: PolledDevice, point: Point) -> bool:
        if point.write_budget_per_day is None:
            return False
        since = self._clock.now() - timedelta(days=1)
        return self._journal.writes_since(device.id, point.address, since) >= point.write_budget_per_day

    def _enter(self, target: Target, state: State, words: str) -> None:
        target.state = state
        self._note(target.command, state.value, words)

    def _note(self, command: Command, state: str, words: str) -> None:
        at: datetime = self._clock.now()
        self._journal.event(command.id, at, state, words)
        self._tell(CommandState(at, command.device, words, command.id, state))


def _unread(device: PolledDevice) -> _Verdict:
    words = f"{device.id} could not be read since the write; the next good poll settles it"
    return _Verdict(State.UNKNOWN, Outcome.MAYBE, "unknown", words)


def _companions(device: PolledDevice, quantity: str) -> tuple[tuple[Point, float], ...]:
    """Return the points, with their values, that have to stand for ``quantity`` to take effect."""
    return tuple((device.map.point(name), value) for name, value in device.map.point(quantity).also.items())


def _within_deadband(point: Point, value: float, before: float | None) -> bool:
    """Return whether a value is too near to the one in force to be worth a write; stopping always is."""
    if before is None or (value == 0.0 and before != 0.0):
        return False
    return value == before or abs(value - before) < point.deadband


def _budget_words(device: PolledDevice, point: Point) -> Refusal:
    words = f"{device.id} allows {point.write_budget_per_day} writes of {point.quantity} a day, and they are spent"
    return Refusal("refused_budget", words)
