"""The emulated plant: the site's physics with parameters of its own, moving in fine steps, with units that take their time."""

import hashlib
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from hil.emulators.deviations import deviated
from hil.emulators.flows import NOMINAL_PU, Grid, GridState, tan_phi
from hil.emulators.pipes import Pipes
from hil.emulators.units import AT_ONCE, Controllable, Unit, follow
from hil.emulators.vehicles import Park, come_and_go
from models.actuals import Actuals
from models.carriers import Carrier
from models.components import Engine, FlexibleLoad, Store
from models.horizon import require_utc
from models.site import Site
from models.station import Balance, Conditions, Port, Station, resolve
from models.truth import TruthLog

STEP_RANGE_S = (1.0, 300.0)
MEAN_UP_H = 400.0
MEAN_REPAIR_H = 1.5


class EmulatedPlant:
    """A plant that behaves like the site and is not the twin.

    Parameters
    ----------
    site
        The site as its file states it; the plant draws its own parameters from it, see :attr:`deviations`.
    seed
        Decides parameters, weather inside the hour, vehicles, noise and outages; the same seed gives the same plant, to the last bit.
    start
        First instant.
    step_s
        Length of a step in seconds, 1..300.
    stored_share
        How full each store is at the start; 0.5 where it is not given.
    outages
        Whether units fail at random (about every two weeks each) and come back after an hour or two.
    deviates, at_once
        What can be taken away to see what it costs: parameters other than the site file's, and units that take their time.
    """

    def __init__(
        self,
        site: Site,
        seed: int,
        start: datetime,
        *,
        step_s: float = 60.0,
        stored_share: Mapping[str, float] | None = None,
        outages: bool = False,
        deviates: bool = True,
        at_once: bool = False,
    ) -> None:
        if not STEP_RANGE_S[0] <= step_s <= STEP_RANGE_S[1]:
            raise ValueError(f"a plant step of {step_s:g} s; expected {STEP_RANGE_S[0]:g} to {STEP_RANGE_S[1]:g}")
        import simpy  # opened here so that looking at a site does not load it

        self.site, self.seed, self.step_s = site, seed, float(step_s)
        self.start = require_utc(start)
        self.own_site, self.deviations = deviated(site, seed) if deviates else (site, ())
        self.actuals = Actuals(site, seed)
        self.station = Station.of(self.own_site)
        manners = AT_ONCE if at_once else None
        self.units = {a.id: Unit(a, manners) for a in self.own_site.assets if isinstance(a, Controllable)}
        self.parks = {f.id: Park() for f in self.station.fleets}
        self.out_of_service: set[str] = set()
        self.series: Mapping[str, float] = {}
        self.stored_kwh = _at_start(self.own_site, stored_share or {})
        self._steps = 0
        self.log = TruthLog(site, self.start, self.step_s)
        self.drawn_kwh: dict[Port, float] = {}
        self.fed_kwh: dict[Port, float] = {}
        self.grid_states: dict[str, GridState] = {}
        self._grids = {n.id: Grid(self.own_site, n) for n in self.own_site.networks.electricity}
        self._tan_phi = {a.id: tan_phi(a) for a in self.own_site.assets}
        self.pipes = tuple(
            Pipes(self.own_site, n, self.actuals) for n in (*self.own_site.networks.heat, *self.own_site.networks.cold)
        )
        self._env = simpy.Environment()
        self._losses_kw: dict[Carrier, float] = {}
        self._start_processes(outages)
        self.balance, self.conditions = self._close()

    @property
    def now(self) -> datetime:
        """The instant up to which the plant has lived."""
        return self.start + timedelta(seconds=self._steps * self.step_s)

    def advance(self, to: datetime) -> int:
        """Live until ``to``, in whole steps; return how many were made, 0 when less than a step has passed."""
        due = int((require_utc(to) - self.start).total_seconds() // self.step_s)
        made = max(due - self._steps, 0)
        if made:
            self._env.run(until=due * self.step_s)
        return made

    def command(self, asset: str, power_kw: float | None) -> None:
        """Tell a unit's controller what to do; None releases it. KeyError for an asset that takes no set-point."""
        self.units[asset].wanted_kw = power_kw

    def fail(self, asset: str) -> None:
        """Take an asset out of service."""
        self.out_of_service.add(asset)
        if asset in self.units:
            self.units[asset].trip(self._env.now)

    def repair(self, asset: str) -> None:
        """Bring an asset back into service."""
        self.out_of_service.discard(asset)

    def power_kw(self, port: Port) -> float:
        """Return the power at a port, positive feeding the network; 0 where there is no such port."""
        return self.balance.power_kw.get(port, 0.0)

    @property
    def lived_s(self) -> float:
        """Seconds since the plant's start."""
        return self._steps * self.step_s

    def voltage_pu(self, network: str, bus: str) -> float:
        """Return the voltage at a bus; nominal where the site has no network data."""
        state = self.grid_states.get(network)
        return state.voltage_pu.get(bus, NOMINAL_PU) if state is not None else NOMINAL_PU

    def reactive_kvar(self, asset: str) -> float:
        """Return an asset's reactive power; positive feeds. The public grid gives what consumers and networks need."""
        if any(asset == g.id for g in self.station.grids):
            return sum(s.slack_kvar for s in self.grid_states.values())
        return self._tan_phi[asset] * self.power_kw((asset, Carrier.ELECTRICITY))

    def _start_processes(self, outages: bool) -> None:
        """Start the lives of units, vehicles and faults; the balance comes last, so at each instant it sees them all."""
        env = self._env
        for unit in self.units.values():
            env.process(follow(env, unit, self.step_s))
            if outages:
                env.process(self._fail_now_and_then(unit.asset.id))
        for fleet in self.station.fleets:
            zone = self.site.location.time_zone
            env.process(come_and_go(env, self.parks[fleet.id], fleet, self.start, zone, self.seed))
        env.process(self._live())

    def _live(self) -> Generator[Any, None, None]:
        while True:
            self.balance, self.conditions = self._close()
            self._book(self.balance)
            yield self._env.timeout(self.step_s)

    def _fail_now_and_then(self, asset: str) -> Generator[Any, None, None]:
        key = hashlib.blake2b(f"{self.seed}/{asset}/outage".encode(), digest_size=8).digest()
        rng = np.random.Generator(np.random.PCG64(int.from_bytes(key, "big")))
        while True:
            yield self._env.timeout(rng.exponential(MEAN_UP_H * 3600.0))
            self.fail(asset)
            yield self._env.timeout(rng.exponential(MEAN_REPAIR_H * 3600.0))
            self.repair(asset)

    def _close(self) -> tuple[Balance, Conditions]:
        """Return the closed balances of the coming step; electric losses are those of this step's own flow."""
        self.series = self.actuals.over(self.now, self.step_s)
        conditions = self.station.conditions(self.series, {f: float(p.plugged) for f, p in self.parks.items()})
        told = ((u.asset.id, u.control_kw()) for u in self.units.values())
        control = {asset: power for asset, power in told if power is not None}
        for pipes in self.pipes:
            pipes.move(self.now)
        for carrier in (Carrier.HEAT, Carrier.COLD):
            self._losses_kw[carrier] = sum(p.loss_kw for p in self.pipes if p.network.carrier == carrier)
        balance = self._resolve(conditions, control)
        if self._grids:
            # injections do not depend on the losses, which the public grid covers, so the second round is exact
            self._losses_kw[Carrier.ELECTRICITY] = self._electric_loss_kw(balance)
            balance = self._resolve(conditions, control)
        return balance, conditions

    def _resolve(self, conditions: Conditions, control_kw: Mapping[str, float]) -> Balance:
        stored = self.stored_kwh | {f: p.need_kwh for f, p in self.parks.items()}
        return resolve(
            self.station, conditions, control_kw, stored, self.step_s / 3600.0, self._losses_kw, self.out_of_service
        )

    def _electric_loss_kw(self, balance: Balance) -> float:
        """Return the electric losses, those of the step before where a network has no solution."""
        for name, grid in self._grids.items():
            if (state := grid.solve(balance)) is not None:
                self.grid_states[name] = state
        return sum(s.loss_kw for s in self.grid_states.values())

    def _book(self, balance: Balance) -> None:
        """Carry one step into stores, vehicles, counters and the log."""
        self._steps += 1
        self.log.append(balance)
        for fleet, park in self.parks.items():
            park.need_kwh = balance.stored_kwh[fleet] if park.plugged else 0.0
        self.stored_kwh = {k: v for k, v in balance.stored_kwh.items() if k not in self.parks}
        for unit in self.units.values():
            if (
                isinstance(unit.asset, Engine)
                and unit.actual_kw > 0
                and balance.power_kw[unit.asset.id, unit.asset.control] == 0
            ):
                unit.trip(self._env.now)
        self._count(balance)

    def _count(self, balance: Balance) -> None:
        step_h = self.step_s / 3600.0
        for port, power in balance.power_kw.items():
            book = self.fed_kwh if power > 0 else self.drawn_kwh
            book[port] = book.get(port, 0.0) + abs(power) * step_h


def _at_start(site: Site, stored_share: Mapping[str, float]) -> dict[str, float]:
    """Return the energy in every store at the start; flexible loads have drawn nothing ahead."""
    shares = {s.id: stored_share.get(s.id, 0.5) for s in site.assets if isinstance(s, Store)}
    kept = {
        s.id: min(max(shares[s.id], s.stored_min_share), s.stored_max_share) * s.energy_kwh for s in site.of_kind(Store)
    }
    return kept | {f.id: 0.0 for f in site.of_kind(FlexibleLoad)}
