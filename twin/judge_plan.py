"""What a plan itself gets wrong, before anything is replayed: unit limits, ramps, minimum times, store contents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import AnyAsset, Asset, Battery, Engine, Pv, Store
from models.dispatch import Plan
from models.findings import Finding, Severity
from models.limits import power_range_kw, smallest_kw
from models.reserve import Standing, held_kw
from models.site import ReserveContract, Site
from models.state import Snapshot, UnitState
from models.told import Told, told
from twin.step import FloatArray
from twin.words import Speaker, Worst, worst_above, worst_below

STANDING_KW = 0.1
UNDECIDED_SHARE = 1e-5
LIMIT_SHARE = 1e-4
"""Solvers keep bounds to about 1e-6 of a unit's size; a hundred times that is no rounding."""


@dataclass(frozen=True, slots=True)
class PlannedUnits:
    """A plan as plain arrays by asset: power on the control carrier and stored energy, each of shape (time,)."""

    control_kw: Mapping[str, FloatArray]
    stored_kwh: Mapping[str, FloatArray]
    undecided: Mapping[str, npt.NDArray[np.bool_]]
    """Steps, far ahead, in which the plan has left open whether a unit runs: it says how much on average, not how."""

    @classmethod
    def of(cls, plan: Plan, site: Site) -> "PlannedUnits":
        """Return the arrays of a plan."""
        power = plan.power_kw.transpose("asset", "carrier", "time").to_numpy()
        row = {str(a): i for i, a in enumerate(plan.power_kw["asset"].to_numpy())}
        column = {str(c): i for i, c in enumerate(plan.power_kw["carrier"].to_numpy())}
        stored = plan.stored_kwh.transpose("asset", "time").to_numpy()
        running = plan.running.transpose("asset", "time").to_numpy()
        keeper = {str(a): i for i, a in enumerate(plan.stored_kwh["asset"].to_numpy())}
        return cls(
            {
                a.id: power[row[a.id], column[a.control.value]]
                for a in site.assets
                if a.id in row and a.control.value in column
            },
            {name: stored[i] for name, i in keeper.items()},
            {
                str(a): np.abs(running[i] - np.round(running[i])) > UNDECIDED_SHARE
                for i, a in enumerate(plan.running["asset"].to_numpy())
            },
        )


def judge_plan(plan: Plan, site: Site, initial: Snapshot) -> list[Finding]:
    """Return every limit of a unit or store that a plan oversteps."""
    planned = PlannedUnits.of(plan, site)
    speaker = Speaker(plan.horizon)
    findings: list[Finding] = []
    for asset in site.assets:
        power = planned.control_kw.get(asset.id)
        if power is None:
            continue
        open_ended = planned.undecided.get(asset.id, np.zeros(len(power), dtype=bool))
        findings += _limits(asset, power, open_ended, speaker)
        if isinstance(asset, Engine):
            decided = int(np.argmax(open_ended)) if open_ended.any() else len(power)
            findings += _ramp(asset, power[:decided], initial, speaker)
            findings += _minimum_times(asset, power[:decided], initial.units.get(asset.id), speaker)
        if isinstance(asset, Store) and asset.id in planned.stored_kwh:
            findings += _content(asset, planned.stored_kwh[asset.id], speaker)
    findings += _apparent(plan, planned, site, speaker)
    return findings + list(_held(plan, planned, site, initial, speaker))


def _apparent(plan: Plan, planned: PlannedUnits, site: Site, speaker: Speaker) -> Iterator[Finding]:
    """Yield converters that are to carry more real and reactive power together than they can."""
    for unit in (a for a in site.assets if isinstance(a, Pv | Battery) and a.apparent_max_kva):
        if (
            plan.reactive_kvar is None
            or unit.id not in plan.reactive_kvar["asset"].values
            or unit.apparent_max_kva is None
        ):
            continue
        carried = np.hypot(planned.control_kw[unit.id], plan.reactive_kvar.sel(asset=unit.id).to_numpy())

        def fact(worst: Worst) -> Told:
            pattern = "{kva:.0f} kVA planned, its converter carries {most:.0f} kVA,"
            return told("apparent", pattern, kva=worst.value, most=worst.limit)

        worst = worst_above(carried, unit.apparent_max_kva, LIMIT_SHARE * unit.apparent_max_kva)
        yield from speaker.finding(
            Severity.ERROR, unit.id, worst, fact, told("feed_less", "Feed less power or less reactive power.")
        )


def _held(plan: Plan, planned: PlannedUnits, site: Site, initial: Snapshot, speaker: Speaker) -> Iterator[Finding]:
    """Yield engines and stores that are to hold more capacity than they could deliver from where the plan has them."""
    if plan.reserve_kw is None:
        return
    for asset in (a for a in site.assets if isinstance(a, Engine | Store) and a.id in plan.reserve_kw["asset"].values):
        standings = _standings(asset, plan, planned, initial)
        for contract in site.reserves:
            held = plan.reserve_kw.sel(contract=contract.id, asset=asset.id).to_numpy()
            room = np.array([_room_kw(asset, s, contract) for s in standings])
            sides = [side for side, asked in ((0, contract.down), (1, contract.up)) if asked]
            most = room[:, sides].min(axis=1)

            def fact(worst: Worst, name: str = contract.id) -> Told:
                pattern = "{kw:.0f} kW are to be held for {name} where {most:.0f} kW could be delivered,"
                return told("held", pattern, kw=worst.value, name=name, most=worst.limit)

            worst = worst_above(held, most, LIMIT_SHARE * max(float(held.max()), 1.0) + 1e-3)
            yield from speaker.finding(
                Severity.ERROR, asset.id, worst, fact, told("hold_less", "Hold less there, or leave more room.")
            )


def _room_kw(asset: Asset, now: Standing, contract: ReserveContract) -> tuple[float, float]:
    """Return how much less and more an asset could feed on a contract's call."""
    return held_kw(
        asset, now, response_min=contract.response_min, sustain_h=contract.sustain_h, called_share=contract.called_share
    )


def _standings(asset: Engine | Store, plan: Plan, planned: PlannedUnits, initial: Snapshot) -> list[Standing]:
    """Return where an engine or store is in every step: its power, what it holds around the step, whether it runs."""
    power, count = planned.control_kw[asset.id], len(plan.horizon)
    if isinstance(asset, Engine):
        running = plan.running.sel(asset=asset.id).to_numpy()
        return [Standing(float(power[t]), running=float(running[t])) for t in range(count)]
    start = float(initial.stored_kwh.sel(asset=asset.id))
    stored = np.concatenate(
        [[min(max(start, asset.stored_min_kwh), asset.stored_max_kwh)], planned.stored_kwh[asset.id]]
    )
    return [Standing(float(power[t]), (float(stored[t]), float(stored[t + 1]))) for t in range(count)]


def _limits(
    asset: AnyAsset, power: FloatArray, undecided: npt.NDArray[np.bool_], speaker: Speaker
) -> Iterator[Finding]:
    limits = power_range_kw(asset)
    if limits is None:
        return
    (lowest, highest), running = limits, smallest_kw(asset)
    slack = LIMIT_SHARE * max(highest, -lowest if np.isfinite(lowest) else 0.0) + 1e-3
    carrier = asset.control.value

    def beyond(worst: Worst) -> Told:
        pattern = "{kw:.0f} kW of {carrier} planned, its limit is {limit:.0f} kW,"
        return told("beyond", pattern, kw=worst.value, carrier=told(carrier, carrier), limit=worst.limit)

    def below(worst: Worst) -> Told:
        pattern = "{kw:.0f} kW planned, it runs from {least:.0f} kW upwards,"
        return told("below", pattern, kw=worst.value, least=worst.limit)

    way_on = told("keep_within", "Keep the plan within the datasheet, or correct the site file.")
    yield from speaker.finding(Severity.ERROR, asset.id, worst_above(power, highest, slack), beyond, way_on)
    yield from speaker.finding(Severity.ERROR, asset.id, worst_below(power, lowest, slack), beyond, way_on)
    if running:
        size = np.where((np.abs(power) > STANDING_KW) & ~undecided, np.abs(power), np.nan)
        way_on = told("stop_or_load", "Stop it there or load it more.")
        yield from speaker.finding(Severity.ERROR, asset.id, worst_below(size, running, slack), below, way_on)


def _ramp(chp: Engine, power: FloatArray, initial: Snapshot, speaker: Speaker) -> Iterator[Finding]:
    """Yield the worst jump: an engine may start into its lowest load and stop from anywhere, between it keeps its ramp."""
    before = float(np.nan_to_num(initial.power_kw.sel(asset=chp.id, carrier=Carrier.ELECTRICITY.value)))
    earlier = np.concatenate([[before], power])[:-1]
    allowed = chp.ramp_kw_per_min * 60.0 * speaker.horizon.step_h[: len(power)]
    rise = power - np.maximum(earlier, np.where(power > STANDING_KW, chp.power_min_kw, 0.0))
    fall = np.where(power > STANDING_KW, earlier - power, 0.0)

    def fact(worst: Worst) -> Told:
        pattern = "power changes by {kw:.0f} kW in one step where its ramp allows {most:.0f} kW,"
        return told("ramp", pattern, kw=worst.value, most=worst.limit)

    way_on = told("spread_change", "Spread the change over more steps.")
    worst = worst_above(np.maximum(rise, fall), allowed, 1.0)
    yield from speaker.finding(Severity.ERROR, chp.id, worst, fact, way_on)


def _minimum_times(chp: Engine, power: FloatArray, state: UnitState | None, speaker: Speaker) -> Iterator[Finding]:
    """Yield a finding for every run or rest that ends too early; the last one may go on behind the horizon."""
    if state is None:
        return  # nothing is known of the past, so nothing binds yet
    now, hours = state.running, state.hours_in_state
    for k, (runs, step_h) in enumerate(zip(power > STANDING_KW, speaker.horizon.step_h.tolist(), strict=False)):
        if bool(runs) != now:
            yield from _too_early(chp, now, hours, k, speaker)
            now, hours = bool(runs), 0.0
        hours += step_h


def _too_early(chp: Engine, ran: bool, hours: float, step: int, speaker: Speaker) -> Iterator[Finding]:
    needed = chp.min_up_h if ran else chp.min_down_h
    if hours < needed - 1e-6:
        facts = {"at": speaker.at(step), "hours": hours, "needed": needed}
        if ran:
            pattern = "stopped at {at} after {hours:g} h of running; it needs {needed:g} h. Move the switch or keep the unit as it is."
            words = told("stopped_early", pattern, **facts)
        else:
            pattern = "started at {at} after {hours:g} h of standing; it needs {needed:g} h. Move the switch or keep the unit as it is."
            words = told("started_early", pattern, **facts)
        yield Finding(Severity.ERROR, chp.id, words, (chp.id,), hours, needed)


def _content(store: Store, stored: FloatArray, speaker: Speaker) -> Iterator[Finding]:
    slack = LIMIT_SHARE * store.energy_kwh

    def fact(worst: Worst) -> Told:
        pattern = "{kwh:.0f} kWh planned, it can hold {low:.0f} to {high:.0f} kWh,"
        return told("content", pattern, kwh=worst.value, low=store.stored_min_kwh, high=store.stored_max_kwh)

    way_on = told("charge_less", "Charge or discharge less before.")
    yield from speaker.finding(Severity.ERROR, store.id, worst_above(stored, store.stored_max_kwh, slack), fact, way_on)
    yield from speaker.finding(Severity.ERROR, store.id, worst_below(stored, store.stored_min_kwh, slack), fact, way_on)
