"""``serve``: the loop on the devices that the site file names, with interface and page."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hil.bridge import Mode
from hil.clocks import RealClock
from models.errors import SetupError
from service.app import create_app
from service.calibrations import Revised, load_revised
from service.commands.screen import console
from service.commissioning import take_up
from service.forecasting import Expects
from service.memory import Memory
from service.opening import Doors, opened, require_loopback
from service.operation import Operation
from service.past import Past
from service.runtime import PlantKind, Runtime
from service.session import until_interrupted, watch
from service.web import Web, listening_socket

SAYS = {
    Mode.AUTO: "Mode auto: set-points are carried out.",
    Mode.ADVISE: "Mode advise: set-points wait on the page until an operator carries them out.",
    Mode.SHADOW: "Mode shadow: what would be sent is in the journal, frame by frame; nothing is sent.",
    Mode.OFF: "Mode off: devices are read, and nothing is commanded.",
}


@dataclass(frozen=True, slots=True)
class Serving:
    """How a site is served: where, for how long, with which expectations, how far the bridge may go, and where it lives if not here."""

    host: str
    port: int
    seconds: float | None
    expects: str
    mode: Mode
    bridge_at: Path | None


@dataclass(frozen=True, slots=True)
class Books:
    """What is written down beside the store, and for how long: the journal of commands and the log of turns."""

    journal: Path
    log: Path
    log_kept: timedelta
    commands_kept: timedelta


def serve(site_file: Path, serving: Serving, books: Books, doors: Doors) -> None:
    """Operate the site's devices in real time and serve interface and page until Ctrl-C."""
    revised = load_revised(site_file)
    if doors.local:
        require_loopback(serving.host)
    socket = listening_socket(serving.host, serving.port)
    writable_folder(books.journal.parent, "--journal")
    writable_folder(books.log.parent, "--log")
    runtime = Runtime(Memory(revised.site), RealClock(), PlantKind.DEVICES, mode=serving.mode)
    operation = Operation(
        runtime,
        journal=books.journal,
        log=books.log,
        log_kept=books.log_kept,
        commands_kept=books.commands_kept,
        expects=Expects(serving.expects),
        bridge_at=serving.bridge_at,
    )
    backing, secret = opened(doors)
    take_up(runtime, backing)
    backing.past = Past(books.log, revised.site)
    web = Web(create_app(runtime, backing), runtime, socket)
    crew = doors.crew()
    with until_interrupted() as stop:
        try:
            web.start()
            crew.start()
            operation.start()
            announce(revised, serving.mode, web.address, secret)
            watch(runtime, operation, stop, serving.seconds)
        finally:
            operation.stop()
            crew.stop()
            web.stop()


def announce(revised: Revised, mode: Mode, address: str, secret: str | None) -> None:
    """Print what runs, and where."""
    site = revised.site
    console.print(f"[bold]{site.title}[/]: {len(site.devices)} devices. Open [bold green]{address}[/]. Ctrl-C ends.")
    console.print(SAYS[mode])
    if secret is not None:
        console.print(first_link(address, secret), soft_wrap=True)
    if revised.revision:
        console.print(f"calibration {revised.revision} in force")


def first_link(address: str, secret: str) -> str:
    """Return how the first person comes in."""
    return f"Nobody is known here yet. Come in as the first person, within a day: {address}setup?secret={secret}"


def writable_folder(folder: Path, option: str) -> None:
    """Make a folder if it is not there.

    Raises
    ------
    SetupError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise SetupError(f"{folder}: {fault.strerror}. Choose another place with {option}.") from None
