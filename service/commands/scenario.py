"""``scenario``: what-if cases from files: new, check, run, compare, report, verify."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from models.errors import SetupError, SiteError
from models.findings import error, errors_in
from models.site.file import load_site
from scenarios.cases.beginning import beginning_of
from scenarios.cases.case import Case, try_changes
from scenarios.cases.compare import Comparison, compare
from scenarios.cases.file import LIBRARY, case_schema, library, load_case, read_case
from scenarios.cases.results import KPIS, Result, load_record, words_of
from scenarios.cases.run import run_case
from scenarios.cases.verdict import BASELINE, Remembered, Verdict, judged, junit, load_baseline, markdown, save_baseline
from scenarios.recording import billing_of, period_finder
from service.commands.files import require_writable, write_as
from service.commands.screen import bar, console, findings_table
from twin.log import SqliteLog

LATEST = datetime(9999, 1, 1, tzinfo=UTC)

TEMPLATE = """format: jouletwin-case/1
name: {name}
title: {title}
story: >
  What does somebody want to know, and what would they do with the answer?
site: park
start: 2015-07-15
days: 1
run: {{mode: operate, step: quarter_hour, forecast: perfect, seed: 1}}
parameters:
  factor: {{default: 1.1, low: 0.9, high: 1.5, steps: 4, title: Electric load against today's}}
changes:
- {{kind: load_growth, carrier: electricity, factor: "${{factor}}"}}
expect:
- {{kpi: total_cost, direction: higher}}
"""


def list_cases() -> None:
    """Print the shipped cases."""
    table = Table(title="Shipped cases", title_justify="left", header_style="bold")
    for name in ("case", "title", "start", "days"):
        table.add_column(name)
    for name in library():
        case = load_case(name)
        table.add_row(name, escape(case.title), case.start.isoformat(), f"{case.days:g}")
    console.print(table)


def new_case(path: Path, like: str | None) -> None:
    """Write a case to begin with: a small one, or a copy of a shipped one."""
    if path.exists():
        raise SetupError(f"{path} is there already; choose another name")
    require_writable(path, (".yaml", ".yml"))
    if like is not None and like not in library():
        raise SetupError(f"there is no shipped case {like}; there are {', '.join(library())}")
    text = library()[like].read_text(encoding="utf-8") if like else TEMPLATE.format(name=path.stem, title=path.stem)
    path.write_text(text, encoding="utf-8")
    console.print(f"{path} is written; look at it, then: jouletwin scenario check {path}")


def print_schema() -> None:
    """Print the JSON Schema of the case format."""
    console.print_json(data=case_schema())


def check_case(path: Path) -> int:
    """Print every finding of a case and of the site that its changes make; return 1 when it has errors."""
    case, findings = read_case(path)
    if case is not None and not errors_in(findings):
        findings = [*findings, *try_changes(case)[1]]
    if findings:
        console.print(findings_table(findings, str(path)))
    if errors_in(findings) or case is None:
        return 1
    console.print(f"{case.title}: {len(case.changes)} changes, {case.days:g} days from {case.start}; it can be run")
    return 0


def run_one(
    path: Path,
    out: Path | None,
    *,
    step: str | None,
    alone: bool,
    log: Path | None = None,
    at: datetime | None = None,
    workers: int = 1,
) -> int:
    """Run a case, and its base unless ``alone``, and print what changed; return 1 when the networks object."""
    case = begun(stepped(load_case(path), step), log, at)
    folder = out or Path(case.name)
    record, comparison = run_beside_base(case, folder, partial(run_with_bar, workers=workers), alone=alone)
    console.print(figures_table(record) if comparison is None else comparison_table(comparison))
    if comparison is not None:
        console.print("\n".join(f"· {escape(s)}" for s in comparison.why(record)))
    console.print(f"[dim]written to {escape(str(folder))}[/]")
    return int(record["kpis"].get("violations", 0) > 0)


def run_beside_base(
    case: Case, folder: Path, run: Callable[[Case], Result], *, alone: bool
) -> tuple[dict[str, Any], Comparison | None]:
    """Run a case into a folder, with its base unless ``alone``; return its record and how it compares."""
    runs = [case] if alone else [case.base, case]
    places = [folder] if alone else [folder / "base", folder / "case"]
    for each, place in zip(runs, places, strict=True):
        run(each).save(place)
    return load_record(places[-1]), None if alone else compare(places[0], places[1:])


def begun(case: Case, log: Path | None, at: datetime | None) -> Case:
    """Return a case that begins where a log says the site stood; the case itself where no log is given."""
    if log is None:
        if at is not None:
            raise SetupError("--at is for a case that begins from a log; name the log with --log FILE")
        return case
    site, opened = load_site(case.site_file), SqliteLog(log, read_only=True)
    billing = period_finder(site, billing_of(opened, at or LATEST))
    beginning = beginning_of(opened, site, billing, at=at, step_s=case.run.step_s, days=case.days)
    console.print(f"[dim]begins from the turn of {beginning.at:%Y-%m-%d %H:%M} UTC on record[/]")
    return replace(case, beginning=beginning)


def stepped(case: Case, step: str | None) -> Case:
    """Return a case in steps of another length."""
    if step is None:
        return case
    return replace(case, run=replace(case.run, step=step))  # type: ignore[arg-type]


def run_with_bar(case: Case, *, workers: int = 1) -> Result:
    """Return a case's result, with a bar while it runs; see :func:`scenarios.cases.run.run_case`."""
    with bar() as shown:
        task = shown.add_task(case.title, total=1.0)
        return run_case(
            case,
            progress=lambda share, words: shown.update(task, completed=share, description=f"{case.title} {words}"),
            workers=workers,
        )


def figures_table(record: dict[str, Any]) -> Table:
    """Return a run's figures."""
    table = Table(title=escape(record["title"]), title_justify="left", header_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in record["kpis"].items():
        table.add_row(KPIS[name].title, words_of(name, value, record["currency"]))
    return table


def comparison_table(comparison: Comparison) -> Table:
    """Return the figures of runs beside their base's."""
    table = Table(title="Against the base", title_justify="left", header_style="bold")
    table.add_column("figure")
    table.add_column(escape(str(comparison.base["title"])), justify="right")
    for run in comparison.runs:
        table.add_column(escape(str(run["title"])), justify="right")
    columns = [comparison.differences(run) for run in comparison.runs]
    for row in zip(*columns, strict=True):
        name = row[0].kpi
        cells = [words_of(name, row[0].base, comparison.currency)]
        for d in row:
            colour = {True: "green", False: "red", None: "dim"}[d.better]
            moved = f" [{colour}]({d.amount})[/]" if d.amount else ""
            cells.append(f"{words_of(name, d.value, comparison.currency)}{moved}")
        table.add_row(KPIS[name].title, *cells)
    return table


def compare_runs(base: Path, runs: Sequence[Path], out: Path | None) -> None:
    """Print runs beside their base, and write the table where asked."""
    comparison = compare(base, runs)
    console.print(comparison_table(comparison))
    for run in comparison.runs:
        console.print(f"[bold]{escape(run['title'])}[/]")
        console.print("\n".join(f"· {escape(s)}" for s in comparison.why(run)))
    if out is not None:
        write_as(TABLES, comparison, out)
        console.print(f"[dim]written to {escape(str(out))}[/]")


def _as_csv(comparison: Comparison, path: Path) -> None:
    comparison.table().to_csv(path)


def _as_excel(comparison: Comparison, path: Path) -> None:
    comparison.table().to_excel(path, sheet_name="figures")


def _as_parquet(comparison: Comparison, path: Path) -> None:
    comparison.table().to_parquet(path)


TABLES = {".csv": _as_csv, ".xlsx": _as_excel, ".parquet": _as_parquet}


def write_report(base: Path, run: Path | None, out: Path, language: str) -> None:
    """Write the report of a comparison, or of a sweep where only its folder is given, as HTML or PDF."""
    # matplotlib and typst take a second to open
    from service.reports.case_report import write_case_report
    from service.reports.document import ENDINGS
    from service.reports.sweep_report import write_sweep_report

    require_writable(out, ENDINGS)
    if run is None:
        write_sweep_report(base, out)
    else:
        write_case_report(base, run, out, language)
    console.print(f"{escape(str(out))} is written")


def verify_cases(
    folder: Path | None,
    baseline: Path | None,
    *,
    only: Sequence[str],
    step: str | None,
    update: bool,
    report: Path | None,
    summary: Path | None,
) -> int:
    """Run cases, judge them by their expectations and a baseline, and return 1 when one does not pass.

    The baseline lies beside the cases where no other is named. Steps are those of the baseline where nothing else is said: figures of other
    steps are no measure.
    """
    baseline = baseline or (folder or LIBRARY) / BASELINE
    known = {} if update and not baseline.exists() else load_baseline(baseline)
    found = cases_in(folder, only)
    cases = [stepped(c, step) for c in found] if update else comparable(found, known, step)
    bases: dict[str, dict[str, Any]] = {}
    verdicts: list[Verdict] = []
    for case in cases:
        key = repr((case.base.changes, case.start, case.days, case.run, case.site_file))
        if key not in bases:
            bases[key] = run_with_bar(case.base).record()
        record = run_with_bar(case).record()
        before = known.get(case.name)
        then = record["kpis"] if update else None if before is None else before.kpis
        verdicts.append(judged(case, record, bases[key], then))
        verdict = verdicts[-1]
        console.print(
            f"{'[green]passes[/]' if verdict.ok else '[red]fails [/]'} {case.name}: {escape('; '.join(verdict.problems) or case.title)}"
        )
    if update:
        renewed = {c.name: Remembered(c.run.step, v.kpis) for c, v in zip(cases, verdicts, strict=True)}
        save_baseline(baseline, known | renewed)
        console.print(f"[dim]baseline written to {escape(str(baseline))}[/]")
    for path, text in ((report, junit(verdicts)), (summary, markdown(verdicts))):
        if path is not None:
            path.write_text(text, encoding="utf-8")
    return int(any(not v.ok for v in verdicts))


def comparable(cases: Sequence[Case], known: Mapping[str, Remembered], step: str | None) -> list[Case]:
    """Return cases in the steps that a baseline has figures for; raises SetupError where other ones are asked for."""
    of = {c.name: known[c.name].step if c.name in known else step for c in cases}
    other = [name for name, was in of.items() if step not in (None, was)]
    if other:
        raise SetupError(
            f"the baseline's figures of {', '.join(other)} were made with steps of another length than {step}; "
            "leave --step out, or renew them with --update"
        )
    return [stepped(c, of[c.name]) for c in cases]


def cases_in(folder: Path | None, only: Sequence[str]) -> list[Case]:
    """Return the cases of a folder, or the shipped ones; every file that cannot be read is found at once.

    Raises
    ------
    SiteError
        With the findings of all cases.
    SetupError
        When there is no case.
    """
    paths = list(library().values()) if folder is None else sorted(folder.glob("*.yaml"))
    found, findings = [], []
    for path in paths:
        case, problems = read_case(path)
        if case is not None and not errors_in(problems):
            problems = [*problems, *try_changes(case)[1]]
            found.append(case)
        findings += [replace(f, place=f"{path.name}: {f.place}") for f in errors_in(problems)]
    unknown = sorted(set(only) - {c.name for c in found})
    if unknown:
        findings += [error(name, f"is no case here; there are {', '.join(c.name for c in found)}") for name in unknown]
    if findings:
        raise SiteError(findings)
    chosen = [c for c in found if not only or c.name in only]
    if not chosen:
        raise SetupError(f"there is no case in {folder}; write one with: jouletwin scenario new")
    return chosen
