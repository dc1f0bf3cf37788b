"""Proposals and the contracts made from them: who says yes to what, until when, and who has signed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field

from customers.fields import ROWS_MOST, STRICT, Day, Label, Name, PositiveMicro, Ref, Said, Who, Words
from customers.lifecycle.refusal import RefusedStepError
from models.findings import Finding, error


class ProposalState(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProposal:
    """A package at a price, offered until a day."""

    __pydantic_config__ = STRICT

    lead_id: Ref
    title: Name
    modules: Annotated[tuple[Name, ...], Field(max_length=ROWS_MOST)] = ()
    """The modules of the package, by the names of the catalogue."""
    fee_micro: PositiveMicro
    """What the customer pays for a year of it."""
    saving_low_micro: PositiveMicro = 0
    saving_high_micro: PositiveMicro = 0
    """Between these the customer's yearly saving lies with the stated confidence."""
    valid_until: Day
    job_id: Label = ""
    """The design that it comes from, with its proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(NewProposal):
    """A proposal and the answer to it."""

    state: ProposalState = ProposalState.OPEN
    answered_on: date | None = None
    answered_by: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the customer, or we, say to a proposal."""

    __pydantic_config__ = STRICT

    state: Literal[ProposalState.ACCEPTED, ProposalState.DECLINED, ProposalState.WITHDRAWN]
    on: Day
    by: Who
    words: Words = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signed for a side, and when."""

    __pydantic_config__ = STRICT

    side: Literal["us", "customer"]
    by: Who
    on: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When a contract ends before its time, and why."""

    __pydantic_config__ = STRICT

    on: Day
    reason: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContract:
    """A contract as it is drafted from a proposal; it begins on ``starts_on`` and runs until the day before ``ends_on``."""

    __pydantic_config__ = STRICT

    proposal_id: Ref
    title: Name
    starts_on: Day
    ends_on: Annotated[Day, Field(examples=["2036-07-01"])]
    tariff: Label = ""
    """The document of the tariff by which energy is billed."""
    payment_days: Annotated[int, Ge(0), Le(365)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(NewContract):
    """A contract, whose it is, and how far it is signed."""

    lead_id: str
    party_id: str
    fee_micro: int
    """What a year costs, as the proposal says."""
    signatures: tuple[Signature, ...] = ()
    ended_on: date | None = None
    end_reason: str = ""

    @property
    def signed(self) -> bool:
        """Whether both sides have signed."""
        return {s.side for s in self.signatures} == {"us", "customer"}

    @property
    def until(self) -> date:
        """The first day on which it no longer holds."""
        return min(self.ended_on or self.ends_on, self.ends_on)

    def in_force(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.signed and self.starts_on <= day < self.until


def check_proposal(proposal: NewProposal) -> Iterator[Finding]:
    """Give what contradicts itself in a proposal."""
    if proposal.saving_high_micro < proposal.saving_low_micro:
        yield error("saving_high_micro", "is below the lower end of the saving")
    for name in sorted({m for m in proposal.modules if proposal.modules.count(m) > 1}):
        yield error("modules", f"{name} stands twice")


def check_contract(contract: NewContract) -> Iterator[Finding]:
    """Give what contradicts itself in a contract."""
    if contract.ends_on <= contract.starts_on:
        yield error("ends_on", f"is not behind {contract.starts_on}, when it begins")


def answered(proposal: Proposal, answer: Answer, *, signed: bool) -> Proposal:
    """Return a proposal with the answer to it; ``signed`` where a contract from it is signed by anybody.

    Raises
    ------
    RefusedStepError
        If it was answered already, its time had run out, or it is too late to take it back.
    """
    if found := list(_against_answer(proposal, answer, signed=signed)):
        raise RefusedStepError(f"the proposal cannot become {answer.state}", found)
    return replace(proposal, state=answer.state, answered_on=answer.on, answered_by=answer.by, answer=answer.words)


def _against_answer(proposal: Proposal, answer: Answer, *, signed: bool) -> Iterator[Finding]:
    taken_back = (proposal.state, answer.state) == (ProposalState.ACCEPTED, ProposalState.WITHDRAWN)
    if proposal.state is not ProposalState.OPEN and not taken_back:
        yield error("state", f"it is {proposal.state} since {proposal.answered_on}; make a new proposal")
    if taken_back and signed:
        yield error("state", "a contract made from it is signed; end the contract")
    if answer.state is ProposalState.ACCEPTED and answer.on > proposal.valid_until:
        yield error("on", f"it was valid until {proposal.valid_until}; make a new proposal")


def signed_by(contract: Contract, signature: Signature, proposal: Proposal) -> Contract:
    """Return a contract with one more signature.

    Raises
    ------
    RefusedStepError
        If that side has signed already, the proposal is not accepted, or the contract has ended.
    """
    found = []
    if any(s.side == signature.side for s in contract.signatures):
        found.append(error("side", f"{signature.side} has signed already"))
    if proposal.state is not ProposalState.ACCEPTED:
        found.append(error("proposal_id", f"the proposal is {proposal.state}; it has to be accepted first"))
    if signature.on >= contract.until:
        found.append(error("on", f"the contract ends on {contract.until}; nobody signs it after that"))
    if found:
        raise RefusedStepError("the contract cannot be signed", found)
    return replace(contract, signatures=(*contract.signatures, signature))


def ended(contract: Contract, ending: Ending, settled_until: Iterable[date]) -> Contract:
    """Return a contract that ends before its time; ``settled_until`` are the ends of the periods that are settled.

    Raises
    ------
    RefusedStepError
        If it is over by then, begins later, or days after it are settled already.
    """
    found = []
    if ending.on >= contract.until:
        found.append(error("on", f"it ends on {contract.until} by itself"))
    if ending.on < contract.starts_on:
        found.append(error("on", f"it begins on {contract.starts_on} only"))
    if ending.on < (last := max(settled_until, default=ending.on)):
        found.append(error("on", f"it is settled until {last} already"))
    if found:
        raise RefusedStepError("the contract cannot end so", found)
    return replace(contract, ended_on=ending.on, end_reason=ending.reason)
