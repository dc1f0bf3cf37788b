"""The forecaster that a site learns by itself: chosen runners per series, the latest errors taken in, bands and joint paths."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

import numpy as np
import xarray as xr

from models.forecast.backtest import pick
from models.forecast.bands import stretch, usual_size
from models.forecast.candidates import answers
from models.forecast.features import World, features, scales
from models.forecast.forecast import Forecast
from models.forecast.grid import PER_DAY, Array, Numbers, Quarters, covered, instant_of, number_of, read_quarters
from models.forecast.naive import History
from models.forecast.netload import import_weights
from models.forecast.recent import LONG, signs
from models.forecast.training import Trained, class_of, world_of
from models.forecast.weather import WeatherService
from models.horizon import QUARTER, Horizon
from models.site import Site

ISSUE_EVERY = 12
"""The long part of a forecast is made anew every three hours; in between the latest errors move it."""
KEPT_DAYS = 35
"""Days of history that features look back on."""
ERROR_DAYS = 21
"""Days of own errors that say how sure a forecast is."""
STRETCH_DAYS = 7
"""Days of own errors that bands are stretched to."""
LEARNED_AHEAD = 2 * PER_DAY
"""Beyond two days the usual day of its kind is all that is known."""
REREAD = 8
"""Quarter-hours that are read again every time, and all of the last two days with every issue: meters report late and revise."""
BAND = (0.1, 0.5, 0.9)
CAUTIOUS = 0.6
"""How sure a cautious forecast wants to be of what the site draws from outside."""
STORED_OVER = 8
"""Errors of the net load are averaged over so many quarter-hours before they count: a store makes up for shorter ones."""
LEAST_KW = 1.0
NEVER_BELOW_ZERO_BUT = ("_degc", "_per_kwh")


@dataclass(frozen=True, slots=True)
class Bands:
    """A forecast with its quantiles; ``values`` has dims (series, time, quantile), in each series' unit."""

    forecast: Forecast
    values: xr.DataArray


class OwnForecaster:
    """Expects every series of a site from what was measured until now; satisfies :class:`models.forecast.naive.Forecaster`.

    Nothing behind the horizon's start is read from ``history``. ``trained`` may be renewed at any time.
    """

    def __init__(self, site: Site, history: History, trained: Trained, service: WeatherService) -> None:
        self.site, self.history, self.trained, self.service = site, history, trained, service
        self._weights = import_weights(site)
        self._table = Quarters(trained.names, 0, np.zeros((len(trained.names), 0)))
        self._base = np.zeros((len(trained.names), 0))
        self._base_first = self._last_first = 0
        self._last = np.zeros((len(trained.names), 0))
        self._issued = -1
        self._world: World | None = None
        signed = [n.endswith(NEVER_BELOW_ZERO_BUT) for n in trained.names]
        self._classes = [class_of(n) for n in trained.names]
        self._lowest = np.where(signed, -np.inf, 0.0)

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the expected step means, made at the horizon's start; ``present`` is what was measured in the last minutes."""
        numbers = covered(horizon)
        values = self._point(horizon, numbers, present)
        return self._labelled(horizon, numbers, values, "own")

    def bands(
        self,
        horizon: Horizon,
        present: Mapping[str, float] = MappingProxyType({}),
        levels: tuple[float, ...] = BAND,
    ) -> Bands:
        """Return the forecast with the quantiles that its own errors ask for."""
        numbers = covered(horizon)
        values = self._point(horizon, numbers, present)
        leads = numbers - number_of(horizon.start)
        away = np.sort(self._away(numbers, leads, levels), axis=2)
        quantiles = np.maximum(values[:, :, None] + away, self._lowest[:, None, None])
        means = np.stack([step_means(horizon, numbers, quantiles[:, :, k]) for k in range(len(levels))], axis=2)
        coords = {"series": list(self.trained.names), "time": horizon.times, "quantile": list(levels)}
        labelled = xr.DataArray(means, coords, ("series", "time", "quantile"), "forecast")
        return Bands(self._labelled(horizon, numbers, values, "own"), labelled)

    def _away(self, numbers: Numbers, leads: Numbers, levels: tuple[float, ...]) -> Array:
        """Return how far each quantile lies from the forecast, as wide as the last days ask for; shape (series, lead, level)."""
        usual, local = self._usual_error(), self._now_world.local
        errors = self.recent_errors()[:, -STRETCH_DAYS * PER_DAY :]
        slots = local.slot(np.arange(self._table.end - errors.shape[1], self._table.end))
        low, high = np.moveaxis(self.trained.spread.at(np.array([PER_DAY - 1]), (BAND[0], BAND[-1]))[:, 0], 1, 0)
        wider = stretch(errors, low[:, None] * usual[:, slots], high[:, None] * usual[:, slots], self._classes)
        away = self.trained.spread.at(leads, levels) * usual[:, local.slot(numbers), None]
        low, high = np.moveaxis(self.trained.spread.at(leads, (BAND[0], BAND[-1])), 2, 0)
        middle = ((low + high) / 2.0 * usual[:, local.slot(numbers)])[:, :, None]
        return np.asarray(middle + wider[:, None, None] * (away - middle))

    def cautious(self, horizon: Horizon) -> Forecast:
        """Return a forecast with more load and less sun and wind than expected, so that the net load is at its quantile :data:`CAUTIOUS`.

        Every series moves towards its own quantile, all by the share that makes up the error of their sum: errors of many series add
        up to less than the sum of their quantiles.
        """
        numbers = covered(horizon)
        found = self.bands(horizon, levels=(1.0 - CAUTIOUS, CAUTIOUS))
        weights = np.array([[self._weights.get(n, 0.0)] for n in self.trained.names])
        point, less, more = found.forecast.values.to_numpy(), *(found.values.to_numpy()[:, :, k] for k in (0, 1))
        away = np.where(weights > 0, np.maximum(more - point, 0.0), np.minimum(less - point, 0.0)) * (weights != 0)
        asked_kw = step_means(horizon, numbers, self._net_error_kw(CAUTIOUS)[None, self._now_world.local.slot(numbers)])
        moved_kw = np.maximum((weights * away).sum(axis=0), LEAST_KW)
        values = point + np.clip(asked_kw[0] / moved_kw, 0.0, 1.0) * away
        return replace(found.forecast, values=found.forecast.values.copy(data=values), source="own, cautious")

    def _net_error_kw(self, level: float) -> Array:
        """Return a quantile of what the net load of some hours exceeded its forecast by in the last weeks, by quarter-hour of the day; shape (96,)."""
        errors = np.nan_to_num(self.recent_errors())
        net = np.array([self._weights.get(n, 0.0) for n in self.trained.names]) @ errors
        smooth = np.convolve(net, np.ones(STORED_OVER) / STORED_OVER, mode="same")
        slots = self._now_world.local.slot(np.arange(self._table.end - len(net), self._table.end))
        by_slot = [smooth[(slots - s + STORED_OVER) % PER_DAY <= 2 * STORED_OVER] for s in range(PER_DAY)]
        return np.array([np.quantile(own, level) for own in by_slot])

    @property
    def known_until(self) -> datetime:
        """The end of the last quarter-hour that has been read."""
        return instant_of(self._table.end)

    def last_expected(self, at: datetime) -> dict[str, float] | None:
        """Return what the last forecast said of the quarter-hour around an instant, None where it said nothing."""
        place = number_of(at) - self._last_first
        if not 0 <= place < self._last.shape[1]:
            return None
        return dict(zip(self.trained.names, self._last[:, place].tolist(), strict=True))

    def past_paths(self, horizon: Horizon) -> Array:
        """Return errors as they ran together through all series on past days at this time of day; shape (path, series, quarter).

        Each path starts at the same local time on another day, or an hour to either side; the latest errors are taken out of it, as they
        are taken out of the forecast.
        """
        numbers, now = covered(horizon), number_of(horizon.start)
        errors = self.recent_errors()
        found = []
        for day in range(1, ERROR_DAYS):
            for shift in (-4, 0, 4):
                start = now - day * PER_DAY + shift
                if start + len(numbers) > now or start - LONG < self._table.end - errors.shape[1]:
                    continue
                place = start - (self._table.end - errors.shape[1])
                seen = signs(errors[:, place - LONG : place])[:, -1]
                path = errors[:, place : place + len(numbers)]
                found.append(path - self.trained.memory.correction(seen, np.arange(len(numbers))))
        return np.nan_to_num(np.array(found))

    @property
    def _now_world(self) -> World:
        assert self._world is not None  # noqa: S101 - set by the first update
        return self._world

    def _point(self, horizon: Horizon, numbers: Numbers, present: Mapping[str, float]) -> Array:
        """Return the expected quarter-hours, the latest errors taken in."""
        now = number_of(horizon.start)
        self._update(now)
        base = self._expected(numbers, now)
        seen = self._latest(now, present)
        found = base + self.trained.memory.correction(seen, numbers - now)
        self._last_first, self._last = now, np.maximum(found, self._lowest[:, None])
        return self._last

    def _latest(self, now: int, present: Mapping[str, float]) -> Array:
        """Return the signs of the latest errors; what was measured in the last minutes stands for the last quarter-hour."""
        errors = self.recent_errors()[:, -LONG:].copy()
        before = self._base_at(np.array([now - 1]))[:, 0]
        for row, name in enumerate(self.trained.names):
            if name in present:
                errors[row, -1] = present[name] - before[row]
        return signs(errors)[:, -1]

    def _update(self, now: int) -> None:
        """Take in what has been measured since the last call, and make the long part anew when it is due."""
        first = now - KEPT_DAYS * PER_DAY
        if self._table.end > now or self._table.end < first or not self._table.values.size:
            self._begin(first, now)
        issue = now - now % ISSUE_EVERY
        back = 2 * PER_DAY if issue > self._issued else REREAD
        self._read(min(self._table.end, now) - back, now)
        if issue > self._issued:
            self._issue(issue, now)

    def _begin(self, first: int, now: int) -> None:
        """Read the last weeks and expect them in hindsight, day by day, as it would have been done then."""
        self._table = self._clean(read_quarters(self.history, first, now))
        self._world = world_of(self.site, self._table, self.service, self.trained.country)
        self._base_first = first
        self._base = np.full((len(self.trained.names), len(self._table.values[0])), np.nan)
        self._issued = -1
        start = now - now % ISSUE_EVERY - ERROR_DAYS * PER_DAY
        issues = np.arange(start, now, 24)
        target = (issues[:, None] + np.arange(24)).ravel()
        self._write(target, self._ask(np.repeat(issues, 24), target))

    def _clean(self, table: Quarters) -> Quarters:
        """Forget what no demand or yield can be."""
        return Quarters(table.names, table.first, np.where(table.values < self._lowest[:, None], np.nan, table.values))

    def _read(self, since: int, now: int) -> None:
        """Read some quarter-hours up to now, again where they are known, and drop what is too old."""
        since = max(since, self._table.first)
        fresh = self._clean(read_quarters(self.history, since, now))
        kept = self._table.values[:, : since - self._table.first]
        values = np.concatenate([kept, fresh.values], axis=1)
        self._table = Quarters(self.trained.names, self._table.first, values)

    def _issue(self, issue: int, now: int) -> None:
        """Make the long part from what is known now; what was expected of the past stays."""
        self._issued = issue
        target = np.arange(now, now + LEARNED_AHEAD)
        self._write(target, self._ask(np.full(len(target), now), target))

    def _ask(self, issued: Numbers, target: Numbers) -> Array:
        found = features(self._table, self._now_world, issued, target)
        return pick(answers(found, self.trained.names, self.trained.learned), self.trained.chosen)

    def _write(self, target: Numbers, values: Array) -> None:
        """Keep what is expected of some quarter-hours in a row."""
        end = int(target.max()) + 1 - self._base_first
        if end > self._base.shape[1]:
            more = np.full((len(self._base), end - self._base.shape[1] + 7 * PER_DAY), np.nan)
            self._base = np.concatenate([self._base, more], axis=1)
        self._base[:, target - self._base_first] = values

    def _base_at(self, numbers: Numbers) -> Array:
        return Quarters(self.trained.names, self._base_first, self._base).at(numbers)

    def _expected(self, numbers: Numbers, now: int) -> Array:
        """Return the long part: as issued for two days, the usual day behind them, the last value where nothing is known."""
        base = self._base_at(numbers)
        far = numbers >= self._issued + LEARNED_AHEAD
        if far.any():
            base[:, far] = self._ask(np.full(int(far.sum()), now), numbers[far])
        return np.where(np.isfinite(base), base, self._fallback())

    def _fallback(self) -> Array:
        """Return each series' last known value, 0 where there is none; shape (series, 1)."""
        known = np.isfinite(self._table.values)
        last = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
        values = self._table.values[np.arange(len(known)), last]
        return np.asarray(np.nan_to_num(values)[:, None], dtype=float)

    def naive_errors(self, days: int) -> Array:
        """Return what the same local time some days before would have been off by over the last weeks; shape (series, quarter)."""
        numbers = np.arange(self._table.end - ERROR_DAYS * PER_DAY, self._table.end)
        return np.asarray(self._table.at(numbers) - self._table.at(self._now_world.local.back(numbers, days)))

    def recent_errors(self) -> Array:
        """Return the errors of the long part over the last weeks; shape (series, quarter), the last quarter being the one before now."""
        end = self._table.end
        numbers = np.arange(end - ERROR_DAYS * PER_DAY, end)
        return self._table.at(numbers) - self._base_at(numbers)

    def _usual_error(self) -> Array:
        """Return the usual size of an error by quarter-hour of the day; shape (series, 96)."""
        errors = self.recent_errors()
        slots = self._now_world.local.slot(np.arange(self._table.end - errors.shape[1], self._table.end))
        return usual_size(errors, slots, scales(self._table))

    def _labelled(self, horizon: Horizon, numbers: Numbers, values: Array, words: str) -> Forecast:
        means = step_means(horizon, numbers, values)
        coords = {"series": list(self.trained.names), "time": horizon.times}
        until = instant_of(self.trained.until)
        source = f"{words}, trained until {until:%Y-%m-%d}"
        return Forecast(horizon.start, horizon, xr.DataArray(means, coords, ("series", "time"), "forecast"), source)


def step_means(horizon: Horizon, numbers: Numbers, values: Array) -> Array:
    """Return the mean over every step of a horizon from quarter-hours; a step inside one takes that one's value."""
    edges = np.array([(e - instant_of(int(numbers[0]))) / QUARTER for e in horizon.edges])
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    at = np.clip(edges, 0, values.shape[1])
    whole = np.minimum(at.astype(int), values.shape[1] - 1)
    upto = sums[:, whole] + (at - whole) * values[:, whole]
    return np.asarray(np.diff(upto, axis=1) / np.diff(at))
