"""The command line: what to do in which words; the work is imported only when a command runs."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from service.commands.device import chaos, device
from service.customer_commands import customers
from service.faults import PlainFaults
from service.instants import instant
from service.keeping import audit, tenant
from service.keeping import store as keep_store
from service.networks import calibrate, estimate, flow, linepack, n1
from service.offers import offers, trade_day
from service.options import (
    LOG,
    NOON,
    STATES,
    SUMMER_DAY,
    At,
    Day,
    Expected,
    Json,
    Port,
    Seconds,
    Seed,
    SiteFile,
    Speed,
    required,
)
from service.packages import package
from service.places import PARK
from service.planning import explain, pareto, risk, size
from service.running import bridge, serve, worker
from service.scenarios import scenario
from service.trading import market

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
app.add_typer(device)
app.add_typer(scenario)
app.add_typer(market)
app.add_typer(keep_store)
app.add_typer(tenant)
app.add_typer(audit)
app.add_typer(offers)
app.add_typer(package)
app.add_typer(customers)


@app.command()
def check(site: SiteFile = PARK) -> None:
    """Print every finding of a site file; exit 1 when it has errors."""
    from service.commands.check import check_file

    raise typer.Exit(check_file(site))


@app.command()
def warm(again: Annotated[bool, typer.Option("--again", help="even what is compiled already")] = False) -> None:
    """Compile the loops of the networks, once per machine and version; silent when that is done."""
    from service.commands.warm import warm_loops

    warm_loops(again=again)


@app.command()
def schema(
    options: Annotated[bool, typer.Option("--options", help="of the options that size and pareto read")] = False,
) -> None:
    """Print the JSON Schema of the site format."""
    from service.commands import check, size

    (size if options else check).print_schema()


@app.command()
def dispatch(
    site: SiteFile = PARK,
    day: Day = SUMMER_DAY,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="write the plan: .nc, .parquet, .csv, .xlsx or .json by its ending"),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="CALL", help="a call on demand response: 11:00-13:00,3000kW-1500kW,0.8/kWh,5/kWh"),
    ] = None,
    supply_temperature: Annotated[
        str, typer.Option(metavar="RANGE", help="let the heat network's plant send 80..95 degC, whatever pays")
    ] = "",
    seed: Seed = 1,
    deadline: Annotated[float, typer.Option(min=1, metavar="S", help="how long the solver may take")] = 60.0,
) -> None:
    """Plan one day at least cost and let the twin check it; exit 1 when the twin objects."""
    from service.commands.dispatch import plan_day
    from service.day_plan import DayAsked

    asked = DayAsked(day.date(), seed, deadline, event or (), supply_temperature)
    raise typer.Exit(plan_day(site, asked, out))


for command in (flow, n1, estimate, calibrate, linepack, size, pareto, risk, explain):
    app.command()(command)


@app.command()
def forecast(
    site: SiteFile = PARK,
    at: At = NOON,
    hours: Annotated[int, typer.Option(min=1, max=240, help="how far ahead")] = 24,
    seed: Seed = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help=f"write forecast and quantiles: {STATES}")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="draw the fans, .png or .svg")] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="keep the forecast with its origin in this folder")
    ] = None,
) -> None:
    """Forecast every load, sun, wind and price of a site with how sure it is; exit 1 when the drift alarm goes off.

    Trained on the site's year without the month around the instant; the first time takes a minute.
    """
    from service.commands.forecast import show_forecast

    raise typer.Exit(show_forecast(site, required(at), hours, seed=seed, out=out, plot=plot, archive=archive))


@app.command()
def backtest(
    site: SiteFile = PARK,
    unseen: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="first local day that training must not see")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="with --unseen: how many days")] = 7,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the race: .json")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="draw errors by lead and hour, .png or .svg")
    ] = None,
) -> None:
    """Let baselines and learned models race on the site's year from rolling origins, and show which one forecasts what."""
    from service.commands.backtest import show_backtest

    day = unseen.date() if unseen else None
    raise typer.Exit(show_backtest(site, seed=seed, unseen=day, days=days, out=out, plot=plot))


@app.command()
def value(
    site: SiteFile = PARK,
    stretch: Annotated[
        list[str] | None, typer.Option(help="weeks, months, or one by name, for example 'spring week'; repeat it")
    ] = None,
    breakdown: Annotated[
        bool, typer.Option("--breakdown", help="also switch one thing at a time over days of two seasons")
    ] = False,
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="where results are kept; what it holds is not run again")
    ] = Path("value"),
    seed: Seed = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes")] = 2,
    plots: Annotated[Path | None, typer.Option(metavar="FOLDER", help="draw the losses and every stretch")] = None,
    json: Json = None,
) -> None:
    """Measure what the loop is worth: rules, own and perfect forecasts and perfect foresight over weeks and months.

    Takes minutes per week and can be stopped at any time; exit 1 when a loop left somebody without energy.
    """
    from service.commands.value import show_value

    names = stretch or ["weeks"]
    code = show_value(
        site, names, breakdown=breakdown, folder=folder, seed=seed, workers=workers, plots=plots, out=json
    )
    raise typer.Exit(code)


@app.command()
def emulate(
    site: SiteFile = PARK,
    base_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="port of the first device, 0 for free ones; the site's own when left out"),
    ] = None,
    seed: Seed = 1,
    speed: Speed = 1.0,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="first instant, with zone (2015-07-15T06:00+08:00)")
    ] = None,
    outages: Annotated[bool, typer.Option(help="let devices fail now and then")] = False,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve the site's devices over Modbus TCP, with an emulated plant behind them."""
    from service.commands.emulate import emulate as run

    run(
        site,
        base_port=base_port,
        seed=seed,
        speed=speed,
        start=instant(start, "--start"),
        outages=outages,
        until_stdin_closes=until_stdin_closes,
    )


app.command()(bridge)
app.command()(serve)
app.command()(worker)


@app.command()
def replay(
    start: Annotated[
        str | None, typer.Argument(metavar="[T0]", help="first instant, with zone; the log's when left out")
    ] = None,
    end: Annotated[
        str | None, typer.Argument(metavar="[T1]", help="behind the last instant; the log's when left out")
    ] = None,
    log: Annotated[Path, typer.Option(metavar="FILE", help="what serve or demo wrote")] = LOG,
    site: Annotated[Path, typer.Option(metavar="SITE", help="the site that the log is of")] = PARK,
    fork: Annotated[
        str | None, typer.Option(metavar="WHO", help="live the window once more on the twin: optimizer or rule")
    ] = None,
    price_factor: Annotated[
        float, typer.Option(min=0.0, metavar="X", help="multiply electricity's energy prices in the fork")
    ] = 1.0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the rebuilt powers and contents: .nc")
    ] = None,
) -> None:
    """Rebuild any past window from the log, bit for bit; exit 1 when a turn differs from what was seen then.

    With --fork: the same window from the same state and in the same weather, with another operator or other prices.
    """
    from service.commands.replay import FORKS, show_replay

    if fork is not None and fork not in FORKS:
        raise typer.BadParameter(f"{fork} is nobody; choose {' or '.join(FORKS)}", param_hint="--fork")
    window = instant(start, "T0"), instant(end, "T1")
    raise typer.Exit(show_replay(log, site, *window, operator=fork, price_factor=price_factor, out=out))


@app.command()
def demo(
    site: SiteFile = PARK,
    day: Day = SUMMER_DAY,
    speed: Speed = 144.0,
    port: Port = 8700,
    seed: Seed = 1,
    seconds: Seconds = None,
    outages: Annotated[bool, typer.Option(help="let devices fail now and then")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="no page: one whole day under every operator, compared in tables")
    ] = False,
    json: Json = None,
    forecast: Expected = "naive",
) -> None:
    """Emulate the park, operate it and show it on a page; a day passes in ten minutes.

    With --once, exit 0 only if every carrier's balance closes and no write is unaccounted for.
    """
    if once:
        from service.commands.once import run_once

        raise typer.Exit(run_once(site, day.date(), seed=seed, out=json))
    from service.demo import DemoSettings, run_demo
    from service.forecasting import Expects

    run_demo(DemoSettings(site, day.date(), speed, port, seed, seconds, outages, Expects(forecast)))


app.command()(chaos)
app.command()(trade_day)


def main() -> None:
    """Run the command line; its matrices are small, and threads inside a product of them only wait for one another."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    app()


if __name__ == "__main__":
    main()
