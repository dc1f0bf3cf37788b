"""The running system as the service sees it: one site's memory, its clock, and what stands behind it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.ports import Clock
from models.site import Site
from service.jobs.jobs import Jobs
from service.memory import Memory


class PlantKind(StrEnum):
    """What is being measured and commanded."""

    DEVICES = "devices"
    """Real devices at the addresses in the site file."""
    EMULATED = "emulated"
    """Emulated devices behind the same protocol."""


@dataclass(slots=True)
class Runtime:
    """One running site; ``speed`` is how many site seconds pass in one real second."""

    memory: Memory
    clock: Clock
    plant: PlantKind
    speed: float = 1.0
    jobs: Jobs = field(default_factory=Jobs)
    """Studies asked for over the interface."""
    closing: bool = field(default=False)
    """Set when the service is about to end, so that open streams end too."""
    started_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = self.clock.now()

    @property
    def site(self) -> Site:
        """The site that runs."""
        return self.memory.site
