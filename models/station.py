"""All carriers at one instant: who gives what, who is short, and what the stores hold afterwards.

Set-points alone do not close a site's balances. This module closes them the way a plant room does: the grid and the gas network give
what is missing, the hot tank and the cold store float, boilers and chillers correct when a tank is full or empty, engines blow surplus
heat off, and only then is demand cut. Plain floats and dictionaries: an emulated plant resolves every minute of a day.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np

from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import (
    AbsorptionChiller,
    Chp,
    ColdStore,
    ElectricBoiler,
    ElectricChiller,
    EvFleet,
    ExtractionChp,
    FlexibleLoad,
    GasBoiler,
    HeatPump,
    HotTank,
    Store,
)
from models.roster import Array, Balance, Conditions, Port, Station, scalar

__all__ = ["Balance", "Conditions", "Port", "Station", "resolve"]

Equation = Callable[[Array], Array]
NOTHING_KW = 1e-6
"""Balances below this are closed; it is far below what any meter shows."""

E, H, G, C, H2 = ENERGY_CARRIERS


def resolve(
    station: Station,
    conditions: Conditions,
    control_kw: Mapping[str, float],
    stored_kwh: Mapping[str, float],
    step_h: float,
    losses_kw: Mapping[Carrier, float] = MappingProxyType({}),
    out_of_service: Iterable[str] = (),
    duty_share: Mapping[str, float] = MappingProxyType({}),
    asked_kw: Mapping[Port, float] = MappingProxyType({}),
) -> Balance:
    """Close every carrier's balance at one instant and return what every asset does.

    Parameters
    ----------
    station
        The site, sorted.
    conditions
        What is asked and offered from outside.
    control_kw
        Power of each asset on its control carrier, positive when it feeds the network. An asset that is left out stands; photovoltaics
        and wind feed what they can, a flexible load draws its baseline. Beyond an asset's limits the limit holds. Values for
        tanks and connections are ignored: they float.
    stored_kwh
        Energy in every store at the start; a missing store counts as empty.
    step_h
        How long the instant lasts, above 0.
    losses_kw
        What each carrier's network loses; negative only where its pipes give back heat that they stored.
    out_of_service
        Assets that can do nothing; a consumer out of service draws nothing.
    duty_share
        For engines and electric chillers whose power is a mean over a long step: the share of it in which they run. Elsewhere they run
        all the time, or below their lowest load part of it.
    asked_kw
        Powers asked of other ports than the control one, by (asset, carrier): heat of turbines, which otherwise follows the demand for
        it, and what consumers still draw that have agreed to shed.
    """
    blocked = set(out_of_service)
    while True:
        attempt = _Pass(station, conditions, control_kw, stored_kwh, step_h, losses_kw, blocked, duty_share, asked_kw)
        tripped = attempt.run() - blocked
        if not tripped:
            return attempt.balance()
        blocked |= tripped  # protection takes units off one set at a time, so this ends


class _Pass:
    """One walk through the carriers with a given set of units off: engines, cold, heat, electricity, gas, hydrogen."""

    def __init__(
        self,
        station: Station,
        conditions: Conditions,
        control_kw: Mapping[str, float],
        stored_kwh: Mapping[str, float],
        step_h: float,
        losses_kw: Mapping[Carrier, float],
        off: set[str],
        duty_share: Mapping[str, float],
        asked_kw: Mapping[Port, float],
    ) -> None:
        self.station, self.conditions, self.control_kw, self.step_h, self.off = (
            station,
            conditions,
            control_kw,
            step_h,
            off,
        )
        self.stored, self.duty, self.asked = stored_kwh, duty_share, asked_kw
        self.power: dict[Port, float] = {}
        self.unserved: dict[Port, float] = {}
        self.dumped: dict[Port, float] = {}
        self.losses = {c: float(losses_kw.get(c, 0.0)) for c in ENERGY_CARRIERS}
        self.net = {c: -loss for c, loss in self.losses.items()}

    def run(self) -> set[str]:
        """Resolve all carriers; return the units that protection must take off before the balances can close."""
        self._consumers()
        self._gas_units()
        tripped = self._cold() | self._heat()
        tripped |= self._electricity()
        self._gas()
        self._hydrogen()
        return tripped

    def balance(self) -> Balance:
        """Return the result; a network that nobody can feed has no losses either."""
        for carrier, rest in self.net.items():
            self.losses[carrier] += rest
        return Balance(self.power, self._stored_after(), self.unserved, self.dumped, self.losses)

    def _put(self, asset: str, carrier: Carrier, power_kw: float) -> None:
        """Set an asset's power on one carrier and carry the change into the carrier's balance."""
        port = (asset, carrier)
        self.net[carrier] += power_kw - self.power.get(port, 0.0)
        self.power[port] = power_kw + 0.0  # no negative zero in what people read

    def _wanted(self, asset: str, lowest_kw: float, highest_kw: float) -> float:
        """Return the asset's control power within its limits, 0 when it is off."""
        if asset in self.off:
            return 0.0
        return min(max(self.control_kw.get(asset, 0.0), lowest_kw), highest_kw)

    def _consumers(self) -> None:
        for consumer in self.station.consumers:
            for demand in consumer.demands:
                asked = (
                    0.0
                    if consumer.id in self.off
                    else self.conditions.demand_kw.get((consumer.id, demand.carrier), 0.0)
                )
                if demand.carrier is Carrier.WATER:
                    self.power[consumer.id, Carrier.WATER] = -asked
                else:
                    agreed = self.asked.get((consumer.id, demand.carrier), -asked)
                    self._put(consumer.id, demand.carrier, min(max(agreed, -asked), -float(demand.least_kw(asked))))

    def _gas_units(self) -> None:
        """Set engines and gas boilers to what is wanted, as far as the gate can bring the gas after the consumers'."""
        gate_kw = sum(g.import_max_kw for g in self.station.gates if g.id not in self.off)
        self.gas_left_kw = max(gate_kw + self.net[G], 0.0)
        for chp in self.station.chps:
            power = self._engine_within_gas(chp, self._wanted(chp.id, 0.0, chp.power_max_kw))
            fuel = self._part_time(chp.id, chp.fuel_kw, power, chp.power_max_kw)
            self.gas_left_kw -= fuel
            self._put(chp.id, E, power)
            self._put(chp.id, G, -fuel)
            self._put(chp.id, H, self._part_time(chp.id, chp.heat_kw, power, chp.power_max_kw))
        for turbine in self.station.turbines:
            self._run_turbine(turbine)
        for boiler in self.station.gas_boilers:
            self._fire(boiler, self._wanted(boiler.id, 0.0, boiler.heat_max_kw))

    def _run_turbine(self, turbine: ExtractionChp) -> None:
        """Set a turbine's power, and the heat that is asked of it within its region; without gas for both it stands."""
        power = self._wanted(turbine.id, 0.0, turbine.power_max_kw)
        share = max(self.duty.get(turbine.id, 1.0), power / turbine.power_max_kw)
        least, most = (share * kw for kw in turbine.heat_range_kw(power / share))
        heat = min(max(self.asked.get((turbine.id, H), -self.net[H]), least), most)
        fuel = share * float(turbine.fuel_kw(scalar(power / share), scalar(heat / share)))
        runs = fuel <= self.gas_left_kw + NOTHING_KW
        self.gas_left_kw -= fuel * runs
        for carrier, kw in ((E, power), (G, -fuel), (H, heat)):
            self._put(turbine.id, carrier, kw * runs)

    def _part_time(self, asset: str, equation: Equation, power_kw: float, highest_kw: float) -> float:
        """Return what an equation gives on average for a unit that holds ``power_kw`` on average by running part of the time."""
        share = max(self.duty.get(asset, 1.0), power_kw / highest_kw)
        if power_kw <= 0 or share >= 1:
            return float(equation(scalar(power_kw)))
        return share * float(equation(scalar(power_kw / share)))

    def _engine_within_gas(self, chp: Chp, power_kw: float) -> float:
        """Return the power that the remaining gas allows; an engine that cannot hold its lowest load stands."""
        if power_kw <= 0 or float(chp.fuel_kw(scalar(power_kw))) <= self.gas_left_kw:
            return power_kw
        if self.gas_left_kw < chp.part_load.fuel_kw[0]:
            return 0.0
        return float(np.interp(self.gas_left_kw, chp.part_load.fuel_kw, chp.part_load.power_kw))

    def _fire(self, boiler: GasBoiler, heat_kw: float) -> None:
        """Set a gas boiler's heat, as far as the remaining gas allows."""
        self.gas_left_kw -= self.power.get((boiler.id, G), 0.0)
        heat = max(min(heat_kw, self.gas_left_kw * boiler.efficiency), 0.0)
        gas = float(boiler.gas_kw(scalar(heat)))
        self.gas_left_kw -= gas
        self._put(boiler.id, H, heat)
        self._put(boiler.id, G, -gas)

    def _float(self, stores: Iterable[HotTank | ColdStore], carrier: Carrier) -> None:
        """Let tanks take the surplus or give what is missing, within power and content."""
        for store in stores:
            lowest, highest = (0.0, 0.0) if store.id in self.off else self._range(store)
            self._put(store.id, carrier, min(max(-self.net[carrier], lowest), highest))

    def _range(self, store: Store) -> tuple[float, float]:
        return store.power_range_kw(self.stored.get(store.id, 0.0), self.step_h)

    def _cold(self) -> set[str]:
        station = self.station
        chillers: tuple[ElectricChiller | AbsorptionChiller, ...] = (
            *station.electric_chillers,
            *station.absorption_chillers,
        )
        for chiller in chillers:
            self._put(chiller.id, C, self._wanted(chiller.id, 0.0, chiller.cold_max_kw))
        self._float(station.cold_stores, C)
        for chiller in chillers:
            highest = 0.0 if chiller.id in self.off else chiller.cold_max_kw
            self._put(chiller.id, C, min(max(self.power[chiller.id, C] - self.net[C], 0.0), highest))
        self._shed(C)
        for electric in station.electric_chillers:
            cold = self.power[electric.id, C]
            self._put(
                electric.id, E, -self._part_time(electric.id, electric.electricity_kw, cold, electric.cold_max_kw)
            )
        for absorption in station.absorption_chillers:
            self._put(absorption.id, H, -float(absorption.heat_kw(scalar(self.power[absorption.id, C]))))
        return set()

    def _heat(self) -> set[str]:
        station = self.station
        units: tuple[HeatPump | ElectricBoiler, ...] = (*station.heat_pumps, *station.electric_boilers)
        for unit in units:
            self._put(unit.id, H, self._wanted(unit.id, 0.0, unit.heat_max_kw))
        self._float(station.hot_tanks, H)
        for boiler in station.gas_boilers:
            highest = 0.0 if boiler.id in self.off else boiler.heat_max_kw
            self._fire(boiler, min(max(self.power[boiler.id, H] - self.net[H], 0.0), highest))
        for heater in station.electric_boilers:
            highest = 0.0 if heater.id in self.off else heater.heat_max_kw
            self._put(heater.id, H, min(max(self.power[heater.id, H] - self.net[H], 0.0), highest))
        self._blow_off()
        for pump in station.heat_pumps:
            self._put(pump.id, H, self.power[pump.id, H] - min(max(self.net[H], 0.0), self.power[pump.id, H]))
        self._shed(H)
        self._draw_for_heat()
        return self._heat_trips()

    def _blow_off(self) -> None:
        """Send surplus heat of engines with a radiator into the air."""
        for chp in self.station.site.engines:
            surplus = min(self.net[H], self.power[chp.id, H])
            if chp.heat_can_be_dumped and surplus > 0:
                self.dumped[chp.id, H] = surplus
                self._put(chp.id, H, self.power[chp.id, H] - surplus)

    def _draw_for_heat(self) -> None:
        for pump in self.station.heat_pumps:
            air = scalar(self.conditions.air_degc.get(pump.id, pump.rated_air_degc))
            heat, sent = self.power[pump.id, H], self.conditions.supply_degc.get(pump.id)
            water = None if sent is None else scalar(sent)
            self._put(pump.id, E, -float(pump.electricity_kw(scalar(heat), air, water)) if heat else 0.0)
        for heater in self.station.electric_boilers:
            self._put(heater.id, E, -float(heater.electricity_kw(scalar(self.power[heater.id, H]))))

    def _heat_trips(self) -> set[str]:
        """Return engines that must stop for want of a radiator, or absorption chillers that must stop for want of heat."""
        if self.net[H] > NOTHING_KW:
            return {c.id for c in self.station.site.engines if self.power[c.id, H] > 0 and not c.heat_can_be_dumped}
        if self.net[H] < -NOTHING_KW:
            return {a.id for a in self.station.absorption_chillers if self.power[a.id, H] < 0}
        return set()

    def _electricity(self) -> set[str]:
        self._set_electric_units()
        import_kw = sum(g.import_max_kw for g in self.station.grids if g.id not in self.off)
        export_kw = sum(g.export_max_kw for g in self.station.grids if g.id not in self.off)
        tripped = self._relieve_import(-self.net[E] - import_kw) if -self.net[E] > import_kw else set()
        if self.net[E] > export_kw:
            tripped = self._relieve_export(self.net[E] - export_kw)
        for grid in self.station.grids:
            lowest, highest = (0.0, 0.0) if grid.id in self.off else (-grid.export_max_kw, grid.import_max_kw)
            self._put(grid.id, E, min(max(-self.net[E], lowest), highest))
        return tripped

    def _set_electric_units(self) -> None:
        for unit in (*self.station.pvs, *self.station.winds):
            available = 0.0 if unit.id in self.off else self.conditions.available_kw.get(unit.id, 0.0)
            self._put(unit.id, E, min(available, max(self.control_kw.get(unit.id, available), 0.0)))
        for battery in self.station.batteries:
            self._put(battery.id, E, self._wanted(battery.id, *self._range(battery)))
        for electrolyser in self.station.electrolysers:
            self._put(electrolyser.id, E, self._wanted(electrolyser.id, -electrolyser.power_max_kw, 0.0))
        for fleet in self.station.fleets:
            self._put(fleet.id, E, self._wanted(fleet.id, -self._charging_max_kw(fleet), self._giving_max_kw(fleet)))
        for load in self.station.flexible:
            self._put(load.id, E, self._flexible_kw(load))

    def _charging_max_kw(self, fleet: EvFleet) -> float:
        """Return what the vehicles present can draw, and no more than they still need."""
        need_kw = max(self.stored.get(fleet.id, 0.0), 0.0) / (fleet.efficiency * self.step_h)
        return min(self.conditions.plugged.get(fleet.id, 0.0) * fleet.charger_kw, need_kw)

    def _giving_max_kw(self, fleet: EvFleet) -> float:
        """Return what the vehicles present can give back, and no more than they may owe."""
        plugged = self.conditions.plugged.get(fleet.id, 0.0)
        if not fleet.v2g_kwh or plugged <= 0:
            return 0.0
        owed_kwh = min(plugged / sum(g.vehicles for g in fleet.groups), 1.0) * sum(map(fleet.owed_kwh, fleet.groups))
        room_kwh = max(owed_kwh - self.stored.get(fleet.id, 0.0), 0.0)
        return min(plugged * fleet.charger_kw, room_kwh * fleet.efficiency / self.step_h)

    def _flexible_kw(self, load: FlexibleLoad) -> float:
        """Return the load's power within its shift limits and what it has drawn ahead or put off so far."""
        if load.id in self.off:
            return 0.0
        baseline = self.conditions.baseline_kw.get(load.id, 0.0)
        ahead = self.stored.get(load.id, 0.0)
        more = min(load.shift_up_kw, max(load.shiftable_kwh - ahead, 0.0) / self.step_h)
        less = min(load.shift_down_kw, max(load.shiftable_kwh + ahead, 0.0) / self.step_h, baseline)
        return -min(max(-self.control_kw.get(load.id, -baseline), baseline - less), baseline + more)

    def _relieve_import(self, short_kw: float) -> set[str]:
        """Cut charging first, then demand; return the electric heaters and chillers that must stop when that is not enough."""
        station = self.station
        for unit in (*station.batteries, *station.fleets, *station.electrolysers):
            cut = min(short_kw, max(-self.power[unit.id, E], 0.0))
            self._put(unit.id, E, self.power[unit.id, E] + cut)
            short_kw -= cut
        short_kw -= self._cut_demand(E, short_kw, [*self._drawing(E), *((f.id, E) for f in station.flexible)])
        if short_kw <= NOTHING_KW:
            return set()
        units = (*station.heat_pumps, *station.electric_boilers, *station.electric_chillers)
        return {u.id for u in units if self.power[u.id, E] < 0}

    def _relieve_export(self, surplus_kw: float) -> set[str]:
        """Curtail sun and wind first, then discharging; return the engines that must stop when that is not enough."""
        station = self.station
        for unit in (*station.pvs, *station.winds, *station.batteries):
            cut = min(surplus_kw, max(self.power[unit.id, E], 0.0))
            self._put(unit.id, E, self.power[unit.id, E] - cut)
            surplus_kw -= cut
        return {c.id for c in station.site.engines if self.power[c.id, E] > 0} if surplus_kw > NOTHING_KW else set()

    def _gas(self) -> None:
        gate_kw = sum(g.import_max_kw for g in self.station.gates if g.id not in self.off)
        if -self.net[G] > gate_kw:
            self._cut_demand(G, -self.net[G] - gate_kw, self._drawing(G))
        for gate in self.station.gates:
            highest = 0.0 if gate.id in self.off else gate.import_max_kw
            self._put(gate.id, G, min(max(-self.net[G], 0.0), highest))

    def _hydrogen(self) -> None:
        """Vent what nobody takes, cut who asks for more than is made."""
        for unit in self.station.electrolysers:
            made = float(unit.hydrogen_kw(scalar(-self.power[unit.id, E])))
            self._put(unit.id, H2, made)
        self._shed(H2)
        for unit in self.station.electrolysers:
            surplus = min(self.net[H2], self.power[unit.id, H2])
            if surplus > 0:
                self.dumped[unit.id, H2] = surplus
                self._put(unit.id, H2, self.power[unit.id, H2] - surplus)

    def _drawing(self, carrier: Carrier) -> list[Port]:
        return [(c.id, carrier) for c in self.station.consumers if self.power.get((c.id, carrier), 0.0) < 0]

    def _shed(self, carrier: Carrier) -> None:
        """Cut demand by what is missing on a carrier."""
        if self.net[carrier] < 0:
            self._cut_demand(carrier, -self.net[carrier], self._drawing(carrier))

    def _cut_demand(self, carrier: Carrier, missing_kw: float, ports: list[Port]) -> float:
        """Leave all who draw short by the same share; return how much that brought in kW."""
        asked = -sum(self.power[p] for p in ports)
        if asked <= 0:
            return 0.0
        share = min(missing_kw / asked, 1.0)
        for port in ports:
            self.unserved[port] = -self.power[port] * share
            self._put(port[0], carrier, self.power[port] * (1.0 - share))
        return asked * share

    def _stored_after(self) -> dict[str, float]:
        after = {
            s.id: s.stored_after(self.stored.get(s.id, 0.0), self.power[s.id, s.control], self.step_h)
            for s in self.station.stores
        }
        for fleet in self.station.fleets:
            after[fleet.id] = fleet.needed_after(self.stored.get(fleet.id, 0.0), self.power[fleet.id, E], self.step_h)
        for load in self.station.flexible:
            asked = self.power[load.id, E] - self.unserved.get((load.id, E), 0.0)  # what is cut is lost, not put off
            baseline = 0.0 if load.id in self.off else self.conditions.baseline_kw.get(load.id, 0.0)
            after[load.id] = load.ahead_after(self.stored.get(load.id, 0.0), asked, baseline, self.step_h)
        return after
