"""Leases: who may command a device for a while, and who has to wait."""

from dataclasses import dataclass
from datetime import datetime

from hil.bridge.gate import Refusal
from hil.journal import Journal, JournalError


@dataclass(frozen=True, slots=True)
class Lease:
    """The sole right to command some devices until ``until``.

    ``holder`` is the ``issued_by`` of its commands; a higher ``priority`` takes the devices from a lower one. Empty ``devices``
    means all of them.
    """

    holder: str
    priority: int
    until: datetime
    devices: frozenset[str] = frozenset()

    def covers(self, device: str, now: datetime) -> bool:
        """Return whether the lease holds a device now."""
        return now < self.until and (not self.devices or device in self.devices)


class Leases:
    """The leases of one bridge; they outlive it in its journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._leases = [Lease(*row) for row in journal.leases()]

    def grant(self, lease: Lease, now: datetime) -> Refusal | None:
        """Take a lease; the reason why not when somebody of the same or a higher priority holds one of its devices."""
        if lease.until <= now:
            words = f"the lease of {lease.holder} ended at {lease.until:%H:%M:%S} UTC, before it was asked for"
            return Refusal("refused_lease", f"{words}; ask for a later end")
        others = [held for held in self._leases if now < held.until and held.holder != lease.holder]
        for held in others:
            shared = not held.devices or not lease.devices or held.devices & lease.devices
            if shared and held.priority >= lease.priority:
                words = (
                    f"{held.holder} holds {_names(held)} until {held.until:%H:%M:%S} UTC with priority {held.priority}"
                )
                return Refusal("refused_lease", f"{words}; ask for a higher one or wait")
        try:
            self._keep([*others, lease])
        except JournalError as problem:
            return Refusal("refused_journal", str(problem))
        return None

    def end(self, holder: str) -> None:
        """Give back everything that a holder has leased; JournalError, and nothing given back, when that cannot be recorded."""
        self._keep([held for held in self._leases if held.holder != holder])

    def _keep(self, leases: list[Lease]) -> None:
        self._journal.keep_leases([(held.holder, held.priority, held.until, held.devices) for held in leases])
        self._leases = leases

    def holder(self, device: str, now: datetime) -> Lease | None:
        """Return the lease that counts on a device now, None when anybody may command it."""
        covering = [held for held in self._leases if held.covers(device, now)]
        return max(covering, key=lambda held: held.priority, default=None)

    def refuse(self, issued_by: str, device: str, now: datetime) -> Refusal | None:
        """Return why somebody may not command a device now."""
        lease = self.holder(device, now)
        if lease is None or lease.holder == issued_by:
            return None
        words = f"{lease.holder} has leased {device} until {lease.until:%H:%M:%S} UTC; nothing was sent"
        return Refusal("refused_lease", words)


def _names(lease: Lease) -> str:
    return ", ".join(sorted(lease.devices)) or "all devices"
