"""The operating loop: measure, estimate, expect, plan, check, command, and measure again.

Every poll takes a snapshot; every quarter-hour a plan is made from the measured present, replayed on the twin and sent to the devices;
in between the guard holds the peak. The plant may be real devices, emulated ones or the twin in process, and the clock real, scaled or
virtual: the loop cannot tell.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from models.carriers import Carrier
from models.components import GridConnection
from models.errors import JouletwinError
from models.forecast.naive import Forecaster
from models.forecast.present import measured_series
from models.ports import Clock, Command, Outcome, Plant, Reading, Receipt
from models.site import AnyContract, Site
from models.state import Snapshot
from models.tariffs.time_of_use import monthly
from models.told import told
from scenarios.events import CommandsSent, Fault, GuardActed, Listener, ReplanAsked, SnapshotTaken, nobody
from scenarios.following import Following
from scenarios.guard import Guard, allowed_kw, rest_of_quarter
from scenarios.loop_plans import Course, Planning
from scenarios.loop_settings import LoopSettings
from scenarios.measured import Measured
from scenarios.problem import (
    Checker,
    Planner,
    mean_series,
)
from scenarios.repricing import moved_prices, under
from scenarios.trim import Trim

PRESENT = timedelta(minutes=10)
"""Measurements of so long are averaged into the present value of a series."""
SOONEST = timedelta(minutes=5)
"""No forecast that reality has left brings a new plan earlier than this after the last one."""
DEADBAND_KW = 2.0
"""Between two plans a set-point is sent again only when it has moved by more."""
BROKEN_TURNS = 10
"""So many turns in a row that break off are no accident any more."""
PLAN_ID_NONE = "none"
NOT_TAKEN = ("unreachable", "refused_stale", "refused_journal")
"""Why a command did not even leave: what passes by itself, so it is given again at the next turn."""


class SnapshotSource(Protocol):
    """Something that turns readings into a snapshot."""

    def snapshot(self, readings: Sequence[Reading], now: datetime) -> Snapshot:
        """Return the state of the site at ``now``; lost values are filled in and marked."""
        ...


class OperatingLoop:
    """Operates one site; see the module's first lines. Everything it needs comes in by its constructor, time included."""

    def __init__(
        self,
        site: Site,
        plant: Plant,
        clock: Clock,
        planner: Planner,
        forecaster: Forecaster,
        synchroniser: SnapshotSource,
        *,
        checker: Checker | None = None,
        guard: Guard | None = None,
        listener: Listener = nobody,
        settings: LoopSettings | None = None,
        floor_planner: Planner | None = None,
    ) -> None:
        self.plant, self.clock, self.synchroniser, self.listener = plant, clock, synchroniser, listener
        self.settings = settings or LoopSettings()
        self.guard = guard or Guard(site)
        self.trim = Trim(site)
        self.following = Following(site)
        self.course = Course(floor_kw=self.settings.floor_kw)
        self.planning = Planning(
            site,
            self.course,
            self.following,
            clock,
            planner,
            forecaster,
            checker=checker,
            floor_planner=floor_planner,
            settings=self.settings,
            listener=listener,
        )
        self._present: deque[tuple[datetime, Mapping[str, float]]] = deque()
        self._seen: Measured
        self.billing_period = self.settings.billing_period or monthly(site.location.time_zone)
        self._grids = [g.id for g in site.of_kind(GridConnection)]
        self._device = {d.asset: d.id for d in site.devices}

    @property
    def site(self) -> Site:
        """The site under the contracts that hold now."""
        return self.planning.site

    async def run(self, until: datetime | None = None) -> None:
        """Turn after turn, on whole polls of the clock, until ``until`` (not included) or for ever.

        A turn that breaks off is told, and the next one begins afresh; only when none gets through any more is the problem raised.
        """
        broken = 0
        while until is None or self.clock.now() < until:
            try:
                await self.turn()
                broken = 0
            except (
                Exception
            ) as problem:  # whatever it is, a plant that is operated must not be left alone because of it
                broken += 1
                if broken >= BROKEN_TURNS:
                    raise
                pattern = "the turn broke off ({problem}); set-points stay, the next turn begins afresh"
                self._fault("loop", told("turn_broke_off", pattern, problem=repr(problem)))
            await self._wait_for_next_poll()

    async def turn(self) -> None:
        """Measure once; plan and command when it is time, hold the peak otherwise."""
        snapshot = await self._measure()
        if snapshot is None:
            return
        if self._has_parted(snapshot) or self._plan_is_due(snapshot.at):
            await self.planning.plan(snapshot, self._measured_present())
            await self._send(self._target(self._seen), everything=True)
        elif self.course.planned_kw:
            await self._send(self._target(self._seen), everything=False)

    def replan_now(self, reason: str) -> None:
        """Ask for a new plan at the next turn, before its time; ``reason`` is told to the listener."""
        self.course.asked = reason
        self.listener(ReplanAsked(self.clock.now(), reason))

    def change_contracts(self, contracts: Sequence[AnyContract]) -> None:
        """Plan under these contracts, which replace those of the same id, from the next plan on.

        Where that moves a price in what is left of the plan in force by more than :data:`scenarios.repricing.PRICE_SHARE`, a new plan
        is made at the next turn. Raises DataError, and changes nothing, for a contract that the site does not have.
        """
        before, self.planning.site = self.site, under(self.site, contracts)
        self.course.floor_at = None  # the peak that is worth having depends on prices
        plan = self.course.plan
        moved = moved_prices(before, self.site, plan.horizon, self.clock.now()) if plan is not None else []
        if moved:
            self.replan_now(f"prices have changed: {', '.join(moved)}")

    def _has_parted(self, snapshot: Snapshot) -> bool:
        """Return whether the plant does something else than the plan counts on, so that a new plan is due before its time."""
        if not self.settings.tracked:
            return False
        tracked = self.following.observe(snapshot, self.course.planned_at)
        self.listener(tracked)
        return tracked.request is not None

    async def _wait_for_next_poll(self) -> None:
        now, poll_s = self.clock.now(), self.settings.poll.total_seconds()
        await self.clock.sleep(poll_s - now.timestamp() % poll_s)

    async def _measure(self) -> Snapshot | None:
        try:
            readings = await self.plant.read()
        except (JouletwinError, OSError) as problem:
            words = told(
                "plant_unread", "cannot be read ({problem}); set-points stay as they are", problem=str(problem)
            )
            self._fault("plant", words)
            return None
        now = self.clock.now()
        snapshot = self.synchroniser.snapshot(readings, now)
        self._seen = seen = Measured.of(snapshot)
        self._enter_period(now)
        self._present.append((now, measured_series(self.site, seen.powers_kw, self.course.in_force_kw, readings)))
        while now - self._present[0][0] >= PRESENT:
            self._present.popleft()
        self.listener(SnapshotTaken(now, snapshot, readings))
        return snapshot

    def _enter_period(self, now: datetime) -> None:
        """Begin a new billing period when the running one is over."""
        known = self.course.period
        if known is None or not known.start <= now < known.end:
            self.course.period, self.course.floor_at = self.billing_period(now), None

    def _import_kw(self, seen: Measured) -> float:
        return sum(seen.power_kw(g, Carrier.ELECTRICITY) for g in self._grids)

    def _measured_present(self) -> Mapping[str, float]:
        return mean_series([series for _, series in self._present])

    def _plan_is_due(self, now: datetime) -> bool:
        every = self.settings.replan.total_seconds()
        before = self.course.planned_at
        if before is None or self.course.asked or now.timestamp() // every > before.timestamp() // every:
            return True
        return now - before >= SOONEST and self.settings.overtaken(now, self._measured_present())

    def _target(self, seen: Measured) -> dict[str, float]:
        """Return what every asset should do now: the plan's set-points, trimmed where it buys nothing, moved by the guard where the peak asks for it."""
        planned, bought_kw = self.course.planned_kw, self.course.planned_import_kw
        if planned and self.settings.trimmed and bought_kw is not None:
            planned = self.trim.adjusted(planned, seen, self._import_kw(seen), bought_kw)
        if not self.settings.guarded or not planned or seen.import_so_far is None:
            return planned
        import_kw, may_kw = self._import_kw(seen), allowed_kw(seen.import_so_far, seen.at, self.course.cap_kw)
        target = self.guard.adjusted(planned, seen, import_kw, may_kw, rest_of_quarter(seen.at))
        moved = {a: target[a] - planned[a] for a in target if target[a] != planned[a]}
        if moved:
            self.listener(GuardActed(seen.at, moved, import_kw, may_kw))
        return target

    async def _send(self, target_kw: Mapping[str, float], *, everything: bool) -> None:
        """Command what has changed, what is in doubt, or everything; each asset has its own device, so all at once."""
        course = self.course
        due = {
            asset: value
            for asset, value in target_kw.items()
            if asset in self._device and (everything or asset in course.doubtful or self._moved(asset, value))
        }
        receipts = await asyncio.gather(*(self._write(asset, value) for asset, value in due.items()))
        if receipts:
            self.following.receipts(receipts)
            self.listener(CommandsSent(self.clock.now(), receipts))
        course.in_force_kw |= due
        course.doubtful -= due.keys()
        again = (a for a, r in zip(due, receipts, strict=True) if r.outcome is Outcome.MAYBE or r.code in NOT_TAKEN)
        course.doubtful.update(again)

    def _moved(self, asset: str, value: float) -> bool:
        before = self.course.in_force_kw.get(asset)
        return before is None or abs(value - before) > DEADBAND_KW

    async def _write(self, asset: str, value: float) -> Receipt:
        course, now = self.course, self.clock.now()
        course.commands += 1
        command = Command(
            id=f"{now:%Y%m%dT%H%M%S}-{course.commands}",
            device=self._device[asset],
            quantity="setpoint_kw",
            value=value,
            issued_at=now,
            issued_by="operating loop",
            deadline=now + 2 * self.settings.replan,
            plan_id=course.plan.id if course.plan is not None else PLAN_ID_NONE,
        )
        try:
            return await self.plant.write(command)
        except (JouletwinError, OSError) as problem:
            words = told(
                "not_given", "the command could not be given ({problem}); it is sent again", problem=str(problem)
            )
            self._fault(asset, words)
            return Receipt(command, Outcome.MAYBE, "unknown", str(problem), self.clock.now())

    def _fault(self, place: str, message: str) -> None:
        self.listener(Fault(self.clock.now(), place, message))


def unaccounted(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Return the receipts of commands of which nobody knows whether they landed and which no later command has settled."""
    last: dict[tuple[str, str], Receipt] = {}
    for receipt in receipts:
        last[receipt.command.device, receipt.command.quantity] = receipt
    return [r for r in last.values() if r.outcome is Outcome.MAYBE]
