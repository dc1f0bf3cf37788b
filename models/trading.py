"""What a planner knows of the market: prices in place of a tariff, and the position that has been traded for the hours it plans."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What electricity costs a site that trades it; arrays have shape (step,), prices are per kWh.

    Net import costs ``price_per_kwh``, net export earns it; metered import pays ``fee_per_kwh`` on top. Where ``bought_kw`` is given (mean
    power of the position in each step, below 0 where energy is sold), every kWh drawn beyond the position costs ``short_per_kwh`` more and
    every kWh left over ``long_per_kwh``; the position itself is settled elsewhere and is none of the plan's cost.
    """

    price_per_kwh: Floats
    fee_per_kwh: float = 0.0
    bought_kw: Floats | None = None
    short_per_kwh: float = 0.0
    long_per_kwh: float = 0.0

    def energy_cost(self, net_import_kw: Floats, step_h: Floats) -> float:
        """Return what a net import costs at the market's prices, with the fee and without deviations."""
        fee = self.fee_per_kwh * np.maximum(net_import_kw, 0.0)
        return float((self.price_per_kwh * net_import_kw + fee) @ step_h)

    def deviation_cost(self, net_import_kw: Floats, step_h: Floats) -> float:
        """Return what the deviation from the position costs on top; 0 without a position."""
        if self.bought_kw is None:
            return 0.0
        away = net_import_kw - self.bought_kw
        return float((self.short_per_kwh * np.maximum(away, 0.0) + self.long_per_kwh * np.maximum(-away, 0.0)) @ step_h)
