"""``serve``: the loop on the devices that the site file names, with interface and page."""

from datetime import timedelta
from pathlib import Path

from hil.bridge import Mode
from hil.clocks import RealClock
from models.errors import SetupError
from service.app import create_app
from service.calibrations import load_revised
from service.commands.screen import console
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


def serve(
    site_file: Path,
    *,
    host: str,
    port: int,
    journal: Path,
    log: Path,
    log_kept: timedelta,
    commands_kept: timedelta,
    seconds: float | None,
    expects: str,
    mode: Mode,
    doors: Doors,
) -> None:
    """Operate the site's devices in real time and serve interface and page until Ctrl-C."""
    revised = load_revised(site_file)
    site = revised.site
    if doors.local:
        require_loopback(host)
    socket = listening_socket(host, port)
    writable_folder(journal.parent, "--journal")
    writable_folder(log.parent, "--log")
    runtime = Runtime(Memory(site), RealClock(), PlantKind.DEVICES, mode=mode)
    operation = Operation(
        runtime, journal=journal, log=log, log_kept=log_kept, commands_kept=commands_kept, expects=Expects(expects)
    )
    backing, secret = opened(doors)
    backing.past = Past(log, site)
    web = Web(create_app(runtime, backing), runtime, socket)
    crew = doors.crew()
    with until_interrupted() as stop:
        try:
            web.start()
            crew.start()
            operation.start()
            console.print(
                f"[bold]{site.title}[/]: {len(site.devices)} devices. Open [bold green]{web.address}[/]. Ctrl-C ends."
            )
            console.print(SAYS[mode])
            if secret is not None:
                console.print(first_link(web.address, secret), soft_wrap=True)
            if revised.revision:
                console.print(f"calibration {revised.revision} in force")
            watch(runtime, operation, stop, seconds)
        finally:
            operation.stop()
            crew.stop()
            web.stop()


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
