"""A site file's words for a tariff, turned into the tariff that bills and is planned with."""

import functools
from datetime import date

from models.tariffs.calendar import Calendar, Schedule, from_windows
from models.tariffs.components import Component, Demand, Energy, Fixed, NetBilling, NetMetering, Tier
from models.tariffs.money import KILO, micro
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import TimeOfUseTariff, Window

BEGINNING = date(1970, 1, 1)
WHOLE_DAY = (Window(start_h=0.0, end_h=24.0),)


@functools.lru_cache(maxsize=64)
def from_time_of_use(
    tariff: TimeOfUseTariff, time_zone: str, name: str = "electricity", currency: str = "CNY"
) -> Tariff:
    """Return a site file's tariff as a tariff that bills.

    Its components are ``energy`` per band, ``export``, ``demand``, one per peak window, and ``standing``.
    """
    bands = {k: _tiers(tariff, micro(b.price_per_kwh)) for k, b in enumerate(tariff.bands)}
    parts: list[Component] = [Energy("energy", bands, _schedule([(k, b.windows) for k, b in enumerate(tariff.bands)]))]
    if tariff.net_metering:
        parts.append(NetMetering("export", micro(tariff.export_price_per_kwh)))
    elif tariff.export_price_per_kwh:
        parts.append(NetBilling("export", {0: micro(tariff.export_price_per_kwh)}))
    if tariff.demand_price_per_kw_month:
        parts.append(Demand("demand", {0: (Tier(micro(tariff.demand_price_per_kw_month)),)}))
    for window in tariff.peak_windows:
        prices = {0: (Tier(0),), 1: (Tier(micro(window.price_per_kw_month)),)}
        parts.append(Demand(window.name, prices, _schedule([(0, WHOLE_DAY), (1, window.windows)])))
    if tariff.fixed_per_month:
        parts.append(Fixed("standing", micro(tariff.fixed_per_month)))
    return Tariff(name, currency, Calendar(time_zone), (Version("1", BEGINNING, tuple(parts)),))


def _tiers(tariff: TimeOfUseTariff, price_micro: int) -> tuple[Tier, ...]:
    """Return a band's price in every block of the month's energy."""
    if not tariff.blocks:
        return (Tier(price_micro),)
    limits = [None if b.up_to_kwh is None else round(b.up_to_kwh * KILO) for b in tariff.blocks]
    adders = [micro(b.adder_per_kwh) for b in tariff.blocks]
    return tuple(Tier(price_micro + adder, limit) for adder, limit in zip(adders, limits, strict=True))


def _schedule(periods: list[tuple[int, tuple[Window, ...]]]) -> Schedule:
    """Return the schedule of windows by period, in quarter-hours where they fit, in minutes elsewhere."""
    windows = [(period, w) for period, several in periods for w in several]
    fits = all((h * 4).is_integer() for _, w in windows for h in (float(w.start_h), float(w.end_h)))
    return from_windows(windows, 96 if fits else 1440)
