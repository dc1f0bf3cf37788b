"""Parties: who they are, what they are to the company, and whom one speaks to there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import Field

from customers.fields import ROWS_MOST, STRICT, Label, Name, Words
from models.findings import Finding, error

MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+?[0-9][0-9 ()/-]{3,30}")


class PartyRole(StrEnum):
    """What a party is to the company; one party may be several of them."""

    GENERATOR = "generator"
    """Generates power, sells it, or both: who runs the platform."""
    GRID_COMPANY = "grid_company"
    SERVICE_PROVIDER = "service_provider"
    VENDOR = "vendor"
    """Makes, installs or maintains equipment."""
    CUSTOMER = "customer"
    """Uses energy."""
    CHANNEL_PARTNER = "channel_partner"
    """Brings users and information technology: internet companies."""
    PARTNER = "partner"
    """Up or down the chain of supply."""
    USER = "user"
    """Works with the platform, inside the company or outside; its people log in."""
    MARKET_MEMBER = "market_member"
    RESEARCH_INSTITUTE = "research_institute"
    TECHNOLOGY_SUPPLIER = "technology_supplier"
    FINANCIAL_INSTITUTION = "financial_institution"
    TENANT = "tenant"
    """Has documents and people of its own on the same platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person at a party; what is known of them is theirs and goes when they are taken off the list."""

    __pydantic_config__ = STRICT

    name: Name
    duty: Label = ""
    """What they decide or look after."""
    email: Label = ""
    phone: Label = ""
    login: Label = ""
    """The name under which they log in here."""

    @property
    def reachable(self) -> bool:
        """Whether there is a way to speak or write to them."""
        return bool(self.email or self.phone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A company or a person, its roles and its people."""

    __pydantic_config__ = STRICT

    name: Name
    roles: Annotated[
        tuple[PartyRole, ...], MinLen(1), Field(max_length=13, examples=[["customer", "service_provider"]])
    ]
    registration: Label = ""
    """Number under which it is registered, as on its invoices."""
    sector: Label = ""
    language: Literal["zh", "en"] = "zh"
    """In which it reads proposals."""
    participant: Label = ""
    """Its id as a market member."""
    tenant: Label = ""
    """Its id as a tenant of this platform."""
    contacts: Annotated[tuple[Contact, ...], Field(max_length=ROWS_MOST)] = ()
    note: Words = ""


def check_party(party: Party) -> Iterator[Finding]:
    """Give everything that is wrong with a party."""
    for role in sorted({r for r in party.roles if party.roles.count(r) > 1}):
        yield error("roles", f"{role} stands twice")
    needed = (
        (PartyRole.MARKET_MEMBER, party.participant, "participant", "its id as a market member"),
        (PartyRole.TENANT, party.tenant, "tenant", "its id as a tenant"),
        (PartyRole.USER, any(c.login for c in party.contacts), "contacts", "a contact with a login"),
    )
    for role, there, place, what in needed:
        if role in party.roles and not there:
            yield error(place, f"{what} is missing, which the role {role} asks for")
    names = [c.name for c in party.contacts]
    for number, contact in enumerate(party.contacts):
        yield from _check_contact(f"contacts[{number}]", contact, twice=names.index(contact.name) < number)


def _check_contact(place: str, contact: Contact, *, twice: bool) -> Iterator[Finding]:
    if twice:
        yield error(f"{place}.name", "stands twice; tell the two apart")
    if contact.email and not MAIL.fullmatch(contact.email):
        yield error(f"{place}.email", "is no address; write name@company.example")
    if contact.phone and not PHONE.fullmatch(contact.phone):
        yield error(f"{place}.phone", "is no telephone number; write +86 10 1234 5678")
