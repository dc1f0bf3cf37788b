"""What is operated for customers: assets, the work on them, and what customers ask for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from customers.fields import STRICT, At, Day, Label, Name, PositiveMicro, Ref, Words
from models.findings import Finding, error
from models.units import NonNegative

MaybeRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A piece of equipment on a customer's premises that the company looks after."""

    __pydantic_config__ = STRICT

    premises_id: Ref
    project_id: MaybeRef = ""
    """The project that built it."""
    name: Name
    kind: Annotated[Label, Field(examples=["battery"])] = ""
    element: Label = ""
    """What it is called in the twin."""
    serial: Label = ""
    power_kw: NonNegative = 0.0
    ours: bool = True
    """Whether the company owns it; the customer does otherwise."""
    commissioned_on: Day | None = None
    retired_on: Day | None = None
    """When it was taken away or handed over."""


class WorkState(StrEnum):
    """How far a work order is."""

    PLANNED = "planned"
    IN_WORK = "in_work"
    DONE = "done"
    CANCELLED = "cancelled"


class WorkKind(StrEnum):
    """What kind of work it is."""

    INSPECTION = "inspection"
    MAINTENANCE = "maintenance"
    REPAIR = "repair"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """Work on an asset; between ``down_from`` and ``down_to`` the asset is out of service."""

    __pydantic_config__ = STRICT

    asset_id: Ref
    title: Name
    kind: WorkKind = WorkKind.MAINTENANCE
    state: WorkState = WorkState.PLANNED
    planned_on: Day | None = None
    done_on: Day | None = None
    who: Label = ""
    case_id: MaybeRef = ""
    """The service case behind it."""
    down_from: At | None = None
    down_to: At | None = None
    cost_micro: PositiveMicro = 0
    result: Words = ""
    """What was done, or why it was cancelled."""

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return self.state in (WorkState.PLANNED, WorkState.IN_WORK)


class CaseState(StrEnum):
    """How far a service case is."""

    OPEN = "open"
    IN_WORK = "in_work"
    ANSWERED = "answered"
    CLOSED = "closed"


class CaseKind(StrEnum):
    """What a customer asks about."""

    QUESTION = "question"
    FAULT = "fault"
    COMPLAINT = "complaint"
    BILLING = "billing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCase:
    """Something that a customer asks for."""

    __pydantic_config__ = STRICT

    party_id: Ref
    asset_id: MaybeRef = ""
    title: Name
    kind: CaseKind = CaseKind.QUESTION
    urgent: bool = False
    state: CaseState = CaseState.OPEN
    opened_at: At
    answer_by: At | None = None
    """Until when an answer was promised."""
    who: Label = ""
    answer: Words = ""

    @property
    def open(self) -> bool:
        """Whether the customer still waits."""
        return self.state in (CaseState.OPEN, CaseState.IN_WORK)


WORK_STEPS: Mapping[WorkState, tuple[WorkState, ...]] = {
    WorkState.PLANNED: (WorkState.IN_WORK, WorkState.CANCELLED),
    WorkState.IN_WORK: (WorkState.DONE, WorkState.PLANNED, WorkState.CANCELLED),
    WorkState.DONE: (),
    WorkState.CANCELLED: (),
}
CASE_STEPS: Mapping[CaseState, tuple[CaseState, ...]] = {
    CaseState.OPEN: (CaseState.IN_WORK, CaseState.ANSWERED),
    CaseState.IN_WORK: (CaseState.ANSWERED, CaseState.OPEN),
    CaseState.ANSWERED: (CaseState.CLOSED, CaseState.OPEN),
    CaseState.CLOSED: (),
}


def check_asset(asset: Asset) -> Iterator[Finding]:
    """Give what contradicts itself in an asset."""
    if asset.retired_on is not None and asset.commissioned_on is None:
        yield error("retired_on", "it was never commissioned; say when, or leave both out")
    elif (
        asset.retired_on is not None and asset.commissioned_on is not None and asset.retired_on < asset.commissioned_on
    ):
        yield error("retired_on", f"is before {asset.commissioned_on}, when it was commissioned")


def check_work(order: WorkOrder, before: WorkOrder | None) -> Iterator[Finding]:
    """Give what keeps a work order from being kept in place of ``before``, None for a new one."""
    if before is None and order.state is not WorkState.PLANNED:
        yield error("state", "a new work order is planned; then it goes on")
    if before is not None and order.state is not before.state and order.state not in WORK_STEPS[before.state]:
        yield error("state", _no_way(before.state, WORK_STEPS[before.state]))
    if before is not None and not before.open and order.state is before.state:
        yield error("state", f"it is {before.state}; make a new work order")
    if not order.open and not order.result:
        yield error("result", f"say what was done, or why not, before it is {order.state}")
    if order.state in (WorkState.IN_WORK, WorkState.DONE) and not order.who:
        yield error("who", "nobody is named who does it")
    if (order.state is WorkState.DONE) != (order.done_on is not None):
        yield error("done_on", "belongs to a work order that is done, and to no other")
    if order.down_to is not None and (order.down_from is None or order.down_to <= order.down_from):
        yield error("down_to", "has to be behind down_from")
    if order.state is WorkState.DONE and order.down_from is not None and order.down_to is None:
        yield error("down_to", "say when the asset was in service again")


def check_case(case: ServiceCase, before: ServiceCase | None) -> Iterator[Finding]:
    """Give what keeps a service case from being kept in place of ``before``, None for a new one."""
    if before is None and case.state is not CaseState.OPEN:
        yield error("state", "a new case is open; then it goes on")
    if before is not None and case.state is not before.state and case.state not in CASE_STEPS[before.state]:
        yield error("state", _no_way(before.state, CASE_STEPS[before.state]))
    if before is not None and before.state is CaseState.CLOSED:
        yield error("state", "it is closed; open a new case")
    if not case.open and not case.answer:
        yield error("answer", f"say what was answered before it is {case.state}")
    if case.state is CaseState.IN_WORK and not case.who:
        yield error("who", "nobody is named who works on it")
    if case.answer_by is not None and case.answer_by < case.opened_at:
        yield error("answer_by", "is before it was opened")


def _no_way(before: str, ways: tuple[str, ...]) -> str:
    return f"it is {before}; from there it goes on to {' or '.join(ways) or 'nothing'}"
