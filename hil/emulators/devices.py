"""One emulated device: a register map with behaviour behind it, independent of who carries its frames."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from math import inf, isnan

from hil.codec import decode_one, encode, resolution
from hil.emulators.image import TableImage, Words
from hil.emulators.plant import EmulatedPlant
from hil.maps.bind import rated_kw
from hil.maps.types import DataType, Point, RegisterMap, Table
from models.components import EvFleet, Pv, Wind
from models.limits import setpoint_range_kw
from models.site import Device

RECORDS_KEPT = 20000
BEATS = 30000
SETPOINT = "setpoint_kw"
TIMER = "setpoint_revert_s"
LIMIT_SLACK_SHARE = 0.005
"""A set-point this far beyond the rating is a rounding of the rating."""


class Refusal(IntEnum):
    """Exception codes that a device answers with."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3


@dataclass(slots=True)
class Faults:
    """What is wrong with a device at the moment; switch on and off as a test or a demonstration needs."""

    silent: bool = False
    """Takes requests and answers none."""
    ignores_writes: bool = False
    """Acknowledges writes without effect."""
    clamps: bool = False
    """Takes set-points beyond its limits, acknowledges, and sets the limit."""
    frozen: bool = False
    """Goes on answering with the registers of the moment it froze."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One write that reached the device: what was asked, what the device made of it."""

    at: datetime
    address: int
    words: tuple[int, ...]
    quantity: str
    value: float
    outcome: str
    """``applied``, ``clamped``, ``ignored`` or ``refused``."""


class EmulatedDevice:
    """A device as its master sees it.

    Set-points act on the plant while every point named in ``also`` as a switch stands as it must; a timer that runs out makes the device
    fall back as its map says. Numbers beyond the device's limits are refused with exception 3.
    """

    def __init__(
        self, device: Device, register_map: RegisterMap, tables: Mapping[Table, TableImage], plant: EmulatedPlant
    ) -> None:
        self.device = device
        self.map = register_map
        self.faults = Faults()
        self.reads = 0
        self.writes = 0
        self.records: deque[WriteRecord] = deque(maxlen=RECORDS_KEPT)
        self._tables = tables
        self._plant = plant
        self._asset = plant.site.asset(device.asset)
        self._range = setpoint_range_kw(self._asset) or (-inf, inf)
        self._frozen: dict[Table, Words] = {}
        self._timer_from: datetime | None = None
        self._active = False
        self.held: dict[str, float] = {
            p.quantity: self._first_value(p) for p in register_map.points if p.access.writable
        }
        for quantity in self.held:
            self._store(register_map.point(quantity))

    def image(self, table: Table) -> TableImage | None:
        """Return a table's registers as they stand, None where the device has no such table."""
        return self._tables.get(table)

    def freeze(self, frozen: bool = True) -> None:
        """Let the device answer from now on with what it shows at this moment, or end that."""
        self.faults.frozen = frozen
        self._frozen = {t: image.words.copy() for t, image in self._tables.items()} if frozen else {}

    def read(self, table: Table, address: int, count: int, at: datetime) -> list[int] | Refusal:
        """Return registers, or why not."""
        self.reads += 1
        image = self._tables.get(table)
        if image is None or not image.holds(address, count) or self._in_hole(table, address, count):
            return Refusal.ILLEGAL_ADDRESS
        if count > self.map.max_block:
            return Refusal.ILLEGAL_VALUE
        self._beat(at)
        if table in self._frozen:
            return TableImage(image.start, self._frozen[table]).read(address, count)
        return image.read(address, count)

    def _beat(self, at: datetime) -> None:
        """Move the heartbeat on: it counts tenths of a second and starts over."""
        if (point := self.map.heartbeat) is not None:
            tenths = int((at - self._plant.start).total_seconds() * 10)
            self._tables[point.table].put(point.address, encode(point, float(tenths % BEATS)))

    def write(self, function: int, table: Table, address: int, words: Sequence[int], at: datetime) -> Refusal | None:
        """Take a write from the network; None acknowledges it, whatever its effect."""
        self.writes += 1
        points, refusal = self._targets(function, table, address, len(words))
        if refusal is None:
            values = [decode_one(p, words[p.address - address : p.end - address]) for p in points]
            refusal = self._set(points, values, at, address, tuple(words))
        if refusal is not None:
            self._note(at, address, tuple(words), "", float("nan"), "refused")
        return refusal

    def command(self, quantity: str, value: float, at: datetime) -> Refusal | None:
        """Take a value as if it had come over the network, without registers in between."""
        point = self.map.find(quantity)
        if point is None or not point.access.writable:
            return Refusal.ILLEGAL_ADDRESS
        self.writes += 1
        try:
            words = encode(point, value)
        except ValueError:
            return Refusal.ILLEGAL_VALUE
        return self._set([point], [decode_one(point, words)], at, point.address, words)

    def run_timers(self, now: datetime) -> bool:
        """Fall back when nobody has written for the revert time; return whether that happened."""
        point = self.map.find(SETPOINT)
        if point is None or self._timer_from is None or not self._active:
            return False
        revert_s = self.held.get(TIMER, point.revert_s or 0.0)
        if not revert_s or (now - self._timer_from).total_seconds() < revert_s:
            return False
        self._timer_from = None
        self._fall_back(point)
        return True

    @property
    def active(self) -> bool:
        """Whether the set-point acts: written at least once, not released, its switches on."""
        point = self.map.find(SETPOINT)
        return point is not None and self._active and all(self.held.get(q) == point.also[q] for q in _switches(point))

    def feed_timer(self, at: datetime) -> None:
        """Let the revert timer count from ``at``, as a write of the same value would."""
        if self._timer_from is not None:
            self._timer_from = max(self._timer_from, at)

    def count(self, point: Point) -> float:
        """Return the step in which the device keeps a writable point."""
        return resolution(point, self.held[point.quantity])

    def _fall_back(self, point: Point) -> None:
        """Do what the device does on silence: hold ``revert_to``, or release the set-point."""
        if point.revert_to is not None:
            self.held[SETPOINT] = point.revert_to
        else:
            switches = _switches(point)
            for quantity in switches:
                self.held[quantity] = 0.0
                self._store(self.map.point(quantity))
            if not switches:
                self.held[SETPOINT] = self._first_value(point)
            self._active = bool(switches)
        self._store(point)
        self._act()

    def _targets(self, function: int, table: Table, address: int, count: int) -> tuple[list[Point], Refusal | None]:
        """Return the points that a write covers, or why it is refused."""
        if function == 6 and self.map.fc16_only:
            return [], Refusal.ILLEGAL_FUNCTION
        touched = [p for p in self.map.points if p.table is table and p.address < address + count and p.end > address]
        points = sorted((p for p in touched if p.access.writable), key=lambda p: p.address)
        if len(points) != len(touched) or sum(p.registers for p in points) < count:
            return [], Refusal.ILLEGAL_ADDRESS
        whole = all(address <= p.address and p.end <= address + count for p in points)
        return points, None if whole else Refusal.ILLEGAL_VALUE

    def _set(
        self, points: Sequence[Point], values: Sequence[float], at: datetime, address: int, words: tuple[int, ...]
    ) -> Refusal | None:
        allowed = [self._allowed(p, v) for p, v in zip(points, values, strict=True)]
        if any(isnan(v) for v in values) or (
            not self.faults.clamps and any(a != v for a, v in zip(allowed, values, strict=True))
        ):
            return Refusal.ILLEGAL_VALUE
        for point, asked, value in zip(points, values, allowed, strict=True):
            outcome = "ignored" if self.faults.ignores_writes else "applied" if value == asked else "clamped"
            self._note(at, address, words, point.quantity, asked, outcome)
            if not self.faults.ignores_writes:
                self._take(point, value, at)
        return None

    def _take(self, point: Point, value: float, at: datetime) -> None:
        self.held[point.quantity] = value
        self._store(point)
        if point.quantity == SETPOINT:
            self._active = True
        self._timer_from = at
        self._act()

    def _allowed(self, point: Point, value: float) -> float:
        """Return the value itself when the device takes it, else the nearest that it takes."""
        low, high = point.range or (-inf, inf)
        if point.quantity == SETPOINT:
            slack = resolution(point, value) + LIMIT_SLACK_SHARE * rated_kw(self._asset)
            low, high = max(low, self._range[0]), min(high, self._range[1])
            if low - slack <= value <= high + slack:
                return value
        return min(max(value, low), high)

    def _act(self) -> None:
        """Tell the plant what the registers now mean."""
        point = self.map.find(SETPOINT)
        if point is None or self._asset.id not in self._plant.units:
            return
        low, high = self._range
        wanted = min(max(self.held[SETPOINT], low), high)
        self._plant.command(self._asset.id, wanted if self.active else None)

    def _store(self, point: Point) -> None:
        self._tables[point.table].put(point.address, encode(point, self.held[point.quantity]))

    def _first_value(self, point: Point) -> float:
        """Return what a writable point shows before anybody writes it: limits stand open, all else at 0 or what is nearest to it."""
        if point.quantity == SETPOINT and isinstance(self._asset, Pv | Wind):
            return self._range[1]
        if point.quantity == SETPOINT and isinstance(self._asset, EvFleet):
            return self._range[0]
        low, high = point.range or (-inf, inf)
        return min(max(0.0, low), high)

    def _in_hole(self, table: Table, address: int, count: int) -> bool:
        return any(first < address + count and address <= last for first, last in self.map.holes.get(table, ()))

    def _note(
        self, at: datetime, address: int, words: tuple[int, ...], quantity: str, value: float, outcome: str
    ) -> None:
        self.records.append(WriteRecord(at, address, words, quantity, value, outcome))


def _switches(point: Point) -> tuple[str, ...]:
    """Return the points that have to stand right for a set-point to act; times are parameters, not switches."""
    return tuple(q for q in point.also if not q.endswith("_s"))


def measured(point: Point) -> bool:
    """Return whether a point shows something that the plant measures, and not what was written or never changes."""
    return not point.access.writable and not point.heartbeat and point.type is not DataType.STRING
