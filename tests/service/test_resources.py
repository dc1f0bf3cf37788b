"""Devices, forecasts, studies, scenarios and the tenant over HTTP."""

import numpy as np
import pytest
import xarray as xr

from models.forecast.forecast import Forecast
from models.horizon import Horizon
from scenarios.cases.file import library
from tests.service.apps import here, local_app
from tests.service.conftest import NOON


@pytest.fixture
def http(running):
    with here(local_app(running)) as found:
        yield found


def pages(http, path, limit, cursor="after"):
    """Walk a list page by page."""
    found, following = [], None
    while True:
        page = http.get(path, params={"limit": limit} | ({} if following is None else {cursor: following})).json()
        found += page["items"]
        if (following := page["next"]) is None:
            return found


def test_devices_are_listed_with_what_their_values_are_worth(http, park):
    found = pages(http, "/api/v1/devices", 7)
    assert [d["id"] for d in found] == sorted(d.id for d in park.devices)
    battery = http.get("/api/v1/devices/battery").json()
    assert battery in found
    assert battery["asset"] == "battery"
    assert {v["quality"] for v in battery["values"]} == {"good"}
    wind = http.get("/api/v1/devices/wind").json()["values"]
    assert [(v["quality"], v["age_s"]) for v in wind] == [("stale", 340.0)]
    assert http.get("/api/v1/devices/none").status_code == 404


def test_the_forecast_behind_the_plan_comes_in_every_form(http, running):
    running.memory.forecast = None
    assert http.get("/api/v1/forecasts/latest").status_code == 503
    horizon = Horizon.uniform(NOON, NOON + (NOON - NOON.replace(hour=2)))
    values = np.vstack([np.arange(len(horizon), dtype=float), np.full(len(horizon), np.nan)])
    labelled = xr.DataArray(values, {"series": ["load_kw", "sun_pu"], "time": horizon.times}, ("series", "time"))
    running.memory.forecast = Forecast(NOON, horizon, labelled, "naive")
    told = http.get("/api/v1/forecasts/latest").json()
    assert told["series"] == {"load_kw": list(range(8)), "sun_pu": [None] * 8}
    assert (len(told["start"]), told["source"]) == (8, "naive")
    text = http.get("/api/v1/forecasts/latest", headers={"Accept": "text/csv"}).text.splitlines()
    assert text[0] == "start,load_kw,sun_pu"
    assert len(text) == 9


def test_what_can_be_studied_says_what_it_wants(http):
    found = {s["kind"]: s for s in pages(http, "/api/v1/studies", 3)}
    assert list(found) == sorted(found)
    assert {"dispatch", "flow", "n1", "scenario", "size"} <= found.keys()
    assert "day" in found["dispatch"]["form"]["properties"]
    names = [s["name"] for s in pages(http, "/api/v1/scenarios", 5)]
    assert names == list(library())
    assert http.get(f"/api/v1/scenarios/{names[0]}").json()["title"]
    assert http.get("/api/v1/scenarios/none").status_code == 404


def test_a_tenant_asks_for_four_eyes_and_the_record_tells_of_it(http):
    before = http.get("/api/v1/tenant").json()
    assert (before["id"], before["four_eyes"]) == ("home", False)
    assert http.patch("/api/v1/tenant", json={"four_eyes": True}).json()["four_eyes"] is True
    assert http.get("/api/v1/tenant").json() == before | {"four_eyes": True}
    entry = http.get("/api/v1/audit?thing=tenant/home").json()["items"][0]
    assert (entry["action"], entry["details"]) == ("tenant.changed", {"four_eyes": True})
    assert http.patch("/api/v1/tenant", json={"id": "other"}).status_code == 422
