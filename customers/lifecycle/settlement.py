"""Settlements: what a period of a contract brings, what it cost to serve, and who gets which part of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

from annotated_types import MinLen
from pydantic import Field

from customers.fields import ROWS_MOST, STRICT, Day, Label, Micro, PositiveMicro, Said
from customers.lifecycle.contract import Contract
from customers.lifecycle.partners import Agreement, shares_on, split
from models.findings import Finding, error


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One thing that a period brings; a credit is negative."""

    __pydantic_config__ = STRICT

    text: Annotated[Said, Field(examples=["service fee"])]
    amount_micro: Micro
    bill: Label = ""
    """The bill that it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSettlement:
    """A period of a contract, from the day ``start`` until the day before ``end``, to be settled."""

    __pydantic_config__ = STRICT

    start: Day
    end: Annotated[Day, Field(examples=["2026-08-01"])]
    lines: Annotated[tuple[SettlementLine, ...], MinLen(1), Field(max_length=ROWS_MOST)]
    cost_micro: PositiveMicro = 0
    """What it cost to serve: energy bought, fuel, network charges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(NewSettlement):
    """A settled period: what each party gets of it and the invoice that asks for it."""

    contract_id: str
    amount_micro: int
    shares_micro: dict[str, int]
    """By party; ``us`` is what the company keeps. Together they are the amount."""
    invoice: str
    issued_at: datetime
    due_on: date


def check_settlement(
    wanted: NewSettlement, contract: Contract, before: Sequence[Settlement], today: date
) -> Iterator[Finding]:
    """Give everything that keeps a period from being settled."""
    if not contract.signed:
        yield error("contract_id", "the contract is not signed by both sides; there is nothing to settle")
    if wanted.end <= wanted.start:
        yield error("end", f"is not behind {wanted.start}")
    if wanted.start < contract.starts_on or wanted.end > contract.until:
        yield error("start", f"the contract holds from {contract.starts_on} until {contract.until}; settle days of it")
    if wanted.end > today:
        yield error("end", f"the period lasts until {wanted.end}; it can be settled when it is over")
    for other in before:
        if wanted.start < other.end and other.start < wanted.end:
            yield error("start", f"days of it are settled already, from {other.start} until {other.end}")
    if amount_of(wanted) <= 0:
        yield error("lines", "sum to nothing that can be asked for; keep a credit for the next period")


def amount_of(wanted: NewSettlement) -> int:
    """Return what a period brings, in micro-units."""
    return sum(line.amount_micro for line in wanted.lines)


def settled(
    wanted: NewSettlement,
    contract_id: str,
    contract: Contract,
    agreements: Sequence[Agreement],
    invoice: str,
    at: datetime,
) -> Settlement:
    """Return a period as it is settled at an instant: the shares are those agreed for the day it begins."""
    amount = amount_of(wanted)
    return Settlement(
        start=wanted.start,
        end=wanted.end,
        lines=wanted.lines,
        cost_micro=wanted.cost_micro,
        contract_id=contract_id,
        amount_micro=amount,
        shares_micro=split(amount, shares_on(wanted.start, agreements)),
        invoice=invoice,
        issued_at=at,
        due_on=at.date() + timedelta(days=contract.payment_days),
    )


def settled_until(contract: Contract, settlements: Sequence[Settlement]) -> date:
    """Return the first day of a contract that is not settled; a gap ends the row."""
    day = contract.starts_on
    for s in sorted(settlements, key=lambda s: s.start):
        if s.start > day:
            break
        day = max(day, s.end)
    return day
