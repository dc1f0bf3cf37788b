"""Plans of a day that has been traded: the market in place of the tariff, the position to keep, the capacity to hold."""

from dataclasses import replace

import numpy as np

from models.dispatch import DispatchProblem, Plan
from models.horizon import Horizon
from models.trading import MarketTerms
from scenarios.problem import Planner
from scenarios.trading.capacity import Capacity


class TradingPlanner:
    """A planner whose electricity costs what the market asks, and who keeps to the position that was traded."""

    def __init__(
        self, planner: Planner, horizon: Horizon, market: MarketTerms, capacity: Capacity | None = None
    ) -> None:
        self.planner, self.horizon, self.market = planner, horizon, market
        self.capacity = capacity or Capacity(((),) * len(horizon))
        self._starts = np.array([e.timestamp() for e in horizon.edges[:-1]])

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the plan of a problem at the market's terms on its steps; behind the traded day the last hour's terms go on."""
        return self.planner.plan(self.traded(problem))

    def traded(self, problem: DispatchProblem) -> DispatchProblem:
        """Return a problem with the market's terms."""
        starts = np.array([e.timestamp() for e in problem.horizon.edges[:-1]])
        place = np.clip(np.searchsorted(self._starts, starts, side="right") - 1, 0, len(self._starts) - 1)
        position = self.market.bought_kw
        terms = replace(
            self.market,
            price_per_kwh=self.market.price_per_kwh[place],
            bought_kw=None if position is None else position[place],
        )
        asked = self.capacity.asked_kw(problem.horizon, place)
        return replace(problem, market=terms, demand=None, demand_windows={}, reserve_kw=asked)
