"""Device and forecast endpoints."""

from datetime import datetime
from typing import Annotated

import numpy as np
from fastapi import HTTPException, Path, Query, Response
from pydantic import BaseModel, Field

from models.forecast.forecast import Forecast
from models.ports import Quality
from models.site.site import Device
from models.state import Snapshot
from service.api.access import guarded
from service.api.fields import Number, Running
from service.api.people.endpoints import Limit
from service.api.problems import NotYet, described
from service.api.tables import TABLES, Chosen, TableForm, table
from service.auth.roles import Deed

router = guarded(Deed.SEE, "/api/v1", "devices", 404)


class ValueOut(BaseModel):
    """One value that a device gives."""

    quantity: str = Field(examples=["electricity_kw"])
    quality: Quality
    age_s: Number = Field(description="s since it was measured, at the newest snapshot")
    residual: Number = Field(description="measured minus model; null where no estimate stands beside it")


class DeviceOut(BaseModel):
    """One device, where it answers, and how far its values can be trusted; they are telemetry named DEVICE.QUANTITY."""

    id: str = Field(examples=["battery"])
    asset: str
    map: str = Field(description="the register map that describes it", examples=["sunspec_battery"])
    host: str
    port: int
    unit_id: int
    poll_s: float
    encrypted: bool = Field(description="whether it is spoken to over TLS")
    values: list[ValueOut]

    @classmethod
    def of(cls, device: Device, snapshot: Snapshot | None) -> "DeviceOut":
        """Return a device as the interface shows it."""
        same = {n: getattr(device, n) for n in ("id", "asset", "map", "host", "port", "unit_id", "poll_s")}
        tags = {} if snapshot is None else snapshot.tags
        values = [
            ValueOut(quantity=quantity, quality=tag.quality, age_s=tag.age_s, residual=tag.residual)
            for (asset, quantity), tag in sorted(tags.items())
            if asset == device.asset
        ]
        return cls(**same, encrypted=device.tls is not None, values=values)


class DevicePage(BaseModel):
    """Devices by id."""

    items: list[DeviceOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class ForecastOut(BaseModel):
    """What is expected: one value per step and series, in the unit that ends the series' name."""

    made_at: datetime
    source: str = Field(description="who forecasts")
    start: list[datetime] = Field(description="starts of the steps, UTC")
    end: datetime = Field(description="end of the last step")
    series: dict[str, list[Number]]

    @classmethod
    def of(cls, forecast: Forecast) -> "ForecastOut":
        """Return a forecast as the interface shows it."""
        edges = forecast.horizon.edges
        values = forecast.values.transpose("series", "time")
        series = {
            str(name): np.asarray(row, float).tolist()
            for name, row in zip(values["series"].to_numpy(), values.to_numpy(), strict=True)
        }
        return cls(
            made_at=forecast.made_at, source=forecast.source, start=list(edges[:-1]), end=edges[-1], series=series
        )


@router.get("/devices")
async def devices(
    runtime: Running,
    limit: Limit = 50,
    after: Annotated[str, Query(max_length=120, description="where the page before ended")] = "",
) -> DevicePage:
    """List the site's devices by id."""
    found = sorted((d for d in runtime.site.devices if d.id > after), key=lambda d: d.id)
    page = [DeviceOut.of(d, runtime.memory.snapshot) for d in found[:limit]]
    return DevicePage(items=page, next=page[-1].id if len(found) > limit else None)


@router.get("/devices/{device}", responses=described(404))
async def one(
    runtime: Running, device: Annotated[str, Path(max_length=120, description="the device's id")]
) -> DeviceOut:
    """Return one device."""
    found = next((d for d in runtime.site.devices if d.id == device), None)
    if found is None:
        raise HTTPException(404, f"The site has no device named {device}; /api/v1/devices lists them.")
    return DeviceOut.of(found, runtime.memory.snapshot)


@router.get("/forecasts/latest", response_model=ForecastOut, responses={**described(406, 503), **TABLES})
async def forecast(runtime: Running, form: Chosen) -> ForecastOut | Response:
    """Return the forecast that the newest plan was made with."""
    found = runtime.memory.forecast
    if found is None:
        raise NotYet("forecast")
    told = ForecastOut.of(found)
    if form is TableForm.JSON:
        return told
    return table(form, {"start": [at.isoformat() for at in told.start], **told.series}, "forecast")
