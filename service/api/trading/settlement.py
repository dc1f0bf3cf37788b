"""Settlement runs, the accounts they are booked on, invoices with payments, and the journal for accounting systems."""

from datetime import date, datetime
from decimal import Decimal
from secrets import token_hex
from typing import Annotated, Self

from fastapi import HTTPException, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from market.documents import SettlementDocument, TradeDocument, items_of
from market.journal_export import journal_csv
from market.ledger import Transaction
from market.settlement_runs import Run
from market.written import Number, micro_of
from models.errors import DataError
from models.findings import error
from service.api.access import Backed, Known, guarded, only
from service.api.problems import described
from service.api.tables import TABLES, Chosen, TableForm
from service.api.trading.common import (
    LAST,
    After,
    Asked,
    Before,
    Checked,
    Id,
    Limit,
    Named,
    Text,
    Told,
    known,
    number_of,
)
from service.auth.roles import Deed
from service.markets import auctions as house
from service.markets import billing, ledgers
from service.store.audit import record
from service.store.trading import InvoiceRow, TradeRow

router = guarded(Deed.SEE, "/api/v1", "trading")
CURRENCY = "CNY"
MICRO = 1_000_000
DELIVERY = {
    "format": "jouletwin-settlement/1",
    "delivery": "day-ahead-21000101",
    "settled_at": "2100-01-02T12:00:00Z",
    "metered_mwh": {"works": [-1.4, -1.6], "grid": [1.5, 1.5]},
    "real_time": [360, 340],
    "reference": [350, 350],
    "trades": [
        {"participant": "works", "period": 0, "mwh": -1.5, "price": 350},
        {"participant": "grid", "period": 0, "mwh": 1.5, "price": 350},
    ],
}


class NewSettlement(Asked):
    """A delivery to be settled. Trades that are left out are those kept for the delivery; a reason makes a new version."""

    document: SettlementDocument = Field(examples=[DELIVERY])
    reason: str = Field("", max_length=200)


class ItemOut(BaseModel):
    """An amount that the market owes a participant (> 0), or is owed."""

    participant: str
    part: str
    period: int
    quantity: int
    price_micro: int
    amount_micro: int
    trace: str


class SettlementOut(BaseModel):
    """A settlement run: a version of a delivery, booked whole."""

    id: str
    delivery: str
    version: int
    at: datetime
    reason: str
    digest: str
    due_micro: dict[str, int] = Field(description="what the market owes each participant (> 0) or is owed")
    items: list[ItemOut]

    @classmethod
    def of(cls, number: int, run: Run) -> Self:
        """Return a run as the interface shows it."""
        items = [
            ItemOut(**{n: getattr(i, n) for n in ItemOut.model_fields if n != "part"}, part=i.part.value)
            for i in run.items
        ]
        same = {n: getattr(run, n) for n in ("delivery", "version", "at", "reason", "digest")}
        return cls(id=str(number), due_micro=run.due_micro(), items=items, **same)


class SettlementPage(BaseModel):
    """Settlement runs, newest first."""

    items: list[SettlementOut]
    next: int | None


@router.post("/settlement-runs", status_code=201, **only(Deed.TRADE))
async def settle(backing: Backed, who: Known, asked: NewSettlement, response: Response) -> SettlementOut:
    """Settle a delivery and book it; the same items again give the run that stands. A later version reverses the one before."""
    d, now = asked.document, backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        if not d.trades:
            kept = await house.trades_of(session, d.delivery, None)
            d = d.model_copy(update={"trades": tuple(_trade(t) for t in kept)})
        made = await ledgers.settled(session, d.delivery, items_of(d), d.settled_at, asked.reason)
        if made is None:
            made = (await ledgers.runs(session, before=LAST, limit=1, delivery=d.delivery))[0]
        else:
            await record(session, now, who.name, "delivery.settled", f"settlement-run/{made[0]}", {"run": made[1].id})
    response.headers["Location"] = f"/api/v1/settlement-runs/{made[0]}"
    return SettlementOut.of(*made)


def _trade(t: TradeRow) -> TradeDocument:
    mwh, price = Decimal(t.quantity_wh) / MICRO, Decimal(t.price_micro) / MICRO
    return TradeDocument(participant=t.participant, period=t.period, mwh=mwh, price=price, trace=t.trace)


@router.get("/settlement-runs")
async def settlements(
    backing: Backed, who: Known, limit: Limit = 20, before: Before = LAST, delivery: Named = None
) -> SettlementPage:
    """List settlement runs, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await ledgers.runs(session, before=before, limit=limit + 1, delivery=delivery)
    following = found[limit - 1][0] if len(found) > limit else None
    return SettlementPage(items=[SettlementOut.of(*r) for r in found[:limit]], next=following)


@router.get("/settlement-runs/{settlement_run_id}", responses=described(404))
async def settlement(backing: Backed, who: Known, settlement_run_id: Id) -> SettlementOut:
    """Return a settlement run with every item."""
    number = number_of(settlement_run_id, "settlement run")
    async with backing.store.reading(who.tenant_id) as session:
        return SettlementOut.of(number, known(await ledgers.run(session, number), "settlement run", settlement_run_id))


class AccountOut(BaseModel):
    """An account and what it stands at: debits less credits."""

    name: str
    balance_micro: int


class AccountPage(BaseModel):
    """Accounts by name."""

    items: list[AccountOut]
    next: str | None


class EntryOut(BaseModel):
    """What one account is debited (> 0) or credited."""

    account: str
    amount_micro: int


class TransactionOut(BaseModel):
    """Entries that sum to zero, with the digest of the transaction before."""

    number: int
    id: str
    at: datetime
    text: str
    entries: list[EntryOut]
    run: str
    trace: str
    reverses: str | None
    previous: str
    digest: str

    @classmethod
    def of(cls, number: int, t: Transaction) -> Self:
        """Return a transaction as the interface shows it."""
        entries = [EntryOut(account=e.account, amount_micro=e.amount_micro) for e in t.entries]
        same = {n: getattr(t, n) for n in cls.model_fields if n not in ("number", "entries")}
        return cls(number=number, entries=entries, **same)


class TransactionPage(BaseModel):
    """Transactions, newest first."""

    items: list[TransactionOut]
    next: int | None


@router.get("/accounts")
async def accounts(backing: Backed, who: Known, limit: Limit = 100, after: After = "") -> AccountPage:
    """List accounts with their balances; together they are zero."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await ledgers.balances(session, after, limit + 1)
    items = [AccountOut(name=a.name, balance_micro=a.balance_micro) for a in found[:limit]]
    return AccountPage(items=items, next=items[-1].name if len(found) > limit else None)


@router.get("/accounts/transactions", response_model=TransactionPage, responses={**TABLES, **described(406)})
async def transactions(
    backing: Backed, who: Known, form: Chosen, limit: Limit = 50, before: Before = LAST
) -> TransactionPage | Response:
    """List transactions, newest first; as CSV they are a journal for accounting systems, one line per entry, oldest first."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await ledgers.transactions(session, before=before, limit=limit + 1)
    if form is TableForm.CSV:
        text = journal_csv([t for _, t in reversed(found[:limit])], CURRENCY)
        return Response(
            text, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="journal.csv"'}
        )
    if form is TableForm.PARQUET:
        raise HTTPException(406, "The journal comes as application/json or text/csv.")
    following = found[limit - 1][0] if len(found) > limit else None
    return TransactionPage(items=[TransactionOut.of(*t) for t in found[:limit]], next=following)


@router.get("/accounts/check")
async def check(backing: Backed, who: Known) -> Checked:
    """Follow the ledger from its first transaction on: nothing changed, nothing missing, every balance the sum of its entries."""
    async with backing.store.reading(who.tenant_id) as session:
        length, found = await ledgers.check(session)
    return Checked(length=length, findings=[Told.of(f) for f in found])


class NewInvoice(Asked):
    """What somebody is to pay: an amount, or what a bill or a settlement run says they owe."""

    party: Text = Field(examples=["steel works"])
    due: date = Field(examples=["2099-12-31"])
    amount: Number | None = Field(None, examples=[1200.5], description="currency; left out for a bill or a run")
    bill: Text | None = Field(None, description="id of the bill that is to be paid")
    settlement_run: Text | None = Field(None, description="id of the settlement run whose balance is to be paid")
    of: Text | None = Field(None, description="what an amount is for; the same thing is invoiced once")


class InvoiceOut(BaseModel):
    """An invoice and where it stands."""

    id: str
    number: str
    party: str
    amount_micro: int
    paid_micro: int
    issued_at: datetime
    due: date
    of: str
    state: str = Field(description="open, paid, overdue, reminded, final notice, collection, written off")
    written_off: str

    @classmethod
    def of_row(cls, row: InvoiceRow, today: date) -> Self:
        """Return an invoice as the interface shows it."""
        same = {n: getattr(row, n) for n in cls.model_fields if n not in ("due", "state")}
        return cls(due=date.fromisoformat(row.due), state=ledgers.state_of(row, today), **same)


class InvoicePage(BaseModel):
    """Invoices by number."""

    items: list[InvoiceOut]
    next: str | None


@router.post("/invoices", status_code=201, **only(Deed.TRADE))
async def invoice(backing: Backed, who: Known, asked: NewInvoice, response: Response) -> InvoiceOut:
    """Issue an invoice; it is booked, and asked for until it is paid or written off."""
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        amount, of, account = await _owed(session, asked)
        row = await ledgers.invoiced(session, asked.party, amount, now, asked.due, of, account)
        await record(session, now, who.name, "invoice.issued", f"invoice/{row.id}", {"of": of, "amount_micro": amount})
    response.headers["Location"] = f"/api/v1/invoices/{row.id}"
    return InvoiceOut.of_row(row, now.date())


async def _owed(session: AsyncSession, asked: NewInvoice) -> tuple[int, str, str]:
    """Return what is asked for, what for, and the account that is credited."""
    if sum(x is not None for x in (asked.amount, asked.bill, asked.settlement_run)) != 1:
        raise DataError([error("amount", "give an amount, a bill or a settlement run, one of the three")])
    if asked.amount is not None:
        return micro_of(asked.amount, "amount"), asked.of or f"own-{token_hex(6)}", "revenue"
    if asked.bill is not None:
        bill = await billing.bill(session, asked.bill)
        if bill is None or bill.customer != asked.party:
            raise DataError([error("bill", f"there is no bill {asked.bill} of {asked.party}")])
        return bill.total_micro, bill.id, "revenue"
    number = str(asked.settlement_run)
    run = (
        await ledgers.run(session, int(number)) if number.isascii() and number.isdigit() and len(number) < 16 else None
    )
    owed = 0 if run is None else -run.due_micro().get(asked.party, 0)
    if run is None or owed <= 0:
        raise DataError([error("settlement_run", f"{number} is no run by which {asked.party} owes anything")])
    return owed, run.id, f"participant:{asked.party}"


@router.get("/invoices")
async def invoices(
    backing: Backed, who: Known, limit: Limit = 50, after: After = "", party: Named = None
) -> InvoicePage:
    """List invoices by number with where they stand today."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await ledgers.invoices(session, after, limit + 1, party)
    today = backing.store.clock.now().date()
    items = [InvoiceOut.of_row(r, today) for r in found[:limit]]
    return InvoicePage(items=items, next=items[-1].number if len(found) > limit else None)


@router.get("/invoices/{invoice_id}", responses=described(404))
async def one_invoice(backing: Backed, who: Known, invoice_id: Id) -> InvoiceOut:
    """Return an invoice."""
    async with backing.store.reading(who.tenant_id) as session:
        row = known(await ledgers.invoice(session, invoice_id), "invoice", invoice_id)
    return InvoiceOut.of_row(row, backing.store.clock.now().date())


class WriteOff(Asked):
    """Why nobody asks for the rest."""

    reason: Text = Field(examples=["insolvent, court order 12/2026"])


@router.post("/invoices/{invoice_id}/write-off", responses=described(404), **only(Deed.TRADE))
async def write_off(backing: Backed, who: Known, invoice_id: Id, asked: WriteOff) -> InvoiceOut:
    """Give up what is left of an invoice."""
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await ledgers.invoice(session, invoice_id), "invoice", invoice_id)
        await ledgers.written_off(session, row, now, asked.reason)
        await record(session, now, who.name, "invoice.written_off", f"invoice/{row.id}", {"reason": asked.reason})
    return InvoiceOut.of_row(row, now.date())


class NewPayment(Asked):
    """Money that came in; it goes to the earliest due invoice first, what is too much becomes an advance."""

    party: Text = Field(examples=["steel works"])
    amount: Annotated[Number, Field(gt=0)] = Field(examples=[500])
    text: Text = Field(examples=["transfer of 3 August"])


class PaymentOut(BaseModel):
    """The invoices that a payment went to."""

    invoices: list[InvoiceOut]


@router.post("/payments", status_code=201, **only(Deed.TRADE))
async def pay(backing: Backed, who: Known, asked: NewPayment) -> PaymentOut:
    """Book a payment."""
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        rows = await ledgers.paid(session, asked.party, micro_of(asked.amount, "amount"), now, asked.text)
        await record(session, now, who.name, "payment.booked", f"party/{asked.party}", {"text": asked.text})
    return PaymentOut(invoices=[InvoiceOut.of_row(r, now.date()) for r in rows])
