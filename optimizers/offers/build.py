"""A day's offers from its price paths: curves, capacity, profiles and what they are expected to cost."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.offers import OfferCurve, OfferProof, OfferSet, per_mwh_micro
from models.tariffs.money import KILO
from optimizers.offers.curves import MOST_STEPS, curves_of
from optimizers.offers.day import MarketDay, Optima
from optimizers.offers.paths import PricePaths
from optimizers.offers.profiles import profile_offers

Floats = npt.NDArray[np.float64]
QUANTILES = (0.5, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class OfferSettings:
    """How offers are made: steps per curve, profiles per group, and what is bought on top, shape (step,), None for nothing."""

    steps: int = MOST_STEPS
    profiles: int = 8
    margin_kwh: Floats | None = None
    seed: int = 0


def offers_of(
    day: MarketDay,
    paths: PricePaths,
    optima: Optima,
    settings: OfferSettings | None = None,
    proof: OfferProof | None = None,
) -> OfferSet:
    """Return the offers that the paths' optima make; ``proof`` says what has been replayed of them."""
    chosen, horizon, site = settings or OfferSettings(), day.problem.horizon, day.problem.site
    margin = chosen.margin_kwh if chosen.margin_kwh is not None else np.zeros(len(horizon))
    beside = optima.marginal_per_kwh, optima.stored_per_kwh
    curves = curves_of(horizon, paths.energy_per_kwh, -optima.bought_kwh, beside, margin_kwh=margin, most=chosen.steps)
    return OfferSet(
        site=site.name,
        currency=site.currency,
        time_zone=site.location.time_zone,
        horizon=horizon,
        curves=curves,
        reserve=_capacity(day, paths, optima, chosen.steps),
        profiles=profile_offers(
            paths.energy_per_kwh,
            optima.bought_kwh,
            optima.beside,
            count=chosen.profiles,
            group=f"{site.name}-{horizon.start:%Y%m%d}",
        ),
        proof=proof or OfferProof(paths.digest),
        forecast=day.problem.forecast.source,
        seed=chosen.seed,
        margin_kwh=tuple(margin.tolist()),
        expected_cost=float(optima.cost.mean()),
        distance_kwh=_distances(paths, optima, curves, margin),
    )


def _capacity(day: MarketDay, paths: PricePaths, optima: Optima, most: int) -> tuple[OfferCurve, ...]:
    """Return the curves of capacity, by contract and interval."""
    found: tuple[OfferCurve, ...] = ()
    beside = optima.marginal_per_kwh, optima.stored_per_kwh
    for contract, prices in paths.reserve_per_kw_h.items():
        held = optima.held_kw[contract]
        found += curves_of(day.problem.horizon, prices, held, beside, most=most, kind="reserve", contract=contract)
    return found


def _distances(paths: PricePaths, optima: Optima, curves: tuple[OfferCurve, ...], margin: Floats) -> dict[str, float]:
    """Return by how many kWh a day the curve stands beside each path's own optimum, by quantile over the paths."""
    prices = per_mwh_micro(paths.energy_per_kwh).tolist()
    fed = np.array([[c.at(p).quantity_wh for c, p in zip(curves, row, strict=True)] for row in prices]) / KILO
    away = np.abs(fed + margin + optima.bought_kwh).sum(axis=1)
    return {f"{q:g}": float(np.quantile(away, q)) for q in QUANTILES}
