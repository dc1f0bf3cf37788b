"""Meter data of parties: judged whole as they are brought, kept as they came, and what a package is designed from."""

from datetime import datetime, timedelta
from math import isnan
from secrets import token_hex

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from customers.intervals.reading import Asked, read_meters
from customers.intervals.vee import findings_of, validate
from market.meters import Quality
from models.errors import DataError
from models.findings import Finding, error, errors_in
from service.auth.roles import Principal
from service.documents import shelf
from service.documents.checks import DocumentKind
from service.jobs.customer_requests import MeterInputs
from service.store.audit import record
from service.store.customers import MeterDataRow

SHOWN = timedelta(days=31)


def judged(content: bytes, zone: str, unit: str) -> MeterDataRow:
    """Return meter data as they are to be kept.

    Raises
    ------
    DataError
        With every finding when one of them is an error; nothing is kept then.
    """
    table, told = read_meters(content, Asked(unit=unit, zone=zone, feeds_in=True))
    told += findings_of(validate(table))
    if wrong := errors_in(told):
        raise DataError(wrong)
    return MeterDataRow(
        zone=zone,
        unit=unit,
        columns=list(table.customers),
        start=table.intervals.start,
        end=table.intervals.end,
        minutes=table.intervals.minutes,
        findings=[[f.severity.value, f.place, f.message] for f in told],
        body=content,
    )


async def of_party(session: AsyncSession, party_id: str, *, changing: bool = False) -> MeterDataRow | None:
    """Return a party's meter data, held while they are changed."""
    tenant = session.sync_session.info["tenant"]
    mine = select(MeterDataRow).where(MeterDataRow.tenant_id == tenant, MeterDataRow.party_id == party_id)
    return await session.scalar(mine.with_for_update() if changing else mine)


async def put(
    session: AsyncSession, now: datetime, who: Principal, party_id: str, made: MeterDataRow, row: MeterDataRow | None
) -> MeterDataRow:
    """Keep meter data, new or in place of those in ``row``."""
    kept = made if row is None else row
    if row is None:
        made.id, made.party_id, made.version, made.made_at = token_hex(8), party_id, 0, now
        session.add(made)
    else:
        for name in ("zone", "unit", "columns", "start", "end", "minutes", "findings", "body"):
            setattr(row, name, getattr(made, name))
    kept.version, kept.changed_at, kept.changed_by = kept.version + 1, now, who.name
    details = {"version": kept.version, "start": kept.start.isoformat(), "end": kept.end.isoformat()}
    await record(session, now, who.name, "meter_data.kept", f"party/{party_id}", details)
    return kept


def none_kept() -> Finding:
    """Return what is said where a party has no meter data."""
    return error("party_id", "no meter data are kept; bring them to /api/v1/parties/ID/intervals first")


async def inputs(session: AsyncSession, row: MeterDataRow | None, column: str, tariff: str) -> MeterInputs:
    """Return what a package is designed from.

    Raises
    ------
    DataError
        With everything that is missing: meter data, which of several columns, the tariff.
    """
    wrong = [none_kept()] if row is None else _column(row, column)
    document = await shelf.one(session, DocumentKind.TARIFF, tariff)
    if document is None:
        wrong.append(error("tariff", f"there is no tariff {tariff}; /api/v1/tariffs lists them"))
    if row is None or document is None or wrong:
        raise DataError(wrong)
    return MeterInputs(row.body, document.body)


def _column(row: MeterDataRow, column: str) -> list[Finding]:
    """Return a finding where meter data have several columns and none of them is named."""
    if (not column and len(row.columns) < 2) or column in row.columns:
        return []
    return [error("column", f"name one that the meter data have: {', '.join(row.columns[:8])}")]


def readings(row: MeterDataRow, start: datetime | None, end: datetime | None) -> dict[str, list[str | float | None]]:
    """Return checked and estimated readings by column: when each interval begins, every meter's kWh and how good it is.

    The last 31 days where no instants are given.

    Raises
    ------
    DataError
        If nothing lies between the instants.
    """
    raw, _ = read_meters(row.body, Asked(unit=row.unit, zone=row.zone, feeds_in=True))
    table = validate(raw).best
    last = end or table.intervals.end
    part = table.between(start or last - SHOWN, last)
    found: dict[str, list[str | float | None]] = {"start_utc": [f"{t:%Y-%m-%dT%H:%MZ}" for t in part.intervals.times]}
    for name, energy, quality in zip(part.customers, part.energy_kwh.tolist(), part.quality.tolist(), strict=True):
        found[f"{name} [kWh]"] = [None if isnan(v) else round(v, 3) for v in energy]
        found[f"{name} quality"] = [Quality(q).name.lower() for q in quality]
    return found
