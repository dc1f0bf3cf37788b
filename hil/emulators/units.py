"""How units follow what they are told: lag, ramp, minimum load, start-up, minimum run and rest. Seconds throughout."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from hil.maps.bind import rated_kw
from models.components import (
    AbsorptionChiller,
    Battery,
    Chp,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    Engine,
    EvFleet,
    ExtractionChp,
    FlexibleLoad,
    GasBoiler,
    HeatPump,
    Pv,
    Wind,
)

Controllable = (
    AbsorptionChiller
    | Battery
    | Chp
    | ElectricBoiler
    | ElectricChiller
    | Electrolyser
    | EvFleet
    | ExtractionChp
    | FlexibleLoad
    | GasBoiler
    | HeatPump
    | Pv
    | Wind
)
STANDING_SHARE = 0.002
"""Below this share of the rating a unit that is going down has stopped."""


@dataclass(frozen=True, slots=True)
class Response:
    """A unit's manners: powers in kW of the control carrier, times in seconds.

    A unit asked for less than half its ``lowest_kw`` stops. ``start_s`` passes between the start and the first power.
    """

    lag_s: float
    ramp_kw_per_s: float = math.inf
    lowest_kw: float = 0.0
    start_s: float = 0.0
    run_s: float = 0.0
    rest_s: float = 0.0


AT_ONCE = Response(lag_s=1e-3)
"""A unit that is where it is told to be, whatever it was before."""


def response_of(asset: Controllable) -> Response:
    """Return how a kind of unit follows its set-point."""
    if isinstance(asset, Engine):
        return Response(
            lag_s=20.0,
            ramp_kw_per_s=asset.ramp_kw_per_min / 60.0,
            lowest_kw=asset.power_min_kw,
            start_s=120.0,
            run_s=asset.min_up_h * 3600.0,
            rest_s=asset.min_down_h * 3600.0,
        )
    if isinstance(asset, HeatPump):
        return Response(lag_s=120.0, lowest_kw=0.1 * asset.heat_max_kw, start_s=60.0, run_s=600.0, rest_s=300.0)
    if isinstance(asset, GasBoiler):
        return Response(lag_s=90.0, lowest_kw=asset.min_load_share * asset.heat_max_kw, start_s=60.0)
    if isinstance(asset, ElectricChiller):
        return Response(lag_s=90.0, lowest_kw=asset.min_load_share * asset.cold_max_kw, start_s=60.0, rest_s=180.0)
    if isinstance(asset, AbsorptionChiller):
        return Response(lag_s=240.0, start_s=60.0)
    if isinstance(asset, Electrolyser):
        return Response(lag_s=30.0, lowest_kw=asset.min_load_share * asset.power_max_kw)
    return Response(lag_s=30.0 if isinstance(asset, ElectricBoiler) else 1.0)


class Unit:
    """One unit and its controller: what it is told, and what it has come to.

    ``wanted_kw`` None means that nobody tells it anything: generators feed what they can, vehicles charge as they come, flexible loads
    draw their baseline, everything else stands.
    """

    def __init__(self, asset: Controllable, response: Response | None = None) -> None:
        self.asset = asset
        self.response = response or response_of(asset)
        self.wanted_kw: float | None = None
        self.actual_kw = 0.0
        self.running = False
        self.since_s = -math.inf
        self.starts = 0
        self.operating_s = 0.0

    def control_kw(self) -> float | None:
        """Return the power to resolve balances with, None where the unit does as it likes."""
        if self._free_running:
            return self.wanted_kw if self.wanted_kw is not None or not isinstance(self.asset, EvFleet) else -math.inf
        return self.actual_kw

    @property
    def _free_running(self) -> bool:
        return isinstance(self.asset, Pv | Wind | EvFleet | FlexibleLoad)

    def follow(self, now_s: float, step_s: float) -> None:
        """Move towards what is wanted over one step that ends a step after ``now_s``."""
        if self._free_running:
            return
        target = self._target(now_s)
        if (target != 0.0) != self.running:
            self._switch(now_s, target != 0.0)
        if self.running and now_s - self.since_s < self.response.start_s:
            self.actual_kw = 0.0
            return
        self.actual_kw = self._moved(target, step_s)
        self.operating_s += step_s * (self.actual_kw != 0.0)

    def trip(self, now_s: float) -> None:
        """Stop at once: an outage, or a balance that protection had to close."""
        if self.running:
            self._switch(now_s, False)
        self.actual_kw = 0.0

    def _switch(self, now_s: float, on: bool) -> None:
        self.running, self.since_s = on, now_s
        self.starts += on

    def _target(self, now_s: float) -> float:
        """Return where the unit goes: minimum load, minimum run and minimum rest come before what is wanted."""
        response, wanted = self.response, self.wanted_kw or 0.0
        lowest = math.copysign(response.lowest_kw, wanted)
        if abs(wanted) < abs(lowest):
            wanted = lowest if abs(wanted) > abs(lowest) / 2.0 else 0.0
        held_s = now_s - self.since_s
        if self.running and wanted == 0.0 and held_s < response.run_s:
            return math.copysign(response.lowest_kw, self.actual_kw)
        if not self.running and wanted != 0.0 and held_s < response.rest_s:
            return 0.0
        return wanted

    def _moved(self, target: float, step_s: float) -> float:
        """Return the power after one step of first-order lag within the ramp."""
        lag = 1.0 - math.exp(-step_s / self.response.lag_s)
        reach = self.response.ramp_kw_per_s * step_s
        moved = self.actual_kw + min(max((target - self.actual_kw) * lag, -reach), reach)
        if target == 0.0:
            stopped = max(STANDING_SHARE * rated_kw(self.asset), self.response.lowest_kw)
            return 0.0 if abs(moved) <= stopped else moved
        if abs(moved) < self.response.lowest_kw:
            return math.copysign(self.response.lowest_kw, target)
        return moved


def follow(env: Any, unit: Unit, step_s: float) -> Generator[Any, None, None]:
    """Let a unit follow its set-point, step by step, as long as the plant lives."""
    while True:
        unit.follow(env.now, step_s)
        yield env.timeout(step_s)
