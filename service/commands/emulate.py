"""``emulate``: the devices of a site, served over Modbus TCP."""

from datetime import datetime
from pathlib import Path

from hil.clocks import RealClock
from hil.emulators.process import Obey, serve_fleet
from models.horizon import require_utc
from models.site.file import load_site
from service.emulation import TimeScale, heed, terminate, typed_here
from service.pace import paced


def emulate(
    site_file: Path,
    *,
    base_port: int | None,
    seed: int,
    speed: float,
    start: datetime | None,
    outages: bool,
    until_stdin_closes: bool,
) -> None:
    """Serve every device until SIGINT or SIGTERM; tell first how the plant's time runs, then where each device listens."""
    site = paced(load_site(site_file), speed)
    first = require_utc(start) if start is not None else RealClock().now()
    _announce(str(TimeScale.beginning(first, speed)))

    def orders(obey: Obey) -> None:
        if (typed := typed_here()) is not None:
            heed(typed, obey, terminate if until_stdin_closes else None)

    serve_fleet(
        site,
        base_port=base_port,
        seed=seed,
        start=first,
        speed=speed,
        outages=outages,
        announce=_announce,
        orders=orders,
    )


def _announce(line: str) -> None:
    print(line, flush=True)
