"""The weather that is expected: a service's forecast, an emulated one with stated errors, and the sun that needs no forecast."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from models.components import Pv, Wind
from models.components.renewables import pv_per_unit
from models.forecast.grid import Array, Numbers, Quarters, index_of
from models.site import Site

ISSUE_EVERY = 24
"""A weather service issues every six hours."""
HALF = pd.Timedelta(450, "s")
"""Half a quarter-hour: where the sun stands in the middle of one."""
FIRST_DAY, LONGEST = 96, 96 * 5
MEMORY = 48.0
"""After so many quarter-hours of lead an error of the weather forecast has mostly been forgotten."""


class WeatherService(Protocol):
    """Something that expects weather."""

    def expected(self, issued: Numbers, target: Numbers) -> Mapping[str, Array]:
        """Return each weather series at ``target`` as known at ``issued``, element by element; NaN where it says nothing."""
        ...


class NoWeather:
    """No service: forecasts take the weather of the same time yesterday."""

    def expected(self, issued: Numbers, target: Numbers) -> Mapping[str, Array]:
        """Return nothing."""
        del issued, target
        return {}


@dataclass(frozen=True, slots=True)
class WeatherError:
    """Standard deviation of a weather forecast within a day and beyond; relative where ``factor``."""

    near: float
    far: float
    factor: bool


ERRORS = {"air": WeatherError(1.0, 1.7, factor=False), "sun": WeatherError(0.22, 0.30, factor=True)}
WIND_ERROR = WeatherError(0.35, 0.50, factor=True)


class EmulatedWeather:
    """A weather service for an emulated site: what will be, smooth inside the hour, with the errors that such services have.

    Temperature is off by 1.0 K within a day and 1.7 K beyond (standard deviation), irradiance by 22 and 30 %, a wind farm's power
    by 35 and 50 %; errors persist over half a day of lead and are drawn anew for every issue, from the seed.
    """

    def __init__(self, site: Site, smooth: Quarters, seed: int) -> None:
        self.smooth, self.seed = smooth, seed
        self.errors = weather_series(site, smooth.names)
        self._paths: dict[tuple[str, int], Array] = {}

    def expected(self, issued: Numbers, target: Numbers) -> Mapping[str, Array]:
        """Return each weather series at ``target`` as the last issue before ``issued`` has it; NaN beyond five days."""
        issue = issued // ISSUE_EVERY
        lead = target - issue * ISSUE_EVERY
        known = (lead >= 0) & (lead < LONGEST)
        rows = dict(zip(self.smooth.names, self.smooth.at(target), strict=True))
        found = {}
        for name, error in self.errors.items():
            noise = np.full(len(target), np.nan)
            for one in np.unique(issue[known]):
                here = known & (issue == one)
                noise[here] = self._path(name, int(one), error)[lead[here]]
            found[name] = np.clip(rows[name] * (1.0 + noise), 0.0, None) if error.factor else rows[name] + noise
        return found

    def _path(self, name: str, issue: int, error: WeatherError) -> Array:
        """Return the error of one issue by lead: a first-order process whose spread grows beyond a day."""
        key = name, issue
        if key not in self._paths:
            digest = hashlib.blake2b(f"{self.seed}/{name}/{issue}".encode(), digest_size=8).digest()
            rng = np.random.Generator(np.random.SFC64(int.from_bytes(digest, "big")))
            keep = np.exp(-1.0 / MEMORY)
            shocks = rng.standard_normal(LONGEST) * np.sqrt(1.0 - keep**2)
            level, path = rng.standard_normal(), np.empty(LONGEST)
            for k in range(LONGEST):
                path[k] = level = keep * level + shocks[k]
            spread = np.interp(np.arange(LONGEST), [0, FIRST_DAY, 2 * FIRST_DAY], [error.near, error.near, error.far])
            self._paths[key] = path * spread
        return self._paths[key]


def weather_series(site: Site, names: Iterable[str]) -> dict[str, WeatherError]:
    """Return the series of a site that a weather service can say something about, with how far it is usually off."""
    found = {w.profile: WIND_ERROR for w in site.of_kind(Wind)}
    for name in names:
        if name.endswith("_degc"):
            found[name] = ERRORS["air"]
        elif name.endswith("_w_per_m2"):
            found[name] = ERRORS["sun"]
    return found


class Sun:
    """The sun over a site: how bright a cloudless sky is, and what roofs make of an irradiance."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.fields = {pv.profile: pv for pv in site.of_kind(Pv)}

    def clear_w_per_m2(self, numbers: Numbers) -> Array:
        """Return the clear-sky global irradiance in the middle of some quarter-hours.

        Source: Haurwitz (1945) as in pvlib; needs no turbidity.
        """
        import pvlib

        place = self.site.location
        sun = pvlib.solarposition.get_solarposition(index_of(numbers) + HALF, place.latitude_deg, place.longitude_deg)
        return np.asarray(pvlib.clearsky.haurwitz(sun["apparent_zenith"])["ghi"], dtype=float)

    def output_pu(self, field: Pv, numbers: Numbers, ghi_w_per_m2: Array, air_degc: Array) -> Array:
        """Return what a field gives per unit of its peak under an irradiance; shape like ``numbers``."""
        place = self.site.location
        middle = index_of(numbers) + HALF
        at = {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
        return pv_per_unit(field, middle, ghi_w_per_m2, air_degc, **at)
