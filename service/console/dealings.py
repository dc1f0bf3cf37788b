"""Parties on the books with their meter data and packages, the board of projects, offers that were made, and positions."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from customers.lifecycle.project import Project
from customers.packages.customer import FACTS
from customers.parties.party import PartyRole
from models.site import Site
from service.api.access import only
from service.api.trading.auctions import last_positions
from service.auth.roles import Deed
from service.console.chart_forms import ChartForm, sent
from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced
from service.customers import meter_data
from service.customers.shelves import PARTIES, PROJECTS
from service.documents import shelf
from service.documents.checks import DocumentKind
from service.jobs import queue
from service.jobs.job import Job

router = APIRouter(include_in_schema=False, route_class=PageRoute)
PartyId = Annotated[str, Path(max_length=120)]
JOBS_LOOKED_AT = 100
TARIFFS_MOST = 200
WH_PER_KWH = 1000
SHOWN = 8
"""So many positions one picture can bear."""
ASKED = ("portrait", "package")


async def dealings(look: Glance) -> dict[str, object]:
    """Return who is on the books, the projects by how they stand, and what can be asked about all customers."""
    async with look.backing.store.reading(look.who.tenant_id) as session:
        people = await PARTIES.all(session, roles=PartyRole.CUSTOMER.value)
        projects = await PROJECTS.all(session)
    today = look.backing.store.clock.now().date()
    together = await _jobs(look, ("segments", "recommendation", "matching"))
    return {
        "people": people,
        "board": board(projects.values(), today),
        "tariffs": await _tariffs(look),
        "together": together,
    }


def board(projects: Iterable[Project], today: date) -> dict[str, list[tuple[Project, int]]]:
    """Return projects by how they stand, each with how many of its milestones are reached."""
    columns: dict[str, list[tuple[Project, int]]] = {k: [] for k in ("planned", "running", "late", "done")}
    for project in projects:
        reached = sum(m.reached_on is not None for m in project.milestones)
        columns[_standing(project, today)].append((project, reached))
    return columns


def _standing(project: Project, today: date) -> str:
    open_ones = [m for m in project.milestones if m.reached_on is None]
    if project.milestones and not open_ones:
        return "done"
    if any(m.due_on < today for m in open_ones):
        return "late"
    return "planned" if project.starts_on > today else "running"


async def _jobs(look: Glance, kinds: Sequence[str]) -> list[Job]:
    found = await queue.newest_first(look.backing.store, look.who.tenant_id, None, JOBS_LOOKED_AT)
    return [j for j in found if j.kind in kinds]


async def _tariffs(look: Glance) -> list[str]:
    async with look.backing.store.reading(look.who.tenant_id) as session:
        return [row.name for row in await shelf.listed(session, DocumentKind.TARIFF, "", TARIFFS_MOST)]


@router.get("/customers/parties/{party_id}", **seen_by(Deed.SERVE))
async def party(request: Request, look: Glanced, party_id: PartyId) -> HTMLResponse:
    """Return one party: its meter data, its portraits and packages, and where they are asked for."""
    async with look.backing.store.reading(look.who.tenant_id) as session:
        found = await PARTIES.content_of(session, party_id)
        if found is None:
            raise HTTPException(404, f"There is no party {party_id}; the customers' room lists those on the books.")
        meters = await meter_data.of_party(session, party_id)
    asked = [j for j in await _jobs(look, ASKED) if j.request.get("party_id") == party_id]
    parts = {
        "party": found,
        "party_id": party_id,
        "meters": meters,
        "asked": asked,
        "tariffs": await _tariffs(look),
        "facts": [f for f in FACTS if f != "roof_m2"],
        "buses": buses_of(look.runtime.site),
    }
    return page(request, look.runtime, look.language, "party.html", parts, room="customers")


def buses_of(site: Site) -> list[str]:
    """Return the buses of a site's electric network at which a customer can be connected."""
    return [b.id for n in site.networks.electricity[:1] for b in n.buses]


async def offered(look: Glance) -> dict[str, object]:
    """Return the offers that were made and the days that were traded, and the day for which the next could be."""
    made = await _jobs(look, ("offers", "trade_day"))
    told = {"offers": [j for j in made if j.kind == "offers"], "traded": [j for j in made if j.kind == "trade_day"]}
    held = bool(await last_positions(look.backing, look.who, 1))
    return {**told, "held": held, "day": look.now.date().isoformat()}


@router.get("/console/positions", **only(Deed.TRADE))
async def positions_chart(
    look: Glanced, form: Annotated[ChartForm, Query(alias="format")] = ChartForm.JSON
) -> Response:
    """Return what everybody has sold or bought by period, delivery by delivery."""
    held = await last_positions(look.backing, look.who, SHOWN)
    lines = []
    for number, one in enumerate(held):
        periods = [float(k) for k in range(len(one.position_wh))]
        title, colour = f"{one.delivery}, {one.participant}", COLOURS[number % len(COLOURS)]
        lines.append(Line(title, periods, [wh / WH_PER_KWH for wh in one.position_wh], Look.STEP, colour))
        lines.append(Line(title, periods, [c / 1e6 for c in one.cash_micro], Look.STEP, colour, 1))
    panels = [Panel(look.w["position"], "kWh", 1.4), Panel(look.w["exposure_note"], look.runtime.site.currency)]
    notes = [] if held else [look.w["no_positions"]]
    made = Chart("positions", panels, lines, Axis.NUMBER, look.w["period_of_delivery"], notes=notes)
    return sent(made, form, look.runtime.site.location.time_zone)


COLOURS = ("--accent", "--k-chp", "--k-battery", "--k-pv", "--c-heat", "--c-cold", "--forecast", "--faint")
