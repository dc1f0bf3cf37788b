"""Where a trading day earned and where it lost: by stage of the trade, by equipment and by hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from market.settlement import Item, Part
from models.carriers import Carrier
from models.components import GridConnection
from models.site import Site
from scenarios.costs import Powers

Floats = npt.NDArray[np.float64]
MICRO = 1e6
BESIDE = (Part.REAL_TIME, Part.DEVIATION)
"""What energy beside the position brings or costs."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One interval: price, position and metered energy (kWh, positive feeds), and what it brought (> 0) or cost."""

    period: int
    price_per_kwh: float
    position_kwh: float
    metered_kwh: float
    trades: float
    beside: float
    timing: float
    """What trading this hour's position at its own price instead of the day's mean brought."""


@dataclass(frozen=True, slots=True)
class DayAccount:
    """A trading day in money of the site: positive earned, negative spent.

    ``parts`` are the settlement's items, the fee on metered import and what operating the site cost; they sum to ``result``. ``equipment`` is
    what the electricity of each asset was worth at the day-ahead prices of its hours, which together with losses is the metered energy.
    ``alternatives`` are results of other ways through the same day, as far as they can be counted.
    """

    parts: Mapping[str, float]
    equipment: Mapping[str, float]
    hours: tuple[Hour, ...]
    alternatives: Mapping[str, float]

    @property
    def result(self) -> float:
        """What the whole day brought; negative where it cost."""
        return float(sum(self.parts.values()))

    def best(self, count: int = 3) -> list[Hour]:
        """Return the hours whose timing brought most."""
        return sorted(self.hours, key=lambda h: -(h.timing + h.beside))[:count]

    def worst(self, count: int = 3) -> list[Hour]:
        """Return the hours that lost most: bought above the day's mean price, or beside the position."""
        return sorted(self.hours, key=lambda h: h.timing + h.beside)[:count]


def hourly_wh(truth: xr.Dataset, asset: str, step_h: float, periods: int) -> list[int]:
    """Return what an asset fed into the electricity network per period, whole Wh, from a plant's log in equal steps."""
    power = truth.power_kw.sel(asset=asset, carrier=Carrier.ELECTRICITY.value).to_numpy()
    per_period = len(power) // periods
    energy = power.reshape(periods, per_period).sum(axis=1) * (step_h * periods / len(power)) * 1000.0
    return [round(v) for v in energy.tolist()]


def metered_wh(site: Site, truth: xr.Dataset, step_h: float, periods: int) -> list[int]:
    """Return what the site's connections delivered to the public grid per period (> 0), or drew."""
    rows = [hourly_wh(truth, g.id, step_h, periods) for g in site.of_kind(GridConnection)]
    return [-sum(values) for values in zip(*rows, strict=True)]


def equipment_value(site: Site, powers: Powers, price_per_kwh: Floats) -> dict[str, float]:
    """Return what each asset's electricity was worth at the prices of its hours; negative for what it drew."""
    steps = len(powers.horizon)
    price = np.repeat(price_per_kwh, steps // len(price_per_kwh))
    found = {}
    for asset in site.assets:
        if isinstance(asset, GridConnection) or Carrier.ELECTRICITY not in asset.ports():
            continue
        power = powers.of(asset.id, Carrier.ELECTRICITY.value)
        found[asset.id] = float((power * price) @ powers.horizon.step_h)
    return found


def account(
    items: Sequence[Item],
    participant: str,
    prices_per_kwh: Floats,
    position_wh: Sequence[int],
    metered: Sequence[int],
    operating: Mapping[str, float],
    equipment: Mapping[str, float],
    alternatives: Mapping[str, float],
) -> DayAccount:
    """Return the day's account from its settlement items and what operating the site cost (positive costs)."""
    mine = [i for i in items if i.participant == participant]
    parts = {p.value: sum(i.amount_micro for i in mine if i.part is p) / MICRO for p in Part}
    parts = {k: v for k, v in parts.items() if v} | {k: -v for k, v in operating.items() if v}
    mean = float(prices_per_kwh.mean())
    hours = []
    for k, (price, sold, fed) in enumerate(zip(prices_per_kwh.tolist(), position_wh, metered, strict=True)):
        own = [i for i in mine if i.period == k]
        trades = sum(i.amount_micro for i in own if i.part is Part.TRADES) / MICRO
        beside = sum(i.amount_micro for i in own if i.part in BESIDE) / MICRO
        # energy beside the position is bought or sold at about the hour's price: only what is lost against it counts
        missed = beside - (fed - sold) / 1000.0 * price
        hours.append(Hour(k, price, sold / 1000.0, fed / 1000.0, trades, missed, sold / 1000.0 * (price - mean)))
    return DayAccount(parts, equipment, tuple(hours), alternatives)
