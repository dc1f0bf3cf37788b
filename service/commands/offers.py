"""``offers``: a day's curves with what stands behind every step, as a table, a file and a picture, and the proof that goes with them."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich import box
from rich.table import Table

from market.prices import PriceHistory, emulated_prices, read_prices
from models.errors import DataError
from models.findings import error
from models.offers import OfferCurve, OfferSet
from models.site import Site
from models.site.file import load_site
from optimizers.dispatch import Dispatcher
from optimizers.offers.build import OfferSettings
from scenarios.offer_proof import made_offers
from scenarios.offering import Deviations, TradingDays
from service.commands.files import require_writable, write_as
from service.commands.screen import console
from service.console.figures import grouped, local_time
from service.pictures.offers import offer_chart
from service.pictures.sheet import DPI, ENDINGS

HISTORY_DAYS = 250
MICRO, KILO = 1e6, 1e3
COLUMNS = (
    "kind", "contract", "start", "end", "from_price_per_mwh", "quantity_kwh", "marginal_cost_per_mwh", "store_value_per_mwh", "margin_kwh",
    "paths",
)  # fmt: skip
_STORED: TypeAdapter[OfferSet] = TypeAdapter(OfferSet)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a day's offers are made of; prices per kWh."""

    day: date
    prices: Path | None
    paths: int
    steps: int
    fee_per_kwh: float
    deviations: Deviations
    proven: bool
    seed: int


def build_offers(site_file: Path, asked: Asked, *, out: Path | None, plot: Path | None) -> int:
    """Make, print and write offers; return 1 when the proof does not hold."""
    require_writable(out, WRITERS)
    require_writable(plot, ENDINGS, option="--plot")
    site = load_site(site_file)
    made = offers_for(site, asked)
    if out is not None:
        write_as(WRITERS, made, out)
    told(made, plot)
    return 0 if made.proof.accepted else 1


def offers_for(site: Site, asked: Asked) -> OfferSet:
    """Return the offers of a local day, made from what was known before it."""
    days = TradingDays(
        site, prices_for(site, asked.day, asked.prices, asked.seed), seed=asked.seed, fee_per_kwh=asked.fee_per_kwh
    )
    problem, paths, dispatcher = days.expected(asked.day), days.paths(asked.day, asked.paths), Dispatcher()
    settings = OfferSettings(
        steps=asked.steps, margin_kwh=days.margin_kwh(asked.day, asked.deviations), seed=asked.seed
    )
    try:
        return made_offers(problem, paths, dispatcher, settings, fee_per_kwh=asked.fee_per_kwh, proven=asked.proven)
    finally:
        dispatcher.close()


def prices_for(site: Site, day: date, file: Path | None, seed: int) -> PriceHistory:
    """Return the prices of a file, or made-up ones that reach to the day."""
    if file is not None:
        return read_prices(file, site.location.time_zone)
    return emulated_prices(day - timedelta(days=HISTORY_DAYS), HISTORY_DAYS + 1, seed)


def show_offers(file: Path, plot: Path | None) -> None:
    """Print offers that were written before."""
    require_writable(plot, ENDINGS, option="--plot")
    told(read_offers(file), plot)


def show_proof(file: Path) -> int:
    """Print the proof of offers; return 1 when it does not hold."""
    made = read_offers(file)
    console.print(made.proof.words())
    for kind, worst in made.proof.worst.items():
        console.print(f"largest violation of {kind}: {worst:.2g}")
    return 0 if made.proof.accepted else 1


def read_offers(file: Path) -> OfferSet:
    """Return the offers of a file.

    Raises
    ------
    DataError
        With everything that is wrong with it.
    """
    try:
        return _STORED.validate_json(file.read_bytes())
    except OSError as fault:
        raise DataError([error(str(file), f"cannot be read: {fault.strerror or fault}")]) from None
    except ValidationError as wrong:
        found = [
            error(".".join(map(str, e["loc"])) or str(file), f"{e['msg']}; write offers with: offers build --out")
            for e in wrong.errors()
        ]
        raise DataError(found) from None


def told(made: OfferSet, plot: Path | None) -> None:
    """Print offers and draw them."""
    console.print(curves_table(made))
    console.print(
        f"expected {grouped(made.expected_cost)} {made.currency} for the day, {len(made.profiles)} profiles in its exclusive group, "
        f"margin {grouped(sum(made.margin_kwh))} kWh, from {made.forecast}"
    )
    console.print(made.proof.words())
    if plot is not None:
        offer_chart(made).savefig(plot, dpi=DPI)


def curves_table(made: OfferSet) -> Table:
    """Return one line per interval: its steps, their prices, quantities at the lowest, middle and highest, marginal cost and store value."""
    day, per_mwh = local_time(made.horizon.start, made.time_zone, "%Y-%m-%d"), f"{made.currency}/MWh"
    title = f"{made.site}, offers of {day}: kWh fed (− bought), prices in {per_mwh}; marginal cost and stored energy at the middle"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("from", "steps", "at prices", "lowest", "middle", "highest", "marginal", "stored"):
        table.add_column(head, justify="left" if head == "from" else "right", no_wrap=True)
    for curve in (*made.curves, *made.reserve):
        middle = curve.steps[len(curve.steps) // 2]
        cells = [grouped(s.quantity_wh / KILO) for s in (curve.steps[0], middle, curve.steps[-1])]
        prices = f"{grouped(curve.steps[0].price_micro / MICRO)} … {grouped(curve.steps[-1].price_micro / MICRO)}"
        worth = (grouped(KILO * v) for v in (middle.marginal_cost_per_kwh, middle.store_value_per_kwh))
        name = local_time(curve.start, made.time_zone, "%H:%M") + (f" {curve.contract}" if curve.contract else "")
        table.add_row(name, str(len(curve.steps)), prices, *cells, *worth)
    return table


def _write_json(made: OfferSet, path: Path) -> None:
    path.write_bytes(_STORED.dump_json(made, indent=1) + b"\n")


def _write_csv(made: OfferSet, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for curve in (*made.curves, *made.reserve):
            rows.writerows(_csv_rows(curve))


def _csv_rows(curve: OfferCurve) -> list[list[object]]:
    return [
        [
            curve.kind, curve.contract, curve.start.isoformat(), curve.end.isoformat(), s.price_micro / MICRO, s.quantity_wh / KILO,
            round(KILO * s.marginal_cost_per_kwh, 6), round(KILO * s.store_value_per_kwh, 6), s.margin_wh / KILO, s.support,
        ]
        for s in curve.steps
    ]  # fmt: skip


WRITERS: Mapping[str, Callable[[OfferSet, Path], None]] = {".json": _write_json, ".csv": _write_csv}
