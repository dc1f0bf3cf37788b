"""The market that an emulated site meets: a day-ahead auction in which everybody else clears at the price that came, and prices of real time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from market.clearing import clear_auction
from market.order_check import require_orders
from market.orders import Order, StepOrder
from market.outcomes import AuctionResult, recheck
from market.products import Gate, MarketError, Participant, Product
from market.settlement import Trade
from models.horizon import Horizon
from models.offers import per_mwh_micro
from models.site import Site

Floats = npt.NDArray[np.float64]
REST = "rest of the market"
REST_WH = 1_000_000_000
"""What everybody else buys and sells at the price: so much that the site moves nothing."""
GATE_OPENS_H, GATE_CLOSES_H = 8, 12
REAL_TIME_SPREAD = 0.15
"""Standard deviation of real-time prices around the day-ahead ones, as a share of their spread over the day; made up."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One day's auction of a site's area, with prices per kWh that came and those of real time; shapes (period,)."""

    product: Product
    came_per_kwh: Floats
    real_time_per_kwh: Floats

    @classmethod
    def of(cls, site: Site, horizon: Horizon, came_per_kwh: Floats, seed: int) -> "Venue":
        """Return the auction of a local day, its gate on the day before."""
        zone = ZoneInfo(site.location.time_zone)
        eve = horizon.start.astimezone(zone).date() - timedelta(days=1)
        gate = Gate(*(datetime.combine(eve, time(h), zone) for h in (GATE_OPENS_H, GATE_CLOSES_H)))
        minutes = round(60 * float(horizon.step_h[0]))
        product = Product(
            f"day-ahead-{horizon.start.astimezone(zone):%Y%m%d}", "area", horizon.start, gate, minutes, len(horizon),
            currency=site.currency,
        )  # fmt: skip
        rng = np.random.default_rng([seed, 7])
        moved = REAL_TIME_SPREAD * float(came_per_kwh.std()) * rng.standard_normal(len(came_per_kwh))
        return cls(product, came_per_kwh, came_per_kwh + moved)

    def prices_micro(self, prices: Floats) -> list[int]:
        """Return prices per kWh as micro-units per MWh on the product's ticks, within its band."""
        p = self.product
        return [
            min(max(round(v / p.tick_micro) * p.tick_micro, p.lowest_micro), p.highest_micro)
            for v in per_mwh_micro(prices).tolist()
        ]

    def cleared(self, participant: str, orders: Sequence[Order]) -> tuple[AuctionResult, tuple[Trade, ...]]:
        """Clear orders that arrive half an hour before the gate closes against the rest of the market; return the participant's trades.

        Raises
        ------
        MarketError
            With everything that is wrong with the orders, or with the clearing.
        """
        p, others = self.product, self._rest()
        people = (Participant(participant, participant), Participant(REST, REST))
        every = [*orders, *others]
        require_orders(p, people, every, p.gate.closes_at - timedelta(minutes=30))
        result = clear_auction(p, every)
        if found := list(recheck(p, every, result)):
            raise MarketError(found)
        return result, tuple(
            Trade(participant, k, wh, result.price_micro[k], outcome.order)
            for outcome in result.outcomes
            if outcome.participant == participant
            for k, wh in enumerate(outcome.accepted_wh)
            if wh
        )

    def _rest(self) -> list[StepOrder]:
        prices = self.prices_micro(self.came_per_kwh)
        return [
            StepOrder(f"{REST}-{k}-{way}", REST, k, sign * REST_WH, price)
            for k, price in enumerate(prices)
            for way, sign in (("sells", 1), ("buys", -1))
        ]
