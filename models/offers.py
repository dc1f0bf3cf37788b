"""What a site offers a market: curves per interval, whole-day profiles, capacity, and the proof that goes with them.

Quantities are whole watt-hours, positive where the site feeds (sells) and negative where it draws (buys); prices are whole millionths of
the currency per MWh, as markets take them.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.horizon import Horizon
from models.tariffs.money import KILO, MICRO

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Kind = Literal["energy", "reserve"]
WH_PER_MWH = KILO * KILO


@dataclass(frozen=True, slots=True)
class OfferStep:
    """One step of a curve: ``quantity_wh`` from ``price_micro`` (per MWh) on, up to the next step's price.

    ``marginal_cost_per_kwh`` is what one more kWh costs the site in the futures behind the step, ``store_value_per_kwh`` what a kWh fed
    from its electric stores gives up, both means over them; ``margin_wh`` is the part of the quantity that is bought against forecast
    errors, ``support`` the number of price paths behind the step.
    """

    price_micro: int
    quantity_wh: int
    marginal_cost_per_kwh: float
    store_value_per_kwh: float
    margin_wh: int
    support: int


@dataclass(frozen=True, slots=True)
class OfferCurve:
    """What a site feeds in one interval at every price: prices and quantities of the steps rise. The first step also holds below its price.

    A curve of kind ``reserve`` is about one contract's capacity, priced per MW held for an hour; its quantity is that in watts.
    """

    start: datetime
    end: datetime
    steps: tuple[OfferStep, ...]
    kind: Kind = "energy"
    contract: str = ""

    def at(self, price_micro: int) -> OfferStep:
        """Return the step that holds at a price."""
        prices = [s.price_micro for s in self.steps]
        return self.steps[max(bisect_right(prices, price_micro) - 1, 0)]


@dataclass(frozen=True, slots=True)
class ProfileOffer:
    """A whole-day profile, all or nothing: what is fed per interval, and what the day then costs beside the market, in millionths."""

    quantity_wh: tuple[int, ...]
    cost_micro: int
    group: str

    def total_micro(self, prices_micro: Ints) -> int:
        """Return what the day costs with this profile at given prices per MWh, shape (interval,)."""
        earned = sum(int(p) * q for p, q in zip(prices_micro.tolist(), self.quantity_wh, strict=True))
        return self.cost_micro - round(earned / WH_PER_MWH)


@dataclass(frozen=True, slots=True)
class OfferProof:
    """What was replayed before an offer left the house, and what is left to fear.

    ``paths_hash`` names the price paths, ``network_revision`` the grid that they were replayed on ("" without one). Of ``replayed``
    positions (paths times steps) ``violated`` break a limit; ``worst`` is the largest violation by kind, ``loss_error_kw`` how far planned
    losses are from replayed ones. ``calls`` counts the reserve calls that were replayed, ``failed_calls`` those that could not be answered.
    The proof holds for these paths, not for every mixture of their steps.
    """

    paths_hash: str
    network_revision: str = ""
    replayed: int = 0
    violated: int = 0
    worst: Mapping[str, float] = field(default_factory=dict)
    loss_error_kw: float = 0.0
    rows: int = 0
    passes: int = 0
    calls: int = 0
    failed_calls: int = 0

    @property
    def accepted(self) -> bool:
        """Whether everything that was replayed holds."""
        return self.violated == 0 and self.failed_calls == 0

    def words(self) -> str:
        """Return the proof in a sentence or two."""
        grid = (
            f"{self.replayed} positions replayed on the grid ({self.network_revision}), {self.violated} beyond a limit, "
            f"losses within {self.loss_error_kw:.1f} kW after {self.passes} passes"
            if self.network_revision
            else "not replayed on a grid"
        )
        calls = f"; {self.calls} calls on capacity replayed, {self.failed_calls} not answered" if self.calls else ""
        return f"paths {self.paths_hash}: {grid}{calls}. Proven for these paths, not for every mixture of their steps."


@dataclass(frozen=True, slots=True)
class OfferSet:
    """Everything that one day's paths gave: curves, profiles, proof, and what the day is expected to cost.

    ``expected_cost`` is the mean over the paths of each one's own optimum; ``distance_kwh`` says, by quantile over the paths, how
    far the curve is from that optimum, in kWh of the day. ``margin_kwh`` has one value per interval.
    """

    site: str
    currency: str
    time_zone: str
    horizon: Horizon
    curves: tuple[OfferCurve, ...]
    reserve: tuple[OfferCurve, ...]
    profiles: tuple[ProfileOffer, ...]
    proof: OfferProof
    forecast: str
    seed: int
    margin_kwh: tuple[float, ...]
    expected_cost: float
    distance_kwh: Mapping[str, float]

    def cleared_wh(self, price_per_kwh: Floats) -> Ints:
        """Return what is fed at given prices, shape (interval,): the position if they clear."""
        prices = per_mwh_micro(price_per_kwh).tolist()
        return np.array([c.at(p).quantity_wh for c, p in zip(self.curves, prices, strict=True)], dtype=np.int64)

    def best_profile(self, price_per_kwh: Floats) -> ProfileOffer:
        """Return the profile of the group that costs least at given prices."""
        prices = per_mwh_micro(price_per_kwh)
        return min(self.profiles, key=lambda p: p.total_micro(prices))


def per_mwh_micro(price_per_kwh: Floats) -> Ints:
    """Return prices per kWh as whole millionths per MWh."""
    found: Ints = np.rint(price_per_kwh * KILO * MICRO).astype(np.int64)
    return found
