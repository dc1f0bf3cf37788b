"""What becomes an alarm: lost and frozen devices, meters that lie, units that do not follow, plans that break limits, turns that fail."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hil.bridge import BridgeEvent, DeviceBack, DeviceLost
from hil.bridge.events import DeviceFrozen, GroupTorn, PointDisabled, WrongDevice
from models.findings import Finding, Severity
from models.limits import setpoint_range_kw
from models.ports import Outcome, Quality, Reading
from models.site import Site
from models.told import told
from scenarios.events import CommandsSent, Event, Fault, PlanMade, PlantTracked, SnapshotTaken
from twin.alarms import AlarmBook, Priority
from twin.watch import Verdict

BY_SEVERITY = {Severity.ERROR: Priority.HIGH, Severity.WARNING: Priority.LOW}
GRAVE = ("plant", "loop", "log")
"""Faults of these places leave the site without an operator."""
PLANNING = ("planner", "twin", "floor", "check")
"""Faults of these places are over when a plan is made."""


class AlarmFeed:
    """Says to an alarm book what the loop, the bridge and the estimator notice; the book keeps each cause once.

    A device's alarm follows the quality of its readings, so it returns by itself, whatever was heard of the link. What was read
    before the bridge last spoke of a device says nothing about it any more: such readings may still be under way through a turn
    of the loop when the bridge finds the device lost or back, and would end an alarm that has just begun.
    """

    def __init__(self, site: Site, book: AlarmBook) -> None:
        self.book = book
        self._asset_of = {d.id: d.asset for d in site.devices}
        self._commanded = {d.id for d in site.devices if setpoint_range_kw(site.asset(d.asset)) is not None}
        self._words: dict[str, str] = {}
        self._heard_at: dict[str, datetime] = {}
        """Device → when the bridge last said that it is lost or back."""

    def loop(self, event: Event) -> None:
        """Take one event of the operating loop."""
        match event:
            case SnapshotTaken():
                self._devices(event)
                for place in GRAVE[:2]:
                    self.book.clear("loop", place, event.at)
                self.book.tick(event.at)
            case PlanMade():
                self._plan(event)
            case PlantTracked():
                for finding in event.apart:
                    self.book.raise_("follow", finding.place, Priority.MEDIUM, finding.message, event.at)
                self.book.clear_others("follow", {f.place for f in event.apart}, event.at)
            case CommandsSent():
                self._commands(event)
            case Fault():
                priority = Priority.HIGH if event.place in GRAVE else Priority.MEDIUM
                self.book.raise_("loop", event.place, priority, event.message, event.at)

    def bridge(self, event: BridgeEvent) -> None:
        """Take one event of the bridge."""
        match event:
            case DeviceLost() | WrongDevice() | DeviceFrozen():
                self._words[event.device] = event.words
                self._heard_at[event.device] = event.at
                self.book.raise_("device", event.device, self._priority(event.device), event.words, event.at)
            case DeviceBack():
                self._words.pop(event.device, None)
                self._heard_at[event.device] = event.at
                self.book.clear("device", event.device, event.at)
            case GroupTorn():
                self.book.raise_("command", event.device, self._priority(event.device), event.words, event.at)
            case PointDisabled():
                place = f"{event.device}.{event.quantity}"
                self.book.raise_("point", place, Priority.LOW, event.words, event.at)

    def verdict(self, verdict: Verdict) -> None:
        """Take what the estimator says of the meters."""
        places = {f"{asset}.{quantity}" for asset, quantity in verdict.disputed}
        for place in places:
            pattern = "is {off:+.4g} off what every other meter says. Check the meter; what needs it waits."
            words = told("meter_off", pattern, off=verdict.residual[place])
            self.book.raise_("meter", place, Priority.MEDIUM, words, verdict.at)
        self.book.clear_others("meter", places, verdict.at)

    def _devices(self, event: SnapshotTaken) -> None:
        for device, reading in best_by_device(event.readings).items():
            heard_at = self._heard_at.get(device)
            if reading.quality in (Quality.BAD, Quality.STALE):
                if heard_at is None or reading.received_at >= heard_at:
                    quality = reading.quality.value
                    shown = told("shows_quality", "shows values that are {quality}", quality=told(quality, quality))
                    words = self._words.get(device) or shown
                    self.book.raise_("device", device, self._priority(device), words, event.at)
            elif reading.quality is Quality.GOOD and (heard_at is None or reading.received_at > heard_at):
                self.book.clear("device", device, event.at)

    def _plan(self, event: PlanMade) -> None:
        for place in PLANNING:
            self.book.clear("loop", place, event.at)
        found: Sequence[Finding] = (*event.plan.findings, *(event.check.findings if event.check is not None else ()))
        told = [f for f in found if f.severity in BY_SEVERITY]
        for finding in told:
            self.book.raise_("plan", finding.place, BY_SEVERITY[finding.severity], finding.message, event.at)
        self.book.clear_others("plan", {f.place for f in told}, event.at)

    def _commands(self, event: CommandsSent) -> None:
        for receipt in event.receipts:
            device = receipt.command.device
            if receipt.outcome is Outcome.MAYBE:
                self.book.raise_("command", device, self._priority(device), receipt.message, event.at)
            else:
                self.book.clear("command", device, event.at)
                self.book.clear("loop", self._asset_of.get(device, device), event.at)

    def _priority(self, device: str) -> Priority:
        """Return how urgent a device is: one that is commanded before one that only measures."""
        return Priority.HIGH if device in self._commanded else Priority.MEDIUM


def best_by_device(readings: Iterable[Reading]) -> Mapping[str, Reading]:
    """Return the best of each device's values, the newest of equals: a device with one good value is there, whatever its other sensors do."""
    order = (Quality.GOOD, Quality.UNCERTAIN, Quality.SUBSTITUTED, Quality.STALE, Quality.BAD)
    found: dict[str, Reading] = {}
    for reading in readings:
        before = found.setdefault(reading.device, reading)
        if (-order.index(reading.quality), reading.received_at) > (-order.index(before.quality), before.received_at):
            found[reading.device] = reading
    return found
