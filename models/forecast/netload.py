"""What series mean for the import: by how much each one moves it, and a forecast on the safe side of a peak."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from models.carriers import Carrier
from models.components import Consumer, FlexibleLoad, Pv, Wind
from models.forecast.forecast import Forecast
from models.forecast.naive import Forecaster
from models.horizon import Horizon
from models.site import Site


@runtime_checkable
class CautiousForecaster(Protocol):
    """A forecaster that knows how sure it is."""

    def cautious(self, horizon: Horizon) -> Forecast:
        """Return a forecast whose import is rather too high than too low."""
        ...


def cautiously(forecaster: Forecaster, horizon: Horizon) -> Forecast:
    """Return a forecast for a decision that regrets too little more than too much; the plain one where nothing is known of errors."""
    return forecaster.cautious(horizon) if isinstance(forecaster, CautiousForecaster) else forecaster.forecast(horizon)


def import_weights(site: Site) -> dict[str, float]:
    """Return by how many kW the import moves when a series moves by one of its units and nobody acts."""
    found: dict[str, float] = {}

    def add(parts: Iterable[tuple[str, float]]) -> None:
        for name, weight in parts:
            found[name] = found.get(name, 0.0) + weight

    electric = (d for c in site.of_kind(Consumer) for d in c.demands if d.carrier is Carrier.ELECTRICITY)
    add((d.profile, d.scale) for d in electric)
    add((load.profile, load.scale) for load in site.of_kind(FlexibleLoad))
    add((pv.profile, -pv.peak_kw) for pv in site.of_kind(Pv))
    add((wind.profile, -wind.rated_kw) for wind in site.of_kind(Wind))
    return found
