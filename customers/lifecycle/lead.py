"""Leads: somebody who may become a customer, how far that has come, and what was said on the way."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from customers.fields import STRICT, At, Day, Label, Name, PositiveMicro, Ref, Said


class Stage(StrEnum):
    """How far a lead has come."""

    LEAD = "lead"
    FOLLOW_UP = "follow_up"
    PROPOSAL = "proposal"
    CONTRACT = "contract"
    PROJECT = "project"
    OPERATION = "operation"
    SETTLEMENT = "settlement"
    LOST = "lost"
    SUSPENDED = "suspended"
    CLOSED = "closed"


WAY = (
    Stage.LEAD,
    Stage.FOLLOW_UP,
    Stage.PROPOSAL,
    Stage.CONTRACT,
    Stage.PROJECT,
    Stage.OPERATION,
    Stage.SETTLEMENT,
    Stage.CLOSED,
)
"""The stages of a lead that goes well, in their order."""


class Channel(StrEnum):
    """How a lead came to the company."""

    MATCHING = "matching"
    """Needs and offers were matched on the platform."""
    REFERRAL = "referral"
    CAMPAIGN = "campaign"
    WEBSITE = "website"
    RENEWAL = "renewal"
    OWN = "own"
    """Found by the company's own people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLead:
    """Somebody who may become a customer, and for what."""

    __pydantic_config__ = STRICT

    party_id: Ref
    title: Name
    owner: Label = ""
    """Who follows it up."""
    channel: Channel = Channel.OWN
    brought_by_party_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""
    """The partner who brought it."""
    expected_micro: PositiveMicro = 0
    """What a year of it may bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead(NewLead):
    """A lead and where it stands."""

    stage: Stage = Stage.LEAD
    suspended_from: Stage | None = None
    """Where it goes on when it is no longer suspended."""
    since: datetime
    """When it came to this stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was said with somebody about a lead, and when to speak again."""

    __pydantic_config__ = STRICT

    at: At
    with_whom: Name
    words: Said
    next_on: Day | None = None
