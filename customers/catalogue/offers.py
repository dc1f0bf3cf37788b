"""What providers offer for modules: a price beside the library's, how much they can build, where and until when."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from customers.catalogue.modules import Catalogue
from customers.fields import STRICT, Day, Ref, Words
from customers.parties.party import Party, PartyRole
from models.errors import DataError
from models.findings import Finding, error

PROVIDERS = frozenset(PartyRole) - {PartyRole.CUSTOMER, PartyRole.USER, PartyRole.TENANT, PartyRole.MARKET_MEMBER}
"""Who may offer something: everybody who does more than use energy, log in or trade."""
COLUMNS = ("provider", "module", "price_factor", "capacity", "valid_until", "guarantee_share", "rating")


@dataclass(frozen=True, slots=True)
class ProviderOffer:
    """A provider's terms for one module.

    ``price_factor`` multiplies what the library counts, ``capacity`` is how much it takes on in the module's size (kW, kWh or sites),
    ``guarantee_share`` how much of the promised effect it stands for, ``rating`` 0..1 how well it has done so far.
    """

    provider: str
    module: str
    price_factor: float
    capacity: float
    valid_until: date
    guarantee_share: float
    rating: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOffer:
    """What a party offers for one module of the catalogue; the terms are those of :class:`ProviderOffer`."""

    __pydantic_config__ = STRICT

    party_id: Ref
    module: Annotated[str, Field(min_length=1, max_length=40, description="of the catalogue", examples=["pv"])]
    price_factor: Annotated[float, Ge(0.05), Le(20), Field(description="of what the library counts", examples=[0.95])]
    capacity: Annotated[float, Ge(0), Le(1e12), Field(description="kW, kWh or sites, as the module", examples=[500.0])]
    valid_until: Day
    guarantee_share: Annotated[float, Ge(0), Le(1)] = 0.0
    rating: Annotated[float, Ge(0), Le(1)] = 0.5
    note: Words = ""

    def by(self, provider: str) -> ProviderOffer:
        """Return the terms under a provider's name."""
        terms = (self.module, self.price_factor, self.capacity, self.valid_until, self.guarantee_share, self.rating)
        return ProviderOffer(provider, *terms)


def check_offer(offer: ModuleOffer, provider: Party | None, catalogue: Catalogue) -> Iterator[Finding]:
    """Give what is wrong with an offer: a module that nobody sells, a party that offers nothing."""
    if offer.module not in catalogue.modules:
        yield error("module", f"{offer.module!r} is not in the catalogue; there are {', '.join(catalogue.modules)}")
    if provider is not None and not PROVIDERS & set(provider.roles):
        yield error("party_id", f"{provider.name} has no role that offers anything, like service_provider or vendor")


def load_offers(path: Path, catalogue: Catalogue) -> tuple[ProviderOffer, ...]:
    """Return the offers of a CSV file with the columns of :data:`COLUMNS`.

    Raises
    ------
    DataError
        With every problem of the file, each with its row; nothing is taken over by halves.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            table = csv.DictReader(text)
            if missing := [c for c in COLUMNS if c not in (table.fieldnames or ())]:
                raise DataError([error(path.name, f"lacks the columns {', '.join(missing)}")])
            rows = list(table)
    except OSError as fault:
        raise DataError([error(str(path), f"cannot be read ({fault.strerror})")]) from None
    made = [_read(f"{path.name} row {k}", row, catalogue) for k, row in enumerate(rows, start=2)]
    if found := [f for m in made if isinstance(m, list) for f in m]:
        raise DataError(found)
    return tuple(m for m in made if isinstance(m, ProviderOffer))


def _read(place: str, row: dict[str, str], catalogue: Catalogue) -> ProviderOffer | list[Finding]:
    found: list[Finding] = []
    numbers: dict[str, float] = {}
    for name, least, most in (
        ("price_factor", 0.05, 20.0),
        ("capacity", 0.0, 1e12),
        ("guarantee_share", 0.0, 1.0),
        ("rating", 0.0, 1.0),
    ):
        try:
            numbers[name] = float(row[name])
        except ValueError:
            found.append(error(place, f"{name} is {row[name]!r}, no number"))
            continue
        if not least <= numbers[name] <= most:
            found.append(error(place, f"{name} is {numbers[name]:g}; expected {least:g} to {most:g}"))
    if row["module"] not in catalogue.modules:
        found.append(error(place, f"module {row['module']!r} is not in the catalogue"))
    try:
        until = date.fromisoformat(row["valid_until"])
    except ValueError:
        found.append(error(place, f"valid_until is {row['valid_until']!r}; write 2026-12-31"))
    if not row["provider"].strip():
        found.append(error(place, "names no provider"))
    return found or ProviderOffer(row["provider"].strip(), row["module"], valid_until=until, **numbers)


def valid(offers: Iterable[ProviderOffer], on: date) -> Iterator[ProviderOffer]:
    """Yield the offers that hold on a day."""
    return (o for o in offers if o.valid_until >= on and o.capacity > 0)
