"""Futures of a day: its naive forecast with the errors that the same forecast made on the same weekday before."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.actuals import Actuals
from models.components import Consumer, FlexibleLoad, Pv, Wind
from models.dispatch import DispatchProblem
from models.forecast import Forecast
from models.forecast.naive import NaiveForecaster, PerfectForecaster
from models.horizon import HOUR, Horizon
from models.site import Site
from optimizers.scenarios import Scenario
from scenarios.day import local_day
from scenarios.problem import Horizons, demand_terms
from twin.state import start_snapshot

Floats = npt.NDArray[np.float64]


class Futures:
    """A local day as it may turn out: the problem on its naive forecast, and equally probable scenarios around it, by the hour."""

    def __init__(self, site: Site, day: date, *, count: int, seed: int) -> None:
        self.site, self.day = site, day
        actuals = Actuals(site, seed)
        self._naive, self._perfect = NaiveForecaster(site, actuals), PerfectForecaster(actuals)
        self.expected = self._problem()
        self.before = [day - timedelta(weeks=k + 1) for k in range(count)]
        self.errors = [self._error(past) for past in self.before]

    def scenarios(self) -> list[Scenario]:
        """Return one future per week before: today's forecast with the errors of its weekday."""
        share = 1.0 / len(self.errors)
        return [Scenario(f"as {d}", share, self._with(e)) for d, e in zip(self.before, self.errors, strict=True)]

    def quantiles(self, levels: tuple[float, ...] = (0.1, 0.5, 0.9)) -> xr.DataArray:
        """Return the forecast's quantiles by its errors, dims (series, time, quantile); the middle one is the forecast itself."""
        values = self.expected.forecast.values
        away = np.quantile(np.array([e.values for e in self.errors]), levels, axis=0)
        away -= away[[levels.index(0.5)]]
        stacked = np.maximum(values.values[None] + away, 0.0)
        coords = {"quantile": list(levels), "series": values["series"].values, "time": values["time"].values}
        return xr.DataArray(stacked, coords, ("quantile", "series", "time")).transpose("series", "time", "quantile")

    def signs(self) -> dict[str, float]:
        """Return what a unit of each series does to the need for electricity, in kW."""
        found: dict[str, float] = {}
        for consumer in self.site.of_kind(Consumer):
            for demand in consumer.demands:
                if demand.carrier.value == "electricity":
                    found[demand.profile] = found.get(demand.profile, 0.0) + demand.scale
        for load in self.site.of_kind(FlexibleLoad):
            found[load.profile] = found.get(load.profile, 0.0) + load.scale
        for pv in self.site.of_kind(Pv):
            found[pv.profile] = found.get(pv.profile, 0.0) - pv.peak_kw
        for turbine in self.site.of_kind(Wind):
            found[turbine.profile] = found.get(turbine.profile, 0.0) - turbine.rated_kw
        return found

    def bad_ends(self) -> Mapping[str, Floats]:
        """Return how far each electric series' bad end lies from its forecast: more demand, less sun and wind; shape (step,)."""
        quantiles = self.quantiles()
        middle = quantiles.sel(quantile=0.5)
        return {
            name: (quantiles.sel(series=name, quantile=0.9 if sign > 0 else 0.1) - middle.sel(series=name)).values
            for name, sign in self.signs().items()
        }

    def _problem(self) -> DispatchProblem:
        period = local_day(self.site, self.day)
        horizon = Horizon.uniform(period.start, period.end, HOUR)
        return DispatchProblem(
            site=self.site,
            horizon=horizon,
            forecast=self._naive.forecast(horizon),
            initial=start_snapshot(self.site, period.start),
            demand=demand_terms(self.site, period, 0.0, 0.0),
            ends=Horizons().ends.terms(self.site),
        )

    def _error(self, day: date) -> xr.DataArray:
        """Return what a day turned out to be less what was forecast for it, on the steps of this day."""
        period = local_day(self.site, day)
        horizon = Horizon.uniform(period.start, period.end, HOUR)
        missed = self._perfect.forecast(horizon).values - self._naive.forecast(horizon).values
        steps = len(self.expected.horizon)
        if missed.sizes["time"] != steps:  # a day of a clock change: its last hour stands for what is missing
            missed = missed.isel(time=np.minimum(np.arange(steps), missed.sizes["time"] - 1))
        return missed.assign_coords(time=self.expected.horizon.times)

    def _with(self, missed: xr.DataArray) -> DispatchProblem:
        forecast = self.expected.forecast
        temperature = xr.DataArray(
            [str(s).endswith("_degc") for s in missed["series"].values], {"series": missed["series"]}
        )
        values = forecast.values + missed
        kept = values.where(temperature, values.clip(min=0.0))
        return replace(
            self.expected, forecast=Forecast(forecast.made_at, forecast.horizon, kept, "forecast and errors")
        )
