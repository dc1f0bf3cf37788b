"""What participants owe: invoices of bills and settlements, payments against them, and what happens when none comes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from market.ledger import Entry, Ledger
from market.products import MarketError
from models.findings import error


class State(StrEnum):
    """Where an invoice stands."""

    OPEN = "open"
    PAID = "paid"
    OVERDUE = "overdue"
    REMINDED = "reminded"
    FINAL_NOTICE = "final notice"
    COLLECTION = "collection"
    WRITTEN_OFF = "written off"


@dataclass(frozen=True, slots=True)
class Dunning:
    """Days behind the due day from which an unpaid invoice is in each state."""

    remind_after: int = 7
    final_after: int = 21
    collect_after: int = 45

    def state(self, days_late: int) -> State:
        """Return the state of an unpaid invoice so many days behind its due day."""
        if days_late <= 0:
            return State.OPEN
        steps = (
            (self.collect_after, State.COLLECTION),
            (self.final_after, State.FINAL_NOTICE),
            (self.remind_after, State.REMINDED),
        )
        return next((state for after, state in steps if days_late >= after), State.OVERDUE)


@dataclass(frozen=True, slots=True)
class Invoice:
    """What somebody owes for a run or a bill; ``paid_micro`` of it is paid, ``written_off`` says why nobody asks for the rest."""

    id: str
    party: str
    amount_micro: int
    issued_at: datetime
    due: date
    of: str
    paid_micro: int = 0
    written_off: str = ""

    @property
    def left_micro(self) -> int:
        """What is still to be paid."""
        return 0 if self.written_off else self.amount_micro - self.paid_micro


class Receivables:
    """Invoices and payments, booked in a ledger: what is owed on ``receivable:PARTY``, what came in on ``bank``, too much on ``advance:PARTY``."""

    def __init__(
        self, ledger: Ledger, dunning: Dunning | None = None, *, earlier: Iterable[Invoice] = (), behind: int = 0
    ) -> None:
        """Go on from ``behind`` invoices that are kept elsewhere; those that are asked about are in ``earlier``."""
        self.ledger = ledger
        self.dunning = dunning or Dunning()
        self._invoices = {i.id: i for i in earlier}
        self._next = max(behind, len(self._invoices)) + 1

    @property
    def invoices(self) -> tuple[Invoice, ...]:
        """All invoices that are known here, oldest first."""
        return tuple(self._invoices.values())

    def invoice(
        self, party: str, amount_micro: int, at: datetime, due: date, of: str, account: str = "revenue"
    ) -> Invoice:
        """Issue an invoice for what ``of`` names; ``account`` is credited.

        Raises
        ------
        MarketError
            If the amount is no whole number above zero, the same thing is invoiced already, or the due day is before the issue.
        """
        wrong = (
            [error(of, f"{amount_micro} micro-units cannot be asked for")]
            if type(amount_micro) is not int or amount_micro <= 0
            else []
        )
        wrong += [
            error(of, f"is invoiced to {party} by {i.id}") for i in self.invoices if (i.party, i.of) == (party, of)
        ]
        if due < at.date():
            wrong.append(error(of, f"would be due on {due.isoformat()}, before it is issued"))
        if wrong:
            raise MarketError(wrong)
        made = Invoice(f"i{self._next:06d}", party, amount_micro, at, due, of)
        entries = (Entry(f"receivable:{party}", amount_micro), Entry(account, -amount_micro))
        self.ledger.post(at, f"invoice {made.id} for {of}", entries, trace=of)
        self._invoices[made.id] = made
        self._next += 1
        return made

    def pay(self, party: str, amount_micro: int, at: datetime, text: str) -> list[Invoice]:
        """Book a payment on the party's invoices, the earliest due first; return those it touched. What is too much becomes an advance.

        Raises
        ------
        MarketError
            If the amount is no whole number above zero.
        """
        if type(amount_micro) is not int or amount_micro <= 0:
            raise MarketError([error(text, f"a payment of {amount_micro} micro-units cannot be booked")])
        touched, rest = [], amount_micro
        for i in sorted((i for i in self.invoices if i.party == party and i.left_micro), key=lambda i: (i.due, i.id)):
            used = min(rest, i.left_micro)
            if used:
                touched.append(replace(i, paid_micro=i.paid_micro + used))
                rest -= used
        entries = [
            Entry("bank", amount_micro),
            Entry(f"receivable:{party}", rest - amount_micro),
            Entry(f"advance:{party}", -rest),
        ]
        self.ledger.post(at, text, [e for e in entries if e.amount_micro], trace=party)
        self._invoices.update({i.id: i for i in touched})
        return touched

    def write_off(self, invoice: str, at: datetime, reason: str) -> Invoice:
        """Give up what is left of an invoice.

        Raises
        ------
        MarketError
            If it is unknown, has nothing left, or no reason is given.
        """
        there = self._invoices.get(invoice)
        if there is None or not there.left_micro or not reason:
            raise MarketError([error(invoice, "is unknown, has nothing left to write off, or the reason is missing")])
        entries = (Entry("write-offs", there.left_micro), Entry(f"receivable:{there.party}", -there.left_micro))
        self.ledger.post(at, f"write-off of {invoice}: {reason}", entries, trace=there.of)
        self._invoices[invoice] = replace(there, written_off=reason)
        return self._invoices[invoice]

    def state(self, invoice: Invoice, today: date) -> State:
        """Return where an invoice stands on a day."""
        if invoice.written_off:
            return State.WRITTEN_OFF
        return self.dunning.state((today - invoice.due).days) if invoice.left_micro else State.PAID

    def dunned(self, today: date) -> Iterator[tuple[Invoice, State]]:
        """Give every invoice that somebody has to be written to about, the latest first."""
        asked: Sequence[Invoice] = sorted(self.invoices, key=lambda i: (i.due, i.id))
        for i in asked:
            state = self.state(i, today)
            if state not in (State.OPEN, State.PAID, State.WRITTEN_OFF):
                yield i, state
