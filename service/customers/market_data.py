"""What segments, recommendations and matchings are made from: the tenant's customers with meter data, its contracts, its providers' offers."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from customers.catalogue.offers import ProviderOffer
from customers.lifecycle.refusal import RefusedStepError
from customers.matching.match import Need
from models.carriers import Carrier
from models.errors import DataError
from models.findings import error
from service.customers.meter_data import brought, no_profiles
from service.customers.shelves import CONTRACTS, MODULE_OFFERS, PARTIES, PREMISES, PROPOSALS
from service.documents import shelf
from service.documents.checks import DocumentKind
from service.jobs.customer_requests import EfficiencyInputs, MarketInputs, MeterFile
from service.jobs.job import Job, JobState
from service.store.customers import MeterDataRow
from service.store.work import JobRow

NEEDS = TypeAdapter(list[Need])


async def customers(session: AsyncSession, wanted: Sequence[str]) -> dict[str, MeterFile]:
    """Return customers with meter data by id: those that are wanted, or all.

    Raises
    ------
    DataError
        With everybody who is wanted and not there, or has no meter data.
    """
    parties = await PARTIES.all(session)
    tenant = session.sync_session.info["tenant"]
    electric = MeterDataRow.carrier == Carrier.ELECTRICITY.value
    rows = {
        r.party_id: r
        for r in await session.scalars(select(MeterDataRow).where(MeterDataRow.tenant_id == tenant, electric))
    }
    wrong = [
        error(f"party_ids.{i}", "there is no such party; /api/v1/parties lists them")
        for i in wanted
        if i not in parties
    ]
    none = "has no meter data; bring them to /api/v1/parties/ID/intervals first"
    wrong += [error(f"party_ids.{i}", none) for i in wanted if i in parties and i not in rows]
    if wrong:
        raise DataError(wrong)
    roofs: dict[str, float] = {}
    for place in (await PREMISES.all(session)).values():
        roofs[place.party_id] = roofs.get(place.party_id, 0.0) + place.roof_m2
    return {
        i: MeterFile(p.name, p.sector, roofs.get(i, 0.0), brought(rows[i]))
        for i, p in parties.items()
        if i in rows and (not wanted or i in wanted)
    }


async def recommended_from(session: AsyncSession, wanted: Sequence[str], tariff: str) -> MarketInputs:
    """Return what recommendations are made from; what somebody has taken are the modules of contracts that both sides have signed.

    Raises
    ------
    DataError
        With everybody who has no meter data, and the tariff where it is not kept.
    """
    document = await shelf.one(session, DocumentKind.TARIFF, tariff)
    if document is None:
        raise DataError([error("tariff", f"there is no tariff {tariff}; /api/v1/tariffs lists them")])
    proposals, taken = await PROPOSALS.all(session), dict[str, list[tuple[str, ...]]]()
    for contract in (await CONTRACTS.all(session)).values():
        if contract.signed:
            taken.setdefault(contract.party_id, []).append(proposals[contract.proposal_id].modules)
    return MarketInputs(await customers(session, wanted), document.body, taken)


async def assessed_from(
    session: AsyncSession, party_id: str, peers: Sequence[str], others: Sequence[str], weather: str
) -> EfficiencyInputs:
    """Return what an assessment of efficiency is made from; ``peers`` are all with meter data where none are named.

    Raises
    ------
    DataError
        With everybody who has no meter data, and the weather where it is not kept or has no temperature.
    """
    document = await shelf.one(session, DocumentKind.PROFILES, weather)
    if document is None:
        raise DataError([no_profiles("weather", weather)])
    wanted = dict.fromkeys((party_id, *peers, *others))
    named = await customers(session, tuple(wanted))
    rest = {} if peers else await customers(session, ())
    return EfficiencyInputs({**named, **rest}, document.body)


async def needs(session: AsyncSession, results: Path, wanted: Sequence[str]) -> list[Need]:
    """Return what each customer's newest design needs built, by the designs' own results.

    Raises
    ------
    RefusedStepError
        If nothing has been designed, or nothing for somebody who is wanted.
    """
    tenant = session.sync_session.info["tenant"]
    done = (JobRow.tenant_id == tenant) & (JobRow.kind == "package") & (JobRow.state == JobState.DONE.value)
    found: dict[str, list[Need]] = {}
    for row in await session.scalars(select(JobRow).where(done).order_by(JobRow.created_at.desc(), JobRow.id.desc())):
        party, file = str(row.request["party_id"]), Job.of(row).folder(results) / "result.json"
        if party not in found and (not wanted or party in wanted) and file.exists():
            found[party] = NEEDS.validate_python(json.loads(file.read_text(encoding="utf-8"))["needs"])
    missing = [error(f"party_ids.{i}", "has no package; design one first") for i in wanted if i not in found]
    if missing or not found:
        nothing = [error("packages", "none has been designed; POST /api/v1/parties/ID/packages:design does it")]
        raise RefusedStepError("nothing can be matched", missing or nothing)
    return [n for each in found.values() for n in each]


async def offers(session: AsyncSession, on: date) -> list[ProviderOffer]:
    """Return the offers that hold on a day, under their providers' names."""
    parties = await PARTIES.all(session)
    held = await MODULE_OFFERS.all(session)
    return [o.by(parties[o.party_id].name) for o in held.values() if o.valid_until >= on]
