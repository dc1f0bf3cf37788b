"""A double-entry ledger in exact integers: every transaction sums to zero, and each carries the digest of the one before.

Entries are only ever added; what was wrong is taken back by a reversal. Debits are positive, credits negative.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from market.products import MarketError
from models.chain import FIRST, chained
from models.findings import Finding, error
from models.horizon import require_utc


@dataclass(frozen=True, slots=True)
class Entry:
    """What one account is debited (> 0) or credited (< 0), in micro-units of currency."""

    account: str
    amount_micro: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """Entries that belong together; ``trace`` follows what they are for, ``reverses`` names the transaction they take back."""

    id: str
    at: datetime
    text: str
    entries: tuple[Entry, ...]
    run: str
    trace: str
    reverses: str | None
    previous: str
    digest: str

    @property
    def told(self) -> tuple[object, ...]:
        """Everything that the digest covers but the digest before."""
        entries = [[e.account, e.amount_micro] for e in self.entries]
        return self.id, require_utc(self.at).isoformat(), self.text, entries, self.run, self.trace, self.reverses


class Ledger:
    """Transactions of one currency in the order they were booked.

    A ledger may go on from one that is kept elsewhere: ``behind`` transactions, the last with digest ``head``. Those of them in ``earlier``
    are known here, so that they can be reversed.
    """

    def __init__(
        self, currency: str = "CNY", *, behind: int = 0, head: str = FIRST, earlier: Sequence[Transaction] = ()
    ) -> None:
        self.currency = currency
        self._behind, self._before, self._earlier = behind, head, tuple(earlier)
        self._transactions: list[Transaction] = []
        self._balances: defaultdict[str, int] = defaultdict(int)
        self._reversed = {t.reverses for t in earlier if t.reverses is not None}

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """Every transaction that was booked here, oldest first."""
        return tuple(self._transactions)

    @property
    def balances(self) -> Mapping[str, int]:
        """Return every account's debits less its credits of what was booked here, in micro-units; together they are zero."""
        return dict(self._balances)

    @property
    def head(self) -> str:
        """The digest of the last transaction, to be noted elsewhere."""
        return self._transactions[-1].digest if self._transactions else self._before

    @property
    def _known(self) -> tuple[Transaction, ...]:
        return (*self._earlier, *self._transactions)

    def post(self, at: datetime, text: str, entries: Sequence[Entry], *, run: str = "", trace: str = "") -> Transaction:
        """Book entries.

        Raises
        ------
        MarketError
            If there are none, one has no account or is no whole number, or they do not sum to zero; nothing is booked then.
        """
        if found := list(check_entries(text, entries)):
            raise MarketError(found)
        return self._append(at, text, tuple(entries), run, trace, None)

    def reverse(self, transaction: str, at: datetime, reason: str) -> Transaction:
        """Take a transaction back.

        Raises
        ------
        MarketError
            If it is unknown or taken back already.
        """
        there = next((t for t in self._known if t.id == transaction), None)
        if there is None or transaction in self._reversed:
            why = "is not in the ledger" if there is None else "is reversed already"
            raise MarketError([error(transaction, f"{why} and cannot be reversed")])
        entries = tuple(Entry(e.account, -e.amount_micro) for e in there.entries)
        self._reversed.add(transaction)
        return self._append(at, f"{reason}: {there.text}", entries, there.run, there.trace, transaction)

    def standing(self, run: str) -> list[Transaction]:
        """Return a run's transactions that were not taken back."""
        return [t for t in self._known if t.run == run and t.reverses is None and t.id not in self._reversed]

    def _append(
        self, at: datetime, text: str, entries: tuple[Entry, ...], run: str, trace: str, reverses: str | None
    ) -> Transaction:
        number = self._behind + len(self._transactions) + 1
        known = (f"t{number:06d}", at, text, entries, run, trace, reverses, self.head)
        transaction = Transaction(*known, "")
        transaction = Transaction(*known, chained(transaction.told, self.head))
        self._transactions.append(transaction)
        for e in entries:
            self._balances[e.account] += e.amount_micro
        return transaction


def check_entries(text: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Give what keeps entries from being booked."""
    if not entries:
        yield error(text, "has no entries")
    if any(type(e.amount_micro) is not int for e in entries):
        yield error(text, "amounts are whole micro-units; floats and NaN are never booked")
    elif off := sum(e.amount_micro for e in entries):
        yield error(text, f"debits exceed credits by {off} micro-units; a transaction sums to zero", value=off)
    if any(not e.account for e in entries):
        yield error(text, "has an entry without an account")


def check_chain(transactions: Sequence[Transaction], before: str = FIRST) -> Iterator[Finding]:
    """Give every transaction that was changed, does not follow the one before (first ``before``), or does not sum to zero."""
    for t in transactions:
        if t.previous != before:
            yield error(t.id, "does not follow the transaction before it; something between them is missing")
        if chained(t.told, t.previous) != t.digest:
            yield error(t.id, "was changed after it was booked")
        yield from check_entries(t.id, t.entries)
        before = t.digest
