"""Runs side by side: what changed against a base, by how much, and why in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from models.errors import DataError
from models.findings import Finding, error
from scenarios.cases.results import HEADLINES, KPIS, load_record, unit_of, words_of

SAME_SHARE = 1e-9
COST_PARTS = tuple(n for n in KPIS if n.startswith("cost_"))
PART_OF_CHANGE = 0.1
"""A cost part that makes up less of the change is not worth a word."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of a run against the base's."""

    kpi: str
    base: float
    value: float
    currency: str

    @property
    def change(self) -> float:
        """Difference in the figure's own unit."""
        return self.value - self.base

    @property
    def share(self) -> float:
        """Difference as a share of the base; NaN where the base is nothing."""
        return self.change / abs(self.base) if abs(self.base) > SAME_SHARE else float("nan")

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return abs(self.change) <= SAME_SHARE * max(abs(self.base), abs(self.value), 1.0)

    @property
    def shown(self) -> bool:
        """Whether the difference shows in the digits that people read."""
        return words_of(self.kpi, self.base, self.currency) != words_of(self.kpi, self.value, self.currency)

    @property
    def amount(self) -> str:
        """The difference with its sign and unit as people read it; "" where it rounds to nothing."""
        words, nothing = (words_of(self.kpi, v, self.currency) for v in (abs(self.change), 0.0))
        return "" if words == nothing or not self.shown else f"{'+' if self.change > 0 else '−'}{words}"

    @property
    def better(self) -> bool | None:
        """Whether the run is better than the base; None where nothing shows, or neither is better in itself."""
        wanted = KPIS[self.kpi].better
        return None if not self.shown or not wanted else (self.change < 0) == (wanted == "lower")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs against a base, in the order they were given; records as :func:`scenarios.cases.results.load_record` returns them."""

    base: Mapping[str, Any]
    runs: tuple[Mapping[str, Any], ...]

    @property
    def currency(self) -> str:
        """The currency of all runs."""
        return str(self.base["currency"])

    def differences(self, run: Mapping[str, Any]) -> list[Difference]:
        """Return every figure that both have, in the order of the catalogue."""
        return [
            Difference(n, float(self.base["kpis"][n]), float(run["kpis"][n]), self.currency)
            for n in KPIS
            if n in self.base["kpis"] and n in run["kpis"]
        ]

    def table(self) -> pd.DataFrame:
        """Return all figures: one row each with its unit, a column for the base and one per run."""
        rows = [n for n in KPIS if any(n in r["kpis"] for r in (self.base, *self.runs))]
        columns = {
            "unit": [unit_of(n, self.currency) for n in rows],
            self.base["case"]: [self.base["kpis"].get(n, np.nan) for n in rows],
        }
        for run in self.runs:
            columns[run["case"]] = [run["kpis"].get(n, np.nan) for n in rows]
        return pd.DataFrame(columns, index=pd.Index(rows, name="figure"))

    def why(self, run: Mapping[str, Any], language: str = "en") -> Iterator[str]:
        """Yield what changed and why, in sentences of a language (en or zh), the most important first."""
        found = {d.kpi: d for d in self.differences(run)}
        if all(d.same for d in found.values()):
            yield SENTENCES[language]["nothing"]
            return
        headline = next((found[n] for n in HEADLINES if n in found), None)
        if headline is not None:
            yield from _of_cost(headline, [found[p] for p in COST_PARTS if p in found], language)
        yield from _of_figures(found, language)
        yield from (f"{place}: {message}" for severity, place, message in run["findings"] if severity == "error")


SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "nothing": "Nothing changed: every figure equals the base's.",
        "same": "{title} is the same.",
        "rises": "{title} rises by {amount}.",
        "falls": "{title} falls by {amount}.",
        "more": "{title} costs more: {before} → {now}.",
        "less": "{title} costs less: {before} → {now}.",
        "moved": "{title}: {before} → {now}.",
    },
    "zh": {
        "nothing": "没有变化:所有指标与基准相同。",
        "same": "{title}不变。",
        "rises": "{title}上升 {amount}。",
        "falls": "{title}下降 {amount}。",
        "more": "{title}增加:{before} → {now}。",
        "less": "{title}减少:{before} → {now}。",
        "moved": "{title}:{before} → {now}。",
    },
}
TOLD = (
    "npv",
    "investment",
    "irr_share",
    "payback_years",
    "co2_kg_per_year",
    "co2_kg",
    "peak_kw",
    "import_kwh",
    "gas_kwh",
    "self_use_share",
    "unserved_kwh",
    "loading_max_share",
    "supply_min_degc",
    "dp_min_kpa",
    "violations",
    "battery_cycles",
    "engine_hours",
)
"""Figures beside money that are worth a sentence when they move by half a per cent."""


def _of_cost(total: Difference, parts: Sequence[Difference], language: str) -> Iterator[str]:
    words, title = SENTENCES[language], KPIS[total.kpi].title_in(language)
    if total.same:
        yield words["same"].format(title=title)
        return
    share = f" ({abs(total.share):.1%})" if np.isfinite(total.share) else ""
    amount = f"{words_of(total.kpi, abs(total.change), total.currency)}{share}"
    yield words["rises" if total.change > 0 else "falls"].format(title=title, amount=amount)
    large = (p for p in parts if abs(p.change) >= PART_OF_CHANGE * abs(total.change))
    for part in sorted(large, key=lambda p: -abs(p.change)):
        yield _told(part, "more" if part.change > 0 else "less", language)


def _of_figures(found: Mapping[str, Difference], language: str) -> Iterator[str]:
    for name in TOLD:
        moved = found.get(name)
        if moved is None or moved.same or (np.isfinite(moved.share) and abs(moved.share) < 0.005):
            continue
        yield _told(moved, "moved", language)


def _told(moved: Difference, sentence: str, language: str) -> str:
    before, now = (words_of(moved.kpi, v, moved.currency) for v in (moved.base, moved.value))
    return SENTENCES[language][sentence].format(title=KPIS[moved.kpi].title_in(language), before=before, now=now)


def compare(base: Path, runs: Sequence[Path]) -> Comparison:
    """Return the comparison of saved runs with a saved base.

    Raises
    ------
    DataError
        With every folder that holds no run, and every run in another currency.
    """
    records: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for folder in (base, *runs):
        try:
            records.append(load_record(folder))
        except DataError as problem:
            findings += problem.findings
    findings += [
        error(
            str(folder),
            f"counts in {r['currency']}, the base in {records[0]['currency']}; compare runs of one currency",
        )
        for folder, r in zip(runs, records[1:], strict=False)
        if r["currency"] != records[0]["currency"]
    ]
    if findings:
        raise DataError(findings)
    return Comparison(records[0], tuple(records[1:]))


def tornado(figures: xr.Dataset, kpi: str = "total_cost") -> pd.DataFrame:
    """Return how far each parameter by itself moves a figure: rows by parameter, ``low`` and ``high`` against the default's figure.

    ``figures`` come from a one-at-a-time sweep, whose first point has every default.
    """
    base = figures.isel(point=0)
    names = [str(n) for n in figures.coords if n not in ("point", "seed")]
    rows = {}
    for name in names:
        others = [n for n in names if n != name]
        alone = (
            np.all([figures[n].to_numpy() == float(base[n]) for n in others], axis=0)
            if others
            else np.ones(figures.sizes["point"], bool)
        )
        moved = figures[kpi].to_numpy()[alone] - float(base[kpi])
        rows[name] = {"low": float(np.nanmin(moved)), "high": float(np.nanmax(moved))}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["low", "high"])
    return table.reindex((table["high"] - table["low"]).sort_values(ascending=False).index)


def duration_curve(
    arrays: xr.Dataset, asset: str, carrier: str = "electricity"
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return an asset's power in falling order, in kW; shape (time,)."""
    power = np.nan_to_num(arrays["power_kw"].sel(asset=asset, carrier=carrier).to_numpy())
    return np.asarray(np.sort(power)[::-1], dtype=float)
