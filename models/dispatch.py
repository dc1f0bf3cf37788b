"""What planner, twin and loop hand to one another: problem, plan, check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.findings import Finding, Severity, errors_in
from models.forecast import Forecast
from models.horizon import Horizon
from models.site import Site
from models.state import Snapshot
from models.tariffs.terms import BilledSoFar
from models.trading import MarketTerms


def sent_degc(supply_degc: xr.DataArray | None, network: str | None) -> npt.NDArray[np.float64] | None:
    """Return one network's row of supply temperatures, dims (network, time), as an array over the steps; None where it has none."""
    if supply_degc is None or network not in supply_degc["network"].values:
        return None
    return np.asarray(supply_degc.sel(network=network).to_numpy(), dtype=float)


@dataclass(frozen=True, slots=True)
class DemandTerms:
    """How the peak import counts: ``price_per_kw`` for every kW above the larger of ``peak_so_far_kw`` and ``floor_kw``.

    The floor is the peak that the rest of the billing period is expected to need anyway; protecting less than it costs money for nothing.
    """

    price_per_kw: float
    peak_so_far_kw: float = 0.0
    floor_kw: float = 0.0

    @property
    def free_kw(self) -> float:
        """Import up to here adds nothing to the demand charge."""
        return max(self.peak_so_far_kw, self.floor_kw)


@dataclass(frozen=True, slots=True)
class EmissionBudget:
    """What may still be emitted over a horizon, and what every kilogram beyond it costs; the excess is reported, never silent."""

    left_kg: float
    over_price_per_kg: float = 10.0


@dataclass(frozen=True, slots=True)
class ReductionEvent:
    """A call on demand response: over ``start <= t < end`` the site's import stays ``reduction_kw`` below an agreed baseline.

    Every kWh delivered earns ``price_per_kwh``, every missing one costs ``penalty_per_kwh``.
    """

    start: datetime
    end: datetime
    baseline_kw: float
    reduction_kw: float
    price_per_kwh: float = 0.0
    penalty_per_kwh: float = 5.0

    def cost(self, import_kw: float, hours: float) -> float:
        """Return what a mean import (negative when exporting) costs over some hours inside the event; negative where it earns."""
        delivered = min(max(self.baseline_kw - import_kw, 0.0), self.reduction_kw)
        return hours * (self.penalty_per_kwh * (self.reduction_kw - delivered) - self.price_per_kwh * delivered)


@dataclass(frozen=True, slots=True)
class EndTerm:
    """How a store should stand at the end of the horizon.

    Energy above ``target_kwh`` earns ``value_per_kwh``; every missing kWh costs ``short_price_per_kwh``, so the target bends before the plan breaks.
    """

    target_kwh: float
    value_per_kwh: float = 0.0
    short_price_per_kwh: float = 5.0


@dataclass(frozen=True, slots=True)
class DispatchProblem:
    """Everything a dispatch plan depends on.

    ``losses_kw`` has dims (carrier, time) and is drawn from each carrier's balance beside the demand; ``available_share`` has dims
    (asset, time), 1 where in service. Binary decisions hold for the first ``integer_h`` hours and are relaxed behind (None: everywhere).
    ``events`` are calls on demand response; ``reserve_kw``, dims (contract, time), is what reserve contracts ask for instead of what they
    say themselves. ``demand`` is the charge on the month's peak, ``demand_windows`` those on peaks within windows of the tariff, by name; ``billed`` is
    what the month has seen of blocks and netting. ``supply_degc``, dims (network, time), is what plants of heat networks send out where it is
    not the network's own temperature all day; ``losses_kw`` of heat then is all that the pipes take, below 0 while they give back. ``market``
    gives prices, and a position, to a site that trades its electricity: the prices of its tariff then do not count.
    """

    site: Site
    horizon: Horizon
    forecast: Forecast
    initial: Snapshot
    demand: DemandTerms | None = None
    ends: Mapping[str, EndTerm] = field(default_factory=dict)
    losses_kw: xr.DataArray | None = None
    available_share: xr.DataArray | None = None
    integer_h: float | None = None
    unserved_price_per_kwh: float = 20.0
    co2_price_per_kg: float = 0.0
    co2_cap: EmissionBudget | None = None
    demand_windows: Mapping[str, DemandTerms] = field(default_factory=dict)
    billed: BilledSoFar = field(default_factory=BilledSoFar)
    events: tuple[ReductionEvent, ...] = ()
    reserve_kw: xr.DataArray | None = None
    gap_share: float = 1e-3
    supply_degc: xr.DataArray | None = None
    market: MarketTerms | None = None

    def sent_degc(self, network: str | None) -> npt.NDArray[np.float64] | None:
        """Return what a heat network's plant sends out over the steps, None where that is the network's own temperature."""
        return sent_degc(self.supply_degc, network)


@dataclass(frozen=True, slots=True)
class SolverReport:
    """How a plan was found.

    ``status`` is ``optimal``, ``gap`` (stopped at the allowed gap), ``deadline`` (best plan when time was up), ``fallback`` or ``rule``.
    ``bound`` is the proven lower bound of the cost, ``gap_share`` the distance to it.
    """

    status: str
    objective: float
    bound: float
    gap_share: float
    build_s: float
    solve_s: float
    message: str = ""
    certified: bool = False


@dataclass(frozen=True, slots=True)
class SecurityProof:
    """What the replay on the networks says of a plan, kept with it.

    ``status`` is ``clean`` (accepted, and no limit of the networks costs anything), ``secure`` (accepted, at a price), ``levers_spent``,
    ``not_converged`` or ``without_rows`` (time was up before the networks could answer). ``worst`` is the largest violation left,
    ``margins`` the least distance to a limit, both by kind and in its unit; ``loss_kwh`` what the networks lose over the horizon.
    The cheapest plan that the networks accept costs at least ``lower_bound`` (by rows that are true everywhere, which is sampled and not
    proven) and at most ``replayed_cost``, what this one costs with the losses of the replay. ``security_cost`` is what limits add.
    """

    status: str
    rounds: int
    rows: int
    worst: Mapping[str, float]
    loss_kwh: float
    lower_bound: float
    security_cost: float
    revision: str
    replayed_cost: float = float("nan")
    margins: Mapping[str, float] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the networks accept the plan."""
        return self.status in ("clean", "secure")


@dataclass(frozen=True, slots=True)
class Plan:
    """What every asset should do over the horizon.

    ``power_kw`` has dims (asset, carrier, time), positive feeds the network, 0 where an asset has no port. ``stored_kwh`` has dims
    (asset, time) and is the energy at the end of each step. ``running`` has dims (asset, time), 1 while a unit with commitment runs.
    ``unserved_kw`` has dims (asset, carrier, time): demand that the plan cannot meet, never negative. ``cost`` holds the parts in the
    site's currency; they sum to the plan's cost. ``price_per_kwh`` has dims (carrier, time): the marginal cost of one more kWh.
    """

    id: str
    made_at: datetime
    horizon: Horizon
    power_kw: xr.DataArray
    stored_kwh: xr.DataArray
    running: xr.DataArray
    unserved_kw: xr.DataArray
    cost: Mapping[str, float]
    price_per_kwh: xr.DataArray
    solver: SolverReport
    source: str = "optimizer"
    findings: tuple[Finding, ...] = ()
    proof: SecurityProof | None = None
    reactive_kvar: xr.DataArray | None = None
    """Dims (asset, time): what converters that can do so feed beside their power; None where no network asked."""
    reserve_kw: xr.DataArray | None = None
    """Dims (contract, asset, time): capacity that providers hold ready; None where no contract asks for any."""
    supply_degc: xr.DataArray | None = None
    """Dims (network, time): what plants of heat networks send out; None where that is each network's own temperature."""

    @property
    def total_cost(self) -> float:
        """Sum of all cost parts."""
        return float(sum(self.cost.values()))


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """What the twin says of a plan after replaying it step by step.

    ``states`` holds, by network id, the replayed network over time; ``stored_kwh`` has dims (asset, time).
    """

    plan_id: str
    findings: tuple[Finding, ...]
    states: Mapping[str, xr.Dataset]
    stored_kwh: xr.DataArray
    losses_kw: xr.DataArray
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing in the replay forbids the plan."""
        return not errors_in(self.findings)

    @property
    def worst(self) -> Severity | None:
        """The gravest severity found, None for a clean replay."""
        order = [Severity.INFO, Severity.WARNING, Severity.ERROR]
        return max((f.severity for f in self.findings), key=order.index, default=None)
