"""``device`` and ``chaos``: looking at one device before it is put into a site, and standing between it and its client."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from hil.faultplan import FaultPlan
    from hil.probe import Model, Tried

device = typer.Typer(
    name="device",
    help="Look at one device: which SunSpec models it has, what a register map reads from it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Host = Annotated[str, typer.Argument(metavar="HOST", help="name or address of the device")]
DevicePort = Annotated[int, typer.Option("--port", min=1, max=65535, help="Modbus port")]
Unit = Annotated[int, typer.Option("--unit", min=0, max=255, help="unit id behind the port")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.05, max=60, metavar="S", help="how long an answer may take")]

MODELS = {
    1: "common",
    101: "inverter, one phase",
    102: "inverter, split phase",
    103: "inverter, three phases",
    111: "inverter, one phase, floats",
    112: "inverter, split phase, floats",
    113: "inverter, three phases, floats",
    120: "nameplate",
    121: "basic settings",
    122: "extended measurements",
    123: "immediate controls",
    124: "storage controls",
    160: "several DC inputs",
    201: "meter, one phase",
    203: "meter, three phases, star",
    204: "meter, three phases, delta",
    213: "meter, three phases, star, floats",
    701: "DER AC measurement",
    702: "DER capacity",
    703: "DER enter service",
    704: "DER AC controls",
    713: "DER storage capacity",
    714: "DER DC measurement",
    715: "DER control",
    802: "battery",
    803: "lithium-ion battery bank",
}
"""Numbers of common SunSpec models, in words; source: SunSpec Device Information Model Specification."""


@device.command("probe")
def probe(host: Host, port: DevicePort = 502, unit: Unit = 1, timeout: Timeout = 2.0) -> None:
    """Scan a device for SunSpec models; exit 1 when it shows none."""
    import asyncio

    from hil.probe import scan_sunspec
    from service.commands.screen import console, count

    models = asyncio.run(scan_sunspec(host, port, unit_id=unit, timeout_s=timeout))
    if not models:
        console.print(
            f"{host}:{port} unit {unit} answers and shows no SunSpec image at 40000, 50000 or 0. Try another --unit,"
            " or a register map with: jouletwin device try MAP HOST",
            highlight=False,
        )
        raise typer.Exit(1)
    console.print(models_table(models))
    console.print(f"{count(len(models), 'model')} at {host}:{port} unit {unit}", highlight=False)


@device.command("try")
def try_map(
    name: Annotated[str, typer.Argument(metavar="MAP", help="shipped map by name, or a file ending in .yaml")],
    host: Host,
    port: DevicePort = 502,
    unit: Unit = 1,
    rtu: Annotated[bool, typer.Option("--rtu", help="RTU frames over TCP")] = False,
    rating: Annotated[
        float, typer.Option("--rating", min=0.001, metavar="KW", help="rated power that percent values refer to")
    ] = 1.0,
    timeout: Timeout = 2.0,
) -> None:
    """Read every point of a register map once and show raw registers and values; exit 1 when a point is not as it should be."""
    import asyncio

    from hil.maps import load_map
    from hil.probe import try_map as tried
    from service.commands.screen import console, count

    framer = "rtu" if rtu else "socket"
    found = load_map(name)
    points = asyncio.run(tried(found, host, port, unit_id=unit, framer=framer, timeout_s=timeout, rating_kw=rating))
    bad = sum(bool(p.words) for p in points)
    console.print(points_table(points))
    state = f"{bad} not as they should be" if bad else "all good"
    console.print(
        f"{count(len(points), 'point')} of {found.name} at {host}:{port} unit {unit}: {state}", highlight=False
    )
    raise typer.Exit(1 if bad else 0)


def chaos(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="fault plan (YAML)")],
    beyond_this_machine: Annotated[
        bool, typer.Option("--beyond-this-machine", help="let clients or device be on other machines")
    ] = False,
) -> None:
    """Stand between a Modbus client and a device and do to their frames what a plan says, for as long as it says."""
    import asyncio

    from hil.faultplan import load_plan
    from service.commands.screen import findings_table, progress_console

    found, findings = load_plan(plan, beyond_this_machine=beyond_this_machine)
    if findings:
        progress_console.print(findings_table(findings))
    try:
        asyncio.run(_stand_between(found))
    except KeyboardInterrupt:
        progress_console.print("ended before the plan did")


async def _stand_between(plan: "FaultPlan") -> None:
    """Run a plan, say where to connect, and show at the end what was done to how many frames."""
    import asyncio

    from rich.table import Table

    from hil.faultacts import carry_out
    from hil.faultplan import proxy_of
    from service.commands.screen import console

    proxy = proxy_of(plan)
    port = await proxy.start(plan.listen_port, plan.listen)
    way = f"{plan.listen}:{port} leads to {plan.device}:{plan.port} for {plan.seconds:g} s, with {len(plan.faults)} fault(s)"
    console.print(way, highlight=False)
    ends = asyncio.get_running_loop().time() + plan.seconds
    try:
        async for words in carry_out(plan.acts, (plan.device, plan.port), plan.framer):
            console.print(words, highlight=False)
        await asyncio.sleep(ends - asyncio.get_running_loop().time())
    finally:
        await proxy.stop()
        table = Table(header_style="bold")
        table.add_column("fault", no_wrap=True)
        table.add_column("frames struck", justify="right")
        for kind in dict.fromkeys(f.kind for f in plan.faults):
            table.add_row(kind.value, str(proxy.injected[kind]))
        console.print(table)


def models_table(models: "Sequence[Model]") -> "Table":
    """Return the models of a device as a table."""
    from rich.table import Table

    table = Table(header_style="bold")
    for title in ("model", "header at", "registers"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("what it is")
    for m in models:
        table.add_row(str(m.number), str(m.address), str(m.length), MODELS.get(m.number, "not named here"))
    return table


def points_table(points: "Sequence[Tried]") -> "Table":
    """Return what a map read as a table: raw registers, value, unit, quality, and words for what is wrong."""
    from math import isnan

    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold")
    for title in ("point", "table", "address"):
        table.add_column(title, no_wrap=True)
    table.add_column("registers")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("quality")
    for p in points:
        value = "–" if isnan(p.value) else f"{p.value:,.6g}"
        raw = " ".join(f"{r:04x}" for r in p.registers)
        quality = f"[yellow]{escape(p.words)}[/]" if p.words else "[green]good[/]"
        table.add_row(p.quantity, p.table.value, str(p.address), raw, value, p.unit, quality)
    return table
