"""Commands for planners: sizes, cost against emissions, and why a day looks as it does."""

from pathlib import Path
from typing import Annotated

import typer

from service.options import SUMMER_DAY, Day
from service.places import PARK

SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="site file (YAML)")]
OptionsFile = Annotated[
    Path, typer.Argument(metavar="OPTIONS", help="options file (YAML): what may be built, and its cost")
]
Deadline = Annotated[float, typer.Option(min=1, metavar="S", help="how long the solver may take for one plan")]


def size(
    site: SiteFile,
    options: OptionsFile,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the study: .json or .xlsx")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="neither every hour of the year nor worst weeks")] = False,
    weeks: Annotated[int, typer.Option(min=0, max=4, help="how many worst weeks the twin replays")] = 3,
    slack: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="also the least and most of each option for so much more cost"
        ),
    ] = 0.0,
    deadline: Deadline = 600.0,
) -> None:
    """Choose what to build at least cost over the years, say why, and let the twin replay the worst weeks.

    Exit 1 when the twin objects to one of them.
    """
    from service.commands.size import size_site

    weeks = 0 if quick else weeks
    raise typer.Exit(size_site(site, options, out=out, whole=not quick, weeks=weeks, slack=slack, deadline_s=deadline))


def pareto(
    site: SiteFile,
    options: OptionsFile,
    points: Annotated[int, typer.Option(min=2, max=50, help="how many plans, both ends included")] = 6,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the plans: .csv, .xlsx or .parquet")
    ] = None,
    deadline: Deadline = 600.0,
) -> None:
    """Plans from the cheapest to the cleanest: what each ton of CO2 less costs, and what has to be built for it."""
    from service.commands.size import pareto_site

    pareto_site(site, options, points=points, out=out, deadline_s=deadline)


def risk(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="site file (YAML); the demo park when left out")] = PARK,
    day: Day = SUMMER_DAY,
    futures: Annotated[
        int, typer.Option(min=2, max=50, help="how many futures, from the errors of as many weeks before")
    ] = 6,
    weight: Annotated[float, typer.Option(min=0, max=1, help="how much the worst futures count, 0 to 1")] = 0.5,
    level: Annotated[
        float, typer.Option(min=0, max=0.999, help="which futures are the worst: those beyond this share")
    ] = 0.8,
    budget: Annotated[int, typer.Option(min=0, max=24, help="hours that may go wrong at once, 0 for no such plan")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same weather")] = 1,
    deadline: Deadline = 120.0,
) -> None:
    """Plan a day that may turn out in several ways: regret, the worth of knowing, the worst hours, and the reserve needed."""
    from optimizers.stochastic import Risk
    from service.commands.risk import show_risk

    show_risk(site, day.date(), seed=seed, count=futures, risk=Risk(weight, level), budget=budget, deadline_s=deadline)


def explain(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="site file (YAML); the demo park when left out")] = PARK,
    day: Day = SUMMER_DAY,
    asset: Annotated[str | None, typer.Option(metavar="ID", help="this asset only")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="instant, with zone; the dearest one when left out")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same weather")] = 1,
    deadline: Deadline = 60.0,
) -> None:
    """Why a day cannot be served and what would help, or why every set-point of its plan is where it is; exit 1 when something is missing."""
    from service.commands.explain import explain_day
    from service.instants import instant

    found = instant(at, "--at")
    raise typer.Exit(explain_day(site, day.date(), seed=seed, asset=asset, at=found, deadline_s=deadline))
