"""The portrait of a market: every segment's size, growth, margin and risk, and the prospects of services in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.features.table import FeatureTable
from customers.segments.segmentation import Segmentation

Array = npt.NDArray[np.float64]
PROSPECTS = ("photovoltaics", "battery", "cooling service", "heating service", "base-load audit")


@dataclass(frozen=True, slots=True)
class SegmentPortrait:
    """One segment: ``growth_share`` and ``margin`` are None where no second year and no margin were given."""

    name: str
    customers: int
    annual_kwh: float
    share: float
    growth_share: float | None
    growth_spread: float | None
    margin: float | None
    largest_share: float
    """Share of the segment's energy that its largest customer draws."""
    prospects: tuple[tuple[str, float], ...]
    """Services with the energy a year that they could touch, largest first."""
    sentences: tuple[str, ...]


def market_portrait(
    features: FeatureTable,
    segments: Segmentation,
    years: tuple[FeatureTable, FeatureTable] | None = None,
    margin: Array | None = None,
) -> list[SegmentPortrait]:
    """Return every segment's portrait, the largest by energy first.

    ``years`` holds the customers' features of two years, the earlier first, and gives growth; ``margin`` (customer,) the money expected of each a year.
    """
    total = float(np.nansum(features.column("annual_kwh")))
    growth = None if years is None else _growth(*years)
    found = [
        _segment(name, segments.label == k, features, total, growth, margin)
        for k, name in enumerate(segments.model.names)
        if (segments.label == k).any()
    ]
    return sorted(found, key=lambda s: -s.annual_kwh)


def _growth(earlier: FeatureTable, now: FeatureTable) -> Array:
    """Return every customer's change of energy from one year to the next; not finite for who drew nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(now.column("annual_kwh") / earlier.column("annual_kwh") - 1.0)


def _segment(
    name: str,
    rows: npt.NDArray[np.bool_],
    features: FeatureTable,
    total: float,
    growth: Array | None,
    margin: Array | None,
) -> SegmentPortrait:
    annual = features.column("annual_kwh")[rows]
    energy = float(np.nansum(annual))
    grown = None if growth is None else growth[rows][np.isfinite(growth[rows])]
    mean = None if grown is None or not len(grown) else float(np.median(grown))
    spread = None if grown is None or len(grown) < 2 else float(grown.std(ddof=1))
    money = None if margin is None else float(margin[rows].sum())
    largest = float(np.nanmax(annual) / energy) if energy > 0 else 0.0
    prospects = _prospects(features, rows)
    words = _sentences(
        int(rows.sum()), energy, energy / total if total else 0.0, mean, spread, money, largest, prospects
    )
    return SegmentPortrait(
        name, int(rows.sum()), energy, energy / total if total else 0.0, mean, spread, money, largest, prospects, words
    )


def _prospects(features: FeatureTable, rows: npt.NDArray[np.bool_]) -> tuple[tuple[str, float], ...]:
    """Return what energy each service could touch: daylight, peaks above the mean for two hours a day, weather, and base load at night."""
    annual = features.column("annual_kwh")[rows]
    f = {
        n: np.nan_to_num(features.column(n)[rows])
        for n in ("midday_share", "cooling_share", "heating_share", "base_share")
    }
    above = (features.column("peak_kw")[rows] - annual / 8_760.0) * 2 * 250
    touched = (
        annual * f["midday_share"] / 4.0,
        above,
        annual * f["cooling_share"] / 2.0,
        annual * f["heating_share"] / 2.0,
        annual * f["base_share"] * 0.1,
    )
    sums = [float(np.nansum(t)) for t in touched]
    return tuple(sorted(zip(PROSPECTS, sums, strict=True), key=lambda p: -p[1]))


def _sentences(
    count: int,
    energy: float,
    share: float,
    growth: float | None,
    spread: float | None,
    margin: float | None,
    largest: float,
    prospects: Sequence[tuple[str, float]],
) -> tuple[str, ...]:
    found = [f"{count} customers draw {energy / 1e6:,.2f} GWh a year, {share:.0%} of the market"]
    if growth is not None:
        risk = f", customers differ by {spread:.1%}" if spread is not None else ""
        found.append(f"grew by {growth:+.1%} in a year{risk}")
    if margin is not None:
        found.append(f"a margin of {margin:,.0f} a year is expected, {margin / max(count, 1):,.0f} a customer")
    if largest > 0.4 and count > 1:
        found.append(f"one customer draws {largest:.0%}: a risk of its own")
    near = ", ".join(f"{name} ({kwh / 1e6:,.2f} GWh)" for name, kwh in prospects[:3] if kwh > 0)
    found.append(f"most energy to be touched by: {near}")
    return tuple(found)
