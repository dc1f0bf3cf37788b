"""The reading side of one link: due times, blocks that learn, quick retries while a device is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import floor

from hil.bridge.events import DeviceBack, DeviceFrozen, DeviceLost, Listener, PointDisabled, WrongDevice
from hil.bridge.identity import misread_constant
from hil.bridge.link import Link
from hil.bridge.polled import BlockState, PolledDevice
from hil.planner import halves
from models.errors import AnswerError, RefusedError, UnreachableError
from models.ports import Clock
from models.told import told, words_of

RETRY_S = 0.35
"""Pause before a lost device is asked again, unless its period is shorter."""
BUSY_CODES = (5, 6)
BUSY_RETRIES = 3
NO_SUCH_CODES = (1, 2, 3)


@dataclass(slots=True)
class PollStats:
    """What the poller did."""

    polls: int = 0
    points: int = 0
    misses: int = 0


class Poller:
    """Polls every device of one link, one request at a time."""

    def __init__(
        self,
        link: Link,
        devices: Sequence[PolledDevice],
        clock: Clock,
        listener: Listener,
        after_poll: Callable[[PolledDevice, bool], Awaitable[float]],
    ) -> None:
        self.link, self.devices = link, tuple(devices)
        self.stats = PollStats()
        self.once = asyncio.Event()
        """Set when every device has been asked once."""
        self.caught_up = asyncio.Event()
        """Set whenever nothing is due; a reader clears it to wait for the polls of this instant."""
        self._clock, self._tell, self._after_poll = clock, listener, after_poll
        self._start = clock.monotonic()
        self._wake = {d.id: self._start for d in devices}

    def stagger(self, offset_s: float) -> None:
        """Shift the grid of due times by ``offset_s``."""
        self._start += offset_s
        for device in self.devices:
            self._wake[device.id] = self._start
            for state in device.blocks:
                state.due = self._start

    async def run(self) -> None:
        """Poll until cancelled; a fault of the bridge itself costs a cycle, never the polling."""
        while True:
            try:
                await self._cycles()
            except Exception as problem:  # whatever it is, every other device has to be read on
                for device in self.devices:
                    self._lost(device, f"the bridge stumbled over its answer: {problem!r}")
                await self._clock.sleep(RETRY_S)

    async def _cycles(self) -> None:
        while True:
            wake = min(self._wake.values())
            now = self._clock.monotonic()
            if wake > now:
                self.once.set()
                self.caught_up.set()
                await self._clock.sleep(wake - now)
            for device in self.devices:
                if self._wake[device.id] <= self._clock.monotonic():
                    await self._tend(device)

    def behind(self) -> bool:
        """Return whether a poll is due or under way."""
        return min(self._wake.values()) <= self._clock.monotonic()

    def soon(self, device: PolledDevice, except_for: BlockState) -> None:
        """Have every other block of a device read at once."""
        for state in device.blocks:
            if state is not except_for:
                state.due = min(state.due, self._clock.monotonic())

    async def _tend(self, device: PolledDevice) -> None:
        """Read what is due, then let the writer look at it."""
        good = await self.poll(device)
        wake = min(device.due, await self._after_poll(device, good))
        if not good:
            now = self._clock.monotonic()
            wake = max(now + min(RETRY_S, device.device.poll_s), now + self._back_off_s())
        self._wake[device.id] = wake

    def _back_off_s(self) -> float:
        return max(self.link.retry_at - asyncio.get_running_loop().time(), 0.0)

    async def poll(self, device: PolledDevice) -> bool:
        """Read the due blocks of a device; False when the cycle ended early because the device is lost."""
        try:
            await self._identify(device)
            for state in list(device.blocks):
                if state.due <= self._clock.monotonic():
                    await self._read(device, state)
        except (UnreachableError, AnswerError) as problem:
            self._lost(device, words_of(problem))
            return False
        except RefusedError as problem:
            self._lost(device, words_of(problem))
            return False
        return True

    async def _identify(self, device: PolledDevice) -> None:
        """After every connect, make sure that the device is the one its map describes."""
        if not self.link.connected:
            await self.link.open()
        if device.seen_connects == self.link.stats.connects:
            return
        wrong = await misread_constant(self.link, device)
        if wrong is not None:
            self._tell(WrongDevice(self._clock.now(), device.id, wrong))
            raise AnswerError(wrong)
        device.seen_connects = self.link.stats.connects

    async def _read(self, device: PolledDevice, state: BlockState) -> None:
        started = self._clock.monotonic()
        try:
            registers = await self._ask(device, state)
        except RefusedError as problem:
            if problem.code not in NO_SUCH_CODES:
                raise
            self._learn(device, state, problem.code)
            return
        at = self._clock.now()
        device.take(state, registers, started, at, at)
        state.due = self._next_due(state)
        self.stats.polls += 1
        self.stats.points += len(state.block.points)
        self._good(device, started, state)

    async def _ask(self, device: PolledDevice, state: BlockState) -> Sequence[int]:
        block = state.block
        for attempt in range(BUSY_RETRIES + 1):
            try:
                return await self.link.read(device.device.unit_id, block.table, block.start, block.count)
            except RefusedError as problem:
                if problem.code not in BUSY_CODES or attempt == BUSY_RETRIES:
                    raise
                await self._clock.sleep(0.1 * (attempt + 1))
        raise AssertionError("the last attempt returns or raises")

    def _next_due(self, state: BlockState) -> float:
        """Return the next point of the grid; cycles that were missed are not made up for."""
        done = floor((self._clock.monotonic() - self._start) / state.period_s + 1e-9)
        return self._start + (done + 1) * state.period_s

    def _learn(self, device: PolledDevice, state: BlockState, code: int) -> None:
        """Split a block that the device refuses; give up a point that it refuses alone."""
        if len(state.block.points) > 1:
            device.replace_block(state, [BlockState(b, state.period_s, due=state.due) for b in halves(state.block)])
            return
        point = state.block.points[0]
        device.replace_block(state, ())
        device.disabled.add(point.quantity)
        pattern = "{quantity} at {table} {address} is refused with exception {code:#04x}; correct the map"
        facts = {"quantity": point.quantity, "table": point.table.value, "address": point.address, "code": code}
        words = told("point_refused", pattern, **facts)
        self._tell(PointDisabled(self._clock.now(), device.id, words, point.quantity))

    def _good(self, device: PolledDevice, started: float, state: BlockState) -> None:
        if device.failing_since is not None:
            gone = self._clock.monotonic() - device.failing_since
            self._tell(
                DeviceBack(
                    self._clock.now(), device.id, told("answers_again", "answers again after {gone:.1f} s", gone=gone)
                )
            )
            device.back_since = started
            self.soon(device, except_for=state)
        was_frozen = device.why == "frozen"
        is_frozen = device.frozen
        device.failing_since, device.last_good, device.why = None, started, "frozen" if is_frozen else ""
        if is_frozen and not was_frozen:
            since = started - state.still_since
            words = told(
                "frozen", "has answered with the same values for {since:.0f} s; they are marked stale", since=since
            )
            self._tell(DeviceFrozen(self._clock.now(), device.id, words))

    def _lost(self, device: PolledDevice, why: str) -> None:
        self.stats.misses += 1
        device.why = why
        if device.failing_since is None:
            device.failing_since = self._clock.monotonic()
            self._tell(DeviceLost(self._clock.now(), device.id, why))
