"""The dossier of a lead: everything that the guards of its moves may look at, as plain frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from customers.lifecycle.contract import Contract, Proposal, ProposalState
from customers.lifecycle.lead import Conversation, Lead
from customers.lifecycle.operation import Asset, ServiceCase, WorkOrder
from customers.lifecycle.project import Project
from customers.lifecycle.settlement import Settlement
from customers.parties.party import Party
from customers.parties.premises import Premises


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A lead and all that hangs on it, on the day ``today``; proposals, contracts and projects by their ids."""

    lead: Lead
    party: Party
    today: date
    premises: tuple[Premises, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=dict)
    assets: Mapping[str, Asset] = field(default_factory=dict)
    work_orders: tuple[WorkOrder, ...] = ()
    cases: tuple[ServiceCase, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    left_micro: Mapping[str, int] = field(default_factory=dict)
    """What is left to pay of each invoice, by its number."""

    @property
    def accepted(self) -> dict[str, Proposal]:
        """Proposals that the customer has accepted, by id."""
        return {i: p for i, p in self.proposals.items() if p.state is ProposalState.ACCEPTED}

    @property
    def signed(self) -> dict[str, Contract]:
        """Contracts that both sides have signed and whose proposal is accepted, by id."""
        return {i: c for i, c in self.contracts.items() if c.signed and c.proposal_id in self.accepted}
