"""A heat network whose supply temperature moves, as the planner meets it: replay a schedule and say, in rows, what each step of it does.

Water sent out now arrives later, so rows look back. Their slopes are differences of replays of the moving water, in which consumers set
their flow: several steps are nudged in one replay, so far apart that what they do does not overlap. A front that arrives one step sooner or
later bends the rows, so they are true only around the schedule that they were made at. Source: successive linear programming with delays
from tracer replays.
"""

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer
from models.errors import DataError
from models.findings import Finding, error
from models.forecast import Forecast
from models.horizon import Horizon
from models.networks.data import PipeNetwork
from models.networks.status import Status
from models.security import Port, PortPlan, Report, Rows, Shape
from models.site import Site
from models.station import Station
from twin.judge_networks import STILL_KG_PER_S, arrival_degc
from twin.networks import FloatArray, SiteNetworks, over_time

NUDGE_K = 1.0
HEAT, ARRIVAL, PRESSURE = "heat_kw", "arrival_degc", "dp_kpa"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyWatch:
    """How far rows look back, how near a limit gets a row, and what bending one costs per unit and step."""

    lags: int = 12
    arrival_k: float = 15.0
    pressure_kpa: float = 150.0
    arrival_price_per_k: float = 500.0
    pressure_price_per_kpa: float = 20.0


@dataclass(frozen=True)
class SupplyCheck:
    """The network check of one heat network over one horizon; its port is the temperature that the plant sends out.

    ``balance`` rows hold what the network takes beyond the demand (below 0 while its water gives back heat), ``findings`` the temperature
    that arrives at consumers and their pressure difference. Where next to nothing flows, water arrives lukewarm at the network's own supply
    temperature too; there the limit is what it brings.
    """

    site: Site
    network: PipeNetwork
    horizon: Horizon
    forecast: Forecast
    watch: SupplyWatch = SupplyWatch()

    def __post_init__(self) -> None:
        found = list(_unfit(self.site, self.network, self.horizon))
        if found:
            raise DataError(found)

    @property
    def ports(self) -> tuple[Port, ...]:
        """The supply temperature of the plant."""
        return (Port(Carrier.HEAT, self.network.plant_junction, "supply_degc"),)

    @cached_property
    def revision(self) -> str:
        """A digest of the network's parameters."""
        return hashlib.sha256(repr(self.network).encode()).hexdigest()[:16]

    def constant(self) -> PortPlan:
        """Return the network's own supply temperature all day."""
        return self.plan(np.full(len(self.horizon), float(self.network.supply_degc)))

    def plan(self, supply_degc: FloatArray) -> PortPlan:
        """Return a schedule, shape (step,), at this check's port."""
        return PortPlan(self.ports, supply_degc[:, None].copy(), self.horizon.step_h, self.revision)

    def check(self, plan: PortPlan, *, gradients: bool = True) -> Report:
        """Replay a schedule of supply temperatures and return rows around it; without ``gradients`` they say only what is, not why."""
        begun = time.perf_counter()
        seen = self._seen(plan.values[:, 0])
        slopes = self._slopes(plan.values[:, 0], seen, self.watch.lags if gradients else 0)
        balance, findings = self._balance(plan, seen, slopes[0]), self._limits(plan, seen, slopes[1:])
        margins = {
            ARRIVAL: float(np.nanmin(seen.arrival_degc - self._floors.arrival_degc, initial=np.inf)),
            PRESSURE: float(np.nanmin(seen.dp_kpa - self._floors.dp_kpa, initial=np.inf)),
        }
        worst = {kind: max(-room, 0.0) for kind, room in margins.items()}
        losses = {Carrier.HEAT: seen.taken_kw}
        return Report(
            seen.status, balance, findings, worst, margins, losses, time.perf_counter() - begun, self.revision
        )

    @cached_property
    def _asked(self) -> dict[tuple[str, Carrier], FloatArray]:
        """What consumers draw over the steps, negative, by port."""
        station, values = Station.of(self.site), self.forecast.values.transpose("time", "series")
        names = [str(s) for s in values["series"].to_numpy()]
        steps = (station.conditions(dict(zip(names, row, strict=True))) for row in values.to_numpy().tolist())
        return over_time({p: -kw for p, kw in here.demand_kw.items()} for here in steps)

    @cached_property
    def _networks(self) -> SiteNetworks:
        return SiteNetworks.of(self.site)

    @cached_property
    def _floors(self) -> "_Seen":
        """What has to arrive."""
        own = self._seen(np.full(len(self.horizon), float(self.network.supply_degc)))
        least = np.minimum(own.arrival_degc, arrival_degc(self.network))
        return _Seen(own.taken_kw, least, np.full(own.dp_kpa.shape, float(self.network.dp_min_kpa)), own.status)

    def _seen(self, supply_degc: FloatArray) -> "_Seen":
        moved, taken = self._networks.moving(self.network, self._asked, self.horizon.times.to_numpy(), supply_degc)
        return _Seen.of(self.network, moved, taken)

    def _slopes(self, supply_degc: FloatArray, seen: "_Seen", lags: int) -> tuple[FloatArray, ...]:
        """Return what a kelvin more at an earlier step adds now: dims (lag, step) or (lag, consumer, step)."""
        steps = len(supply_degc)
        found = tuple(np.zeros((lags, *now.shape)) for now in (seen.taken_kw, seen.arrival_degc, seen.dp_kpa))
        every = np.arange(steps)
        for first in range(min(lags, steps)):
            nudged = supply_degc.copy()
            nudged[first::lags] += NUDGE_K
            after = self._seen(nudged)
            at = every[first:]
            pairs = (
                (after.taken_kw, seen.taken_kw),
                (after.arrival_degc, seen.arrival_degc),
                (after.dp_kpa, seen.dp_kpa),
            )
            for slope, (then, now) in zip(found, pairs, strict=True):
                change = np.nan_to_num((then - now) / NUDGE_K)[..., at]
                slope[(at - first) % lags, ..., at] = np.moveaxis(change, -1, 0)
        return found

    def _balance(self, plan: PortPlan, seen: "_Seen", slope: FloatArray) -> Rows:
        steps = np.arange(len(seen.taken_kw))
        free = np.full(len(steps), np.inf)
        return Rows.delayed(
            HEAT, [self.network.id] * len(steps), steps, seen.taken_kw, (-free, free), slope.T, plan.values[:, 0],
            slack_price=0.0, shape=Shape.LOCAL,
        )  # fmt: skip

    def _limits(self, plan: PortPlan, seen: "_Seen", slopes: tuple[FloatArray, ...]) -> Rows:
        watch, floors = self.watch, self._floors
        arriving = (ARRIVAL, seen.arrival_degc, floors.arrival_degc, watch.arrival_k, watch.arrival_price_per_k)
        pressing = (PRESSURE, seen.dp_kpa, floors.dp_kpa, watch.pressure_kpa, watch.pressure_price_per_kpa)
        found = Rows.empty()
        for (kind, value, floor, near, price), slope in zip((arriving, pressing), slopes, strict=True):
            consumer, step = np.nonzero(value < floor + near)
            names = [self.network.consumers[c] for c in consumer.tolist()]
            found = found + Rows.delayed(
                kind, names, step, value[consumer, step], (floor[consumer, step], np.full(len(step), np.inf)),
                slope[:, consumer, step].T, plan.values[:, 0], slack_price=price, shape=Shape.LOCAL,
            )  # fmt: skip
        return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """A replay: what the network takes beyond the demand (step,), what arrives at consumers (consumer, step), not a number where nothing flows."""

    taken_kw: FloatArray
    arrival_degc: FloatArray
    dp_kpa: FloatArray
    status: npt.NDArray[np.int64]

    @classmethod
    def of(cls, network: PipeNetwork, moved: xr.Dataset, taken_kw: FloatArray) -> "_Seen":
        """Return what counts of a replayed network."""
        consumers = list(network.consumers)
        flow = moved["consumer_flow_kg_per_s"].sel(consumer=consumers).transpose("consumer", "time").to_numpy()
        at = moved.sel(junction=consumers)
        arriving, dp = (
            np.where(flow > STILL_KG_PER_S, at[name].transpose("junction", "time").to_numpy(), np.nan)
            for name in ("supply_degc", "dp_kpa")
        )
        return cls(taken_kw, arriving, dp, (moved["status"].to_numpy() == Status.NOT_CONVERGED).astype(np.int64))


def _unfit(site: Site, network: PipeNetwork, horizon: Horizon) -> list[Finding]:
    """Return why a network's supply temperature cannot be planned."""
    found = []
    if network.carrier != "heat":
        found.append(error(network.id, "only heat networks have a supply temperature to plan; name one of them"))
    if network.feed_in_junctions:
        found.append(
            error(network.id, "has further plants with a set power; its supply temperature has to stay as it is")
        )
    if len(set(horizon.step_h.tolist())) > 1:
        found.append(error("horizon", "water on its way is followed in equal steps; plan in quarter-hours"))
    home = {n.id for n in site.nodes if n.network == network.id} - {network.plant_junction}
    found += [
        error(
            a.id,
            f"takes or gives heat inside {network.id}; only consumers may, where the supply temperature is planned",
        )
        for a in site.assets
        if not isinstance(a, Consumer) and a.ports().get(Carrier.HEAT) in home
    ]
    return found
