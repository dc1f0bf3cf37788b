"""The emulated plant behind the plant's door without sockets: the same devices, instruments and limits, nothing on a wire."""

from collections.abc import Sequence
from datetime import datetime

from hil.emulators.bank import DeviceBank
from hil.emulators.devices import EmulatedDevice, Refusal
from hil.emulators.plant import EmulatedPlant
from hil.maps.types import Point
from models.ports import Clock, Command, Outcome, Quality, Reading, Receipt
from models.site import Site


class InProcessPlant:
    """An emulated plant that is read and commanded directly; satisfies :class:`models.ports.Plant`.

    A command stands until its deadline as it does behind a bridge, which feeds the device's timer that long.
    """

    def __init__(self, site: Site, plant: EmulatedPlant, clock: Clock) -> None:
        self.plant = plant
        self.bank = DeviceBank(site, plant)
        self._clock = clock
        self._standing: dict[str, datetime] = {}

    async def read(self) -> Sequence[Reading]:
        """Return what every instrument shows now; the readings of a silent device are bad."""
        now = self._clock.now()
        self._live(now)
        readings = []
        for name, values in self.bank.readings().items():
            silent = self.bank.devices[name].faults.silent
            quality = Quality.BAD if silent else Quality.GOOD
            for quantity, value in values:
                readings.append(Reading(name, quantity, float("nan") if silent else value, now, now, quality))
        return readings

    async def write(self, command: Command) -> Receipt:
        """Carry out one command, with the switches that it needs, and read it back."""
        now = self._clock.now()
        self._live(now)
        device = self.bank.devices.get(command.device)
        point = device.map.find(command.quantity) if device is not None else None
        if device is None or point is None or not point.access.writable:
            words = f"{command.device} has no {command.quantity} that can be written"
            return Receipt(command, Outcome.NO, "refused_device", words, now)
        if now > command.deadline:
            words = f"the command was good until {command.deadline.isoformat()}; issue a new one"
            return Receipt(command, Outcome.NO, "refused_expired", words, now)
        if device.faults.silent:
            return Receipt(command, Outcome.NO, "unreachable", f"{command.device} does not answer", now)
        return self._write(device, point, command, now)

    def _write(self, device: EmulatedDevice, point: Point, command: Command, now: datetime) -> Receipt:
        wanted = {**point.also, point.quantity: command.value}
        if all(device.held.get(q) == v for q, v in wanted.items()) and device.active:
            self._standing[command.device] = command.deadline
            return Receipt(
                command, Outcome.APPLIED, "unchanged", "the device shows the value already", now, command.value
            )
        for quantity, value in wanted.items():
            refusal = device.command(quantity, value, now)
            if refusal is not None:
                words = f"{command.device} refuses {quantity} {value:g}: {_WORDS[refusal]}"
                return Receipt(command, Outcome.NO, "refused_device", words, now, device.held[point.quantity])
        self._standing[command.device] = command.deadline
        return _receipt(device, point, command, now)

    def _live(self, now: datetime) -> None:
        """Feed the timers of devices whose commands still stand, then let time pass."""
        for name, deadline in self._standing.items():
            self.bank.devices[name].feed_timer(min(now, deadline))
        self.bank.refresh(now)


_WORDS = {
    Refusal.ILLEGAL_FUNCTION: "the function is not supported",
    Refusal.ILLEGAL_ADDRESS: "the point does not exist or is read-only",
    Refusal.ILLEGAL_VALUE: "the value is beyond its limits",
}


def _receipt(device: EmulatedDevice, point: Point, command: Command, now: datetime) -> Receipt:
    """Return what a read-back proves."""
    shown = device.held[point.quantity]
    if abs(shown - command.value) <= device.count(point):
        return Receipt(command, Outcome.APPLIED, "applied", f"reads back {shown:g}", now, shown)
    words = f"{command.device} shows {point.quantity} {shown:g} after writing {command.value:g}; it may clamp or be in local mode"
    return Receipt(command, Outcome.NO, "differs", words, now, shown)
