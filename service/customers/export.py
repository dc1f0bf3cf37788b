"""Tables for the systems of others: what a CRM takes in, one row each, columns by name; amounts are exact decimals as text."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum

from customers.lifecycle.settlement import settled_until
from service.customers.cells import safe_cell
from service.customers.figures import Books

Row = tuple[str, ...]


class Table(StrEnum):
    """What can be exported."""

    PARTIES = "parties"
    CONTACTS = "contacts"
    LEADS = "leads"
    CONTRACTS = "contracts"
    SETTLEMENTS = "settlements"


def parties(b: Books) -> Iterator[Row]:
    """Give companies and persons."""
    for i, p in b.parties.items():
        yield i, p.name, " ".join(p.roles), p.registration, p.sector, p.language


def contacts(b: Books) -> Iterator[Row]:
    """Give the people at them."""
    for i, p in b.parties.items():
        for c in p.contacts:
            yield i, p.name, c.name, c.duty, c.email, c.phone


def leads(b: Books) -> Iterator[Row]:
    """Give leads and where they stand."""
    for i, x in b.leads.items():
        who = b.parties[x.party_id].name
        yield i, x.party_id, who, x.title, x.owner, x.channel, x.stage, x.since.isoformat(), money(x.expected_micro)


def contracts(b: Books) -> Iterator[Row]:
    """Give contracts, and until when they are settled."""
    for i, c in b.contracts.items():
        settled = settled_until(c, [s for s in b.settlements if s.contract_id == i])
        days = (str(c.starts_on), str(c.until), str(settled))
        yield i, c.lead_id, c.party_id, c.title, *days, "yes" if c.signed else "no", money(c.fee_micro), c.tariff


def settlements(b: Books) -> Iterator[Row]:
    """Give settled periods, a row for everybody's part of each."""
    for s in b.settlements:
        days = (str(s.start), str(s.end), str(s.due_on))
        for who, part in s.shares_micro.items():
            yield s.contract_id, s.invoice, *days, money(s.amount_micro), who, money(part)


def money(micro: int) -> str:
    """Return micro-units as a decimal with all its six places."""
    return f"{Decimal(micro).scaleb(-6):f}"


TABLES: Mapping[Table, tuple[str, Callable[[Books], Iterator[Row]]]] = {
    Table.PARTIES: ("party_id name roles registration sector language", parties),
    Table.CONTACTS: ("party_id party name duty email phone", contacts),
    Table.LEADS: ("lead_id party_id party title owner channel stage since_utc expected", leads),
    Table.CONTRACTS: (
        "contract_id lead_id party_id title starts_on until settled_until signed fee_per_year tariff",
        contracts,
    ),
    Table.SETTLEMENTS: ("contract_id invoice start end due_on amount to part", settlements),
}


def columns(b: Books, wanted: Table) -> dict[str, list[str]]:
    """Return a table by columns; what a spreadsheet would run as a formula is quoted."""
    names, rows = TABLES[wanted]
    found = [tuple(safe_cell(cell) for cell in row) for row in rows(b)]
    return {name: [row[at] for row in found] for at, name in enumerate(names.split())}
