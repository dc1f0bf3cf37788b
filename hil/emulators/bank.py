"""All devices of a plant, without sockets: their registers kept fresh from what the plant does."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from hil.emulators.devices import EmulatedDevice, measured
from hil.emulators.gauges import Gauge, gauge
from hil.emulators.image import Encoder, Memory, fill_constants
from hil.emulators.plant import EmulatedPlant
from hil.emulators.sensors import Sensors
from hil.emulators.sunspec import fill_unimplemented
from hil.maps.bind import rated_kw
from hil.maps.load import load_map
from hil.maps.types import Point
from models.site import Site


class DeviceBank:
    """The devices of a site, each with its registers and instruments, in front of one emulated plant.

    Raises
    ------
    MapError
        If a device's register map cannot be used.
    """

    def __init__(self, site: Site, plant: EmulatedPlant) -> None:
        self.plant = plant
        maps = [load_map(d.map, site.folder).for_rating(rated_kw(site.asset(d.asset))) for d in site.devices]
        memory = Memory(maps)
        self.devices: dict[str, EmulatedDevice] = {}
        points: list[tuple[int, Point]] = []
        self._rows: list[tuple[str, str]] = []
        self._gauges: list[Gauge] = []
        for index, (device, found) in enumerate(zip(site.devices, maps, strict=True)):
            tables = memory.claim(index)
            fill_constants(found, tables)
            fill_unimplemented(tables)
            fill_constants(found, tables)  # over the codes that have just been written
            self.devices[device.id] = EmulatedDevice(device, found, tables, plant)
            for point in filter(measured, found.points):
                if (source := gauge(plant, device.asset, point.quantity)) is not None:
                    points.append((index, point))
                    self._rows.append((device.id, point.quantity))
                    self._gauges.append(source)
        self._sensors = Sensors(self._rows, plant.seed)
        self._encoder = Encoder(points, memory)
        self.values = np.zeros(len(points))
        self.show()

    def refresh(self, now: datetime) -> None:
        """Let timers run out, the plant live until ``now``, and every register show it."""
        for device in self.devices.values():
            device.run_timers(now)
        self.plant.advance(now)
        self.show()

    def show(self) -> None:
        """Measure the plant once more and write the registers."""
        self.values = self._sensors.show(np.array([g() for g in self._gauges], dtype=float))
        self._encoder.put(self.values)

    def readings(self) -> Mapping[str, list[tuple[str, float]]]:
        """Return what each device shows: (quantity, value) of everything it measures and of everything that can be set on it."""
        shown: dict[str, list[tuple[str, float]]] = {name: list(d.held.items()) for name, d in self.devices.items()}
        for (name, quantity), value in zip(self._rows, self.values.tolist(), strict=True):
            shown[name].append((quantity, value))
        return shown
