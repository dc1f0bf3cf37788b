"""The emulated fleet as a process of its own: what ``jouletwin emulate`` runs."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hil.clocks import RealClock, ScaledClock
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from models.errors import JouletwinError
from models.ports import Clock
from models.site import Site

Obey = Callable[[str], None]
Orders = Callable[[Obey], None]


def unheeded(obey: Obey) -> None:
    """Give no orders."""
    del obey


def serve_fleet(
    site: Site,
    *,
    base_port: int | None = None,
    seed: int = 1,
    start: datetime | None = None,
    speed: float = 1.0,
    step_s: float = 60.0,
    outages: bool = False,
    announce: Callable[[str], None] = print,
    orders: Orders = unheeded,
) -> None:
    """Serve every device of a site until SIGINT or SIGTERM.

    Parameters
    ----------
    base_port
        Port of the first device, the others follow in file order; 0 lets the machine choose, None takes the site's ports.
    start
        First instant of the plant's life; now by default.
    speed
        Seconds of the plant's life per second.
    announce
        Takes one line per device: id, host:port, unit, register map.
    orders
        Is given who obeys; may hand it lines from any thread: ``unplug ID`` takes a device off the network, ``plug ID`` brings it back.

    Raises
    ------
    SetupError
        If a port is in use or may not be taken.
    MapError
        If a device's register map cannot be used.
    """
    clock = _clock(start, speed)
    # made before the loop takes the signals over: the first plant on a machine waits for a compiler, and Ctrl-C ends that
    plant = EmulatedPlant(site, seed, clock.now(), step_s=step_s, outages=outages)
    asyncio.run(_serve(placed(site, base_port), plant, clock, announce, orders))


def placed(site: Site, base_port: int | None) -> Site:
    """Return the site with its devices' ports counted from ``base_port``; 0 leaves the choice to the machine, None changes nothing."""
    if base_port is None:
        return site
    ports = [base_port + k if base_port else 0 for k in range(len(site.devices))]
    return replace(site, devices=tuple(replace(d, port=port) for d, port in zip(site.devices, ports, strict=True)))


def _clock(start: datetime | None, speed: float) -> Clock:
    if start is None and speed == 1.0:
        return RealClock()
    return ScaledClock(start or RealClock().now(), speed)


async def _serve(
    site: Site, plant: EmulatedPlant, clock: Clock, announce: Callable[[str], None], orders: Orders
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Fleet(site, plant, clock) as fleet:
        for device in fleet.site.devices:
            announce(f"{device.id} {device.host}:{device.port} unit {device.unit_id} {device.map}")
        under_way: set[asyncio.Task[None]] = set()

        def obey(line: str) -> None:
            task = loop.create_task(_obey(fleet, line, announce))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

        def hand_over(line: str) -> None:
            loop.call_soon_threadsafe(obey, line)

        orders(hand_over)
        await stop.wait()


async def _obey(fleet: Fleet, line: str, announce: Callable[[str], None]) -> None:
    """Carry out one order, and say what became of it."""
    order, _, device = line.strip().partition(" ")
    if order not in ("unplug", "plug") or device not in fleet.devices:
        announce(f"{line.strip()}: write unplug or plug, and the id of a device: {', '.join(fleet.devices)}")
        return
    try:
        await (fleet.unplug(device) if order == "unplug" else fleet.plug(device))
    except JouletwinError as problem:
        announce(f"{line.strip()}: {problem}")
        return
    announce(f"{device} is {order}ged")
