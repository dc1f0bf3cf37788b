"""``bridge --listen``: the bridge as a process of its own, beside the service that asks it."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

from hil.bridge import Bridge, Mode
from hil.clocks import RealClock
from service.bridging.serving import Served, served
from service.calibrations import load_revised
from service.commands.screen import console


def keep_bridge(site_file: Path, place: Path, *, journal: Path, mode: Mode, kept: timedelta) -> None:
    """Own the site's devices and their journal until SIGTERM or Ctrl-C, for whichever service asks at the socket."""
    asyncio.run(_keep(site_file, place, journal, mode, kept))


async def _keep(site_file: Path, place: Path, journal: Path, mode: Mode, kept: timedelta) -> None:
    site, desk, told = load_revised(site_file).site, Served(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    bridge = Bridge(site, RealClock(), journal, desk.tell, mode=mode, approve=desk.objection, kept=kept)
    async with served(bridge, desk, place):
        console.print(
            f"[bold]{site.title}[/]: {len(site.devices)} devices, mode {mode.value}, asked at {place}. Ctrl-C ends."
        )
        await told.wait()
