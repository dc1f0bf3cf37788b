"""Customers of the running site: who they are by their meters, which of them to go to first, and a portrait of each."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from customers.evaluation.target import TargetIndex, indicators_of, target_index
from customers.features.table import FeatureTable
from customers.intervals.series import MeterTable
from customers.intervals.vee import validate
from customers.portraits.customer import CustomerPortrait
from customers.portraits.gather import drawn_from, portraits_with_hints, site_customers
from customers.portraits.shapes import year_by_hour
from models.site import Site
from service.api.access import only
from service.auth.roles import Deed
from service.console.chart_forms import ChartForm, sent
from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced

router = APIRouter(include_in_schema=False, route_class=PageRoute)
Array = npt.NDArray[np.float64]
Customer = Annotated[str, Path(max_length=120)]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Everything that pages show of a site's customers; rows of all parts are the same customers."""

    table: MeterTable
    features: FeatureTable
    portraits: list[CustomerPortrait]
    names: list[str]
    index: TargetIndex

    def row(self, customer: str) -> int:
        """Return a customer's row; 404 where the site has none of that name."""
        if customer not in self.table.customers:
            known = ", ".join(self.table.customers)
            raise HTTPException(404, f"The site has no customer {customer}; it has {known}.")
        return self.table.customers.index(customer)


class Portraits:
    """Portraits of the customers of one site, drawn when somebody looks for the first time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Known] = {}

    def of(self, site: Site) -> Known:
        """Return what is known of a site's customers; a second look waits for the first."""
        with self._lock:
            if site.name not in self._found:
                self._found = {site.name: _known(site)}
            return self._found[site.name]


PORTRAITS = Portraits()


def _known(site: Site) -> Known:
    there = site_customers(site)
    drawn = drawn_from(validate(there.table), there.air_degc)
    names = drawn.features.customers
    missing = 1.0 - np.asarray(drawn.coverage_share) + np.asarray(drawn.estimated_share)
    index = target_index(names, indicators_of(drawn.features, missing))
    made = portraits_with_hints(drawn, there.businesses, range(len(names)))
    titles = [there.businesses[n].name or n for n in names]
    return Known(there.table, drawn.features, made, titles, index)


async def listed(look: Glance) -> dict[str, object]:
    """Return the site's customers, those to go to first on top."""
    if not look.runtime.site.customers:
        return {"targets": []}
    known = await asyncio.to_thread(PORTRAITS.of, look.runtime.site)
    order = [int(r) for r in known.index.order()]
    rows = [(known.portraits[r], known.names[r], float(known.index.score[r]), known.index.why(r)) for r in order]
    return {"targets": rows}


@router.get("/customers/{customer}", **seen_by(Deed.SERVE))
async def portrait(request: Request, look: Glanced, customer: Customer) -> HTMLResponse:
    """Return one customer's portrait."""
    known = await asyncio.to_thread(PORTRAITS.of, look.runtime.site)
    row = known.row(customer)
    parts = {
        "p": known.portraits[row],
        "title": known.names[row],
        "rank": int(known.index.rank[row]),
        "score": float(known.index.score[row]),
    }
    return page(request, look.runtime, look.language, "portrait.html", parts, room="customers")


@router.get("/console/customers/{customer}/{chart}", **only(Deed.SERVE))
async def portrait_chart(
    look: Glanced,
    customer: Customer,
    chart: Annotated[str, Path(max_length=20)],
    form: Annotated[ChartForm, Query(alias="format")] = ChartForm.JSON,
) -> Response:
    """Return a chart of one customer's use of electricity."""
    if chart not in ("year", "typical"):
        raise HTTPException(404, f"A portrait has no chart named {chart}; there are year and typical.")
    known = await asyncio.to_thread(PORTRAITS.of, look.runtime.site)
    made = (year_chart if chart == "year" else typical_chart)(look, known, known.row(customer))
    return sent(made, form, look.runtime.site.location.time_zone)


def year_chart(look: Glance, known: Known, row: int) -> Chart:
    """Return a year by local day and hour of the day."""
    return year_of(look, *year_by_hour(known.table, row))


def typical_chart(look: Glance, known: Known, row: int) -> Chart:
    """Return the mean working day and the mean free day."""
    return typical_of(look, np.asarray(known.features.days.typical_kw[row], dtype=float))


def year_of(look: Glance, days: Sequence[str], by_hour: Array) -> Chart:
    """Return a year as colours; ``by_hour`` is (day, 24) in kW."""
    lines = [Line(f"{hour:02d}:00", days, by_hour[:, hour], Look.HEAT) for hour in range(24)]
    return Chart("year", [Panel(look.w["load_by_hour"], "kW")], lines, Axis.NAMES, look.w["day"])


def typical_of(look: Glance, by_hour: Array) -> Chart:
    """Return a mean working day and a mean free day; ``by_hour`` is (2, 24) in kW."""
    hours = [float(h) for h in range(25)]
    working, free = np.concatenate([by_hour, by_hour[:, -1:]], axis=1)  # the last hour lasts until midnight
    lines = [
        Line(look.w["working_day"], hours, working, Look.STEP, "--accent"),
        Line(look.w["free_day"], hours, free, Look.STEP, "--k-chp"),
    ]
    return Chart("typical", [Panel(look.w["typical_days"], "kW")], lines, Axis.NUMBER, "h")
