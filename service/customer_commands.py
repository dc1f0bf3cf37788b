"""Commands of customers: the words; the work is imported only when a command runs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from models.carriers import Carrier
from service.places import PARK

customers = typer.Typer(
    name="customers",
    help="From meter data to portraits, segments, target customers and savings that are proven.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="meter data (.csv, .xlsx), base data (.npz) or a site (.yaml); the demo park when left out"),
]  # fmt: skip
Unit = Annotated[str, typer.Option("--unit", help="unit of columns that carry none: kWh, kW, MWh, GJ, m3 ..")]
Zone = Annotated[str, typer.Option("--zone", help="zone of times without one, and of the customers: Asia/Shanghai")]
Kind = Annotated[Carrier, typer.Option("--carrier", help="what is metered")]
Calorific = Annotated[float | None, typer.Option("--kwh-per-m3", min=1, max=50, help="calorific value of gas in m3")]
AtEnd = Annotated[bool, typer.Option("--stamped-at-end", help="readings carry the end of their interval")]
FeedsIn = Annotated[bool, typer.Option("--feeds-in", help="customers may send energy out")]
Weather = Annotated[
    Path | None, typer.Option("--weather", metavar="FILE", help="outdoor air: CSV with a time and air_degc; a site has its own")
]  # fmt: skip
Plots = Annotated[Path | None, typer.Option("--plots", metavar="FOLDER", help="draw what is shown, .png")]
Who = Annotated[list[str] | None, typer.Option("--customer", metavar="NAME", help="only these; repeat it")]
Model = Annotated[
    Path | None, typer.Option("--model", metavar="FILE", help="segments of an earlier run: customers are put into them (.json)")
]  # fmt: skip


Margins = Annotated[
    Path | None, typer.Option("--margins", metavar="FILE", help="simulated margin a year: CSV with customer and margin; an index ranks by it")
]  # fmt: skip


@customers.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="meter data: CSV or Excel, a column per customer or a row per reading")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="keep as base data with all versions (.npz)")] = None,
    unit: Unit = "",
    zone: Zone = "",
    carrier: Kind = Carrier.ELECTRICITY,
    kwh_per_m3: Calorific = None,
    stamped_at_end: AtEnd = False,
    feeds_in: FeedsIn = False,
) -> None:  # fmt: skip
    """Read meter data, check and estimate them; exit 1 with row numbers when something is wrong, and nothing is kept then."""
    from service.commands.customers import Stated, import_file

    raise typer.Exit(import_file(file, Stated(unit, zone, carrier, kwh_per_m3, stamped_at_end, feeds_in), out))


@customers.command()
def check(source: Source = PARK, unit: Unit = "", zone: Zone = "", feeds_in: FeedsIn = False) -> None:
    """Show what is missing, wrong or doubtful in meter data, by customer; exit 1 when a customer's cannot be used."""
    from service.commands.customers import Stated, check_data

    raise typer.Exit(check_data(source, Stated(unit, zone, feeds_in=feeds_in)))


@customers.command()
def portrait(
    source: Source = PARK,
    customer: Who = None,
    weather: Weather = None,
    model: Model = None,
    plots: Plots = None,
    reports: Annotated[Path | None, typer.Option("--pdf", metavar="FOLDER", help="write a report of each")] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="what they paid: CSV with a time and price_per_kwh")
    ] = None,
    calls: Annotated[
        Path | None, typer.Option("--calls", metavar="FILE", help="calls on them: CSV with customer, start and end")
    ] = None,
    unit: Unit = "",
    zone: Zone = "",
) -> None:
    """Draw the portraits of customers: energy, assets and business in sentences, and how sure they are."""
    from service.commands.customers import Stated, show_portraits

    raise typer.Exit(
        show_portraits(source, Stated(unit, zone), customer or [], weather, model, plots, reports, prices, calls)
    )


@customers.command()
def segments(
    source: Source = PARK,
    weather: Weather = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", metavar="FILE", help="an earlier run's segments, whose names are kept (.json)")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="keep the segments (.json)")] = None,
    margins: Margins = None,
    plots: Plots = None,
    unit: Unit = "",
    zone: Zone = "",
) -> None:  # fmt: skip
    """Group customers into as many segments as are stable, and draw the market: size, growth, margin, risk and prospects of each."""
    from service.commands.customers import Stated, show_segments

    raise typer.Exit(show_segments(source, Stated(unit, zone), weather, previous, out, margins, plots))


@customers.command()
def index(
    source: Source = PARK,
    weather: Weather = None,
    margins: Margins = None,
    system: Annotated[
        Path | None, typer.Option("--system", metavar="FILE", help="an evaluation system of your own (.yaml)")
    ] = None,
    unit: Unit = "",
    zone: Zone = "",
) -> None:  # fmt: skip
    """Rank target customers: by simulated margin where there is one, with scores, rank intervals and reasons beside it."""
    from service.commands.customers import Stated, show_index

    raise typer.Exit(show_index(source, Stated(unit, zone), weather, margins, system))


@customers.command()
def efficiency(
    source: Source = PARK,
    customer: Who = None,
    weather: Weather = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="local day of a measure: measure and verify what it saved")
    ] = None,
    other: Annotated[
        list[str] | None, typer.Option("--other", metavar="NAME", help="customers without a measure, to learn how years differ; repeat it")
    ] = None,
    floor_m2: Annotated[float | None, typer.Option(min=1, help="floor area, for energy per area")] = None,
    plots: Plots = None,
    unit: Unit = "",
    zone: Zone = "",
) -> None:  # fmt: skip
    """Compare customers with their peers and their own baseline, hint at measures, and prove savings with an interval."""
    from service.commands.customer_efficiency import show_efficiency
    from service.commands.customers import Stated

    asked = Stated(unit, zone)
    day = since.date() if since else None
    raise typer.Exit(show_efficiency(source, asked, customer or [], weather, day, other or [], floor_m2, plots))


@customers.command()
def sample(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="where to write the meter data (.csv)")],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="customers")] = 60,
    years: Annotated[int, typer.Option(min=1, max=10, help="years from 2022 on")] = 1,
    minutes: Annotated[int, typer.Option(help="15, 30 or 60")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same customers")] = 1,
    weather: Annotated[Path | None, typer.Option("--weather", metavar="FILE", help="also write their weather (.csv)")] = None,
) -> None:  # fmt: skip
    """Write made-up customers with known kinds to try things on; nothing in them was measured."""
    from service.commands.customers import write_sample

    raise typer.Exit(write_sample(out, count, years, minutes, seed, weather))
