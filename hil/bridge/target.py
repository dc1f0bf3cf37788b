"""A command that stands: what the device has to show until the command's deadline."""

from dataclasses import dataclass, field
from enum import StrEnum

from hil.frames import WriteFrame
from hil.maps.types import Point
from models.ports import Command

BRIDGE = "bridge"
"""Who issues what restores a group."""


class State(StrEnum):
    """Where a command is on its way; see the journal's events."""

    PENDING = "pending"
    SENT = "sent"
    UNKNOWN = "unknown"
    """A frame may have landed, and may still."""
    CONFIRMED = "confirmed"
    """Read back as commanded."""
    DIVERGED = "diverged"
    """Was confirmed, and now shows something else."""
    REJECTED = "rejected"
    """The device does not do it."""
    ROLLED_BACK = "rolled back"
    """Belonged to a group that failed; what stood before was restored."""
    COMPLETED = "completed"
    """Stood until its deadline."""
    EXPIRED = "expired"
    """Its deadline passed without a confirmation."""
    SUPERSEDED = "superseded"
    """A newer command took its place."""
    SUSPENDED = "suspended"
    """Waits for somebody's lease to end."""

    @property
    def stands(self) -> bool:
        """Whether the bridge still works for it."""
        return self in (State.SENT, State.UNKNOWN, State.CONFIRMED, State.DIVERGED)

    @property
    def may_stand(self) -> bool:
        """Whether a command that was in this state when the bridge died may stand on the device."""
        return self.stands or self is State.PENDING


@dataclass(slots=True)
class Flight:
    """A frame that has left and may still be on its way."""

    words: tuple[int, ...]
    sent: float


@dataclass(slots=True)
class Target:
    """One command on one point, with what the bridge knows of its frames."""

    command: Command
    point: Point
    epoch: int
    frame: WriteFrame
    state: State = State.PENDING
    flights: list[Flight] = field(default_factory=list)
    written: float = -1.0
    """Clock time of the last write."""
    applied: bool = False
    """It stood on the device at least once; what happens later does not undo that."""
    doubtful: bool = False
    """A frame of it got no answer, so that it cannot be proven never to have landed."""
    reasserted: list[float] = field(default_factory=list)
    agreed: float | None = None
    """The value of the last poll that showed its words."""

    @property
    def key(self) -> tuple[str, str]:
        """Device and quantity."""
        return self.command.device, self.command.quantity

    @property
    def restoring(self) -> bool:
        """Whether it takes a half-written group back and is not there yet."""
        over = (State.CONFIRMED, State.SUPERSEDED, State.COMPLETED, State.EXPIRED)
        return self.command.issued_by == BRIDGE and self.state not in over

    def others_in_flight(self, now: float, frame_life_s: float) -> bool:
        """Return whether a frame with another value may still land."""
        self.flights = [f for f in self.flights if now - f.sent < frame_life_s]
        return any(f.words != self.frame.words for f in self.flights)

    def refresh_due(self) -> float:
        """Return the clock time at which the value has to be written again, infinity where it never has to."""
        every = self.point.due_refresh_s
        return float("inf") if every is None or self.state is not State.CONFIRMED else self.written + every
