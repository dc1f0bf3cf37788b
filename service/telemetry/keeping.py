"""Keeping what the running site measures: readings go into the store a second behind, blocks are sealed, what is too old is thinned."""

import asyncio
from datetime import timedelta

from sqlalchemy.exc import DBAPIError

from models.errors import DataError
from models.ports import Clock
from service.backing import Backing
from service.memory import Memory
from service.telemetry.intake import series_of
from service.telemetry.sealing import Sealing

EVERY_S = 1.0
SEAL_EVERY_S = 300.0
AT_ONCE = 20_000
GRACE = timedelta(minutes=10)
"""A block is left open for so long after its time, since most of what comes late comes soon."""


class TelemetryKeeping:
    """Writes readings down until it is cancelled; what the store refuses waits, is tried again, and is told once."""

    def __init__(self, memory: Memory, clock: Clock, backing: Backing) -> None:
        self._memory, self._clock, self._backing = memory, clock, backing
        self._sealing = Sealing(backing.store)
        self._seal_at_s = backing.store.clock.monotonic()
        self._refused = False

    async def run(self) -> None:
        """Take turns until cancelled."""
        while True:
            try:
                await self.turn()
                if self._refused:
                    self._memory.take_recovery(self._clock.now(), "telemetry", "is kept again")
                self._refused = False
            except (DBAPIError, OSError, DataError) as fault:
                if not self._refused:
                    words = f"is not kept ({getattr(fault, 'orig', fault)}); it waits in memory and this is tried again"
                    self._memory.take_fault(self._clock.now(), "telemetry", words)
                self._refused = True
            await asyncio.sleep(EVERY_S)

    async def turn(self) -> None:
        """Write down what waits; now and then close blocks."""
        backing, intake = self._backing, self._memory.intake
        while readings := intake.take(AT_ONCE):
            try:
                await backing.telemetry.write(backing.tenant_id, series_of(readings))
            except BaseException:
                intake.put_back(readings)
                raise
        if backing.store.clock.monotonic() >= self._seal_at_s:
            self._seal_at_s = backing.store.clock.monotonic() + SEAL_EVERY_S
            await self._tidy()

    async def _tidy(self) -> None:
        now, kept, tenant = self._clock.now(), self._backing.kept, self._backing.tenant_id
        await self._sealing.seal(tenant, now - GRACE)
        await self._sealing.thin(tenant, now - kept.points, now - kept.means)
