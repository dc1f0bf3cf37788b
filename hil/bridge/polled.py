"""One device as the bridge knows it: its blocks, their latest values, and how far they may be trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan, nan

from hil.maps.types import Point, RegisterMap
from hil.planner import Block, plan_blocks
from models.ports import Quality, Reading
from models.site import Device

FROZEN_POLLS = 3
"""Equal blocks of noise after which values count as frozen; of a heartbeat one repetition is enough."""
FROZEN_S = 3.0
"""A heartbeat moves once a second; less time than this says nothing."""
BEAT_S = 1.2
"""Longest pause between two beats of a living device, in seconds of the clock."""
LOST_PERIODS = 2.5
"""Poll periods after the last good answer that turn uncertain values into bad ones."""


@dataclass(slots=True)
class BlockState:
    """A block and what it read last."""

    block: Block
    period_s: float
    due: float = 0.0
    """Clock time of the next read."""
    started: float = -1.0
    """Clock time at which the last good read was asked."""
    still: int = 0
    """Consecutive reads in which nothing that should move has moved."""
    still_since: float = 0.0
    went_back: bool = False
    """Its heartbeat has gone back and not moved on since: it has wrapped, the device has started anew, or somebody shows old values."""
    moving: tuple[float, ...] = ()
    watched: tuple[int, ...] | None = None
    """Which of its values say whether the device lives; found by the first read."""

    @property
    def frozen(self) -> bool:
        """Whether the values have stopped moving."""
        if self.still == 0 or self.started - self.still_since < FROZEN_S:
            return False
        return self.still >= FROZEN_POLLS or any(p.heartbeat for p in self.block.points)


@dataclass(slots=True)
class Seen:
    """What a point showed last; changed in place, since a bridge takes in tens of thousands of values a second."""

    value: float
    quality: Quality
    measured: datetime
    received: datetime


@dataclass(slots=True)
class PolledDevice:
    """A device being polled."""

    device: Device
    map: RegisterMap
    blocks: list[BlockState] = field(init=False)
    failing_since: float | None = None
    """Clock time of the first failure since the last good answer."""
    last_good: float = -1.0
    back_since: float = -1.0
    """Clock time of the first good read after the last outage; blocks read before it are of another time."""
    why: str = "not read yet"
    seen_connects: int = 0
    disabled: set[str] = field(default_factory=set)
    written: dict[str, float] = field(default_factory=dict)
    """Quantity → clock time at which its last write ended; older reads say nothing about it."""
    index: dict[str, Seen] = field(default_factory=dict)
    stood_since: dict[str, float] = field(default_factory=dict)
    """Quantity → clock time since which its value has been seen unchanged."""
    _shown: tuple[Quality, tuple[Reading, ...]] | None = None
    """What was last told of its values, and under which quality; None since they have changed."""
    _places: dict[str, BlockState] = field(default_factory=dict)
    """Quantity → the block that reads it; empty since the blocks have changed."""

    def __post_init__(self) -> None:
        fast = [p for p in self.map.points if p.poll == "fast"]
        slow = [p for p in self.map.points if p.poll == "slow"]
        slow_s = self.device.poll_s * self.map.slow_factor
        self.blocks = [BlockState(b, self.device.poll_s) for b in plan_blocks(self.map, fast)]
        self.blocks += [BlockState(b, slow_s) for b in plan_blocks(self.map, slow)]

    @property
    def id(self) -> str:
        """The device's id."""
        return self.device.id

    def block_of(self, quantity: str) -> BlockState | None:
        """Return the block that reads a quantity, None where nothing polls it."""
        if not self._places:
            self._places.update((p.quantity, b) for b in self.blocks for p in b.block.points)
        return self._places.get(quantity)

    def replace_block(self, state: BlockState, parts: Sequence[BlockState]) -> None:
        """Read the parts of a block, or nothing of it, from now on."""
        place = self.blocks.index(state)
        self.blocks[place : place + 1] = parts
        self._places.clear()
        self._shown = None

    @property
    def due(self) -> float:
        """Clock time at which the next block is due."""
        return min((b.due for b in self.blocks), default=float("inf"))

    @property
    def frozen(self) -> bool:
        """Whether the device answers with values that have stopped moving."""
        return any(b.frozen for b in self.blocks)

    def take(
        self, state: BlockState, registers: Sequence[int], started: float, measured: datetime, received: datetime
    ) -> None:
        """Take in a good answer."""
        values = state.block.decode(registers)
        self._watch(state, values, started)
        state.started = started
        self._shown = None
        index, written = self.index, self.written
        for point, value in zip(state.block.points, values, strict=True):
            quantity = point.quantity
            seen = index.get(quantity)
            if seen is None:
                seen = index[quantity] = Seen(nan, Quality.BAD, measured, received)
                self.stood_since[quantity] = started
            elif written.get(quantity, -1.0) > started:
                continue  # asked before the write landed
            elif seen.value != value:
                self.stood_since[quantity] = started
            seen.quality = quality = _plausible(point, value, seen.value)
            seen.value = nan if quality is Quality.BAD else value
            seen.measured, seen.received = measured, received

    def _watch(self, state: BlockState, values: Sequence[float], started: float) -> None:
        """Count the reads in which the heartbeat, or without one all of at least four noisy points, stood still."""
        if state.watched is None:
            state.watched = self._telling(state.block)
        moving = tuple([values[k] for k in state.watched])
        if self.map.heartbeat is not None and moving:
            state.went_back = _goes_back(self.map.heartbeat, moving[0], state)
        # a value that is missing says nothing, however often it is missing
        if not moving or moving != state.moving or any(v != v for v in moving):
            state.moving, state.still, state.still_since = moving, 0, started
        else:
            state.still += 1

    def _telling(self, block: Block) -> tuple[int, ...]:
        """Return which values of a block move while the device lives: its heartbeat, or at least four noisy ones."""
        if self.map.heartbeat is not None:
            return tuple(k for k, p in enumerate(block.points) if p.heartbeat)
        noisy = tuple(k for k, p in enumerate(block.points) if p.noisy)
        return noisy if len(noisy) >= 4 else ()

    def note_write(self, quantity: str, value: float, ended: float, at: datetime) -> None:
        """Take in what was read back after a write."""
        self.written[quantity] = ended
        self._shown = None
        before = self.index.get(quantity)
        if before is None or before.value != value:
            self.stood_since[quantity] = ended
        self.index[quantity] = Seen(value, Quality.GOOD, at, at)

    def quality(self, now: float) -> Quality:
        """Return how far the device as a whole may be trusted."""
        if self.failing_since is not None:
            late = now - self.last_good > LOST_PERIODS * self.device.poll_s
            return Quality.BAD if self.last_good < 0 or late else Quality.UNCERTAIN
        if self.last_good < 0:
            return Quality.BAD
        if any(b.started < self.back_since or b.went_back for b in self.blocks):
            return Quality.STALE if self.frozen else Quality.UNCERTAIN
        return Quality.STALE if self.frozen else Quality.GOOD

    def readings(self, now: float, at: datetime) -> Sequence[Reading]:
        """Return the latest value of every polled point, with today's view of its quality."""
        quality = self.quality(now)
        if self._shown is not None and self._shown[0] is quality:
            return self._shown[1]
        readings = tuple(self._readings(quality, at))
        # what is bad or missing is so at this instant, and has to be said anew at the next
        lasting = quality is not Quality.BAD and not self.disabled and all(b.started >= 0 for b in self.blocks)
        self._shown = (quality, readings) if lasting else None
        return readings

    def _readings(self, quality: Quality, at: datetime) -> Iterator[Reading]:
        for state in self.blocks:
            lost = quality is Quality.BAD or state.started < 0
            for point in state.block.points:
                seen = None if lost else self.index.get(point.quantity)
                if seen is None:
                    yield Reading(self.device.id, point.quantity, nan, at, at, Quality.BAD)
                    continue
                shown = seen.quality if quality is Quality.GOOD or isnan(seen.value) else quality
                yield Reading(self.device.id, point.quantity, seen.value, seen.measured, seen.received, shown)
        for quantity in sorted(self.disabled):
            yield Reading(self.device.id, quantity, nan, at, at, Quality.BAD)

    def value(self, quantity: str) -> float | None:
        """Return the latest good value of a point, None where there is none."""
        seen = self.index.get(quantity)
        return None if seen is None or isnan(seen.value) else seen.value


def _goes_back(point: Point, beat: float, state: BlockState) -> bool:
    """Return whether a heartbeat has gone back and not moved on since.

    Over the end of its registers it goes on with 0, which is forward; one that only says 0 and 1 has no direction.
    """
    before = state.moving[0] if state.moving else beat
    if beat == before:
        return state.went_back
    size = 65536.0**point.registers * abs(point.linear.factor)
    return max(beat, before) > 1.0 and (beat - before) % size >= size / 2


def _plausible(point: Point, value: float, before: float) -> Quality:
    if value != value:
        return Quality.BAD
    if point.range is not None and not point.range[0] <= value <= point.range[1]:
        return Quality.BAD
    if point.counter and value < before:
        return Quality.UNCERTAIN
    return Quality.GOOD
