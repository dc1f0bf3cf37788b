"""The ledger of a tenant in the store: transactions in their journal, and what every account stands at."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from secrets import token_hex
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from market.ledger import Ledger, Transaction, check_chain
from market.products import MarketError
from market.receivables import Invoice, Receivables
from market.settlement import Item
from market.settlement_runs import Run, SettlementBook
from models.chain import FIRST, chained
from models.findings import Finding, error
from service.markets.journals import Journal, entries, held
from service.store.trading import AccountRow, InvoiceRow

LEDGER, SETTLEMENTS = "ledger", "settlements"
_TRANSACTION, _RUN = TypeAdapter(Transaction), TypeAdapter(Run)
AT_ONCE = 1_000


def plain(adapter: TypeAdapter[Any], value: object) -> dict[str, Any]:
    """Return what a domain object tells, as plain values."""
    found: dict[str, Any] = adapter.dump_python(value, mode="json")
    return found


async def opened(session: AsyncSession, *runs: str) -> tuple[Journal, Ledger]:
    """Return the ledger to go on with, held; transactions of the named runs can be reversed."""
    journal = await held(session, LEDGER)
    rows = await entries(session, LEDGER, things=runs) if runs else ()
    earlier = [_TRANSACTION.validate_python(r.content) for r in rows]
    return journal, Ledger(behind=journal.length, head=journal.digest, earlier=earlier)


async def keep(journal: Journal, ledger: Ledger) -> None:
    """Keep what was booked, and what it makes of the accounts."""
    for t in ledger.transactions:
        journal.add(t.at, t.run, plain(_TRANSACTION, t), t.digest)
    session, tenant = journal.session, journal.session.sync_session.info["tenant"]
    touched = {name: amount for name, amount in ledger.balances.items() if amount}
    mine = select(AccountRow).where(AccountRow.tenant_id == tenant, AccountRow.name.in_(touched)).with_for_update()
    there = {a.name: a for a in await session.scalars(mine)}
    for name, amount in touched.items():
        if name in there:
            there[name].balance_micro += amount
        else:
            session.add(AccountRow(id=token_hex(8), name=name, balance_micro=amount))


async def transactions(session: AsyncSession, *, before: int, limit: int) -> list[tuple[int, Transaction]]:
    """Return transactions before a number with their numbers, newest first."""
    rows = await entries(session, LEDGER, before=before, limit=limit)
    return [(r.number, _TRANSACTION.validate_python(r.content)) for r in rows]


async def balances(session: AsyncSession, after: str, limit: int) -> Sequence[AccountRow]:
    """Return accounts by name behind ``after``."""
    mine = AccountRow.tenant_id == session.sync_session.info["tenant"]
    return (
        await session.scalars(
            select(AccountRow).where(mine, AccountRow.name > after).order_by(AccountRow.name).limit(limit)
        )
    ).all()


async def check(session: AsyncSession) -> tuple[int, list[Finding]]:
    """Return how many transactions there are and what is wrong with them: changed, missing, or not the sum of the accounts."""
    found: list[Finding] = []
    sums: dict[str, int] = {}
    before, after = FIRST, 0
    while rows := await entries(session, LEDGER, after=after, limit=AT_ONCE):
        part = [_TRANSACTION.validate_python(r.content) for r in rows]
        found += check_chain(part, before)
        for e in (e for t in part for e in t.entries):
            sums[e.account] = sums.get(e.account, 0) + e.amount_micro
        before, after = part[-1].digest, rows[-1].number
    kept = {
        a.name: a.balance_micro for a in await session.scalars(select(AccountRow).where(_mine(session, AccountRow)))
    }
    found += [
        error(name, f"stands at {kept.get(name, 0)} micro-units; its transactions sum to {sums.get(name, 0)}")
        for name in sorted({*kept, *sums})
        if kept.get(name, 0) != sums.get(name, 0)
    ]
    return after, found


def _mine(session: AsyncSession, row: type[AccountRow] | type[InvoiceRow]) -> Any:
    return row.tenant_id == session.sync_session.info["tenant"]


async def settled(
    session: AsyncSession, delivery: str, items: Sequence[Item], at: datetime, reason: str
) -> tuple[int, Run] | None:
    """Book the next version of a delivery and return its number and run; None where it would equal the one that stands."""
    runs = await entries(session, SETTLEMENTS, things=[delivery])
    earlier = [_RUN.validate_python(r.content) for r in runs]
    journal, ledger = await opened(session, *([earlier[-1].id] if earlier else []))
    run = SettlementBook(ledger, earlier).settle(delivery, items, at, reason)
    if run is None:
        return None
    await keep(journal, ledger)
    kept = await held(session, SETTLEMENTS)
    content = plain(_RUN, run)
    kept.add(at, delivery, content, chained([content], kept.digest))
    return kept.length, run


async def runs(session: AsyncSession, *, before: int, limit: int, delivery: str | None) -> list[tuple[int, Run]]:
    """Return settlement runs before a number with their numbers, newest first."""
    things = None if delivery is None else [delivery]
    rows = await entries(session, SETTLEMENTS, before=before, limit=limit, things=things)
    return [(r.number, _RUN.validate_python(r.content)) for r in rows]


async def run(session: AsyncSession, number: int) -> Run | None:
    """Return a settlement run by its number."""
    rows = await entries(session, SETTLEMENTS, after=number - 1, limit=1)
    return _RUN.validate_python(rows[0].content) if rows and rows[0].number == number else None


def _invoice(row: InvoiceRow) -> Invoice:
    return Invoice(
        row.number, row.party, row.amount_micro, row.issued_at, date.fromisoformat(row.due), row.of, row.paid_micro,
        row.written_off,
    )  # fmt: skip


async def _receivables(
    session: AsyncSession, party: str
) -> tuple[Journal, Ledger, Receivables, Mapping[str, InvoiceRow]]:
    """Return what a party owes, to go on with; the ledger is held."""
    journal, ledger = await opened(session)
    rows = (
        await session.scalars(select(InvoiceRow).where(_mine(session, InvoiceRow), InvoiceRow.party == party))
    ).all()
    count = await session.scalar(select(func.count()).select_from(InvoiceRow).where(_mine(session, InvoiceRow)))
    known = {r.number: r for r in sorted(rows, key=lambda r: r.number)}
    return journal, ledger, Receivables(ledger, earlier=map(_invoice, known.values()), behind=count or 0), known


async def invoiced(
    session: AsyncSession, party: str, amount_micro: int, at: datetime, due: date, of: str, account: str
) -> InvoiceRow:
    """Issue an invoice and book it."""
    journal, ledger, receivables, _ = await _receivables(session, party)
    made = receivables.invoice(party, amount_micro, at, due, of, account)
    await keep(journal, ledger)
    row = InvoiceRow(
        id=token_hex(8), number=made.id, party=party, amount_micro=amount_micro, issued_at=at, due=due.isoformat(), of=of,
        paid_micro=0, written_off="", version=1,
    )  # fmt: skip
    session.add(row)
    return row


async def paid(session: AsyncSession, party: str, amount_micro: int, at: datetime, text: str) -> list[InvoiceRow]:
    """Book a payment on a party's invoices and return those it touched."""
    journal, ledger, receivables, rows = await _receivables(session, party)
    if not rows:
        raise MarketError([error(party, "has no invoices; a payment is booked on what is owed")])
    touched = receivables.pay(party, amount_micro, at, text)
    await keep(journal, ledger)
    for i in touched:
        rows[i.id].paid_micro = i.paid_micro
        rows[i.id].version += 1
    return [rows[i.id] for i in touched]


async def written_off(session: AsyncSession, row: InvoiceRow, at: datetime, reason: str) -> None:
    """Give up what is left of an invoice."""
    journal, ledger, receivables, _ = await _receivables(session, row.party)
    receivables.write_off(row.number, at, reason)
    await keep(journal, ledger)
    row.written_off = reason
    row.version += 1


async def invoice(session: AsyncSession, invoice_id: str) -> InvoiceRow | None:
    """Return an invoice by its id."""
    return await session.scalar(select(InvoiceRow).where(_mine(session, InvoiceRow), InvoiceRow.id == invoice_id))


async def invoices(session: AsyncSession, after: str, limit: int, party: str | None) -> Sequence[InvoiceRow]:
    """Return invoices by number behind ``after``."""
    wanted = select(InvoiceRow).where(_mine(session, InvoiceRow), InvoiceRow.number > after)
    if party is not None:
        wanted = wanted.where(InvoiceRow.party == party)
    return (await session.scalars(wanted.order_by(InvoiceRow.number).limit(limit))).all()


def state_of(row: InvoiceRow, today: date) -> str:
    """Return where an invoice stands on a day."""
    return Receivables(Ledger()).state(_invoice(row), today).value
