"""Steps of leads, proposals and contracts: each is one transaction with its entry in the record, and holds the lead while it is taken."""

from datetime import datetime
from secrets import token_hex

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from customers.lifecycle.contract import Answer, Ending, Signature, answered, ended, signed_by
from customers.lifecycle.lead import Conversation
from customers.lifecycle.moves import Move, moved
from service.auth.roles import Principal
from service.customers.dossiers import dossier_of
from service.customers.shelves import CONTRACTS, CONVERSATIONS, LEADS, PROPOSALS, SETTLEMENTS
from service.store.customers import KeptRow, LeadMoveRow


async def move(session: AsyncSession, now: datetime, who: Principal, row: KeptRow, wanted: Move, reason: str) -> None:
    """Move a lead on.

    Raises
    ------
    RefusedStepError
        With everything that the move lacks; nothing is changed.
    """
    dossier = await dossier_of(session, row, now.date())
    after = moved(wanted, dossier, now, reason)
    number = await session.scalar(select(func.count()).where(LeadMoveRow.lead_id == row.id))
    session.add(
        LeadMoveRow(
            id=token_hex(8),
            lead_id=row.id,
            number=(number or 0) + 1,
            move=wanted.value,
            before=dossier.lead.stage.value,
            after=after.stage.value,
            at=now,
            by=who.name,
            reason=reason,
        )
    )
    await LEADS.put(session, now, who, row, after, wanted.value)


async def moves_of(session: AsyncSession, lead_id: str) -> list[LeadMoveRow]:
    """Return how a lead has moved, oldest first."""
    mine = (LeadMoveRow.tenant_id == session.sync_session.info["tenant"]) & (LeadMoveRow.lead_id == lead_id)
    return list(await session.scalars(select(LeadMoveRow).where(mine).order_by(LeadMoveRow.number)))


async def converse(session: AsyncSession, now: datetime, who: Principal, lead_id: str, said: Conversation) -> KeptRow:
    """Write down what was said about a lead; the record of deeds tells nothing of what was said."""
    return await CONVERSATIONS.add(session, now, who, said, lead_id=lead_id)


async def answer(session: AsyncSession, now: datetime, who: Principal, row: KeptRow, told: Answer) -> None:
    """Write down what became of a proposal; RefusedStepError where it is too late for that."""
    proposal = PROPOSALS.of(row)
    await LEADS.one(session, proposal.lead_id, changing=True)
    made = await CONTRACTS.all(session, proposal_id=row.id)
    after = answered(proposal, told, signed=any(c.signatures for c in made.values()))
    await PROPOSALS.put(session, now, who, row, after, told.state.value)


async def sign(session: AsyncSession, now: datetime, who: Principal, row: KeptRow, signature: Signature) -> None:
    """Write down that a side has signed a contract; RefusedStepError where it cannot."""
    contract = CONTRACTS.of(row)
    await LEADS.one(session, contract.lead_id, changing=True)
    proposal = await PROPOSALS.content_of(session, contract.proposal_id)
    assert proposal is not None  # noqa: S101 # the contract's row refers to it
    after = signed_by(contract, signature, proposal)
    await CONTRACTS.put(session, now, who, row, after, f"signed_by_{signature.side}")


async def end(session: AsyncSession, now: datetime, who: Principal, row: KeptRow, ending: Ending) -> None:
    """End a contract before its time; RefusedStepError where that is not possible."""
    contract = CONTRACTS.of(row)
    await LEADS.one(session, contract.lead_id, changing=True)
    settled = await SETTLEMENTS.all(session, contract_id=row.id)
    await CONTRACTS.put(session, now, who, row, ended(contract, ending, [s.end for s in settled.values()]), "ended")
