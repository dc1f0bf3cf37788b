"""Field types of the interface: numbers that are finite or absent, rounded to what a meter can know; and the running system."""

from math import isfinite
from typing import Annotated

import xarray as xr
from fastapi import Depends, HTTPException, Request
from pydantic import BeforeValidator

from models.site import Site
from service.api.access import backing_in, caller_in
from service.runtime import Runtime


def _finite(value: float | None) -> float | None:
    return round(float(value), 3) if value is not None and isfinite(value) else None


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A number rounded to three decimals; null when there is no value."""


def _finite_share(value: float | None) -> float | None:
    return round(float(value), 6) if value is not None and isfinite(value) else None


Share = Annotated[float | None, BeforeValidator(_finite_share)]
"""A share of one, rounded to six decimals; null when there is no value."""


def by_asset_and_carrier(power_kw: xr.DataArray) -> dict[str, dict[str, float | None]]:
    """Return the values of an array (asset, carrier) by name; where there is none, it is left out."""
    power = power_kw.transpose("asset", "carrier")
    carriers = [str(c) for c in power["carrier"].to_numpy()]
    rows = zip(power["asset"].to_numpy(), power.to_numpy().tolist(), strict=True)
    return {str(a): {c: v for c, v in zip(carriers, row, strict=True) if v == v} for a, row in rows}


def by_asset(stored_kwh: xr.DataArray) -> dict[str, float | None]:
    """Return the values of an array (asset) by name; where there is none, it is left out."""
    rows = zip(stored_kwh["asset"].to_numpy(), stored_kwh.to_numpy().tolist(), strict=True)
    return {str(a): v for a, v in rows if v == v}


async def _running(request: Request) -> Runtime:
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)  # noqa: S101 # create_app is the only one to set it
    if caller_in(request).tenant_id != backing_in(request).tenant_id:
        raise HTTPException(404, "No site of yours runs here.")
    return runtime


Running = Annotated[Runtime, Depends(_running)]
"""The running system, for those whose site it is."""


async def _own_site(request: Request) -> Site | None:
    mine = caller_in(request).tenant_id == backing_in(request).tenant_id
    return (await _running(request)).site if mine else None


OwnSite = Annotated[Site | None, Depends(_own_site)]
"""The site that runs here for those whose it is; None for others."""
