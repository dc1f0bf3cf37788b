"""What several commands take: their arguments and options in the same words."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.instants import instant

SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="site file (YAML); the demo park when left out")]
Day = Annotated[datetime, typer.Option("--day", formats=["%Y-%m-%d"], help="local day of the site's profile year")]
Seed = Annotated[int, typer.Option(min=0, help="same seed, same plant and weather")]
Speed = Annotated[float, typer.Option(min=0.01, max=2000, help="site seconds per real second")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="port of the page, 0 for a free one")]
Seconds = Annotated[float | None, typer.Option(min=0.1, metavar="S", help="end by itself after so many real seconds")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="instant, with zone")]
Expected = Annotated[
    Literal["naive", "own"],
    typer.Option(
        help="what the loop expects: the same time before, or what the site has learned (trains for a minute)"
    ),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="with --once: also write the result to this file")
]

LOG = Path(".jouletwin/log.sqlite")
SUMMER_DAY = datetime(2015, 7, 15)  # noqa: DTZ001 # a local date, as the option gives it

WINTER_DAY = datetime(2015, 1, 14)  # noqa: DTZ001 # as above

NOON = "2015-07-15T12:00+08:00"
STATES = ".zarr, .nc, .parquet, .csv or .json by its ending"


def required(text: str) -> datetime:
    """Return the instant that ``--at`` names; it always has a value."""
    found = instant(text, "--at")
    assert found is not None  # noqa: S101 # the option has a default
    return found
