"""Driving one value into one device: a record before every frame, and nothing believed that was not read back."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hil.bridge.gate import Refusal, refuse_interlock, refuse_late
from hil.bridge.leases import Leases
from hil.bridge.link import Link, NotSentError
from hil.bridge.polled import BEAT_S, PolledDevice
from hil.bridge.target import BRIDGE, Flight, State, Target
from hil.bridge.verdict import Sent, Verdict, not_done, unread
from hil.clocks import transport_scale
from hil.codec import decode_one, encode
from hil.frames import WriteFrame, write_frame
from hil.journal import Journal, JournalError
from hil.maps.types import Point
from hil.planner import Block, plan_blocks
from models.errors import PlantError, RefusedError
from models.ports import Clock, Command, Outcome

ATTEMPTS = 3
PATIENCE_S = 3.0
"""How long a read-back is tried before the outcome is left open; the next good poll settles it."""
SETTLE_S = 0.3
"""How long a device may take from its echo until the register shows the value."""
BUSY_CODES = (5, 6)
NOT_UNDERSTOOD = (1, 2, 3)
Words = tuple[int, ...]


@dataclass(slots=True)
class WriteStats:
    """What the writing side did."""

    commands: int = 0
    frames: int = 0
    refreshes: int = 0
    reassertions: int = 0
    differences: int = 0
    """Read-backs that showed something else than was written."""


class Driver:
    """Sends the frames of targets and reads them back; one write at a time per device is its callers' duty."""

    def __init__(
        self, links: Mapping[str, Link], clock: Clock, journal: Journal, leases: Leases, frame_life_s: float
    ) -> None:
        self.stats = WriteStats()
        self.frame_life_s = frame_life_s
        self._leases = leases
        self._links, self._clock, self._journal = links, clock, journal
        self._planned: dict[tuple[str, ...], Sequence[Block]] = {}
        """Device and quantities → the blocks that read them together."""

    @property
    def frame_life_clock_s(self) -> float:
        """How long a frame may stay on its way, in seconds of the clock."""
        return self.frame_life_s * transport_scale(self._clock)

    def too_late(self, command: Command) -> Refusal | None:
        """Return why no frame of a command may leave any more: it could land behind the deadline, or in somebody's lease."""
        late = refuse_late(command, self._clock.now(), self.frame_life_clock_s)
        return late or (None if command.issued_by == BRIDGE else self.leased_away(command))

    def leased_away(self, command: Command) -> Refusal | None:
        """Return why a command's device is not its commander's now."""
        return self._leases.refuse(command.issued_by, command.device, self._clock.now())

    def frame(self, device: PolledDevice, point: Point, value: float) -> WriteFrame:
        """Return the request that writes a value to a device."""
        return write_frame(device.device.unit_id, point, encode(point, value), fc16_only=device.map.fc16_only)

    async def bring_about(self, target: Target, device: PolledDevice, *, trusting: bool = False) -> Verdict:
        """Make a target stand, and what it needs to take effect; ``trusting`` takes the latter from the last poll."""
        if not (trusting and companions_stand(device, target.point)):
            refused = await self._enable(target, device)
            if refused is not None:
                return refused
        if target.others_in_flight(asyncio.get_running_loop().time(), self.frame_life_s):
            await self._wait_out(target)  # an older value must not land behind this one
        return await self._drive(target, device)

    async def _enable(self, target: Target, device: PolledDevice) -> Verdict | None:
        """Write what has to stand in other points; None when all of it does."""
        for point, value in companions(device, target.command.quantity):
            frame = self.frame(device, point, value)
            for _ in range(ATTEMPTS):
                if await self.words(device, point) == frame.words:
                    break
                if self.too_late(target.command):
                    break
                sent, problem = await self.send(target, device, frame)
                if sent in (Sent.REFUSED, Sent.FAILED):
                    return not_done("refused_device", f"{device.id} refuses {point.quantity}: {problem}")
            else:
                words = f"{device.id} does not take {point.quantity} {value:g}"
                return not_done("differs", f"{words}, without which {target.command.quantity} has no effect")
        return None

    async def _drive(self, target: Target, device: PolledDevice) -> Verdict:
        """Send the value until the device shows it, refuses it, or the outcome has to stay open."""
        for attempt in range(ATTEMPTS):
            late = self.too_late(target.command)
            if late is not None and not (target.flights or target.applied):
                return Verdict(State.EXPIRED, Outcome.NO, late.code, late.words)
            if late or (attempt and refuse_interlock(device, target.point, target.command.value)):
                return unread(device.id)
            sent, problem = await self.send(target, device, target.frame)
            if sent is Sent.NOT_SENT and not target.flights:
                return not_done("unreachable", f"{problem}; nothing was sent")
            seen = await self._read_back(target, device)
            if seen is None:
                return unread(device.id)
            if seen == target.frame.words:
                return applied(target, seen)
            if sent in (Sent.ECHOED, Sent.REFUSED, Sent.FAILED):
                return await self._denied(target, device, sent, problem)
            if sent is Sent.BUSY:
                await asyncio.sleep(0.1 * (attempt + 1))
        return unread(device.id)

    async def _denied(self, target: Target, device: PolledDevice, sent: Sent, problem: str) -> Verdict:
        """Prove that the value does not stand: nothing of it may still be in flight when the register is read."""
        await self._wait_out(target)
        seen = await self._read_alive(target, device)
        if seen is None:
            return unread(device.id)
        if seen == target.frame.words:
            return applied(target, seen)
        self.stats.differences += 1
        value = decode_one(target.point, seen)
        asked = f"{target.command.quantity} of {device.id} reads {value:g} after writing {target.command.value:g}"
        if sent is not Sent.ECHOED:
            return not_done("refused_device", f"{problem}; {asked}", value)
        return not_done("differs", f"{asked}. The device may limit it or be in local mode", value)

    async def send(self, target: Target, device: PolledDevice, frame: WriteFrame) -> tuple[Sent, str]:
        """Let one frame leave, its record on the disk first."""
        attempt = self._journal.attempt(target.command, target.epoch, frame, self._clock.now())
        flight = Flight(frame.words, asyncio.get_running_loop().time())
        if frame == target.frame:
            target.flights.append(flight)
            target.state = State.SENT
            target.written = self._clock.monotonic()
        self.stats.frames += 1
        sent, problem = await self._transmit(device, frame)
        if sent is Sent.UNKNOWN:
            target.doubtful = True
        elif flight in target.flights:
            target.flights.remove(flight)  # answered or never sent: nothing is left on its way
        with suppress(JournalError):  # the frame has left; an attempt without a result counts as unknown
            self._journal.result(attempt, f"{sent.value} {problem}".strip())
        return sent, problem

    async def _transmit(self, device: PolledDevice, frame: WriteFrame) -> tuple[Sent, str]:
        try:
            await self._links[device.id].write(frame)
        except RefusedError as problem:
            return refusal_of(problem.code), str(problem)
        except NotSentError as problem:
            return Sent.NOT_SENT, str(problem)
        except PlantError as problem:
            return Sent.UNKNOWN, str(problem)
        return Sent.ECHOED, ""

    async def _read_back(self, target: Target, device: PolledDevice) -> Words | None:
        """Return the register as it reads now, looked at twice when it is not as written; None when it cannot be read."""
        loop, link = asyncio.get_running_loop(), self._links[device.id]
        give_up = loop.time() + PATIENCE_S
        seen: Words | None = None
        pause_s = 0.0
        while loop.time() <= give_up and link.retry_at <= give_up:
            wait = max(link.retry_at - loop.time(), pause_s)
            if wait > 0.0:
                await asyncio.sleep(wait + 1e-3)
            pause_s = SETTLE_S  # a device that is busy is not asked in one go
            again = await self.words(device, target.point)
            if again is not None and again in (target.frame.words, seen):
                return again
            seen = again
        return seen

    async def _read_alive(self, target: Target, device: PolledDevice) -> Words | None:
        """Return the register from a read in which the heartbeat has moved, so that no gateway's memory stands for the device."""
        if _beat_beside(device, (target.point,)) is None:
            return await self._read_back(target, device)
        pair = await self._pair(device, (target.point,))
        if pair is None:
            return None
        before, after = (read[target.point.quantity] for read in pair)
        return after if after in (before, target.frame.words) else None  # one damaged answer must not deny a write

    async def alive(self, device: PolledDevice, points: Sequence[Point]) -> Mapping[str, Words] | None:
        """Return points from two equal reads, between which the heartbeat has moved where there is one; None when they differ.

        All of them are asked for together, and beside the heartbeat as far as the map lets one request reach.
        """
        pair = await self._pair(device, points)
        return pair[1] if pair is not None and all(pair[0][p.quantity] == pair[1][p.quantity] for p in points) else None

    async def _pair(self, device: PolledDevice, points: Sequence[Point]) -> tuple[Mapping[str, Words], ...] | None:
        """Return points before and after a beat, None when the device cannot be read or does not beat."""
        beat = _beat_beside(device, points)
        asked = points if beat is None else (beat, *points)
        try:
            first = await self._together(device, asked)
            if beat is not None:
                await self._clock.sleep(BEAT_S)
            second = await self._together(device, asked)
        except PlantError:
            return None
        return None if beat is not None and first[beat.quantity] == second[beat.quantity] else (first, second)

    async def _together(self, device: PolledDevice, points: Sequence[Point]) -> Mapping[str, Words]:
        """Return the registers of points, by one request where the map allows it."""
        found: dict[str, Words] = {}
        for block in self._blocks(device, points):
            registers = await self._links[device.id].read(
                device.device.unit_id, block.table, block.start, block.count, urgent=True
            )
            for p in block.points:
                found[p.quantity] = tuple(registers[p.address - block.start : p.end - block.start])
        return found

    def _blocks(self, device: PolledDevice, points: Sequence[Point]) -> Sequence[Block]:
        """Return the blocks that read points together, however far apart the map would read them."""
        key = (device.id, *(p.quantity for p in points))
        if key not in self._planned:
            wide = replace(device.map, gap_limit=124)
            self._planned[key] = plan_blocks(wide, [replace(p, poll="fast") for p in points])
        return self._planned[key]

    async def words(self, device: PolledDevice, point: Point) -> Words | None:
        """Return a point's registers as they read now; None when they cannot be read."""
        try:
            return await self.standing(device, point)
        except PlantError:
            return None

    async def standing(self, device: PolledDevice, point: Point) -> Words | None:
        """Return a point's registers as they read now, None for a point that can only be written; raises when there is no answer."""
        link = self._links[device.id]
        if not point.access.readable:
            await link.open()
            return None
        return tuple(await link.read(device.device.unit_id, point.table, point.address, point.registers, urgent=True))

    async def _wait_out(self, target: Target) -> None:
        """Wait until no frame of this point can still land."""
        now = asyncio.get_running_loop().time()
        latest = max((f.sent + self.frame_life_s for f in target.flights), default=now)
        if latest > now:
            await asyncio.sleep(latest - now)


def refusal_of(code: int) -> Sent:
    """Return what an exception says of the request that it answers."""
    if code in BUSY_CODES:
        return Sent.BUSY
    return Sent.REFUSED if code in NOT_UNDERSTOOD else Sent.FAILED


def applied(target: Target, seen: Words) -> Verdict:
    """Return the verdict of a value that was read back as written."""
    value = decode_one(target.point, seen)
    words = f"{target.command.quantity} of {target.command.device} reads {value:g}"
    return Verdict(State.CONFIRMED, Outcome.APPLIED, "applied", words, value)


def _beat_beside(device: PolledDevice, points: Sequence[Point]) -> Point | None:
    """Return the heartbeat that can be read together with points, None where there is none."""
    beat = device.map.heartbeat
    return beat if beat is not None and all(p.table is beat.table for p in points) else None


def companions(device: PolledDevice, quantity: str) -> tuple[tuple[Point, float], ...]:
    """Return the points, with their values, that have to stand for ``quantity`` to take effect."""
    return tuple((device.map.point(name), value) for name, value in device.map.point(quantity).also.items())


def companions_stand(device: PolledDevice, point: Point) -> bool:
    """Return whether the last poll showed everything that a point needs to take effect."""
    return all(device.value(p.quantity) == v for p, v in companions(device, point.quantity))
