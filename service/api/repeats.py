"""Idempotency-Key: a request that is sent twice, because the first answer was lost, is carried out once and answered alike."""

from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from service.api.access import backing_in, caller_in
from service.auth.roles import Principal
from service.store.engine import Store
from service.store.people import Repetition

Key = Annotated[
    str | None,
    Header(
        min_length=1, max_length=255, description="the same key with the same request gives the same answer, done once"
    ),
]


@dataclass(frozen=True, slots=True)
class Repeat:
    """One request that may have been sent before; ``key`` None for one whose sender does not care."""

    store: Store
    who: Principal
    key: str | None
    request_hash: str

    async def answer(self) -> Response | None:
        """Return what was answered the first time, None for a new request; 409 for a key that stood for something else."""
        if self.key is None:
            return None
        async with self.store.reading(self.who.tenant_id) as session:
            mine = (Repetition.actor == self.who.name) & (Repetition.key == self.key)
            found = await session.scalar(select(Repetition).where(mine))
        if found is None:
            return None
        if found.request_hash != self.request_hash:
            raise HTTPException(409, "This Idempotency-Key stood for another request; take a new one.")
        headers = found.headers | {"Idempotent-Replayed": "true"}
        return Response(found.body, found.status, headers, media_type="application/json")

    async def keep(self, session: AsyncSession, status: int, answer: BaseModel, response: Response) -> None:
        """Keep the answer in the transaction of the change, so that both are there or neither."""
        if self.key is None:
            return
        told = {k: v for k, v in response.headers.items() if k in ("location", "etag")}
        session.add(
            Repetition(
                id=token_hex(8),
                actor=self.who.name,
                key=self.key,
                request_hash=self.request_hash,
                status=status,
                headers=told,
                body=answer.model_dump_json(),
                created_at=self.store.clock.now(),
            )
        )
        try:
            await session.flush()
        except IntegrityError:
            raise HTTPException(409, "The same request is being carried out right now; ask again.") from None


async def _repeat(request: Request, idempotency_key: Key = None) -> Repeat:
    told = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Repeat(backing_in(request).store, caller_in(request), idempotency_key, sha256(told).hexdigest())


Once = Annotated[Repeat, Depends(_repeat)]
"""Whether a request was carried out already."""
