"""Water under way: how far temperatures are from steady state, so that an estimate on steady rows is not fooled by a new supply temperature.

A parcel model runs beside the estimator on the same measured inputs. What it says more or less than the steady model is taken off the
measured temperatures before the fit, and the fit trusts them the less the larger the correction is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.plugflow import PlugState, advance_pipes, start_state
from twin.estimate.heat import HeatRows
from twin.estimate.problem import Array


@dataclass(frozen=True, slots=True)
class Trust:
    """How far an offset may be off: a share of itself and a floor, at consumers and at the plant."""

    share: float
    consumer_k: float
    plant_k: float


TRUST = {True: Trust(0.15, 0.2, 0.1), False: Trust(0.3, 0.3, 0.15)}
"""By whether the pipes' volume was calibrated: where water hardly flows, a wrong delay is hours of a wrong temperature."""
MIXED_K = 0.5
SMALLEST_KG_PER_S = 1e-4


@dataclass(frozen=True, slots=True)
class Offset:
    """What to take off a measured temperature (K), and how much less to trust it (one standard deviation, K)."""

    correction_k: float
    sigma_k: float

    def widened(self, sigma_k: float) -> float:
        """Return a sensor's uncertainty together with the correction's."""
        return hypot(sigma_k, self.sigma_k)


class PlugOffset:
    """The parcel model beside the estimator, for one heat or cold network.

    ``rows`` gives the steady side: both models get the same flows, temperature differences and supply temperature, so that what is left
    between them is the water under way and nothing else. ``volume_known`` says whether the pipes' volume was calibrated.
    """

    def __init__(self, rows: HeatRows, state: PlugState | None = None, *, volume_known: bool = True) -> None:
        self.rows = rows
        self._trust = TRUST[volume_known]
        self.network: PipeNetwork = rows.network
        self.state = state or start_state(self.network)

    def advance(
        self, taken_kw: Mapping[str, float], supply_degc: float, return_degc: Mapping[str, float], step_s: float
    ) -> dict[str, Offset]:
        """Move the water on by one step and return the offsets by ``element.quantity``.

        Parameters
        ----------
        taken_kw
            Power taken by each consumer during the step (cold counts positive here), never negative.
        supply_degc
            Temperature at which the plant feeds during the step.
        return_degc
            Temperature at which each consumer sends water back; the network's design value where left out.
        step_s
            Length of the step; it is cut into substeps of at most 60 s.
        """
        net = self.network
        time = {"time": np.zeros(1, dtype="datetime64[ns]")}
        coords = {"consumer": list(net.consumers), **time}
        taken = np.array([taken_kw.get(c, 0.0) for c in net.consumers])
        back = np.array([return_degc.get(c, net.return_degc) for c in net.consumers])
        self.state, moving = advance_pipes(
            net,
            self.state,
            xr.DataArray(taken[:, None], coords, ("consumer", "time")),
            xr.DataArray(np.array([supply_degc]), time, ("time",)),
            step_s=step_s,
            return_degc=xr.DataArray(back[:, None], coords, ("consumer", "time")),
        )
        return self._offsets(moving, taken, back, supply_degc)

    def _offsets(self, moving: xr.Dataset, taken_kw: Array, back_degc: Array, supply_degc: float) -> dict[str, Offset]:
        net = self.network
        arriving = moving["supply_degc"].sel(junction=list(net.consumers)).values[:, -1]
        delta = arriving - back_degc
        sign = -1.0 if net.carrier == "cold" else 1.0
        flow = np.where(np.abs(delta) > MIXED_K, sign * taken_kw / (self.rows.heat_capacity_kj_per_kg_k * delta), 0.0)
        around = moving["flow_kg_per_s"].sel(pipe=list(self.rows.chords)).values[:, -1]
        x = np.concatenate([np.maximum(flow, SMALLEST_KG_PER_S), delta, [supply_degc, 0.0, 0.0, 1.0], around])
        plant = net.plant_junction
        names = [*(f"{c}.supply_degc" for c in net.consumers), f"{plant}.delta_k"]
        steady = self.rows.quantities(names, x).value
        returned = float(moving["return_degc"].sel(junction=plant).values[-1])
        off = np.append(arriving, supply_degc - returned) - steady
        floors, share = [self._trust.consumer_k] * len(net.consumers) + [self._trust.plant_k], self._trust.share
        off = np.where(np.isfinite(off), off, 0.0).tolist()
        return {n: Offset(o, floor + share * abs(o)) for n, o, floor in zip(names, off, floors, strict=True)}
