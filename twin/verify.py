"""The twin's verdict on a plan: play it step by step on the full model and say what does not hold."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from models.carriers import Carrier
from models.dispatch import Plan, PlanCheck
from models.forecast import Forecast
from models.roster import Port
from models.site import Site
from models.state import Snapshot
from twin.judge_plan import PlannedUnits, judge_plan
from twin.judge_replay import FLOATING, judge_replay
from twin.state import stored_of
from twin.step import FloatArray, Moves, Replay, Twin


class Verifier:
    """Checks plans of one site; keeps the compiled model between plans."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.twin = Twin(site)
        self._series = site.series()
        self._commanded = tuple(a.id for a in site.assets if not isinstance(a, FLOATING))

    def __call__(
        self, plan: Plan, initial: Snapshot, forecast: Forecast, available_share: xr.DataArray | None = None
    ) -> PlanCheck:
        """Return what the twin says of a plan.

        Parameters
        ----------
        plan
            The plan; its powers on the control carriers are what the replay is told to do.
        initial
            The state that the plan starts from.
        forecast
            Expected profiles over the plan's horizon, on the same steps.
        available_share
            Dims (asset, time); below one half a unit is out of service. Assets that are left out are in service.

        Raises
        ------
        ForecastError
            When the forecast lacks a series that the site reads.
        """
        began = time.perf_counter()
        self._require(forecast)
        planned = PlannedUnits.of(plan, self.site)
        moves = self._moves(plan, planned, forecast, available_share)
        replay = self.twin.replay(stored_of(initial), plan.horizon, moves)
        findings = [*judge_plan(plan, self.site, initial), *judge_replay(plan, planned, self.site, replay)]
        return PlanCheck(
            plan.id,
            tuple(findings),
            replay.networks.states,
            self._stored(plan, replay),
            self._losses(plan, replay),
            time.perf_counter() - began,
        )

    def _require(self, forecast: Forecast) -> None:
        """Refuse a forecast with a missing or broken series; series by series only when something is wrong."""
        known = set(forecast.values["series"].to_numpy().tolist())
        if not (known.issuperset(self._series) and np.isfinite(forecast.values.to_numpy()).all()):
            forecast.require(self._series)

    def _moves(
        self, plan: Plan, planned: PlannedUnits, forecast: Forecast, available_share: xr.DataArray | None
    ) -> Moves:
        """Return the plan and the forecast step by step; the forecast must cover exactly the plan's steps."""
        values, _ = xr.align(forecast.values, plan.power_kw["time"], join="exact")
        names = [str(s) for s in values["series"].to_numpy()]
        columns = values.transpose("time", "series").to_numpy().tolist()
        told = [a for a in self._commanded if a in planned.control_kw]
        control = np.array([planned.control_kw[a] for a in told]).reshape(len(told), len(columns)).T.tolist()
        return Moves(
            [dict(zip(told, row, strict=True)) for row in control],
            [dict(zip(names, row, strict=True)) for row in columns],
            _out_of_service(available_share, len(columns)),
            _duty(plan, planned),
            self._asked(plan),
            _reactive(plan),
            _sent(plan),
        )

    def _asked(self, plan: Plan) -> Sequence[Mapping[Port, float]]:
        """Return, per step, the heat that turbines are to give and what consumers still draw that have agreed to shed."""
        ports = [(t.id, Carrier.HEAT) for t in self.twin.station.turbines]
        for consumer in self.twin.station.consumers:
            ports += [(consumer.id, d.carrier) for d in consumer.demands if d.shed_price_per_kwh is not None]
        if not ports:
            return ()
        power = {p: plan.power_kw.sel(asset=p[0], carrier=p[1].value).to_numpy().tolist() for p in ports}
        return [{p: values[k] for p, values in power.items()} for k in range(len(plan.horizon))]

    def _stored(self, plan: Plan, replay: Replay) -> xr.DataArray:
        keepers = self.twin.layout.keepers
        values = np.array([[step[k] for step in replay.stored_kwh] for k in keepers]).reshape(
            len(keepers), len(plan.horizon)
        )
        return xr.DataArray(
            values, {"asset": list(keepers), "time": plan.horizon.times}, ("asset", "time"), "stored_kwh"
        )

    def _losses(self, plan: Plan, replay: Replay) -> xr.DataArray:
        """Return what each carrier's networks lose, dims (carrier, time): the next plan draws it from its balances."""
        carriers: tuple[Carrier, ...] = self.twin.layout.carriers
        values = [[b.losses_kw.get(c, 0.0) for b in replay.balances] for c in carriers]
        coords = {"carrier": [c.value for c in carriers], "time": plan.horizon.times}
        return xr.DataArray(np.array(values), coords, ("carrier", "time"), "losses_kw")


def verify(plan: Plan, site: Site, initial: Snapshot, forecast: Forecast) -> PlanCheck:
    """Return what the twin says of one plan; for a row of plans make a :class:`Verifier` and keep it."""
    return Verifier(site)(plan, initial, forecast)


def _reactive(plan: Plan) -> Mapping[str, FloatArray]:
    """Return what converters feed beside their power, by asset."""
    if plan.reactive_kvar is None:
        return {}
    values = plan.reactive_kvar.transpose("asset", "time")
    return dict(zip((str(a) for a in values["asset"].to_numpy()), values.to_numpy(), strict=True))


def _duty(plan: Plan, planned: PlannedUnits) -> Sequence[Mapping[str, float]]:
    """Return, per step, for how much of it units run whose commitment the plan has left open."""
    running = plan.running.transpose("time", "asset").to_numpy().tolist()
    names = [str(a) for a in plan.running["asset"].to_numpy()]
    return [
        {a: share for a, share in zip(names, row, strict=True) if planned.undecided[a][k]}
        for k, row in enumerate(running)
    ]


def _out_of_service(available_share: xr.DataArray | None, steps: int) -> Sequence[tuple[str, ...]]:
    if available_share is None:
        return [()] * steps
    assets = [str(a) for a in available_share["asset"].to_numpy()]
    out = available_share.transpose("time", "asset").to_numpy() < 0.5
    return [tuple(a for a, gone in zip(assets, row, strict=True) if gone) for row in out]


def _sent(plan: Plan) -> Mapping[str, FloatArray]:
    """Return what plants of heat networks send out by network; nothing where that is the networks' own temperature."""
    table = plan.supply_degc
    return {} if table is None else {str(n): table.sel(network=n).to_numpy() for n in table["network"].values}
