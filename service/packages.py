"""Commands of packages: the words; the work is imported only when a command runs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.options import SiteFile
from service.places import PARK

package = typer.Typer(
    name="package",
    help="Design, prove, price and recommend energy packages on customers' own meter data.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Language = Annotated[Literal["en", "zh"], typer.Option("--language", help="language of the proposal")]
Costs = Annotated[
    Path | None, typer.Option("--costs", metavar="FILE", help="figures of your own, in the form of the shipped ones")
]
Sun = Annotated[
    Path | None,
    typer.Option(
        "--sun", metavar="FILE", help="years of sun: CSV with start_utc and pv_pu; a generated climate when left out"
    ),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the proposal: .pdf or .html")]


@package.command()
def design(
    meters: Annotated[Path, typer.Argument(metavar="METERS", help="meter data: CSV or Excel")],
    tariff: Annotated[Path, typer.Option("--tariff", metavar="FILE", help="what the customer pays: YAML or JSON")],
    customer: Annotated[
        str, typer.Option("--customer", metavar="NAME", help="which one, where the file holds several")
    ] = "",
    out: Out = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            "--fact", metavar="NAME=VALUE", help="what is known of the site, repeatable: heat_kwh=250000, vehicles=12"
        ),
    ] = None,
    roof_m2: Annotated[float, typer.Option("--roof-m2", min=0, help="free roof")] = 0.0,
    name: Annotated[str, typer.Option("--name", help="how the customer is called in the proposal")] = "",
    sector: Annotated[str, typer.Option("--sector", help="what it does")] = "",
    zone: Annotated[
        str, typer.Option("--zone", help="clock of the customer and of times without zone")
    ] = "Asia/Shanghai",
    unit: Annotated[str, typer.Option("--unit", help="kWh or kW, for columns that do not say")] = "",
    language: Language = "en",
    costs: Costs = None,
    sun: Sun = None,
    others: Annotated[
        Path | None,
        typer.Option(
            "--others",
            metavar="FILE",
            help="other customers: their yearly kWh (CSV, a column per year) or base data of two years (.npz): how much years differ",
        ),
    ] = None,
    site: Annotated[
        Path | None, typer.Option("--site", metavar="SITE", help="with --bus: replay the package on its network")
    ] = None,
    bus: Annotated[str, typer.Option("--bus", help="where the customer is connected")] = "",
    kind: Annotated[
        Literal["integrated", "single", "emergency", "ev_charging", ""],
        typer.Option("--package", help="the base package that it has to be; the best of all when left out"),
    ] = "",
    internal: Annotated[bool, typer.Option("--internal", help="also what we earn; not for the customer")] = False,
) -> None:
    """Design the package of one customer from its meter data, prove it and write the proposal."""
    from service.commands.package import design_one
    from service.commands.package_inputs import Asked

    asked = Asked(
        meters,
        tariff,
        customer,
        name,
        sector,
        zone,
        unit,
        roof_m2,
        tuple(fact or ()),
        others,
        site,
        bus,
        internal,
        kind,
    )
    raise typer.Exit(design_one(asked, out, language, costs, sun))


@package.command()
def park(
    site: SiteFile = PARK,
    folder: Annotated[
        Path | None, typer.Option("--pdf", metavar="FOLDER", help="write one proposal per customer")
    ] = None,
    language: Language = "en",
    costs: Costs = None,
    capital: Annotated[
        float | None, typer.Option("--capital", min=0, metavar="CNY", help="what may be spent on all of them")
    ] = None,
) -> None:
    """Design the packages of every customer of a site, choose under capital, and replay them together on its network."""
    from service.commands.package import design_park

    raise typer.Exit(design_park(site, folder, language, costs, capital))


@package.command()
def catalogue() -> None:
    """Print the service modules and the base packages that they compose into."""
    from service.commands.package import show_catalogue

    show_catalogue()


@package.command("costs")
def costs_(
    costs: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="figures of your own beside the shipped ones")
    ] = None,
    sources: Annotated[bool, typer.Option("--sources", help="with the source of every figure")] = False,
) -> None:
    """Print the cost library with its ranges; exit 1 when a file of your own has errors."""
    from service.commands.package import show_costs

    show_costs(costs, sources=sources)


@package.command()
def recommend(
    meters: Annotated[Path, typer.Argument(metavar="METERS", help="meter data of all customers: CSV or Excel")],
    tariff: Annotated[Path, typer.Option("--tariff", metavar="FILE", help="what they pay: YAML or JSON")],
    facts: Annotated[Path, typer.Option("--facts", metavar="FILE", help="CSV with customer, roof_m2 and sector")],
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="FILE", help="CSV with customer and package: what was taken so far"),
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", help="clock of the customers and of times without zone")
    ] = "Asia/Shanghai",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="also write all of them: .csv")
    ] = None,
) -> None:
    """Recommend packages to many customers: money exact by simulation, taste by what others took, every weight shown."""
    from service.commands.recommend import show_recommendations

    raise typer.Exit(show_recommendations(meters, tariff, facts, history, zone, out))


@package.command()
def match(
    offers: Annotated[Path, typer.Argument(metavar="OFFERS", help="providers' offers: CSV")],
    site: Annotated[
        Path, typer.Option("--site", metavar="SITE", help="whose customers' packages are to be built")
    ] = PARK,
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], help="day on which offers must hold; today when left out"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="also write the matches: .csv")
    ] = None,
) -> None:
    """Match what customers' packages need with providers, within capacities and feeders, replayed on the network."""
    from hil.clocks import RealClock
    from service.commands.recommend import show_matching

    day = on.date() if on else RealClock().now().date()
    raise typer.Exit(show_matching(site, offers, day, out))
