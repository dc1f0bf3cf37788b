"""Planners of a case: what they know beyond the site, and one that plans once and for all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from models.components import GridConnection
from models.dispatch import DispatchProblem, EmissionBudget, Plan, ReductionEvent
from models.horizon import HOUR, Horizon
from models.labelled import labelled, named, time_axis
from models.tariffs.time_of_use import BillingPeriod, PeriodFinder
from scenarios.cases.setting import ImportLimit, Setting
from scenarios.planners import Optimizer
from scenarios.problem import Planner
from twin.inprocess import TwinPlant
from twin.simulate import Outage, available_share


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a case's planner may know: the setting, the run's stretch of time and billing, known outages, and the plant as it stands.

    ``emitted_kg`` tells what the run has emitted so far; ``proven`` whether the twin replays plans and so knows their losses.
    """

    setting: Setting
    period: BillingPeriod
    billing: PeriodFinder
    outages: tuple[Outage, ...]
    plant: TwinPlant
    emitted_kg: Callable[[], float]
    proven: bool


class Informed:
    """A planner that knows what the case knows: outages, events, what carbon costs and may."""

    def __init__(self, inner: Planner, known: Circumstances) -> None:
        self.inner, self.known = inner, known
        self._period: BillingPeriod | None = None

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the inner planner's plan for the problem with the case's circumstances."""
        self._enter(problem.horizon.start)
        setting = self.known.setting
        return self.inner.plan(
            replace(
                problem,
                available_share=self._available(problem.horizon),
                co2_price_per_kg=setting.co2_price_per_kg,
                co2_cap=self._cap(problem.horizon),
                events=self._events(problem.horizon),
                losses_kw=self._losses(problem),
            )
        )

    def close(self) -> None:
        """End the inner planner."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    def _enter(self, at: datetime) -> None:
        """Begin each billing period afresh, so that it comes out the same whoever ran the one before."""
        period = self.known.billing(at)
        if period != self._period and isinstance(self.inner, Optimizer):
            self.inner.forget()
        self._period = period

    def _events(self, horizon: Horizon) -> tuple[ReductionEvent, ...]:
        """Return the paid calls that a horizon meets."""
        events = (c.event(self.known.period.start) for c in self.known.setting.calls)
        return tuple(e for e in events if e.end > horizon.start and e.start < horizon.end)

    def _losses(self, problem: DispatchProblem) -> xr.DataArray | None:
        """Return the losses to plan with: those of a replay, or those that the networks have now; dims (carrier, time)."""
        if problem.losses_kw is not None or self.known.proven:
            return problem.losses_kw
        losses = self.known.plant.losses_kw
        rows = np.tile(np.array(list(losses.values()))[:, None], len(problem.horizon))
        return labelled(rows, named("carrier", [c.value for c in losses]), time_axis(problem.horizon))

    def _cap(self, horizon: Horizon) -> EmissionBudget | None:
        cap, start = self.known.setting.co2_cap_kg_per_day, self.known.period.start
        if cap is None:
            return None
        days = (horizon.end - start) / timedelta(days=1)
        return EmissionBudget(max(cap * days - self.known.emitted_kg(), 0.0))

    def _available(self, horizon: Horizon) -> xr.DataArray | None:
        """Return what is in service over a horizon; a unit that has just failed is taken to stand for a usual repair."""
        known, setting = self.known, self.known.setting
        standing = [
            Outage(a, horizon.start, horizon.start + setting.failures[a].mean_repair_h * HOUR)
            for a in known.plant.simulation.out_of_service
            if a in setting.failures
        ]
        met = [o for o in (*known.outages, *standing) if o.end > horizon.start and o.start < horizon.end]
        limits = [limited(limit, horizon, known) for limit in setting.limits]
        if not met and not limits:
            return None
        return xr.concat([available_share(met, horizon), *limits], "asset").groupby("asset").min()


def limited(limit: ImportLimit, horizon: Horizon, known: Circumstances) -> xr.DataArray:
    """Return what a limited connection may import as a share of what it can, dims (asset, time)."""
    grid = next(g for g in known.setting.site.of_kind(GridConnection) if g.id == limit.grid)
    inside = limit.window.share_of(horizon, known.period.start)
    share = 1.0 - np.where(inside > 0, 1.0, 0.0) * (1.0 - limit.import_max_kw / grid.import_max_kw)
    return xr.DataArray(share[None, :], {"asset": [limit.grid], "time": horizon.times}, ("asset", "time"))


class Foreseeing:
    """A planner that planned once, knowing everything, and reads its plan out from then on."""

    def __init__(self, inner: Informed) -> None:
        self.inner = inner
        self._plan: Plan | None = None

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the one plan; it reaches from the run's start to its end."""
        if self._plan is None:
            self._plan = self.inner.plan(problem)
        return self._plan

    def close(self) -> None:
        """End the inner planner."""
        self.inner.close()
