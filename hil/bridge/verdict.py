"""What became of driving a value into a device."""

from dataclasses import dataclass
from enum import StrEnum

from hil.bridge.target import State
from models.ports import Outcome


class Sent(StrEnum):
    """What is known of one frame after waiting for its answer."""

    ECHOED = "echoed"
    BUSY = "busy"
    REFUSED = "refused"
    """The device, or the gateway before it, did not understand the request: nothing of it was done."""
    FAILED = "failed"
    """Something went wrong while it was being done."""
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of the command, outcome and code for its receipt, and words for people."""

    state: State
    outcome: Outcome
    code: str
    words: str
    read_back: float | None = None


def unread(device: str) -> Verdict:
    """Return the verdict of a write after which nobody could look."""
    words = f"{device} could not be read since the write; the next good poll settles it"
    return Verdict(State.UNKNOWN, Outcome.MAYBE, "unknown", words)


def not_done(code: str, words: str, read_back: float | None = None) -> Verdict:
    """Return the verdict of a value that provably does not stand."""
    return Verdict(State.REJECTED, Outcome.NO, code, words, read_back)
