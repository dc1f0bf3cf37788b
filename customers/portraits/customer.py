"""The portrait of a customer: energy, assets, business; every sentence rests on a figure, and the portrait says how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from customers.efficiency.benchmark import Benchmark, Hint
from customers.features.table import FeatureTable
from customers.segments.segmentation import Segmentation, segment_words
from models.carriers import Carrier
from models.told import Told, told

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
    def words(self) -> Told:
        """How sure, and why, in a sentence."""
        shares = {"covered": self.coverage_share, "days": self.days, "estimated": self.estimated_share}
        pattern = "{grade}: {covered:.1%} of {days} days have a figure, {estimated:.1%} estimated"
        text = told("sureness", pattern, grade=told(f"sure_{self.grade}", self.grade), **shares)
        if self.days >= FULL_YEAR_DAYS:
            return text
        return told("sureness_part", "{text}; seasons that are not in the data are not in the portrait", text=text)


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

    def sureness(self, row: int) -> Sureness:
        """Return how much a customer's portrait rests on."""
        days = int(np.isfinite(self.features.days.daily_kw[row]).sum())
        return Sureness(float(self.coverage_share[row]), float(self.estimated_share[row]), days)


def portrait(drawn: Drawn, row: int, business: Business = Business(), hints: Sequence[Hint] = ()) -> CustomerPortrait:
    """Return the portrait of one customer."""
    figures = drawn.features.at(row)
    segments, label = drawn.segments, int(drawn.segments.label[row])
    return CustomerPortrait(
        drawn.features.customers[row],
        segments.model.names[label],
        float(segments.membership[row, label]),
        (*energy_sentences(figures), *_answers(business)),
        tuple(_assets(figures, business)),
        (*_business(figures, business, drawn, row), *_told(hints)),
        drawn.sureness(row),
        figures,
    )


def portraits(drawn: Drawn, businesses: Mapping[str, Business] | None = None) -> list[CustomerPortrait]:
    """Return the portraits of all customers; ``businesses`` by customer, where something is known."""
    known = businesses or {}
    return [portrait(drawn, row, known.get(name, Business())) for row, name in enumerate(drawn.features.customers)]


def _answers(business: Business) -> list[Told]:
    if not business.answers:
        return []
    return [told("answers_to_prices", "answers to prices: {answers}", answers=business.answers)]


def energy_sentences(f: Mapping[str, float]) -> list[Told]:
    """Return what a customer's energy use is like, from its features."""
    if not np.isfinite(f["annual_kwh"]) or f["annual_kwh"] <= 0:
        return [told("draws_nothing", "draws nothing in these data")]
    found = [
        _size(f),
        told(
            "hours",
            "{when}; the least hour of a day draws {base:.0%} of the mean",
            when=_hours(f),
            base=f["base_share"],
        ),
    ]
    if np.isfinite(f["weekend_ratio"]):
        pattern = "free days draw {ratio:.0%} of a working day: {week}"
        found.append(told("free_days", pattern, ratio=f["weekend_ratio"], week=_week(f["weekend_ratio"])))
    if np.isfinite(f["summer_ratio"]) and np.isfinite(f["winter_ratio"]):
        pattern = "{word} (summer {summer:.2f}, winter {winter:.2f} of the mean)"
        found.append(told("seasons", pattern, word=_season(f), summer=f["summer_ratio"], winter=f["winter_ratio"]))
    if np.isfinite(f["weather_share"]):
        found.append(_weather(f))
    return found


def _size(f: Mapping[str, float]) -> Told:
    pattern = "draws {energy} a year at {mean:,.0f} kW on average, up to {peak:,.0f} kW (load factor {factor:.2f})"
    facts = {"energy": _energy(f["annual_kwh"]), "mean": f["annual_kwh"] / 8760, "peak": f["peak_kw"]}
    return told("size", pattern, **facts, factor=f["load_factor"])


def _season(f: Mapping[str, float]) -> Told:
    season = f["summer_ratio"] - f["winter_ratio"]
    if abs(season) < 0.08:
        return told("no_season", "hardly differs by season")
    if season > 0:
        return told("summer_highest", "is highest in summer")
    return told("winter_highest", "is highest in winter")


def _energy(kwh: float) -> str:
    return f"{kwh / 1e6:,.2f} GWh" if kwh >= 1e6 else f"{kwh / 1e3:,.0f} MWh"


def _hours(f: Mapping[str, float]) -> Told:
    if f["night_share"] > 0.85 and f["base_share"] > 0.6:
        return told("day_and_night", "runs day and night")
    evening = f["evening_share"] > 1.05 * f["midday_share"]
    part = told("in_the_evening", "in the evening") if evening else told("by_day", "by day")
    pattern = "lives {part}, most at {hour}:00; nights draw {night:.0%} of the mean"
    return told("lives", pattern, part=part, hour=int(f["peak_hour"]), night=f["night_share"])


def _week(ratio: float) -> Told:
    if ratio > 1.05:
        return told("busiest_free", "busiest on free days")
    if ratio > 0.85:
        return told("days_alike", "every day alike")
    return told("working_week", "a working week") if ratio < 0.6 else told("quieter_free", "quieter on free days")


def _weather(f: Mapping[str, float]) -> Told:
    cold, warm = f["heating_share"], f["cooling_share"]
    parts = [told("per_cold", "{share:.0%} for ten kelvins of cold", share=cold)] if cold > 0.02 else []
    parts += [told("per_warmth", "{share:.0%} for ten kelvins of warmth", share=warm)] if warm > 0.02 else []
    if not parts:
        return told("no_weather", "does not answer to the weather")
    pattern = "answers to the weather: {parts} (it explains {share:.0%} of what differs between like days)"
    return told("weather", pattern, parts=tuple(parts), share=f["weather_share"])


def _assets(f: Mapping[str, float], business: Business) -> list[Told]:
    found = [told("has_asset", "has {asset}", asset=one) for one in business.assets]
    source = told("in_brackets", " ({source})", source=business.flexible_from) if business.flexible_from else ""
    if business.flexible_kw > 0:
        back = (
            told("made_good", ", made good within {hours:.0f} h", hours=business.recovery_h)
            if business.recovery_h
            else ""
        )
        found.append(
            told("can_move", "can move {kw:,.0f} kW{back}{source}", kw=business.flexible_kw, back=back, source=source)
        )
    elif business.flexible_from:
        found.append(told("moved_nothing", "moved nothing that could be told{source}", source=source))
    elif np.isfinite(f["peak_kw"]):
        pattern = "what it can move is not known: no flexible load is registered and no call was measured"
        found.append(told("not_known_to_move", pattern))
    return found


def _business(f: Mapping[str, float], b: Business, drawn: Drawn, row: int) -> list[str]:
    found: list[str] = [f"{b.name}, {b.sector}" if b.sector else b.name] if b.name else []
    if sum(b.carriers_kwh.values()) > 0 and len(b.carriers_kwh) > 1:
        found.append(_carriers(b.carriers_kwh))
    if b.paid_per_year > 0 and f["annual_kwh"] > 0:
        paid = {"amount": b.paid_per_year, "currency": b.currency, "mean": b.paid_per_year / f["annual_kwh"]}
        found.append(told("pays", "pays {amount:,.0f} {currency} a year for electricity, {mean:.3f} per kWh", **paid))
    if len(drawn.segments.model.names) > 1:
        found.append(_segment(drawn.segments, row))
    found.append(told("efficiency", "efficiency: {grade}", grade=drawn.benchmark.words(row)))
    return found


def _carriers(kwh: Mapping[Carrier, float]) -> Told:
    total = sum(kwh.values())
    order = sorted(kwh.items(), key=lambda item: -item[1])
    parts = (
        told("carrier_share", "{carrier} {share:.0%}", carrier=told(c.value, c.value), share=e / total)
        for c, e in order
    )
    return told("takes", "takes {parts} of its energy", parts=tuple(parts))


def _segment(segments: Segmentation, row: int) -> Told:
    label = int(segments.label[row])
    belongs = segments.membership[row, label]
    mixed = "" if belongs >= MIXED_MEMBERSHIP else told("between_segments", ", between segments")
    pattern = "segment '{name}' (belongs there by {belongs:.0%}{mixed})"
    return told("in_segment", pattern, name=segment_words(segments.model.names[label]), belongs=belongs, mixed=mixed)


def _told(hints: Sequence[Hint]) -> list[Told]:
    pattern = "hint: {measure}: {seen}; up to {kwh:,.0f} kWh a year ({share:.0%})"
    return [told("hint", pattern, measure=h.measure, seen=h.seen, kwh=h.saves_kwh, share=h.share) for h in hints]
