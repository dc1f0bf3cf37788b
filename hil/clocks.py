"""Clocks: the real one, a scaled one and a virtual one; the loop cannot tell them apart."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from models.horizon import require_utc
from models.ports import Clock


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds``."""
        await asyncio.sleep(max(seconds, 0.0))


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
