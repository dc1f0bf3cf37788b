"""The twin as a plant: read and commanded like any other, for what-if days without a device in the room."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import xarray as xr

from models.carriers import Carrier
from models.components import (
    AnyAsset,
    ColdStore,
    Consumer,
    ElectricChiller,
    Engine,
    EvFleet,
    FlexibleLoad,
    GasSupply,
    GridConnection,
    HeatPump,
    HotTank,
    Meter,
)
from models.limits import power_range_kw
from models.ports import Clock, Command, Outcome, Quality, Reading, Receipt
from models.site import Site
from models.state import Snapshot
from models.station import Balance, Port, resolve
from models.truth import TruthLog
from twin.networks import NetworkStates
from twin.simulate import Event, Outage, Reliability, Simulation
from twin.state import build_snapshot, next_units, start_snapshot, stored_of
from twin.step import Twin

SETPOINT = "setpoint_kw"
RUNNING = "running"
IN_STATE_H = "in_state_h"
"""For how long a unit has run or stood; between two distant readings nobody else can tell."""
NETWORKS_EVERY_S = 900.0
"""Between two solutions of the networks: losses and voltages move with the quarter-hours, not with the minutes."""
SAME_KW = 1e-6
DAYS_LOGGED = 366.0
UNTOLD = (GridConnection, GasSupply, HotTank, ColdStore, Consumer, Meter)
"""What takes no set-point: it floats, or it does as its people like."""


class SeriesSource(Protocol):
    """Where the world outside comes from: weather, demand, prices."""

    def at(self, instant: datetime) -> Mapping[str, float]:
        """Return every profile series at an instant, in the unit of its name."""
        ...


class TwinPlant:
    """The twin's own physics behind the plant's door; satisfies :class:`models.ports.Plant`.

    It moves in steps of ``step_s`` up to the clock's present whenever it is read or written. Readings are exact and good; what happens
    to units and vehicles is drawn from ``seed``.

    Parameters
    ----------
    site
        The site; each of its devices can be read.
    source
        Profile values at any instant of the day that is played.
    clock
        Where the present comes from.
    initial
        Where the day starts; a site at rest with half-full stores when it is left out.
    seed, reliability, outages, arrival_spread_h
        See :class:`twin.simulate.Simulation`; without reliability nothing fails, without spread vehicles come on the stroke.
    step_s
        Length of a step in seconds.
    """

    def __init__(
        self,
        site: Site,
        source: SeriesSource,
        clock: Clock,
        initial: Snapshot | None = None,
        *,
        seed: int = 0,
        reliability: Mapping[str, Reliability] | None = None,
        outages: Iterable[Outage] = (),
        arrival_spread_h: float = 0.0,
        step_s: float = 60.0,
    ) -> None:
        self.site, self.source, self.clock, self.step_s = site, source, clock, step_s
        self.twin = Twin(site)
        start = initial or start_snapshot(site, clock.now())
        self.simulation = Simulation(
            site, start.at, seed, reliability=reliability, outages=outages, arrival_spread_h=arrival_spread_h
        )
        self.log = TruthLog(site, start.at, step_s, days_kept=DAYS_LOGGED)
        self._asset: dict[str, AnyAsset] = {a.id: a for a in site.assets}
        self._device_asset = {d.id: d.asset for d in site.devices}
        self._fleets = site.of_kind(EvFleet)
        self._told: dict[str, float] = {}
        self._stored = stored_of(start)
        self._units = start.units
        self._networks = NetworkStates()
        self._beats = 0
        self._fed_kwh: dict[Port, float] = {}
        self._drawn_kwh: dict[Port, float] = {}
        self._ports = {a.id: tuple(a.ports()) for a in site.assets}
        self._bus = {a.id: a.ports().get(Carrier.ELECTRICITY, "") for a in site.assets}
        self._series = source.at(start.at)
        self._voltage_pu: dict[str, float] = {}
        for fleet, park in self.simulation.parks.items():
            park.need_kwh = self._stored.get(fleet, 0.0)
        self._balance = self._resolve()
        self._solve_networks()
        self.simulation.every(step_s, self._beat)

    @property
    def events(self) -> Sequence[Event]:
        """What has happened to units and vehicles so far."""
        return tuple(self.simulation.events)

    @property
    def losses_kw(self) -> Mapping[Carrier, float]:
        """What each network loses in the step that is under way."""
        return self._balance.losses_kw

    @property
    def held_kwh(self) -> Mapping[str, float]:
        """What stores, loads and fleets hold at the end of the step that is under way."""
        return self._held()

    def snapshot(self) -> Snapshot:
        """Return the true state at the last step, which no reading can show so completely."""
        self._catch_up()
        return build_snapshot(
            self.twin.layout,
            self.simulation.now,
            self._balance.power_kw,
            self._held(),
            units=self._units,
            networks={name: state.isel(time=0, drop=True) for name, state in self._all_networks().items()},
        )

    def standing(self) -> tuple[object, ...]:
        """Return everything that decides what the plant does next, what its counters have counted left out."""
        parks = [(f, p.plugged, p.asked_kwh, p.need_kwh) for f, p in self.simulation.parks.items()]
        moved = [(u, c.wanted_kw, c.actual_kw) for u, c in self.simulation.controllers.items()]
        kinds = Engine | ElectricChiller  # of equal ones, the longest in its state goes first
        hours = [(u, state) for u, state in self._units.items() if isinstance(self._asset[u], kinds)]
        losses = [(c, values.tolist()) for c, values in self._networks.losses_kw.items()]
        told, stored = sorted(self._told.items()), sorted(self._stored.items())
        return told, stored, parks, moved, hours, losses, sorted(self.simulation.out_of_service)

    async def read(self) -> Sequence[Reading]:
        """Return every device's values at the clock's present: powers of the last step and what it has left behind."""
        self._catch_up()
        now, held = self.clock.now(), self._held()
        return [
            Reading(device.id, quantity, value, now, now, Quality.GOOD)
            for device in self.site.devices
            for quantity, value in self._shown(device.asset, held)
        ]

    async def write(self, command: Command) -> Receipt:
        """Take one command; what a unit cannot do is refused in words."""
        self._catch_up()
        refused = self._refusal(command)
        if refused is not None:
            return Receipt(command, Outcome.NO, refused[0], refused[1], self.clock.now())
        asset = self._device_asset[command.device]
        value = 0.0 if command.quantity == RUNNING else command.value
        same = abs(self._told.get(asset, np.inf) - value) < SAME_KW
        self._told[asset] = value
        code = "unchanged" if same else "applied"
        words = f"{asset} {'stays at' if same else 'is told'} {value:g} kW"
        return Receipt(command, Outcome.APPLIED, code, words, self.clock.now(), command.value)

    def _refusal(self, command: Command) -> tuple[str, str] | None:
        """Return why a command cannot be carried out, as a code and in words; None when it can."""
        asset = self._asset.get(self._device_asset.get(command.device, ""))
        if asset is None:
            return "refused_device", f"there is no device {command.device}; the site file names them"
        stop = command.quantity == RUNNING and command.value == 0.0
        if isinstance(asset, UNTOLD) or not (stop or command.quantity == SETPOINT):
            return "refused_device", f"{asset.id} takes no {command.quantity}; it follows its network or its people"
        if command.deadline < self.clock.now():
            return (
                "refused_expired",
                f"{asset.id}: the command was good until {command.deadline.isoformat()}; send a new one",
            )
        if asset.id in self.simulation.out_of_service:
            return "refused_device", f"{asset.id} is out of service; wait for its repair"
        lowest, highest = power_range_kw(asset) or (-np.inf, np.inf)
        if not stop and not lowest - SAME_KW <= command.value <= highest + SAME_KW:
            words = f"{asset.id}: {command.value:g} kW is outside {lowest:g} to {highest:g} kW"
            return "refused_limit", words
        return None

    def _catch_up(self) -> None:
        self.simulation.run(self.clock.now())

    def _beat(self) -> None:
        """End the last step and resolve the one that starts now."""
        if self._beats:
            self._book(self._balance)
        self._series = self.source.at(self.simulation.now)
        self._steer()
        self._balance = self._resolve()
        if self._beats % max(round(NETWORKS_EVERY_S / self.step_s), 1) == 0:
            self._solve_networks()
            self._balance = self._resolve()
        self._beats += 1

    def _held(self) -> dict[str, float]:
        """Return what stores, loads and fleets hold at the end of the step that is under way."""
        if not self._beats:
            return self._stored
        needs = {f.id: max(self.simulation.parks[f.id].need_kwh - self._charged_kwh(f), 0.0) for f in self._fleets}
        return {**self._balance.stored_kwh, **needs}

    def _charged_kwh(self, fleet: EvFleet) -> float:
        """Return what goes into a fleet's vehicles in the step that is under way."""
        return -self._balance.power_kw[fleet.id, Carrier.ELECTRICITY] * self.step_s / 3600.0 * fleet.efficiency

    def _resolve(self) -> Balance:
        here = {f: p.plugged for f, p in self.simulation.parks.items()}
        conditions = self.twin.station.conditions(self._series, here)
        stored = {**self._stored, **{f: p.need_kwh for f, p in self.simulation.parks.items()}}
        losses = {c: float(v[0]) for c, v in self._networks.losses_kw.items()}
        out = self.simulation.out_of_service
        return resolve(self.twin.station, conditions, self._control(), stored, self.step_s / 3600.0, losses, out)

    def _steer(self) -> None:
        """Let every controller follow what its unit is told; a step shows where its units arrive in it, however long it is."""
        for unit, controller in self.simulation.controllers.items():
            if unit in self.simulation.out_of_service:
                controller.wanted_kw = controller.actual_kw = 0.0
            else:
                controller.wanted_kw = self._told.get(unit, 0.0)
                controller.move(self.step_s / 60.0)

    def _control(self) -> dict[str, float]:
        """Return what every unit does now: engines follow their controllers, vehicles charge as they come until told otherwise."""
        arrived = {unit: c.actual_kw for unit, c in self.simulation.controllers.items()}
        return dict.fromkeys(self.simulation.parks, -np.inf) | self._told | arrived

    def _solve_networks(self) -> None:
        self._flows = flows = {port: np.array([kw]) for port, kw in self._balance.power_kw.items()}
        self._solved = times = np.array([np.datetime64(self.simulation.now.replace(tzinfo=None), "ns")])
        self._networks = self.twin.networks.pipes(flows, times) | self.twin.networks.wires(flows, times)
        for network in self.site.networks.electricity:
            state = self._networks.states[network.id]
            buses = (str(b) for b in state["bus"].to_numpy())
            self._voltage_pu.update(zip(buses, state["vm_pu"].to_numpy()[:, 0].tolist(), strict=True))

    def _all_networks(self) -> Mapping[str, xr.Dataset]:
        """Return the networks' last states with those that lose nothing, which no step waits for."""
        return {**self._networks.states, **self.twin.networks.mains(self._flows, self._solved).states}

    def _book(self, balance: Balance) -> None:
        """Carry a finished step into the log, stores, vehicles, counters and units."""
        self.log.append(balance)
        step_h = self.step_s / 3600.0
        for fleet in self._fleets:
            self.simulation.charged(fleet.id, self._charged_kwh(fleet))
        self._stored = {**balance.stored_kwh, **{f.id: self.simulation.parks[f.id].need_kwh for f in self._fleets}}
        for port, power in balance.power_kw.items():
            book = self._fed_kwh if power > 0 else self._drawn_kwh
            book[port] = book.get(port, 0.0) + abs(power) * step_h
        self._units = next_units(self.site, self._units, self.twin.running(balance), step_h)

    def _shown(self, asset_id: str, held: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        """Yield what a device on an asset shows: powers, contents, counters, states."""
        asset = self._asset[asset_id]
        only = asset.carrier if isinstance(asset, Meter) else None
        if isinstance(asset, Meter):
            asset = self._asset[asset.asset]
        yield "heartbeat", float(self._beats)
        for carrier in self._ports[asset.id]:
            if only in (None, carrier):
                yield from self._port_values(asset, carrier)
        if only is not None:
            return
        if asset.id in held:
            yield "stored_kwh", held[asset.id]
        if asset.id in self._units:
            yield RUNNING, float(self._units[asset.id].running)
            yield IN_STATE_H, self._units[asset.id].hours_in_state
        if not isinstance(asset, UNTOLD):
            yield SETPOINT, self._told.get(asset.id, self._balance.power_kw[asset.id, asset.control])
        yield from self._surroundings(asset)

    def _port_values(self, asset: AnyAsset, carrier: Carrier) -> Iterator[tuple[str, float]]:
        port = asset.id, carrier
        unit = "m3_per_h" if carrier is Carrier.WATER else "kw"
        yield f"{carrier.value}_{unit}", self._balance.power_kw[port]
        under_way = self._balance.power_kw[port] * self.step_s / 3600.0 if self._beats else 0.0
        fed = self._fed_kwh.get(port, 0.0) + max(under_way, 0.0)
        drawn = self._drawn_kwh.get(port, 0.0) + max(-under_way, 0.0)
        if carrier is Carrier.ELECTRICITY:
            # the public grid feeds the site when the site imports
            imported, exported = (fed, drawn) if isinstance(asset, GridConnection) else (drawn, fed)
            yield "electricity_import_kwh", imported
            yield "electricity_export_kwh", exported
        else:
            yield ("water_m3" if carrier is Carrier.WATER else f"{carrier.value}_kwh"), fed + drawn

    def _surroundings(self, asset: AnyAsset) -> Iterator[tuple[str, float]]:
        if isinstance(asset, HeatPump):
            yield "air_degc", self._series[asset.air_profile]
        if isinstance(asset, FlexibleLoad):
            yield "baseline_kw", -asset.scale * self._series[asset.profile]
        if isinstance(asset, EvFleet):
            yield "vehicles", float(self.simulation.parks[asset.id].plugged)
        if self._bus[asset.id] in self._voltage_pu:
            yield "voltage_pu", self._voltage_pu[self._bus[asset.id]]
