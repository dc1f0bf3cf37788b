"""The client's part for customers.

hotel = park.customers.parties.make(Party(name="Harbour Hotel", roles=("customer",), contacts=(Contact(name="Mr Li", phone="+86 10 1234"),)))
lead = park.customers.leads.make(NewLead(party_id=hotel.id, title="Roof and battery", owner="ann"))
lead = park.customers.move(lead, Move.QUALIFY)
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, TypeAdapter

from customers.catalogue.offers import ModuleOffer
from customers.lifecycle.contract import Answer, Contract, Ending, NewContract, NewProposal, Proposal, Signature
from customers.lifecycle.lead import Conversation, Lead, NewLead
from customers.lifecycle.moves import Move
from customers.lifecycle.operation import Asset, ServiceCase, WorkOrder
from customers.lifecycle.partners import Agreement
from customers.lifecycle.project import Project
from customers.lifecycle.settlement import NewSettlement, Settlement
from customers.parties.party import Party
from customers.parties.premises import Premises
from models.carriers import Carrier
from service.api.customers.intervals import PLAIN, EditIn, MeterDataOut, PortraitAsked
from service.api.customers.management import Figures
from service.api.customers.schemas import HistoryOut, Kept, Page
from service.api.jobs.schemas import JobOut

New = TypeVar("New")
Content = TypeVar("Content")
Told = TypeVar("Told", bound=BaseModel)


class Versioned(Protocol):
    """Something that was read, with its version."""

    version: int


class Get(Protocol):
    """Asks for something."""

    def __call__(self, kind: type[Told], path: str, **params: object) -> Told:
        """Return what is at a path."""


class Send(Protocol):
    """Sends something."""

    def __call__(
        self, kind: type[Told], path: str, body: object, *, read: Versioned | None = None, method: str = "POST"
    ) -> Told:
        """Return the answer to a body."""


class Records(Generic[New, Content]):
    """The records of one kind: ``New`` is what one writes, ``Content`` what is kept of it."""

    def __init__(self, get: Get, send: Send, path: str, new: type[New], kept: type[Kept[Content]]) -> None:
        self._get, self._send, self._path, self._kept = get, send, path, kept
        self._written = TypeAdapter(new)

    def make(self, new: New) -> Kept[Content]:
        """Keep a new record; RefusedError (422) with everything that is wrong with it."""
        return self._send(self._kept, self._path, self._written.dump_python(new, mode="json"))

    def one(self, thing_id: str) -> Kept[Content]:
        """Return a record as it is now."""
        return self._get(self._kept, f"{self._path}/{thing_id}")

    def put(self, read: Kept[Content], new: New) -> Kept[Content]:
        """Keep another version of a record that was read; RefusedError (412) when somebody else has changed it."""
        body = self._written.dump_python(new, mode="json")
        return self._send(self._kept, f"{self._path}/{read.id}", body, read=read, method="PUT")

    def all(self, *, of: str = "", state: str = "") -> Iterator[Kept[Content]]:
        """Yield every record, newest first: those that belong to something, those that stand somewhere."""
        before: str | None = None
        asked = {name: value for name, value in (("of", of), ("state", state)) if value}
        while True:
            page = self._get(Page[Any], self._path, limit=200, before=before, **asked)
            yield from (self._kept.model_validate(item.model_dump()) for item in page.items)
            if (before := page.next) is None:
                return


class Customers:
    """Parties, leads, contracts, and what is operated for them."""

    def __init__(self, get: Get, send: Send) -> None:
        self._get, self._send = get, send
        self.parties = Records(get, send, "parties", Party, Kept[Party])
        self.premises = Records(get, send, "premises", Premises, Kept[Premises])
        self.leads = Records(get, send, "leads", NewLead, Kept[Lead])
        self.proposals = Records(get, send, "proposals", NewProposal, Kept[Proposal])
        self.contracts = Records(get, send, "contracts", NewContract, Kept[Contract])
        self.agreements = Records(get, send, "partner-agreements", Agreement, Kept[Agreement])
        self.projects = Records(get, send, "projects", Project, Kept[Project])
        self.assets = Records(get, send, "assets", Asset, Kept[Asset])
        self.work_orders = Records(get, send, "work-orders", WorkOrder, Kept[WorkOrder])
        self.module_offers = Records(get, send, "module-offers", ModuleOffer, Kept[ModuleOffer])
        self.service_cases = Records(get, send, "service-cases", ServiceCase, Kept[ServiceCase])

    def move(self, lead: Kept[Lead], move: Move, reason: str = "") -> Kept[Lead]:
        """Move a lead to another stage; RefusedError (409) names everything that is missing."""
        body = {"move": move.value, "reason": reason}
        return self._send(Kept[Lead], f"leads/{lead.id}/moves", body, read=lead)

    def history(self, lead_id: str) -> HistoryOut:
        """Return how a lead came to where it stands, and what each way on still lacks."""
        return self._get(HistoryOut, f"leads/{lead_id}/moves")

    def say(self, lead_id: str, said: Conversation) -> Kept[Conversation]:
        """Write down what was said about a lead."""
        return self._send(Kept[Conversation], f"leads/{lead_id}/conversations", _plain(said))

    def answer(self, proposal: Kept[Proposal], told: Answer) -> Kept[Proposal]:
        """Write down what the customer says to a proposal."""
        return self._send(Kept[Proposal], f"proposals/{proposal.id}/answer", _plain(told), read=proposal)

    def sign(self, contract: Kept[Contract], signature: Signature) -> Kept[Contract]:
        """Write down that a side has signed."""
        return self._send(Kept[Contract], f"contracts/{contract.id}/signatures", _plain(signature), read=contract)

    def end(self, contract: Kept[Contract], ending: Ending) -> Kept[Contract]:
        """End a contract before its time."""
        return self._send(Kept[Contract], f"contracts/{contract.id}/end", _plain(ending), read=contract)

    def settle(self, contract_id: str, period: NewSettlement) -> Kept[Settlement]:
        """Settle a period of a contract; its invoice is issued with it."""
        return self._send(Kept[Settlement], f"contracts/{contract_id}/settlements", _plain(period))

    def bring_meter_data(
        self,
        party_id: str,
        content: bytes,
        *,
        zone: str = "Asia/Shanghai",
        unit: str = "",
        carrier: Carrier = Carrier.ELECTRICITY,
        kwh_per_m3: float | None = None,
        read: MeterDataOut | None = None,
    ) -> MeterDataOut:
        """Keep a party's meter data of a carrier, CSV or Excel, new or in place of those that were read; RefusedError (422) with every finding."""
        asked = {"zone": zone, "unit": unit, "carrier": carrier.value}
        asked |= {} if kwh_per_m3 is None else {"kwh_per_m3": str(kwh_per_m3)}
        path = f"parties/{party_id}/intervals?{urlencode(asked)}"
        return self._send(MeterDataOut, path, content, read=read, method="PUT")

    def meter_data(self, party_id: str, carrier: Carrier = Carrier.ELECTRICITY) -> MeterDataOut:
        """Return what meter data of a party are kept in a carrier."""
        return self._get(MeterDataOut, f"parties/{party_id}/intervals", carrier=carrier.value)

    def edit_meter_data(self, party_id: str, read: MeterDataOut, figures: EditIn) -> MeterDataOut:
        """Set figures of meter data that were read, with a reason; what came stays readable as another version."""
        return self._send(MeterDataOut, f"parties/{party_id}/edits", _plain(figures), read=read)

    def design_package(
        self,
        party_id: str,
        tariff: str,
        *,
        roof_m2: float = 0.0,
        facts: Mapping[str, float] | None = None,
        column: str = "",
        bus: str = "",
        package: str = "",
    ) -> JobOut:
        """Ask for a package designed and proven on a party's meter data; the result of the job is JSON and PDF."""
        asked = {
            "tariff": tariff,
            "roof_m2": roof_m2,
            "facts": dict(facts or {}),
            "column": column,
            "bus": bus,
            "package": package,
        }
        return self._send(JobOut, f"parties/{party_id}/packages:design", asked)

    def draw_portraits(self, party_id: str, asked: PortraitAsked = PLAIN) -> JobOut:
        """Ask for portraits drawn from a party's meter data; the result of the job is JSON and PDF."""
        return self._send(JobOut, f"parties/{party_id}/portraits:draw", _plain(asked))

    def assess_efficiency(
        self,
        party_id: str,
        weather: str,
        *,
        since: date | None = None,
        others: Sequence[str] = (),
        peers: Sequence[str] = (),
        floor_m2: float | None = None,
    ) -> JobOut:
        """Ask how efficient a party is, and what a measure has saved ``since`` a day; the result of the job is JSON, CSV and PDF."""
        asked = {
            "weather": weather,
            "since": None if since is None else since.isoformat(),
            "other_ids": list(others),
            "peer_ids": list(peers),
            "floor_m2": floor_m2,
        }
        return self._send(JobOut, f"parties/{party_id}/efficiency:assess", asked)

    def draw_segments(self, party_ids: Sequence[str] = (), *, previous: str = "") -> JobOut:
        """Ask for segments of customers, their portraits and whom to call first; ``previous`` is the id of a job whose names are kept."""
        return self._send(JobOut, "segmentations", {"party_ids": list(party_ids), "previous": previous})

    def recommend(self, tariff: str, party_ids: Sequence[str] = ()) -> JobOut:
        """Ask what to offer whom first; all parties with meter data where none are named."""
        return self._send(JobOut, "recommendations", {"party_ids": list(party_ids), "tariff": tariff})

    def match(
        self, party_ids: Sequence[str] = (), *, on: date | None = None, feeder_kw: Mapping[str, float] | None = None
    ) -> JobOut:
        """Ask who builds what was designed, by the offers of providers."""
        day = None if on is None else on.isoformat()
        return self._send(
            JobOut, "matchings", {"party_ids": list(party_ids), "on": day, "feeder_kw": dict(feeder_kw or {})}
        )

    def open_leads(self, matching: JobOut) -> list[Kept[Lead]]:
        """Open a lead for every customer whose needs a matching has found providers for; return those that are new."""
        return self._send(Page[Lead], f"matchings/{matching.id}/leads", None).items

    def key_figures(self, start: date | None = None, end: date | None = None) -> Figures:
        """Return the funnel, churn risk, margins, receivables and availability."""
        return self._get(Figures, "kpis", start=start, end=end)


def _plain(said: object) -> object:
    return TypeAdapter(type(said)).dump_python(said, mode="json")
