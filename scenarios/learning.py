"""The forecaster that a site has learned from its year: trained once, kept, and renewed when something it depends on changes."""

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from models.actuals import Actuals
from models.forecast.grid import PER_DAY, number_of, read_quarters
from models.forecast.naive import History
from models.forecast.own import OwnForecaster
from models.forecast.training import Trained, Trainer, load_trained, save_trained
from models.forecast.weather import EmulatedWeather, NoWeather, WeatherService
from models.horizon import from_index
from models.site import Site
from models.site.profiles import load_profiles
from models.tariffs.time_of_use import BillingPeriod

AROUND = 60 * PER_DAY
"""So far beside the year, in quarter-hours, a weather service is asked."""
FORMAT = "2"
"""Part of every kept file's name; another one as soon as what is kept changes."""


def forecasters_folder() -> Path:
    """Return the user's cache folder for trained forecasters."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "jouletwin" / "forecasters"


def own_forecaster(
    site: Site, seed: int, history: History, unseen: Sequence[BillingPeriod], folder: Path | None = None
) -> OwnForecaster:
    """Return the forecaster of an emulated site: trained on its year without what is ``unseen``, fed by ``history``, told the weather to come."""
    weather = emulated_weather(site, seed)
    return OwnForecaster(site, history, learned(site, seed, unseen, weather, folder), weather)


def forecaster_without_weather(site: Site, history: History, folder: Path | None = None) -> OwnForecaster:
    """Return the forecaster of a real site that nobody tells the weather: trained on its profiles, to be trained again on what is measured."""
    service = NoWeather()
    return OwnForecaster(site, history, learned(site, 0, (), service, folder), service)


def learned(
    site: Site, seed: int, unseen: Sequence[BillingPeriod], weather: WeatherService, folder: Path | None = None
) -> Trained:
    """Return what can be learned from a site's year without some stretches, from the folder where it is kept already."""
    path = (folder or forecasters_folder()) / f"{mark_of(site, seed, unseen, weather)}.forecaster"
    if path.exists():
        return load_trained(path)
    first, end = profile_year(site)
    table = read_quarters(Actuals(site, seed), first, end)
    for period in unseen:
        table = table.without(number_of(period.start), number_of(period.end))
    trained = Trainer(site, table, weather).train()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_trained(trained, path)
    return trained


def mark_of(site: Site, seed: int, unseen: Sequence[BillingPeriod], weather: WeatherService) -> str:
    """Return a name for everything that training depends on."""
    profiles = b"" if site.profiles is None else (site.folder / site.profiles.file).read_bytes()
    words = f"{FORMAT}/{site.name}/{site.location}/{seed}/{tuple(unseen)}/{type(weather).__name__}".encode()
    return blake2b(words + profiles, digest_size=8).hexdigest()


def emulated_weather(site: Site, seed: int) -> EmulatedWeather:
    """Return the weather service of an emulated site, for its year and some weeks beside it."""
    first, end = profile_year(site)
    return EmulatedWeather(site, read_quarters(Actuals(site, seed, calm=True), first - AROUND, end + AROUND), seed)


def profile_year(site: Site) -> tuple[int, int]:
    """Return the quarter-hours of the site's profiles, first and behind the last: what forecasters learn from."""
    table = load_profiles(site)
    step = table.index[1] - table.index[0]
    return number_of(from_index(table.index[0])), number_of(from_index(table.index[-1] + step))
