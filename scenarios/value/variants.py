"""Who operates the park in a value study, and over which stretches of the year."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from models.horizon import QUARTER, require_utc
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod

WEEK_DAYS = 7
DAY = timedelta(days=1)
Kind = Literal["common rule", "tuned rule", "loop", "perfect foresight"]
Expects = Literal["perfect", "own", "naive", "own now, perfect beyond", "perfect now, own beyond"]
Parameters = Literal["calibrated", "site file", "plant"]
Floor = Literal["rest of period", "none", "known"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of whole local days that is billed and judged by itself."""

    name: str
    first: date
    days: int

    def holds(self, other: "Stretch") -> bool:
        """Return whether another stretch lies in this one."""
        return self.first <= other.first and other.first + other.days * DAY <= self.first + self.days * DAY

    def period(self, site: Site) -> BillingPeriod:
        """Return the stretch as a billing period in UTC."""
        zone = ZoneInfo(site.location.time_zone)
        last = self.first + self.days * DAY
        return BillingPeriod(*(require_utc(datetime.combine(d, time(), zone)) for d in (self.first, last)))


@dataclass(frozen=True, slots=True)
class Variant:
    """One operator: what it expects, how often it plans and how far it looks, and what the plant spares it."""

    name: str
    kind: Kind
    expects: Expects = "own"
    replan: timedelta = QUARTER
    hours: int = 20
    """Hours behind the four hours of quarters."""
    guarded: bool = True
    trimmed: bool = True
    floor: Floor = "rest of period"
    plans_with: Parameters = "calibrated"
    """Whose parameters the planner believes: those learned from a metered day before, the site file's, or the plant's own."""
    at_once: bool = False
    margin_kw: float = 20.0
    """How far plans stay below the peak at least; 0 for none at all."""


COMMON = Variant("common rule", "common rule")
TUNED = Variant("tuned rule", "tuned rule")
OWN = Variant("loop, own forecasts", "loop")
PERFECT = replace(OWN, name="loop, perfect forecasts", expects="perfect")
FORESIGHT = Variant("perfect foresight", "perfect foresight")
MAIN = (COMMON, TUNED, OWN, PERFECT, FORESIGHT)

SWITCHED = (
    replace(OWN, name="present quarter-hour known", expects="perfect now, own beyond"),
    replace(OWN, name="all but the present quarter-hour known", expects="own now, perfect beyond"),
    replace(OWN, name="same time before as forecast", expects="naive"),
    replace(OWN, name="48 h ahead", hours=44),
    replace(OWN, name="12 h ahead", hours=8),
    replace(OWN, name="a plan every hour", replan=4 * QUARTER),
    replace(OWN, name="without guard", guarded=False),
    replace(OWN, name="without trim by the minute", trimmed=False),
    replace(OWN, name="no floor under the peak", floor="none"),
    replace(OWN, name="the period's peak known", floor="known"),
    replace(OWN, name="no margin below the peak", margin_kw=0.0),
    replace(OWN, name="planned with the site file's parameters", plans_with="site file"),
    replace(OWN, name="planned with the plant's own parameters", plans_with="plant"),
    replace(OWN, name="units that follow at once", at_once=True),
)
"""The loop with own forecasts with one thing switched."""

WEEKS = tuple(
    Stretch(f"{season} week", date(2015, month, day), WEEK_DAYS)
    for season, month, day in (("winter", 1, 19), ("spring", 4, 20), ("summer", 7, 20), ("autumn", 10, 19))
)
DAYS = (Stretch("three winter days", date(2015, 1, 20), 3), Stretch("three summer days", date(2015, 7, 21), 3))
"""Working days of two of the weeks, on which one thing at a time is switched."""
MONTHS = (Stretch("January", date(2015, 1, 1), 31), Stretch("July", date(2015, 7, 1), 31))
