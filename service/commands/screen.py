"""The terminal: one console for results, one for progress, and the tables that several commands print."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from models.findings import Finding, Severity

if TYPE_CHECKING:
    from optimizers.session import (
        Progress,
    )  # the solver is imported by commands that search, not by every one that prints

console = Console(soft_wrap=False)
progress_console = Console(stderr=True)

COLOUR = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def findings_table(findings: Iterable[Finding], title: str = "") -> Table:
    """Return findings as a table of severity, place and words, gravest first."""
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    table = Table(title=title or None, title_justify="left", show_lines=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("where", overflow="fold", ratio=2)
    table.add_column("what, and the way on", overflow="fold", ratio=5)
    for finding in sorted(findings, key=lambda f: order.index(f.severity)):
        colour = COLOUR[finding.severity]
        table.add_row(f"[{colour}]{finding.severity.value}[/]", escape(finding.place), escape(finding.message))
    return table


def count(number: int, thing: str) -> str:
    """Return a number with its noun in the right form."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def bar() -> Bar:
    """Return a progress bar on the terminal's other stream."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=progress_console, transient=True)


@contextmanager
def searching(words: str) -> Iterator[tuple[Callable[[str], None], Callable[["Progress"], None]]]:
    """Show what is being done; yields how to say what comes next, and who is told how far a search has come."""
    now = [words]
    with progress_console.status(words) as status:

        def begin(words: str) -> None:
            now[0] = words
            status.update(words)

        def told(progress: "Progress") -> None:
            status.update(f"{now[0]}: {gap_words(progress)}")

        yield begin, told


def gap_words(progress: "Progress") -> str:
    """Return how far a search has come, in words."""
    if progress.objective == float("inf"):
        return f"{progress.seconds:.0f} s, nothing found yet"
    best = f"best {progress.objective:,.0f}, bound {progress.bound:,.0f}, {progress.gap_share:.2%} apart"
    return f"{progress.seconds:.0f} s, {best}; Ctrl-C takes the best so far"
