"""Every router of trading."""

from fastapi import APIRouter

from service.api.trading.auctions import router as auctions
from service.api.trading.billing_runs import router as billing_runs
from service.api.trading.bills import router as bills
from service.api.trading.books import router as books
from service.api.trading.certificates import router as certificates
from service.api.trading.offers import router as offers
from service.api.trading.settlement import router as settlement
from service.api.trading.tariffs import router as tariffs

ROUTERS: tuple[APIRouter, ...] = (tariffs, bills, billing_runs, auctions, books, settlement, certificates, offers)
