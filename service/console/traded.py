"""A traded day as its page shows it: the trace link by link, the account, the books that sum to zero, and two charts."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.figures import grouped
from service.console.glance import Glance
from service.jobs.job import Job

MICRO, KILO = 1e6, 1e3
DIGEST_SHOWN = 10


def trade_day_view(look: Glance, folder: Path) -> dict[str, object]:
    """Return a traded day: its links, its money by part, the ways not taken, and every account of its ledger."""
    made = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    balances = made["balances_micro"]
    return {
        "links": [(_word(look, link["stage"]), link["digest"][:DIGEST_SHOWN], link["words"]) for link in made["links"]],
        "day_ok": made["ok"],
        "day_figures": list(_figures(look, made)),
        "day_parts": [(_word(look, name), grouped(value, 2)) for name, value in made["parts"].items()],
        "balances": [(_account(look, name), grouped(value / MICRO, 2)) for name, value in balances.items() if value],
        "balance_sum": grouped(sum(balances.values()) / MICRO, 2),
        "equipment": list(_equipment(look, made["equipment"])),
        "day_currency": made["currency"],
    }


def _figures(look: Glance, made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the day's result beside what other ways through it would have brought."""
    w, currency = look.w, made["currency"]
    yield w["day_result"], f"{grouped(made['result'], 2)} {currency}"
    for name, value in made["alternatives"].items():
        yield _word(look, name), f"{grouped(value, 2)} {currency}"
    yield w["day_certificates"], grouped(sum(c["last"] - c["first"] + 1 for c in made["certificates"]))
    invoice = made["invoice"]
    yield w["day_invoice"], "–" if invoice is None else str(invoice["id"])


def _equipment(look: Glance, worth: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    titles = {a.id: a.title or a.id for a in look.runtime.site.assets}
    for name, value in sorted(worth.items(), key=lambda pair: -pair[1]):
        yield titles.get(name, name), grouped(value, 2)


def _word(look: Glance, name: str) -> str:
    """Return a name of the trading day in the reader's language, as it stands where there is none."""
    return look.w.get("traded_" + name.replace(" ", "_").replace(",", ""), look.w.get(name, name))


def _account(look: Glance, name: str) -> str:
    """Return an account of the ledger, like market:trades, in the reader's language."""
    kind, _, about = name.partition(":")
    return f"{_word(look, kind)}: {_word(look, about)}"


def _hours(look: Glance, job: Job) -> tuple[list[dict[str, Any]], list[datetime], str]:
    path = job.folder(look.backing.results) / "result.json"
    made = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "hours" not in made:
        raise HTTPException(404, f"Job {job.id} is no traded day; ask for one in the trading room.")
    return made["hours"], [datetime.fromisoformat(h["start"]) for h in made["hours"]], made["currency"]


def traded_chart(look: Glance, job: Job) -> Chart:
    """Return the position that was traded and what the meter saw, with the price of every hour."""
    hours, at, currency = _hours(look, job)
    w = look.w
    lines = [
        Line(w["day_position"], at, [h["position_kwh"] for h in hours], Look.STEP, "--accent"),
        Line(w["metered"], at, [h["metered_kwh"] for h in hours], Look.DASHED, "--ink"),
        Line(w["price"], at, [KILO * h["price_per_kwh"] for h in hours], Look.STEP, "--forecast", 1),
    ]
    return Chart("traded", [Panel(w["offers_quantity"], "kWh", 1.5), Panel(w["price"], f"{currency}/MWh")], lines)


def earned_chart(look: Glance, job: Job) -> Chart:
    """Return what trading every hour at its own price brought, and what lay beside the position."""
    hours, at, currency = _hours(look, job)
    clock = [t.astimezone(look.zone).strftime("%H:%M") for t in at]
    lines = [
        Line(look.w["day_timing"], clock, [h["timing"] for h in hours], Look.BARS, "--accent"),
        Line(look.w["day_beside"], clock, [h["beside"] for h in hours], Look.BARS, "--alarm"),
    ]
    return Chart("earned", [Panel(look.w["chart_earned"], currency)], lines, Axis.NAMES, look.w["from"])
