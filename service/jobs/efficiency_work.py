"""The work behind an assessment of a customer's efficiency: peers, indicators, hints, and with a day what a measure has saved since."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.jobs.customer_requests import EfficiencyInputs, EfficiencyJob, MeterFile
from service.jobs.customer_work import checked_of, kept_csv, plain, together
from service.jobs.results import Tell, kept_json

if TYPE_CHECKING:
    from customers.efficiency.assessment import Assessment
    from customers.efficiency.savings import Savings
    from customers.efficiency.verification import Verified
    from customers.intervals.series import MeterTable
    from customers.portraits.customer import Drawn
    from models.findings import Finding

AIR = "air.csv"


def efficiency(asked: EfficiencyJob, inputs: EfficiencyInputs, folder: Path, tell: Tell) -> str:
    """Assess one customer's efficiency among its peers; with a day, verify what a measure has saved since."""
    from customers.efficiency.assessment import assessed
    from service.reports.document import write_document
    from service.reports.efficiency_document import efficiency_document

    (folder / AIR).write_bytes(inputs.air)
    drawn, told = _drawn(asked.party_id, inputs.customers, folder / AIR, tell)
    row = drawn.features.customers.index(asked.party_id)
    tell(None, "compares with its peers")
    made = assessed(drawn, row, asked.floor_m2)
    proven = None if asked.since is None else _verified(asked, inputs, folder / AIR, tell)
    sure = drawn.sureness(row)
    name = inputs.customers[asked.party_id].name
    write_document(efficiency_document(name, made, proven, sure, asked.language), folder / "result.pdf")
    kept_csv([asdict(i) for i in made.indicators], folder)
    kept_json(_plain(name, made, proven) | {"sure": sure.words, "grade": sure.grade, "left_out": plain(told)}, folder)
    return made.words if proven is None else proven.days.words(0)


def _drawn(party_id: str, customers: Mapping[str, MeterFile], air: Path, tell: Tell) -> tuple["Drawn", "list[Finding]"]:
    """Return what the customer and its peers are compared by, and who was left out.

    Raises
    ------
    DataError
        If the customer itself cannot be compared, or the temperature does not cover its data.
    """
    from customers.intervals.store import IntervalStore
    from customers.portraits.gather import drawn_from
    from models.errors import DataError
    from models.findings import error
    from service.commands.customer_inputs import read_air

    table, told = together(customers, tell)
    if party_id not in table.customers:
        raise DataError([error(f.place, f.message) for f in told if f.place == party_id])
    return drawn_from(IntervalStore(table), read_air(air, table)), told


def _verified(asked: EfficiencyJob, inputs: EfficiencyInputs, air: Path, tell: Tell) -> "Verified":
    """Return what was saved since the day asked for, over all meter data of the customer."""
    from customers.efficiency.verification import verified
    from customers.intervals.joining import joined
    from service.commands.customer_inputs import read_air

    assert asked.since is not None  # noqa: S101 - asked before
    names = (asked.party_id, *asked.other_ids)
    tables = checked_of({n: inputs.customers[n] for n in names}, tell)
    own = tables[asked.party_id].intervals
    table: MeterTable = joined(tables, own.end - own.start)[0].between(own.start, own.end)
    others = [n for n in asked.other_ids if n in table.customers]
    return verified(table, read_air(air, table), [asked.party_id], asked.since, others)


def _plain(name: str, made: "Assessment", proven: "Verified | None") -> dict[str, Any]:
    """Return an assessment as plain values; a figure that is not known is null."""
    told = asdict(made) | {"name": name}
    told["odd_days"] = [asdict(d) | {"day": d.day.isoformat(), "words": d.words} for d in made.odd_days]
    told["savings"] = None if proven is None else _saved(proven)
    return dict(json.loads(json.dumps(told, default=str), parse_constant=lambda _: None))


def _saved(proven: "Verified") -> dict[str, Any]:
    """Return a verified saving by each of its baselines."""
    made = {"change_point_days": proven.days, "time_of_week_hours": proven.hours}
    by = {method: _one_saving(found) for method, found in made.items() if found is not None}
    years = asdict(proven.years) | {"words": proven.years_words}
    return {"since": proven.since.isoformat(), "stated_coverage": 0.9, "baselines": by, "years": years}


def _one_saving(found: "Savings") -> dict[str, Any]:
    names = ("expected_kwh", "actual_kwh", "saved_kwh", "low_kwh", "high_kwh", "noise_kwh", "model_kwh", "years_kwh")
    figures = {n: float(getattr(found, n)[0]) for n in names}
    told = {n: v if isfinite(v) else None for n, v in figures.items()}
    return told | {"days": found.days, "proven": figures["low_kwh"] > 0, "words": found.words(0)}
