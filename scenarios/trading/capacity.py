"""Capacity of a trading day: what contracts on reserve and regulation take of the offers, what plans must hold for it, and what it earns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from market.ancillary import PPM, Award, CapacityOffer, Performance, ancillary_items, award
from market.settlement import Item
from models.dispatch import Plan
from models.horizon import Horizon
from models.offers import OfferSet, per_mwh_micro
from models.site import ReserveContract, Site

Floats = npt.NDArray[np.float64]
W_PER_KW = 1_000


@dataclass(frozen=True, slots=True)
class Capacity:
    """What was awarded by period: an award with the contract that it is for."""

    awards: tuple[tuple[tuple[ReserveContract, Award], ...], ...]

    @property
    def awarded_kw(self) -> Floats:
        """Awarded capacity over all contracts, shape (period,)."""
        return np.array([sum(a.capacity_w for _, a in period) / W_PER_KW for period in self.awards])

    def asked_kw(self, horizon: Horizon, starts: npt.NDArray[np.int64]) -> xr.DataArray | None:
        """Return what each contract asks of a plan, dims (contract, time); ``starts`` (step,) is the period that each step lies in."""
        names = sorted({c.id for period in self.awards for c, _ in period})
        if not names:
            return None
        by_period = [{c.id: a.capacity_w / W_PER_KW for c, a in period} for period in self.awards]
        values = [[by_period[k].get(name, 0.0) for k in starts.tolist()] for name in names]
        return xr.DataArray(values, {"contract": names, "time": horizon.times}, ("contract", "time"))

    def items(self, schedule: Plan) -> Iterator[Item]:
        """Give what capacity earned; what a schedule of the periods does not hold is missing. Regulation goes as far as its contract expects."""
        for k, period in enumerate(self.awards):
            done = [
                Performance(a.offer.id, *2 * (round(a.capacity_w * c.mileage_per_h),), _held_ppm(schedule, c, a, k))
                for c, a in period
            ]
            yield from ancillary_items(k, [a for _, a in period], done)


def awarded(site: Site, offers: OfferSet, trace: str) -> Capacity:
    """Return what the contracts of a site take of its offers, at the contracts' prices and up to what each takes at most."""
    contracts = {c.id: c for c in site.reserves}
    found: list[list[tuple[ReserveContract, Award]]] = [[] for _ in offers.curves]
    starts = [c.start for c in offers.curves]
    for curve in offers.reserve:
        contract, k = contracts[curve.contract], starts.index(curve.start)
        price = int(per_mwh_micro(np.array(contract.price_per_kw_h)))
        offered = curve.at(price).quantity_wh
        if offered > 0:
            offer = CapacityOffer(
                f"{trace}-{contract.id}-{k:02d}",
                site.name,
                offered,
                price,
                int(per_mwh_micro(np.array(contract.mileage_price_per_kw))),
            )
            most = offered if contract.most_kw is None else round(contract.most_kw * W_PER_KW)
            found[k] += [(contract, a) for a in award(most, [offer])[0]]
    return Capacity(tuple(map(tuple, found)))


def _held_ppm(schedule: Plan, contract: ReserveContract, taken: Award, period: int) -> int:
    """Return the share of an award that a schedule holds in a period, in millionths; less than a watt away is nothing."""
    if schedule.reserve_kw is None:
        return 0
    held_w = W_PER_KW * float(schedule.reserve_kw.sel(contract=contract.id).sum("asset").to_numpy()[period])
    return PPM if held_w + 1.0 >= taken.capacity_w else int(PPM * held_w // taken.capacity_w)
