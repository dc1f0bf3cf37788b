"""Meter data of parties: judged whole as they are brought, kept as they came, and what a package is designed from."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import isnan
from secrets import token_hex

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from customers.intervals.bringing import Brought, plain_edit
from customers.intervals.reading import read_meters
from customers.intervals.series import Version
from customers.intervals.store import Edit
from customers.intervals.vee import findings_of, validate
from market.meters import Quality
from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, error, errors_in
from service.auth.roles import Principal
from service.documents import shelf
from service.documents.checks import DocumentKind
from service.jobs.customer_requests import MeterInputs
from service.store.audit import record
from service.store.customers import MeterDataRow

SHOWN = timedelta(days=31)


def brought(row: MeterDataRow) -> Brought:
    """Return what a row keeps, to be read with its edits."""
    return Brought(row.body, row.zone, row.unit, Carrier(row.carrier), row.kwh_per_m3, row.edits)


def judged(made: Brought) -> MeterDataRow:
    """Return meter data as they are to be kept.

    Raises
    ------
    DataError
        With every finding when one of them is an error; nothing is kept then.
    """
    table, told = read_meters(made.body, made.asked)
    told += findings_of(validate(table))
    if wrong := errors_in(told):
        raise DataError(wrong)
    return MeterDataRow(
        zone=made.zone,
        unit=made.unit,
        carrier=made.carrier.value,
        kwh_per_m3=made.kwh_per_m3,
        edits=[],
        columns=list(table.customers),
        start=table.intervals.start,
        end=table.intervals.end,
        minutes=table.intervals.minutes,
        findings=[[f.severity.value, f.place, f.message] for f in told],
        body=made.body,
    )


async def of_party(
    session: AsyncSession, party_id: str, carrier: Carrier = Carrier.ELECTRICITY, *, changing: bool = False
) -> MeterDataRow | None:
    """Return a party's meter data in a carrier, held while they are changed."""
    tenant = session.sync_session.info["tenant"]
    party = (MeterDataRow.tenant_id == tenant) & (MeterDataRow.party_id == party_id)
    mine = select(MeterDataRow).where(party, MeterDataRow.carrier == carrier.value)
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
        made.findings = [*made.findings, *_left_behind(row)]
        for name in ("zone", "unit", "kwh_per_m3", "edits", "columns", "start", "end", "minutes", "findings", "body"):
            setattr(row, name, getattr(made, name))
    kept.version, kept.changed_at, kept.changed_by = kept.version + 1, now, who.name
    details = {"version": kept.version, "start": kept.start.isoformat(), "end": kept.end.isoformat()}
    details["carrier"] = kept.carrier
    await record(session, now, who.name, "meter_data.kept", f"party/{party_id}", details)
    return kept


def _left_behind(row: MeterDataRow) -> Iterator[list[str]]:
    """Yield what is said where figures that people had set go with the file that they belonged to."""
    if row.edits:
        words = f"{len(row.edits)} edits of the file before do not stand on this one; the record keeps them, enter anew what still holds"
        yield ["warning", "edits", words]


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
    return MeterInputs(brought(row), document.body)


async def drawn_from(session: AsyncSession, party_id: str, weather: str, prices: str) -> MeterInputs:
    """Return what a portrait is drawn from: electricity, other carriers, and the documents of weather and prices that are named.

    Raises
    ------
    DataError
        With everything that is missing.
    """
    rows = {c: await of_party(session, party_id, c) for c in Carrier}
    own = rows.pop(Carrier.ELECTRICITY)
    wrong = [none_kept()] if own is None else []
    bodies = []
    for place, name in (("weather", weather), ("prices", prices)):
        document = await shelf.one(session, DocumentKind.PROFILES, name) if name else None
        if name and document is None:
            wrong.append(no_profiles(place, name))
        bodies.append(b"" if document is None else document.body)
    if own is None or wrong:
        raise DataError(wrong)
    others = [brought(r) for c, r in rows.items() if r is not None and c is not Carrier.WATER]
    return MeterInputs(brought(own), others=others, air=bodies[0], prices=bodies[1])


def no_profiles(place: str, name: str) -> Finding:
    """Return what is said where a table of profiles is not kept."""
    return error(
        place, f"there is no document {name} of the kind profiles; bring it to /api/v1/documents/profiles/{name}"
    )


def _column(row: MeterDataRow, column: str) -> list[Finding]:
    """Return a finding where meter data have several columns and none of them is named."""
    if (not column and len(row.columns) < 2) or column in row.columns:
        return []
    return [error("column", f"name one that the meter data have: {', '.join(row.columns[:8])}")]


async def edit(session: AsyncSession, now: datetime, who: Principal, row: MeterDataRow, wanted: Edit) -> MeterDataRow:
    """Keep figures that a person has set, beside those that came.

    Raises
    ------
    DataError
        With everything that is wrong with them.
    """
    brought(row).store().edited(wanted)
    row.edits = [*row.edits, plain_edit(wanted)]
    row.version, row.changed_at, row.changed_by = row.version + 1, now, who.name
    details = {"version": row.version, "carrier": row.carrier, **plain_edit(wanted)}
    await record(session, now, who.name, "meter_data.edited", f"party/{row.party_id}", details)
    return row


def readings(
    row: MeterDataRow, start: datetime | None, end: datetime | None, version: Version | None = None
) -> dict[str, list[str | float | None]]:
    """Return readings by column, in their newest version or another one: when each interval begins, every meter's kWh and how good it is.

    The last 31 days where no instants are given.

    Raises
    ------
    DataError
        If nothing lies between the instants.
    """
    kept = brought(row).store()
    table = kept.best if version is None else kept.version(version)
    last = end or table.intervals.end
    part = table.between(start or last - SHOWN, last)
    unit = "m3" if table.carrier is Carrier.WATER else "kWh"
    found: dict[str, list[str | float | None]] = {"start_utc": [f"{t:%Y-%m-%dT%H:%MZ}" for t in part.intervals.times]}
    for name, energy, quality in zip(part.customers, part.energy_kwh.tolist(), part.quality.tolist(), strict=True):
        found[f"{name} [{unit}]"] = [None if isnan(v) else round(v, 3) for v in energy]
        found[f"{name} quality"] = [Quality(q).name.lower() for q in quality]
    return found
