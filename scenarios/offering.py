"""A local day that is offered to a market: the problem on its forecast and as it came, its prices, and what a curve was worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from market.prices import PriceHistory, on_horizon
from models.actuals import Actuals
from models.components import Store
from models.dispatch import DispatchProblem, EndTerm
from models.forecast import Forecast
from models.forecast.naive import NaiveForecaster, PerfectForecaster
from models.forecast.netload import import_weights
from models.horizon import HOUR, Horizon
from models.site import Site
from models.trading import MarketTerms
from optimizers.dispatch import Dispatcher
from optimizers.offers.build import OfferSettings, offers_of
from optimizers.offers.day import MarketDay
from optimizers.offers.margin import newsvendor_kwh
from optimizers.offers.paths import PricePaths
from optimizers.offers.recourse import least_cost
from scenarios.day import local_day
from twin.state import start_snapshot

Floats = npt.NDArray[np.float64]
END_SHORT_PER_KWH = 5.0
MARGIN_DAYS = 10
RESERVE_SPREAD = 0.3
"""Standard deviation of what capacity fetches around its contract's price, in the logarithm; made up."""


@dataclass(frozen=True, slots=True)
class Deviations:
    """What a kWh beside the position costs on top of the hour's price: too little bought (short), too much (long)."""

    short_per_kwh: float
    long_per_kwh: float


class TradingDays:
    """Days of an emulated site at a market; ``fee_per_kwh`` is paid on metered import."""

    def __init__(
        self, site: Site, prices: PriceHistory, *, seed: int, fee_per_kwh: float, step: timedelta = HOUR
    ) -> None:
        self.site, self.prices, self.fee_per_kwh, self.step = site, prices, fee_per_kwh, step
        self.seed = seed
        actuals = Actuals(site, seed)
        self._naive, self._perfect = NaiveForecaster(site, actuals), PerfectForecaster(actuals)

    def horizon(self, day: date) -> Horizon:
        """Return the steps of a local day."""
        period = local_day(self.site, day)
        return Horizon.uniform(period.start, period.end, self.step)

    def expected(self, day: date) -> DispatchProblem:
        """Return the day on what is forecast for it."""
        return self._problem(day, self._naive.forecast(self.horizon(day)))

    def actual(self, day: date) -> DispatchProblem:
        """Return the day as it came, known from its beginning."""
        return self._problem(day, self._perfect.forecast(self.horizon(day)))

    def paths(self, day: date, count: int) -> PricePaths:
        """Return the day's price paths, made from the days before it; capacity may fetch more or less than its contracts say."""
        ahead, horizon = self.prices.ahead(day, count), self.horizon(day)
        rng, shape = np.random.default_rng([self.seed, day.toordinal()]), (len(ahead.paths), len(horizon))
        reserve = {
            c.id: c.price_per_kw_h * np.exp(RESERVE_SPREAD * rng.standard_normal(shape))
            for c in self.site.reserves
            if c.price_per_kw_h > 0
        }
        return PricePaths(on_horizon(ahead.paths, horizon), on_horizon(ahead.expected, horizon), reserve)

    def came(self, day: date) -> Floats:
        """Return the prices that came, on the day's steps."""
        return on_horizon(self.prices.of(day), self.horizon(day))

    def net_errors_kwh(self, day: date, days: int = MARGIN_DAYS) -> Floats:
        """Return how far the net load of the days before was above its forecast; shape (day, step)."""
        before, steps = (day - timedelta(days=k) for k in range(1, days + 1)), len(self.horizon(day))
        found = [self.missed_kwh(d) for d in before if len(self.horizon(d)) == steps]
        return np.array(found).reshape(len(found), steps)

    def missed_kwh(self, day: date) -> Floats:
        """Return how far the net load of a day was above its forecast, by what nobody controls; shape (step,)."""
        horizon = self.horizon(day)
        missed = self._perfect.forecast(horizon).values - self._naive.forecast(horizon).values
        weights = import_weights(self.site)
        net: Floats = np.sum([w * missed.sel(series=s).to_numpy() for s, w in weights.items()], axis=0)
        return net * horizon.step_h

    def margin_kwh(self, day: date, deviations: Deviations) -> Floats:
        """Return what to buy on top in each step, by the errors of the days before."""
        return newsvendor_kwh(self.net_errors_kwh(day), deviations.short_per_kwh, deviations.long_per_kwh)

    def _problem(self, day: date, forecast: Forecast) -> DispatchProblem:
        horizon = self.horizon(day)
        initial = start_snapshot(self.site, horizon.start)
        stored = {str(a): float(initial.stored_kwh.sel(asset=a)) for a in initial.stored_kwh["asset"].to_numpy()}
        ends = {s.id: EndTerm(stored[s.id], 0.0, END_SHORT_PER_KWH) for s in self.site.of_kind(Store)}
        return DispatchProblem(self.site, horizon, forecast, initial, ends=ends)


def regrets(
    days: TradingDays, day: date, positions_kwh: Mapping[str, Floats], deviations: Deviations, dispatcher: Dispatcher
) -> dict[str, float]:
    """Return what each position (net purchase, shape (step,)) costs beyond having known prices and loads, in the site's currency.

    The position is met as well as the day that came allows, known from its beginning; every kWh beside it costs ``deviations`` on top.
    """
    problem, price = days.actual(day), days.came(day)
    free = least_cost(problem, MarketTerms(price, days.fee_per_kwh), dispatcher)
    step_h = problem.horizon.step_h
    return {
        name: least_cost(
            problem,
            MarketTerms(price, days.fee_per_kwh, kwh / step_h, deviations.short_per_kwh, deviations.long_per_kwh),
            dispatcher,
        )
        - free
        for name, kwh in positions_kwh.items()
    }


def positions(
    days: TradingDays, day: date, dispatcher: Dispatcher, *, count: int, steps: int, margin_kwh: Floats | None = None
) -> dict[str, Floats]:
    """Return the positions of a day by method: the curve, the schedule at the expected price, and with the price known; shape (step,)."""
    market, paths, came = (
        MarketDay(days.expected(day), days.fee_per_kwh, dispatcher),
        days.paths(day, count),
        days.came(day),
    )
    offers = offers_of(
        market, paths, market.optima(paths), OfferSettings(steps=steps, profiles=0, margin_kwh=margin_kwh)
    )
    known = market.optima(PricePaths(np.stack([paths.expected_per_kwh, came]), paths.expected_per_kwh)).bought_kwh
    return {"curve": offers.cleared_wh(came) / -1e3, "schedule": known[0], "known price": known[1]}
