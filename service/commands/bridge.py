"""``bridge``: every device of a site read over Modbus, as a live table."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.live import Live
from rich.table import Table

from hil.bridge import Bridge, Mode
from hil.clocks import RealClock
from models.ports import Quality, Reading
from models.site import Site
from models.site.file import load_site
from service.commands.screen import console
from service.console.figures import grouped

COLOUR = {
    Quality.GOOD: "green",
    Quality.SUBSTITUTED: "cyan",
    Quality.UNCERTAIN: "yellow",
    Quality.STALE: "yellow",
    Quality.BAD: "red",
}
"""From the best quality to the worst."""


def show_readings(site_file: Path, *, seconds: float | None, every_s: float) -> int:
    """Show what every device measures until Ctrl-C or for ``seconds``; return 1 when no device answers at the end."""
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
    async with Bridge(site, clock, mode=Mode.OFF) as bridge:
        with Live(console=console, refresh_per_second=4) as live:
            while until is None or clock.monotonic() < until:
                readings = await bridge.read()
                live.update(readings_table(readings, clock.now()))
                await clock.sleep(every_s)
    return readings


def readings_table(readings: Sequence[Reading], now: datetime) -> Table:
    """Return readings as a table with a line per device: worst quality, highest age, and what people look for first."""
    table = Table(header_style="bold")
    for title in ("device", "quality", "age, s"):
        table.add_column(title, no_wrap=True, justify="right" if title == "age, s" else "left")
    table.add_column("values")
    devices = {r.device: [q for q in readings if q.device == r.device] for r in readings}
    for device, own in devices.items():
        worst = max((r.quality for r in own), key=list(COLOUR).index)
        usable = [r for r in own if r.quality is not Quality.BAD]
        age_s = max(((now - r.measured_at).total_seconds() for r in usable), default=None)
        table.add_row(device, f"[{COLOUR[worst]}]{worst.value}[/]", grouped(age_s, 1), " · ".join(values_shown(usable)))
    return table


def values_shown(readings: Sequence[Reading]) -> list[str]:
    """Return the values that people look for first, each with its name and unit."""
    by_name = {r.quantity: r.value for r in readings}
    return [
        f"{words} {grouped(by_name[name], digits)} {unit}".strip()
        for name, (words, digits, unit) in SHOWN.items()
        if name in by_name
    ]


SHOWN = {
    "electricity_kw": ("electricity", 1, "kW"),
    "heat_kw": ("heat", 1, "kW"),
    "gas_kw": ("gas", 1, "kW"),
    "cold_kw": ("cold", 1, "kW"),
    "setpoint_kw": ("set-point", 1, "kW"),
    "stored_kwh": ("stored", 0, "kWh"),
    "stored_share": ("stored", 3, ""),
    "supply_degc": ("supply", 1, "degC"),
    "voltage_pu": ("voltage", 4, "pu"),
    "water_m3_per_h": ("water", 2, "m3/h"),
}
