"""Billing: bills that are never changed, and corrections as a reversal and a new bill, in a book that is only added to."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from models.chain import FIRST, chained
from models.errors import JouletwinError
from models.findings import Finding, error
from models.tariffs.bill import Line
from models.tariffs.components import Component
from models.tariffs.tariff import Tariff

Cycle = tuple[int, int]


class BillingError(JouletwinError):
    """An entry that the book does not take: the bill is there already, unknown, or reversed."""


@dataclass(frozen=True, slots=True)
class SupplyContract:
    """Who is supplied through which meter under which tariff.

    Generation behind the meter, reactive energy and the baseline of shared savings have series of their own where the tariff asks for them.
    """

    id: str
    customer: str
    meter: str
    tariff: Tariff
    generation_meter: str | None = None
    reactive_meter: str | None = None
    baseline: str | None = None

    @property
    def meters(self) -> tuple[str | None, ...]:
        """Net energy, generation, reactive energy, baseline."""
        return self.meter, self.generation_meter, self.reactive_meter, self.baseline


class Kind(StrEnum):
    """What an entry of the book does."""

    BILL = "bill"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Entry:
    """One bill, or the reversal of one; ``total_micro`` is the sum of its lines.

    ``corrects`` names the bill that a reversal takes back, or that a new bill stands for. ``digest`` covers everything in the entry and the
    digest of the entry before it, so that no entry can be changed or removed unseen.
    """

    id: str
    kind: Kind
    contract: str
    customer: str
    meter: str
    tariff: str
    currency: str
    cycle: Cycle
    lines: tuple[Line, ...]
    total_micro: int
    substituted: int
    """Intervals that were not measured."""
    issued_at: datetime
    corrects: str | None
    reason: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bill as it would be issued now."""

    contract: SupplyContract
    cycle: Cycle
    lines: tuple[Line, ...]
    substituted: int

    @property
    def total_micro(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_micro for line in self.lines)


class BillingBook:
    """Every bill and reversal in the order of issue; entries are only ever added.

    A book may go on from one that is kept elsewhere: ``behind`` entries, the last with digest ``head``, of which the bills in ``standing``
    are in force.
    """

    def __init__(self, *, behind: int = 0, head: str = FIRST, standing: Iterable[Entry] = ()) -> None:
        self._behind, self._before = behind, head
        self._entries: list[Entry] = []
        self._valid = {(e.contract, e.cycle): e for e in standing}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every entry that was added here, oldest first."""
        return tuple(self._entries)

    def valid(self, contract: str, cycle: Cycle) -> Entry | None:
        """Return the bill that stands for a contract and cycle, None where there is none."""
        return self._valid.get((contract, cycle))

    def balance_micro(self, customer: str) -> int:
        """Return what a customer has been billed, reversals taken off."""
        return sum(e.total_micro for e in self._entries if e.customer == customer)

    def issue(self, prepared: Prepared, at: datetime) -> Entry:
        """Issue a bill.

        Raises
        ------
        BillingError
            If the cycle is billed already; a correction goes through ``rebill``.
        """
        if there := self.valid(prepared.contract.id, prepared.cycle):
            raise BillingError(
                f"{prepared.contract.id} is billed for {_month(prepared.cycle)} by {there.id}; use rebill to correct it"
            )
        entry = self._bill(prepared, at, None, "")
        self._valid[prepared.contract.id, prepared.cycle] = entry
        return entry

    def rebill(self, prepared: Prepared, at: datetime, reason: str) -> tuple[Entry, Entry] | None:
        """Reverse the bill that stands and issue the corrected one; None where both have the same lines.

        Both entries belong to the original cycle; the original stays as it was issued.

        Raises
        ------
        BillingError
            If there is no bill to correct.
        """
        old = self.valid(prepared.contract.id, prepared.cycle)
        if old is None:
            raise BillingError(f"{prepared.contract.id} has no bill for {_month(prepared.cycle)} to correct; issue one")
        if old.lines == prepared.lines:
            return None
        back = self._reversal(old, at, reason)
        new = self._bill(prepared, at, old.id, reason)
        self._valid[prepared.contract.id, prepared.cycle] = new
        return back, new

    def _reversal(self, old: Entry, at: datetime, reason: str) -> Entry:
        lines = tuple(_negated(line) for line in old.lines)
        return self._append(
            replace(
                old,
                kind=Kind.REVERSAL,
                lines=lines,
                total_micro=-old.total_micro,
                issued_at=at,
                corrects=old.id,
                reason=reason,
            )
        )

    def _bill(self, p: Prepared, at: datetime, corrects: str | None, reason: str) -> Entry:
        c = p.contract
        of = (c.id, c.customer, c.meter, c.tariff.id, c.tariff.currency, p.cycle, p.lines, p.total_micro, p.substituted)
        return self._append(Entry("", Kind.BILL, *of, at, corrects, reason, "", ""))

    def _append(self, made: Entry) -> Entry:
        """Add an entry with its number, and the digests that chain it."""
        place = self._behind + len(self._entries) + 1
        previous = self._entries[-1].digest if self._entries else self._before
        numbered = replace(made, id=f"{made.kind.value}-{place:06d}", previous=previous, digest="")
        entry = replace(numbered, digest=digest_of(numbered))
        self._entries.append(entry)
        return entry

    def broken_at(self) -> str | None:
        """Return the id of the first entry whose digest does not fit, None where the chain holds."""
        previous = self._before
        for e in self._entries:
            if (
                e.previous != previous
                or e.digest != digest_of(e)
                or e.total_micro != sum(x.amount_micro for x in e.lines)
            ):
                return e.id
            previous = e.digest
        return None


def digest_of(entry: Entry) -> str:
    """Return the digest of an entry's content and of the entry before it."""
    content = {k: v for k, v in asdict(entry).items() if k not in ("previous", "digest")}
    return chained([json.loads(json.dumps(content, default=str))], entry.previous)


def _negated(line: Line) -> Line:
    values: dict[str, Any] = {f: getattr(line, f) for f in Line.__slots__}
    return Line(**values | {"quantity": -line.quantity, "amount_micro": -line.amount_micro})


def _month(cycle: Cycle) -> str:
    return f"{cycle[0]}-{cycle[1]:02d}"


def first_day(cycle: Cycle) -> date:
    """Return the first local day of a billing month."""
    return date(*cycle, 1)


def shifted(cycle: Cycle, months: int) -> Cycle:
    """Return the billing month so many months later."""
    year, month = divmod(cycle[0] * 12 + cycle[1] - 1 + months, 12)
    return year, month + 1


def check_change(issued: Iterable[tuple[str, Cycle]], standing: Tariff, changed: Tariff) -> list[Finding]:
    """Return an error for every issued bill (its id and month) whose days a changed tariff would price otherwise.

    Such a change is made by correcting those bills (``rebill``), or it begins after them.
    """
    found = []
    for bill, cycle in issued:
        if any(_components(standing, d) != _components(changed, d) for d in _days(cycle)):
            place = f"{changed.id}.{_month(cycle)}"
            found.append(
                error(place, f"would change days that {bill} has billed; begin later, or rebill that month", bill)
            )
    return found


def _components(tariff: Tariff, day: date) -> tuple[Component, ...] | None:
    """Return what holds on a day; that a version ends later on changes nothing before."""
    version = tariff.on(day)
    return None if version is None else version.components


def _days(cycle: Cycle) -> list[date]:
    first, after = first_day(cycle).toordinal(), first_day(shifted(cycle, 1)).toordinal()
    return [date.fromordinal(n) for n in range(first, after)]
