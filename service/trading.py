"""Commands of markets: the words; the work is imported only when a command runs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.options import SUMMER_DAY, SiteFile
from service.places import PARK

market = typer.Typer(
    name="market",
    help="Clear an auction, run an order book, settle a delivery: exact to the unit, and each with its proof.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="also write the result: .json")]


@market.command()
def clear(
    file: Annotated[Path, typer.Argument(metavar="AUCTION", help="product, participants and orders (YAML)")],
    out: Out = None,
    first_come: Annotated[bool, typer.Option("--first-come", help="at the price, first come first served")] = False,
    deadline: Annotated[float, typer.Option(min=0.1, metavar="S", help="how long the search may take")] = 60.0,
) -> None:
    """Clear an auction with steps, curves, blocks and families; every order is told why. Exit 1 when orders are refused."""
    from service.commands.market import clear_file

    raise typer.Exit(clear_file(file, out, first_come=first_come, deadline_s=deadline))


@market.command()
def places(
    file: Annotated[Path, typer.Argument(metavar="AUCTION", help="as for clear, each order with its place (YAML)")],
    site: Annotated[
        Path | None, typer.Option("--grid", metavar="SITE", help="places are buses of this site's grid, not zones")
    ] = None,
) -> None:
    """Clear an auction over zones with transfer capacities, or over the buses of a site's own grid: a price at every place."""
    from service.commands.market import clear_places

    raise typer.Exit(clear_places(file, site))


@market.command()
def book(
    file: Annotated[Path, typer.Argument(metavar="EVENTS", help="orders, cancels and changes in their order (CSV)")],
    lowest: Annotated[int, typer.Option(metavar="TICK", help="lowest price")] = 0,
    highest: Annotated[int, typer.Option(metavar="TICK", help="highest price")] = 100_000,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="write what happened, for replay")] = None,
) -> None:
    """Run a continuous order book over a file of events and print its trades; refused events are told and change nothing."""
    from service.commands.market import run_book

    raise typer.Exit(run_book(file, lowest, highest, journal))


@market.command("replay")
def replay_(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="what book wrote")],
) -> None:
    """Run a book once more from its journal; exit 1 when a line of it was changed."""
    from service.commands.market import replay_book

    raise typer.Exit(replay_book(journal))


@market.command()
def settle(
    file: Annotated[Path, typer.Argument(metavar="DELIVERY", help="trades, meters, prices and contracts (YAML)")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the ledger's journal for accounting: .csv")
    ] = None,
) -> None:
    """Settle a delivery and book it; exit 1 when something is missing or wrong, and nothing is booked then."""
    from service.commands.market import settle_file

    raise typer.Exit(settle_file(file, out))


@market.command()
def bill(
    site: SiteFile = PARK,
    month: Annotated[
        datetime, typer.Option(formats=["%Y-%m"], help="local month of the site's profile year")
    ] = SUMMER_DAY,
    folder: Annotated[Path | None, typer.Option("--pdf", metavar="FOLDER", help="write one PDF per customer")] = None,
    language: Annotated[Literal["en", "zh"], typer.Option(help="language of the PDFs")] = "en",
) -> None:
    """Bill the electricity of a site's customers for a month of its profile year, every line with the readings behind it."""
    from service.commands.bills import bill_customers

    raise typer.Exit(bill_customers(site, month, folder, language))
