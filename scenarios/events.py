"""What the operating loop tells whoever listens: the page, the store, the report of a day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.dispatch import Plan, PlanCheck
from models.findings import Finding
from models.forecast import Forecast
from models.ports import Reading, Receipt
from models.state import Snapshot
from twin.track import ReplanRequest


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """The site was measured."""

    at: datetime
    snapshot: Snapshot
    readings: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class PlanMade:
    """A plan was made and replayed; ``check`` is None where nobody checks. ``floor_kw`` and ``cap_kw`` are the peaks it works with."""

    at: datetime
    plan: Plan
    check: PlanCheck | None
    forecast: Forecast
    floor_kw: float
    cap_kw: float


@dataclass(frozen=True, slots=True)
class CommandsSent:
    """Commands went out; one receipt each."""

    at: datetime
    receipts: Sequence[Receipt]


@dataclass(frozen=True, slots=True)
class GuardActed:
    """The guard moved set-points away from the plan (or back to it): asset → kW moved."""

    at: datetime
    moved_kw: Mapping[str, float]
    import_kw: float
    allowed_kw: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Something did not work, and what the loop does instead."""

    at: datetime
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class PlantTracked:
    """What has parted from the plan at a turn, empty while the plant follows; ``request`` says why a new plan is made before its time."""

    at: datetime
    apart: Sequence[Finding]
    request: ReplanRequest | None


@dataclass(frozen=True, slots=True)
class ReplanAsked:
    """Somebody asked for a new plan before its time; it is made at the next turn."""

    at: datetime
    reason: str


Event = SnapshotTaken | PlanMade | CommandsSent | GuardActed | PlantTracked | ReplanAsked | Fault
Listener = Callable[[Event], None]


def nobody(event: Event) -> None:
    """Listen to nothing."""
    del event
