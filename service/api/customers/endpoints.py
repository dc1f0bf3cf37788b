"""Every router of customers."""

from service.api.customers.contracts import router as contracts
from service.api.customers.efficiency import router as efficiency
from service.api.customers.intervals import router as intervals
from service.api.customers.leads import router as leads
from service.api.customers.management import router as management
from service.api.customers.market import router as market
from service.api.customers.records import router_of
from service.customers.records import ALL

routers = (*(router_of(kind) for kind in ALL), leads, contracts, intervals, efficiency, management, market)
