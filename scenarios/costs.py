"""What a run of powers costs, part by part, as the tariffs say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.components import Battery, Engine, GasSupply, GridConnection, Store
from models.dispatch import ReductionEvent
from models.horizon import HOUR, Horizon
from models.site import GasContract, Site
from models.tariffs.terms import optimizer_terms
from models.tariffs.time_of_use import BillingPeriod

Array = npt.NDArray[np.float64]
QUARTER_H = 0.25
MONTHS_PEAK = "demand"
"""Name of the charge on the highest import of the whole month."""
RUNNING_KW = 0.1
"""An engine that gives more than this runs."""


@dataclass(frozen=True, slots=True)
class Powers:
    """Powers of every asset over a horizon, dims (asset, carrier, time), positive feeds the network."""

    horizon: Horizon
    power_kw: xr.DataArray

    def of(self, asset: str, carrier: str) -> Array:
        """Return one asset's power on one carrier; shape (time,)."""
        here = self.power_kw.sel(asset=asset, carrier=carrier).to_numpy()
        return np.asarray(np.nan_to_num(here), dtype=float)

    def energy_kwh(self, power_kw: Array) -> float:
        """Return the energy under a power."""
        return float(np.sum(power_kw * self.horizon.step_h))


def operating_cost(site: Site, powers: Powers) -> dict[str, float]:
    """Return energy purchase, sale (negative), gas, maintenance, starts and battery wear, in the site's currency."""
    parts = {"energy": 0.0, "export": 0.0, "gas": 0.0, "maintenance": 0.0, "start": 0.0, "wear": 0.0}
    for grid in site.of_kind(GridConnection):
        terms, power = optimizer_terms(site.tariff(grid.contract), powers.horizon), powers.of(grid.id, "electricity")
        paid, earned = terms.energy_cost(np.clip(power, 0.0, None), np.clip(-power, 0.0, None), powers.horizon.step_h)
        parts["energy"] += paid
        parts["export"] -= earned
    for gate in site.of_kind(GasSupply):
        parts["gas"] += powers.energy_kwh(powers.of(gate.id, "gas")) * gas_price_per_kwh(site, gate)
    for engine in site.engines:
        power = powers.of(engine.id, "electricity")
        parts["maintenance"] += powers.energy_kwh(power) * engine.om_cost_per_kwh
        parts["start"] += start_cost(engine, power, powers.horizon.step_h)
    for battery in site.of_kind(Battery):
        discharged = np.clip(powers.of(battery.id, "electricity"), 0.0, None)
        parts["wear"] += powers.energy_kwh(discharged) * battery.wear_cost_per_kwh
    return parts


def gas_price_per_kwh(site: Site, gate: GasSupply) -> float:
    """Return the price that a city gate's gas is bought at."""
    contract = site.contract(gate.contract)
    if not isinstance(contract, GasContract):
        raise TypeError(f"{gate.id} is connected under {contract.id}, which is no gas contract")
    return contract.price_per_kwh


def prices_per_kwh(site: Site, horizon: Horizon) -> dict[str, Array]:
    """Return what a kWh costs in every step by contract, shape (step,): bought and sent out (``.export``), or gas."""
    found: dict[str, Array] = {}
    for grid in site.of_kind(GridConnection):
        terms = optimizer_terms(site.tariff(grid.contract), horizon)
        found[grid.contract], found[f"{grid.contract}.export"] = terms.marginal_per_kwh()
    for gate in site.of_kind(GasSupply):
        found[gate.contract] = np.full(len(horizon), gas_price_per_kwh(site, gate))
    return found


def start_cost(engine: Engine, power_kw: Array, step_h: Array) -> float:
    """Return what the starts cost by how long the engine stood before each; a run that was on before the first step counts none.

    An engine that stands from the first step on is taken to be cold.
    """
    cost, off_h = 0.0, np.inf
    for k, runs in enumerate((power_kw > RUNNING_KW).tolist()):
        if runs and off_h > 0.0 and k > 0:
            cost += engine.start_cost_after(off_h)
        off_h = 0.0 if runs else off_h + float(step_h[k])
    return cost


def demand_price_per_kw(site: Site, period: BillingPeriod) -> float:
    """Return what a kW of the period's peak import costs, over all grid connections' tariffs (the dearest where there are several)."""
    return max(demand_prices_per_kw(site, period).get(MONTHS_PEAK, []), default=0.0)


def demand_prices_per_kw(site: Site, period: BillingPeriod) -> dict[str, list[float]]:
    """Return what a kW of the period's peak costs by the name of the charge, once per grid connection that has it."""
    found: dict[str, list[float]] = {}
    day = Horizon.uniform(period.start, period.start + HOUR)
    for grid in site.of_kind(GridConnection):
        for term in optimizer_terms(site.tariff(grid.contract), day).demand:
            found.setdefault(term.name, []).append(period.month_share * term.price_per_kw)
    return found


def demand_cost(site: Site, powers: Powers, period: BillingPeriod) -> float:
    """Return what the peaks of a run cost as those of a billing period: the highest import of all, and the highest in each peak window."""
    total = peak_import_kw(site, powers) * demand_price_per_kw(site, period)
    horizon = powers.horizon
    for grid in site.of_kind(GridConnection):
        power = np.clip(powers.of(grid.id, "electricity"), 0.0, None)
        for term in optimizer_terms(site.tariff(grid.contract), horizon).demand:
            if term.name != MONTHS_PEAK:
                inside = quarter_means(np.where(term.counts, power, 0.0), horizon)
                total += period.month_share * term.price_per_kw * float(inside.max())
    return total


def events_cost(site: Site, powers: Powers, events: Iterable[ReductionEvent]) -> float:
    """Return what calls on demand response cost, negative where they earn, settled on the mean import of every quarter-hour.

    Longer steps are settled as they are; a quarter-hour that lies in a call in part counts for that part.
    """
    horizon, steps = powers.horizon, np.zeros(len(powers.horizon))
    through = sum((powers.of(g.id, "electricity") for g in site.of_kind(GridConnection)), steps)
    means, step_h = quarter_means(through, horizon), max(float(horizon.step_h[0]), QUARTER_H)
    total = 0.0
    for event in events:
        first_h, last_h = ((t - horizon.start) / HOUR for t in (event.start, event.end))
        for k, import_kw in enumerate(means.tolist()):
            hours = min(last_h, (k + 1) * step_h) - max(first_h, k * step_h)
            total += event.cost(import_kw, hours) if hours > 0 else 0.0
    return total


def quarter_means(power_kw: Array, horizon: Horizon) -> Array:
    """Return the mean of a power over every quarter-hour of a horizon of equal steps that divide or equal a quarter-hour.

    Steps longer than a quarter-hour are returned as they are: the mean of the longer step is all that is known.
    """
    step_h = float(horizon.step_h[0])
    per_quarter = round(QUARTER_H / step_h)
    if per_quarter <= 1:
        return power_kw
    whole = len(power_kw) // per_quarter * per_quarter
    return np.asarray(power_kw[:whole].reshape(-1, per_quarter).mean(axis=1), dtype=float)


def peak_import_kw(site: Site, powers: Powers) -> float:
    """Return the highest 15-min mean import over all grid connections."""
    total = sum((powers.of(g.id, "electricity") for g in site.of_kind(GridConnection)), np.zeros(len(powers.horizon)))
    return float(max(quarter_means(total, powers.horizon).max(), 0.0))


def stored_value(site: Site, stored_kwh: Mapping[str, float]) -> float:
    """Return what stored energy is worth at each store's end value."""
    return sum(stored_kwh.get(s.id, 0.0) * s.end_value_per_kwh for s in site.of_kind(Store))


def co2_kg(site: Site, powers: Powers) -> float:
    """Return the emission of what was imported; export earns no credit."""
    total = 0.0
    for grid in site.of_kind(GridConnection):
        total += powers.energy_kwh(np.clip(powers.of(grid.id, "electricity"), 0.0, None)) * grid.co2_kg_per_kwh
    for gate in site.of_kind(GasSupply):
        total += powers.energy_kwh(powers.of(gate.id, "gas")) * gate.co2_kg_per_kwh
    return total
