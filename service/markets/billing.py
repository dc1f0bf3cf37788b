"""Billing in the store: readings as they arrive, runs over the contracts of a month, bills that are never changed."""

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
from service.documents import shelf
from service.documents.checks import DocumentKind, plain_yaml
from service.markets.journals import Journal, entries, held
from service.markets.ledgers import plain
from service.store.documents import DocumentRow
from service.store.trading import BillingRunRow, ReadingsRow, StandingBillRow

BILLS = "bills"
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


async def past_changes(
    session: AsyncSession, name: str, old: Tariff | None, body: bytes, time_zone: str
) -> list[Finding]:
    """Return an error for every bill whose days a new version of a tariff would price otherwise."""
    changed = read_tariff(yaml.load(plain_yaml(body), Loader=yaml.CSafeLoader), name, time_zone)[0]
    mine = StandingBillRow.tenant_id == session.sync_session.info["tenant"]
    rows = (await session.scalars(select(StandingBillRow).where(mine, StandingBillRow.tariff == name))).all()
    if old is None or changed is None:
        return []
    return check_change([(r.bill, (r.year, r.month)) for r in rows], old, changed)


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
    book = MeterBook(minutes)
    mine = ReadingsRow.tenant_id == session.sync_session.info["tenant"]
    wanted = select(ReadingsRow).where(mine, ReadingsRow.minutes == minutes, ReadingsRow.meter.in_(meters))
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
    for p in made:
        before = book.valid(p.contract.id, p.cycle)
        if before is None:
            _stands(session, None, p, book.issue(p, now))
        elif not reason:
            findings.append(error(p.contract.id, f"is billed by {before.id}; give a reason to correct it", before.id))
        elif corrected := book.rebill(p, now, reason):
            _stands(session, standing[p.contract.id][0], p, corrected[1])
    _keep(journal, book)
    return Billed(book.entries, tuple(findings))


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


def _keep(journal: Journal, book: BillingBook) -> None:
    for e in book.entries:
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
