"""Commands for what-if cases: the words; the work is imported only when a command runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.instants import instant

scenario = typer.Typer(
    name="scenario",
    help="What-if cases: changes to a site in a file, run on the same loop as the live park, compared with its base.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CaseFile = Annotated[Path, typer.Argument(metavar="CASE", help="case file (YAML), or the name of a shipped case")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="where a run's results lie")]


class Step(StrEnum):
    """Lengths of a step."""

    MINUTE = "minute"
    QUARTER_HOUR = "quarter_hour"
    HOUR = "hour"


class Kind(StrEnum):
    """Kinds of sweeps."""

    GRID = "grid"
    ONE_AT_A_TIME = "one_at_a_time"
    LATIN_HYPERCUBE = "latin_hypercube"
    SOBOL = "sobol"
    MONTE_CARLO = "monte_carlo"


class Language(StrEnum):
    """Languages of a report."""

    ENGLISH = "en"
    CHINESE = "zh"


StepOption = Annotated[Step | None, typer.Option("--step", help="steps of another length than the case says")]


@scenario.command("list")
def list_() -> None:
    """Print the shipped cases."""
    from service.commands.scenario import list_cases

    list_cases()


@scenario.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="where to write it (.yaml)")],
    like: Annotated[str | None, typer.Option(metavar="CASE", help="copy this shipped case")] = None,
) -> None:
    """Write a case to begin with."""
    from service.commands.scenario import new_case

    new_case(path, like)


@scenario.command()
def check(case: CaseFile) -> None:
    """Print every finding of a case and of the site that its changes make; exit 1 when it has errors."""
    from service.commands.scenario import check_case

    raise typer.Exit(check_case(case))


@scenario.command()
def schema() -> None:
    """Print the JSON Schema of the case format."""
    from service.commands.scenario import print_schema

    print_schema()


@scenario.command()
def run(
    case: CaseFile,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="where the results go")] = None,
    step: StepOption = None,
    alone: Annotated[bool, typer.Option("--alone", help="the case only, not its base")] = False,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="begin where the site stood at the last turn of this log")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="with --log: the last turn up to then, and the demand measured after"),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=2, help="processes: with two the halves of a long run go side by side")
    ] = 2,
) -> None:
    """Run a case and its base, and print what changed and why; exit 1 when the networks object."""
    from service.commands.scenario import run_one

    raise typer.Exit(run_one(case, out, step=step, alone=alone, log=log, at=instant(at, "--at"), workers=workers))


@scenario.command()
def sweep(
    case: CaseFile,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the points go; one that was begun goes on")
    ],
    kind: Annotated[Kind, typer.Option(help="how the ranges of the case's parameters are covered")] = Kind.GRID,
    count: Annotated[int, typer.Option(min=1, max=100_000, help="points of all kinds but grids")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same points")] = 1,
    step: StepOption = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes on this machine")] = 2,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="a Dask scheduler (tcp://host:8786) instead")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="try points that failed once more")] = False,
) -> None:
    """Run a case at many values of its parameters; exit 1 when a point failed. A sweep that was killed goes on where it stopped."""
    from service.commands.sweep import sweep_case

    raise typer.Exit(
        sweep_case(case, out, kind.value, count=count, seed=seed, step=step, workers=workers, dask=dask, again=again)
    )


@scenario.command()
def compare(
    base: Folder,
    runs: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="runs to hold against it")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the table: .csv, .xlsx, .parquet")
    ] = None,
) -> None:
    """Print runs beside their base: every figure, what changed and why."""
    from service.commands.scenario import compare_runs

    compare_runs(base, runs, out)


@scenario.command()
def report(
    base: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the base's results lie, or those of a sweep")],
    run: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="where the run's results lie; none for a sweep")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="the report: .html or .pdf")],
    language: Annotated[Language, typer.Option("--lang", help="language of the report")] = Language.ENGLISH,
) -> None:
    """Write what a board reads: what changed, why, and the pictures to it; of a sweep, how its figures move."""
    from service.commands.scenario import write_report

    write_report(base, run, out, language.value)


@scenario.command()
def verify(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="folder of cases; the shipped ones when left out")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the figures to be held to; baseline.json beside the cases")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CASE", help="these cases only; may be given several times")
    ] = None,
    step: StepOption = None,
    update: Annotated[bool, typer.Option("--update", help="renew the baseline instead of being held to it")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="write JUnit XML")] = None,
    summary: Annotated[Path | None, typer.Option(metavar="FILE", help="write a Markdown table")] = None,
) -> None:
    """Run cases, hold them to their expectations and to a baseline; exit 1 on a regression."""
    from service.commands.scenario import verify_cases

    code = verify_cases(folder, baseline, only=only or (), step=step, update=update, report=junit, summary=summary)
    raise typer.Exit(code)
