"""What a register map says: points, their registers, their meaning and the device's habits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import ConfigDict, Field

from hil.maps.units import Linear, canonical_unit, to_canonical

Address = Annotated[int, Ge(0), Le(65535)]
Word = Annotated[int, Ge(0), Le(65535)]
Seconds = Annotated[float, Gt(0), Le(86400 * 366)]
Quantity = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Table(StrEnum):
    """Which of the four Modbus tables a point lives in."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def read_function(self) -> int:
        """Function code that reads this table."""
        return {"holding": 3, "input": 4, "coil": 1, "discrete": 2}[self.value]

    @property
    def is_bits(self) -> bool:
        """Whether one address holds one bit."""
        return self in (Table.COIL, Table.DISCRETE)


REGISTERS = {
    "int16": 1,
    "uint16": 1,
    "bits": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
    "string": 0,
}


class DataType(StrEnum):
    """How a point's registers form a number."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BITS = "bits"
    """One register of flags, or with ``bit`` one flag of it, or one coil."""
    STRING = "string"
    """Text of ``length`` registers; never polled."""

    @property
    def registers(self) -> int:
        """Registers that one value takes; 0 for text, whose length is the point's."""
        return REGISTERS[self.value]

    @property
    def is_float(self) -> bool:
        """Whether the raw value is a floating-point number."""
        return self in (DataType.FLOAT32, DataType.FLOAT64)


class WordOrder(StrEnum):
    """Order of the bytes on the wire; ``ABCD`` is big-endian throughout, ``CDAB`` puts the low word first."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"

    @property
    def low_word_first(self) -> bool:
        """Whether the least significant register comes first."""
        return self in (WordOrder.CDAB, WordOrder.DCBA)

    @property
    def bytes_swapped(self) -> bool:
        """Whether the two bytes of every register are swapped."""
        return self in (WordOrder.BADC, WordOrder.DCBA)


class Access(StrEnum):
    """What may be done with a point."""

    READ = "read"
    WRITE = "write"
    READWRITE = "readwrite"

    @property
    def readable(self) -> bool:
        """Whether the point can be read."""
        return self is not Access.WRITE

    @property
    def writable(self) -> bool:
        """Whether the point can be written."""
        return self is not Access.READ


class Positive(StrEnum):
    """What a positive number on the device means; inside, positive always feeds the network."""

    FEEDS = "feeds"
    DRAWS = "draws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a device.

    The value in ``unit`` is ``raw * scale + offset``; inside it becomes the quantity's own unit, with its sign turned where
    ``positive`` is ``draws``. ``range``, ``deadband`` and ``ramp_per_s`` are in the quantity's unit.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    quantity: Quantity
    address: Address
    """Protocol address, counted from 0."""
    table: Table = Table.HOLDING
    type: DataType = DataType.UINT16
    order: WordOrder = WordOrder.ABCD
    scale: float = 1.0
    offset: float = 0.0
    unit: str = "1"
    positive: Positive = Positive.FEEDS
    relative: bool = False
    """The value is a share of the asset's rated power; see :meth:`RegisterMap.for_rating`."""
    nan: int | None = None
    """Raw value (as the type reads it) by which the device says that it has none."""
    bit: Annotated[int, Ge(0), Le(15)] | None = None
    length: Annotated[int, Ge(1), Le(125)] | None = None
    """Registers of a text."""
    access: Access = Access.READ
    range: tuple[float, float] | None = None
    group: str | None = None
    """Points of a group are written together or not at all: what falls first, then what rises, in file order."""
    pulse: bool = False
    """Every write has an effect of its own (a start pulse, a reset), so it is never repeated on a guess."""
    counted_by: Quantity | None = None
    """The device's count of the pulses that it has carried out."""
    also: Mapping[Quantity, float] = field(default_factory=dict)
    """What must stand in other points for a write to take effect; written first where it does not."""
    poll: Literal["fast", "slow", "never"] = "fast"
    heartbeat: bool = False
    """A counter that moves while the device lives."""
    noisy: bool = False
    """A measurement that never stands still in its last digit; four of them unchanged mean a frozen block."""
    counter: bool = False
    """A total that never falls."""
    deadband: Annotated[float, Ge(0)] = 0.0
    """A new set-point closer than this to the one in force is not written."""
    ramp_per_s: Annotated[float, Gt(0)] | None = None
    """Away from 0, a set-point may differ from the one in force by this much for every second that that one has stood."""
    write_interval_s: Seconds | None = None
    """Shortest time between two writes; only 0, which stops a unit, comes through sooner."""
    needs: Mapping[Quantity, float] = field(default_factory=dict)
    """What other points must read for anything but 0 to be written (local mode off, door shut)."""
    refresh_s: Seconds | None = None
    """Write the value again after this time even when nothing changed."""
    revert_s: Seconds | None = None
    """The device falls back to ``revert_to`` when it has not been written for this long."""
    revert_to: float | None = None
    """None: the device releases the set-point and follows its own control."""
    write_budget_per_day: Annotated[int, Ge(1)] | None = None
    """Writes that the device's memory allows per day."""
    note: str = ""

    @property
    def registers(self) -> int:
        """Addresses that the point takes."""
        if self.table.is_bits:
            return 1
        return self.length or self.type.registers

    @property
    def end(self) -> int:
        """First address behind the point."""
        return self.address + self.registers

    @property
    def linear(self) -> Linear:
        """How a raw number becomes the value in the quantity's unit.

        Raises
        ------
        ValueError
            If the unit is unknown or belongs to another kind of quantity, or the point still waits for a rated power.
        """
        if self.relative:
            raise ValueError(f"{self.quantity} is a share of the rated power; bind the map with for_rating first")
        return _linear(
            self.quantity, self.unit, self.scale, self.offset, -1.0 if self.positive is Positive.DRAWS else 1.0
        )

    @property
    def due_refresh_s(self) -> float | None:
        """Seconds after which a write has to be repeated: the smaller of ``refresh_s`` and half the revert time."""
        candidates = [self.refresh_s, None if self.revert_s is None else self.revert_s / 2.0]
        return min((s for s in candidates if s is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Registers that never change (identity, model headers, scale factors): checked on connect, served by emulators."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    address: Address
    registers: Annotated[tuple[Word, ...], MinLen(1)] | None = None
    text: str | None = None
    length: Annotated[int, Ge(1), Le(125)] | None = None
    """Registers that ``text`` fills, padded with zeros."""
    table: Table = Table.HOLDING
    verify: bool = False
    """The bridge refuses a device that shows something else here."""
    note: str = ""

    def words(self) -> tuple[int, ...]:
        """Return the registers as numbers."""
        if self.registers is not None:
            return self.registers
        raw = (self.text or "").encode("ascii", "replace")
        length = self.length or max((len(raw) + 1) // 2, 1)
        padded = raw[: 2 * length].ljust(2 * length, b"\0")
        return tuple(int.from_bytes(padded[i : i + 2], "big") for i in range(0, 2 * length, 2))

    @property
    def end(self) -> int:
        """First address behind the constant."""
        return self.address + len(self.words())


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """One device type: its points, and the habits that a client has to respect."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    format: Literal["jouletwin-map/1"] = "jouletwin-map/1"
    name: str
    title: str
    source: str
    """Where the layout comes from, and what in it is our own."""
    kinds: Annotated[tuple[str, ...], MinLen(1)]
    """Asset kinds that the device can serve."""
    points: Annotated[tuple[Point, ...], MinLen(1)]
    constants: tuple[Constant, ...] = ()
    group_max: Mapping[str, float] = field(default_factory=dict)
    """Per group, what its points may add up to at any instant, half-written groups and late frames included."""
    holes: Mapping[Table, tuple[tuple[Address, Address], ...]] = field(default_factory=dict)
    """Per table, address ranges (first, last) that the device refuses to read."""
    max_block: Annotated[int, Ge(1), Le(125)] = 125
    """Most registers per request."""
    gap_limit: Annotated[int, Ge(0), Le(124)] = 40
    """Unused registers that are cheaper read through than skipped by a second request."""
    timeout_s: Annotated[float, Gt(0), Le(60)] = 1.0
    single_client: bool = False
    pause_after_connect_s: Annotated[float, Ge(0), Le(60)] = 0.0
    pause_between_s: Annotated[float, Ge(0), Le(60)] = 0.0
    """Silence that the device needs between two requests."""
    fc16_only: bool = False
    """The device takes single registers only by function 16."""
    slow_factor: Annotated[int, Ge(1)] = 10
    """Points of the slow class are read every so many polls."""
    note: str = ""

    def find(self, quantity: str) -> Point | None:
        """Return the point named ``quantity``, None if the device has none."""
        return next((p for p in self.points if p.quantity == quantity), None)

    def point(self, quantity: str) -> Point:
        """Return the point named ``quantity``; KeyError if the device has none."""
        found = self.find(quantity)
        if found is None:
            raise KeyError(quantity)
        return found

    def group(self, name: str) -> tuple[Point, ...]:
        """Return the points of a group, in file order."""
        return tuple(p for p in self.points if p.group == name)

    @property
    def heartbeat(self) -> Point | None:
        """The counter by which a frozen device is found."""
        return next((p for p in self.points if p.heartbeat), None)

    def for_rating(self, rating_kw: float) -> "RegisterMap":
        """Return the map of one device of this type, its relative points turned into kW of ``rating_kw``."""
        return replace(self, points=tuple(_rated(p, rating_kw) for p in self.points))


@lru_cache(maxsize=4096)
def _linear(quantity: str, unit: str, scale: float, offset: float, sign: float) -> Linear:
    inner = to_canonical(unit, canonical_unit(quantity))
    return Linear(sign * inner.factor * scale, sign * (inner.factor * offset + inner.offset))


def _rated(point: Point, rating_kw: float) -> Point:
    """Return a relative point as an absolute one."""
    if not point.relative:
        return point
    share = to_canonical(point.unit, "share")
    return replace(
        point,
        relative=False,
        unit="kW",
        scale=point.scale * share.factor * rating_kw,
        offset=(point.offset * share.factor + share.offset) * rating_kw,
    )
