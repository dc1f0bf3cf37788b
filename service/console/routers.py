"""Every router of pages, in one place."""

from service.console.endpoints import router as live
from service.console.login import router as login
from service.console.networks import router as networks
from service.console.scenarios import router as scenarios
from service.console.schedule import router as schedule

PAGES = (scenarios, live, networks, schedule, login)
