"""Lists a page at a time: snapshots of the past out of the log, alarms, and what the client makes of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.client import Client
from service.past import Past
from tests.service.apps import here, local_app
from tests.service.conftest import NOON
from twin.alarms import Priority
from twin.log import Kind, SqliteLog
from twin.packing import pack_snapshot
from twin.state import start_snapshot


@pytest.fixture
def logged(park, quiet, tmp_path):
    """A service beside a log of ten snapshots, one a minute."""
    log, taken = SqliteLog(tmp_path / "log.sqlite"), []
    for minute in range(10):
        at = NOON + timedelta(minutes=minute)
        taken.append(replace(start_snapshot(park, at, 0.05 * minute), peak_import_kw=2000.0 + minute))
        taken[-1].power_kw.loc["battery", "electricity"] = 12.5 * minute
        log.append(at, Kind.SNAPSHOT, pack_snapshot(taken[-1]))
        log.append(at, Kind.ALARM, b"{}")
    log.close()
    app = local_app(quiet)
    app.state.backing.past = Past(tmp_path / "log.sqlite", park)
    with here(app) as http:
        yield http, taken


def test_the_past_comes_a_page_at_a_time_and_nothing_is_missing_or_twice(logged, park):
    http, taken = logged
    asked = {"start": NOON.isoformat(), "end": (NOON + timedelta(minutes=8)).isoformat(), "limit": 3}
    found, after = [], 0
    while after is not None:
        page = http.get("/api/v1/snapshots", params=asked | {"after": after}).json()
        assert "items" in page, page
        assert len(page["items"]) <= 3
        found, after = found + page["items"], page["next"]
    assert [s["peak_import_kw"] for s in found] == [2000.0 + k for k in range(8)]
    assert found[3]["power_kw"]["battery"]["electricity"] == 37.5
    assert found[3]["stored_kwh"]["battery"] == pytest.approx(taken[3].stored_kwh.sel(asset="battery").item(), abs=1e-3)


def test_the_client_thins_the_past_out(logged):
    with Client("http://127.0.0.1", http=logged[0]) as park:
        thinned = list(park.snapshots(NOON, NOON + timedelta(hours=1), every_s=240))
    assert [s.at - NOON for s in thinned] == [timedelta(minutes=m) for m in (0, 4, 8)]


def test_without_a_log_there_is_no_past(quiet):
    with here(local_app(quiet)) as http:
        asked = {"start": NOON.isoformat(), "end": NOON.isoformat()}
        assert http.get("/api/v1/snapshots", params=asked).status_code == 404
        assert http.get("/api/v1/snapshots").status_code == 422


def test_alarms_come_a_page_at_a_time(quiet):
    book = quiet.memory.alarms
    for number in range(5):
        book.raise_("test", f"place {number}", Priority.HIGH, "stands", NOON + timedelta(seconds=number))
    with here(local_app(quiet)) as http:
        first = http.get("/api/v1/alarms?limit=3").json()
        rest = http.get(f"/api/v1/alarms?limit=3&after={first['next']}").json()
        assert [a["id"] for a in first["items"] + rest["items"]] == [a.id for a in book.standing()]
        assert rest["next"] is None
        assert http.get("/api/v1/alarms?after=99").status_code == 404
