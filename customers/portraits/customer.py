"""The portrait of a customer: energy, assets, business; every sentence rests on a figure, and the portrait says how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from customers.efficiency.benchmark import Benchmark, Hint
from customers.features.table import FeatureTable
from customers.segments.segmentation import Segmentation
from models.carriers import Carrier

SURE_SHARE, UNSURE_SHARE = 0.98, 0.7
FULL_YEAR_DAYS = 330
MIXED_MEMBERSHIP = 0.5


@dataclass(frozen=True, slots=True)
class Business:
    """What is known of a customer beside its meters."""

    name: str = ""
    sector: str = ""
    assets: Sequence[str] = ()
    """What stands at the customer, in words."""
    carriers_kwh: Mapping[Carrier, float] = field(default_factory=dict)
    """Energy of a year by carrier, electricity included."""
    flexible_kw: float = 0.0
    """What can be moved, by the assets or by measured calls."""
    recovery_h: float = 0.0
    flexible_from: str = ""
    """Where that figure comes from."""
    paid_per_year: float = 0.0
    """What the customer pays for electricity in a year; 0 where it is not known."""
    currency: str = ""
    answers: str = ""
    """How it answers to prices, in words; "" where no prices were given."""


@dataclass(frozen=True, slots=True)
class Sureness:
    """How much a portrait rests on: shares of intervals with a figure and with an estimated one, and days of data."""

    coverage_share: float
    estimated_share: float
    days: int

    @property
    def grade(self) -> str:
        """How sure the portrait is: sure, fair, unsure."""
        measured = self.coverage_share - self.estimated_share
        if measured < UNSURE_SHARE or self.days < 60:
            return "unsure"
        return "sure" if measured >= SURE_SHARE and self.days >= FULL_YEAR_DAYS else "fair"

    @property
    def words(self) -> str:
        """How sure, and why, in a sentence."""
        text = f"{self.grade}: {self.coverage_share:.1%} of {self.days} days have a figure, {self.estimated_share:.1%} estimated"
        return (
            text if self.days >= FULL_YEAR_DAYS else f"{text}; seasons that are not in the data are not in the portrait"
        )


@dataclass(frozen=True, slots=True)
class CustomerPortrait:
    """One customer in sentences: energy, asset, business; with its segment, its figures and how sure all of it is."""

    customer: str
    segment: str
    membership: float
    energy: tuple[str, ...]
    asset: tuple[str, ...]
    business: tuple[str, ...]
    sureness: Sureness
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Everything that portraits are drawn from; rows of all parts are the same customers."""

    features: FeatureTable
    segments: Segmentation
    benchmark: Benchmark
    coverage_share: Sequence[float]
    estimated_share: Sequence[float]


def portrait(drawn: Drawn, row: int, business: Business = Business(), hints: Sequence[Hint] = ()) -> CustomerPortrait:
    """Return the portrait of one customer."""
    figures = drawn.features.at(row)
    segments, label = drawn.segments, int(drawn.segments.label[row])
    days = int(np.isfinite(drawn.features.days.daily_kw[row]).sum())
    sure = Sureness(float(drawn.coverage_share[row]), float(drawn.estimated_share[row]), days)
    return CustomerPortrait(
        drawn.features.customers[row],
        segments.model.names[label],
        float(segments.membership[row, label]),
        (*energy_sentences(figures), *([f"answers to prices: {business.answers}"] if business.answers else ())),
        tuple(_assets(figures, business)),
        (*_business(figures, business, drawn, row), *_told(hints)),
        sure,
        figures,
    )


def portraits(drawn: Drawn, businesses: Mapping[str, Business] | None = None) -> list[CustomerPortrait]:
    """Return the portraits of all customers; ``businesses`` by customer, where something is known."""
    known = businesses or {}
    return [portrait(drawn, row, known.get(name, Business())) for row, name in enumerate(drawn.features.customers)]


def energy_sentences(f: Mapping[str, float]) -> list[str]:
    """Return what a customer's energy use is like, from its features."""
    if not np.isfinite(f["annual_kwh"]) or f["annual_kwh"] <= 0:
        return ["draws nothing in these data"]
    size = f"draws {_energy(f['annual_kwh'])} a year at {f['annual_kwh'] / 8760:,.0f} kW on average"
    found = [
        f"{size}, up to {f['peak_kw']:,.0f} kW (load factor {f['load_factor']:.2f})",
        f"{_hours(f)}; the least hour of a day draws {f['base_share']:.0%} of the mean",
    ]
    if np.isfinite(f["weekend_ratio"]):
        found.append(f"free days draw {f['weekend_ratio']:.0%} of a working day: {_week(f['weekend_ratio'])}")
    if np.isfinite(f["summer_ratio"]) and np.isfinite(f["winter_ratio"]):
        season = f["summer_ratio"] - f["winter_ratio"]
        word = (
            "hardly differs by season"
            if abs(season) < 0.08
            else f"is highest in {'summer' if season > 0 else 'winter'}"
        )
        found.append(f"{word} (summer {f['summer_ratio']:.2f}, winter {f['winter_ratio']:.2f} of the mean)")
    if np.isfinite(f["weather_share"]):
        found.append(_weather(f))
    return found


def _energy(kwh: float) -> str:
    return f"{kwh / 1e6:,.2f} GWh" if kwh >= 1e6 else f"{kwh / 1e3:,.0f} MWh"


def _hours(f: Mapping[str, float]) -> str:
    if f["night_share"] > 0.85 and f["base_share"] > 0.6:
        return "runs day and night"
    part = "in the evening" if f["evening_share"] > 1.05 * f["midday_share"] else "by day"
    return f"lives {part}, most at {int(f['peak_hour'])}:00; nights draw {f['night_share']:.0%} of the mean"


def _week(ratio: float) -> str:
    if ratio > 1.05:
        return "busiest on free days"
    return "every day alike" if ratio > 0.85 else "a working week" if ratio < 0.6 else "quieter on free days"


def _weather(f: Mapping[str, float]) -> str:
    parts = [
        f"{f[name]:.0%} for ten kelvins of {word}"
        for name, word in (("heating_share", "cold"), ("cooling_share", "warmth"))
        if f[name] > 0.02
    ]
    if not parts:
        return "does not answer to the weather"
    return f"answers to the weather: {' and '.join(parts)} (it explains {f['weather_share']:.0%} of what differs between like days)"


def _assets(f: Mapping[str, float], business: Business) -> list[str]:
    found = [f"has {one}" for one in business.assets]
    if business.flexible_kw > 0:
        back = f", made good within {business.recovery_h:.0f} h" if business.recovery_h else ""
        source = f" ({business.flexible_from})" if business.flexible_from else ""
        found.append(f"can move {business.flexible_kw:,.0f} kW{back}{source}")
    elif business.flexible_from:
        found.append(f"moved nothing that could be told ({business.flexible_from})")
    elif np.isfinite(f["peak_kw"]):
        found.append("what it can move is not known: no flexible load is registered and no call was measured")
    return found


def _business(f: Mapping[str, float], b: Business, drawn: Drawn, row: int) -> list[str]:
    found = [f"{b.name}, {b.sector}" if b.sector else b.name] if b.name else []
    total = sum(b.carriers_kwh.values())
    if total > 0 and len(b.carriers_kwh) > 1:
        order = sorted(b.carriers_kwh.items(), key=lambda item: -item[1])
        found.append(
            "takes " + ", ".join(f"{carrier.value} {kwh / total:.0%}" for carrier, kwh in order) + " of its energy"
        )
    if b.paid_per_year > 0 and f["annual_kwh"] > 0:
        mean = b.paid_per_year / f["annual_kwh"]
        found.append(f"pays {b.paid_per_year:,.0f} {b.currency} a year for electricity, {mean:.3f} per kWh")
    segments, label = drawn.segments, int(drawn.segments.label[row])
    belongs = segments.membership[row, label]
    if len(segments.model.names) > 1:
        mixed = "" if belongs >= MIXED_MEMBERSHIP else ", between segments"
        found.append(f"segment '{segments.model.names[label]}' (belongs there by {belongs:.0%}{mixed})")
    found.append(f"efficiency: {drawn.benchmark.words(row)}")
    return found


def _told(hints: Sequence[Hint]) -> list[str]:
    return [f"hint: {h.measure}: {h.seen}; up to {h.saves_kwh:,.0f} kWh a year ({h.share:.0%})" for h in hints]
