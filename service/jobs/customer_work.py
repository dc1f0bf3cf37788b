"""The work behind jobs about customers: portraits, packages, segments, recommendations and matchings."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from service.customers.cells import safe_cell
from service.jobs.customer_requests import (
    MarketInputs,
    MatchingInputs,
    MatchingJob,
    MeterFile,
    MeterInputs,
    PackageJob,
    PortraitJob,
    RecommendationJob,
    SegmentsJob,
)
from service.jobs.results import Tell, kept_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from customers.features.table import FeatureTable
    from customers.intervals.series import MeterTable
    from customers.portraits.customer import Business, CustomerPortrait
    from customers.recommend.ranking import Recommendations
    from customers.segments.segmentation import Segmentation
    from models.findings import Finding

    Floats = npt.NDArray[np.float64]


def portrait(asked: PortraitJob, inputs: MeterInputs, folder: Path, tell: Tell) -> str:
    """Draw portraits from a customer's meter data; the first one is the PDF too."""
    from dataclasses import replace

    from customers.portraits.gather import drawn_from, portraits_with_hints, with_own_holidays
    from service.commands.customer_inputs import read_air
    from service.reports.document import write_document
    from service.reports.portrait_document import portrait_document

    tell(None, "reads the meter data and draws")
    came = inputs.meters.store()
    store = replace(came, raw=with_own_holidays(came.raw))
    drawn = drawn_from(store, read_air(_put(folder / "air.csv", inputs.air), store.raw) if inputs.air else None)
    table = store.best
    made = portraits_with_hints(drawn, _known(asked, inputs, table, folder), range(len(table.customers)))
    write_document(portrait_document(made[0], table, drawn.features, 0, ""), folder / "result.pdf")
    known = [{name: value for name, value in p.figures.items() if isfinite(value)} for p in made]
    told = [
        asdict(p) | {"figures": f, "grade": p.sureness.grade} | _in_chinese(p) for p, f in zip(made, known, strict=True)
    ]
    told[0]["shapes"] = _shapes(table, drawn.features)
    kept_json(told, folder)
    return made[0].sureness.words


def _shapes(table: "MeterTable", features: "FeatureTable") -> dict[str, object]:
    """Return what the pictures of the first meter are drawn from: its year by day and hour, and its typical days, kW; None where nothing is."""
    from customers.portraits.shapes import year_by_hour

    days, year = year_by_hour(table, 0)
    return {"days": days, "year_kw": _plain_rows(year), "typical_kw": _plain_rows(features.days.typical_kw[0])}


def _plain_rows(values: "Floats") -> list[list[float | None]]:
    return [[round(v, 2) if isfinite(v) else None for v in row] for row in values.tolist()]


def _known(asked: PortraitJob, inputs: MeterInputs, table: "MeterTable", folder: Path) -> "dict[str, Business]":
    """Return what is known of a party beside its electricity: other carriers, and how it answers to prices and calls."""
    from customers.portraits.customer import Business
    from service.commands.customer_inputs import answers_of

    carriers = {o.carrier: _kwh_a_year(o.store().best) for o in inputs.others}
    carriers[table.carrier] = _kwh_a_year(table)
    known = dict.fromkeys(table.customers, Business(asked.name, asked.sector, carriers_kwh=carriers))
    lines = [f"{name},{a.isoformat()},{b.isoformat()}\n" for name in table.customers for a, b in asked.calls]
    prices = _put(folder / "prices.csv", inputs.prices) if inputs.prices else None
    calls = _put(folder / "calls.csv", ("customer,start,end\n" + "".join(lines)).encode()) if asked.calls else None
    return answers_of(table, known, prices, calls)


def _kwh_a_year(table: "MeterTable") -> float:
    """Return the energy of 8,760 hours at the mean power of all columns together."""
    import numpy as np

    return float(np.nanmean(table.energy_kwh, axis=1).sum() / table.step_h * 8_760.0)


def _put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _in_chinese(portrait: "CustomerPortrait") -> dict[str, object]:
    """Return a portrait's sentences in Chinese too: a result keeps texts, and no longer the facts in them."""
    from service.sentences import said

    subjects = {"energy": portrait.energy, "asset": portrait.asset, "business": portrait.business}
    return {"zh": {name: [said(line, "zh") for line in lines] for name, lines in subjects.items()}}


def package(asked: PackageJob, inputs: MeterInputs, folder: Path, tell: Tell) -> str:
    """Design a customer's package, prove it and write the proposal."""
    from customers.intervals.keeping import ENDING, write_store
    from customers.matching.needs import needs_of
    from service.commands.package import proposed
    from service.commands.package_inputs import Asked
    from service.reports.document import write_document
    from service.reports.proposal_document import proposal_document

    tell(None, "reads the meter data, designs and proves")
    meters, tariff = folder / f"meters{ENDING}", folder / f"{asked.tariff}.yaml"
    write_store(inputs.meters.store(), meters)
    tariff.write_bytes(inputs.tariff)
    known = (meters, tariff, asked.column, asked.name, asked.sector, asked.zone, asked.unit, asked.roof_m2, asked.facts)
    made = proposed(
        Asked(*known, None, None, asked.bus, package=asked.package), asked.language, None, None, inputs.site
    )
    tell(None, "writes the proposal")
    write_document(proposal_document(made), folder / "result.pdf")
    tables = {"items": [made.item_heads(), *made.items()], "bill": [made.heads("head_bill"), *made.bills()]}
    prices = {"prices": [made.price_heads(), *made.prices()]}
    words = {"summary": list(made.summary()), "reasons": list(made.reasons()), "delivery": list(made.delivered())}
    needs = {"needs": [asdict(n) | {"customer": asked.party_id} for n in needs_of(made.design)]}
    kept_json({"title": made.title, "notice": made.notice, **words, **tables, **prices, **needs}, folder)
    return made.title


def segments(asked: SegmentsJob, inputs: MarketInputs, folder: Path, tell: Tell) -> str:
    """Group customers, draw the market and rank whom to call."""
    from customers.features.table import features_of
    from customers.portraits.market import market_portrait
    from customers.segments.segmentation import read_model, segment

    table, told = together(inputs.customers, tell)
    tell(None, f"groups {len(asked.party_ids)} customers")
    features = features_of(table)
    found = segment(features, read_model(inputs.previous) if inputs.previous else None)
    rows = _in_order_of_calls(inputs, table, features, found)
    kept_csv(rows, folder)
    model = {"stability": found.model.stability, "model": found.model.text()}
    market = [asdict(p) for p in market_portrait(features, found)]
    kept_json({"segments": market, "customers": rows, **model, "left_out": plain(told)}, folder)
    return f"{len(rows)} customers in {len(found.model.names)} segments"


def _in_order_of_calls(
    inputs: MarketInputs, table: "MeterTable", features: "FeatureTable", found: "Segmentation"
) -> list[dict[str, object]]:
    """Return every customer's segment and place in the index of target customers, the first to be called first."""
    from customers.evaluation.target import indicators_of, target_index

    measured = table.coverage_share() - table.estimated_share()
    ranked = target_index(features.customers, indicators_of(features, 1.0 - measured))
    return [
        {
            "rank": int(ranked.rank[k]),
            "party_id": ranked.customers[k],
            "name": inputs.customers[ranked.customers[k]].name,
            "segment": found.model.names[found.label[k]],
            "membership": round(float(found.membership[k, found.label[k]]), 4),
            "score": round(float(ranked.score[k]), 4),
            "rank_low": int(ranked.rank_low[k]),
            "rank_high": int(ranked.rank_high[k]),
            "measured_share": round(float(measured[k]), 4),
            "why": ranked.why(k),
        }
        for k in ranked.order().tolist()
    ]


def recommendation(asked: RecommendationJob, inputs: MarketInputs, folder: Path, tell: Tell) -> str:
    """Recommend packages to customers, every share of every criterion told."""
    import numpy as np
    import yaml

    from customers.costs.library import load_costs
    from customers.features.table import features_of
    from customers.recommend.ranking import Evidence, recommend
    from customers.recommend.standard import PACKAGES, closed, package_of, worth_of
    from models.errors import DataError
    from models.tariffs.file import read_tariff

    table, told = together(inputs.customers, tell, whole=True)
    tell(None, f"simulates {len(PACKAGES)} packages for {len(table.customers)} customers")
    tariff, wrong = read_tariff(yaml.safe_load(inputs.tariff), asked.tariff, table.zone)
    if tariff is None:
        raise DataError(wrong)
    people = [inputs.customers[c] for c in table.customers]
    roofs = np.array([p.roof_m2 for p in people])
    money = worth_of(table, tariff, roofs, load_costs())
    taken = [{package_of(m) for m in inputs.taken.get(c, ())} for c in table.customers]
    seen = np.array([[name in those for name in PACKAGES] for those in taken])
    words = [[f"sector={p.sector}"] if p.sector else [] for p in people]
    made = recommend(Evidence(money, seen, features_of(table).values, words, closed(roofs)))
    rows = _explained(made, table.customers, inputs, money)
    kept_csv(rows, folder)
    weights = {"weights": dict(made.weights), "learnt": made.learnt, "currency": tariff.currency}
    kept_json({"recommended": rows, **weights, "left_out": plain(told)}, folder)
    return f"{len(people)} customers have recommendations"


def _explained(
    made: "Recommendations", customers: Sequence[str], inputs: MarketInputs, money: "Floats"
) -> list[dict[str, object]]:
    """Return every customer's packages, best first, with what each criterion gives to it."""
    from customers.recommend.standard import PACKAGES

    names = list(PACKAGES)
    return [
        {
            "party_id": customer,
            "name": inputs.customers[customer].name,
            "rank": rank,
            "package": names[best.package],
            "worth_per_year": round(float(money[c, best.package]), 2),
            "score": round(best.score, 4),
            **{f"share_{criterion}": round(share, 4) for criterion, share in best.shares.items()},
        }
        for c, customer in enumerate(customers)
        for rank, best in enumerate(made.best(c), start=1)
    ]


def matching(asked: MatchingJob, inputs: MatchingInputs, folder: Path, tell: Tell) -> str:
    """Match needs with providers, and replay what feeds in on the network."""
    from customers.matching.network import match_at_site

    tell(None, f"matches {len(inputs.needs)} needs with {len(inputs.offers)} offers")
    found, delivery = match_at_site(inputs.needs, inputs.offers, asked.on, inputs.site, asked.feeder_kw)
    rows = [
        {
            "party_id": m.need.customer,
            "module": m.need.module,
            "size": m.need.size,
            "bus": m.need.bus,
            "provider": m.offer.provider,
            "gain_per_year": round(m.gain, 2),
            "why": m.sentence,
        }
        for m in found.matches
    ]
    kept_csv(rows, folder)
    money = {"gain": found.gain, "first_come_gain": found.greedy_gain, "bound": found.bound}
    replayed = None if delivery is None else asdict(delivery) | {"deliverable": delivery.deliverable}
    kept_json(
        {"matches": rows, "left": dict(found.left), **money, "shares": dict(found.shares), "delivery": replayed}, folder
    )
    return f"{len(rows)} of {len(inputs.needs)} needs have a provider"


def checked_of(customers: Mapping[str, MeterFile], tell: Tell) -> "dict[str, MeterTable]":
    """Return every customer's checked meter data, all its meters as one."""
    tables = {}
    for done, (name, file) in enumerate(customers.items()):
        tell(done / len(customers), f"checks the meter data of {file.name}")
        tables[name] = _summed(file.data.store().best, name)
    return tables


def together(
    customers: Mapping[str, MeterFile], tell: Tell, *, whole: bool = False
) -> "tuple[MeterTable, list[Finding]]":
    """Return customers' checked meter data as one table, and who was left out; ``whole`` leaves out who has hours without a figure."""
    import numpy as np

    from customers.intervals.joining import joined
    from customers.portraits.gather import with_own_holidays
    from models.errors import DataError
    from models.findings import error, warning

    table, told = joined(checked_of(customers, tell))
    if whole:
        bare = [bool(np.isnan(row).any()) for row in table.energy_kwh]
        told += [
            warning(n, "has hours without a figure in the year compared; it is left out here", n)
            for n, b in zip(table.customers, bare, strict=True)
            if b
        ]
        if all(bare):
            raise DataError([error(f.place, f.message) for f in told])
        table = table.select([n for n, b in zip(table.customers, bare, strict=True) if not b])
    return with_own_holidays(table), told


def _summed(table: "MeterTable", name: str) -> "MeterTable":
    """Return all meters of a customer as one, as good as its worst reading."""
    from dataclasses import replace

    energy, quality = table.energy_kwh.sum(axis=0, keepdims=True), table.quality.min(axis=0, keepdims=True)
    return replace(table, customers=(name,), energy_kwh=energy, quality=quality)


def plain(told: "Iterable[Finding]") -> list[dict[str, str]]:
    """Return findings as plain values."""
    return [{"place": f.place, "message": f.message} for f in told]


def kept_csv(rows: Sequence[dict[str, object]], folder: Path) -> None:
    """Write rows as a table too; without any there is no table."""
    if not rows:
        return
    with (folder / "result.csv").open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({k: safe_cell(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows)


OF_CUSTOMERS = (portrait, package, segments, recommendation, matching)
