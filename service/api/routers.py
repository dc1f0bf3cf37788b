"""Every router of the interface: a new resource is a folder beside this module and one entry here.

The folder has ``schemas.py`` (what is taken and answered, with an example for every field that must be sent) and ``endpoints.py`` with a
router made by :func:`service.api.access.guarded`, which says who may come in. ``/xs/{x_id}`` is found where ``POST /xs`` has made it, rows
belong to the tenant of ``who`` and are read in a transaction of that tenant. Nothing else knows of the resource: its description, the
tests of every route with every role, and those with requests made up from the description, follow from the routes themselves.
"""

from fastapi import APIRouter

from service.api.alarms.endpoints import router as alarms
from service.api.customers.endpoints import routers as customers
from service.api.devices.endpoints import router as devices
from service.api.documents.endpoints import router as documents
from service.api.health.endpoints import open_router as health
from service.api.health.endpoints import router as figures
from service.api.jobs.endpoints import router as jobs
from service.api.monitoring.endpoints import router as monitoring
from service.api.operations.endpoints import router as operations
from service.api.people.endpoints import router as people
from service.api.people.session import doors
from service.api.people.session import router as session
from service.api.schedules.endpoints import router as schedules
from service.api.snapshots.endpoints import router as snapshots
from service.api.studies.comparison import router as comparison
from service.api.studies.endpoints import router as studies
from service.api.telemetry.endpoints import feed
from service.api.telemetry.endpoints import router as telemetry
from service.api.tenants.endpoints import router as tenants
from service.api.trading.endpoints import ROUTERS as TRADING

OPEN: tuple[APIRouter, ...] = (doors, health)
"""For everybody: coming in, and what supervisors ask."""
GUARDED: tuple[APIRouter, ...] = (
    session,
    people,
    figures,
    monitoring,
    snapshots,
    schedules,
    operations,
    alarms,
    jobs,
    devices,
    studies,
    comparison,
    tenants,
    documents,
    feed,
    telemetry,
    *customers,
    *TRADING,
)
"""For those who are known and may."""
