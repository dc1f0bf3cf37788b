"""Named changes to what happens on a site: outages, events, weather, forecasts, who operates it, what carbon costs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Gt, Le, MinLen

from models.components import GridConnection
from models.site import ProfileFile
from models.units import Id, NonNegative
from scenarios.cases.change import Change, ChangeError, asset_of
from scenarios.cases.setting import (
    Control,
    ForecastNoise,
    ImportLimit,
    PaidCall,
    SeriesShift,
    Setting,
    Window,
    fnmatches,
)
from twin.simulate import Reliability, usual_reliability

Positive = Annotated[float, Gt(0)]
Pattern = Annotated[str, MinLen(1)]
"""A shell pattern over the names of series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageWindow(Change):
    """An asset stands from ``from_h`` hours after the start on, for ``hours``; the planner knows of it. Without its grid connection a site is an island."""

    kind: Literal["outage"] = "outage"
    asset: Id
    from_h: NonNegative = 0.0
    hours: Positive

    def touches(self) -> Iterator[str]:
        """Yield the asset's service in that window."""
        yield f"outages[{self.asset}@{self.from_h:g}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the outage."""
        asset_of(setting.site, self.asset)
        return replace(setting, outages=(*setting.outages, (self.asset, Window(self.from_h, self.hours))))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOnAsset(Change):
    """Work on an asset, which stands for ``hours``, by a crew that does one thing after the other; not before ``from_h`` hours after the start."""

    kind: Literal["work_order"] = "work_order"
    asset: Id
    crew: Id = "crew"
    from_h: NonNegative = 0.0
    hours: Positive

    def touches(self) -> Iterator[str]:
        """Yield the asset's order that falls due then."""
        yield f"orders[{self.asset}@{self.from_h:g}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the order."""
        asset_of(setting.site, self.asset)
        return replace(setting, orders=(*setting.orders, (self.asset, self.crew, Window(self.from_h, self.hours))))


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFailures(Change):
    """Units fail by chance and are repaired, nobody knows when: exponential times around these means, drawn from the case's seed."""

    kind: Literal["random_failures"] = "random_failures"
    assets: tuple[Id, ...] = ()
    mean_up_h: Positive = 400.0
    mean_repair_h: Positive = 1.5

    def touches(self) -> Iterator[str]:
        """Yield the units."""
        yield from (f"failures[{a}]" for a in self.assets or ("all",))

    def applied(self, setting: Setting) -> Setting:
        """Return the setting in which the named units, or all that convert energy, may fail."""
        names = self.assets or tuple(usual_reliability(setting.site))
        habits = {asset_of(setting.site, a).id: Reliability(self.mean_up_h, self.mean_repair_h) for a in names}
        return replace(setting, failures={**setting.failures, **habits})


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandResponse(Change):
    """An event in which a grid connection may import no more than ``import_max_kw``; the planner prepares for it.

    With a ``baseline_kw`` it is a paid call on the whole site's import instead: every kWh below the baseline, down to ``import_max_kw``,
    earns ``price_per_kwh``, every one that is missing costs ``penalty_per_kwh``, so the planner delivers as far as it pays.
    """

    kind: Literal["demand_response"] = "demand_response"
    grid: Id
    import_max_kw: NonNegative
    from_h: NonNegative
    hours: Positive
    baseline_kw: Positive | None = None
    price_per_kwh: NonNegative = 0.0
    penalty_per_kwh: NonNegative = 0.0

    def touches(self) -> Iterator[str]:
        """Yield the connection in that window."""
        yield f"limits[{self.grid}@{self.from_h:g}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the event."""
        grid = asset_of(setting.site, self.grid)
        if not isinstance(grid, GridConnection):
            raise ChangeError(f"{grid.id} is no grid connection but of kind {grid.kind}")
        if self.price_per_kwh or self.penalty_per_kwh or self.baseline_kw is not None:
            return replace(setting, calls=(*setting.calls, self._call()))
        limit = ImportLimit(grid.id, Window(self.from_h, self.hours), min(self.import_max_kw, grid.import_max_kw))
        return replace(setting, limits=(*setting.limits, limit))

    def _call(self) -> PaidCall:
        """Return the event as a paid call."""
        if self.baseline_kw is None:
            raise ChangeError("a demand response that is paid for needs the baseline_kw that it is counted from")
        if self.import_max_kw > self.baseline_kw:
            raise ChangeError(
                f"import_max_kw {self.import_max_kw:g} is above the baseline of {self.baseline_kw:g} kW; nothing would be reduced"
            )
        if not self.price_per_kwh + self.penalty_per_kwh:
            raise ChangeError(
                "neither price_per_kwh nor penalty_per_kwh is given; without a baseline_kw it is a firm limit"
            )
        window, reduction_kw = Window(self.from_h, self.hours), self.baseline_kw - self.import_max_kw
        return PaidCall(window, self.baseline_kw, reduction_kw, self.price_per_kwh, self.penalty_per_kwh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather(Change):
    """Other weather, or anything else that profiles tell: series whose names match ``series`` (``*_cold_kw``) times ``factor`` plus ``offset``."""

    kind: Literal["weather"] = "weather"
    series: Pattern
    factor: NonNegative = 1.0
    offset: float = 0.0

    def touches(self) -> Iterator[str]:
        """Yield the series' pattern."""
        yield f"series[{self.series}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the series shifted."""
        known = setting.site.series()
        if not fnmatches(known, self.series):
            raise ChangeError(f"no series matches {self.series}; the site reads {', '.join(known)}")
        return replace(setting, shifts=(*setting.shifts, SeriesShift(self.series, self.factor, self.offset)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherYear(Change):
    """Another year of profiles: a file beside the site's, with the same series."""

    kind: Literal["weather_year"] = "weather_year"
    profiles: ProfileFile

    def touches(self) -> Iterator[str]:
        """Yield the profiles."""
        yield "profiles"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the other profiles; whether they hold every series is checked with the site."""
        return replace(setting, site=replace(setting.site, profiles=self.profiles))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastErrors(Change):
    """Forecasts that are off: a relative error that grows with the lead time and forgets within ``memory_h``."""

    kind: Literal["forecast_error"] = "forecast_error"
    series: Pattern = "*"
    share: Annotated[float, Gt(0), Le(2)]
    memory_h: Positive = 6.0

    def touches(self) -> Iterator[str]:
        """Yield the forecasts' pattern."""
        yield f"forecasts[{self.series}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the errors."""
        known = setting.site.series()
        if not fnmatches(known, self.series):
            raise ChangeError(f"no series matches {self.series}; the site reads {', '.join(known)}")
        return replace(setting, noises=(*setting.noises, ForecastNoise(self.series, self.share, self.memory_h)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRule(Change):
    """Who operates the site: the optimizer, or a rule as it is common, or one tuned on the week before."""

    kind: Literal["control_rule"] = "control_rule"
    control: Control

    def touches(self) -> Iterator[str]:
        """Yield the operator."""
        yield "control"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting under that operator."""
        return replace(setting, control=self.control)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonPrice(Change):
    """What a kilogram of CO2 costs, in the site's currency; part of the plan and of the run's cost."""

    kind: Literal["co2_price"] = "co2_price"
    price_per_kg: NonNegative

    def touches(self) -> Iterator[str]:
        """Yield the price."""
        yield "co2_price"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the price."""
        return replace(setting, co2_price_per_kg=self.price_per_kg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonCap(Change):
    """What a day of the run may emit at most; going beyond costs dearly and is reported."""

    kind: Literal["co2_cap"] = "co2_cap"
    kg_per_day: NonNegative

    def touches(self) -> Iterator[str]:
        """Yield the cap."""
        yield "co2_cap"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the cap."""
        return replace(setting, co2_cap_kg_per_day=self.kg_per_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals(Change):
    """How irregularly vehicles come: one standard deviation around their hour."""

    kind: Literal["arrivals"] = "arrivals"
    spread_h: NonNegative = 0.25

    def touches(self) -> Iterator[str]:
        """Yield the arrivals."""
        yield "arrivals"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with irregular arrivals."""
        return replace(setting, arrival_spread_h=self.spread_h)
