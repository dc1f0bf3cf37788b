"""Settling periods of contracts: an invoice for the customer, partners' shares in the ledger, and the settlement that names both."""

from collections.abc import AsyncIterator
from datetime import datetime
from secrets import token_hex

from sqlalchemy.ext.asyncio import AsyncSession

from customers.lifecycle.partners import US
from customers.lifecycle.refusal import RefusedStepError
from customers.lifecycle.settlement import NewSettlement, Settlement, check_settlement, settled
from market.billing import Kind
from market.ledger import Entry
from models.findings import Finding, error
from service.auth.roles import Principal
from service.customers.shelves import AGREEMENTS, CONTRACTS, LEADS, SETTLEMENTS
from service.markets import billing, ledgers
from service.store.customers import KeptRow


async def settle(session: AsyncSession, now: datetime, who: Principal, row: KeptRow, wanted: NewSettlement) -> KeptRow:
    """Settle a period of a contract: invoice, shares and settlement in one transaction.

    Raises
    ------
    RefusedStepError
        With everything that keeps the period from being settled; nothing is booked then.
    """
    contract = CONTRACTS.of(row)
    await LEADS.one(session, contract.lead_id, changing=True)
    before = list((await SETTLEMENTS.all(session, contract_id=row.id)).values())
    wrong = list(check_settlement(wanted, contract, before, now.date()))
    wrong += [finding async for finding in _bills(session, row.id, wanted)]
    if wrong:
        raise RefusedStepError("the period cannot be settled", wrong)
    agreements = list((await AGREEMENTS.all(session, contract_id=row.id)).values())
    thing = token_hex(8)
    drafted = settled(wanted, row.id, contract, agreements, "", now)
    issued = await ledgers.invoiced(
        session, contract.party_id, drafted.amount_micro, now, drafted.due_on, f"settlement/{thing}", "revenue"
    )
    await _share(session, drafted, f"settlement/{thing}")
    return await SETTLEMENTS.add(
        session, now, who, settled(wanted, row.id, contract, agreements, issued.number, now), thing_id=thing
    )


async def _bills(session: AsyncSession, contract_id: str, wanted: NewSettlement) -> AsyncIterator[Finding]:
    """Give every line that is not what its bill says, to the micro-unit."""
    for at, line in enumerate(wanted.lines):
        if not line.bill:
            continue
        bill = await billing.bill(session, line.bill)
        if bill is None or bill.contract != contract_id or bill.kind is not Kind.BILL:
            yield error(f"lines[{at}].bill", f"this contract has no bill {line.bill}; /api/v1/bills lists them")
        elif bill.total_micro != line.amount_micro:
            words = f"is {line.amount_micro} micro-units; the bill {line.bill} says {bill.total_micro}"
            yield error(f"lines[{at}].amount_micro", words)


async def _share(session: AsyncSession, drafted: Settlement, thing: str) -> None:
    """Book what partners get: an expense of ours, and what each of them is owed."""
    parts = {who: micro for who, micro in drafted.shares_micro.items() if who != US and micro}
    if not parts:
        return
    journal, ledger = await ledgers.opened(session)
    entries = [Entry("partner-shares", sum(parts.values()))]
    entries += [Entry(f"payable:{who}", -micro) for who, micro in sorted(parts.items())]
    ledger.post(drafted.issued_at, f"partners' shares of {thing}", entries, trace=thing)
    await ledgers.keep(journal, ledger)
