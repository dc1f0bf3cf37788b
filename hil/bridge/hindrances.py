"""What speaks against writing a value now, whoever wants it: the point's budget and rest, interlocks, sums and ramps."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from hil.bridge.driver import Driver
from hil.bridge.gate import Refusal, refuse_interlock, refuse_step, refuse_sum
from hil.bridge.polled import PolledDevice
from hil.bridge.target import Target
from hil.codec import decode_one
from hil.journal import Journal
from hil.maps.types import Point
from models.ports import Clock


class Hindrances:
    """Looks at a value as it would land: beside what the device shows, what is still on its way to it, and what was written before."""

    def __init__(
        self, targets: Mapping[tuple[str, str], Target], driver: Driver, clock: Clock, journal: Journal
    ) -> None:
        self._targets, self._driver, self._clock, self._journal = targets, driver, clock, journal

    def against(self, device: PolledDevice, point: Point, value: float, *, in_group: bool = False) -> Refusal | None:
        """Return why a value may not be written to a point now: budget, rate, interlock, group or ramp.

        ``in_group`` leaves the sum of the group to the caller, who changes more than this point.
        """
        found = self._over_budget(device, point) or self._too_soon(device, point, value)
        found = found or refuse_interlock(device, point, value)
        found = found or (None if in_group else self.over_sum(device, point, value))
        landing = self._landing(device, point)
        return found or refuse_step(device, point, value, self._clock.monotonic(), landing)

    def over_sum(self, device: PolledDevice, point: Point, value: float) -> Refusal | None:
        """Return why a value may not be written beside what the rest of its group shows or may come to show."""

        def highest(other: Point) -> float | None:
            shown = device.value(other.quantity)
            return None if shown is None else max([shown, *self._landing(device, other)])

        return refuse_sum(device, point, value, highest)

    def _landing(self, device: PolledDevice, point: Point) -> list[float]:
        """Return the values of a point that are still on their way."""
        target = self._targets.get((device.id, point.quantity))
        now = asyncio.get_running_loop().time()
        flights = [] if target is None else target.flights
        words = [f.words for f in flights if f.words and now - f.sent < self._driver.frame_life_s]
        return [decode_one(point, w) for w in words]

    def _too_soon(self, device: PolledDevice, point: Point, value: float) -> Refusal | None:
        """Return why a point has to rest after its last write, which may have been another process's."""
        if point.write_interval_s is None or value == 0.0:
            return None
        since = self._clock.now() - timedelta(seconds=point.write_interval_s)
        if not self._journal.writes_since(device.id, point.address, since):
            return None
        words = (
            f"{device.id} takes {point.quantity} once in {point.write_interval_s:g} s, and was written within that time"
        )
        return Refusal("refused_rate", f"{words}; wait and try again")

    def _over_budget(self, device: PolledDevice, point: Point) -> Refusal | None:
        """Return why a point may not be written again today, None while its memory allows it."""
        if point.write_budget_per_day is None:
            return None
        since = self._clock.now() - timedelta(days=1)
        if self._journal.writes_since(device.id, point.address, since) < point.write_budget_per_day:
            return None
        words = f"{device.id} allows {point.write_budget_per_day} writes of {point.quantity} a day, and they are spent"
        return Refusal("refused_budget", words)
