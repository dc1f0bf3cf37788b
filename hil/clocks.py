"""Clocks: the real one, a scaled one and a virtual one; the loop cannot tell them apart."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models.horizon import require_utc
from models.ports import Clock

JUMP_S = 1.0
"""A machine's clock that is off by more than this has been set, not corrected."""
SLEW = 5e-4
"""Seconds by which a second may be longer or shorter while a small difference is made up for."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant on two clocks: the site's time, and the seconds since the machine ``boot`` was started."""

    boot: str
    monotonic_s: float
    now: datetime


class RealClock:
    """The machine's clock without its jumps: time goes on evenly when somebody sets it, and control does not notice.

    Small differences (network time) are made up for, at most 0.5 ms a second. A jump of more than a second is kept apart in
    ``offset_s`` until the process is stopped and started again: no step of a schedule is missed or done twice for it.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        boot: str | None = None,
    ) -> None:
        self._wall, self._monotonic = wall or _utc_now, monotonic
        self.boot = _boot_id() if boot is None else boot
        self._at_s, self._now = monotonic(), self._wall()
        self.offset_s = 0.0
        """Seconds by which the machine's clock is ahead of this one."""

    def now(self) -> datetime:
        """Return the present instant in UTC; never earlier than the one before."""
        at_s = self._monotonic()
        passed_s = at_s - self._at_s
        even = self._now + timedelta(seconds=passed_s)
        self.offset_s = offset_s = (self._wall() - even).total_seconds()
        if offset_s and abs(offset_s) <= JUMP_S:
            most_s = SLEW * passed_s
            even += timedelta(seconds=max(-most_s, min(most_s, offset_s)))
        self._at_s, self._now = at_s, even
        return even

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return self._monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds``."""
        await asyncio.sleep(max(seconds, 0.0))

    def anchor(self) -> Anchor:
        """Return where this clock stands, so that the next process on this machine can go on from there."""
        now = self.now()
        return Anchor(self.boot, self._at_s, now)

    def go_on_from(self, anchor: Anchor) -> None:
        """Continue the time of a process that ended without warning; does nothing after the machine was started anew."""
        if anchor.boot == self.boot and anchor.monotonic_s <= self._monotonic():
            self._at_s, self._now = anchor.monotonic_s, anchor.now


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _boot_id() -> str:
    """Return what names this run of the machine, empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class ScaledClock:
    """A clock that starts at ``epoch`` and runs ``speed`` times as fast as the machine's.

    Transport time-outs stay real seconds: a device's answer does not come faster because the day does.
    """

    def __init__(self, epoch: datetime, speed: float) -> None:
        if speed <= 0:
            raise ValueError(f"a clock's speed is {speed:g}; expected more than 0")
        self.epoch = require_utc(epoch)
        self.speed = speed
        self._start = time.monotonic()

    def now(self) -> datetime:
        """Return the present instant of the scaled day, in UTC."""
        return self.epoch + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return scaled seconds since the clock was made."""
        return (time.monotonic() - self._start) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` of scaled time."""
        await asyncio.sleep(max(seconds, 0.0) / self.speed)


class VirtualClock:
    """The clock of an event loop whose own time is virtual; starts at ``epoch`` when it is made."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: datetime) -> None:
        self.epoch = require_utc(epoch)
        self._loop = loop
        self._start = loop.time()

    def now(self) -> datetime:
        """Return the present virtual instant, in UTC."""
        return self.epoch + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return virtual seconds since the clock was made."""
        return self._loop.time() - self._start

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` of virtual time."""
        await asyncio.sleep(max(seconds, 0.0))


def transport_scale(clock: Clock) -> float:
    """Return how many seconds of ``clock`` pass in one second of the transport."""
    return clock.speed if isinstance(clock, ScaledClock) else 1.0
