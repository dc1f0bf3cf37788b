"""Every router of pages, in one place."""

from service.console.dealings import router as dealings
from service.console.desks import router as desks
from service.console.endpoints import router as live
from service.console.login import router as login
from service.console.networks import router as networks
from service.console.places import router as places
from service.console.portraits import router as portraits
from service.console.scenarios import router as scenarios
from service.console.schedule import router as schedule
from service.console.traces import router as traces

PAGES = (scenarios, places, dealings, portraits, desks, live, networks, schedule, traces, login)
