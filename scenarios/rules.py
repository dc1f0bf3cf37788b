"""The rule-based operators that people run today, as the baselines that a plan has to beat.

The common operator follows a timetable: engines in peak hours (or through the heating season's days), the heat pump before the tank before
the boilers, the cold tank filled at night and emptied at peak prices, two battery cycles a day. The tuned operator also starts an engine
whenever the import would pass a limit. Both see the loads of the present step as measured, which a planner does not.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from models.carriers import Carrier
from models.components import Chp
from models.dispatch import DispatchProblem, Plan
from models.fleets import plugged
from models.site import Site
from models.state import UnitState
from models.station import Conditions, Station
from scenarios.rollout import Course, Moment, rolled_out

E, H, C = Carrier.ELECTRICITY, Carrier.HEAT, Carrier.COLD
Hours = tuple[tuple[float, float], ...]
PART_LOAD = 0.5
"""Load at which a single engine runs when the heat of a full one has nowhere to go."""
HEAT_ROOM_H = 3.0
"""The tank counts as a sink for engine heat over so many hours."""
CHARGE_PEAK_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the operator does what, in local hours; a pair that ends before it starts runs past midnight."""

    engines_h: Hours = ((10.0, 13.0), (17.0, 22.0))
    heating_h: Hours = ((7.0, 23.0),)
    heating_from: tuple[int, int] = (11, 15)
    """(month, day) on which the heating season begins."""
    heating_until: tuple[int, int] = (3, 15)
    valley_h: Hours = ((23.0, 7.0),)
    charge_h: Hours = ((23.0, 7.0), (13.0, 17.0))
    discharge_h: Hours = ((10.0, 13.0), (17.0, 22.0))

    def heating(self, local: datetime) -> bool:
        """Return whether a local day lies in the heating season."""
        day = (local.month, local.day)
        return day >= self.heating_from or day <= self.heating_until


@dataclass(frozen=True, slots=True)
class Rule:
    """How an operator runs the site: ``lead`` says what the engines follow, ``demand_limit_kw`` when they start beyond the timetable.

    ``own_peak_kw`` is the import that this operator needed last week: the battery never charges above 0.9 of it or the peak so far.
    """

    lead: Literal["price", "heat"] = "price"
    demand_limit_kw: float | None = None
    own_peak_kw: float = float("inf")
    timetable: Timetable = field(default_factory=Timetable)


class RulePlanner:
    """An operator that follows a rule; answers a dispatch problem with what the rule would do, step after step."""

    def __init__(self, site: Site, rule: Rule) -> None:
        self.site = site
        self.rule = rule
        self.station = Station.of(site)
        self._zone = ZoneInfo(site.location.time_zone)

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the rule rolled out over the problem's horizon; only its forecast's present step is acted on before the next call."""
        return rolled_out(problem, self.station, self.decide, source=self.name)

    @property
    def name(self) -> str:
        """``tuned rule`` with a demand limit, else ``common rule``."""
        return "common rule" if self.rule.demand_limit_kw is None else "tuned rule"

    def decide(self, now: Moment, course: Course) -> dict[str, float]:
        """Return the control power of every asset for one step, in kW; assets that are left out stand."""
        step = Step(self, now, course)
        step.charge_vehicles()
        step.run_chillers()
        step.run_engines()
        step.run_heat()
        step.run_battery()
        return step.control_kw


class Step:
    """One step of a rule: what is known, and the powers decided so far."""

    def __init__(self, planner: RulePlanner, now: Moment, course: Course) -> None:
        self.station, self.rule, self.now, self.course = planner.station, planner.rule, now, course
        self.local = now.at.astimezone(planner._zone)
        self.hour = self.local.hour + self.local.minute / 60.0
        self.control_kw: dict[str, float] = {}
        self.demand_kw = {c: total_kw(now.conditions, c) + now.losses_kw.get(c, 0.0) for c in (E, H, C)}
        self.net_kw = self.demand_kw[E] + sum(now.conditions.baseline_kw.values())
        self.net_kw -= sum(now.conditions.available_kw.values())
        self.heat_kw = self.demand_kw[H]

    def charge_vehicles(self) -> None:
        """Charge whoever is plugged in, at once."""
        for fleet in self.station.fleets:
            here = plugged(fleet, self.now.at, self.station.site.location.time_zone)
            need_kw = self.course.stored_kwh.get(fleet.id, 0.0) / (fleet.efficiency * self.now.step_h)
            power = min(here * fleet.charger_kw, max(need_kw, 0.0))
            self.control_kw[fleet.id] = -power
            self.net_kw += power

    def run_chillers(self) -> None:
        """Cover the cold with what the tank leaves; electric machines one after the other, absorption only when they are short."""
        wanted = max(self.demand_kw[C] - self._cold_tank_kw(), 0.0)
        for chiller in self.station.electric_chillers:
            cold = min(wanted, chiller.cold_max_kw)
            self.control_kw[chiller.id] = cold
            self.net_kw += float(chiller.electricity_kw(np.asarray(cold)))
            wanted -= cold
        for absorption in self.station.absorption_chillers:
            cold = min(wanted, absorption.cold_max_kw)
            self.control_kw[absorption.id] = cold
            self.heat_kw += float(absorption.heat_kw(np.asarray(cold)))
            wanted -= cold

    def _cold_tank_kw(self) -> float:
        """Return what the cold store is meant to give (negative: take), spread over the hours of its window."""
        table = self.rule.timetable
        give = 0.0
        for store in self.station.cold_stores:
            stored = self.course.stored_kwh.get(store.id, 0.0)
            lowest, highest = store.power_range_kw(stored, self.now.step_h)
            if left_h := hours_left(self.hour, table.valley_h):
                give += max(-(store.stored_max_kwh - stored) / left_h, lowest)
            elif hours_left(self.hour, table.discharge_h):
                ahead_h = hours_ahead(self.hour, table.discharge_h)
                give += min((stored - store.stored_min_kwh) / ahead_h, highest)
        return give

    def run_engines(self) -> None:
        """Start and stop engines by timetable, by heat that has somewhere to go, and by the demand limit; never to export."""
        pump_kw = self._heat_pump_draw_kw(self.heat_kw)
        full = sum(self._wanted_loads(self.net_kw + pump_kw))
        for engine, share in self._shares(full):
            power = max(share * engine.power_max_kw, engine.power_min_kw) if share > 0 else 0.0
            self.control_kw[engine.id] = power
            self.net_kw -= power
            self.heat_kw -= float(engine.heat_kw(np.asarray(power)))

    def _wanted_loads(self, net_kw: float) -> list[float]:
        """Return the wanted load of each engine as a share of full load, highest first."""
        loads = [0.0] * len(self.station.chps)
        heat_room_kw = self.heat_kw + self._tank_room_kwh() / HEAT_ROOM_H
        for k, engine in enumerate(self.station.chps):
            if self._timetable_wants_engines():
                loads[k] = share_for_heat(engine, heat_room_kw, first=k == 0)
            if self.rule.demand_limit_kw is not None and net_kw > self.rule.demand_limit_kw:
                loads[k] = 1.0
            loads[k] = share_for_import(engine, net_kw, loads[k])
            heat_room_kw -= float(engine.heat_kw(np.asarray(loads[k] * engine.power_max_kw)))
            net_kw -= loads[k] * engine.power_max_kw
        return loads

    def _timetable_wants_engines(self) -> bool:
        table = self.rule.timetable
        if hours_left(self.hour, table.engines_h):
            return True
        return self.rule.lead == "heat" and table.heating(self.local) and bool(hours_left(self.hour, table.heating_h))

    def _shares(self, total: float) -> list[tuple[Chp, float]]:
        """Return each engine's load, those that must run or already run first; engines that must rest stand."""
        order = sorted(self.station.chps, key=lambda e: (not self._must_run(e), not self._unit(e).running))
        shares = []
        for engine in order:
            share = 0.0 if self._must_rest(engine) else min(total, 1.0)
            total -= share
            least = engine.power_min_kw / engine.power_max_kw
            shares.append((engine, max(share, least) if self._must_run(engine) else share))
        return shares

    def _unit(self, engine: Chp) -> UnitState:
        return self.course.units.get(engine.id, UnitState(running=False, hours_in_state=168.0))

    def _must_run(self, engine: Chp) -> bool:
        unit = self._unit(engine)
        return unit.running and unit.hours_in_state < engine.min_up_h - 1e-6

    def _must_rest(self, engine: Chp) -> bool:
        unit = self._unit(engine)
        return not unit.running and unit.hours_in_state < engine.min_down_h - 1e-6

    def _heat_pump_draw_kw(self, heat_kw: float) -> float:
        """Return the electricity that the heat pumps take for a heat load."""
        drawn = 0.0
        for pump in self.station.heat_pumps:
            heat = min(max(heat_kw, 0.0), pump.heat_max_kw)
            drawn += float(pump.electricity_kw(np.asarray(heat), np.asarray(self._air_degc(pump.id))))
            heat_kw -= heat
        return drawn

    def _air_degc(self, pump: str) -> float:
        return self.now.conditions.air_degc.get(pump, 10.0)

    def _tank_room_kwh(self) -> float:
        stored = self.course.stored_kwh
        return sum(max(t.stored_max_kwh - stored.get(t.id, 0.0), 0.0) for t in self.station.hot_tanks)

    def run_heat(self) -> None:
        """Heat pump first (at night it fills the tank), then the tank, then gas boilers; the electric boiler only stands by."""
        valley = bool(hours_left(self.hour, self.rule.timetable.valley_h))
        room_kw = min(self._tank_room_kwh() / self.now.step_h, sum(t.charge_max_kw for t in self.station.hot_tanks))
        self.net_kw += self._heat_pump_draw_kw(self.heat_kw + room_kw * valley)
        for pump in self.station.heat_pumps:
            heat = min(max(self.heat_kw + room_kw * valley, 0.0), pump.heat_max_kw)
            self.control_kw[pump.id] = heat
            self.heat_kw -= heat
        short = self.heat_kw - sum(self._range(t.id)[1] for t in self.station.hot_tanks)
        for boiler in self.station.gas_boilers:
            heat = min(max(short, 0.0), boiler.heat_max_kw)
            self.control_kw[boiler.id] = heat
            short -= heat

    def _range(self, store_id: str) -> tuple[float, float]:
        store = next(s for s in self.station.stores if s.id == store_id)
        return store.power_range_kw(self.course.stored_kwh.get(store_id, 0.0), self.now.step_h)

    def run_battery(self) -> None:
        """Follow the two cycles, spread over each window; take surplus sun at any hour, what is left of it into the electric boiler."""
        table = self.rule.timetable
        for battery in self.station.batteries:
            stored = self.course.stored_kwh.get(battery.id, 0.0)
            lowest, highest = self._range(battery.id)
            power = 0.0
            if left_h := hours_left(self.hour, table.discharge_h):
                power = min((stored - battery.stored_min_kwh) * battery.discharge_efficiency / left_h, highest)
                power = min(power, max(self.net_kw, 0.0))
            elif left_h := hours_left(self.hour, table.charge_h):
                room = (battery.stored_max_kwh - stored) / battery.charge_efficiency / left_h
                power = -min(room, -lowest, max(self._charge_limit_kw() - self.net_kw, 0.0))
            power = min(power, max(lowest, min(self.net_kw, 0.0))) if self.net_kw < 0 else power
            self.control_kw[battery.id] = power
            self.net_kw -= power
        self._heat_with_surplus()

    def _charge_limit_kw(self) -> float:
        return max(CHARGE_PEAK_SHARE * self.rule.own_peak_kw, self.course.peak_import_kw)

    def _heat_with_surplus(self) -> None:
        room_kw = max(self.heat_kw, 0.0) + self._tank_room_kwh() / self.now.step_h
        for boiler in self.station.electric_boilers:
            heat = min(max(-self.net_kw, 0.0) * boiler.efficiency, boiler.heat_max_kw, room_kw)
            self.control_kw[boiler.id] = heat
            self.net_kw += heat / boiler.efficiency


def total_kw(conditions: Conditions, carrier: Carrier) -> float:
    """Return the demand of all consumers on one carrier."""
    return sum(v for (_, c), v in conditions.demand_kw.items() if c is carrier)


def share_for_heat(engine: Chp, heat_room_kw: float, *, first: bool) -> float:
    """Return full load where its heat has somewhere to go, half load for a first engine whose half does, else 0."""
    if heat_room_kw >= float(engine.heat_kw(np.asarray(engine.power_max_kw))):
        return 1.0
    half = float(engine.heat_kw(np.asarray(PART_LOAD * engine.power_max_kw)))
    return PART_LOAD if first and heat_room_kw >= half else 0.0


def share_for_import(engine: Chp, net_kw: float, share: float) -> float:
    """Return the load lowered until the site does not export: as wanted, half, or none."""
    if share * engine.power_max_kw <= net_kw:
        return share
    return PART_LOAD if share > PART_LOAD and PART_LOAD * engine.power_max_kw <= net_kw else 0.0


def hours_left(hour: float, windows: Hours) -> float:
    """Return the hours until the running window ends, 0 outside all windows."""
    for start, end in windows:
        length = (end - start) % 24.0
        since = (hour - start) % 24.0
        if since < length:
            return length - since
    return 0.0


def hours_ahead(hour: float, windows: Hours) -> float:
    """Return how many hours of the windows are still to come before midnight, the running one included."""
    return sum(max(min(end, 24.0) - max(start, hour), 0.0) for start, end in windows)
