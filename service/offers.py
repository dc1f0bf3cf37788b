"""Commands of a trader: the offers of a day with their proof, and a whole day from the forecast to the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from service.faults import PlainFaults
from service.options import SUMMER_DAY, Day, Seed
from service.places import PARK

SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="site file (YAML); the demo park when left out")]
OfferFile = Annotated[Path, typer.Argument(metavar="FILE", help="offers that build has written (.json)")]
Prices = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="hourly prices (.csv: time, price_per_mwh) of the weeks before and the day; made up when left out",
    ),
]
Paths = Annotated[int, typer.Option(min=1, max=200, help="price paths, from the forecast's errors on the days before")]
Steps = Annotated[int, typer.Option(min=1, max=200, help="steps of a curve at most")]
Fee = Annotated[float, typer.Option(metavar="PRICE", help="grid fee on every kWh of metered import")]
Picture = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="draw it, .png or .svg")]

offers = typer.Typer(
    name="offers",
    help="What a site can offer a day-ahead market: curves with marginal cost, and the proof that its grid carries them.",
    cls=PlainFaults,
    no_args_is_help=True,
)


@offers.command()
def build(
    site: SiteFile = PARK,
    day: Day = SUMMER_DAY,
    prices: Prices = None,
    paths: Paths = 60,
    steps: Steps = 20,
    fee: Fee = 0.15,
    short: Annotated[float, typer.Option(min=0, metavar="PRICE", help="what a kWh too little costs on top")] = 0.0,
    long: Annotated[float, typer.Option(min=0, metavar="PRICE", help="what a kWh too much costs on top")] = 0.0,
    without_grid: Annotated[bool, typer.Option("--without-grid", help="do not replay the paths on the grid")] = False,
    seed: Seed = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the offers: .json or .csv")
    ] = None,
    plot: Picture = None,
) -> None:
    """Make a day's offers from price paths, each with its own optimum; exit 1 when a position stays beyond a limit of the grid."""
    from scenarios.offering import Deviations
    from service.commands.offers import Asked, build_offers

    asked = Asked(day.date(), prices, paths, steps, fee, Deviations(short, long), not without_grid, seed)
    raise typer.Exit(build_offers(site, asked, out=out, plot=plot))


@offers.command()
def show(file: OfferFile, plot: Picture = None) -> None:
    """Print the curves of offers that were written before, hour by hour."""
    from service.commands.offers import show_offers

    show_offers(file, plot)


@offers.command()
def proof(file: OfferFile) -> None:
    """Say what was replayed before offers were made, and what it does not prove; exit 1 when something was beyond a limit."""
    from service.commands.offers import show_proof

    raise typer.Exit(show_proof(file))


def trade_day(
    site: SiteFile = PARK,
    day: Day = SUMMER_DAY,
    prices: Prices = None,
    paths: Paths = 60,
    steps: Steps = 20,
    fee: Fee = 0.15,
    hedge: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="share of the expected purchase under a contract for difference"
        ),
    ] = 0.5,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="offer whole-day profiles as an exclusive group, not a curve per hour")
    ] = False,
    modbus: Annotated[
        bool, typer.Option("--modbus", help="carry the day out over loopback Modbus, not in process")
    ] = False,
    seed: Seed = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write trace and account: .json")
    ] = None,
    ledger: Annotated[Path | None, typer.Option(metavar="FILE", help="write the ledger's journal: .csv")] = None,
    plot: Picture = None,
) -> None:
    """Trade one day of an emulated site: forecast, plan, offer, order, trade, position, schedule, commands, meters, settlement, ledger.

    One trace id follows it; the day's result is explained. Exit 0 only if the trace is whole and the ledger sums to zero.
    """
    from scenarios.trading.traded import TradeSettings
    from service.commands.trade_day import show_trade_day

    settings = TradeSettings(
        paths, steps, "profiles" if profiles else "curves", fee, hedged_share=hedge, over_modbus=modbus, seed=seed
    )
    raise typer.Exit(show_trade_day(site, day.date(), prices, settings, out=out, ledger=ledger, plot=plot))
