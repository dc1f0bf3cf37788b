"""``customers``: meter data in, portraits, segments and target customers out."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.markup import escape
from rich.table import Table

from customers.evaluation.system import EvaluationSystem, read_system
from customers.evaluation.target import indicators_of, target_index
from customers.features.table import FeatureTable, features_of
from customers.intervals.keeping import ENDING, read_store, write_store
from customers.intervals.reading import Asked, read_meters
from customers.intervals.series import MeterTable
from customers.intervals.store import IntervalStore, fault_counts
from customers.intervals.vee import findings_of, validate
from customers.population import FIRST_YEAR, population
from customers.portraits.customer import Business, CustomerPortrait
from customers.portraits.gather import drawn_from, portraits_with_hints, site_customers, with_own_holidays
from customers.portraits.market import market_portrait
from customers.segments.segmentation import read_model, segment
from models.carriers import Carrier
from models.errors import DataError, SetupError
from models.findings import Finding, error, errors_in
from models.site.file import load_site
from service.commands.customer_inputs import TOLD_MOST, answers_of, bytes_of, read_air
from service.commands.files import require_writable
from service.commands.screen import console, count, findings_table, progress_console

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # drawn only when pictures are asked for

Array = npt.NDArray[np.float64]
DPI = 110
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file of meter data does not say of itself; see ``customers.intervals.reading.Asked``."""

    unit: str = ""
    zone: str = ""
    carrier: Carrier = Carrier.ELECTRICITY
    kwh_per_m3: float | None = None
    stamped_at_end: bool = False
    feeds_in: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a command works on: base data, the outdoor air by interval, and what is known of customers beside."""

    store: IntervalStore
    air_degc: Array | None
    businesses: Mapping[str, Business]
    findings: Sequence[Finding]
    notice: str = ""


def gather(source: Path, stated: Stated, weather: Path | None = None) -> Data:
    """Return data from a site, base data, or a file of meter data.

    Raises
    ------
    DataError
        With everything that is wrong.
    """
    if source.suffix.lower() in (".yaml", ".yml"):
        site = load_site(source)
        made = site_customers(site)
        store = validate(made.table)
        return Data(store, made.air_degc, made.businesses, findings_of(store), site.notice)
    told: list[Finding] = []
    if source.suffix.lower() == ENDING:
        store = read_store(source)
    else:
        raw, told = read_meters(bytes_of(source), Asked(*(getattr(stated, f) for f in Stated.__slots__)))
        store = validate(with_own_holidays(raw))
    air = None if weather is None else read_air(weather, store.raw)
    return Data(store, air, {}, [*told, *findings_of(store)])


def import_file(file: Path, stated: Stated, out: Path | None) -> int:
    """Read, check and keep a file of meter data."""
    require_writable(out, (ENDING,))
    with progress_console.status("reading and checking"):
        data = gather(file, stated)
    _show_data(data)
    if out is not None:
        write_store(data.store, out)
        console.print(f"base data in {out}", highlight=False)
    return 1 if errors_in(data.findings) else 0


def check_data(source: Path, stated: Stated) -> int:
    """Show what was found in meter data."""
    with progress_console.status("checking"):
        data = gather(source, stated)
    _show_data(data)
    return 1 if errors_in(data.findings) else 0


def _show_data(data: Data) -> None:
    raw, best = data.store.raw, data.store.best
    grid = raw.intervals
    console.print(
        f"{count(len(raw.customers), 'customer')}, {raw.carrier.value}, every {grid.minutes} min from {grid.start.isoformat()} to {grid.end.isoformat()}",
        highlight=False,
    )
    faults = {} if data.store.flags is None else fault_counts(data.store.flags)
    table = _table("meter data", "customer", "MWh", "known", "estimated", "found (intervals)")
    energy = [float(np.nansum(row, dtype=np.float64)) / 1e3 for row in best.energy_kwh]
    shares = zip(raw.customers, energy, raw.coverage_share(), best.estimated_share(), strict=True)
    for row, (name, mwh, known, made) in enumerate(list(shares)[:TOLD_MOST]):
        marks = [f"{(fault.name or '').lower()} {numbers[row]:,}" for fault, numbers in faults.items() if numbers[row]]
        table.add_row(escape(name), f"{mwh:,.1f}", f"{known:.1%}", f"{made:.1%}", ", ".join(marks))
    if len(raw.customers) > TOLD_MOST:
        table.caption = f"and {len(raw.customers) - TOLD_MOST} more"
    console.print(table)
    if data.findings:
        console.print(findings_table(list(data.findings)[:TOLD_MOST], "findings"))


def show_portraits(
    source: Path,
    stated: Stated,
    names: Sequence[str],
    weather: Path | None,
    model: Path | None,
    plots: Path | None,
    reports: Path | None,
    prices: Path | None = None,
    calls: Path | None = None,
) -> int:
    """Print portraits, draw them, and write a report of each."""
    with progress_console.status("drawing portraits"):
        data = gather(source, stated, weather)
        old = None if model is None else read_model(bytes_of(model).decode("utf-8", "replace"))
        drawn = drawn_from(data.store, data.air_degc, old)
        table = data.store.best
        rows = [table.row(n) for n in names] or list(range(len(table.customers)))
        made = portraits_with_hints(drawn, answers_of(table, data.businesses, prices, calls), rows)
    for portrait in made[:TOLD_MOST]:
        _print_portrait(portrait)
    if plots is not None:
        from service.pictures.customers import portrait_sheet

        for row, portrait in zip(rows[:TOLD_MOST], made, strict=False):
            figure = portrait_sheet(portrait, table, drawn.features, row)
            save(figure, plots, f"portrait_{portrait.customer}.png")
        console.print(f"{min(len(made), TOLD_MOST)} sheets in {plots}", highlight=False)
    if reports is not None:
        from service.reports.document import write_document
        from service.reports.portrait_document import portrait_document

        reports.mkdir(parents=True, exist_ok=True)
        for row, portrait in zip(rows, made, strict=True):
            document = portrait_document(portrait, table, drawn.features, row, data.notice)
            write_document(document, reports / f"portrait_{portrait.customer}.pdf")
        console.print(f"{count(len(made), 'report')} in {reports}", highlight=False)
    _notice(data)
    return 0


def _print_portrait(portrait: CustomerPortrait) -> None:
    console.print(f"[bold]{escape(portrait.customer)}[/] · {escape(portrait.segment)}", highlight=False)
    for title, lines in (("energy", portrait.energy), ("assets", portrait.asset), ("business", portrait.business)):
        for k, line in enumerate(lines):
            console.print(f"  {title if k == 0 else '':9}{escape(line)}", highlight=False)
    console.print(f"  {'sure':9}{escape(portrait.sureness.words)}\n", highlight=False)


def show_segments(
    source: Path,
    stated: Stated,
    weather: Path | None,
    previous: Path | None,
    out: Path | None,
    margins: Path | None,
    plots: Path | None,
) -> int:
    """Print segments as a market portrait; keep and draw them."""
    require_writable(out, (".json",))
    with progress_console.status("grouping"):
        data = gather(source, stated, weather)
        drawn = drawn_from(data.store, data.air_degc)
        old = None if previous is None else read_model(bytes_of(previous).decode("utf-8", "replace"))
        segments = drawn.segments if old is None else segment(drawn.features, old)
        earlier = _year_before(data.store.best)
        known = None if margins is None else _margins(margins, drawn.features.customers)
    table = _table("segments", "segment", "customers", "GWh a year", "share", "prospects and risks")
    for one in market_portrait(drawn.features, segments, earlier, known):
        words = "; ".join(one.sentences[1:])
        table.add_row(
            escape(one.name), str(one.customers), f"{one.annual_kwh / 1e6:,.2f}", f"{one.share:.0%}", escape(words)
        )
    console.print(table)
    if earlier is None:
        console.print("growth is not known: less than two years of data")
    console.print(_stability(segments.model.stability, len(segments.model.names)), highlight=False)
    if out is not None:
        out.write_text(segments.model.text(), encoding="utf-8")
        console.print(f"segments in {out}", highlight=False)
    if plots is not None:
        from service.pictures.customers import segments_chart

        figure = segments_chart(drawn.features, segments.label, segments.model.names)
        save(figure, plots, "segments.png")
    _notice(data)
    return 0


def _year_before(table: MeterTable) -> tuple[FeatureTable, FeatureTable] | None:
    """Return features of the last year but one and of the last year; None where the data hold less than two."""
    end = table.intervals.end
    if end - 2 * YEAR < table.intervals.start:
        return None
    before, last = table.between(end - 2 * YEAR, end - YEAR), table.between(end - YEAR, end)
    return features_of(before), features_of(last)


def _stability(found: Mapping[int, float], taken: int) -> str:
    if not found:
        return "too few customers to be grouped; all stand together"
    told = ", ".join(f"{k}: {ari:.2f}" for k, ari in found.items())
    return f"agreement of groups over draws by their number (0.80 is stable): {told}; taken: {taken}"


def show_index(source: Path, stated: Stated, weather: Path | None, margins: Path | None, system: Path | None) -> int:
    """Print the index of target customers."""
    with progress_console.status("ranking"):
        data = gather(source, stated, weather)
        drawn = drawn_from(data.store, data.air_degc)
        known = None if margins is None else _margins(margins, drawn.features.customers)
        own: EvaluationSystem | None = None
        if system is not None:
            own = read_system(bytes_of(system).decode("utf-8", "replace"), system.stem)
        missing = 1.0 - np.asarray(drawn.coverage_share) + np.asarray(drawn.estimated_share)
        made = target_index(drawn.features.customers, indicators_of(drawn.features, missing), known, own)
    by = "simulated margin" if made.by_margin else "score"
    title = f"target customers by {by}; {made.system.title.lower()}, version {made.system.version}"
    money = () if known is None else ("margin", "rank by score")
    table = _table(title, "rank", "customer", *money, "score", "90 %", "why")
    for row in made.order()[:TOLD_MOST]:
        span = f"{made.rank_low[row]} to {made.rank_high[row]}"
        earned: tuple[str, ...] = ()
        if known is not None:
            earned = (f"{known[row]:,.0f}", str(made.score_rank[row]))
        cells = (str(made.rank[row]), escape(made.customers[row]), *earned, f"{made.score[row]:.3f}")
        table.add_row(*cells, span, escape(made.why(int(row))))
    console.print(table)
    weights = ", ".join(f"{i.title.lower()} {w:.2f}" for i, w in zip(made.system.indicators, made.weights, strict=True))
    console.print(f"weights: {weights}; 90 %: the ranks that nine of ten other weights would give", highlight=False)
    _notice(data)
    return 0


def _margins(path: Path, customers: Sequence[str]) -> Array:
    """Return every customer's margin from a CSV with the columns customer and margin."""
    rows = list(csv.DictReader(bytes_of(path).decode("utf-8-sig").splitlines()))
    found: dict[str, float] = {}
    wrong = []
    for number, row in enumerate(rows, 2):
        try:
            found[row["customer"]] = float(row["margin"])
        except (KeyError, TypeError, ValueError):
            wrong.append(error(f"row {number}", "needs a customer and a margin that is a number"))
    wrong += [error(c, "has no margin in the file", c) for c in customers if c not in found]
    if wrong:
        raise DataError(wrong[:TOLD_MOST])
    return np.array([found[c] for c in customers])


def write_sample(out: Path, number: int, years: int, minutes: int, seed: int, weather: Path | None) -> int:
    """Write made-up meter data, and the weather behind them."""
    if minutes not in (15, 30, 60):
        raise SetupError(f"--minutes {minutes}: 15, 30 or 60")
    require_writable(out, (".csv",))
    require_writable(weather, (".csv",), option="--weather")
    people = population(number, seed)
    with progress_console.status("making customers"), out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start_utc", *(f"{name} [kWh]" for name in people.names)])
        for table in (people.meters(FIRST_YEAR + k, minutes) for k in range(years)):
            stamps = [f"{t:%Y-%m-%dT%H:%MZ}" for t in table.intervals.times]
            writer.writerows([t, *row] for t, row in zip(stamps, np.round(table.energy_kwh.T, 2).tolist(), strict=True))
    console.print(f"{count(number, 'made-up customer')} in {out}", highlight=False)
    if weather is not None:
        parts = [people.weather(FIRST_YEAR + k, 60) for k in range(years)]
        rows = (
            (f"{t:%Y-%m-%dT%H:%MZ}", round(float(a), 2))
            for p in parts
            for t, a in zip(p.intervals.times, p.air_degc, strict=True)
        )
        _write_rows(weather, ["start_utc", "air_degc"], rows)
    return 0


def _write_rows(path: Path, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heading)
        writer.writerows(rows)


def save(figure: "Figure", folder: Path, name: str) -> None:
    """Write a picture into a folder, made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / name, dpi=DPI)
    except OSError as fault:
        raise SetupError(f"{folder} cannot be written: {fault.strerror or fault}") from None


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    words = ("customer", "segment", "why", "prospects and risks", "found (intervals)")
    for name in columns:
        table.add_column(name, justify="left" if name in words else "right", overflow="fold")
    return table


def _notice(data: Data) -> None:
    if data.notice:
        console.print(data.notice, style="dim", highlight=False)
