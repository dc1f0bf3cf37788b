"""The fast guard below any plan: holds the peak import between two plans.

The demand charge counts 15-min means, so the guard asks every minute what the rest of the running quarter-hour may still import. When the
site imports more, first the battery gives, then running engines, then the cold and hot tanks take over from chillers and electric heat.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from models.carriers import Carrier
from models.components import (
    Asset,
    Battery,
    Chp,
    ColdStore,
    ElectricBoiler,
    ElectricChiller,
    HeatPump,
    HotTank,
    Pv,
    Store,
    Wind,
)
from models.horizon import HOUR, QUARTER, quarter_start
from models.site import Site
from models.state import ImportSoFar
from models.tariffs.time_of_use import BillingPeriod
from scenarios.measured import Measured

E = Carrier.ELECTRICITY
MARGIN_SHARE = 0.005
"""Part of the cap kept free for what meters get wrong and units do late."""
SHORTEST_REST = timedelta(minutes=2)
"""What is too much already is taken back over so long at least: nothing acts faster."""
ACTED_KW = 1.0
CATCH_UP = timedelta(minutes=5)
"""The last minutes of a quarter-hour, kept for catching up what was let through before."""
CATCH_UP_SHARE = 0.5
"""Part of all relief that may be counted on for catching up."""
LOOKS = 20
"""The guard remembers so many looks at what nobody commands: it may move by as much again before the next one."""
SURE = 2.0
"""So many times the usual move between two looks is kept back: a peak is lost for the whole period by the one quarter-hour that got away."""


def allowed_kw(so_far: ImportSoFar, at: datetime, cap_kw: float) -> float:
    """Return the mean import over the rest of the running quarter-hour that just keeps its mean at ``cap_kw``."""
    left_kwh, rest = cap_kw * (QUARTER / HOUR) - so_far.energy_kwh, rest_of_quarter(at)
    return left_kwh / ((rest if left_kwh > 0.0 else max(rest, SHORTEST_REST)) / HOUR)


def rest_of_quarter(at: datetime) -> timedelta:
    """Return how much of the quarter-hour is left."""
    return quarter_start(at) + QUARTER - at


@dataclass(frozen=True, slots=True)
class Relief:
    """How far one asset can lower the import: its set-point moves by ``per_kw`` for every kW, up to ``most_kw``."""

    asset: str
    per_kw: float
    most_kw: float


class Guard:
    """Holds a cap on the import by moving set-points away from the plan, no further and no longer than it takes.

    Remembers how far it has moved each set-point, so that its own effect is not mistaken for the plan's.
    """

    def __init__(self, site: Site, *, margin_share: float = MARGIN_SHARE) -> None:
        self.site = site
        self.margin_share = margin_share
        self._moved_kw: dict[str, float] = {}
        self._looks: deque[tuple[datetime, float]] = deque(maxlen=LOOKS)

    def adjusted(
        self,
        planned_kw: Mapping[str, float],
        seen: Measured,
        import_kw: float,
        allowed_kw: float,
        rest: timedelta = timedelta(0),
    ) -> dict[str, float]:
        """Return the set-points that keep the import at ``allowed_kw`` over the rest of the quarter-hour, from those of the plan.

        Without a limit (``allowed_kw`` infinite) those are the plan's. What the guard did before is in ``import_kw`` already, so it is
        added back first: when the need has passed, the plan's set-points return. While there is time to catch up in the last
        minutes, it waits: most fluctuations pass by themselves.
        """
        reliefs = list(self._reliefs(planned_kw, seen))
        free_kw = allowed_kw * (1.0 - self.margin_share) - self._unrest_kw(planned_kw, seen, import_kw, rest)
        over_kw = import_kw + self._relieved_kw(reliefs, planned_kw, seen) - free_kw
        found = dict(planned_kw)
        later_kw = CATCH_UP_SHARE * sum(r.most_kw for r in reliefs)
        # in hours, since a time cannot be multiplied by a limit that is infinite
        rest_h, late_h = rest / HOUR, max(rest - CATCH_UP, timedelta(0)) / HOUR
        if not self._moved_kw and over_kw * rest_h < later_kw * late_h:
            return found
        self._moved_kw = {}
        for relief in reliefs:
            if over_kw <= ACTED_KW:
                break
            used = min(over_kw, relief.most_kw)
            self._moved_kw[relief.asset] = relief.per_kw * used
            found[relief.asset] += relief.per_kw * used
            over_kw -= used
        return found

    def _unrest_kw(self, planned_kw: Mapping[str, float], seen: Measured, import_kw: float, rest: timedelta) -> float:
        """Return by how much the rest of the quarter-hour may come out higher than now: what loads, sun and wind do between two looks.

        A change after the last look is met by nobody; earlier ones can be caught up, so they count by their share of the rest.
        """
        commanded = (a for a in planned_kw if not isinstance(self.site.asset(a), Pv | Wind))
        self._looks.append((seen.at, import_kw + sum(seen.power_kw(a, E) for a in commanded)))
        times, loads = zip(*self._looks, strict=True)
        if len(loads) < 3 or rest <= timedelta(0):
            return 0.0
        look = (times[-1] - times[0]) / (len(times) - 1)
        usual_kw = float(np.sqrt(np.mean(np.diff(loads) ** 2)))
        return float(SURE * usual_kw * min(look / rest, 1.0))

    def _relieved_kw(self, reliefs: Iterable[Relief], planned_kw: Mapping[str, float], seen: Measured) -> float:
        """Return how much of the relief asked for last time is at work now."""
        total = 0.0
        for relief in reliefs:
            asked = self._moved_kw.get(relief.asset, 0.0) / relief.per_kw
            asset = self.site.asset(relief.asset)
            done = (seen.power_kw(asset.id, asset.control) - planned_kw[asset.id]) / relief.per_kw
            total += min(max(done, 0.0), asked)
        return total

    def _spare_kw(self, tanks: Iterable[Store], seen: Measured, movers: Iterable[Asset]) -> float:
        """Return how much more tanks could give than the plan alone makes them give."""
        given = sum(max(seen.power_kw(t.id, t.control), 0.0) for t in tanks)
        given -= sum(-self._moved_kw.get(m.id, 0.0) for m in movers)
        return max(sum(_holds_kw(t, seen)[1] for t in tanks) - max(given, 0.0), 0.0)

    def _reliefs(self, planned_kw: Mapping[str, float], seen: Measured) -> Iterator[Relief]:
        """Yield what can give way, in the order in which it does, measured from the plan's set-points."""
        site = self.site
        for battery in site.of_kind(Battery):
            if battery.id in planned_kw:
                yield Relief(battery.id, 1.0, max(_holds_kw(battery, seen)[1] - planned_kw[battery.id], 0.0))
        for engine in site.of_kind(Chp):
            running = seen.power_kw(engine.id, E) > ACTED_KW
            if engine.id in planned_kw and planned_kw[engine.id] > 0 and running:
                yield Relief(engine.id, 1.0, max(engine.power_max_kw - planned_kw[engine.id], 0.0))
        yield from self._chillers(planned_kw, seen)
        yield from self._heaters(planned_kw, seen)

    def _chillers(self, planned_kw: Mapping[str, float], seen: Measured) -> Iterator[Relief]:
        """Yield chillers, as far as the cold stores can take over."""
        chillers = self.site.of_kind(ElectricChiller)
        spare = self._spare_kw(self.site.of_kind(ColdStore), seen, chillers)
        for chiller in chillers:
            planned = planned_kw.get(chiller.id, 0.0)
            least = chiller.min_load_share * chiller.cold_max_kw
            cut = min(max(planned - least, 0.0), spare)
            drawn = chiller.electricity_kw(np.array([planned, planned - cut]))
            saved = float(drawn[0] - drawn[1])
            if saved > ACTED_KW:
                spare -= cut
                yield Relief(chiller.id, -cut / saved, saved)

    def _heaters(self, planned_kw: Mapping[str, float], seen: Measured) -> Iterator[Relief]:
        """Yield electric boilers and heat pumps, as far as the hot tanks can take over."""
        heaters: tuple[ElectricBoiler | HeatPump, ...] = (
            *self.site.of_kind(ElectricBoiler),
            *self.site.of_kind(HeatPump),
        )
        spare = self._spare_kw(self.site.of_kind(HotTank), seen, heaters)
        for heater in heaters:
            planned = planned_kw.get(heater.id, 0.0)
            cut = min(max(planned, 0.0), spare)
            # the measured ratio of heat to electricity, the rated one while the unit stands
            rated = heater.efficiency if isinstance(heater, ElectricBoiler) else heater.cop_rated
            heat, drawn = seen.power_kw(heater.id, Carrier.HEAT), -seen.power_kw(heater.id, E)
            ratio = heat / drawn if drawn > ACTED_KW and heat > ACTED_KW else rated
            if cut > ACTED_KW:
                spare -= cut
                yield Relief(heater.id, -ratio, cut / ratio)


def _holds_kw(store: Store, seen: Measured) -> tuple[float, float]:
    """Return the power range that a store can hold for a quarter-hour."""
    return store.power_range_kw(seen.stored_kwh(store.id), QUARTER / HOUR)


def planned_peak_kw(import_kw: Mapping[datetime, float], period: BillingPeriod) -> float:
    """Return the highest planned import of the steps that start inside the billing period."""
    return max((kw for at, kw in import_kw.items() if period.start <= at < period.end), default=0.0)
