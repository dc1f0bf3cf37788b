"""One shelf for each kind of record of customers."""

from customers.catalogue.offers import ModuleOffer
from customers.lifecycle.contract import Contract, Proposal
from customers.lifecycle.lead import Conversation, Lead
from customers.lifecycle.operation import Asset, ServiceCase, WorkOrder
from customers.lifecycle.partners import Agreement
from customers.lifecycle.project import Project
from customers.lifecycle.settlement import Settlement
from customers.parties.party import Party
from customers.parties.premises import Premises
from service.customers.shelf import Shelf
from service.store.customers import (
    AgreementRow,
    ContractRow,
    ConversationRow,
    CustomerAssetRow,
    LeadRow,
    ModuleOfferRow,
    PartyRow,
    PremisesRow,
    ProjectRow,
    ProposalRow,
    ServiceCaseRow,
    SettlementRow,
    WorkOrderRow,
)

PARTIES = Shelf(PartyRow, Party, "party", "parties", state="roles")
PREMISES = Shelf(PremisesRow, Premises, "premises", "premises", parent="party_id")
LEADS = Shelf(LeadRow, Lead, "lead", "leads", parent="party_id", state="stage")
CONVERSATIONS = Shelf(ConversationRow, Conversation, "conversation", "conversations", parent="lead_id")
PROPOSALS = Shelf(ProposalRow, Proposal, "proposal", "proposals", parent="lead_id", state="state")
CONTRACTS = Shelf(ContractRow, Contract, "contract", "contracts", parent="lead_id")
SETTLEMENTS = Shelf(SettlementRow, Settlement, "settlement", "settlements", parent="contract_id")
AGREEMENTS = Shelf(AgreementRow, Agreement, "agreement", "partner-agreements", parent="contract_id")
PROJECTS = Shelf(ProjectRow, Project, "project", "projects", parent="contract_id")
ASSETS = Shelf(CustomerAssetRow, Asset, "asset", "assets", parent="premises_id")
WORK_ORDERS = Shelf(WorkOrderRow, WorkOrder, "work_order", "work-orders", parent="asset_id", state="state")
MODULE_OFFERS = Shelf(ModuleOfferRow, ModuleOffer, "module_offer", "module-offers", parent="party_id", state="module")
SERVICE_CASES = Shelf(ServiceCaseRow, ServiceCase, "service_case", "service-cases", parent="party_id", state="state")
