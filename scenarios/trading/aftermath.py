"""What is left to do when a traded day is settled: certificates for what the sun and the wind gave, and invoices for what is owed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import xarray as xr

from market.certificates import Generated, Holding, Registry
from market.ledger import Ledger
from market.receivables import Invoice, Receivables
from market.settlement_runs import Run
from models.components import Pv, Wind
from models.horizon import Horizon
from models.site import Site
from scenarios.trading.result import hourly_wh

PAYABLE_WITHIN = timedelta(days=14)


def certified(site: Site, truth: xr.Dataset, horizon: Horizon, at: datetime) -> tuple[Holding, ...]:
    """Return the certificates of a day, one for each whole MWh that a PV or wind plant has delivered; the site holds them."""
    registry = Registry()
    for generated in _generated(site, truth, horizon):
        registry.issue(generated, site.name, at)
    return registry.holdings()


def _generated(site: Site, truth: xr.Dataset, horizon: Horizon) -> Iterator[Generated]:
    for asset in (*site.of_kind(Pv), *site.of_kind(Wind)):
        wh = sum(hourly_wh(truth, asset.id, float(horizon.step_h[0]), len(horizon)))
        if wh > 0:
            yield Generated(asset.id, horizon.start, horizon.end, wh, "pv" if isinstance(asset, Pv) else "wind")


def invoiced(ledger: Ledger, run: Run, participant: str, at: datetime) -> Invoice | None:
    """Invoice what a participant owes the market by a settlement run, and book it; None where nothing is owed."""
    owed = -run.due_micro().get(participant, 0)
    if owed <= 0:
        return None
    due = (at + PAYABLE_WITHIN).date()
    return Receivables(ledger).invoice(participant, owed, at, due, run.id, f"participant:{participant}")
