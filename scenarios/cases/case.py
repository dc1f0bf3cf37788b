"""A case: what is changed, over which stretch of time it is run and how, and what is expected to come of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from annotated_types import Ge, Gt, Le
from pydantic import Field

from models.errors import SiteError
from models.findings import Finding, error, errors_in
from models.horizon import require_utc
from models.site import Site
from models.site.check import check_site
from models.site.file import read_site
from models.site.profiles import read_profiles
from models.tariffs.time_of_use import BillingPeriod
from scenarios.cases.beginning import Beginning
from scenarios.cases.change import Change, ChangeError
from scenarios.cases.circumstances import (
    Arrivals,
    CarbonCap,
    CarbonPrice,
    ControlRule,
    DemandResponse,
    ForecastErrors,
    OutageWindow,
    RandomFailures,
    Weather,
    WeatherYear,
    WorkOnAsset,
)
from scenarios.cases.equipment import AddAsset, EvUptake, LoadGrowth, MoveAsset, NewCustomer, RemoveAsset, Resize
from scenarios.cases.setting import Setting
from scenarios.cases.sizing import SizingTask, read_task
from scenarios.cases.terms import NetworkTemperature, PriceChange, Reinforce, TariffSwitch

AnyChange = Annotated[
    AddAsset
    | RemoveAsset
    | Resize
    | MoveAsset
    | LoadGrowth
    | NewCustomer
    | EvUptake
    | PriceChange
    | TariffSwitch
    | Reinforce
    | NetworkTemperature
    | OutageWindow
    | WorkOnAsset
    | RandomFailures
    | DemandResponse
    | Weather
    | WeatherYear
    | ForecastErrors
    | ControlRule
    | CarbonPrice
    | CarbonCap
    | Arrivals,
    Field(discriminator="kind"),
]
STEP_S = {"minute": 60.0, "quarter_hour": 900.0, "hour": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a case is run.

    ``operate`` plans again at every step and acts on what comes, ``optimise`` acts on one plan that knew everything beforehand, ``size``
    asks what to build over the profiles' year. With
    ``proof`` of ``each_plan`` the twin lets a plan through before it is acted on, as on the live park; with ``each_step`` plans are made on
    balances and the networks judge every step that came of them, which is what a year asks for.
    """

    mode: Literal["operate", "optimise", "size"] = "operate"
    step: Literal["minute", "quarter_hour", "hour"] = "quarter_hour"
    forecast: Literal["perfect", "naive"] = "perfect"
    seed: int = 1
    proof: Literal["each_plan", "each_step"] = "each_plan"
    lively: bool = True
    """Whether series move inside the profile's steps."""

    @property
    def step_s(self) -> float:
        """Length of a step of the plant in seconds."""
        return STEP_S[self.step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that a case leaves open: its default, and what a sweep tries: ``values``, or ``steps`` of them between ``low`` and ``high``."""

    default: float
    values: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    steps: Annotated[int, Ge(2)] = 5
    unit: str = ""
    title: str = ""

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the range."""
        if (self.low is None) != (self.high is None):
            yield "has only one end; give both low and high, or values"
        elif self.low is not None and self.high is not None and not self.low < self.high:
            yield f"is a range of one point or none ({self.low:g} to {self.high:g}); low must be below high"
        if self.values and self.low is not None:
            yield "has both values and a range; keep one"
        if len(set(self.values)) == 1:
            yield "is a range of one point; give at least two different values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Which way a figure should move against the base, by at least ``share`` of it (or ``by`` in its own unit)."""

    kpi: str
    direction: Literal["higher", "lower", "same"]
    share: Annotated[float, Ge(0)] = 0.0
    by: Annotated[float, Ge(0)] = 0.0

    def met(self, value: float, base: float) -> bool:
        """Return whether a figure moved as expected; ``same`` allows the stated difference, others ask for at least that."""
        needed = max(self.share * abs(base), self.by)
        moved = value - base
        if self.direction == "same":
            return abs(moved) <= max(needed, 1e-9 * abs(base))
        return moved >= needed and moved > 0 if self.direction == "higher" else -moved >= needed and moved < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One what-if question; every change in it has been read, whether it can be made to its site is found by :func:`setting_of`."""

    name: str
    title: str
    story: str
    site_file: Path
    start: date
    days: Annotated[float, Gt(0), Le(366)]
    run: RunOptions
    changes: tuple[AnyChange, ...] = ()
    expect: tuple[Expectation, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    """What the parameters are in this case."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The file's content with what it extends, parameters still open."""
    sizing: SizingTask | None = None
    """What a case of mode ``size`` decides."""
    beginning: Beginning | None = None
    """Where the site really stood when the run begins; at rest at local midnight when left out."""
    extends: "Case | None" = None
    """The case that this one adds its changes to."""

    def period(self, time_zone: str) -> BillingPeriod:
        """Return the run's stretch of time, from local midnight or where it begins; its peak is billed as a period of its own."""
        if self.beginning is not None:
            return BillingPeriod(self.beginning.at, self.beginning.at + timedelta(days=self.days))
        start = datetime.combine(self.start, time(), ZoneInfo(time_zone))
        return BillingPeriod(require_utc(start), require_utc(start) + timedelta(days=self.days))

    @property
    def base(self) -> "Case":
        """What the case is compared with: the same run of the case that it extends, or of the site as it is."""
        changes, values = (self.extends.changes, self.extends.values) if self.extends else ((), {})
        title = self.extends.title if self.extends else "As it is"
        return replace(self, name=f"{self.name}-base", title=title, changes=changes, values=values, expect=())


def setting_of(case: Case) -> Setting:
    """Return the setting that a case runs on.

    Raises
    ------
    SiteError
        With every change that cannot be made, every pair that contradicts, and everything that is wrong with the changed site.
    """
    setting, findings = try_changes(case)
    if setting is None or errors_in(findings):
        raise SiteError(findings)
    return setting


def try_changes(case: Case) -> tuple[Setting | None, list[Finding]]:
    """Return the setting with every change that can be made, and all findings; None when the base site itself is malformed."""
    site, findings = base_site(case.site_file)
    if site is None or errors_in(findings):
        return None, findings
    setting, found = Setting(site), list(contradictions(case.changes))
    for k, change in enumerate(case.changes):
        try:
            setting = change.applied(setting)
        except ChangeError as problem:
            found.append(error(place_of(k, change), f"{problem}"))
    if case.sizing is not None and not found:
        found += [
            replace(f, place=f"sizing.options: {f.place}") for f in errors_in(read_task(case.sizing, setting.site)[1])
        ]
    return setting, found + _consequences(setting, found)


def base_site(path: Path) -> tuple[Site | None, list[Finding]]:
    """Return the site in a file with its findings; the points of a sweep read it once, as long as nothing in its folder changes."""
    site, findings = _site_as_of(path, tuple(sorted(_stamps_of(path.parent))))
    return site, list(findings)


def _stamps_of(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, time of change and size of every file in a folder."""
    for place in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # a run that is being written may have moved on
            if place.is_file():
                seen = place.stat()
                yield place.name, seen.st_mtime_ns, seen.st_size


@lru_cache(maxsize=4)
def _site_as_of(path: Path, _stamps: tuple[tuple[str, int, int], ...]) -> tuple[Site | None, tuple[Finding, ...]]:
    site, findings = read_site(path)
    return site, tuple(findings)


def _consequences(setting: Setting, found: Sequence[Finding]) -> list[Finding]:
    """Return what is wrong with the changed site; nothing where a change already failed, since its absence would only echo."""
    if found:
        return []
    site = setting.site
    wrong = list(check_site(site))
    if site.profiles is not None:
        wrong += read_profiles(site.folder, site.profiles, site.series())[1]
    return [f for f in wrong if f in errors_in(wrong)]


def contradictions(changes: Sequence[Change]) -> Iterator[Finding]:
    """Yield every pair of changes that set the same thing; factors on the same thing multiply and may meet."""
    seen: dict[str, tuple[int, Change]] = {}
    for k, change in enumerate(changes):
        for place in change.touches():
            for known, (j, earlier) in seen.items():
                both_scale = change.scales and type(change) is type(earlier)
                if j != k and not both_scale and _same(place, known):
                    words = f"contradicts {place_of(j, earlier)}: both change {place}; keep one of them"
                    yield error(place_of(k, change), words)
        seen |= dict.fromkeys(change.touches(), (k, change))


def _same(one: str, other: str) -> bool:
    """Return whether two places are the same, or one lies within the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def place_of(number: int, change: Change) -> str:
    """Return where a change stands in its file."""
    return f"changes[{number}] ({getattr(change, 'kind', type(change).__name__)})"
