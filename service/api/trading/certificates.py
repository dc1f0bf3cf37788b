"""Green certificates: issued once for metered energy, passed on, retired; who holds them, and every act."""

import json
from datetime import datetime
from typing import Annotated, Self

from annotated_types import Ge, Le
from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from market.certificates import Event, Generated, Holding
from service.api.access import Backed, Known, guarded, only
from service.api.trading.common import LAST, Asked, Before, Behind, Checked, Limit, Named, Text, Told, place
from service.auth.roles import Deed
from service.markets import certificates as registry
from service.store.audit import record

router = guarded(Deed.SEE, "/api/v1/certificates", "trading")
Number = Annotated[int, Ge(1), Le(2**50)]


class NewIssue(Asked):
    """Metered energy of a device that may have certificates, one per MWh."""

    device: Text = Field(examples=["pv_metal1"])
    start: AwareDatetime = Field(examples=["2026-07-01T00:00:00+08:00"])
    end: AwareDatetime = Field(examples=["2026-08-01T00:00:00+08:00"])
    wh: Annotated[int, Ge(1), Le(2**50)] = Field(examples=[42_500_000])
    source: Text = Field(examples=["pv"])
    holder: Text = Field(examples=["park"])


class Range(Asked):
    """Certificates of one device, both numbers included."""

    device: Text = Field(examples=["pv_metal1"])
    first: Number = Field(examples=[1])
    last: Number = Field(examples=[10])
    holder: Text = Field(examples=["park"], description="who holds them now")


class Move(Range):
    """Certificates that are passed on."""

    to: Text = Field(examples=["steel works"])


class Use(Range):
    """Certificates that are used up for a purpose, for good."""

    purpose: Text = Field(examples=["use of July 2026, steel works"])


class HoldingOut(BaseModel):
    """Certificates ``first`` to ``last`` of a device that somebody holds, or has used for a purpose."""

    device: str
    first: int
    last: int
    count: int
    holder: str
    retired_for: str

    @classmethod
    def of(cls, h: Holding) -> Self:
        """Return a holding as the interface shows it."""
        return cls(**{n: getattr(h, n) for n in cls.model_fields})


class Holdings(BaseModel):
    """Holdings by device and number; none where energy fills no MWh yet."""

    items: list[HoldingOut]
    next: str | None = Field(description="what asks for the next page as `after`")


HELD: TypeAdapter[tuple[str, int]] = TypeAdapter(tuple[Text, Annotated[int, Ge(0), Le(LAST)]])
"""A device and the first number."""


class ActOut(BaseModel):
    """One act, with the digest of the one before."""

    number: int
    act: str
    at: datetime
    device: str
    first: int
    last: int
    who: str
    purpose: str
    wh: int | None = Field(description="energy that an issue counts")
    previous: str
    digest: str

    @classmethod
    def of(cls, number: int, e: Event) -> Self:
        """Return an act as the interface shows it."""
        same = {n: getattr(e, n) for n in cls.model_fields if n not in ("number", "act", "wh")}
        return cls(number=number, act=e.act.value, wh=None if e.generated is None else e.generated.wh, **same)


class Acts(BaseModel):
    """Acts, newest first."""

    items: list[ActOut]
    next: int | None


@router.get("")
async def certificates(
    backing: Backed,
    who: Known,
    limit: Limit = 100,
    after: Behind = None,
    device: Named = None,
    holder: Named = None,
) -> Holdings:
    """Return who holds which certificates, by device and number."""
    begin = place(after, HELD) or ("", 0)
    async with backing.store.reading(who.tenant_id) as session:
        held = await registry.holdings(session, device, holder)
    shown = [h for h in held if (h.device, h.first) > begin][: limit + 1]
    last = shown[limit - 1] if len(shown) > limit else None
    return Holdings(
        items=[HoldingOut.of(h) for h in shown[:limit]],
        next=None if last is None else json.dumps([last.device, last.first]),
    )


@router.post("", status_code=201, **only(Deed.TRADE))
async def issue(backing: Backed, who: Known, asked: NewIssue, response: Response) -> Holdings:
    """Issue certificates; time that is certified already is refused, what is below one MWh waits for the next issue."""
    now = backing.store.clock.now()
    response.headers["Location"] = "/api/v1/certificates"
    async with backing.store.changing(who.tenant_id) as session:
        journal, held = await registry.opened(session, asked.device)
        made = held.issue(Generated(asked.device, asked.start, asked.end, asked.wh, asked.source), asked.holder, now)
        registry.keep(journal, held)
        await record(session, now, who.name, "certificates.issued", f"device/{asked.device}", {"wh": asked.wh})
    return Holdings(items=[] if made is None else [HoldingOut.of(made)], next=None)


@router.post("/transfer", **only(Deed.TRADE))
async def transfer(backing: Backed, who: Known, asked: Move) -> Holdings:
    """Pass certificates on."""
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        journal, held = await registry.opened(session, asked.device)
        moved = held.transfer(asked.device, asked.first, asked.last, asked.holder, asked.to, now)
        registry.keep(journal, held)
        await record(session, now, who.name, "certificates.passed", f"device/{asked.device}", {"to": asked.to})
    return Holdings(items=[HoldingOut.of(moved)], next=None)


@router.post("/retire", **only(Deed.TRADE))
async def retire(backing: Backed, who: Known, asked: Use) -> Holdings:
    """Use certificates for a purpose; nobody can use them again."""
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        journal, held = await registry.opened(session, asked.device)
        used = held.retire(asked.device, asked.first, asked.last, asked.holder, asked.purpose, now)
        registry.keep(journal, held)
        await record(session, now, who.name, "certificates.used", f"device/{asked.device}", {"for": asked.purpose})
    return Holdings(items=[HoldingOut.of(used)], next=None)


@router.get("/acts")
async def acts(backing: Backed, who: Known, limit: Limit = 50, before: Before = LAST) -> Acts:
    """List everything that was done, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await registry.acts(session, before=before, limit=limit + 1)
    following = found[limit - 1][0] if len(found) > limit else None
    return Acts(items=[ActOut.of(*a) for a in found[:limit]], next=following)


@router.get("/check")
async def check(backing: Backed, who: Known) -> Checked:
    """Follow the registry from its first act on: nothing changed, nothing missing."""
    async with backing.store.reading(who.tenant_id) as session:
        length, found = await registry.check(session)
    return Checked(length=length, findings=[Told.of(f) for f in found])
