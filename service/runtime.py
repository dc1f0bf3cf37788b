"""The running system as the service sees it: one site's memory, its clock, and what stands behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hil.bridge import Mode
from models.dispatch import Plan
from models.errors import SetupError
from models.ports import Clock, Command, Receipt
from models.site import Site
from optimizers.explain import Reason
from service.memory import Memory
from service.schedules.orders import Orders


class PlantKind(StrEnum):
    """What is being measured and commanded."""

    DEVICES = "devices"
    """Real devices at the addresses in the site file."""
    EMULATED = "emulated"
    """Emulated devices behind the same protocol."""


class Desk(Protocol):
    """Where commands lie until an operator says yes, in the mode advise."""

    def waiting(self) -> Sequence[Command]:
        """Return the commands that wait, oldest first."""
        ...

    def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits and return what became of it; KeyError if none of that id waits any more."""
        ...


class EmptyDesk:
    """A desk on which nothing ever lies."""

    def waiting(self) -> Sequence[Command]:
        """Return nothing."""
        return ()

    def confirm(self, command_id: str, operator: str) -> Receipt:
        """Refuse: nothing waits here."""
        raise KeyError(command_id, operator)


Why = Callable[[Plan, str, int], Sequence[Reason]]
"""What holds an asset where it is at a step of a plan; nothing unless it is the plan that was made last."""


def unexplained(plan: Plan, asset: str, step: int) -> Sequence[Reason]:
    """Explain nothing: nobody plans here."""
    del plan, asset, step
    return ()


Renew = Callable[[Site], None]
"""Goes on with another list of devices, and returns when that is done."""


def unrenewed(site: Site) -> None:
    """Refuse: no loop runs here."""
    raise SetupError(f"no loop operates {site.title} here, so no device can be put into service")


@dataclass(slots=True)
class Runtime:
    """One running site; ``speed`` is how many site seconds pass in one real second."""

    memory: Memory
    clock: Clock
    plant: PlantKind
    speed: float = 1.0
    mode: Mode = Mode.AUTO
    """How far the bridge may go."""
    desk: Desk = field(default_factory=EmptyDesk)
    why: Why = unexplained
    renew: Renew = unrenewed
    orders: Orders = field(default_factory=Orders)
    """What applied schedules order."""
    closing: bool = field(default=False)
    """Set when the service is about to end, so that open streams end too."""
    started_at: datetime = field(init=False)
    written: Site = field(init=False)
    """The site as its file states it, without what was put into service since."""

    def __post_init__(self) -> None:
        self.written = self.memory.site
        self.started_at = self.clock.now()

    @property
    def site(self) -> Site:
        """The site that runs."""
        return self.memory.site
