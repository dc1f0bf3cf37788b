"""Rooms that are desks with sheets on them: administration, trading and customers."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service.api.monitoring.schemas import HealthOut
from service.auth.roles import Deed
from service.console.dealings import dealings, offered
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced
from service.console.portraits import listed
from service.console.sheets import sheets
from service.version import VERSION

router = APIRouter(include_in_schema=False, route_class=PageRoute)
NOT_YET = 503
"""Told before the first value or plan: no fault of ours."""
ADMIN = ("/api/v1/users", "/api/v1/keys", "/api/v1/tenant", "/api/v1/audit", "/api/v1/jobs", "/api/v1/documents")
TRADING = (
    "/api/v1/tariffs", "/api/v1/bills", "/api/v1/billing-runs", "/api/v1/auctions", "/api/v1/orders", "/api/v1/positions",
    "/api/v1/order-books", "/api/v1/books", "/api/v1/settlement-runs", "/api/v1/accounts", "/api/v1/accounts/transactions",
    "/api/v1/invoices", "/api/v1/payments", "/api/v1/certificates", "/api/v1/certificates/acts",
)  # fmt: skip
CUSTOMERS = (
    "/api/v1/parties", "/api/v1/premises", "/api/v1/leads", "/api/v1/segments", "/api/v1/portraits", "/api/v1/packages",
    "/api/v1/recommendations", "/api/v1/proposals", "/api/v1/contracts", "/api/v1/projects", "/api/v1/assets",
    "/api/v1/work-orders", "/api/v1/service-cases", "/api/v1/partner-agreements", "/api/v1/settlements", "/api/v1/matches",
)  # fmt: skip


@router.get("/admin", **seen_by(Deed.MANAGE))
async def admin(request: Request, look: Glanced) -> HTMLResponse:
    """Return the administrator's desk: people, keys, the record, jobs, documents, and how the service does."""
    requests = request.app.state.requests
    health = HealthOut.of(look.runtime, VERSION)
    counted = sum(requests.statuses.values())
    more = {
        "health": health,
        "outcomes": look.memory.outcomes(),
        "answers": counted,
        "faults": sum(n for status, n in requests.statuses.items() if status >= 500 and status != NOT_YET),
        "mean_ms": 1e3 * requests.seconds / counted if counted else None,
    }
    return desk(request, look, "admin", ADMIN, more)


@router.get("/trading", **seen_by(Deed.TRADE))
async def trading(request: Request, look: Glanced) -> HTMLResponse:
    """Return the trader's desk: offers, positions, tariffs, bills, auctions, orders, books, settlement, ledger and certificates."""
    return desk(request, look, "trading", TRADING, {"figures": True, **await offered(look)})


@router.get("/customers", **seen_by(Deed.SERVE))
async def customers(request: Request, look: Glanced) -> HTMLResponse:
    """Return the desk of sales and service: who is on the books, projects, parties, leads, proposals, contracts, projects, assets, orders and cases."""
    return desk(request, look, "customers", CUSTOMERS, {**await listed(look), **await dealings(look)})


def desk(
    request: Request, look: Glance, room: str, paths: Sequence[str], more: dict[str, object] | None = None
) -> HTMLResponse:
    """Return a page of sheets, those that the interface has."""
    found = {"sheets": sheets(request.app, look.who, paths), **(more or {})}
    return page(request, look.runtime, look.language, f"{room}.html", found, room=room)
