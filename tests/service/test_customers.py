"""Customers over HTTP, with the client and on both engines: from a lead to a paid invoice, what is refused, what the record keeps."""

import asyncio
import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.lifecycle.contract import Answer, Ending, NewContract, NewProposal, ProposalState, Signature
from customers.lifecycle.lead import Channel, Conversation, NewLead, Stage
from customers.lifecycle.moves import Move
from customers.lifecycle.operation import Asset, CaseKind, ServiceCase, WorkOrder, WorkState
from customers.lifecycle.partners import Agreement
from customers.lifecycle.project import BudgetLine, Milestone, Project, Task
from customers.lifecycle.settlement import NewSettlement, SettlementLine
from customers.parties.party import Contact, Party, PartyRole
from customers.parties.premises import Meter, Premises, ServicePoint
from models.carriers import Carrier
from service.auth.doors import HOME
from service.auth.roles import Role
from service.client import Client, RefusedError
from service.store.audit import verify
from service.store.engine import Store
from tests.service.apps import here, local_app
from tests.service.people import FOREIGN, bearer, guarded_app

FIRST, LAST = date(2026, 7, 1), date(2027, 7, 1)
HOTEL = Party(name="Harbour Hotel", roles=(PartyRole.CUSTOMER,), contacts=(Contact(name="Mr Li", phone="+86 10 1234"),))
MAKER = Party(name="Roof Works", roles=(PartyRole.VENDOR, PartyRole.PARTNER))
METER = Meter(number="E-1", installed_on=FIRST)
POINT = ServicePoint(name="main", carrier=Carrier.ELECTRICITY, capacity_kw=400, meters=(METER,))
FEE = SettlementLine(text="service fee", amount_micro=100_000_001)


@pytest.fixture
def http(quiet, inhabited, tmp_path):
    with here(guarded_app(quiet, inhabited[0], tmp_path)) as found:
        yield found


def as_role(http, inhabited, role, tenant=HOME):
    client = Client("", inhabited[1].keys[tenant, role], http=http)
    return client, client.customers


def missing(refused):
    return {f.place for f in refused.value.findings}


def signed_lead(book):
    """A lead with a signed contract; nothing is built yet."""
    hotel = book.parties.make(HOTEL)
    place = book.premises.make(Premises(party_id=hotel.id, name="Hotel", points=(POINT,)))
    lead = book.leads.make(NewLead(party_id=hotel.id, title="Roof", owner="ann", expected_micro=10**12))
    lead = book.move(lead, Move.QUALIFY)
    book.say(lead.id, Conversation(at=datetime(2026, 6, 1, tzinfo=UTC), with_whom="Mr Li", words="wants a roof"))
    offer = NewProposal(lead_id=lead.id, title="Roof", modules=("pv",), fee_micro=1_200_000_012, valid_until=LAST)
    proposal = book.proposals.make(offer)
    lead = book.move(lead, Move.PROPOSE)
    with pytest.raises(RefusedError) as refused:
        book.move(lead, Move.SIGN)
    assert (refused.value.status, missing(refused)) == (409, {"proposals", "contracts"})
    contract = book.contracts.make(NewContract(proposal_id=proposal.id, title="Roof", starts_on=FIRST, ends_on=LAST))
    with pytest.raises(RefusedError, match="it has to be accepted first"):
        book.sign(contract, Signature(side="us", by="ann", on=FIRST))
    book.answer(proposal, Answer(state=ProposalState.ACCEPTED, on=FIRST, by="Mr Li"))
    for side, by in (("us", "ann"), ("customer", "Mr Li")):
        contract = book.sign(contract, Signature(side=side, by=by, on=FIRST))
    assert contract.content.fee_micro == 1_200_000_012
    return book.move(lead, Move.SIGN), contract, place


def built(book, lead, contract, place):
    """The lead in operation, and an asset of it."""
    plan = Project(
        contract_id=contract.id, title="Build", manager="bo", starts_on=FIRST,
        budget=(BudgetLine(name="panels", planned_micro=365_000_000),),
        milestones=(Milestone(name="ready", due_on=LAST),), tasks=(Task(name="mount", milestone="ready"),),
    )  # fmt: skip
    project = book.projects.make(plan)
    lead = book.move(lead, Move.BUILD)
    panel = Asset(premises_id=place.id, project_id=project.id, name="panels", power_kw=100)
    asset = book.assets.make(panel)
    with pytest.raises(RefusedError) as refused:
        book.move(lead, Move.COMMISSION)
    assert missing(refused) == {"project.milestones.ready", "project.tasks.mount", "assets.panels"}
    ready = replace(
        plan, budget=(replace(plan.budget[0], spent_micro=365_000_000),),
        milestones=(replace(plan.milestones[0], reached_on=FIRST),), tasks=(replace(plan.tasks[0], done_on=FIRST),),
    )  # fmt: skip
    book.projects.put(project, ready)
    asset = book.assets.put(asset, replace(panel, commissioned_on=FIRST))
    return book.move(lead, Move.COMMISSION), asset


def test_from_a_lead_to_a_paid_invoice(http, inhabited):
    _, book = as_role(http, inhabited, Role.SALES)
    maker = book.parties.make(MAKER)
    lead, contract, place = signed_lead(book)
    book.agreements.make(
        Agreement(contract_id=contract.id, party_id=maker.id, title="maker", share_ppm=333_333, starts_on=FIRST)
    )
    lead, _ = built(book, lead, contract, place)
    lead = book.move(lead, Move.SETTLE)
    period = NewSettlement(start=FIRST, end=date(2026, 8, 1), lines=(FEE,), cost_micro=40_000_000)
    settled = book.settle(contract.id, period)
    assert sum(settled.content.shares_micro.values()) == FEE.amount_micro
    assert settled.content.shares_micro[maker.id] == 33_333_300
    with pytest.raises(RefusedError, match="days of it are settled already"):
        book.settle(contract.id, period)
    with pytest.raises(RefusedError, match="this contract has no bill b-1"):
        book.settle(
            contract.id,
            replace(period, start=date(2026, 8, 1), end=date(2026, 9, 1), lines=(replace(FEE, bill="b-1"),)),
        )
    with pytest.raises(RefusedError, match="holds until 2027-07-01"):
        book.move(lead, Move.CLOSE)
    lead = book.move(lead, Move.GO_ON)
    assert lead.content.stage is Stage.OPERATION
    story = book.history(lead.id)
    assert [m.after for m in story.moves] == [
        "follow_up", "proposal", "contract", "project", "operation", "settlement", "operation",
    ]  # fmt: skip
    owed = http.get("/api/v1/invoices", headers=bearer(inhabited[1].keys[HOME, Role.SALES])).json()["items"]
    assert [(i["party"], i["amount_micro"]) for i in owed] == [(lead.content.party_id, FEE.amount_micro)]
    figures = book.key_figures()
    assert figures.receivables.total_micro == FEE.amount_micro
    earned = figures.margins[0]
    assert (earned.partners_micro, earned.served_micro, earned.built_micro) == (33_333_300, 40_000_000, 31_000_000)
    assert figures.margin_micro == FEE.amount_micro - 33_333_300 - 40_000_000 - 31_000_000
    assert [s.reached for s in figures.funnel] == [1, 1, 1, 1, 1, 1, 1, 0]
    assert [r.name for r in figures.churn_risk] == ["Harbour Hotel"]
    assert figures.availability_share == 1.0


def test_the_trading_ledger_holds_the_shares_and_the_record_every_step(http, inhabited):
    _, book = as_role(http, inhabited, Role.SALES)
    lead, contract, _ = signed_lead(book)
    maker = book.parties.make(MAKER)
    book.agreements.make(
        Agreement(contract_id=contract.id, party_id=maker.id, title="maker", share_ppm=100_000, starts_on=FIRST)
    )
    period = NewSettlement(start=FIRST, end=date(2026, 8, 1), lines=(FEE,))
    book.settle(contract.id, period)
    admin = bearer(inhabited[1].keys[HOME, Role.ADMIN])
    accounts = {a["name"]: a["balance_micro"] for a in http.get("/api/v1/accounts", headers=admin).json()["items"]}
    assert accounts[f"payable:{maker.id}"] == -10_000_000
    assert accounts["partner-shares"] == 10_000_000
    assert sum(accounts.values()) == 0
    told = http.get("/api/v1/audit?limit=200", headers=admin).json()["items"]
    acts = [e["action"] for e in told if e["thing"] in (f"lead/{lead.id}", f"contract/{contract.id}")]
    assert acts == [
        "lead.sign", "contract.signed_by_customer", "contract.signed_by_us", "contract.made", "lead.propose", "lead.qualify", "lead.made",
    ]  # fmt: skip
    assert "Mr Li" not in str(told)
    assert "+86" not in str(told)

    async def checked():
        store = Store(inhabited[0])
        found = await verify(store, HOME)
        await store.close()
        return found.findings

    assert asyncio.run(checked()) == ()


def test_who_may_write_what(http, inhabited):
    _, sales = as_role(http, inhabited, Role.SALES)
    lead, contract, place = signed_lead(sales)
    _, asset = built(sales, lead, contract, place)
    _, operator = as_role(http, inhabited, Role.OPERATOR)
    case = ServiceCase(
        party_id=lead.content.party_id, asset_id=asset.id, title="dark", kind=CaseKind.COMPLAINT, opened_at=datetime(2026, 7, 5, tzinfo=UTC)
    )  # fmt: skip
    order = operator.work_orders.make(
        WorkOrder(asset_id=asset.id, title="new fuse", case_id=operator.service_cases.make(case).id)
    )
    begun = replace(order.content, state=WorkState.IN_WORK, who="cy", down_from=datetime(2026, 7, 5, tzinfo=UTC))
    order = operator.work_orders.put(order, begun)
    done = replace(
        begun, state=WorkState.DONE, result="fuse", done_on=date(2026, 7, 6), down_to=datetime(2026, 7, 6, tzinfo=UTC)
    )
    order = operator.work_orders.put(order, replace(done, cost_micro=7))
    figures = operator.key_figures(FIRST, date(2026, 7, 11))
    assert figures.availability_share == pytest.approx(0.9)
    assert figures.churn_risk[0].reasons[0].name == "complaint"
    for role in (Role.OPERATOR, Role.PLANNER, Role.VIEWER):
        _, book = as_role(http, inhabited, role)
        assert book.leads.one(lead.id).content.title == "Roof"
        with pytest.raises(RefusedError) as refused:
            book.parties.make(HOTEL)
        assert refused.value.status == 403
    _, viewer = as_role(http, inhabited, Role.VIEWER)
    with pytest.raises(RefusedError):
        viewer.service_cases.make(case)


def test_another_tenant_neither_sees_nor_names_what_is_ours(http, inhabited):
    _, home = as_role(http, inhabited, Role.SALES)
    _, foreign = as_role(http, inhabited, Role.SALES, FOREIGN)
    hotel = home.parties.make(HOTEL)
    assert list(foreign.parties.all()) == []
    with pytest.raises(RefusedError) as refused:
        foreign.parties.one(hotel.id)
    assert refused.value.status == 404
    with pytest.raises(RefusedError) as refused:
        foreign.leads.make(NewLead(party_id=hotel.id, title="theirs"))
    assert (refused.value.status, missing(refused)) == (422, {"party_id"})
    assert foreign.key_figures().funnel[0].reached == 0


@pytest.fixture
def book(quiet):
    with here(local_app(quiet)) as found:
        yield Client("", http=found).customers


def test_lists_come_a_page_at_a_time_and_by_what_they_belong_to(book, quiet):
    hotel, maker = book.parties.make(HOTEL), book.parties.make(MAKER)
    made = [book.leads.make(NewLead(party_id=(hotel, maker)[i % 2].id, title=f"lead {i}")).id for i in range(5)]
    assert [x.id for x in book.leads.all()] == made[::-1]
    assert [x.id for x in book.leads.all(of=maker.id)] == [made[3], made[1]]
    assert [p.id for p in book.parties.all(state="vendor")] == [maker.id]
    lost = book.move(book.leads.one(made[0]), Move.LOSE, "too dear")
    assert [x.id for x in book.leads.all(state="lost")] == [lost.id]


def test_a_stale_version_is_refused_and_what_is_sent_twice_is_done_once(quiet):
    with here(local_app(quiet)) as http:
        key = {"Idempotency-Key": "one"}
        body = {"name": "Hotel", "roles": ["customer"]}
        first = http.post("/api/v1/parties", json=body, headers=key)
        again = http.post("/api/v1/parties", json=body, headers=key)
        assert (first.status_code, again.headers["idempotent-replayed"], again.json()) == (201, "true", first.json())
        there = first.headers["location"]
        assert http.put(there, json=body).status_code == 428
        assert http.put(there, json=body, headers={"If-Match": first.headers["etag"]}).headers["etag"] == '"2"'
        assert http.put(there, json=body, headers={"If-Match": first.headers["etag"]}).status_code == 412


def test_what_does_not_fit_is_told_whole(book):
    hotel = book.parties.make(HOTEL)
    place = book.premises.make(Premises(party_id=hotel.id, name="Hotel", points=(POINT,)))
    with pytest.raises(RefusedError, match="meter E-1 is at Hotel then") as refused:
        book.premises.make(Premises(party_id="nobody", name="Annex", time_zone="Mars", points=(POINT,)))
    assert missing(refused) == {"time_zone", "party_id", "points.meters"}
    moved = replace(POINT, meters=(replace(METER, removed_on=date(2026, 9, 1)),))
    book.premises.put(place, replace(place.content, points=(moved,)))
    later = replace(POINT, meters=(replace(METER, installed_on=date(2026, 9, 1)),))
    assert book.premises.make(Premises(party_id=hotel.id, name="Annex", points=(later,))).version == 1
    with pytest.raises(RefusedError) as refused:
        book.projects.make(
            Project(contract_id="none", title="x", starts_on=FIRST, tasks=(Task(name="a", milestone="b"),))
        )
    assert missing(refused) == {"tasks[0].milestone", "contract_id"}


def test_a_signed_contract_is_ended_and_not_redrafted(book):
    _, contract, _ = signed_lead(book)
    draft = NewContract(proposal_id=contract.content.proposal_id, title="other", starts_on=FIRST, ends_on=LAST)
    with pytest.raises(RefusedError, match="cannot be redrafted"):
        book.contracts.put(contract, draft)
    ended = book.end(contract, Ending(on=date(2026, 10, 1), reason="house sold"))
    assert ended.content.ended_on == date(2026, 10, 1)
    proposal = book.proposals.one(contract.content.proposal_id)
    with pytest.raises(RefusedError, match="end the contract"):
        book.answer(proposal, Answer(state=ProposalState.WITHDRAWN, on=FIRST, by="ann"))


def test_tables_for_a_crm(quiet):
    with here(local_app(quiet)) as http:
        book = Client("", http=http).customers
        book.parties.make(replace(HOTEL, name="=1+1"))
        rows = list(csv.DictReader(io.StringIO(http.get("/api/v1/crm?table=contacts&format=csv").text)))
        assert [(r["party"], r["name"], r["phone"]) for r in rows] == [("'=1+1", "Mr Li", "'+86 10 1234")]
        for table in ("parties", "leads", "contracts", "settlements"):
            assert "columns" in http.get(f"/api/v1/crm?table={table}").json()
        assert http.get("/api/v1/crm?table=settlements&format=csv").text.startswith("contract_id,invoice,start")
        assert http.get("/api/v1/crm?table=payroll").status_code == 422


MOVES = st.lists(st.sampled_from([*Move, "answer", "sign"]), max_size=12)


@given(moves=MOVES)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_move_that_was_made_stands_in_the_record_and_no_other(book, moves):
    hotel = book.parties.make(HOTEL)
    book.premises.make(Premises(party_id=hotel.id, name="Hotel", points=(replace(POINT, meters=()),)))
    lead = book.leads.make(NewLead(party_id=hotel.id, title="Roof", owner="ann", channel=Channel.MATCHING))
    book.say(lead.id, Conversation(at=datetime(2026, 6, 1, tzinfo=UTC), with_whom="Mr Li", words="wants a roof"))
    offer = book.proposals.make(NewProposal(lead_id=lead.id, title="Roof", fee_micro=1, valid_until=LAST))
    contract = book.contracts.make(NewContract(proposal_id=offer.id, title="Roof", starts_on=FIRST, ends_on=LAST))
    made, accepted = [], False
    for move in moves:
        try:
            if move == "answer":
                offer = book.answer(offer, Answer(state=ProposalState.ACCEPTED, on=FIRST, by="Mr Li"))
                accepted = True
            elif move == "sign":
                side = "customer" if contract.content.signatures else "us"
                contract = book.sign(contract, Signature(side=side, by="x", on=FIRST))
                assert accepted
            else:
                lead = book.move(lead, move, "because")
                made.append(move)
        except RefusedError as refused:
            told = refused
            assert told.findings  # a refusal is one of the two right answers
    assert [m.move for m in book.history(lead.id).moves] == made
    assert lead.version == 1 + len(made)
    if lead.content.stage is Stage.CONTRACT:
        assert accepted
        assert len(contract.content.signatures) == 2
