"""A participant's portfolio: what it has bought and sold for each period, under which contracts, and what is still open to the market.

Quantities are watt-hours, positive where energy is sold, negative where it is bought; prices are millionths of the currency per MWh.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from market.products import MarketError, amount_micro
from market.settlement import DifferenceContract, Trade
from models.findings import Finding, error

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EnergyContract:
    """Energy agreed beforehand at one price: ``total_wh`` over a stretch of periods, delivered along a curve.

    ``weights`` say how much of it falls into each period; they sum to anything above 0. Sold quantities are positive.
    """

    id: str
    counterparty: str
    total_wh: int
    price_micro: int
    weights: tuple[float, ...]

    def decomposed_wh(self) -> tuple[int, ...]:
        """Return the energy of every period; together they are exactly the total (largest remainders first).

        Raises
        ------
        MarketError
            If a weight is negative or not a number, or all are 0.
        """
        weights = np.asarray(self.weights, dtype=float)
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise MarketError(
                [error(self.id, "the weights of a decomposition curve are numbers from 0 on and not all 0")]
            )
        exact = abs(self.total_wh) * (weights / weights.sum())
        whole = np.floor(exact).astype(np.int64)
        left = abs(self.total_wh) - int(whole.sum())
        order = np.argsort(-(exact - whole), kind="stable")
        whole[order[:left]] += 1
        sign = -1 if self.total_wh < 0 else 1
        return tuple((sign * whole).tolist())

    def trades(self, participant: str) -> tuple[Trade, ...]:
        """Return the contract's deliveries as trades."""
        return tuple(
            Trade(participant, k, wh, self.price_micro, self.id) for k, wh in enumerate(self.decomposed_wh()) if wh
        )


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a portfolio may cost over price paths, in the currency: the mean, the cost that is exceeded with a given probability, the mean beyond it.

    ``open_wh`` is what is expected to be metered beside the position, ``hedged_share`` the part of the expected energy that has a price.
    """

    mean_cost: float
    value_at_risk: float
    conditional_value_at_risk: float
    level: float
    open_wh: tuple[int, ...]
    hedged_share: float


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Trades and contracts of one participant over the periods of one delivery."""

    participant: str
    periods: int
    trades: tuple[Trade, ...] = ()
    differences: tuple[DifferenceContract, ...] = ()

    def with_trades(self, trades: Sequence[Trade]) -> "Portfolio":
        """Return the portfolio with more trades.

        Raises
        ------
        MarketError
            With every trade of somebody else or of a period that does not exist; none is taken then.
        """
        if found := list(self._strange(trades)):
            raise MarketError(found)
        return replace(self, trades=(*self.trades, *trades))

    def with_contract(self, contract: EnergyContract | DifferenceContract) -> "Portfolio":
        """Return the portfolio with a contract: energy becomes trades, a contract for difference is kept beside them.

        Raises
        ------
        MarketError
            If it does not fit the portfolio's periods or participant.
        """
        if isinstance(contract, EnergyContract):
            return self.with_trades(contract.trades(self.participant))
        if len(contract.quantity_wh) != self.periods or self.participant not in (contract.holder, contract.writer):
            words = f"covers {len(contract.quantity_wh)} periods between {contract.holder} and {contract.writer}"
            raise MarketError(
                [error(contract.id, f"{words}; the portfolio is {self.participant}'s over {self.periods}")]
            )
        return replace(self, differences=(*self.differences, contract))

    def position_wh(self) -> Ints:
        """Return what is sold (> 0) or bought in each period."""
        found = np.zeros(self.periods, dtype=np.int64)
        for t in self.trades:
            found[t.period] += t.quantity_wh
        return found

    def cash_micro(self) -> Ints:
        """Return what the trades of each period bring (> 0) or cost."""
        found = np.zeros(self.periods, dtype=np.int64)
        for t in self.trades:
            found[t.period] += amount_micro(t.quantity_wh, t.price_micro)
        return found

    def by_trace(self) -> dict[str, int]:
        """Return what was sold (> 0) or bought, in Wh, by what it came from."""
        found: defaultdict[str, int] = defaultdict(int)
        for t in self.trades:
            found[t.trace] += t.quantity_wh
        return dict(found)

    def exposure(self, expected_wh: Ints, prices_per_mwh: Floats, *, level: float = 0.95) -> Exposure:
        """Return what the portfolio may cost when what is expected is metered and the rest settles at each path's prices.

        Parameters
        ----------
        expected_wh
            What is expected to be metered, positive where it feeds, shape (period,).
        prices_per_mwh
            Equally probable prices, in the currency, shape (path, period).
        level
            Of the value at risk, 0 to 1.

        Raises
        ------
        MarketError
            With everything that does not fit.
        """
        if found := list(self._unfit(expected_wh, prices_per_mwh, level)):
            raise MarketError(found)
        position = self.position_wh()
        beside = expected_wh - position
        earned = float(self.cash_micro().sum()) / 1e6 + prices_per_mwh @ beside / 1e6
        for c in self.differences:
            sign = 1.0 if c.holder == self.participant else -1.0
            strike = c.strike_micro / 1e6
            earned = earned + sign * ((strike - prices_per_mwh) @ np.array(c.quantity_wh)) / 1e6
        cost = np.sort(-earned)
        edge = int(np.ceil(level * len(cost))) - 1
        covered = np.abs(position) + sum(
            (np.abs(np.array(c.quantity_wh)) for c in self.differences), np.zeros(self.periods)
        )
        size = np.abs(expected_wh)
        share = float(np.minimum(covered, size).sum() / size.sum()) if size.sum() else 1.0
        return Exposure(
            float(cost.mean()),
            float(cost[max(edge, 0)]),
            float(cost[max(edge, 0) :].mean()),
            level,
            tuple(beside.tolist()),
            share,
        )

    def _strange(self, trades: Sequence[Trade]) -> Iterator[Finding]:
        for t in trades:
            if t.participant != self.participant:
                yield error(
                    t.trace or t.participant, f"is a trade of {t.participant}; this portfolio is {self.participant}'s"
                )
            if not 0 <= t.period < self.periods:
                yield error(t.trace or t.participant, f"is of period {t.period}; there are 0 to {self.periods - 1}")

    def _unfit(self, expected_wh: Ints, prices: Floats, level: float) -> Iterator[Finding]:
        if np.shape(expected_wh) != (self.periods,):
            yield error("expected_wh", f"has shape {np.shape(expected_wh)}; the portfolio has {self.periods} periods")
        if np.ndim(prices) != 2 or np.shape(prices)[-1] != self.periods or not len(prices):
            yield error(
                "prices_per_mwh", f"has shape {np.shape(prices)}; give at least one path over {self.periods} periods"
            )
        elif not np.isfinite(prices).all():
            yield error("prices_per_mwh", "holds values that are not numbers")
        if not 0.0 < level < 1.0:
            yield error("level", f"is {level:g}; it lies between 0 and 1")
