"""The moves of a lead from stage to stage, each with what it asks for, as a table of plain rules.

A move is refused with everything that it lacks, in words. Stages are never skipped: who stands at the contract has an accepted proposal
behind it, who stands in operation a finished project.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from customers.lifecycle.dossier import Dossier
from customers.lifecycle.lead import Lead, Stage
from customers.lifecycle.operation import WorkState
from customers.lifecycle.project import unfinished
from customers.lifecycle.refusal import RefusedStepError
from customers.lifecycle.settlement import settled_until
from customers.parties.party import PartyRole
from models.findings import Finding, error


class Move(StrEnum):
    """What can be done with a lead."""

    QUALIFY = "qualify"
    PROPOSE = "propose"
    SIGN = "sign"
    BUILD = "build"
    COMMISSION = "commission"
    SETTLE = "settle"
    GO_ON = "go_on"
    """Back into operation, with the period settled."""
    CLOSE = "close"
    LOSE = "lose"
    REOPEN = "reopen"
    SUSPEND = "suspend"
    RESUME = "resume"


Guard = Callable[[Dossier], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """From which stages a move leads where, and what it asks for; ``to`` None leads back to where the lead was suspended."""

    origins: tuple[Stage, ...]
    to: Stage | None
    guards: tuple[Guard, ...] = ()
    wants_reason: bool = False


def known_customer(d: Dossier) -> Iterator[Finding]:
    """Ask for a party that is a customer, somebody to speak to there, and somebody of ours who does."""
    if PartyRole.CUSTOMER not in d.party.roles:
        yield error("party.roles", f"{d.party.name} is no customer; give it the role")
    if not any(c.reachable for c in d.party.contacts):
        yield error(
            "party.contacts", "nobody there can be reached; name a contact with an address or a telephone number"
        )
    if not d.lead.owner:
        yield error("lead.owner", "nobody follows it up; name an owner")


def understood_need(d: Dossier) -> Iterator[Finding]:
    """Ask for premises with a service point, and a conversation with the customer."""
    if not any(p.points for p in d.premises):
        yield error("premises", "the customer has no premises with a service point; bring them first")
    if not d.conversations:
        yield error("conversations", "nobody has spoken with the customer; write down what was said")


def open_proposal(d: Dossier) -> Iterator[Finding]:
    """Ask for a proposal that the customer can still say yes to."""
    if d.accepted:
        return
    valid = [p for p in d.proposals.values() if p.state == "open" and d.today <= p.valid_until]
    if not valid:
        yield error("proposals", "there is none that is open and valid today; make one")


def accepted_proposal(d: Dossier) -> Iterator[Finding]:
    """Ask for a proposal that the customer has accepted."""
    if not d.accepted:
        yield error("proposals", "none is accepted; the customer has to say yes to one")


def signed_contract(d: Dossier) -> Iterator[Finding]:
    """Ask for a contract made from an accepted proposal, signed by both sides and not over."""
    made = {i: c for i, c in d.contracts.items() if c.proposal_id in d.accepted}
    if not made:
        yield error("contracts", "there is none that is made from an accepted proposal")
    elif not d.signed:
        sides = {s.side for c in made.values() for s in c.signatures}
        for side in ("us", "customer"):
            if side not in sides:
                yield error("contracts.signatures", f"{side} has not signed")
    elif all(c.until <= d.today for c in d.signed.values()):
        yield error("contracts", f"the last one ended on {max(c.until for c in d.signed.values())}")


def planned_project(d: Dossier) -> Iterator[Finding]:
    """Ask for a project of the contract with somebody who leads it, milestones and a budget."""
    mine = [p for p in d.projects.values() if p.contract_id in d.signed]
    if not mine:
        yield error("projects", "there is none for the signed contract; plan it first")
    for project in mine:
        if not project.manager:
            yield error("project.manager", f"nobody leads {project.title!r}")
        if not project.milestones:
            yield error("project.milestones", f"{project.title!r} has none")
        if not project.planned_micro:
            yield error("project.budget", f"nothing is set aside for {project.title!r}")


def finished_project(d: Dossier) -> Iterator[Finding]:
    """Ask for projects whose milestones are reached, whose tasks are done and whose overruns are explained."""
    for project in d.projects.values():
        if project.contract_id in d.signed:
            yield from unfinished(project)


def commissioned_assets(d: Dossier) -> Iterator[Finding]:
    """Ask for a meter, and that every asset of the projects was commissioned."""
    for asset in d.assets.values():
        if asset.project_id in d.projects and asset.commissioned_on is None:
            yield error(f"assets.{asset.name}", "is not commissioned; say when")
    if not any(m.removed_on is None for p in d.premises for m in p.meters):
        yield error("premises.points.meters", "nothing meters what is supplied; say which meter is installed")


def begun_contract(d: Dossier) -> Iterator[Finding]:
    """Ask for a contract that holds today."""
    if not any(c.in_force(d.today) for c in d.signed.values()):
        first = min((c.starts_on for c in d.signed.values()), default=None)
        yield error("contracts", f"none holds today{'' if first is None else f'; the first begins on {first}'}")


def unsettled_days(d: Dossier) -> Iterator[Finding]:
    """Ask for days of a contract that are over and not settled."""
    for i, contract in d.signed.items():
        if _settled(d, i) < min(d.today, contract.until):
            return
    yield error("settlements", "every day that is over is settled already")


def settled_period(d: Dossier) -> Iterator[Finding]:
    """Ask for a settlement made since the lead came here."""
    if not any(s.issued_at >= d.lead.since for s in d.settlements):
        yield error("settlements", f"none was made since {d.lead.since:%Y-%m-%d %H:%M}; settle a period first")


def settled_to_the_end(d: Dossier) -> Iterator[Finding]:
    """Ask for contracts that are over and settled to their last day, with nothing left to pay."""
    for i, contract in d.signed.items():
        if contract.until > d.today:
            yield error("contracts", f"{contract.title!r} holds until {contract.until}")
        elif (day := _settled(d, i)) < contract.until:
            yield error("settlements", f"{contract.title!r} is settled until {day}; it held until {contract.until}")
    for invoice in sorted({s.invoice for s in d.settlements}):
        if left := d.left_micro.get(invoice, 0):
            yield error(f"invoices.{invoice}", f"{left / 1e6:,.2f} are left to pay", value=left / 1e6)


def nothing_open(d: Dossier) -> Iterator[Finding]:
    """Ask that no work and no question is open, and that nothing of ours is left on the premises."""
    for order in d.work_orders:
        if order.open:
            yield error(f"work_orders.{order.title}", f"is {order.state}")
    for case in d.cases:
        if case.open:
            yield error(f"service_cases.{case.title}", f"is {case.state}")
    for asset in d.assets.values():
        if asset.ours and asset.commissioned_on is not None and asset.retired_on is None:
            yield error(f"assets.{asset.name}", "is still there; take it away or hand it over")


def not_promised(d: Dossier) -> Iterator[Finding]:
    """Ask that no proposal stands accepted."""
    for proposal in d.accepted.values():
        yield error("proposals", f"{proposal.title!r} is accepted; withdraw it first")


def no_work_under_way(d: Dossier) -> Iterator[Finding]:
    """Ask that nobody is at work."""
    for order in d.work_orders:
        if order.state is WorkState.IN_WORK:
            yield error(f"work_orders.{order.title}", f"{order.who} is at work; finish or cancel it")


def _settled(d: Dossier, contract_id: str) -> date:
    mine = [s for s in d.settlements if s.contract_id == contract_id]
    return settled_until(d.contracts[contract_id], mine)


UNDER_WAY = (
    Stage.LEAD,
    Stage.FOLLOW_UP,
    Stage.PROPOSAL,
    Stage.CONTRACT,
    Stage.PROJECT,
    Stage.OPERATION,
    Stage.SETTLEMENT,
)
RULES: Mapping[Move, Rule] = {
    Move.QUALIFY: Rule((Stage.LEAD,), Stage.FOLLOW_UP, (known_customer,)),
    Move.PROPOSE: Rule((Stage.FOLLOW_UP,), Stage.PROPOSAL, (understood_need, open_proposal)),
    Move.SIGN: Rule((Stage.PROPOSAL,), Stage.CONTRACT, (accepted_proposal, signed_contract)),
    Move.BUILD: Rule((Stage.CONTRACT,), Stage.PROJECT, (accepted_proposal, signed_contract, planned_project)),
    Move.COMMISSION: Rule((Stage.PROJECT,), Stage.OPERATION, (begun_contract, finished_project, commissioned_assets)),
    Move.SETTLE: Rule((Stage.OPERATION,), Stage.SETTLEMENT, (unsettled_days,)),
    Move.GO_ON: Rule((Stage.SETTLEMENT,), Stage.OPERATION, (settled_period, begun_contract)),
    Move.CLOSE: Rule((Stage.SETTLEMENT,), Stage.CLOSED, (settled_to_the_end, nothing_open)),
    Move.LOSE: Rule((Stage.LEAD, Stage.FOLLOW_UP, Stage.PROPOSAL), Stage.LOST, (not_promised,), wants_reason=True),
    Move.REOPEN: Rule((Stage.LOST,), Stage.FOLLOW_UP, (known_customer,), wants_reason=True),
    Move.SUSPEND: Rule(UNDER_WAY, Stage.SUSPENDED, (no_work_under_way,), wants_reason=True),
    Move.RESUME: Rule((Stage.SUSPENDED,), None),
}


def missing(move: Move, dossier: Dossier, reason: str = "") -> tuple[Finding, ...]:
    """Return everything that a move lacks; nothing where it can be made."""
    rule, stage = RULES[move], dossier.lead.stage
    if stage not in rule.origins:
        where = " or ".join(rule.origins)
        return (error("lead.stage", f"it is at {stage}; {move} leads on from {where}"),)
    found = [f for guard in rule.guards for f in guard(dossier)]
    if rule.wants_reason and not reason.strip():
        found.append(error("reason", f"say why, to {move} it"))
    return tuple(found)


def moved(move: Move, dossier: Dossier, at: datetime, reason: str = "") -> Lead:
    """Return the lead of a dossier after a move made at an instant (UTC).

    Raises
    ------
    RefusedStepError
        With everything that the move lacks.
    """
    if found := missing(move, dossier, reason):
        raise RefusedStepError(f"{move} is not possible", found)
    lead, rule = dossier.lead, RULES[move]
    to = rule.to or lead.suspended_from or Stage.LEAD
    return replace(lead, stage=to, suspended_from=lead.stage if move is Move.SUSPEND else None, since=at)


def ways(dossier: Dossier) -> dict[Move, tuple[Finding, ...]]:
    """Return every move that leads on from where a lead stands, with what each still lacks; reasons are asked for later."""
    there = [m for m, rule in RULES.items() if dossier.lead.stage in rule.origins]
    return {m: missing(m, dossier, reason="to be told") for m in there}
