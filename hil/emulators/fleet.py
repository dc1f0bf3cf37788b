"""The fleet: every device of a site behind its own Modbus TCP server, in front of one emulated plant."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from types import TracebackType
from typing import Literal

from hil.certificates import server_context
from hil.emulators.bank import DeviceBank
from hil.emulators.devices import EmulatedDevice
from hil.emulators.mbap import MbapServer
from hil.emulators.plant import EmulatedPlant
from hil.emulators.server import DeviceServer, PymodbusServer
from hil.tasks import end
from models.ports import Clock
from models.site import Device, Site

Place = tuple[str, int, str]


class Fleet:
    """All devices of a site, listening; an asynchronous context.

    Parameters
    ----------
    site
        Whose devices to serve. A device with port 0 gets a free one; devices that share host and port share a server by their unit ids.
    plant
        What they measure and move.
    clock
        The fleet's time; the plant lives up to it.
    refresh_s
        Seconds between two refreshes of the registers; by default the shortest poll of the site's devices, at most the plant's step.
    server
        ``pymodbus``, or ``own``: our own server, which costs a third of the time per request, takes pipelined requests and holds a
        device that allows one client to it.
    """

    def __init__(
        self,
        site: Site,
        plant: EmulatedPlant,
        clock: Clock,
        *,
        refresh_s: float | None = None,
        server: Literal["pymodbus", "own"] = "pymodbus",
    ) -> None:
        self.plant = plant
        self.clock = clock
        self.bank = DeviceBank(site, plant)
        self.refresh_s = refresh_s or min([plant.step_s, *(d.poll_s for d in site.devices)])
        self._site = site
        self._kind = server
        self._servers: dict[Place, DeviceServer] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def devices(self) -> Mapping[str, EmulatedDevice]:
        """The devices by id, with their fault switches and their own records."""
        return self.bank.devices

    @property
    def site(self) -> Site:
        """The site with the ports that the devices really listen on."""
        ports = {d.id: s.port for d, s in self._placed()}
        return replace(self._site, devices=tuple(replace(d, port=ports.get(d.id, d.port)) for d in self._site.devices))

    async def start(self) -> None:
        """Start every server, then the plant's life; when one server cannot start, none stays.

        Raises
        ------
        SetupError
            If a port is in use or may not be taken.
        """
        try:
            for key, devices in groupby(sorted(self._site.devices, key=_place), key=_place):
                served = [self.devices[d.id] for d in devices]
                self._servers[key] = self._make_server(served, key)
                await self._servers[key].start()
        except BaseException:
            await self.stop()
            raise
        self.bank.refresh(self.clock.now())
        self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """Stop the plant's life and every server."""
        if self._task is not None:
            await end([self._task])
            self._task = None
        for server in self._servers.values():
            await server.stop()
        self._servers.clear()

    async def unplug(self, device: str) -> None:
        """Close one device's server, as a pulled cable or a dead gateway would; the other devices on it go with it."""
        await self._server_of(device).stop()

    async def plug(self, device: str) -> None:
        """Bring a device's server back on its port."""
        await self._server_of(device).start()

    async def __aenter__(self) -> "Fleet":
        """Start and return the fleet."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the fleet."""
        await self.stop()

    async def _live(self) -> None:
        while True:
            await self.clock.sleep(self.refresh_s)
            self.bank.refresh(self.clock.now())

    def _make_server(self, devices: Sequence[EmulatedDevice], place: Place) -> DeviceServer:
        """Return the server for one address; RTU over TCP is pymodbus' alone, TLS our own's."""
        tls = devices[0].device.tls
        if tls is not None:
            return MbapServer(devices, place[0], place[1], self.clock.now, server_context(tls, self._site.folder))
        rtu = any(d.device.framer == "rtu" for d in devices)
        kind = PymodbusServer if rtu or self._kind == "pymodbus" else MbapServer
        return kind(devices, place[0], place[1], self.clock.now)

    def _placed(self) -> list[tuple[Device, DeviceServer]]:
        return [(d, self._servers[_place(d)]) for d in self._site.devices if _place(d) in self._servers]

    def _server_of(self, device: str) -> DeviceServer:
        return next(s for d, s in self._placed() if d.id == device)


def _place(device: Device) -> Place:
    """Return what tells servers apart: host and port, and the device itself where the port is free to choose."""
    return device.host, device.port, "" if device.port else device.id
