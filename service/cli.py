"""The command line: what to do in which words; the work is imported only when a command runs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from service.faults import PlainFaults
from service.places import PARK

app = typer.Typer(
    name="jouletwin",
    help="Digital twin of a multi-energy site: check it, plan it, emulate it, run it.",
    cls=PlainFaults,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help appears in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)

SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="site file (YAML); the demo park when left out")]
Day = Annotated[datetime, typer.Option("--day", formats=["%Y-%m-%d"], help="local day of the site's profile year")]
Json = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="also write the result to this file")]


@app.command()
def check(site: SiteFile = PARK) -> None:
    """Print every finding of a site file; exit 1 when it has errors."""
    from service.commands.check import check_file

    raise typer.Exit(check_file(site))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the site format."""
    from service.commands.check import print_schema

    print_schema()


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
