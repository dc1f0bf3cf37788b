"""Settlement runs: items booked in the ledger, by version; a later version takes the one before back and books anew."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from market.ledger import Entry, Ledger
from market.products import MarketError
from market.settlement import Item, Part
from models.chain import FIRST, chained
from models.findings import error

MARKET = "market"
"""The account of the market itself, everybody's counterparty; what is left on it is rent, deviation charges and imbalance."""


@dataclass(frozen=True, slots=True)
class Run:
    """One settlement of one delivery; ``digest`` covers every item, so equal inputs give equal runs."""

    delivery: str
    version: int
    at: datetime
    items: tuple[Item, ...]
    reason: str
    digest: str

    @property
    def id(self) -> str:
        """Delivery and version."""
        return f"{self.delivery}/v{self.version}"

    def due_micro(self) -> dict[str, int]:
        """Return what the market owes each participant (> 0) or is owed."""
        found: defaultdict[str, int] = defaultdict(int)
        for item in self.items:
            found[item.participant] += item.amount_micro
        return dict(found)


class SettlementBook:
    """Runs by delivery, each booked whole in one ledger or not at all; ``earlier`` are runs that are booked already."""

    def __init__(self, ledger: Ledger, earlier: Iterable[Run] = ()) -> None:
        self.ledger = ledger
        self._runs: dict[str, list[Run]] = {}
        for run in earlier:
            self._runs.setdefault(run.delivery, []).append(run)

    def runs(self, delivery: str) -> tuple[Run, ...]:
        """Return every version of a delivery, oldest first."""
        return tuple(self._runs.get(delivery, ()))

    def settle(self, delivery: str, items: Sequence[Item], at: datetime, reason: str = "") -> Run | None:
        """Book the next version of a delivery; None where it would equal the one that stands.

        Raises
        ------
        MarketError
            If a later version gives no reason.
        """
        before = self._runs.get(delivery, [])
        digest = digest_of(items)
        if before and before[-1].digest == digest:
            return None
        if before and not reason:
            raise MarketError([error(delivery, f"is settled by {before[-1].id}; a new version needs its reason")])
        run = Run(delivery, len(before) + 1, at, tuple(items), reason, digest)
        for standing in self.ledger.standing(before[-1].id) if before else ():
            self.ledger.reverse(standing.id, at, reason)
        for (trace, part), entries in _entries(items).items():
            self.ledger.post(at, f"{delivery}: {part.value}", entries, run=run.id, trace=trace)
        self._runs.setdefault(delivery, []).append(run)
        return run


def digest_of(items: Sequence[Item]) -> str:
    """Return the digest of items."""
    return chained(
        [[i.participant, i.part.value, i.period, i.quantity, i.price_micro, i.amount_micro, i.trace] for i in items],
        FIRST,
    )


def _entries(items: Sequence[Item]) -> dict[tuple[str, Part], list[Entry]]:
    """Return one transaction per trace and part: everybody's sum, and the market's as what is left."""
    sums: dict[tuple[str, Part], defaultdict[str, int]] = {}
    for i in items:
        sums.setdefault((i.trace, i.part), defaultdict(int))[i.participant] += i.amount_micro
    found = {}
    for key, owed in sums.items():
        # what the market owes is a credit of the participant's account
        entries = [Entry(f"participant:{name}", -amount) for name, amount in sorted(owed.items()) if amount]
        if left := sum(e.amount_micro for e in entries):
            entries.append(Entry(f"{MARKET}:{key[1].value}", -left))
        if entries:
            found[key] = entries
    return found
