"""The plant's heat and cold networks through the day: what they lose, and how warm the water is where it arrives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.actuals import Actuals
from models.carriers import Carrier
from models.components import Consumer
from models.horizon import QUARTER, Horizon
from models.networks.data import PipeNetwork
from models.networks.status import Status
from models.site import Site

Array = npt.NDArray[np.float64]
DAY = timedelta(days=1)


def pipe_loss_kw(network: PipeNetwork) -> float:
    """Return what the supply and return tubes of a heat or cold network lose to the ground at their rated temperatures.

    Heat networks lose heat, cold networks lose cold; never negative.
    """
    tube_w_per_k = sum(p.heat_loss_w_per_m_k * p.length_m for p in network.pipes if p.open)
    apart_k = (network.supply_degc - network.ground_degc) + (network.return_degc - network.ground_degc)
    return max(tube_w_per_k * (-apart_k if network.carrier == "cold" else apart_k) / 1e3, 0.0)


@dataclass(frozen=True, slots=True)
class _Day:
    """A network over the quarter hours of one UTC day; temperatures and pressure differences have dims (junction, quarter)."""

    start: datetime
    loss_kw: Array
    supply_degc: Array
    return_degc: Array
    dp_kpa: Array


class Pipes:
    """One heat or cold network, solved a day at a time for what its consumers really draw.

    A quarter hour without a solution has the rated losses and temperatures.
    """

    def __init__(self, site: Site, network: PipeNetwork, actuals: Actuals) -> None:
        self.network = network
        self.row: Mapping[str, int] = {j.id: i for i, j in enumerate(network.junctions)}
        self._actuals = actuals
        self._demands = [
            (d.node, d.profile, d.scale)
            for c in site.of_kind(Consumer)
            for d in c.demands
            if d.carrier is Carrier(network.carrier) and d.node in network.consumers
        ]
        self._day: _Day | None = None
        self._shown: tuple[datetime, int] | None = None
        self._water: list[tuple[float, float, float]] = []
        self.loss_kw = 0.0
        """What the network loses in the quarter hour it was last moved to."""

    def move(self, instant: datetime) -> None:
        """Go to the quarter hour around ``instant``."""
        start = instant.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._day is None or self._day.start != start:
            self._day = self._solve(start)
        quarter = (instant - start) // QUARTER
        if (start, quarter) != self._shown:
            self._shown = start, quarter
            self.loss_kw = float(self._day.loss_kw[quarter])
            tables = (self._day.supply_degc, self._day.return_degc, self._day.dp_kpa)
            self._water = list(zip(*(t[:, quarter].tolist() for t in tables), strict=True))

    def degc(self, junction: str) -> tuple[float, float]:
        """Return supply and return temperature at a junction; KeyError for a stranger."""
        return self._water[self.row[junction]][:2]

    def dp_kpa(self, junction: str) -> float:
        """Return the pressure difference between supply and return at a junction; KeyError for a stranger."""
        return self._water[self.row[junction]][2]

    def _solve(self, start: datetime) -> _Day:
        network = self.network
        found = self._flow(start) if self._demands else None
        quarters = DAY // QUARTER
        shape = len(network.junctions), quarters
        if found is None:
            fine = np.zeros(quarters, dtype=bool)
            loss, supply, back, dp = np.zeros(quarters), *np.zeros((3, *shape))
        else:
            fine = found["status"].to_numpy() == Status.OK
            ids = list(self.row)
            loss = found["loss_kw"].to_numpy()
            supply, back, dp = (found[n].sel(junction=ids).to_numpy() for n in ("supply_degc", "return_degc", "dp_kpa"))
        return _Day(
            start,
            np.where(fine, np.clip(loss, 0.0, None), pipe_loss_kw(network)),
            np.where(fine, supply, network.supply_degc),
            np.where(fine, back, network.return_degc),
            np.where(fine, dp, network.pump_lift_kpa),
        )

    def _flow(self, start: datetime) -> xr.Dataset:
        from models.networks.cold import solve_cold
        from models.networks.heat import solve_heat

        means = self._actuals.means(Horizon.uniform(start, start + DAY, QUARTER))
        drawn = np.zeros((len(self.network.consumers), means.sizes["time"]))
        for node, profile, scale in self._demands:
            drawn[self.network.consumers.index(node)] += scale * means.sel(series=profile).to_numpy()
        coords = {"consumer": list(self.network.consumers), "time": means.time}
        demand = xr.DataArray(drawn, coords, ("consumer", "time"))
        return solve_cold(self.network, demand) if self.network.carrier == "cold" else solve_heat(self.network, demand)
