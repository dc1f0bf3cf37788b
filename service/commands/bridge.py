"""``bridge``: every device of a site read over Modbus, as a live table."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.live import Live
from rich.table import Table

from hil.bridge import Bridge
from hil.clocks import RealClock
from models.ports import Quality, Reading
from models.site import Site
from models.site.file import load_site
from service.commands.screen import console

COLOUR = {
    Quality.GOOD: "green",
    Quality.UNCERTAIN: "yellow",
    Quality.STALE: "yellow",
    Quality.BAD: "red",
    Quality.SUBSTITUTED: "cyan",
}


def show_readings(site_file: Path, *, seconds: float | None, every_s: float) -> int:
    """Show the latest value of every point until Ctrl-C or for ``seconds``; return 1 when no device answers at the end."""
    site = load_site(site_file)
    try:
        readings = asyncio.run(_show(site, seconds, every_s))
    except KeyboardInterrupt:
        return 0
    silent = {r.device for r in readings} - {r.device for r in readings if r.quality is not Quality.BAD}
    if readings and len(silent) == len(site.devices):
        console.print(
            "[bold red]No device answers.[/] Start the plant with `jouletwin emulate`, or check host and port in the site file."
        )
        return 1
    return 0


async def _show(site: Site, seconds: float | None, every_s: float) -> Sequence[Reading]:
    clock = RealClock()
    until = None if seconds is None else clock.monotonic() + seconds
    readings: Sequence[Reading] = ()
    async with Bridge(site, clock) as bridge:
        with Live(console=console, refresh_per_second=4) as live:
            while until is None or clock.monotonic() < until:
                readings = await bridge.read()
                live.update(readings_table(readings, clock.now()))
                await clock.sleep(every_s)
    return readings


def readings_table(readings: Sequence[Reading], now: datetime) -> Table:
    """Return readings as a table: device, point, value, quality, age."""
    table = Table(header_style="bold")
    for title in ("device", "point"):
        table.add_column(title, no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("quality")
    table.add_column("age, s", justify="right")
    for r in readings:
        value = "–" if r.quality is Quality.BAD else f"{r.value:,.6g}"
        age = "–" if r.quality is Quality.BAD else f"{(now - r.measured_at).total_seconds():.1f}"
        table.add_row(r.device, r.quantity, value, f"[{COLOUR[r.quality]}]{r.quality.value}[/]", age)
    return table
