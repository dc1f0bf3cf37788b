"""One operator over one stretch: a closed loop on the emulated plant, or the bound that perfect foresight sets."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from hil.emulators.deviations import deviated
from hil.emulators.plant import EmulatedPlant
from hil.emulators.vehicles import need_at_start_kwh
from models.actuals import Actuals
from models.components import Battery, Chp, EvFleet, GridConnection, Store
from models.dispatch import DispatchProblem, Plan
from models.forecast import Forecast
from models.forecast.margins import NetBand
from models.forecast.naive import Forecaster
from models.forecast.netload import import_weights
from models.forecast.own import OwnForecaster
from models.horizon import HOUR, QUARTER, Horizon, to_index
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import Powers, co2_kg, demand_price_per_kw, operating_cost, peak_import_kw, stored_value
from scenarios.day import AS_AT_START, Diary, JumpingClock, Operator, following, operate
from scenarios.kpis import UNSERVED_PRICE_PER_KWH, kpis_of
from scenarios.planners import Optimizer
from scenarios.problem import Horizons, demand_terms
from scenarios.rules import Rule
from scenarios.trim import FOLLOWED_SHARE, NOTHING_KW
from scenarios.tuning import end_of
from scenarios.value.plant import DirectPlant
from scenarios.value.variants import Stretch, Variant
from twin.state import start_snapshot

Array = npt.NDArray[np.float64]
STEP_S = 60.0
"""Step of the plant, and how often the loop measures and its guard acts."""
FORESIGHT_DEADLINE_S = 900.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one operator made of one stretch.

    ``cost`` holds the parts in the site's currency, ``series`` quarter-hour means for pictures by name (kW, stores as shares).
    ``faults`` says each kind of trouble once.
    """

    variant: str
    stretch: str
    seed: int
    total_cost: float
    cost: Mapping[str, float]
    peak_kw: float
    co2_kg: float
    unserved_kwh: float
    dumped_kwh: float
    band_breaks: int = 0
    guard_turns: int = 0
    plans: int = 0
    faults: tuple[str, ...] = ()
    seconds: float = 0.0
    bound: float = float("nan")
    """For perfect foresight: what it would cost if nothing moved inside the quarter-hours."""
    series: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all variants of a stretch share: the site, the world outside, the rules as they were set up beforehand."""

    site: Site
    stretch: Stretch
    seed: int
    step_s: float = STEP_S

    @property
    def period(self) -> BillingPeriod:
        """The stretch as its own billing period."""
        return self.stretch.period(self.site)


def run_rule(bench: Bench, variant: Variant, rule: Rule, forecaster: Forecaster) -> Outcome:
    """Return what a rule makes of a stretch."""
    return _closed_loop(bench, variant, following(bench.site, variant.name, rule, forecaster), bench.site)


def run_loop(
    bench: Bench,
    variant: Variant,
    forecaster: Forecaster,
    optimizer: Optimizer,
    *,
    model: Site,
    known_peak_kw: float = 0.0,
) -> Outcome:
    """Return what the optimizing loop makes of a stretch.

    ``model`` is the site as the planner believes it to be; ``known_peak_kw`` is used by a variant that may know it.
    """
    horizons = Horizons(hours=variant.hours)
    operator = Operator(
        variant.name,
        optimizer,
        forecaster,
        floor_planner=optimizer if variant.floor == "rest of period" else None,
        floor_kw=known_peak_kw if variant.floor == "known" else 0.0,
        horizons=horizons,
        margin_kw=margin(bench.site, variant, forecaster),
        trims=variant.trimmed,
    )
    return _closed_loop(bench, variant, operator, model)


def margin(site: Site, variant: Variant, forecaster: Forecaster) -> Callable[[], float]:
    """Return how far plans stay below the peak: what the forecaster's own errors ask for, and never less than the variant's."""
    if isinstance(forecaster, OwnForecaster) and variant.margin_kw > 0:
        band = NetBand(forecaster, site)
        return lambda: max(variant.margin_kw, band.margin_kw())
    return lambda: variant.margin_kw


def _closed_loop(bench: Bench, variant: Variant, operator: Operator, model: Site) -> Outcome:
    began, period, site = time.perf_counter(), bench.period, bench.site
    emulated = EmulatedPlant(site, bench.seed, period.start, step_s=bench.step_s, at_once=variant.at_once)
    before, diary, clock = dict(emulated.stored_kwh), Diary(), JumpingClock(period.start)
    plant = DirectPlant(model, emulated, clock)
    settings = replace(
        operator.settings(period),
        poll=timedelta(seconds=bench.step_s),
        replan=variant.replan,
        guarded=variant.guarded,
        tracked=False,
    )
    checked = replace(operator, checker=plant.losses_check)
    asyncio.run(operate(model, checked, plant, clock, plant, period, diary, settings))
    emulated.advance(period.end)
    truth = emulated.log.dataset().sel(time=slice(to_index(period.start), to_index(period.end - QUARTER / 15)))
    kpis = kpis_of(site, truth, before, period)
    return Outcome(
        variant=variant.name,
        stretch=bench.stretch.name,
        seed=bench.seed,
        total_cost=kpis.total_cost,
        cost=dict(kpis.cost),
        peak_kw=kpis.peak_kw,
        co2_kg=kpis.co2_kg,
        unserved_kwh=sum(kpis.unserved_kwh.values()),
        dumped_kwh=kpis.dumped_kwh,
        band_breaks=plant.band_breaks,
        guard_turns=diary.guard_turns,
        plans=len(diary.plans),
        faults=tuple(sorted({f"{f.place}: {f.message[:160]}" for f in diary.faults}))[:20],
        seconds=time.perf_counter() - began,
        series=_pictured(site, truth, bench.step_s) | caps(diary, period),
    )


def caps(diary: Diary, period: BillingPeriod) -> dict[str, Array]:
    """Return the peak that the loop held at every quarter-hour; NaN where it held none."""
    cap = np.full((period.end - period.start) // QUARTER, np.nan)
    for made in diary.plans:
        cap[(made.at - period.start) // QUARTER :] = made.cap_kw
    return {"cap_kw": cap}


def _pictured(site: Site, truth: xr.Dataset, step_s: float) -> dict[str, Array]:
    """Return quarter-hour means of what a picture of a week shows."""
    per_quarter = max(round(QUARTER.total_seconds() / step_s), 1)

    def total(assets: list[str], carrier: str) -> Array:
        power = truth.power_kw.sel(asset=assets, carrier=carrier).sum("asset").to_numpy()
        return np.asarray(power.reshape(-1, per_quarter).mean(axis=1), dtype=float)

    found = _groups(site, total)
    for store in site.of_kind(Store):
        content = truth.stored_kwh.sel(asset=store.id).to_numpy()
        found[f"{store.id}_share"] = content.reshape(-1, per_quarter)[:, -1] / store.energy_kwh
    losses = truth.losses_kw.to_numpy().reshape(len(truth["carrier"]), -1, per_quarter).mean(axis=2)
    names = (str(c) for c in truth["carrier"].to_numpy())
    return found | {f"losses_{c}_kw": row for c, row in zip(names, losses, strict=True)}


def _groups(site: Site, total: Any) -> dict[str, Array]:
    return {
        "import_kw": total([a.id for a in site.of_kind(GridConnection)], "electricity"),
        "engines_kw": total([a.id for a in site.of_kind(Chp)], "electricity"),
        "battery_kw": total([a.id for a in site.of_kind(Battery)], "electricity"),
    }


def run_foresight(bench: Bench, variant: Variant, losses_kw: Mapping[str, Array], optimizer: Optimizer) -> Outcome:
    """Return the bound: one linear program over the whole stretch that knows the plant's own parameters, all profiles and the losses.

    Whole decisions are relaxed, so nobody can do better than this; ``losses_kw`` are those of a run, by carrier and quarter-hour.
    """
    began = time.perf_counter()
    plant, _ = deviated(bench.site, bench.seed)
    plan = optimizer.plan(foresight_problem(plant, bench, losses_kw))
    return _planned(plant, plan, bench, variant, time.perf_counter() - began)


def foresight_problem(plant: Site, bench: Bench, losses_kw: Mapping[str, Array]) -> DispatchProblem:
    """Return the problem of somebody who knows a whole stretch beforehand, the vehicles that are there at its start included."""
    period, zone = bench.period, plant.location.time_zone
    horizon = Horizon.uniform(period.start, period.end)
    values = Actuals(bench.site, bench.seed).means(horizon).rename("forecast")
    needs_kwh = {f.id: need_at_start_kwh(f, period.start, zone, bench.seed) for f in plant.of_kind(EvFleet)}
    losses = xr.DataArray(
        np.array(list(losses_kw.values())),
        {"carrier": list(losses_kw), "time": horizon.times},
        ("carrier", "time"),
        "losses_kw",
    )
    return DispatchProblem(
        site=plant,
        horizon=horizon,
        forecast=Forecast(period.start, horizon, values, "perfect"),
        initial=start_snapshot(plant, period.start, needs_kwh=needs_kwh),
        demand=demand_terms(plant, period, 0.0, 0.0),
        ends=AS_AT_START.terms(plant),
        losses_kw=losses,
        integer_h=0.0,
        unserved_price_per_kwh=UNSERVED_PRICE_PER_KWH,
    )


def _planned(site: Site, plan: Plan, bench: Bench, variant: Variant, seconds: float) -> Outcome:
    """Return a plan as an outcome, priced like a run; parts of a start count as parts."""
    period = bench.period
    powers = Powers(plan.horizon, plan.power_kw)
    peak_kw = peak_import_kw(site, powers)
    missing = plan.unserved_kw.sum([d for d in plan.unserved_kw.dims if d != "time"])
    short_kwh = powers.energy_kwh(np.asarray(missing, dtype=float))
    cost = operating_cost(site, powers) | {"start": plan.cost.get("start", 0.0)}
    cost["demand"] = peak_kw * demand_price_per_kw(site, period)
    cost["unserved"] = short_kwh * UNSERVED_PRICE_PER_KWH
    start = start_snapshot(site, period.start)
    before = dict(zip((str(a) for a in start.stored_kwh["asset"].to_numpy()), start.stored_kwh.to_numpy(), strict=True))
    cost["stored"] = stored_value(site, before) - stored_value(site, end_of(plan))

    def total(assets: list[str], carrier: str) -> Array:
        return np.asarray(plan.power_kw.sel(asset=assets, carrier=carrier).sum("asset"), dtype=float)

    series = _groups(site, total)
    for store in site.of_kind(Store):
        series[f"{store.id}_share"] = np.asarray(plan.stored_kwh.sel(asset=store.id), dtype=float) / store.energy_kwh
    bound = sum(cost.values())
    inside, given_kwh = with_life_inside(bench, site, plan)
    lived = operating_cost(site, inside)
    cost |= {part: lived[part] for part in ("energy", "export")}
    cost["stored"] += given_kwh * max((b.end_value_per_kwh for b in site.of_kind(Battery)), default=0.0)
    return Outcome(
        variant=variant.name,
        stretch=bench.stretch.name,
        seed=bench.seed,
        total_cost=sum(cost.values()),
        cost=cost,
        bound=bound,
        peak_kw=peak_kw,
        co2_kg=co2_kg(site, powers),
        unserved_kwh=short_kwh,
        dumped_kwh=0.0,
        plans=1,
        seconds=seconds,
        series=series,
    )


def with_life_inside(bench: Bench, plant: Site, plan: Plan) -> tuple[Powers, float]:
    """Return a plan's powers in the steps of the plant, the import moved by what loads, sun and wind do inside each quarter-hour.

    No plan in quarter-hours can know it, and a bill counts it: what is exported for minutes is not what is imported a little later.
    Batteries follow it a step late where the plan buys nothing, as they do below the loop; what they give on balance, in kWh, comes with it.
    """
    period = bench.period
    fine = Horizon.uniform(period.start, period.end, timedelta(seconds=bench.step_s))
    per_quarter = round(QUARTER.total_seconds() / bench.step_s)
    means = Actuals(bench.site, bench.seed).means(fine)
    net = sum(weight * means.sel(series=name).to_numpy() for name, weight in import_weights(plant).items())
    by_quarter = np.asarray(net, dtype=float).reshape(-1, per_quarter)
    away = by_quarter - by_quarter.mean(axis=1, keepdims=True)
    followed = _followed_kw(plant, plan, away)
    away = (away - followed).ravel()
    power = plan.power_kw.isel(time=np.repeat(np.arange(len(plan.horizon)), per_quarter)).assign_coords(time=fine.times)
    first = plant.of_kind(GridConnection)[0].id
    lived = power.copy()
    lived.loc[{"asset": first, "carrier": "electricity"}] += away
    return Powers(fine, lived), float(followed.sum()) * bench.step_s / HOUR.total_seconds()


def _followed_kw(plant: Site, plan: Plan, away_kw: Array) -> Array:
    """Return how much batteries give beyond a plan when they follow what moves inside quarter-hours one step late; shape (quarter, step)."""

    def planned(assets: Sequence[GridConnection | Battery]) -> Array:
        power = plan.power_kw.sel(asset=[a.id for a in assets], carrier="electricity").sum("asset")
        return np.asarray(power, dtype=float)[:, None]

    batteries = plant.of_kind(Battery)
    bought, given = planned(plant.of_kind(GridConnection)), planned(batteries)
    late = np.pad(away_kw[:, :-1], ((0, 0), (1, 0)))
    asked = np.where(np.abs(bought) <= NOTHING_KW, late, np.where(bought > 0.0, np.minimum(bought + late, 0.0), 0.0))
    high = np.where(given > 0.0, sum(b.discharge_max_kw for b in batteries), 0.0)
    least, most = -sum(b.charge_max_kw for b in batteries) - given, high - given
    return np.clip(FOLLOWED_SHARE * asked, np.minimum(least, 0.0), np.maximum(most, 0.0))
