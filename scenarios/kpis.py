"""What a day was worth: realised cost by tariff, peak, emissions, self-use, what was left unserved, and whether the books close."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import Consumer, EvFleet, FlexibleLoad, GridConnection, Pv, Store, Wind
from models.horizon import Horizon, from_index
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import Powers, co2_kg, demand_cost, operating_cost, peak_import_kw, stored_value

Array = npt.NDArray[np.float64]
UNSERVED_PRICE_PER_KWH = 20.0
"""What a kWh that somebody went short of is counted at, as in the planners' problems."""


@dataclass(frozen=True, slots=True)
class Kpis:
    """A day in figures, from the plant's own log.

    ``cost`` holds the parts in the site's currency: purchase, sale (negative), gas, maintenance, starts, battery wear, the demand charge of
    the billing period, unserved energy, and the energy that the stores gained (``stored``, negative when they hold more than before).
    ``energy_kwh`` is what was fed into each carrier, ``imbalance_share`` what of it the log cannot account for. ``self_use_share`` is
    the part of sun and wind that the site used itself, ``self_supply_share`` the part of its electricity that it did not import.
    """

    cost: Mapping[str, float]
    peak_kw: float
    co2_kg: float
    energy_kwh: Mapping[str, float]
    imbalance_share: Mapping[str, float]
    unserved_kwh: Mapping[str, float]
    dumped_kwh: float
    self_use_share: float
    self_supply_share: float
    stored_kwh: Mapping[str, float]

    @property
    def total_cost(self) -> float:
        """Sum of all cost parts."""
        return float(sum(self.cost.values()))


def kpis_of(site: Site, truth: xr.Dataset, stored_before_kwh: Mapping[str, float], period: BillingPeriod) -> Kpis:
    """Return the figures of a run from its truth.

    Parameters
    ----------
    truth
        ``power_kw``, ``unserved_kw``, ``dumped_kw`` with dims (asset, carrier, time), ``losses_kw`` (carrier, time), ``stored_kwh``
        (asset, time) at the end of each step; equal steps that divide a quarter-hour.
    stored_before_kwh
        What each store held before the first step.
    period
        The billing period that the run stands for: its demand charge is the run's.
    """
    powers = Powers(horizon_of(truth), truth.power_kw)
    peak_kw = peak_import_kw(site, powers)
    unserved = _by_carrier(powers, truth.unserved_kw.sum("asset"))
    after = {s.id: float(truth.stored_kwh.sel(asset=s.id)[-1]) for s in site.of_kind(Store)}
    before = {k: v for k, v in stored_before_kwh.items() if k in after}
    cost = operating_cost(site, powers)
    cost["demand"] = demand_cost(site, powers, period)
    cost["unserved"] = sum(unserved.values()) * UNSERVED_PRICE_PER_KWH
    cost["stored"] = stored_value(site, before) - stored_value(site, after)
    self_use, self_supply = _own_shares(site, powers)
    return Kpis(
        cost=cost,
        peak_kw=peak_kw,
        co2_kg=co2_kg(site, powers),
        energy_kwh=_by_carrier(powers, truth.power_kw.clip(min=0.0).sum("asset")),
        imbalance_share=imbalance_share(powers, truth.losses_kw),
        unserved_kwh=unserved,
        dumped_kwh=sum(_by_carrier(powers, truth.dumped_kw.sum("asset")).values()),
        self_use_share=self_use,
        self_supply_share=self_supply,
        stored_kwh=after,
    )


def horizon_of(truth: xr.Dataset) -> Horizon:
    """Return the horizon of a log of equal steps."""
    times = truth["time"].to_numpy()
    step = (from_index(times[1]) - from_index(times[0])) if len(times) > 1 else None
    if step is None:
        raise ValueError("a log of one step has no step length; run for at least two")
    return Horizon.uniform(from_index(times[0]), from_index(times[-1]) + step, step)


def imbalance_share(powers: Powers, losses_kw: xr.DataArray) -> dict[str, float]:
    """Return, per carrier, the energy that feeds, draws and losses leave unexplained at each step over the energy fed in."""
    shares = {}
    for carrier in _carriers(powers):
        power = np.nan_to_num(powers.power_kw.sel(carrier=carrier).transpose("asset", "time").to_numpy())
        rest = power.sum(axis=0) - losses_kw.sel(carrier=carrier).to_numpy()
        fed = powers.energy_kwh(np.clip(power, 0.0, None).sum(axis=0))
        shares[carrier] = powers.energy_kwh(np.abs(rest)) / fed if fed > 0 else 0.0
    return shares


def _carriers(powers: Powers) -> list[str]:
    known = set(powers.power_kw["carrier"].to_numpy().tolist())
    return [c.value for c in ENERGY_CARRIERS if c.value in known]


def _by_carrier(powers: Powers, power_kw: xr.DataArray) -> dict[str, float]:
    """Return the energy under a power with dims (carrier, time), by carrier."""
    return {c: powers.energy_kwh(np.asarray(power_kw.sel(carrier=c), dtype=float)) for c in _carriers(powers)}


def _own_shares(site: Site, powers: Powers) -> tuple[float, float]:
    """Return the shares of own sun and wind used on the site, and of the site's electricity not imported."""
    electricity = Carrier.ELECTRICITY.value
    steps = np.zeros(len(powers.horizon))
    fields = (*site.of_kind(Pv), *site.of_kind(Wind))
    own = sum((np.clip(powers.of(a.id, electricity), 0.0, None) for a in fields), steps)
    grid = sum((powers.of(g.id, electricity) for g in site.of_kind(GridConnection)), steps)
    loads = [a for a in site.assets if isinstance(a, Consumer | FlexibleLoad | EvFleet)]
    drawn = sum((np.clip(-powers.of(a.id, electricity), 0.0, None) for a in loads), steps)
    exported = np.minimum(np.clip(-grid, 0.0, None), own)
    made, used = powers.energy_kwh(own), powers.energy_kwh(drawn)
    imported = powers.energy_kwh(np.clip(grid, 0.0, None))
    self_use = 1.0 - powers.energy_kwh(exported) / made if made > 0 else 0.0
    return self_use, max(1.0 - imported / used, 0.0) if used > 0 else 0.0
