"""From a lead to a settled contract: no stage is skipped, every refusal says what is missing, shares sum to the last micro-unit."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from customers.lifecycle.contract import (
    Answer,
    Contract,
    Ending,
    Proposal,
    ProposalState,
    Signature,
    answered,
    ended,
    signed_by,
)
from customers.lifecycle.dossier import Dossier
from customers.lifecycle.lead import WAY, Conversation, Lead, Stage
from customers.lifecycle.moves import RULES, Move, missing, moved, ways
from customers.lifecycle.operation import Asset, CaseState, ServiceCase, WorkOrder, WorkState, check_case, check_work
from customers.lifecycle.partners import US, Agreement, check_agreement, shares_on, split
from customers.lifecycle.project import BudgetLine, Milestone, Project, Task, check_project
from customers.lifecycle.refusal import RefusedStepError
from customers.lifecycle.settlement import NewSettlement, SettlementLine, check_settlement, settled, settled_until
from customers.parties.party import Contact, Party, PartyRole, check_party
from customers.parties.premises import Meter, Premises, Register, ServicePoint, check_premises
from models.carriers import Carrier

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
TODAY = NOW.date()
LI = Contact(name="Mr Li", phone="+86 10 1234 5678")
HOTEL = Party(name="Harbour Hotel", roles=(PartyRole.CUSTOMER,), contacts=(LI,))
METER = Meter(number="E-1", installed_on=date(2026, 1, 1))
PLACE = Premises(
    party_id="p", name="Hotel", points=(ServicePoint(name="main", carrier=Carrier.ELECTRICITY, meters=(METER,)),)
)
SAID = Conversation(at=NOW, with_whom="Mr Li", words="wants a roof")
LEAD = Lead(party_id="p", title="Roof", owner="ann", since=NOW)
PROPOSAL = Proposal(lead_id="l", title="Roof", fee_micro=12_000_000, valid_until=date(2026, 12, 31))
CONTRACT = Contract(
    proposal_id="a", title="Roof", starts_on=TODAY, ends_on=date(2027, 7, 1), lead_id="l", party_id="p", fee_micro=12_000_000
)  # fmt: skip
PROJECT = Project(
    contract_id="c",
    title="Build",
    manager="bo",
    starts_on=TODAY,
    budget=(BudgetLine(name="panels", planned_micro=5_000_000),),
    milestones=(Milestone(name="ready", due_on=date(2026, 9, 1)),),
    tasks=(Task(name="mount", milestone="ready", who="cy"),),
)
YES = Answer(state=ProposalState.ACCEPTED, on=TODAY, by="Mr Li")


def words(findings):
    return "\n".join(str(f) for f in findings)


def test_a_bare_lead_is_told_everything_that_it_lacks():
    bare = Dossier(
        lead=replace(LEAD, owner=""), party=replace(HOTEL, roles=(PartyRole.VENDOR,), contacts=()), today=TODAY
    )
    with pytest.raises(RefusedStepError) as refused:
        moved(Move.QUALIFY, bare, NOW)
    assert [f.place for f in refused.value.findings] == ["party.roles", "party.contacts", "lead.owner"]
    assert "name an owner" in str(refused.value)


def test_who_stands_elsewhere_is_told_from_where_the_move_leads():
    found = missing(Move.COMMISSION, Dossier(lead=LEAD, party=HOTEL, today=TODAY))
    assert words(found) == "error: lead.stage: it is at lead; commission leads on from project"


def test_to_lose_reopen_and_suspend_somebody_says_why_and_a_suspended_lead_goes_on_where_it_was():
    d = Dossier(lead=LEAD, party=HOTEL, today=TODAY)
    assert [f.place for f in missing(Move.LOSE, d)] == ["reason"]
    lost = moved(Move.LOSE, d, NOW, "too dear")
    assert moved(Move.REOPEN, replace(d, lead=lost), NOW, "asked again").stage is Stage.FOLLOW_UP
    waiting = moved(Move.SUSPEND, d, NOW, "new owner of the house")
    assert (waiting.stage, waiting.suspended_from) == (Stage.SUSPENDED, Stage.LEAD)
    assert moved(Move.RESUME, replace(d, lead=waiting), NOW).stage is Stage.LEAD


class Company(RuleBasedStateMachine):
    """Everybody does anything at any time; the stages hold what they promise."""

    @initialize()
    def begin(self):
        self.d = Dossier(lead=replace(LEAD, owner=""), party=HOTEL, today=TODAY)
        self.been = [Stage.LEAD]

    def change(self, **what):
        self.d = replace(self.d, **what)

    def tried(self, act):
        try:
            return act()
        except RefusedStepError as refused:
            told = refused.findings
        assert told
        assert all(f.message for f in told)
        return None

    @rule(move=st.sampled_from(Move), reason=st.sampled_from(["", "because"]))
    def move(self, move, reason):
        origin, before = self.d.lead.stage, self.d
        after = self.tried(lambda: moved(move, self.d, NOW + timedelta(hours=1), reason))
        if after is None:
            assert self.d is before
            return
        assert origin in RULES[move].origins
        self.change(lead=after)
        self.been.append(after.stage)

    @rule()
    def be_diligent(self):
        """Do what the stage asks for and go on, so that many leads get far."""
        work = {
            Stage.LEAD: [self.prepare],
            Stage.FOLLOW_UP: [self.prepare, self.offer],
            Stage.PROPOSAL: [
                lambda: self.answer(ProposalState.ACCEPTED),
                lambda: self.sign("us"),
                lambda: self.sign("customer"),
            ],
            Stage.CONTRACT: [lambda: self.build(False)],
            Stage.PROJECT: [lambda: self.build(True)],
            Stage.OPERATION: [lambda: self.wait(60)],
            Stage.SETTLEMENT: [lambda: self.settle(365)],
        }
        for act in work.get(self.d.lead.stage, ()):
            act()
        on = [m for m in ways(self.d) if m not in (Move.SUSPEND, Move.LOSE)]
        for move in reversed(on):
            self.move(move, "because")

    @rule(weeks=st.sampled_from([1, 4, 60]))
    def wait(self, weeks):
        self.change(today=self.d.today + timedelta(weeks=weeks))

    @rule()
    def prepare(self):
        self.change(lead=replace(self.d.lead, owner="ann"), premises=(PLACE,), conversations=(SAID,))

    @rule()
    def offer(self):
        valid = replace(PROPOSAL, valid_until=self.d.today + timedelta(days=30))
        self.change(
            proposals={**self.d.proposals, "abc"[len(self.d.proposals) % 3]: valid}
            if not self.d.signed
            else self.d.proposals
        )

    @rule(state=st.sampled_from([s for s in ProposalState if s is not ProposalState.OPEN]))
    def answer(self, state):
        if "a" in self.d.proposals:
            told = Answer(state=state, on=self.d.today, by="Mr Li")
            has = any(c.signatures for c in self.d.contracts.values())
            after = self.tried(lambda: answered(self.d.proposals["a"], told, signed=has))
            if after is not None:
                self.change(proposals={**self.d.proposals, "a": after})

    @rule(side=st.sampled_from(["us", "customer"]))
    def sign(self, side):
        if "a" in self.d.proposals:
            there = self.d.contracts.get(
                "c", replace(CONTRACT, starts_on=self.d.today, ends_on=self.d.today + timedelta(365))
            )
            by = Signature(side=side, by="x", on=self.d.today)
            after = self.tried(lambda: signed_by(there, by, self.d.proposals["a"]))
            self.change(contracts={"c": there if after is None else after})

    @rule(done=st.booleans())
    def build(self, done):
        day = self.d.today if done else None
        built = replace(
            PROJECT,
            milestones=tuple(replace(m, reached_on=day) for m in PROJECT.milestones),
            tasks=tuple(replace(t, done_on=day) for t in PROJECT.tasks),
        )
        panel = Asset(premises_id="h", project_id="j", name="panels", commissioned_on=day)
        if self.d.lead.stage is not Stage.OPERATION:
            self.change(projects={"j": built}, assets={"x": panel})

    @rule(days=st.sampled_from([10, 365]))
    def settle(self, days):
        for i, c in self.d.signed.items():
            start = settled_until(c, self.d.settlements)
            line = SettlementLine(text="fee", amount_micro=1_000_000)
            wanted = NewSettlement(start=start, end=min(start + timedelta(days), c.until), lines=(line,))
            if not list(check_settlement(wanted, c, self.d.settlements, self.d.today)):
                made = settled(wanted, i, c, [], f"i{len(self.d.settlements)}", NOW + timedelta(hours=2))
                self.change(settlements=(*self.d.settlements, made))

    @invariant()
    def every_stage_holds_what_it_promises(self):
        if not hasattr(self, "d"):
            return
        stage = self.d.lead.suspended_from or self.d.lead.stage
        if stage in WAY and WAY.index(stage) >= WAY.index(Stage.CONTRACT):
            assert self.d.accepted
            assert self.d.signed
        if stage in (Stage.OPERATION, Stage.SETTLEMENT, Stage.CLOSED):
            assert Stage.PROJECT in self.been
        if stage is Stage.CLOSED:
            assert all(c.until <= self.d.today for c in self.d.signed.values())
            assert all(settled_until(c, self.d.settlements) == c.until for c in self.d.signed.values())

    @invariant()
    def no_stage_is_skipped(self):
        if hasattr(self, "been"):
            reached = [s for s in WAY if s in self.been]
            assert reached == list(WAY[: len(reached)])


TestCompany = Company.TestCase
TestCompany.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_whole_way_step_by_step():
    d = Dossier(lead=LEAD, party=HOTEL, today=TODAY, premises=(PLACE,), conversations=(SAID,))
    go = lambda move, d: replace(d, lead=moved(move, d, NOW))  # noqa: E731 # one line for each step reads as the story
    d = replace(go(Move.QUALIFY, d), proposals={"a": PROPOSAL})
    d = go(Move.PROPOSE, d)
    assert "none is accepted" in words(missing(Move.SIGN, d))
    d = replace(d, proposals={"a": answered(PROPOSAL, YES, signed=False)}, contracts={"c": CONTRACT})
    assert "us has not signed" in words(missing(Move.SIGN, d))
    half = signed_by(CONTRACT, Signature(side="us", by="ann", on=TODAY), d.proposals["a"])
    both = signed_by(half, Signature(side="customer", by="Mr Li", on=TODAY), d.proposals["a"])
    d = go(Move.SIGN, replace(d, contracts={"c": both}))
    assert "plan it first" in words(missing(Move.BUILD, d))
    d = go(Move.BUILD, replace(d, projects={"j": PROJECT}))
    told = words(missing(Move.COMMISSION, d))
    assert "milestones.ready: is not reached" in told
    assert "mount: is not done by cy" in told
    built = replace(
        PROJECT,
        milestones=(replace(PROJECT.milestones[0], reached_on=TODAY),),
        tasks=(replace(PROJECT.tasks[0], done_on=TODAY),),
    )
    over = replace(built, budget=(BudgetLine(name="panels", planned_micro=5, spent_micro=6),))
    assert "say why" in words(missing(Move.COMMISSION, replace(d, projects={"j": over})))
    d = go(Move.COMMISSION, replace(d, projects={"j": built}))
    assert "settled already" in words(missing(Move.SETTLE, d))
    d = go(Move.SETTLE, replace(d, today=date(2026, 8, 1)))
    assert set(ways(d)) == {Move.GO_ON, Move.CLOSE, Move.SUSPEND}
    assert "holds until 2027-07-01" in words(missing(Move.CLOSE, d))


def test_a_lead_is_closed_when_all_is_settled_paid_and_put_away():
    line = SettlementLine(text="fee", amount_micro=12_000_000)
    both = replace(
        CONTRACT, signatures=(Signature(side="us", by="a", on=TODAY), Signature(side="customer", by="b", on=TODAY))
    )
    year = settled(NewSettlement(start=TODAY, end=CONTRACT.ends_on, lines=(line,)), "c", both, [], "i1", NOW)
    panel = Asset(premises_id="h", project_id="j", name="panels", commissioned_on=TODAY)
    order = WorkOrder(asset_id="x", title="inspect")
    question = ServiceCase(party_id="p", title="why", opened_at=NOW)
    d = Dossier(
        lead=replace(LEAD, stage=Stage.SETTLEMENT), party=HOTEL, today=date(2027, 7, 1), contracts={"c": both},
        proposals={"a": answered(PROPOSAL, YES, signed=False)}, projects={"j": PROJECT}, settlements=(year,), left_micro={"i1": 5_000_000},
        assets={"x": panel}, work_orders=(order,), cases=(question,),
    )  # fmt: skip
    places = [f.place for f in missing(Move.CLOSE, d)]
    assert places == ["invoices.i1", "work_orders.inspect", "service_cases.why", "assets.panels"]
    away = replace(panel, retired_on=date(2027, 7, 1))
    d = replace(d, left_micro={"i1": 0}, assets={"x": away}, work_orders=(), cases=())
    assert moved(Move.CLOSE, d, NOW).stage is Stage.CLOSED


@given(
    amount=st.integers(-(2**53), 2**53),
    weights=st.lists(st.integers(0, 10**6), max_size=8),
)
def test_shares_sum_to_the_amount_and_nobody_is_a_micro_unit_from_their_part(amount, weights):
    total = max(sum(weights), 10**6)
    shares = {f"p{i}": w * 10**6 // total for i, w in enumerate(weights)}
    parts = split(amount, shares)
    assert sum(parts.values()) == amount
    assert parts.keys() == {*shares, US}
    for who, ppm in shares.items():
        assert abs(parts[who] * 10**6 - amount * ppm) < 10**6
    assert split(-amount, shares) == {who: -part for who, part in parts.items()}


def test_partners_never_get_more_than_there_is():
    with pytest.raises(ValueError, match="cannot be split"):
        split(100, {"a": 600_000, "b": 500_000})
    a = Agreement(contract_id="c", party_id="v", title="maker", share_ppm=600_000, starts_on=date(2026, 9, 1))
    b = replace(a, party_id="w", share_ppm=500_000, starts_on=TODAY)
    assert "110.00% from 2026-09-01 on" in words(check_agreement(b, CONTRACT, [a]))
    assert list(check_agreement(replace(b, ends_on=date(2026, 9, 1)), CONTRACT, [a])) == []
    assert shares_on(date(2026, 9, 1), [a, replace(b, ends_on=date(2026, 9, 1))]) == {"v": 600_000}


def test_periods_are_settled_once_within_the_contract_and_when_they_are_over():
    both = replace(
        CONTRACT, signatures=(Signature(side="us", by="a", on=TODAY), Signature(side="customer", by="b", on=TODAY))
    )
    line = SettlementLine(text="fee", amount_micro=1)
    july = NewSettlement(start=date(2026, 7, 1), end=date(2026, 8, 1), lines=(line,))
    first = settled(july, "c", both, [], "i1", NOW)
    assert list(check_settlement(july, both, [], date(2026, 8, 1))) == []
    assert "when it is over" in words(check_settlement(july, both, [], date(2026, 7, 31)))
    assert "settled already" in words(check_settlement(july, both, [first], date(2026, 8, 1)))
    assert "not signed" in words(check_settlement(july, CONTRACT, [], date(2026, 8, 1)))
    early = replace(july, start=date(2026, 6, 1), lines=(replace(line, amount_micro=-1),))
    told = words(check_settlement(early, both, [], date(2026, 8, 1)))
    assert "settle days of it" in told
    assert "sum to nothing" in told
    september = replace(first, start=date(2026, 9, 1), end=date(2026, 10, 1))
    assert settled_until(both, [september, first]) == date(2026, 8, 1)


def test_an_answer_stands_and_a_late_one_is_none():
    with pytest.raises(RefusedStepError, match="valid until 2026-12-31"):
        answered(PROPOSAL, replace(YES, on=date(2027, 1, 1)), signed=False)
    accepted = answered(PROPOSAL, YES, signed=False)
    with pytest.raises(RefusedStepError, match="it is accepted since"):
        answered(accepted, replace(YES, state=ProposalState.DECLINED), signed=False)
    back = replace(YES, state=ProposalState.WITHDRAWN)
    assert answered(accepted, back, signed=False).state is ProposalState.WITHDRAWN
    with pytest.raises(RefusedStepError, match="end the contract"):
        answered(accepted, back, signed=True)


def test_a_contract_ends_early_but_not_before_what_is_settled():
    assert ended(CONTRACT, Ending(on=date(2026, 9, 1), reason="sold"), [date(2026, 8, 1)]).until == date(2026, 9, 1)
    with pytest.raises(RefusedStepError, match="settled until 2026-08-01"):
        ended(CONTRACT, Ending(on=date(2026, 7, 15), reason="sold"), [date(2026, 8, 1)])
    with pytest.raises(RefusedStepError, match="by itself"):
        ended(CONTRACT, Ending(on=date(2028, 1, 1), reason="sold"), [])


def test_work_and_cases_go_their_way():
    order = WorkOrder(asset_id="x", title="inspect")
    assert list(check_work(order, None)) == []
    done = replace(order, state=WorkState.DONE)
    told = words(check_work(done, order))
    assert "it is planned; from there it goes on to in_work or cancelled" in told
    assert "say what was done" in told
    at_work = replace(order, state=WorkState.IN_WORK, who="cy", down_from=NOW)
    assert list(check_work(at_work, order)) == []
    whole = replace(at_work, state=WorkState.DONE, result="new fuse", done_on=TODAY)
    assert "in service again" in words(check_work(whole, at_work))
    assert "make a new work order" in words(check_work(replace(whole, result="other"), whole))
    case = ServiceCase(party_id="p", title="why", opened_at=NOW)
    assert "say what was answered" in words(check_case(replace(case, state=CaseState.ANSWERED), case))
    assert "open a new case" in words(check_case(case, replace(case, state=CaseState.CLOSED)))


def test_every_mistake_in_a_party_its_premises_and_a_project_is_told_at_once():
    odd = Party(
        name="x",
        roles=(PartyRole.TENANT, PartyRole.TENANT, PartyRole.MARKET_MEMBER, PartyRole.USER),
        contacts=(Contact(name="a", email="a.b"), Contact(name="a", phone="call me")),
    )
    assert [f.place for f in check_party(odd)] == [
        "roles", "participant", "tenant", "contacts", "contacts[0].email", "contacts[1].name", "contacts[1].phone",
    ]  # fmt: skip
    gone = replace(METER, removed_on=date(2025, 1, 1), registers=(Register.REACTIVE,))
    points = (
        ServicePoint(name="main", carrier=Carrier.HEAT, meters=(METER, replace(METER, number="E-2"), gone)),
        ServicePoint(name="main", carrier=Carrier.ELECTRICITY),
    )
    told = words(check_premises(replace(PLACE, time_zone="Mars/Base", points=points)))
    for part in (
        "no zone",
        "main stands twice",
        "E-1 stands twice",
        "same time as meter E-1",
        "is not behind",
        "no reactive",
    ):
        assert part in told
    task = Task(name="mount", milestone="never")
    wrong = replace(PROJECT, tasks=(task, task), milestones=(Milestone(name="ready", due_on=date(2026, 1, 1)),))
    told = words(check_project(wrong))
    for part in ("'mount' stands twice", "there is no milestone 'never'", "before the project begins"):
        assert part in told
