"""Doors: the small interfaces and messages through which the loop meets the world.

The Modbus bridge, a recorded day and the twin itself all satisfy them; whoever reads or commands cannot tell them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Quality(StrEnum):
    """How far a value may be trusted."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    """Late or disputed; usable for display, not for a write decision."""
    STALE = "stale"
    """Last known value, older than its poll class allows, or frozen."""
    BAD = "bad"
    """No usable value."""
    SUBSTITUTED = "substituted"
    """Filled in by the twin or by hand."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value.

    ``quantity`` is the point's name with its unit (``electricity_kw``, ``stored_kwh``, ``setpoint_kw``), ``value`` is in that unit and
    NaN when the quality is bad. ``measured_at`` is when the device answered, ``received_at`` when the bridge had decoded it; both UTC.
    """

    device: str
    quantity: str
    value: float
    measured_at: datetime
    received_at: datetime
    quality: Quality


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be written: one value to one point of one device, by whom, and until when it may still be sent."""

    id: str
    device: str
    quantity: str
    value: float
    issued_at: datetime
    issued_by: str
    deadline: datetime
    plan_id: str = ""


class Outcome(StrEnum):
    """What became of a command; ``NO`` is proven by read-back, everything unproven is ``MAYBE``."""

    APPLIED = "applied"
    NO = "no"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a command, in a code for programs and in words for people.

    ``code`` is one of ``applied``, ``unchanged`` (already at the value), ``differs`` (read back something else), ``refused_limit``,
    ``refused_stale``, ``refused_expired``, ``refused_device`` (exception code from the device), ``unreachable``, ``unknown``; from
    the bridge also ``refused_point``, ``refused_mode``, ``refused_lease``, ``refused_model``, ``refused_budget``,
    ``refused_overtaken`` (a newer command stands), ``refused_rate`` (written too short a time ago), ``refused_ramp`` (too steep a step),
    ``refused_interlock`` (another point of the device forbids it), ``refused_group`` (no group, another member is refused, or the
    point is being restored), ``rolled_back`` (a group did not become whole; with ``NO`` what stood before stands again, with ``MAYBE``
    it is still being restored), ``refused_journal``, ``shadow`` (its frames were shown, none was sent) and ``waiting`` (for an
    operator's confirmation).
    ``read_back`` is the value that the device showed after the write, in the command's unit, None when it could not be read.
    """

    command: Command
    outcome: Outcome
    code: str
    message: str
    at: datetime
    read_back: float | None = None


class Clock(Protocol):
    """The one source of time; nothing else reads the machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump, on the same scale as :meth:`sleep`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` of this clock's time."""
        ...


class ReadingSource(Protocol):
    """Something that can be measured."""

    async def read(self) -> Sequence[Reading]:
        """Return the latest value of every point, each with its quality; never raises for a single lost device."""
        ...


class CommandSink(Protocol):
    """Something that can be told what to do."""

    async def write(self, command: Command) -> Receipt:
        """Carry out one command and say what became of it; a fault of the device is a receipt, not an exception."""
        ...


class Plant(ReadingSource, CommandSink, Protocol):
    """What the loop operates: real devices, emulated ones or the twin in process."""
