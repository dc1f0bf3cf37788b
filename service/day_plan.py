"""The plan of one day as command line and interface ask for it: calls and temperature ranges in words, one way to make it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from models.actuals import Actuals
from models.dispatch import DispatchProblem, ReductionEvent
from models.errors import DataError
from models.findings import Finding, error
from models.forecast.naive import PerfectForecaster
from models.horizon import Horizon
from models.site import Site
from optimizers.session import Progress
from optimizers.supply import SupplyRange
from scenarios.checked import checked_plan
from scenarios.day import local_day
from scenarios.problem import Horizons, demand_terms, demand_windows
from service.history import History
from service.memory import MadePlan
from twin.state import start_snapshot

EVENT = re.compile(
    r"(?P<from_h>\d\d?):(?P<from_min>[0-5]\d)-(?P<to_h>\d\d?):(?P<to_min>[0-5]\d),(?P<baseline>[\d.]+)kW-(?P<reduction>[\d.]+)kW"
    r",(?P<price>[\d.]+)/kWh(,(?P<penalty>[\d.]+)/kWh)?"
)
EVENT_FORM = "11:00-13:00,3000kW-1500kW,0.8/kWh,5/kWh (local time, baseline less reduction, price, penalty)"
SUPPLY = re.compile(r"(?P<least>\d+(\.\d+)?)\.\.(?P<most>\d+(\.\d+)?)")
SUPPLY_FORM = "80..95 (degC that the heat network's plant may send out, coldest to warmest)"
BOILING_DEGC = 130.0
"""Hotter water is steam in the networks that are modelled here."""


@dataclass(frozen=True, slots=True)
class DayAsked:
    """Which day is to be planned, and how.

    ``events`` are calls on demand response like :data:`EVENT_FORM`; ``supply`` lets the supply temperature of the heat network move, like
    :data:`SUPPLY_FORM`, "" keeps it.
    """

    day: date
    seed: int = 1
    deadline_s: float = 60.0
    events: Sequence[str] = ()
    supply: str = ""

    def read(self, site: Site) -> tuple[tuple[ReductionEvent, ...], SupplyRange | None]:
        """Return calls and range in numbers.

        Raises
        ------
        DataError
            With everything that cannot be read.
        """
        calls, wrong = read_events(self.events, local_day(site, self.day).start)
        supply, more = read_supply(self.supply)
        if wrong or more:
            raise DataError([*wrong, *more])
        return calls, supply


def made_plan(site: Site, asked: DayAsked, watch: Callable[[Progress], None] | None = None) -> MadePlan:
    """Return the plan of a local day with its profiles known, and what the twin says of it.

    ``watch`` is told how far each search has come. Raises DataError for what cannot be read, and what planning raises.
    """
    calls, supply = asked.read(site)
    problem = replace(day_problem(site, asked.day, asked.seed), events=calls)
    plan, check = checked_plan(site, problem, asked.deadline_s, watch, supply)
    return MadePlan(plan, check, None, *History(site).plan_arrays(plan))


def day_problem(site: Site, day: date, seed: int) -> DispatchProblem:
    """Return the problem of a whole local day in quarter-hours, from half-full stores, billed by itself."""
    period, horizons = local_day(site, day), Horizons()
    horizon = Horizon.uniform(period.start, period.end)
    return DispatchProblem(
        site=site,
        horizon=horizon,
        forecast=PerfectForecaster(Actuals(site, seed)).forecast(horizon),
        initial=start_snapshot(site, period.start),
        demand=demand_terms(site, period, 0.0, 0.0),
        demand_windows=demand_windows(site, period),
        ends=horizons.ends.terms(site),
    )


def read_events(texts: Sequence[str], midnight: datetime) -> tuple[tuple[ReductionEvent, ...], list[Finding]]:
    """Return the calls on demand response that texts like :data:`EVENT_FORM` stand for, and every text that cannot be read.

    Hours count from ``midnight``, a day's beginning.
    """
    made, findings = [], []
    for text in texts:
        try:
            made.append(_event(text, midnight))
        except ValueError:
            findings.append(error("event", f"'{text}' cannot be read; write it like {EVENT_FORM}"))
    return tuple(made), findings


def _event(text: str, midnight: datetime) -> ReductionEvent:
    found = EVENT.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError(text)
    start, end = (
        midnight + timedelta(hours=int(found[f"{side}_h"]), minutes=int(found[f"{side}_min"]))
        for side in ("from", "to")
    )
    baseline_kw, reduction_kw, price = (float(found[name]) for name in ("baseline", "reduction", "price"))
    penalty = {} if found["penalty"] is None else {"penalty_per_kwh": float(found["penalty"])}
    return ReductionEvent(start, end, baseline_kw, reduction_kw, price, **penalty)


def read_supply(text: str) -> tuple[SupplyRange | None, list[Finding]]:
    """Return the range that a text like :data:`SUPPLY_FORM` stands for, None for no text, and what is wrong with it."""
    if not text:
        return None, []
    found = SUPPLY.fullmatch(text.replace(" ", ""))
    place = "supply_temperature"
    if found is None:
        return None, [error(place, f"'{text}' cannot be read; write it like {SUPPLY_FORM}")]
    least, most = float(found["least"]), float(found["most"])
    if not 0.0 < least <= most <= BOILING_DEGC:
        words = f"{least:g} to {most:g} degC is no range of water temperatures up to {BOILING_DEGC:g}; write the colder one first"
        return None, [error(place, words)]
    return SupplyRange(least, most), []
