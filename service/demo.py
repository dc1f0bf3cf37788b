"""The demo: an emulated park in a process of its own, the loop that operates it over Modbus, and the page that shows it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from models.errors import SetupError
from models.horizon import require_utc
from models.site import Site
from models.site.file import load_site
from service.app import create_app
from service.commands.screen import console
from service.emulation import EmulatedProcess, heed, typed_here
from service.forecasting import Expects
from service.memory import Memory
from service.opening import Doors, opened
from service.operation import Operation
from service.pace import paced
from service.past import Past
from service.runtime import PlantKind, Runtime
from service.session import until_interrupted, watch
from service.web import HOST, Web, listening_socket

RECORDS = Path(".jouletwin")
FIRST_HOUR = 6
"""The demo begins in the morning, so that the sun rises while one is looking."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What can be chosen about a demo; ``seconds`` None runs until Ctrl-C."""

    site_file: Path
    day: date
    speed: float = 144.0
    port: int = 0
    seed: int = 1
    seconds: float | None = None
    outages: bool = False
    expects: Expects = Expects.NAIVE


def run_demo(settings: DemoSettings) -> None:
    """Run the demo until it is ended; nothing of it is left behind, however it ends."""
    site = paced(load_site(settings.site_file), settings.speed)
    socket = listening_socket(HOST, settings.port)
    with until_interrupted() as stop, fresh_records(settings.port) as records:
        console.print(f"[bold]{site.title}[/]: {site.notice}")
        with emulated(site, settings) as plant:
            runtime = Runtime(Memory(site), plant.scale.clock(), PlantKind.EMULATED, settings.speed)
            operation = Operation(
                runtime,
                addresses=plant.addresses,
                journal=records / "journal.sqlite",
                log=records / "log.sqlite",
                seed=settings.seed,
                expects=settings.expects,
            )
            doors = Doors(records / "store.sqlite", records / "results", local=True)
            backing, _ = opened(doors)
            backing.past = Past(records / "log.sqlite", site)
            crew = doors.crew()
            web = Web(create_app(runtime, backing), runtime, socket)
            try:
                web.start()
                crew.start()
                operation.start()
                console.print(announcement(site, plant, web.address, settings.speed))
                if (typed := typed_here()) is not None:
                    heed(typed, plant.tell)
                watch(runtime, operation, stop, settings.seconds)
            finally:
                operation.stop()
                crew.stop()
                web.stop()
    console.print(farewell(runtime, operation))
    if settings.port:
        console.print(records_words(records), highlight=False, soft_wrap=True)


def records_words(records: Path) -> str:
    """Return where the demo's records are and what can be done with them."""
    return (
        f"Every write is in {records / 'journal.sqlite'}, every turn in {records / 'log.sqlite'}:"
        f" jouletwin replay --log {records / 'log.sqlite'}"
    )


@contextmanager
def fresh_records(port: int) -> Iterator[Path]:
    """Give an empty folder for the journal and the log of a demo on this port; those of the demo before leave.

    On a port that the machine chose nobody will look for them, so they go when the demo ends.

    Raises
    ------
    SetupError
        If the folder cannot be written.
    """
    if not port:
        with TemporaryDirectory(prefix="jouletwin-") as passing:
            yield Path(passing)
        return
    folder = RECORDS / f"demo-{port}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as fault:
        raise SetupError(f"{folder}: {fault.strerror}. Start the demo in a folder that can be written.") from None
    yield folder


def emulated(site: Site, settings: DemoSettings) -> EmulatedProcess:
    """Return the emulated plant of a demo, not yet started."""
    start = morning(site, settings.day)
    return EmulatedProcess(
        site, settings.site_file, start, settings.speed, seed=settings.seed, outages=settings.outages
    )


def morning(site: Site, day: date) -> datetime:
    """Return the instant at which the demo's day begins."""
    zone = ZoneInfo(site.location.time_zone)
    return require_utc(datetime(day.year, day.month, day.day, FIRST_HOUR, tzinfo=zone))


def announcement(site: Site, plant: EmulatedProcess, address: str, speed: float) -> str:
    """Return what stands on the terminal while the demo runs."""
    minutes = timedelta(days=1).total_seconds() / speed / 60
    return (
        f"{len(site.devices)} emulated devices answer over Modbus TCP in process {plant.pid}; a day passes in {minutes:.0f} minutes.\n"
        f"Open [bold green]{address}[/] in a browser. Ctrl-C ends everything;"
        f" unplug {site.devices[0].id} and Enter takes a device off the network, plug {site.devices[0].id} brings it back."
    )


def farewell(runtime: Runtime, operation: Operation) -> str:
    """Return what the demo has done, in a few figures."""
    memory, stats = runtime.memory, operation.stats
    outcomes = ", ".join(f"{number} {outcome.value}" for outcome, number in memory.outcomes().items())
    wire = "" if stats is None else f"; {stats.reads} blocks read, {stats.writes} frames written"
    return f"{len(memory.plans())} plans, commands: {outcomes}{wire}. All ended."
