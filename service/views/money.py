"""What the present costs and emits: contract prices times what the connections show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import GasSupply, GridConnection
from models.horizon import QUARTER, Horizon
from models.site import ElectricityContract, GasContract, Site
from models.tariffs.terms import optimizer_terms
from service.history import EPOCH, History, Span

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """Cost and emission of buying and selling, per hour or summed over a period, in the site's currency and kg."""

    cost: float
    co2_kg: float


@dataclass(frozen=True, slots=True)
class Price:
    """What a kWh costs when bought and earns when sent out, in the site's currency."""

    bought: float
    sent_out: float


class Prices:
    """Prices of a site's electricity contracts by quarter-hour, worked out once each."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._contracts = [c.id for c in site.contracts if isinstance(c, ElectricityContract)]
        self._known: dict[int, Mapping[str, Price]] = {}

    def at(self, instant: datetime) -> Mapping[str, Price]:
        """Return each contract's prices in the quarter-hour around an instant, by contract id."""
        number = (instant - EPOCH) // QUARTER
        if number not in self._known:
            start = EPOCH + number * QUARTER
            quarter = Horizon.uniform(start, start + QUARTER)
            self._known[number] = {c: self._priced(c, quarter) for c in self._contracts}
            self._known.pop(number - KEPT_QUARTERS, None)
        return self._known[number]

    def _priced(self, contract: str, quarter: Horizon) -> Price:
        bought, sent_out = optimizer_terms(self._site.tariff(contract), quarter).marginal_per_kwh()
        return Price(float(bought[0]), float(sent_out[0]))


NO_PRICE = Price(0.0, 0.0)
KEPT_QUARTERS = 400


def rate_now(site: Site, history: History, power_kw: Array, price_per_kwh: Mapping[str, Price]) -> Rate:
    """Return what one hour like this instant would cost and emit; ``power_kw`` is (asset, carrier), prices are by contract."""
    return _summed(site, history, np.clip(power_kw, 0.0, None), np.clip(-power_kw, 0.0, None), price_per_kwh)


def spent(site: Site, history: History, span: Span, prices: Prices) -> Rate:
    """Return what the measured part of a span has cost and emitted so far, demand charge left out."""
    cost = co2 = 0.0
    quarters = np.array([(s - EPOCH) // QUARTER for s in span.starts], dtype=np.int64)
    for quarter in np.unique(quarters):
        inside = quarters == quarter
        fed, drawn = span.fed_kwh[inside].sum(axis=0), span.drawn_kwh[inside].sum(axis=0)
        rate = _summed(site, history, fed, drawn, prices.at(EPOCH + int(quarter) * QUARTER))
        cost, co2 = cost + rate.cost, co2 + rate.co2_kg
    return Rate(cost, co2)


def _summed(site: Site, history: History, fed: Array, drawn: Array, price: Mapping[str, Price]) -> Rate:
    row = {name: i for i, name in enumerate(history.assets)}
    power, gas = history.carriers.index(Carrier.ELECTRICITY), history.carriers.index(Carrier.GAS)
    cost = co2 = 0.0
    for grid in site.of_kind(GridConnection):
        imported, exported = float(fed[row[grid.id], power]), float(drawn[row[grid.id], power])
        here = price.get(grid.contract, NO_PRICE)
        cost += imported * here.bought - exported * here.sent_out
        co2 += imported * grid.co2_kg_per_kwh
    for gate in site.of_kind(GasSupply):
        contract = site.contract(gate.contract)
        taken = float(fed[row[gate.id], gas])
        cost += taken * (contract.price_per_kwh if isinstance(contract, GasContract) else 0.0)
        co2 += taken * gate.co2_kg_per_kwh
    return Rate(cost, co2)
