"""What can be asked for as a job: one document per kind, checked whole before anything is kept."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat

from models.errors import DataError, SiteError
from models.findings import Finding, error, errors_in
from models.horizon import require_utc
from models.site import Site
from models.site.file import load_site
from models.state import UnitState
from models.units import Id
from scenarios.cases.beginning import Beginning
from scenarios.cases.case import Case, try_changes
from scenarios.cases.file import SHIPPED_SITES, library, load_case, parse_case
from scenarios.cases.sweep import Kind, Point, points_of
from scenarios.sizing.options import Options, parse_options
from service.day_plan import EVENT_FORM, SUPPLY_FORM, DayAsked
from service.documents.checks import NAME

Seed = Annotated[int, Ge(0), Le(2**31), Field(description="same seed, same weather")]
Deadline = Annotated[float, Ge(1), Le(3600), Field(description="s that the solver may take for one plan")]
Day = Annotated[date, Field(description="local day of the site's profile year")]
At = Annotated[AwareDatetime, Field(description="instant, with zone")]
SWEEP_MOST = 1000
"""So many points one job may have."""


class Ordered(BaseModel):
    """What every job may be told of its turn and its time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urgent: bool = Field(False, description="before every study that is not; for those who operate")
    limit_s: Annotated[float, Ge(1), Le(86400), Field(description="s of work after which it is ended")] = 7200.0


class _Asked(Ordered):
    site: str = Field(
        "running",
        pattern=NAME,
        description="the site that runs here, a shipped one (park, works), or a document's name",
    )


class DispatchJob(_Asked):
    """The cheapest plan for one day, replayed by the twin."""

    kind: Literal["dispatch"]
    day: Day
    seed: Seed = 1
    deadline_s: Deadline = 60.0
    events: tuple[str, ...] = Field((), description=f"calls on demand response, each like {EVENT_FORM}")
    supply_temperature: str = Field("", description=f"let the supply temperature move, like {SUPPLY_FORM}")

    def as_day(self) -> DayAsked:
        """Return the day as the command line asks for it too."""
        return DayAsked(self.day, self.seed, self.deadline_s, self.events, self.supply_temperature)


class ExplainJob(_Asked):
    """Why a day cannot be served, or why its set-points are where they are."""

    kind: Literal["explain"]
    day: Day
    asset: Id | None = Field(None, description="this asset only")
    at: At | None = Field(None, description="instant, with zone; the dearest one when left out")
    seed: Seed = 1
    deadline_s: Deadline = 60.0


class FlowJob(_Asked):
    """The state of all networks at one instant."""

    kind: Literal["flow"]
    at: At
    seed: Seed = 1


class OutageJob(_Asked):
    """Every single outage of the electric networks at one instant."""

    kind: Literal["n1"]
    at: At
    seed: Seed = 1


class EstimateJob(_Asked):
    """The state of all carriers out of half an hour of readings of an emulated plant, with a verdict on every sensor."""

    kind: Literal["estimate"]
    at: At
    seed: Seed = 1


class ForecastJob(_Asked):
    """Every series of the emulated site from an instant on, with intervals."""

    kind: Literal["forecast"]
    at: At
    hours: Annotated[int, Ge(1), Le(168), Field(description="h ahead")] = 24
    seed: Seed = 1


class OffersJob(_Asked):
    """A day's offers to a day-ahead market, with their proof on the grid; prices are made up where none are sent."""

    kind: Literal["offers"]
    day: Day
    paths: Annotated[int, Ge(1), Le(200), Field(description="price paths")] = 60
    steps: Annotated[int, Ge(1), Le(200), Field(description="steps of a curve at most")] = 20
    fee_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100)] = 0.15
    short_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100), Field(description="what a kWh too little costs on top")] = 0.0
    long_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100), Field(description="what a kWh too much costs on top")] = 0.0
    proven: bool = Field(True, description="replay every path on the grid")
    seed: Seed = 1


class TradeDayJob(_Asked):
    """One day of an emulated site at a market, from the forecast to the ledger; prices are made up."""

    kind: Literal["trade_day"]
    day: Day
    paths: Annotated[int, Ge(1), Le(200), Field(description="price paths")] = 20
    steps: Annotated[int, Ge(1), Le(200), Field(description="steps of a curve at most")] = 20
    fee_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100)] = 0.15
    hedged_share: Annotated[float, Ge(0), Le(1), Field(description="of the expected purchase, at a fixed price")] = 0.5
    seed: Seed = 1


class SizeJob(_Asked):
    """What to build at least cost, why, and what it earns."""

    kind: Literal["size"]
    options: dict[str, Any] = Field(description="an options document (jouletwin-options/1)")
    whole: bool = Field(True, description="also run every hour of the year")
    weeks: Annotated[int, Ge(0), Le(4), Field(description="how many worst weeks the twin replays")] = 3
    slack_share: Annotated[float, Ge(0), Le(1), Field(description="alternatives for so much more cost, 0 for none")] = (
        0.0
    )
    deadline_s: Deadline = 600.0


class ParetoJob(_Asked):
    """Plans from the cheapest to the cleanest."""

    kind: Literal["pareto"]
    options: dict[str, Any] = Field(description="an options document (jouletwin-options/1)")
    points: Annotated[int, Ge(2), Le(50), Field(description="how many plans, both ends included")] = 6
    deadline_s: Deadline = 600.0


class UnitStanding(BaseModel):
    """Whether a unit runs, and for how many hours it has been so."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    running: bool
    hours_in_state: Annotated[float, Ge(0)]


class Standing(BaseModel):
    """Where a site stands: the live snapshot as the interface gives it; what a case cannot begin with is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: AwareDatetime
    stored_kwh: dict[Id, FiniteFloat]
    units: dict[Id, UnitStanding] = {}

    def begin(self, case: Case) -> Case:
        """Return the case as it goes on from here, at the last whole step."""
        start = require_utc(self.at) - timedelta(seconds=self.at.timestamp() % case.run.step_s)
        units = {name: UnitState(u.running, u.hours_in_state) for name, u in self.units.items()}
        return replace(case, beginning=Beginning(start, self.stored_kwh, units))

    def findings(self, site: Site) -> list[Finding]:
        """Return what the case's site does not have."""
        known = {a.id for a in site.assets}
        places = {"stored_kwh": set(self.stored_kwh), "units": set(self.units)}
        words = f"the case's site {site.name} has no such asset; begin with a snapshot of that site"
        return [
            error(f"begins.{place}.{name}", words) for place, named in places.items() for name in sorted(named - known)
        ]


class _CaseAsked(Ordered):
    case: str | dict[str, Any] = Field(description="a shipped case's name, or a case document (jouletwin-case/1)")
    values: dict[Id, float] = Field({}, description="values of the case's parameters, its defaults where left out")
    step: Literal["quarter_hour", "hour"] | None = Field(
        None, description="length of steps, the case's own when left out"
    )


class ScenarioJob(_CaseAsked):
    """A what-if case beside its base; the case names its site."""

    kind: Literal["scenario"]
    alone: bool = Field(False, description="without its base")
    begins: Standing | None = Field(
        None,
        description="where the site stands when the case begins, a live snapshot; at rest on its own day when left out",
    )


class SweepJob(_CaseAsked):
    """A what-if case at many values of its parameters; one whose worker died goes on with the points that are left."""

    kind: Literal["sweep"]
    cover: Kind = Field("grid", description="how the ranges of the case's parameters are covered")
    count: Annotated[int, Ge(1), Le(SWEEP_MOST), Field(description="points of all kinds but grids")] = 16
    seed: Seed = 1

    def points(self, case: Case) -> tuple[Point, ...]:
        """Return the points; raises DataError where the case leaves nothing open, or too many points for a job come of it."""
        found = points_of(case, self.cover, self.count, seed=self.seed)
        if len(found) > SWEEP_MOST:
            words = (
                f"comes to {len(found):,} points, a job takes {SWEEP_MOST}; take fewer steps or a cover with a count"
            )
            raise DataError([error("cover", words)])
        return found


Request = (
    DispatchJob
    | ExplainJob
    | FlowJob
    | OutageJob
    | EstimateJob
    | ForecastJob
    | OffersJob
    | TradeDayJob
    | SizeJob
    | ParetoJob
    | ScenarioJob
    | SweepJob
)
Asked = Annotated[Request, Field(discriminator="kind")]


def own_site(request: Request) -> str | None:
    """Return the name of the document that has a request's site, None where the product has it."""
    name = None if isinstance(request, ScenarioJob | SweepJob) else request.site
    return None if name in (None, "running", *SHIPPED_SITES) else name


def checked(request: Request, running: Site, document: Path | None = None) -> Site:
    """Return the site that a request is about; ``document`` is the file of one that somebody has brought.

    Raises
    ------
    DataError
        With everything that is wrong with the documents in the request.
    """
    if isinstance(request, ScenarioJob | SweepJob):
        case = case_of(request)
        findings = list(errors_in(try_changes(case)[1]))
        if isinstance(request, SweepJob):
            request.points(case)
        elif request.begins is not None:
            findings += request.begins.findings(load_site(case.site_file))
        if findings:
            raise SiteError(findings)
        return running
    if own_site(request) is not None:
        if document is None:
            words = f"there is no site {request.site}; it is running, {', '.join(SHIPPED_SITES)}, or a document that you bring"
            raise DataError([error("site", words)])
        site = load_site(document)
    else:
        site = running if request.site == "running" else load_site(SHIPPED_SITES[request.site]())
    if isinstance(request, DispatchJob):
        request.as_day().read(site)
    if isinstance(request, SizeJob | ParetoJob):
        options_of(request.options, site)
    if (
        isinstance(request, ExplainJob)
        and request.asset is not None
        and request.asset not in {a.id for a in site.assets}
    ):
        raise DataError([error("asset", f"the site has none named {request.asset}; GET /api/v1/sites lists sites")])
    return site


def options_of(document: Mapping[str, Any], site: Site) -> Options:
    """Return the options in a document; raises DataError with every finding."""
    options, findings = parse_options(document, site)
    if options is None:
        raise DataError(findings)
    return options


def case_of(request: ScenarioJob | SweepJob) -> Case:
    """Return the case that is asked for; raises DataError with every finding."""
    if isinstance(request.case, str):
        return load_case(shipped(request.case), request.values)
    document, findings = standing_alone(request.case)
    case, found = parse_case(document, request.values)
    if case is None or errors_in([*findings, *found]):
        raise SiteError([*findings, *found])
    return case


def shipped(name: str) -> Path:
    """Return the file of a shipped case; raises DataError where there is none of that name."""
    if name not in library():
        raise SiteError([error("case", f"there is no shipped case {name}; there are {', '.join(library())}")])
    return library()[name]


def standing_alone(asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Return a case document with its site's file in it, and what hinders it to be run here."""
    document, findings = dict(asked), []
    if document.pop("extends", None) is not None:
        findings.append(error("extends", "a case sent here stands alone; write out the changes of what it extends"))
    name = document.get("site", "park")
    if name in SHIPPED_SITES:
        document["site"] = str(SHIPPED_SITES[name]())
    else:
        findings.append(error("site", f"is no shipped site; use one of {', '.join(SHIPPED_SITES)}"))
    return document, findings
