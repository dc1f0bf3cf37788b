"""What a trading day is told, and everything that was made on its way."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from market.certificates import Holding
from market.ledger import Ledger, check_chain
from market.outcomes import AuctionResult
from market.portfolio import Portfolio
from market.receivables import Invoice
from market.settlement import Band, Delivery
from market.settlement_runs import Run
from models.dispatch import Plan, PlanCheck
from models.offers import OfferSet
from models.site import Site
from scenarios.day import DayResult
from scenarios.trading.result import DayAccount
from scenarios.trading.trace import Trace, check_trace

Form = Literal["curves", "profiles"]
BANDS = (Band(20_000, 100_000), Band(100_000, 200_000))
"""Deviations beyond 2 % of the position cost a tenth of the price, beyond 10 % a fifth."""


@dataclass(frozen=True, slots=True)
class TradeSettings:
    """How a day is traded: paths and steps of the offer, the fee on metered import, bands of deviations, a hedge.

    ``form``: a curve per period, or whole-day profiles as an exclusive group, of which the market takes one. ``hedged_share`` of the
    expected purchase is under a contract for difference at the mean expected price.
    """

    paths: int = 60
    steps: int = 20
    form: Form = "curves"
    fee_per_kwh: float = 0.15
    bands: tuple[Band, ...] = BANDS
    hedged_share: float = 0.5
    over_modbus: bool = False
    proven: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True)
class TradedDay:
    """A day with everything that was made on its way."""

    site: Site
    day: date
    trace: Trace
    plan: Plan
    offers: OfferSet
    result: AuctionResult
    portfolio: Portfolio
    schedule: Plan
    check: PlanCheck
    operated: DayResult
    delivery: Delivery
    run: Run
    ledger: Ledger
    invoice: Invoice | None
    certificates: tuple[Holding, ...]
    account: DayAccount

    @property
    def ok(self) -> bool:
        """Whether the trace is whole, the ledger sums to zero and is unbroken, and no write is unaccounted for."""
        broken = [*check_trace(self.trace.id, self.trace.links), *check_chain(self.ledger.transactions)]
        return sum(self.ledger.balances.values()) == 0 and not broken and not self.operated.unaccounted
