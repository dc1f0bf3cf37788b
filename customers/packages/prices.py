"""Price designs: how a package's gain is shared between customer and us, who carries the risk, and what the customer is likely to accept."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
STEPS = 41
FLOOR_QUANTILE, CAUTIOUS = 0.25, 0.10


class Design(StrEnum):
    """Who gets what of a saving."""

    FIXED_FEE = "fixed_fee"
    """A fee whatever is saved: the customer carries the risk."""
    SHARE = "share"
    """A share of what was saved, nothing of a loss."""
    GUARANTEE = "guarantee"
    """A saving is guaranteed and the rest is ours: we carry the risk."""
    FLOOR_SHARE = "floor_share"
    """A low fee, and a share of what is saved beyond an agreed floor."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How likely a customer signs, by what it keeps in a bad year as a share of its bill: a logistic curve.

    An assumption, to be replaced by what sales has seen.
    """

    middle_share: float = 0.01
    scale_share: float = 0.01

    def of(self, kept: Floats, bill: float) -> Floats:
        """Return the likelihood of signing for what is kept in a year that nine of ten exceed."""
        return np.asarray(1.0 / (1.0 + np.exp(-(kept / bill - self.middle_share) / self.scale_share)))


@dataclass(frozen=True, slots=True)
class Offer:
    """One price design with its terms; money per year.

    ``margin`` are our samples over the drawn years, shape (replicate,): payment and other income less cost. ``share`` and ``amount`` mean what the design says:
    fee, guaranteed saving, or fee with share beyond ``floor``.
    """

    design: Design
    amount: float
    share: float
    floor: float
    acceptance: float
    customer_mean: float
    customer_p10: float
    loss_probability: float
    """How likely the customer is worse off after the fee."""
    margin: Floats

    @property
    def margin_mean(self) -> float:
        """Our expected margin if it is signed."""
        return float(self.margin.mean())

    @property
    def margin_p10(self) -> float:
        """Our margin in a year that nine of ten exceed."""
        return float(np.quantile(self.margin, CAUTIOUS))

    @property
    def our_loss_probability(self) -> float:
        """How likely we lose money on it in a year."""
        return float((self.margin < 0).mean())

    @property
    def expected(self) -> float:
        """Expected margin times how likely it is signed."""
        return self.margin_mean * self.acceptance


def price_designs(
    saving: Floats, yearly_cost: float, bill: float, acceptance: Acceptance | None = None
) -> dict[Design, Offer]:
    """Return the best terms of each design for savings (replicate,) of a package that costs us ``yearly_cost`` a year.

    The fee, the share and the guarantee are searched on a grid of 41 values; best is expected margin times likelihood of signing.
    """
    curve = acceptance or Acceptance()
    top = max(float(np.quantile(saving, 0.9)), 1.0)
    floor = max(float(np.quantile(saving, FLOOR_QUANTILE)), 0.0)
    grid = np.linspace(0.0, 1.0, STEPS)
    payments = {
        Design.FIXED_FEE: np.repeat((grid * top)[:, np.newaxis], len(saving), axis=1),
        Design.SHARE: grid[:, np.newaxis] * np.maximum(saving, 0.0),
        Design.GUARANTEE: saving - (grid * top)[:, np.newaxis],
        Design.FLOOR_SHARE: (grid * floor)[:, np.newaxis] + 0.5 * np.maximum(saving - floor, 0.0),
    }
    return {d: _best(d, p, saving, yearly_cost, bill, curve, grid, top, floor) for d, p in payments.items()}


def _best(
    design: Design,
    payment: Floats,
    saving: Floats,
    cost: float,
    bill: float,
    curve: Acceptance,
    grid: Floats,
    top: float,
    floor: float,
) -> Offer:
    """Return the terms whose expected margin times acceptance is best; shape of ``payment`` is (term, replicate)."""
    kept = saving - payment
    p10 = np.quantile(kept, CAUTIOUS, axis=1)
    accepted = curve.of(p10, bill)
    margin = payment - cost
    k = int(np.argmax(margin.mean(axis=1) * accepted))
    amount, share = {
        Design.FIXED_FEE: (grid[k] * top, 0.0),
        Design.SHARE: (0.0, grid[k]),
        Design.GUARANTEE: (grid[k] * top, 0.0),
        Design.FLOOR_SHARE: (grid[k] * floor, 0.5),
    }[design]
    return Offer(
        design,
        float(amount),
        float(share),
        floor if design is Design.FLOOR_SHARE else 0.0,
        float(accepted[k]),
        float(kept[k].mean()),
        float(p10[k]),
        float((kept[k] < -1e-6).mean()),
        margin[k],
    )


def chosen(offers: dict[Design, Offer], most_loss: float = 0.1) -> Offer | None:
    """Return the design with the best expected margin among those that lose us money in at most ``most_loss`` of the years.

    None where no design earns anything.
    """
    sound = [o for o in offers.values() if o.margin_mean > 0 and o.our_loss_probability <= most_loss]
    return max(sound, key=lambda o: o.expected, default=None)


def together(offers: list[Offer]) -> Floats:
    """Return our margin over all customers in each drawn year, shape (replicate,): weather and common shocks are the same draw for all."""
    return np.asarray(np.sum([o.margin for o in offers], axis=0))
