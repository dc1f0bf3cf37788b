"""Advance all carriers in time: stores, balances and networks together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.fleets import arrivals, mean_plugged, need_after
from models.horizon import Horizon
from models.networks.coupled import settle
from models.site import Site
from models.state import Snapshot
from models.station import Balance, Conditions, Port, Station, resolve
from twin.networks import NetworkStates, SiteNetworks, over_time
from twin.state import Layout, build_snapshot, next_units, powers_of, stored_of, unit_ids

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moves:
    """What is done and what happens in every step: control powers, profile values, assets out of service.

    ``duty_share`` names, per step, units that run only part of it, ``asked_kw`` what is asked of further ports (see
    :func:`models.station.resolve`); empty: nothing of the kind.
    """

    control_kw: Sequence[Mapping[str, float]]
    series: Sequence[Mapping[str, float]]
    out_of_service: Sequence[Collection[str]]
    duty_share: Sequence[Mapping[str, float]] = ()
    asked_kw: Sequence[Mapping[Port, float]] = ()
    reactive_kvar: Mapping[str, FloatArray] = field(default_factory=dict)
    """What converters feed on purpose over the steps, by asset."""
    supply_degc: Mapping[str, FloatArray] = field(default_factory=dict)
    """What the plants of heat networks send out over the steps, by network, where it is not the network's own temperature all day."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A stretch of time played through: one balance per step, the networks, and the energy stored after each step."""

    balances: tuple[Balance, ...]
    stored_kwh: tuple[Mapping[str, float], ...]
    networks: NetworkStates
    residual_kw: FloatArray
    """By how much balances and networks disagree about what is lost, shape (time,); next to nothing unless machines come and go."""


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
        """Play the steps of a horizon one after another on all carriers.

        Demand decides the flows in heat and cold networks, so their losses are known first and the plants cover them step by step. The
        grid comes last: the public grid brings its losses. Where demand is cut, a connection is at its limit or the site is an island,
        losses change what machines do and machines what is lost, and both are repeated until they agree.
        """
        world = self._world(horizon, moves)
        asked = over_time({p: -kw for p, kw in c.demand_kw.items()} for c in world)
        play = _Play(self, stored_kwh, horizon, moves, world, asked)
        settled = settle(play.round, play.first_guess())
        return replace(settled.solved, residual_kw=settled.residual)

    def _world(self, horizon: Horizon, moves: Moves) -> list[Conditions]:
        steps = zip(horizon.edges, horizon.edges[1:], strict=False)
        fleets = [{f.id: mean_plugged(f, a, b, self._zone) for f in self.station.fleets} for a, b in steps]
        world = [self.station.conditions(s, here) for s, here in zip(moves.series, fleets, strict=True)]
        pumps = {p.id: self.site.network_of(p.heat_node) for p in self.station.heat_pumps} if moves.supply_degc else {}
        sent = {p: moves.supply_degc[n] for p, n in pumps.items() if n is not None and n in moves.supply_degc}
        return [replace(c, supply_degc={p: float(v[k]) for p, v in sent.items()}) for k, c in enumerate(world)]

    def roll(
        self,
        stored_kwh: Mapping[str, float],
        horizon: Horizon,
        moves: Moves,
        world: Sequence[Conditions],
        losses: Mapping[Carrier, FloatArray],
    ) -> tuple[list[Balance], list[Mapping[str, float]]]:
        """Return each step's balance and the stored energy behind it, at given losses."""
        balances: list[Balance] = []
        after: list[Mapping[str, float]] = []
        stored = stored_kwh
        for k, step_h in enumerate(horizon.step_h.tolist()):
            lost = {c: float(values[k]) for c, values in losses.items()}
            control, out = moves.control_kw[k], moves.out_of_service[k]
            start, end = horizon.edges[k], horizon.edges[k + 1]
            here = self._arrived(stored, start, end)
            duty = moves.duty_share[k] if moves.duty_share else {}
            asked = moves.asked_kw[k] if moves.asked_kw else {}
            balances.append(resolve(self.station, world[k], control, here, step_h, lost, out, duty, asked))
            stored = self._left(balances[-1].stored_kwh, end)
            after.append(stored)
        return balances, after

    def bring(self, balance: Balance, lost_kw: float, out_of_service: Collection[str]) -> Balance | None:
        """Return the balance with the grid's losses at ``lost_kw``, a public connection taking the change; None where none can."""
        electricity = Carrier.ELECTRICITY
        more = lost_kw - balance.losses_kw.get(electricity, 0.0)
        for grid in (g for g in self.station.grids if g.id not in out_of_service):
            before = balance.power_kw[grid.id, electricity]
            power = before + more
            room_kw = min(before + grid.export_max_kw, grid.import_max_kw - before)
            if room_kw > AT_LIMIT_KW and power <= grid.import_max_kw:
                return replace(
                    balance,
                    power_kw={**balance.power_kw, (grid.id, electricity): power},
                    losses_kw={**balance.losses_kw, electricity: lost_kw},
                )
        return None if more else balance

    def _arrived(self, stored_kwh: Mapping[str, float], start: datetime, end: datetime) -> Mapping[str, float]:
        """Return the contents with what vehicles bring that come inside the step: they may charge in it."""
        inside = end - timedelta(seconds=1)
        needs = {
            f.id: stored_kwh.get(f.id, 0.0)
            + sum(g.vehicles * g.energy_kwh for g, _ in arrivals(f, start, inside, self._zone))
            for f in self.station.fleets
        }
        return {**stored_kwh, **needs}

    def _left(self, stored_kwh: Mapping[str, float], end: datetime) -> Mapping[str, float]:
        """Return the contents after the step, when vehicles have left and those that come on its last stroke are there."""
        inside = end - timedelta(seconds=1)
        needs = {f.id: need_after(f, stored_kwh[f.id], inside, end, self._zone) for f in self.station.fleets}
        return {**stored_kwh, **needs}

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
        after = build_snapshot(
            self.layout,
            horizon.end,
            balance.power_kw,
            replay.stored_kwh[0],
            units=next_units(self.site, snapshot.units, self.running(balance), step_h),
            networks={name: state.isel(time=0, drop=True) for name, state in replay.networks.states.items()},
        )
        return replace(after, peak_import_kw=snapshot.peak_import_kw)

    def observe(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the network states that its powers stand for: voltages, loadings, temperatures, pressures.

        Meters do not add up exactly; the public grid, the plants and the city gate take what is left over.
        """
        times = np.array([np.datetime64(snapshot.at.replace(tzinfo=None), "ns")])
        flows = {port: np.array([power]) for port, power in powers_of(snapshot).items()}
        solved = self.networks.pipes(flows, times) | self.networks.grids(flows, times)
        return replace(snapshot, networks={n: s.isel(time=0, drop=True) for n, s in solved.states.items()})

    def running(self, balance: Balance) -> dict[str, bool]:
        """Return which units run in a balance."""
        control = {a.id: a.control for a in self.site.assets}
        return {u: abs(balance.power_kw.get((u, control[u]), 0.0)) > RUNNING_KW for u in self.units}


@dataclass(slots=True)
class _Play:
    """One horizon, played again and again for what the networks might lose."""

    twin: Twin
    stored_kwh: Mapping[str, float]
    horizon: Horizon
    moves: Moves
    world: Sequence[Conditions]
    drawn: Mapping[Port, FloatArray]
    """What the pipes were solved for."""
    pipes: NetworkStates = field(init=False)

    def first_guess(self) -> FloatArray:
        """Return what pipes lose when all demand is met, and nothing in the grid, shape (step, carrier)."""
        self.pipes = self.twin.networks.pipes(self.drawn, self._times, self.moves.supply_degc)
        return self._lost(self.pipes)

    @property
    def _times(self) -> npt.NDArray[np.datetime64]:
        return np.asarray(self.horizon.times.to_numpy())

    def _lost(self, networks: NetworkStates) -> FloatArray:
        none = np.zeros(len(self.horizon))
        return np.column_stack([networks.losses_kw.get(c, none) for c in LOSING])

    def round(self, guess_kw: FloatArray) -> tuple[FloatArray, Replay]:
        """Return what the networks lose when machines cover ``guess_kw``; a public connection that can takes the rest upon itself."""
        guess = dict(zip(LOSING, guess_kw.T, strict=True))
        balances, stored = self.twin.roll(self.stored_kwh, self.horizon, self.moves, self.world, guess)
        flows = over_time(b.power_kw for b in balances)
        if _moved_kw(self.drawn, flows) > RESOLVE_KW:
            self.drawn = {p: flows[p] for p in self.drawn}
            self.pipes = self.twin.networks.pipes(flows, self._times, self.moves.supply_degc)
        networks = self.pipes | self.twin.networks.grids(flows, self._times, self.moves.reactive_kvar)
        lost = self._lost(networks)
        told = zip(balances, lost[:, 0].tolist(), self.moves.out_of_service, strict=True)
        brought = [self.twin.bring(*step) for step in told]
        lost[:, 0] = np.where([b is None for b in brought], lost[:, 0], guess_kw[:, 0])
        closed = tuple(b or old for b, old in zip(brought, balances, strict=True))
        return lost, Replay(closed, tuple(stored), networks, np.zeros(len(closed)))


LOSING = (Carrier.ELECTRICITY, Carrier.HEAT, Carrier.COLD)
RESOLVE_KW = 1.0
"""Demand that is cut by less leaves the losses of pipes as they are."""
RUNNING_KW = 0.1
AT_LIMIT_KW = 1e-6
"""A connection with less room than this is at its limit: others have given way for it, and a change of losses is theirs."""


def _moved_kw(before: Mapping[Port, FloatArray], after: Mapping[Port, FloatArray]) -> float:
    """Return the largest change at any port."""
    return max((float(np.abs(after[p] - v).max()) for p, v in before.items()), default=0.0)


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
