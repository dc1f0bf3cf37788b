"""What applied schedules order now: told by the interface, carried out by the operating loop's thread."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

Steps = Mapping[str, Sequence[tuple[datetime, float]]]
"""Asset → instants and the set-point in kW from each on."""


@dataclass(frozen=True, slots=True)
class Order:
    """One applied schedule: what it orders, and until when its lease lasts."""

    schedule_id: str
    start: datetime
    until: datetime
    steps: Steps

    @property
    def holder(self) -> str:
        """Who its commands come from."""
        return f"schedule {self.schedule_id}"

    def setpoints_kw(self, now: datetime) -> dict[str, float]:
        """Return the set-point of every asset now; nothing before the start and after the lease."""
        if not self.start <= now < self.until:
            return {}
        begun = {asset: [kw for at, kw in steps if at <= now] for asset, steps in self.steps.items()}
        return {asset: values[-1] for asset, values in begun.items() if values}


class Orders:
    """The applied schedules of a running site; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, Order] = {}

    def put(self, order: Order) -> None:
        """Carry out an order from now on, in place of an older version of it."""
        with self._lock:
            self._orders[order.schedule_id] = order

    def drop(self, schedule_id: str) -> None:
        """Carry out an order no longer."""
        with self._lock:
            self._orders.pop(schedule_id, None)

    def current(self) -> Iterable[Order]:
        """Return what is ordered."""
        with self._lock:
            return tuple(self._orders.values())
