"""Rate components: what a contract charges or pays for, as frozen facts; quantities and prices are integers.

Prices are micro-units of currency per kWh, kW or kVA; limits are Wh, W or VA. A component is named once per tariff version: the name
is on the bill and is what taxes and minimums refer to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.tariffs.calendar import Schedule, always

ALL_MONTHS = tuple(range(1, 13))


class Per(StrEnum):
    """What the limit of a tier counts."""

    KWH = "kWh"
    KWH_PER_DAY = "kWh per day"
    KWH_PER_KW = "kWh per kW of billing demand"
    KWH_PER_KW_DAY = "kWh per kW of billing demand and day"


class Scope(StrEnum):
    """Which energy climbs the tiers."""

    TOTAL = "total"
    """The month's whole energy; every period is cut at the same share of it."""
    PERIOD = "period"
    """Each period's own energy."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A price up to a cumulative limit; None ends the list. ``up_to`` is in Wh (per day, per kW as ``per`` says) or W."""

    price_micro: int
    up_to: int | None = None
    per: Per = Per.KWH


@dataclass(frozen=True, slots=True)
class Fixed:
    """An amount per month, or per day where ``daily``."""

    name: str
    amount_micro: int
    daily: bool = False


@dataclass(frozen=True, slots=True)
class DemandRule:
    """How the demand that is billed follows from what the meter saw; demand is the mean over one meter interval.

    The billing demand is the largest of the month's own peak times ``own_share_ppm`` of that month, of each of the ``lookback_months``
    previous peaks times the share that its calendar month has in ``lookback_share_ppm`` (12 entries), and of ``minimum_w``.
    A ratchet is a look-back of eleven months. ``ignores_own`` lists calendar months whose own peak counts by the look-back's share.
    """

    lookback_months: int = 0
    lookback_share_ppm: tuple[int, ...] = (0,) * 12
    minimum_w: int = 0
    ignores_own: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Energy:
    """A price per kWh bought: flat, seasonal, by time of use, in tiers, or any mix of these.

    ``tiers`` holds one rising list per period number of the schedule; ``months`` are those it holds in.
    """

    name: str
    tiers: Mapping[int, tuple[Tier, ...]]
    schedule: Schedule = field(default_factory=always)
    scope: Scope = Scope.TOTAL
    demand: DemandRule = field(default_factory=DemandRule)
    months: tuple[int, ...] = ALL_MONTHS


@dataclass(frozen=True, slots=True)
class HoursBlock:
    """Energy within so many hours of use of the billing demand (kWh per kW), priced by its own list of kWh tiers."""

    tiers: tuple[Tier, ...]
    up_to_hours: int | None = None


@dataclass(frozen=True, slots=True)
class HoursUse:
    """Energy priced by hours of use: long hours of use (a high load factor) reach cheaper blocks. ``months`` are those it holds in."""

    name: str
    blocks: tuple[HoursBlock, ...]
    demand: DemandRule = field(default_factory=DemandRule)
    months: tuple[int, ...] = ALL_MONTHS


@dataclass(frozen=True, slots=True)
class Spot:
    """Energy at an index: ``index * multiplier_ppm / 1e6 + adder``, interval by interval.

    With ``block_w`` the customer buys that power in every interval at ``block_price_micro``; only what differs from it, more or less,
    is settled at the index.
    """

    name: str
    index: str
    multiplier_ppm: int = 1_000_000
    adder_micro: int = 0
    block_w: int = 0
    block_price_micro: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """A price per kW of the highest mean import of the month, per period of the schedule, in tiers of kW where there are several."""

    name: str
    tiers: Mapping[int, tuple[Tier, ...]]
    schedule: Schedule = field(default_factory=always)
    rule: DemandRule = field(default_factory=DemandRule)


@dataclass(frozen=True, slots=True)
class CoincidentPeak:
    """A price per kW of the mean import in the intervals that hold the named instants (the system's peaks)."""

    name: str
    price_micro: int
    instants: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Capacity:
    """A price per kVA of contracted capacity and month."""

    name: str
    price_micro: int
    contracted_va: int


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """A surcharge (positive) or discount (negative) on named components, by the month's power factor.

    ``table`` has rising lower limits of the power factor in thousandths, each with its adjustment in millionths; it begins at 0.
    """

    name: str
    table: tuple[tuple[int, int], ...]
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetMetering:
    """Energy sent out is netted against energy bought within the month and period; what is left rolls over.

    Between months credits move from a period to the one that holds at the same local hours (0, 6, 12, 18 of a working day). At the end of
    the calendar year what was sent out beyond all that was bought in that year is paid at ``year_end_price_micro`` and credits lapse.
    """

    name: str
    year_end_price_micro: int = 0


@dataclass(frozen=True, slots=True)
class NetBilling:
    """Energy sent out in an interval is paid at a sell price per period of the schedule."""

    name: str
    prices_micro: Mapping[int, int]
    schedule: Schedule = field(default_factory=always)


@dataclass(frozen=True, slots=True)
class BuyAllSellAll:
    """The whole load is bought and the whole generation is sold at a price per period; needs a meter on the generation."""

    name: str
    prices_micro: Mapping[int, int]
    schedule: Schedule = field(default_factory=always)


@dataclass(frozen=True, slots=True)
class SharedSavings:
    """A share of what saved energy was worth: the baseline less what was bought, per period of the schedule at its price.

    Over a month and all periods together; where more was used than the baseline nothing is charged. Needs the baseline as a series.
    """

    name: str
    share_ppm: int
    prices_micro: Mapping[int, int]
    schedule: Schedule = field(default_factory=always)


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least that the named components cost together in a month."""

    name: str
    amount_micro: int
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Percentage:
    """A tax, surcharge or discount in millionths of named components, which may be a minimum or a power-factor line."""

    name: str
    share_ppm: int
    on: tuple[str, ...]


Component = (
    Fixed
    | Energy
    | HoursUse
    | Spot
    | Demand
    | CoincidentPeak
    | Capacity
    | PowerFactor
    | NetMetering
    | NetBilling
    | BuyAllSellAll
    | SharedSavings
    | Minimum
    | Percentage
)
