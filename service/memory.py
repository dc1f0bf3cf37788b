"""What the running system knows: the newest snapshot, plans, receipts, the history and the log of events. Bounded, and safe to read from any thread."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.dispatch import Plan, PlanCheck
from models.forecast.forecast import Forecast
from models.ports import Outcome, Reading, Receipt
from models.site import Site
from models.state import Snapshot
from service.history import Array, History
from service.surety import Expected, Surety
from service.telemetry.intake import Intake
from service.views.money import Prices
from twin.alarms import AlarmBook, AlarmChange, unheard

PLANS_KEPT = 200
RECEIPTS_KEPT = 2000
EVENTS_KEPT = 2000
log = logging.getLogger("jouletwin.site")
"""One line per event, with the ids of plans and alarms."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as listeners of the live stream get it; ``id`` rises by one from 1."""

    id: int
    kind: str
    at: datetime
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadePlan:
    """A plan, what the twin said of it, and the peak import that it protected (None when no peak is charged).

    ``power_kw`` (step, asset, carrier) and ``stored_kwh`` (step, asset) are the plan's arrays in the history's order.
    """

    plan: Plan
    check: PlanCheck | None
    peak_cap_kw: float | None
    power_kw: Array
    stored_kwh: Array


class EventLog:
    """The last events, numbered; a listener that was away asks for everything behind the last number it saw."""

    def __init__(self, kept: int = EVENTS_KEPT) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._last_id = 0

    @property
    def last_id(self) -> int:
        """The number of the newest event, 0 when nothing has happened."""
        return self._last_id

    def add(self, kind: str, at: datetime, data: Mapping[str, object] | None = None) -> Event:
        """Append an event and return it with its number."""
        with self._lock:
            self._last_id += 1
            event = Event(self._last_id, kind, at, dict(data or {}))
            self._events.append(event)
        log.info(kind, extra={"told": {"event": event.id, "site_at": at.isoformat(), **event.data}})
        return event

    def after(self, last_id: int) -> Sequence[Event]:
        """Return the kept events with a higher number, oldest first; a number from another run counts as none seen."""
        with self._lock:
            if last_id > self._last_id:
                last_id = 0
            return [e for e in self._events if e.id > last_id]


class Memory:
    """The service's picture of one running site."""

    def __init__(self, site: Site, *, history_kept: timedelta = timedelta(days=2)) -> None:
        self.site = site
        self.history = History(site, history_kept)
        self.events = EventLog()
        self.intake = Intake()
        """Readings on their way into the store."""
        self.readings: Mapping[str, Sequence[Reading]] = {}
        """What every device gave last."""
        self.forecast: Forecast | None = None
        """What the newest plan was made with."""
        self.expected: Callable[[], Expected] | None = None
        """Tells the same in sums, with how sure they are."""
        self.surety: Surety | None = None
        """Who says how sure a forecast is; None where nobody does."""
        self.prices = Prices(site)
        self.alarms = AlarmBook(self._alarm_changed)
        self.alarm_listener: Callable[[AlarmChange], None] = unheard
        self._plans: deque[MadePlan] = deque(maxlen=PLANS_KEPT)
        self._receipts: deque[Receipt] = deque(maxlen=RECEIPTS_KEPT)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._counts = dict.fromkeys(Outcome, 0)

    def _alarm_changed(self, change: AlarmChange) -> None:
        alarm = change.alarm
        words = {"alarm": alarm.id, "act": change.act.value, "source": alarm.source, "place": alarm.place}
        self.events.add("alarm", change.at, words)
        self.alarm_listener(change)

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest snapshot, None before the first."""
        return self._snapshot

    @property
    def plan(self) -> MadePlan | None:
        """The newest plan, None before the first."""
        with self._lock:
            return self._plans[-1] if self._plans else None

    def plans(self) -> list[MadePlan]:
        """Return the kept plans, newest first."""
        with self._lock:
            return list(reversed(self._plans))

    def plan_by_id(self, plan_id: str) -> MadePlan | None:
        """Return a kept plan, None when it is unknown or no longer kept."""
        return next((p for p in self.plans() if p.plan.id == plan_id), None)

    def receipts(self) -> list[Receipt]:
        """Return the kept receipts, newest first."""
        with self._lock:
            return list(reversed(self._receipts))

    def outcomes(self) -> Mapping[Outcome, int]:
        """Return how many commands ended how since the start."""
        with self._lock:
            return dict(self._counts)

    def take_forecast(self, forecast: Forecast) -> None:
        """Keep what the newest plan was made with, and how sure it is."""
        self.forecast = forecast
        self.expected = None if self.surety is None else self.surety(forecast)

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot as the newest and count its energy; the stream tells of snapshots by itself."""
        self.history.add(snapshot)
        self._snapshot = snapshot

    def take_readings(self, readings: Sequence[Reading]) -> None:
        """Keep what the devices gave last, and pass it on to the store."""
        by_device: dict[str, list[Reading]] = {}
        for reading in readings:
            by_device.setdefault(reading.device, []).append(reading)
        self.readings = by_device
        self.intake.put(readings)

    def take_plan(
        self, plan: Plan, check: PlanCheck | None = None, peak_cap_kw: float | None = None, forecast: str = ""
    ) -> None:
        """Keep a plan as the newest and tell the listeners, also what its ``forecast`` came from."""
        power, stored = self.history.plan_arrays(plan)
        with self._lock:
            self._plans.append(MadePlan(plan, check, peak_cap_kw, power, stored))
        ok = None if check is None else check.ok
        words = {
            "plan_id": plan.id,
            "source": plan.source,
            "status": plan.solver.status,
            "ok": ok,
            "forecast": forecast,
        }
        self.events.add("plan", plan.made_at, words)

    def take_receipts(self, receipts: Sequence[Receipt]) -> None:
        """Keep what became of commands and tell the listeners."""
        if not receipts:
            return
        with self._lock:
            self._receipts.extend(receipts)
            for receipt in receipts:
                self._counts[receipt.outcome] += 1
        missed = [r.command.id for r in receipts if r.outcome is not Outcome.APPLIED]
        plans = sorted({r.command.plan_id for r in receipts if r.command.plan_id})
        words = {"count": len(receipts), "not_applied": missed, "plans": plans}
        self.events.add("commands", max(r.at for r in receipts), words)

    def take_fault(self, at: datetime, place: str, message: str) -> None:
        """Tell the listeners of something that went wrong and was survived."""
        self.events.add("fault", at, {"place": place, "message": message})

    def take_recovery(self, at: datetime, place: str, message: str) -> None:
        """Tell the listeners that something which was lost is back."""
        self.events.add("recovery", at, {"place": place, "message": message})

    def take_guard(self, at: datetime, message: str) -> None:
        """Tell the listeners that the fast guard acted."""
        self.events.add("guard", at, {"message": message})
