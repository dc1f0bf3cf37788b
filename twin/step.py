"""Advance all carriers in time: stores, balances and networks together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.fleets import need_after, plugged
from models.horizon import Horizon
from models.site import Site
from models.state import Snapshot
from models.station import Balance, Station, resolve
from twin.networks import NetworkStates, SiteNetworks, over_time
from twin.state import Layout, build_snapshot, next_units, stored_of, unit_ids

FloatArray = npt.NDArray[np.float64]
Losses = Mapping[Carrier, FloatArray]


@dataclass(frozen=True, slots=True)
class Moves:
    """What is done and what happens in every step: control powers, profile values, assets out of service."""

    control_kw: Sequence[Mapping[str, float]]
    series: Sequence[Mapping[str, float]]
    out_of_service: Sequence[Iterable[str]]


@dataclass(frozen=True, slots=True)
class Replay:
    """A stretch of time played through: one balance per step, the networks, and the energy stored after each step."""

    balances: tuple[Balance, ...]
    stored_kwh: tuple[Mapping[str, float], ...]
    networks: NetworkStates


class Twin:
    """The model of one site, ready to be advanced; holds no state of its own, so what-ifs may share it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.station = Station.of(site)
        self.networks = SiteNetworks.of(site)
        self.layout = Layout.of(site)
        self.units = unit_ids(site)
        self._zone = site.location.time_zone

    def replay(self, stored_kwh: Mapping[str, float], horizon: Horizon, moves: Moves) -> Replay:
        """Play the steps of a horizon one after another, then let the networks' losses in and play them again.

        Losses move stores and units a little and flows hardly, so the networks are solved once more only where flows have changed.
        """
        times = horizon.times.to_numpy()
        first, _ = self._roll(stored_kwh, horizon, moves, {})
        flows = over_time(b.power_kw for b in first)
        networks = self.networks.solve(flows, times)
        balances, stored = self._roll(stored_kwh, horizon, moves, networks.losses_kw)
        after = over_time(b.power_kw for b in balances)
        if self._moved_kw(flows, after) > RESOLVE_KW:
            networks = self.networks.solve(after, times)
            balances, stored = self._roll(stored_kwh, horizon, moves, networks.losses_kw)
        return Replay(tuple(balances), tuple(stored), networks)

    def _roll(
        self, stored_kwh: Mapping[str, float], horizon: Horizon, moves: Moves, losses: Losses
    ) -> tuple[list[Balance], list[Mapping[str, float]]]:
        """Return each step's balance and the stored energy behind it, at given losses."""
        balances: list[Balance] = []
        after: list[Mapping[str, float]] = []
        stored = dict(stored_kwh)
        for k, step_h in enumerate(horizon.step_h.tolist()):
            start, end = horizon.edges[k], horizon.edges[k + 1]
            lost = {c: float(values[k]) for c, values in losses.items()}
            balances.append(
                self._resolve(
                    start, moves.series[k], moves.control_kw[k], stored, step_h, lost, moves.out_of_service[k]
                )
            )
            stored = self._with_arrivals(balances[-1].stored_kwh, start, end)
            after.append(stored)
        return balances, after

    def _resolve(
        self,
        at: datetime,
        series: Mapping[str, float],
        control_kw: Mapping[str, float],
        stored_kwh: Mapping[str, float],
        step_h: float,
        losses_kw: Mapping[Carrier, float],
        out: Iterable[str],
    ) -> Balance:
        connected = {f.id: plugged(f, at, self._zone) for f in self.station.fleets}
        conditions = self.station.conditions(series, connected)
        return resolve(self.station, conditions, control_kw, stored_kwh, step_h, losses_kw, out)

    def _with_arrivals(self, stored_kwh: Mapping[str, float], start: datetime, end: datetime) -> dict[str, float]:
        needs = {f.id: need_after(f, stored_kwh[f.id], start, end, self._zone) for f in self.station.fleets}
        return {**stored_kwh, **needs}

    def _moved_kw(
        self, before: Mapping[tuple[str, Carrier], FloatArray], after: Mapping[tuple[str, Carrier], FloatArray]
    ) -> float:
        slack = {g.id for g in (*self.station.grids, *self.station.gates)}
        return max((float(np.abs(after[p] - v).max()) for p, v in before.items() if p[0] not in slack), default=0.0)

    def step(
        self,
        snapshot: Snapshot,
        control_kw: Mapping[str, float],
        series: Mapping[str, float],
        step_h: float,
        out_of_service: Iterable[str] = (),
    ) -> Snapshot:
        """Return the site one step on.

        Parameters
        ----------
        snapshot
            Where the step starts.
        control_kw
            Power of each asset on its control carrier during the step (see :func:`models.station.resolve`).
        series
            Mean of every profile series over the step.
        step_h
            Length of the step in hours, above 0.
        out_of_service
            Assets that can do nothing.
        """
        horizon = Horizon((snapshot.at, snapshot.at + timedelta(hours=step_h)))
        replay = self.replay(stored_of(snapshot), horizon, Moves([control_kw], [series], [tuple(out_of_service)]))
        balance = replay.balances[0]
        return build_snapshot(
            self.layout,
            horizon.end,
            balance.power_kw,
            replay.stored_kwh[0],
            units=next_units(self.site, snapshot.units, self.running(balance), step_h),
            peak_import_kw=snapshot.peak_import_kw,
            networks={name: state.isel(time=0, drop=True) for name, state in replay.networks.states.items()},
        )

    def running(self, balance: Balance) -> dict[str, bool]:
        """Return which units run in a balance."""
        control = {a.id: a.control for a in self.site.assets}
        return {u: abs(balance.power_kw.get((u, control[u]), 0.0)) > RUNNING_KW for u in self.units}


RESOLVE_KW = 1.0
"""Flows that change by less leave voltages, losses and loadings as they are, to four digits."""
RUNNING_KW = 0.1


def step(
    site: Site,
    snapshot: Snapshot,
    control_kw: Mapping[str, float],
    series: Mapping[str, float],
    step_h: float,
) -> Snapshot:
    """Return a site one step on; for more than one step make a :class:`Twin` and keep it."""
    return Twin(site).step(snapshot, control_kw, series, step_h)


def moves_at(series: Mapping[str, FloatArray], control_kw: Mapping[str, FloatArray], steps: int) -> Moves:
    """Return moves from one array per series and per asset, each of shape (time,); everything in service."""
    return Moves(
        [{a: float(v[k]) for a, v in control_kw.items()} for k in range(steps)],
        [{s: float(v[k]) for s, v in series.items()} for k in range(steps)],
        [()] * steps,
    )
