"""A run in figures: what it cost, emitted, imported and wasted, and how near its networks came to their limits."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    Battery,
    Chp,
    Consumer,
    ElectricChiller,
    EvFleet,
    FlexibleLoad,
    GasSupply,
    GridConnection,
    HeatPump,
    Pv,
    Wind,
)
from models.horizon import Horizon, to_index
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod, PeriodFinder
from scenarios.cases.setting import Setting
from scenarios.costs import RUNNING_KW, Powers, demand_cost, events_cost
from scenarios.kpis import horizon_of, kpis_of

Array = npt.NDArray[np.float64]
E = Carrier.ELECTRICITY.value
PARTS = ("energy", "export", "demand", "demand_response", "gas", "co2", "unserved", "stored")
STILL_KG_PER_S = 1e-6
SHORT_KW = 0.5
"""Less than a meter shows is nobody's lack."""


def figures(
    setting: Setting,
    arrays: xr.Dataset,
    networks: Mapping[str, xr.Dataset],
    available_kwh: float,
    period: BillingPeriod,
    billing: PeriodFinder,
    stored_before_kwh: Mapping[str, float],
) -> dict[str, float]:
    """Return every figure of a run, in the units of :data:`scenarios.cases.results.KPIS`.

    Parameters
    ----------
    arrays
        The plant's log, see :class:`models.truth.TruthLog`.
    networks
        Each network's state over the log's steps.
    available_kwh
        What sun and wind could have given.
    period, billing
        The run's stretch of time, and the billing periods that it falls into.
    stored_before_kwh
        What stores held at its start.
    """
    site = setting.site
    kpis, powers = kpis_of(site, arrays, stored_before_kwh, period), Powers(horizon_of(arrays), arrays["power_kw"])
    cost = dict(kpis.cost) | {"demand": demand_by_period(site, arrays, period, billing)}
    events = [c.event(period.start) for c in setting.calls]
    cost["demand_response"] = events_cost(site, powers, events)
    cost["co2"] = kpis.co2_kg * setting.co2_price_per_kg
    imported, exported = _through(site, powers)
    made = sum(
        powers.energy_kwh(np.clip(powers.of(a.id, E), 0.0, None)) for a in (*site.of_kind(Pv), *site.of_kind(Wind))
    )
    return {
        "total_cost": sum(cost.values()),
        **{f"cost_{part}": cost[part] for part in PARTS},
        "cost_operation": cost["maintenance"] + cost["start"] + cost["wear"],
        "co2_kg": kpis.co2_kg,
        "peak_kw": kpis.peak_kw,
        "import_kwh": imported,
        "export_kwh": exported,
        "gas_kwh": sum(powers.energy_kwh(powers.of(g.id, "gas")) for g in site.of_kind(GasSupply)),
        "self_use_share": kpis.self_use_share,
        "self_supply_share": kpis.self_supply_share,
        "curtailed_kwh": max(available_kwh - made, 0.0),
        "unserved_kwh": sum(kpis.unserved_kwh.values()),
        "served_share": _served_share(site, powers, sum(kpis.unserved_kwh.values())),
        "comfort_h": _hours_short(arrays, powers),
        "dumped_kwh": kpis.dumped_kwh,
        "loss_kwh": sum(powers.energy_kwh(np.asarray(row, dtype=float)) for row in arrays["losses_kw"].to_numpy()),
        **_equipment(site, powers),
        **dict(_margins(site, networks)),
    }


def demand_by_period(site: Site, arrays: xr.Dataset, period: BillingPeriod, billing: PeriodFinder) -> float:
    """Return the demand charge of a run: each billing period's peaks at their prices, a part of a month pro rata."""
    total, at = 0.0, period.start
    while at < period.end:
        until = min(billing(at).end, period.end)
        part = arrays["power_kw"].sel(time=_inside(arrays, at, until))
        total += demand_cost(site, Powers(horizon_of(part.to_dataset()), part), BillingPeriod(at, until))
        at = until
    return total


def _inside(arrays: xr.Dataset, start: datetime, end: datetime) -> npt.NDArray[np.datetime64]:
    times = arrays["time"].to_numpy()
    found: npt.NDArray[np.datetime64] = times[
        (times >= np.datetime64(to_index(start))) & (times < np.datetime64(to_index(end)))
    ]
    return found


def _through(site: Site, powers: Powers) -> tuple[float, float]:
    """Return the electricity imported and exported at all grid connections together."""
    net = sum((powers.of(g.id, E) for g in site.of_kind(GridConnection)), np.zeros(len(powers.horizon)))
    return powers.energy_kwh(np.clip(net, 0.0, None)), powers.energy_kwh(np.clip(-net, 0.0, None))


def _served_share(site: Site, powers: Powers, unserved_kwh: float) -> float:
    """Return the share of what consumers asked for that they got, over all carriers."""
    ports = (
        (a.id, c.value) for kind in (Consumer, EvFleet, FlexibleLoad) for a in site.of_kind(kind) for c in a.ports()
    )
    served = sum(powers.energy_kwh(np.clip(-powers.of(*port), 0.0, None)) for port in ports)
    asked = served + unserved_kwh
    return served / asked if asked > 0 else 1.0


def _hours_short(arrays: xr.Dataset, powers: Powers) -> float:
    """Return for how many hours somebody had less heat or cold than they asked for."""
    known = set(arrays["carrier"].to_numpy().tolist())
    thermal = [c.value for c in (Carrier.HEAT, Carrier.COLD) if c.value in known]
    short = arrays["unserved_kw"].sel(carrier=thermal).fillna(0.0).max(("asset", "carrier")).to_numpy() > SHORT_KW
    return float(np.asarray(powers.horizon.step_h)[short].sum())


def _full_load_hours(units: Sequence[tuple[str, float]], powers: Powers, carrier: Carrier) -> float:
    """Return full-load hours of all units (id, output at full load in kW) together."""
    return sum(powers.energy_kwh(np.clip(powers.of(u, carrier.value), 0.0, None)) / full for u, full in units)


def _equipment(site: Site, powers: Powers) -> dict[str, float]:
    engines, batteries = site.of_kind(Chp), site.of_kind(Battery)
    made = {e.id: powers.of(e.id, E) for e in engines}
    given = sum(powers.energy_kwh(np.clip(powers.of(b.id, E), 0.0, None)) for b in batteries)
    held = sum(b.stored_max_kwh - b.stored_min_kwh for b in batteries)
    pumps = [(p.id, p.heat_max_kw) for p in site.of_kind(HeatPump)]
    chillers = [(c.id, c.cold_max_kw) for c in site.of_kind(ElectricChiller)]
    chillers += [(c.id, c.cold_max_kw) for c in site.of_kind(AbsorptionChiller)]
    return {
        "heat_pump_hours": _full_load_hours(pumps, powers, Carrier.HEAT),
        "chiller_hours": _full_load_hours(chillers, powers, Carrier.COLD),
        "engine_starts": float(sum(starts(power) for power in made.values())),
        "engine_hours": sum(powers.energy_kwh(made[e.id]) / e.power_max_kw for e in engines),
        "battery_cycles": given / held if held else 0.0,
    }


def starts(power_kw: Array) -> int:
    """Return how often a unit goes from standing to running; a run that was on before the first step counts none."""
    running = power_kw > RUNNING_KW
    return int(np.sum(running[1:] & ~running[:-1]))


def _margins(site: Site, networks: Mapping[str, xr.Dataset]) -> Iterator[tuple[str, float]]:
    """Yield how near the networks came to their limits; nothing where the site has none."""
    grids = [networks[n.id] for n in site.networks.electricity if n.id in networks]
    if grids:
        yield (
            "loading_max_share",
            max((float(g["loading_share"].max()) for g in grids if g["loading_share"].size), default=0.0),
        )
        yield "vm_min_pu", min(float(g["vm_pu"].min()) for g in grids)
        yield "vm_max_pu", max(float(g["vm_pu"].max()) for g in grids)
    for name, pipes in (("dp_min_kpa", site.networks.heat), ("cold_dp_min_kpa", site.networks.cold)):
        spreads = [_least_at_consumers(networks[n.id], "dp_kpa") for n in pipes if n.id in networks]
        if spreads:
            yield name, min(spreads)
    warmths = [_least_at_consumers(networks[n.id], "supply_degc") for n in site.networks.heat if n.id in networks]
    if warmths:
        yield "supply_min_degc", min(warmths)


def _least_at_consumers(state: xr.Dataset, quantity: str) -> float:
    """Return the smallest value of a quantity of junctions at the consumers that something flows to."""
    consumers = state["consumer"].to_numpy()
    values = state[quantity].sel(junction=consumers).transpose("junction", "time").to_numpy()
    flow = state["consumer_flow_kg_per_s"].transpose("consumer", "time").to_numpy()
    served = values[flow > STILL_KG_PER_S]
    return float(np.nanmin(served)) if served.size else float("nan")


def available_kwh(site: Site, series: xr.DataArray, horizon: Horizon) -> float:
    """Return what sun and wind could have given over a horizon, from their per-unit series with dims (series, time)."""
    fields = [(p.profile, p.peak_kw) for p in site.of_kind(Pv)] + [(w.profile, w.rated_kw) for w in site.of_kind(Wind)]
    could = {name: float(np.clip(series.sel(series=name).to_numpy(), 0.0, None) @ horizon.step_h) for name, _ in fields}
    return sum(rated_kw * could[name] for name, rated_kw in fields)
