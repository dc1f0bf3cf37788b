"""Commands on networks and their state: flow, outages, estimate, calibration, gas in pipes; the work is imported only when one runs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from service.options import NOON, STATES, SUMMER_DAY, WINTER_DAY, At, Day, Seed, SiteFile, required
from service.places import PARK


def linepack(
    site: SiteFile = PARK,
    day: Day = SUMMER_DAY,
    seed: Seed = 1,
    deadline: Annotated[float, typer.Option(min=1, metavar="S", help="how long the solver may take")] = 60.0,
) -> None:
    """Ask the gas in the pipes what it could carry of one day, and where it is worth it, when to buy; exit 1 when demand stays short."""
    from service.commands.linepack import linepack_day

    raise typer.Exit(linepack_day(site, day.date(), seed=seed, deadline_s=deadline))


def flow(
    site: SiteFile = PARK,
    at: At = NOON,
    seed: Seed = 1,
    full: Annotated[bool, typer.Option("--full", help="every bus, branch and junction")] = False,
    year: Annotated[
        int | None, typer.Option(min=1970, max=2200, metavar="YEAR", help="every hour of this local year instead")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help=f"write the states: {STATES}")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="draw them: single line and profiles, .png or .svg")
    ] = None,
    linear: Annotated[
        bool, typer.Option("--linear", help="of a grid: how far the linear model of planning studies is off")
    ] = False,
) -> None:
    """Solve all networks at one instant: AC power flow, heat, cold and gas, with the balance of every carrier.

    With --year: every hour of a year as the common operator would run the site; exit 1 when one has no solution.
    In place of a site: a grid, as pandapower .json, MATPOWER .m, or simbench:CODE with the year of its profiles.
    """
    from service.commands.flow import show_flow, show_year
    from service.commands.grids import is_grid, show_grid, show_grid_year

    if is_grid(site) and year is not None:
        raise typer.Exit(show_grid_year(site, year, out=out))
    if is_grid(site):
        raise typer.Exit(show_grid(site, required(at), full=full, linear=linear, out=out, plot=plot))
    if linear:
        raise typer.BadParameter("is for a grid: .json, .m or simbench:CODE", param_hint="--linear")
    if year is not None:
        raise typer.Exit(show_year(site, year, seed=seed, out=out))
    show_flow(site, required(at), seed=seed, full=full, out=out, plot=plot)


def n1(
    site: SiteFile = PARK,
    at: At = NOON,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help=f"write the table: {STATES}")] = None,
) -> None:
    """Take out every line and transformer in turn: voltages, loadings, and who is left without supply.

    In place of a site: a grid, as for flow.
    """
    from service.commands.grids import is_grid, show_grid_outages
    from service.commands.n1 import show_outages

    if is_grid(site):
        show_grid_outages(site, required(at), out=out)
        return
    show_outages(site, required(at), seed=seed, out=out)


def estimate(
    site: SiteFile = PARK,
    readings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV: device, quantity, value, and quality if known; else an emulated plant"),
    ] = None,
    at: At = NOON,
    seed: Seed = 1,
    full: Annotated[bool, typer.Option("--full", help="every sensor, not only those that do not fit")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write every sensor: .csv or .json by its ending")
    ] = None,
) -> None:
    """Find the state of all carriers that explains the meters, and the meters that lie; exit 1 when no state does."""
    from service.commands.estimate import show_estimate

    raise typer.Exit(show_estimate(site, readings, required(at), seed=seed, out=out, full=full))


def calibrate(
    site: SiteFile = PARK,
    readings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CSV: time, device, quantity, value, and quality if known; else an emulated plant"
        ),
    ] = None,
    day: Annotated[
        datetime, typer.Option("--day", formats=["%Y-%m-%d"], help="first day of the emulated plant, local")
    ] = WINTER_DAY,
    days: Annotated[int, typer.Option(min=1, max=31, help="how many days of the emulated plant")] = 2,
    seed: Seed = 1,
    full: Annotated[
        bool, typer.Option("--full", help="every parameter, even those the readings say nothing about")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="where to keep it; beside the site file, where others look, when left out",
        ),
    ] = None,
) -> None:
    """Learn friction, delays, heat losses, meter gains, COP and efficiencies from readings, each with its uncertainty.

    What was learned is added to the file beside the site; estimate and serve use the newest of each kind.
    """
    from service.commands.calibrate import show_calibration

    raise typer.Exit(show_calibration(site, readings, day.date(), days, seed=seed, out=out, full=full))
