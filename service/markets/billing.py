"""Billing in the store: readings as they arrive, runs over the contracts of a month, bills that are never changed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from market.billing import BillingBook, Cycle, Entry, Prepared, SupplyContract, check_change
from market.billing_run import prepare
from market.meters import Delivery, MeterBook, Quality
from models.errors import DataError
from models.findings import Finding, error
from models.tariffs.file import read_tariff, require_tariff
from models.tariffs.tariff import Tariff
from service.auth.roles import Principal
from service.documents import shelf
from service.documents.checks import DocumentKind, plain_yaml
from service.markets.journals import Journal, entries, held
from service.markets.ledgers import plain
from service.store.audit import record
from service.store.documents import DocumentRow
from service.store.trading import BillingRunRow, ReadingsRow, StandingBillRow

BILLS = "bills"
AT_ONCE = 5_000
"""So many meters are asked for in one question to the store."""
BREATH = 100
"""After so many bills others get their turn."""
METERS = ("meter", "generation_meter", "reactive_meter", "baseline")
STANDARD_ZONE = "Asia/Shanghai"
"""Of tariffs that name none."""
_ENTRY = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class Billed:
    """What a run came to: bills and reversals that were issued, and why others were not."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]


def parsed(row: DocumentRow, time_zone: str) -> Tariff:
    """Return the tariff of a kept document."""
    return require_tariff(yaml.load(row.body, Loader=yaml.CSafeLoader), row.name, time_zone)


async def tariffs(session: AsyncSession, names: set[str], time_zone: str) -> dict[str, Tariff]:
    """Return tariffs by name; raises DataError naming those that are not kept."""
    found = {name: await shelf.one(session, DocumentKind.TARIFF, name) for name in sorted(names)}
    if lost := [n for n, row in found.items() if row is None]:
        raise DataError([error(f"tariff {n}", "is not kept; bring it first (PUT /api/v1/tariffs/NAME)") for n in lost])
    return {n: parsed(row, time_zone) for n, row in found.items() if row is not None}


async def require_unbilled(
    session: AsyncSession, row: DocumentRow, body: bytes | None, time_zone: str = STANDARD_ZONE
) -> None:
    """Refuse a new text of a tariff that would price billed days otherwise, and (``body`` None) to remove one that bills stand on.

    Raises
    ------
    DataError
        With an error for every such bill.
    """
    if row.kind != DocumentKind.TARIFF.value:
        return
    mine = StandingBillRow.tenant_id == session.sync_session.info["tenant"]
    standing = (await session.scalars(select(StandingBillRow).where(mine, StandingBillRow.tariff == row.name))).all()
    if body is None:
        told = [
            error(row.name, f"{r.bill} of {r.year}-{r.month:02d} was made by it; keep the tariff") for r in standing
        ]
    else:
        old, changed = (
            read_tariff(yaml.load(plain_yaml(text), Loader=yaml.CSafeLoader), row.name, time_zone)[0]
            for text in (row.body, body)
        )
        if old is None or changed is None:
            return
        told = check_change([(r.bill, (r.year, r.month)) for r in standing], old, changed)
    if told:
        raise DataError(told)


def take_readings(session: AsyncSession, minutes: int, deliveries: Sequence[Delivery]) -> None:
    """Keep deliveries of meters; raises DataError for what no meter says."""
    book = MeterBook(minutes)
    for d in deliveries:
        book.add(d)
    session.add_all(
        ReadingsRow(
            id=token_hex(8), meter=d.meter, minutes=minutes, start=d.start, quality=int(d.quality), received_at=d.received_at,
            wh=np.array(d.wh, dtype="<i8").tobytes(),
        )
        for d in deliveries
    )  # fmt: skip


async def meter_book(session: AsyncSession, minutes: int, meters: set[str]) -> MeterBook:
    """Return what some meters have delivered so far."""
    book, names = MeterBook(minutes), sorted(meters)
    mine = (ReadingsRow.tenant_id == session.sync_session.info["tenant"]) & (ReadingsRow.minutes == minutes)
    for k in range(0, len(names), AT_ONCE):
        wanted = select(ReadingsRow).where(mine, ReadingsRow.meter.in_(names[k : k + AT_ONCE]))
        for r in await session.scalars(wanted.order_by(ReadingsRow.received_at)):
            wh = tuple(np.frombuffer(r.wh, dtype="<i8").tolist())
            book.add(Delivery(r.meter, r.start, wh, r.received_at, Quality(r.quality)))
    return book


def prepared(
    contracts: Sequence[SupplyContract],
    book: MeterBook,
    cycle: Cycle,
    now: datetime,
    index_micro: Mapping[str, Sequence[int]],
) -> tuple[list[Prepared], list[Finding]]:
    """Return the bills of a month on what has arrived, and why others could not be made."""
    index = {name: np.array(prices, dtype=np.int64) for name, prices in index_micro.items()}
    return prepare(contracts, book, cycle, now, index_micro=index)


async def issued(
    session: AsyncSession, now: datetime, made: Sequence[Prepared], wrong: Sequence[Finding], reason: str
) -> Billed:
    """Issue bills; a month that is billed already is corrected by a reversal and a new bill where a reason is given."""
    journal = await held(session, BILLS)
    standing = await _standing(session, {p.contract.id for p in made}, made[0].cycle if made else (1, 1))
    there = [e for _, e in standing.values()]
    book = BillingBook(behind=journal.length, head=journal.digest, standing=there)
    findings = list(wrong)
    for n, p in enumerate(made):
        if n % BREATH == 0:
            await asyncio.sleep(0)
        before = book.valid(p.contract.id, p.cycle)
        if before is None:
            _stands(session, None, p, book.issue(p, now))
        elif not reason:
            findings.append(error(p.contract.id, f"is billed by {before.id}; give a reason to correct it", before.id))
        elif corrected := book.rebill(p, now, reason):
            _stands(session, standing[p.contract.id][0], p, corrected[1])
    await _keep(journal, book)
    return Billed(book.entries, tuple(findings))


async def kept_run(
    session: AsyncSession,
    now: datetime,
    who: Principal,
    cycle: Cycle,
    contracts: Sequence[SupplyContract],
    found: tuple[Sequence[Prepared], Sequence[Finding]],
    reason: str,
) -> BillingRunRow:
    """Issue what a run has found, and keep the run."""
    billed = await issued(session, now, *found, reason)
    told = [
        {"id": c.id, "customer": c.customer, "tariff": c.tariff.id, **dict(zip(METERS, c.meters, strict=True))}
        for c in contracts
    ]
    row = BillingRunRow(
        id=token_hex(8), year=cycle[0], month=cycle[1], contracts=told, reason=reason, bills=[e.id for e in billed.entries],
        findings=[[f.place, f.message] for f in billed.findings], asked_by=who.name, created_at=now,
    )  # fmt: skip
    session.add(row)
    await record(session, now, who.name, "bills.issued", f"billing-run/{row.id}", {"bills": len(billed.entries)})
    return row


def _stands(session: AsyncSession, row: StandingBillRow | None, p: Prepared, bill: Entry) -> None:
    """Note which bill is in force."""
    if row is not None:
        row.bill, row.tariff = bill.id, p.contract.tariff.id
        return
    year, month = p.cycle
    tariff = p.contract.tariff.id
    session.add(
        StandingBillRow(id=token_hex(8), contract=p.contract.id, tariff=tariff, year=year, month=month, bill=bill.id)
    )


async def _keep(journal: Journal, book: BillingBook) -> None:
    for n, e in enumerate(book.entries):
        if n % BREATH == 0:
            await asyncio.sleep(0)
        journal.add(e.issued_at, e.contract, plain(_ENTRY, e), e.digest)


async def _standing(
    session: AsyncSession, contracts: set[str], cycle: Cycle
) -> dict[str, tuple[StandingBillRow, Entry]]:
    """Return the bills that are in force for a month by contract."""
    mine = StandingBillRow.tenant_id == session.sync_session.info["tenant"]
    month = (StandingBillRow.year == cycle[0]) & (StandingBillRow.month == cycle[1])
    wanted = select(StandingBillRow).where(mine, month, StandingBillRow.contract.in_(contracts))
    rows = {r.contract: r for r in await session.scalars(wanted)}
    known = {e.id: e for e in map(_entry, await entries(session, BILLS, things=sorted(rows)))}
    return {name: (row, known[row.bill]) for name, row in rows.items()}


def _entry(row: Any) -> Entry:
    found: Entry = _ENTRY.validate_python(row.content)
    return found


async def bill(session: AsyncSession, bill_id: str) -> Entry | None:
    """Return a bill or reversal by its id, whose end is its number."""
    number = bill_id.rpartition("-")[2]
    if not number.isascii() or not number.isdigit() or len(number) > 12:
        return None
    rows = await entries(session, BILLS, after=int(number) - 1, limit=1)
    found = _entry(rows[0]) if rows else None
    return found if found is not None and found.id == bill_id else None


async def bills(session: AsyncSession, *, before: int, limit: int, contract: str | None) -> list[tuple[int, Entry]]:
    """Return bills and reversals before a number with their numbers, newest first."""
    rows = await entries(session, BILLS, before=before, limit=limit, things=None if contract is None else [contract])
    return [(r.number, _entry(r)) for r in rows]


async def run(session: AsyncSession, run_id: str) -> BillingRunRow | None:
    """Return a billing run."""
    mine = BillingRunRow.tenant_id == session.sync_session.info["tenant"]
    return await session.scalar(select(BillingRunRow).where(mine, BillingRunRow.id == run_id))


async def runs(session: AsyncSession, before: BillingRunRow | None, limit: int) -> Sequence[BillingRunRow]:
    """Return billing runs, newest first."""
    wanted = select(BillingRunRow).where(BillingRunRow.tenant_id == session.sync_session.info["tenant"])
    if before is not None:
        older = BillingRunRow.created_at < before.created_at
        same = (BillingRunRow.created_at == before.created_at) & (BillingRunRow.id < before.id)
        wanted = wanted.where(older | same)
    by = wanted.order_by(BillingRunRow.created_at.desc(), BillingRunRow.id.desc()).limit(limit)
    return (await session.scalars(by)).all()
