"""Processes of an installation: the service, workers beside it, and the bridge where that is a process of its own."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.keeping import Address, Results
from service.options import LOG, Expected, Port, Seconds, SiteFile
from service.places import PARK, RECORDS, RESULTS, STORE

Journal = Annotated[Path, typer.Option(metavar="FILE", help="durable record of commands")]
KeptCommands = Annotated[
    float,
    typer.Option(
        "--keep-commands",
        min=9,
        metavar="D",
        help="how many days the journal keeps commands that are over; what is unproven or may still stand is kept for ever",
    ),
]
HowFar = Annotated[
    Literal["auto", "advise", "shadow", "off"],
    typer.Option(help="carry set-points out, let an operator confirm each, only write down the frames, or only read"),
]
KeptTurns = Annotated[
    float, typer.Option("--keep-days", min=9, metavar="D", help="how far back the log reaches; older turns leave it")
]
KeptPoints = Annotated[
    float, typer.Option("--keep-points-days", min=1, metavar="D", help="older points are kept as 15-minute means")
]
Log = Annotated[Path, typer.Option(metavar="FILE", help="what the site does, for replay and the next start")]
Socket = Annotated[
    Path | None, typer.Option("--bridge", metavar="SOCKET", help="ask the bridge that listens there (bridge --listen)")
]
Local = Annotated[bool, typer.Option("--local", help="no login: whoever works on this machine may do everything")]
FourEyes = Annotated[
    bool | None, typer.Option(help="nobody applies a schedule that nobody else has approved; kept in the store")
]
Working = Annotated[bool, typer.Option(help="work on jobs too; without, others do (jouletwin worker)")]
Lines = Annotated[bool, typer.Option("--log-lines", help="one line of JSON per request on the error stream")]
UntilStdinCloses = Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)]
JOURNAL = RECORDS / "journal.sqlite"


def serve(
    site: SiteFile = PARK,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Port = 8700,
    journal: Journal = JOURNAL,
    log: Log = LOG,
    keep_days: KeptTurns = 30.0,
    keep_commands: KeptCommands = 400.0,
    keep_points_days: KeptPoints = 90.0,
    seconds: Seconds = None,
    forecast: Expected = "naive",
    mode: HowFar = "auto",
    bridge: Socket = None,
    store: Address = STORE,
    results: Results = RESULTS,
    local: Local = False,
    four_eyes: FourEyes = None,
    worker: Working = True,
    log_lines: Lines = False,
) -> None:
    """Operate the site's devices in real time, with interface and page; the first start prints a link to come in."""
    from hil.bridge import Mode
    from service.backing import Kept
    from service.commands.serve import Books, Serving
    from service.commands.serve import serve as run
    from service.opening import Doors

    kept = Kept(points=timedelta(days=keep_points_days))
    doors = Doors(store, results, local=local, four_eyes=four_eyes, worker=worker, log_lines=log_lines, kept=kept)
    books = Books(journal, log, timedelta(days=keep_days), timedelta(days=keep_commands))
    run(site, Serving(host, port, seconds, forecast, Mode(mode), bridge), books, doors)


def worker(
    store: Address = STORE,
    results: Results = RESULTS,
    memory: Annotated[float, typer.Option(min=256, metavar="MB", help="a job that takes more is ended")] = 6000.0,
    until_stdin_closes: UntilStdinCloses = False,
) -> None:
    """Work on the jobs of a store; serve starts one by itself, further ones may run on other machines."""
    from service.commands.worker import work

    work(store, results, resident_most_mb=memory, until_stdin_closes=until_stdin_closes)


def bridge(
    site: SiteFile = PARK,
    seconds: Seconds = None,
    every: Annotated[float, typer.Option(min=0.1, metavar="S", help="seconds between two looks")] = 1.0,
    listen: Annotated[
        Path | None, typer.Option(metavar="SOCKET", help="own the devices for the service that asks there")
    ] = None,
    journal: Journal = JOURNAL,
    keep_commands: KeptCommands = 400.0,
    mode: HowFar = "auto",
) -> None:
    """Read the site's devices over Modbus TCP and show every value; with --listen, own them for a service (serve --bridge)."""
    if listen is None:
        from service.commands.bridge import show_readings

        raise typer.Exit(show_readings(site, seconds=seconds, every_s=every))
    from hil.bridge import Mode
    from service.commands.bridge_process import keep_bridge

    keep_bridge(site, listen, journal=journal, mode=Mode(mode), kept=timedelta(days=keep_commands))
