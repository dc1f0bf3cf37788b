"""What the bridge tells its listener: facts about links, devices and commands, each with the instant it was noticed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BridgeEvent:
    """Something that an operator may want to know; ``words`` gives the fact and the way on."""

    at: datetime
    device: str
    words: str


@dataclass(frozen=True, slots=True)
class DeviceLost(BridgeEvent):
    """A device stopped answering, or answers what was not asked."""


@dataclass(frozen=True, slots=True)
class DeviceBack(BridgeEvent):
    """A lost device answers again."""


@dataclass(frozen=True, slots=True)
class DeviceFrozen(BridgeEvent):
    """A device answers, but its values have stopped moving."""


@dataclass(frozen=True, slots=True)
class PointDisabled(BridgeEvent):
    """The device refuses to read a point; it is left out from now on."""

    quantity: str


@dataclass(frozen=True, slots=True)
class WrongDevice(BridgeEvent):
    """What answers is not what the map describes."""


@dataclass(frozen=True, slots=True)
class ClockSet(BridgeEvent):
    """Somebody set the machine's clock; ``device`` is empty."""


@dataclass(frozen=True, slots=True)
class GroupTorn(BridgeEvent):
    """A device has kept half of a group, and does not take back what stood before."""

    group: str


@dataclass(frozen=True, slots=True)
class FrameShadowed(BridgeEvent):
    """In shadow mode: a frame that would have been sent, byte by byte."""

    command: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class ConfirmationWanted(BridgeEvent):
    """In advise mode: a command waits for an operator."""

    command: str


@dataclass(frozen=True, slots=True)
class CommandState(BridgeEvent):
    """A command changed its state (see the journal's events)."""

    command: str
    state: str


Listener = Callable[[BridgeEvent], None]


def nobody(event: BridgeEvent) -> None:
    """Listen to nothing."""
    del event
