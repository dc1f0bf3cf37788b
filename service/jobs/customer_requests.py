"""What is asked for about customers: jobs that bring their meter data along, and what they are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from customers.catalogue.offers import ProviderOffer
from customers.intervals.bringing import Brought
from customers.matching.match import Need
from models.site import Site
from service.jobs.billing_work import BillsInputs, BillsJob
from service.jobs.requests import Ordered


class PortraitJob(Ordered):
    """Portraits of the meters of one customer: sentences on energy, assets and business, each resting on a figure."""

    kind: Literal["portrait"] = "portrait"
    party_id: str
    name: str
    sector: str
    weather: str = ""
    prices: str = ""
    calls: tuple[tuple[datetime, datetime], ...] = ()


class PackageJob(Ordered):
    """The package of one customer, designed on its own meter data and proven, with its proposal."""

    kind: Literal["package"] = "package"
    party_id: str
    name: str
    sector: str
    column: str
    tariff: str
    zone: str
    unit: str
    language: Literal["zh", "en"]
    roof_m2: float
    facts: tuple[str, ...]
    bus: str = ""
    package: str = ""


class SegmentsJob(Ordered):
    """Segments of customers with stable names, the portrait of each, and the index of target customers."""

    kind: Literal["segments"] = "segments"
    party_ids: tuple[str, ...]
    previous: str = ""


class RecommendationJob(Ordered):
    """Packages recommended to customers: money by simulation, taste by what others took."""

    kind: Literal["recommendation"] = "recommendation"
    party_ids: tuple[str, ...]
    tariff: str


class MatchingJob(Ordered):
    """What designed packages need built, matched with what providers offer."""

    kind: Literal["matching"] = "matching"
    party_ids: tuple[str, ...]
    on: date
    feeder_kw: dict[str, float]


class EfficiencyJob(Ordered):
    """How efficient a customer is among its peers, and what a measure has saved since a day."""

    kind: Literal["efficiency"] = "efficiency"
    party_id: str
    weather: str
    since: date | None
    other_ids: tuple[str, ...]
    floor_m2: float | None
    language: Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class MeterInputs:
    """What portraits and packages are made from: meter data, and the file of the tariff.

    ``site`` has the network of a package's bus; ``others`` are the same party's meter data in other carriers, ``air`` and
    ``prices`` tables (CSV) of the outdoor temperature and of prices.
    """

    meters: Brought
    tariff: bytes = b""
    site: Site | None = None
    others: Sequence[Brought] = ()
    air: bytes = b""
    prices: bytes = b""


@dataclass(frozen=True, slots=True)
class MeterFile:
    """A customer's meter data as they were brought, with what else is known of it; all its meters count together."""

    name: str
    sector: str
    roof_m2: float
    data: Brought


@dataclass(frozen=True, slots=True)
class MarketInputs:
    """Customers by id; ``tariff`` and what each has ``taken`` (modules) for recommendations, ``previous`` segments for their names."""

    customers: Mapping[str, MeterFile]
    tariff: bytes = b""
    taken: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    previous: str = ""


@dataclass(frozen=True, slots=True)
class MatchingInputs:
    """Needs and offers, and the site whose network carries what feeds in."""

    needs: Sequence[Need]
    offers: Sequence[ProviderOffer]
    site: Site | None


@dataclass(frozen=True, slots=True)
class EfficiencyInputs:
    """Customers by id, the assessed one, its peers and others; ``air`` is a table of the outdoor temperature (CSV)."""

    customers: Mapping[str, MeterFile]
    air: bytes


CustomerJob = PortraitJob | PackageJob | SegmentsJob | RecommendationJob | MatchingJob | EfficiencyJob | BillsJob
"""What is asked for on addresses of customers and of bills, where meter data are."""
CustomerInputs = MeterInputs | MarketInputs | MatchingInputs | EfficiencyInputs | BillsInputs
