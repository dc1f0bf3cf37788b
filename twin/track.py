"""Follow every asset from plan to physics: planned, commanded, read back, done. Where they part, ask for a new plan, in words."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

import numpy as np

from models.components import AnyAsset, Engine, EvFleet, GridConnection, Pv, Store, Wind
from models.dispatch import Plan
from models.findings import Finding, Severity
from models.labelled import plain, rows_of
from models.limits import power_range_kw
from models.ports import Outcome, Receipt
from models.roster import Port
from models.site import Site
from models.state import Snapshot
from models.told import Told, told
from twin.state import powers_of, stored_of
from twin.words import clock

SETPOINT = "setpoint_kw"
SETTLE = timedelta(minutes=5)
"""How long a unit may take to do what it is told, ramps apart."""
APART_SHARE = 0.2
APART_SIZE_SHARE = 0.05
APART_KW = 20.0
"""A unit is apart from its command by more than 20 % of it, 5 % of its size and 20 kW: less is what a rating is off by on a warm
day, or what a standing boiler gives to close the balance."""
STORED_SHARE = 0.1
"""A store that is further from its plan than this share of its size makes the plan stale."""
IMPORT_SHARE = 0.1
"""More import than planned by this share of the connection is worth a new plan before the quarter-hour is over."""
AS_EXPECTED = ("applied", "unchanged", "refused_lease")
"""Codes of commands that nobody has to look after: a device that somebody else has leased is not meant to follow the plan."""
AGAIN = timedelta(minutes=15)
"""The same reason is not given twice within so long."""
LIMITS = (Pv, Wind, EvFleet)
"""For these a set-point is a limit: doing less is no disobedience."""


@dataclass(frozen=True, slots=True)
class Track:
    """One asset on its control carrier in kW; None where there is no such figure."""

    asset: str
    planned_kw: float | None
    commanded_kw: float | None
    read_back_kw: float | None
    physical_kw: float | None
    commanded_at: datetime | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class ReplanRequest:
    """Why the plan in force no longer fits what happens."""

    at: datetime
    plan_id: str
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        parts = (told("because", "{place}: {message}", place=f.place, message=f.message) for f in self.findings)
        return reduce(lambda said, more: told("and_then", "{said} {more}", said=said, more=more), parts)


@dataclass(frozen=True, slots=True)
class _Course:
    """A plan read out once, because every poll asks it for every asset: powers and stored energy by asset, each per step."""

    plan: Plan
    power_kw: Mapping[str, Sequence[float]]
    stored_kwh: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, plan: Plan, assets: Iterable[AnyAsset]) -> "_Course":
        """Read out what a plan says of the assets that it knows."""
        known = set(plan.power_kw.get_index("asset"))
        control = {a.id: a.control.value for a in assets if a.id in known}
        row, column = plan.power_kw.get_index("asset"), plan.power_kw.get_index("carrier")
        values = plain(plan.power_kw, "asset", "carrier", "time")
        return cls(
            plan,
            {a: values[row.get_loc(a), column.get_loc(c)].tolist() for a, c in control.items()},
            {a: stored.tolist() for a, stored in rows_of(plan.stored_kwh, "asset").items()},
        )

    def step(self, at: datetime) -> int | None:
        """Return the step around an instant, None outside the plan."""
        horizon = self.plan.horizon
        return bisect_right(horizon.edges, at) - 1 if horizon.start <= at < horizon.end else None


class Tracker:
    """Keeps the four figures of every asset that can be told something."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._assets = {a.id: a for a in site.assets if power_range_kw(a) is not None}
        self._device_asset = {d.id: d.asset for d in site.devices}
        self._receipts: dict[str, Receipt] = {}
        self._since: dict[str, datetime] = {}
        self._course: _Course | None = None
        self._snapshot: Snapshot | None = None
        self._physical_kw: Mapping[Port, float] = {}
        self._given: dict[str, datetime] = {}
        self.apart: tuple[Finding, ...] = ()
        """Everything that has parted from the plan at the last look, said before or not."""
        self.unfollowed: tuple[Finding, ...] = ()
        """Of these, the units that do not do what they were told; value and limit are powers, in kW."""

    def commanded(self, asset: str) -> bool:
        """Return whether the asset has been told something."""
        return asset in self._receipts

    def plan(self, plan: Plan) -> None:
        """Take a new plan."""
        self._course = _Course.of(plan, [*self._assets.values(), *self.site.of_kind(GridConnection)])

    def receipts(self, receipts: Iterable[Receipt]) -> None:
        """Take what became of commands; other quantities than set-points are passed over."""
        for receipt in receipts:
            asset = self._device_asset.get(receipt.command.device)
            if asset is None or receipt.command.quantity != SETPOINT:
                continue
            before = self._receipts.get(asset)
            if before is None or before.command.value != receipt.command.value:
                self._since[asset] = receipt.at
            self._receipts[asset] = receipt

    def observe(self, snapshot: Snapshot) -> ReplanRequest | None:
        """Take the present state; return a request when it has parted from the plan, None while all is well or has been said."""
        self._snapshot, self._physical_kw = snapshot, powers_of(snapshot)
        if self._course is None:
            return None
        self.unfollowed = tuple(self._unfollowed(snapshot.at))
        self.apart = (*self.unfollowed, *self._stores_apart(snapshot), *self._import_apart(snapshot))
        fresh = [f for f in self.apart if self._is_new(f.place, snapshot.at)]
        if not fresh:
            return None
        self._given.update({f.place: snapshot.at for f in fresh})
        return ReplanRequest(snapshot.at, self._course.plan.id, tuple(fresh))

    def tracks(self) -> tuple[Track, ...]:
        """Return the four figures of every asset, in file order."""
        return tuple(self._track(a, self._physical_kw.get((a.id, a.control))) for a in self._assets.values())

    def _track(self, asset: AnyAsset, physical_kw: float | None) -> Track:
        receipt = self._receipts.get(asset.id)
        told = receipt if receipt is not None and receipt.outcome is not Outcome.NO else None
        at = self._snapshot.at if self._snapshot is not None else None
        return Track(
            asset.id,
            self._planned_kw(asset, at) if at is not None else None,
            told.command.value if told else None,
            receipt.read_back if receipt else None,
            physical_kw,
            self._since.get(asset.id),
            receipt.outcome if receipt else None,
        )

    def _planned_kw(self, asset: AnyAsset, at: datetime) -> float | None:
        step = self._course.step(at) if self._course is not None else None
        if self._course is None or step is None or asset.id not in self._course.power_kw:
            return None
        return self._course.power_kw[asset.id][step]

    def _is_new(self, place: str, at: datetime) -> bool:
        before = self._given.get(place)
        return before is None or at - before >= AGAIN

    def _unfollowed(self, at: datetime) -> Iterator[Finding]:
        for track in self.tracks():
            yield from self._command_lost(track)
            yield from self._disobeyed(track, at)

    def _command_lost(self, track: Track) -> Iterator[Finding]:
        """Yield a command that the device does not hold and should."""
        receipt = self._receipts.get(track.asset)
        if receipt is None or receipt.code in AS_EXPECTED:
            return
        shown = (
            told("nothing_read", "nothing could be read back")
            if track.read_back_kw is None
            else told("shows", "the device shows {kw:g} kW", kw=track.read_back_kw)
        )
        pattern = "{kw:g} kW was asked and {shown} ({why}). Plan without it or check the device."
        why = Told(receipt.message, receipt.code, {})
        words = told("command_lost", pattern, kw=receipt.command.value, shown=shown, why=why)
        yield Finding(Severity.WARNING, track.asset, words, (track.asset,), track.read_back_kw, receipt.command.value)

    def _disobeyed(self, track: Track, at: datetime) -> Iterator[Finding]:
        """Yield a unit that holds its command and does something else, once it has had its time."""
        asset, held, done = self._assets[track.asset], track.read_back_kw, track.physical_kw
        if held is None or done is None or track.commanded_at is None or isinstance(asset, GridConnection):
            return
        if at - track.commanded_at < SETTLE + _ramp_time(asset, abs(held - done)):
            return
        apart = abs(done) - abs(held) if isinstance(asset, LIMITS) else abs(done - held)
        size = size_kw(power_range_kw(asset))
        if apart > max(APART_KW, APART_SIZE_SHARE * size, APART_SHARE * max(abs(held), abs(done))):
            since = clock(track.commanded_at)
            pattern = "told {held:g} kW since {since} and does {done:.0f} kW. Plan with what it does, or see why."
            words = told("disobeyed", pattern, held=held, since=since, done=done)
            yield Finding(Severity.WARNING, asset.id, words, (asset.id,), done, held)

    def _stores_apart(self, snapshot: Snapshot) -> Iterator[Finding]:
        step = self._course.step(snapshot.at) if self._course is not None else None
        if self._course is None or step is None:
            return
        held = stored_of(snapshot)
        for store in (a for a in self.site.assets if isinstance(a, Store)):
            if store.id not in self._course.stored_kwh:
                continue
            planned = _planned_kwh(self._course, store.id, step, snapshot.at)
            if planned is not None and abs(held[store.id] - planned) > STORED_SHARE * store.energy_kwh:
                pattern = "holds {held:.0f} kWh where the plan counts on {planned:.0f} kWh. Plan again from here."
                words = told("holds_other", pattern, held=held[store.id], planned=planned)
                yield Finding(Severity.WARNING, store.id, words, (store.id,), held[store.id], planned)

    def _import_apart(self, snapshot: Snapshot) -> Iterator[Finding]:
        """Yield a connection that imports far more than planned; importing less costs nobody anything."""
        for grid in self.site.of_kind(GridConnection):
            planned = self._planned_kw(grid, snapshot.at)
            done = self._physical_kw.get((grid.id, grid.control))
            if planned is None or done is None or done - planned <= max(APART_KW, IMPORT_SHARE * grid.import_max_kw):
                continue
            pattern = (
                "imports {done:.0f} kW where the plan expects {planned:.0f} kW. Plan again with the present demand."
            )
            words = told("imports_more", pattern, done=done, planned=planned)
            yield Finding(Severity.WARNING, grid.id, words, (grid.id,), done, planned)


def _planned_kwh(course: _Course, store: str, step: int, at: datetime) -> float | None:
    """Return what the plan counts on at an instant: the straight line between its step ends; None in its first step."""
    if step == 0:
        return None
    ends, edges = course.stored_kwh[store], course.plan.horizon.edges
    return float(np.interp((at - edges[step]) / (edges[step + 1] - edges[step]), (0.0, 1.0), ends[step - 1 : step + 1]))


def size_kw(limits_kw: tuple[float, float] | None) -> float:
    """Return the largest power within limits either way; 0 where there is no limit."""
    return max((abs(x) for x in limits_kw or () if np.isfinite(x)), default=0.0)


def _ramp_time(asset: AnyAsset, change_kw: float) -> timedelta:
    """Return how long an engine needs for a change of power."""
    return timedelta(minutes=change_kw / asset.ramp_kw_per_min) if isinstance(asset, Engine) else timedelta(0)
