"""What the loop and the bridge tell, written where people and forecasts look for it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import isfinite

from hil.bridge import BridgeEvent, CommandState, ConfirmationWanted, DeviceBack, FrameShadowed
from models.forecast.measured import MeasuredHistory
from models.forecast.present import measured_series
from models.ports import Quality, Reading
from models.site import Site
from models.state import Snapshot
from models.told import Told, told
from scenarios.alarming import AlarmFeed
from scenarios.events import CommandsSent, Event, Fault, GuardActed, PlanMade, PlantTracked, ReplanAsked, SnapshotTaken
from service.memory import Memory
from twin.state import powers_of

Measured = Callable[[datetime, dict[str, float]], None]


def unkept(at: datetime, series: dict[str, float]) -> None:
    """Keep nothing."""
    del at, series


def trusted_series(site: Site, snapshot: Snapshot, readings: Sequence[Reading]) -> dict[str, float]:
    """Return the series that were really measured: nothing late, disputed or filled in, no field that its own set-point holds down."""
    doubtful = {key for key, tag in snapshot.tags.items() if tag.quality is not Quality.GOOD}
    powers = {p: kw for p, kw in powers_of(snapshot).items() if (p[0], f"{p[1].value}_kw") not in doubtful}
    served = {d.id: d.asset for d in site.devices}
    limits = {served[r.device]: r.value for r in readings if r.quantity == "setpoint_kw" and isfinite(r.value)}
    return measured_series(site, powers, limits, readings)


class Hearing:
    """Writes what the loop and the bridge tell into the memory, and what was measured into the history that forecasts read."""

    def __init__(self, memory: Memory, history: MeasuredHistory | None = None, measured: Measured = unkept) -> None:
        self.memory, self.history, self._measured = memory, history, measured
        self.alarms = AlarmFeed(memory.site, memory.alarms)
        self._guarding_since: datetime | None = None

    def loop(self, event: Event) -> None:
        """Take one event of the operating loop."""
        memory = self.memory
        self.alarms.loop(event)
        match event:
            case SnapshotTaken():
                memory.take_snapshot(event.snapshot)
                memory.take_readings(event.readings)
                if self.history is not None:
                    series = trusted_series(memory.site, event.snapshot, event.readings)
                    self.history.add(event.at, series)
                    self._measured(event.at, series)
            case PlanMade():
                self._guarding_since = None
                cap_kw = event.cap_kw if isfinite(event.cap_kw) else None
                memory.take_forecast(event.forecast)
                memory.take_plan(event.plan, event.check, cap_kw, event.forecast.source)
            case CommandsSent():
                memory.take_receipts(event.receipts)
            case GuardActed():
                self._guard(event)
            case PlantTracked() if event.request is not None:
                memory.take_fault(event.at, "plan", _anew(event.request.reason))
            case ReplanAsked():
                memory.take_fault(event.at, "plan", _anew(event.reason))
            case Fault():
                memory.take_fault(event.at, event.place, event.message)

    def bridge(self, event: BridgeEvent) -> None:
        """Take one event of the bridge; the life of a single command is in its receipt and in the journal already."""
        self.alarms.bridge(event)
        if isinstance(event, CommandState | ConfirmationWanted | FrameShadowed):
            return
        take = self.memory.take_recovery if isinstance(event, DeviceBack) else self.memory.take_fault
        take(event.at, event.device, event.words)

    def _guard(self, event: GuardActed) -> None:
        """Tell of the guard once between two plans; it acts every minute while the peak is near."""
        if self._guarding_since is None:
            self._guarding_since = event.at
            moved = tuple(f"{asset} {kw:+.0f} kW" for asset, kw in event.moved_kw.items())
            facts = {"drawn": event.import_kw, "allowed": event.allowed_kw, "moved": moved}
            words = told("guard", "import {drawn:.0f} kW, allowed {allowed:.0f} kW: {moved}", **facts)
            self.memory.take_guard(event.at, words)


def _anew(reason: str) -> Told:
    return told("made_anew", "made anew before its time: {reason}", reason=reason)
