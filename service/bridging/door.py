"""What the service needs of a bridge, wherever that lives."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from hil.bridge import BridgeStats, Lease
from models.ports import Command, Plant, Receipt


class BridgeDoor(Plant, Protocol):
    """A plant with commands that wait for people, and with leases; a context that ends with the service."""

    async def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits; KeyError if none of that id does."""
        ...

    def waiting(self) -> Sequence[Command]:
        """Return the commands that wait for an operator, oldest first."""
        ...

    def lease(self, lease: Lease) -> str | None:
        """Take devices for one commander; the reason in words when they cannot be had."""
        ...

    def give_back(self, holder: str) -> None:
        """End what somebody has leased."""
        ...

    @property
    def stats(self) -> BridgeStats | None:
        """What has been read and written so far."""
        ...

    async def __aenter__(self) -> Self:
        """Begin."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End."""
        ...
