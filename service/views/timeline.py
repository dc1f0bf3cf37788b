"""History and plan on one time axis: what every kind of asset did, what it was and is planned to do, what stores hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Store
from models.horizon import QUARTER
from models.ports import Outcome
from models.site import Site
from service.history import BIN, EPOCH, Array, History
from service.memory import MadePlan, Memory
from service.views.groups import by_kind


@dataclass(frozen=True, slots=True)
class CarrierLines:
    """Powers on one carrier by kind of asset, in kW, positive when fed; NaN where nothing was measured or planned."""

    carrier: Carrier
    measured_kw: Mapping[str, Array]
    planned_kw: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class StoreLines:
    """Energy in one store: measured in every bin, planned at the end of every quarter-hour."""

    asset: str
    title: str
    kind: str
    energy_kwh: float
    measured_kwh: Array
    planned_kwh: Array


@dataclass(frozen=True, slots=True)
class Timeline:
    """Measured bins from ``measured_start`` and planned quarter-hours from ``planned_start``, both in UTC.

    In the past, each quarter-hour shows the plan that held then; from now on the newest plan.
    """

    now: datetime
    measured_start: datetime
    measured_step: timedelta
    planned_start: datetime
    planned_step: timedelta
    carriers: tuple[CarrierLines, ...]
    stores: tuple[StoreLines, ...]


@dataclass(frozen=True, slots=True)
class Commanded:
    """One set-point that was sent to an asset, and whether the device took it."""

    at: datetime
    setpoint_kw: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One asset on its control carrier: measured, planned and commanded power in kW."""

    asset: str
    title: str
    carrier: Carrier
    now: datetime
    measured_start: datetime
    measured_step: timedelta
    measured_kw: Array
    planned_start: datetime
    planned_step: timedelta
    planned_kw: Array
    commanded: tuple[Commanded, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """What plans say for consecutive quarter-hours: ``power_kw`` (quarter, asset, carrier), ``stored_kwh`` (quarter, asset) at their ends."""

    start: datetime
    power_kw: Array
    stored_kwh: Array


def timeline(memory: Memory, now: datetime, back: timedelta, ahead: timedelta) -> Timeline:
    """Return every carrier and store from ``now - back`` to ``now + ahead``, as far as there is anything to show."""
    site, history = memory.site, memory.history
    span = history.span(now - back, now + BIN)
    planned = planned_between(memory, now, now - back, now + ahead)
    measured_kw = span.mean_kw
    carriers = [c for c in history.carriers if c in site.carriers]
    return Timeline(
        now,
        span.starts[0],
        BIN,
        planned.start,
        QUARTER,
        tuple(
            CarrierLines(c, _by_kind(site, history, measured_kw, c), _by_kind(site, history, planned.power_kw, c))
            for c in carriers
        ),
        tuple(
            _store_lines(history, a, span.stored_kwh, planned.stored_kwh) for a in site.assets if isinstance(a, Store)
        ),
    )


def asset_line(memory: Memory, asset_id: str, now: datetime, back: timedelta, ahead: timedelta) -> AssetLine:
    """Return one asset's measured, planned and commanded power; KeyError when the site has no such asset."""
    asset, history = memory.site.asset(asset_id), memory.history
    row, column = history.assets.index(asset_id), history.carriers.index(asset.control)
    span = history.span(now - back, now + BIN)
    planned = planned_between(memory, now, now - back, now + ahead)
    return AssetLine(
        asset_id,
        asset.title or asset_id,
        asset.control,
        now,
        span.starts[0],
        BIN,
        span.mean_kw[:, row, column],
        planned.start,
        QUARTER,
        planned.power_kw[:, row, column],
        commanded(memory, asset_id, now - back),
    )


def commanded(memory: Memory, asset_id: str, since: datetime) -> tuple[Commanded, ...]:
    """Return the power set-points sent to an asset since an instant, oldest first."""
    devices = {d.id for d in memory.site.devices if d.asset == asset_id}
    sent = [
        Commanded(r.at, r.command.value, r.outcome)
        for r in memory.receipts()
        if r.command.device in devices and r.command.quantity == "setpoint_kw" and r.at >= since
    ]
    return tuple(reversed(sent))


def planned_between(memory: Memory, now: datetime, start: datetime, end: datetime) -> Planned:
    """Return what the plans said and say for every quarter-hour of ``start <= t < end``; NaN where no plan covers it."""
    plans = list(reversed(memory.plans()))
    first = EPOCH + (start - EPOCH) // QUARTER * QUARTER
    last = min(end, plans[-1].plan.horizon.end) if plans else first
    count = max((last - first) // QUARTER, 0)
    shape = (count, len(memory.history.assets), len(memory.history.carriers))
    power, stored = np.full(shape, np.nan), np.full(shape[:2], np.nan)
    for plan_index, quarters in _by_plan(plans, now, first, count).items():
        _fill(plans[plan_index], first, quarters, power, stored)
    return Planned(first, power, stored)


def _by_plan(
    plans: Sequence[MadePlan], now: datetime, first: datetime, count: int
) -> Mapping[int, npt.NDArray[np.int64]]:
    """Return, by index of the plan that held, the quarter-hours it held for: the last plan made before each, the newest from now on."""
    if not plans:
        return {}
    made = np.array([(p.plan.made_at - first) / QUARTER for p in plans])
    held = np.searchsorted(made, np.arange(count) + 0.999, side="right") - 1
    held[np.arange(count) >= (now - first) // QUARTER] = len(plans) - 1
    return {int(p): np.flatnonzero(held == p) for p in np.unique(held) if p >= 0}


def _fill(made: MadePlan, first: datetime, quarters: npt.NDArray[np.int64], power: Array, stored: Array) -> None:
    """Copy a plan's steps onto the quarter-hours; energy between the ends of long steps lies on a straight line.

    A plan begins when it was made, a little after its quarter-hour: the step that holds in the middle of a quarter-hour stands for it.
    """
    edges = np.array([(e - first) / QUARTER for e in made.plan.horizon.edges])
    step = np.searchsorted(edges, quarters + 0.5, side="right") - 1
    covered = (step >= 0) & (step < len(edges) - 1)
    power[quarters[covered]] = made.power_kw[step[covered]]
    for asset in np.flatnonzero(np.isfinite(made.stored_kwh[0])):
        stored[quarters[covered], asset] = np.interp(quarters[covered] + 1.0, edges[1:], made.stored_kwh[:, asset])


def _by_kind(site: Site, history: History, power_kw: Array, carrier: Carrier) -> Mapping[str, Array]:
    """Return the summed power of every kind with a port on the carrier; ``power_kw`` is (time, asset, carrier)."""
    column = power_kw[:, :, history.carriers.index(carrier)]
    found: dict[str, Array] = {}
    for kind, assets in by_kind(site).items():
        rows = [history.assets.index(a.id) for a in assets if carrier in a.ports()]
        if rows:
            found[kind] = column[:, rows].sum(axis=1)
    return found


def _store_lines(history: History, store: Store, measured: Array, planned: Array) -> StoreLines:
    row = history.assets.index(store.id)
    kind = str(getattr(store, "kind", "store"))
    return StoreLines(store.id, store.title or store.id, kind, store.energy_kwh, measured[:, row], planned[:, row])
