"""Studies as jobs: results, order, cancel, death, and every finding of a bad document."""

import contextlib
import io
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.jobs.job import JobState

DISPATCH = {"kind": "dispatch", "day": "2015-07-15"}
FLOW = {"kind": "flow", "at": "2015-07-15T12:00:00+08:00"}


@pytest.fixture
def page(quiet):
    yield TestClient(create_app(quiet))
    quiet.jobs.stop()


def asked(page, body):
    answer = page.post("/api/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    return answer.headers["location"]


def until(page, place, *states, seconds=60.0):
    end = time.monotonic() + seconds
    while (job := page.get(place).json())["state"] not in states:
        assert job["state"] in ("queued", "running"), job["words"]
        assert time.monotonic() < end, job
        time.sleep(0.02)
    return job


def living(group):
    """The processes of a group that still do something; one that is dead and not yet collected does not."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end while we look
            state, _, number = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(number) == group and state != "Z":
                found.append(process.name)
    return found


def test_jobs_come_to_their_results_in_the_order_asked(page):
    first, second = asked(page, FLOW), asked(page, DISPATCH)
    assert page.get(f"{second}/result").status_code == 409
    flow, dispatch = until(page, first, "done"), until(page, second, "done")
    assert flow["ended_at"] <= dispatch["started_at"]
    assert dispatch["share"] == 1.0
    plan = page.get(f"{second}/result").json()
    assert plan["steps"] == 96
    assert plan["solver"]["certified"] is True
    table = page.get(f"{second}/result", headers={"Accept": "application/vnd.apache.parquet"})
    powers = pd.read_parquet(io.BytesIO(table.content))
    assert powers["battery.electricity_kw"].to_list() == pytest.approx(
        plan["power_kw"]["battery"]["electricity"], abs=0.001
    )
    assert page.get(f"{first}/result?format=csv").text.startswith("start_utc,")
    assert page.get(f"{first}/result?format=xlsx").status_code == 406
    assert [j["kind"] for j in page.get("/api/v1/jobs").json()["items"]] == ["dispatch", "flow"]
    newest = page.get("/api/v1/jobs?limit=1").json()
    assert page.get(f"/api/v1/jobs?limit=1&before={newest['next']}").json()["items"][0]["kind"] == "flow"
    told = page.get(f"{second}/events").text
    assert told.count("event: job") == 1
    assert '"state":"done"' in told.replace(" ", "")


def test_a_job_is_cancelled_inside_its_search_and_the_next_one_runs(page, quiet):
    running, waiting, last = asked(page, DISPATCH), asked(page, DISPATCH), asked(page, FLOW)
    end = time.monotonic() + 60
    while "apart" not in page.get(running).json()["words"] and "found yet" not in page.get(running).json()["words"]:
        assert time.monotonic() < end
        assert page.get(running).json()["state"] in ("queued", "running")
        time.sleep(0.01)
    assert page.delete(waiting).json()["state"] == "cancelled"
    assert page.delete(waiting).status_code == 200
    group = quiet.jobs._running[1]._process.pid
    began = time.monotonic()
    assert page.delete(running).json()["state"] == "cancelled"
    assert time.monotonic() - began < 1.0
    while living(group):
        assert time.monotonic() - began < 1.0
    until(page, last, "done")
    assert page.delete(last).status_code == 409
    assert page.get(waiting).json()["started_at"] is None


def test_a_job_whose_process_is_killed_says_so(page, quiet):
    place = asked(page, DISPATCH)
    until(page, place, "running")
    os.kill(quiet.jobs._running[1]._process.pid, signal.SIGKILL)
    job = until(page, place, "died")
    assert "was ended by SIGKILL" in job["words"]
    assert page.get(f"{place}/result").status_code == 409


def test_a_job_that_cannot_be_done_fails_with_words(page):
    place = asked(page, {"kind": "explain", "day": "2015-07-15", "at": "2016-01-01T00:00:00Z"})
    assert "outside the day" in until(page, place, "failed")["words"]


CASE = {
    "format": "jouletwin-case/1",
    "name": "bad",
    "title": "Bad",
    "site": "/etc/passwd",
    "start": "2015-07-15",
    "changes": [{"kind": "load_growth", "carrier": "electricity", "factor": "${nothing}"}],
    "expect": [{"kpi": "happiness", "direction": "higher"}],
}
OPTIONS = {
    "format": "jouletwin-options/1",
    "title": "Bad",
    "currency": "EUR",
    "stages": [3],
    "options": [{"id": "more", "expands": "nothing_there", "lifetime_years": 20, "sources": {}}],
}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"kind": "scenario", "case": CASE}, {"site", "changes[0].factor"}),
        ({"kind": "scenario", "case": "no_such_case"}, {"case"}),
        ({"kind": "size", "options": OPTIONS}, {"currency", "stages", "options[more].expands"}),
        ({"kind": "explain", "day": "2015-07-15", "asset": "nobody"}, {"asset"}),
        ({"kind": "dispatch", "day": "x", "deadline_s": 0}, {"body.dispatch.day", "body.dispatch.deadline_s"}),
        ({"kind": "magic"}, {"body"}),
    ],
)
def test_a_bad_request_lists_every_finding_and_keeps_nothing(page, body, places):
    answer = page.post("/api/v1/jobs", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    found = {f["place"] for f in answer.json()["findings"]}
    assert places <= found, answer.json()
    assert page.get("/api/v1/jobs").json()["items"] == []


def test_stopping_ends_every_job_and_unknown_ones_are_not_found(page, quiet):
    place = asked(page, DISPATCH)
    until(page, place, "running")
    process = quiet.jobs._running[1]._process
    quiet.jobs.stop()
    assert process.wait(5) != 0
    assert page.post("/api/v1/jobs", json=DISPATCH).status_code == 429
    for path in ("", "/result"):
        assert page.get(f"/api/v1/jobs/none{path}").status_code == 404
    assert page.delete("/api/v1/jobs/none").status_code == 404
    assert all(s.final == (s not in ("queued", "running")) for s in JobState)
