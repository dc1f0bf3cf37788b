"""The grid as the planner meets it: replay a plan's injections and say, in rows, what they do to losses, voltages and loadings.

Around a solved flow the loss is convex in the injections, so its tangents never promise too little loss and are kept for every step;
voltage and loading get a row only at or near a limit. Source: successive tangent rows from exact power-flow slopes; that loss tangents
and low-voltage rows never cut off a feasible plan is sampled, not proven.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer, GridConnection
from models.dispatch import Plan
from models.networks.data import ElectricNetwork
from models.networks.electricity import sensitivities, solve_electricity
from models.security import Port, PortPlan, Report, Rows, Shape
from models.site import Site

Floats = npt.NDArray[np.float64]
UNBOUNDED = np.inf
MOST_ROOM = {"vm_pu": np.inf, "loading_share": 1.0}
"""What is left where a grid has nothing that could be too near a limit."""
SLOPE_FLOOR = 1e-9
"""Smaller slopes are rounding; solvers drop them with a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How near a limit a quantity must be to get a row, and what bending a row costs per unit and step.

    The prices lie above what shedding load to relieve the same limit would cost.
    """

    voltage_pu: float = 0.01
    loading_share: float = 0.15
    voltage_price_per_pu: float = 2e6
    loading_price_per_share: float = 1e5


@dataclass(frozen=True)
class GridCheck:
    """The network check of one electric network of a site."""

    site: Site
    network: ElectricNetwork
    watch: Watch = Watch()

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """Real, then reactive power of every bus with assets except the slack's."""
        buses = self.buses
        return tuple(Port(Carrier.ELECTRICITY, b, q) for q in ("power_kw", "reactive_kvar") for b in buses)

    @cached_property
    def buses(self) -> tuple[str, ...]:
        """Buses at which anything but the grid connection feeds or draws."""
        known = {b.id for b in self.network.buses}
        found = dict.fromkeys(
            node
            for asset in self.site.assets
            if not isinstance(asset, GridConnection)
            for carrier, node in asset.ports().items()
            if carrier is Carrier.ELECTRICITY and node in known and node != self.network.slack_bus
        )
        return tuple(found)

    @cached_property
    def revision(self) -> str:
        """A digest of the network's parameters and of the ports."""
        text = repr((self.network, [p.key for p in self.ports]))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def plan_ports(self, plan: Plan) -> PortPlan:
        """Return a plan at this check's ports: what its assets feed into each bus, with the reactive power of the consumers."""
        power = plan.power_kw.sel(carrier=Carrier.ELECTRICITY.value).transpose("time", "asset")
        assets = [str(a) for a in power["asset"].values]
        to_power, to_reactive = np.zeros((2, len(assets), len(self.buses)))
        for row, asset in enumerate(assets):
            node = self.site.asset(asset).ports().get(Carrier.ELECTRICITY)
            if node in self.buses:
                to_power[row, self.buses.index(node)] = 1.0
                to_reactive[row, self.buses.index(node)] = self._tan_phi.get(asset, 0.0)
        values = np.hstack([power.values @ to_power, power.values @ to_reactive])
        return PortPlan(self.ports, values, plan.horizon.step_h, self.revision)

    @cached_property
    def _last(self) -> dict[str, tuple[Floats, xr.Dataset]]:
        return {}

    @cached_property
    def _tan_phi(self) -> dict[str, float]:
        return {
            c.id: d.tan_phi for c in self.site.of_kind(Consumer) for d in c.demands if d.carrier is Carrier.ELECTRICITY
        }

    def check(self, plan: PortPlan, *, gradients: bool = True) -> Report:
        """Replay a plan and return rows around it.

        Raises
        ------
        ValueError
            When the plan's ports are not this check's ports in this order.
        """
        if plan.ports != self.ports:
            raise ValueError(
                f"the plan has ports {[p.key for p in plan.ports]}, {self.network.id} needs {[p.key for p in self.ports]}"
            )
        begun = time.perf_counter()
        flow = self.flow(plan)
        status = np.asarray(flow["status"].values, dtype=np.int64)
        balance, findings = Rows.empty(), Rows.empty()
        if gradients:
            slopes = sensitivities(self.network, flow, self.buses)
            balance = self._loss_rows(plan, flow, slopes, status)
            findings = self._voltage_rows(plan, flow, slopes) + self._loading_rows(plan, flow, slopes)
        losses = {Carrier.ELECTRICITY: np.nan_to_num(flow["loss_kw"].values)}
        margins = self._margins(flow)
        worst = {kind: max(-room, 0.0) for kind, room in margins.items()}
        return Report(status, balance, findings, worst, margins, losses, time.perf_counter() - begun, self.revision)

    def flow(self, plan: PortPlan) -> xr.Dataset:
        """Return the network over the steps of a plan: voltages, loadings, losses, status.

        The last flow is kept: a plan whose decisions changed nothing, or whose slopes are asked for after all, is not replayed twice.
        """
        known = self._last.get("flow")
        if known is not None and np.array_equal(known[0], plan.values):
            return known[1]
        flow = self._replayed(plan)
        self._last["flow"] = plan.values.copy(), flow
        return flow

    def _replayed(self, plan: PortPlan) -> xr.Dataset:
        count, ids = len(self.buses), [b.id for b in self.network.buses]
        place = [ids.index(b) for b in self.buses]
        fed = np.zeros((2, len(ids), len(plan.values)))
        fed[:, place] = plan.values.T.reshape(2, count, -1)
        coords = {"bus": ids, "time": np.arange(len(plan.values))}
        power, reactive = (xr.DataArray(half, coords, ("bus", "time")) for half in fed)
        return solve_electricity(self.network, power, reactive)

    def _slopes(self, slopes: xr.Dataset, name: str, dim: str | None) -> Floats:
        """Return slopes by both powers as (…, port): (step, element, port), or (step, port) without ``dim``."""
        order = ("time", dim, "source") if dim else ("time", "source")
        both = [slopes[f"{name}_by_{p}"].transpose(*order).values for p in ("p", "q")]
        joined = np.concatenate(both, axis=-1)
        return np.where(np.abs(joined) < SLOPE_FLOOR, 0.0, joined)

    def _loss_rows(self, plan: PortPlan, flow: xr.Dataset, slopes: xr.Dataset, status: npt.NDArray[np.int64]) -> Rows:
        solved = np.flatnonzero(status == 0)
        count = len(solved)
        return Rows.over(
            "loss_kw",
            [self.network.id] * count,
            solved,
            flow["loss_kw"].values[solved],
            (np.full(count, -UNBOUNDED), np.full(count, UNBOUNDED)),
            self._slopes(slopes, "loss", None)[solved],
            plan.values[solved],
            slack_price=0.0,
            shape=Shape.GLOBAL,
        )

    def _voltage_rows(self, plan: PortPlan, flow: xr.Dataset, slopes: xr.Dataset) -> Rows:
        low = np.array([b.vm_min_pu for b in self.network.buses])
        high = np.array([b.vm_max_pu for b in self.network.buses])
        vm = flow["vm_pu"].transpose("time", "bus").sel(bus=[b.id for b in self.network.buses]).values
        slope = self._slopes(slopes.sel(bus=[b.id for b in self.network.buses]), "vm", "bus")
        held = np.array([b.id == self.network.slack_bus for b in self.network.buses])
        near = self.watch.voltage_pu
        under = self._rows("vm_pu", vm, slope, plan, (vm < low + near) & ~held, (low, None), Shape.GLOBAL)
        over = self._rows("vm_pu", vm, slope, plan, (vm > high - near) & ~held, (None, high), Shape.CONSERVATIVE)
        return under + over

    def _loading_rows(self, plan: PortPlan, flow: xr.Dataset, slopes: xr.Dataset) -> Rows:
        loading = flow["loading_share"].transpose("time", "branch").values
        limit = np.ones(loading.shape[1])
        slope = self._slopes(slopes, "loading", "branch")
        near = loading > limit - self.watch.loading_share
        return self._rows("loading_share", loading, slope, plan, near, (None, limit), Shape.LOCAL)

    def _rows(
        self,
        kind: str,
        value: Floats,
        slope: Floats,
        plan: PortPlan,
        chosen: npt.NDArray[np.bool_],
        bounds: tuple[Floats | None, Floats | None],
        shape: Shape,
    ) -> Rows:
        """Return one row per chosen (step, element)."""
        step, element = np.nonzero(chosen & np.isfinite(value))
        names: Sequence[str] = [b.id for b in self.network.buses] if kind == "vm_pu" else self._branches
        price = self.watch.voltage_price_per_pu if kind == "vm_pu" else self.watch.loading_price_per_share
        lower, upper = (
            np.full(len(step), sign * UNBOUNDED) if bound is None else bound[element]
            for sign, bound in zip((-1, 1), bounds, strict=True)
        )
        return Rows.over(
            kind,
            [names[e] for e in element.tolist()],
            step,
            value[step, element],
            (lower, upper),
            slope[step, element],
            plan.values[step],
            slack_price=price,
            shape=shape,
        )

    @cached_property
    def _branches(self) -> Sequence[str]:
        flow = self._replayed(PortPlan(self.ports, np.zeros((1, len(self.ports))), np.ones(1), self.revision))
        return [str(b) for b in flow["branch"].values]

    def _margins(self, flow: xr.Dataset) -> dict[str, float]:
        """Return the least distance of any voltage and loading to its limit over all steps, negative beyond it."""
        return {kind: float(np.nanmin(room, initial=MOST_ROOM[kind])) for kind, room in self.rooms(flow).items()}

    def rooms(self, flow: xr.Dataset) -> dict[str, Floats]:
        """Return, by kind, how near a limit each step of a replayed plan comes, negative beyond it; shape (step,)."""
        vm = flow["vm_pu"].transpose("time", "bus").sel(bus=[b.id for b in self.network.buses]).values
        low = np.array([b.vm_min_pu for b in self.network.buses])
        high = np.array([b.vm_max_pu for b in self.network.buses])
        room = np.minimum(vm - low, high - vm)
        return {
            "vm_pu": np.fmin.reduce(room, axis=1),
            "loading_share": 1.0
            - np.fmax.reduce(flow["loading_share"].transpose("time", "branch").values, axis=1, initial=0.0),
        }
