"""Studies as jobs: results, order, cancel, death, limits, and every finding of a bad document; the queue on both engines."""

import asyncio
import contextlib
import io
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from service.api.monitoring.schemas import SnapshotOut
from service.auth.doors import HOME
from service.auth.roles import Principal, Role
from service.jobs import queue
from service.jobs.crew import Crew
from service.jobs.job import JobState
from service.jobs.requests import DispatchJob
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.store.engine import Store
from tests.service.apps import here, local_app
from tests.service.conftest import NOON, StandingClock
from tests.service.stores import with_tenants
from tests.service.workers import WorkerThread
from twin.state import start_snapshot

DISPATCH = {"kind": "dispatch", "day": "2015-07-15"}
FLOW = {"kind": "flow", "at": "2015-07-15T12:00:00+08:00"}
PATIENCE_S = 300.0
"""So long a busy machine may take for what takes seconds otherwise."""
ANN = Principal(HOME, "ann", frozenset({Role.PLANNER}))


@pytest.fixture
def app(quiet):
    return local_app(quiet)


@pytest.fixture
def page(app):
    with here(app) as http:
        yield http


@pytest.fixture(scope="module")
def office(park):
    """Somebody who asks, and a worker: one service for all tests that leave no job unfinished, as every start warms a process up."""
    app = local_app(Runtime(Memory(park), StandingClock(NOON), PlantKind.EMULATED, 144.0))
    backing = app.state.backing
    with here(app) as http, WorkerThread(backing.store.url, backing.results) as beside:
        yield http, beside


def asked(page, body, **headers):
    answer = page.post("/api/v1/jobs", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    return answer.headers["location"]


def until(page, place, *states):
    end = time.monotonic() + PATIENCE_S
    while (job := page.get(place).json())["state"] not in states:
        assert job["state"] in ("queued", "running"), job["words"]
        assert time.monotonic() < end, job
        time.sleep(0.05)
    return job


def process_of(worker, page, place):
    """The process that works on a job."""
    until(page, place, "running")
    return worker.worker.running[place.rpartition("/")[2]]


def living(group):
    """The processes of a group that still do something; one that is dead and not yet collected does not."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end while we look
            state, _, number = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(number) == group and state != "Z":
                found.append(process.name)
    return found


def test_jobs_come_to_their_results_in_the_order_asked(office):
    page, _ = office
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
    assert [j["kind"] for j in page.get("/api/v1/jobs?limit=2").json()["items"]] == ["dispatch", "flow"]
    newest = page.get("/api/v1/jobs?limit=1").json()
    assert page.get(f"/api/v1/jobs?limit=1&before={newest['next']}").json()["items"][0]["kind"] == "flow"
    told = page.get(f"{second}/events")
    assert told.text.count("event: job") == 1
    assert '"state":"done"' in told.text.replace(" ", "")
    version = page.get(second).headers["etag"].strip('"')
    assert page.get(f"{second}/events", headers={"Last-Event-ID": version}).text.count("event: job") == 0


def test_a_job_is_cancelled_inside_its_search_and_the_next_one_runs(office):
    page, at_work = office
    running, waiting, last = asked(page, DISPATCH), asked(page, DISPATCH), asked(page, FLOW)
    end = time.monotonic() + PATIENCE_S
    while "apart" not in page.get(running).json()["words"] and "found yet" not in page.get(running).json()["words"]:
        assert time.monotonic() < end
        assert page.get(running).json()["state"] in ("queued", "running")
        time.sleep(0.01)
    assert page.delete(waiting).json()["state"] == "cancelled"
    assert page.delete(waiting).status_code == 200
    group = process_of(at_work, page, running).pid
    assert page.delete(running).json()["state"] == "cancelled"
    began = time.monotonic()
    while living(group):
        assert time.monotonic() - began < 1.0
        time.sleep(0.01)
    until(page, last, "done")
    assert page.delete(last).status_code == 409
    assert page.get(waiting).json()["started_at"] is None


def test_a_job_whose_process_is_killed_says_so(office):
    page, at_work = office
    place = asked(page, DISPATCH)
    os.kill(process_of(at_work, page, place).pid, signal.SIGKILL)
    job = until(page, place, "died")
    assert "was ended by SIGKILL" in job["words"]
    assert page.get(f"{place}/result").status_code == 409


def test_a_job_that_cannot_be_done_fails_with_words(office):
    page, _ = office
    place = asked(page, {"kind": "explain", "day": "2015-07-15", "at": "2016-01-01T00:00:00Z"})
    assert "outside the day" in until(page, place, "failed")["words"]


def test_a_job_ends_at_its_limits(page, app):
    backing = app.state.backing
    with WorkerThread(backing.store.url, backing.results, resident_most_mb=30, warm=False):
        assert "took more than 30 MB" in until(page, asked(page, DISPATCH), "failed")["words"]
    with WorkerThread(backing.store.url, backing.results, warm=False):
        assert "after 1 s, its limit" in until(page, asked(page, DISPATCH | {"limit_s": 1}), "failed")["words"]


def test_what_is_urgent_does_not_wait_behind_a_study(office):
    page, _ = office
    study, urgent = asked(page, DISPATCH), None
    until(page, study, "running")
    urgent = asked(page, DISPATCH | {"urgent": True})
    until(page, urgent, "running", "done")
    assert page.get(study).json()["state"] == "running"
    page.delete(study)
    page.delete(urgent)


def test_a_request_that_is_sent_twice_is_one_job(page):
    first = asked(page, FLOW, **{"Idempotency-Key": "a"})
    again = page.post("/api/v1/jobs", json=FLOW, headers={"Idempotency-Key": "a"})
    assert (again.status_code, again.headers["location"]) == (202, first)
    assert again.headers["idempotent-replayed"] == "true"
    assert page.post("/api/v1/jobs", json=DISPATCH, headers={"Idempotency-Key": "a"}).status_code == 409
    assert asked(page, FLOW, **{"Idempotency-Key": "b"}) != first
    assert len(page.get("/api/v1/jobs").json()["items"]) == 2


def test_a_worker_that_is_killed_loses_its_job_to_the_next_one(page, app, monkeypatch):
    """The service's own worker is killed with -9 in the middle of a search: the job is done once, by the next one."""
    backing = app.state.backing
    crew = Crew(backing.store.url.database, backing.results)
    crew.start()
    try:
        place = asked(page, DISPATCH)
        until(page, place, "running")
        os.kill(crew.pid, signal.SIGKILL)
        job = until(page, place, "done")
        folders = sorted(p.name for p in (backing.results / job["id"]).iterdir() if p.is_dir())
        assert folders == ["1", "2"]
        assert page.get(f"{place}/result").json()["steps"] == 96
        assert not (backing.results / job["id"] / "1" / "result.json").exists()
    finally:
        crew.stop()


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


def test_a_case_goes_on_from_where_the_live_site_stands(office, park):
    page, _ = office
    live = start_snapshot(park, datetime(2015, 7, 15, 2, 7, tzinfo=UTC), 0.8, needs_kwh={"ev_office": 20.0})
    begins = SnapshotOut.of(live).model_dump(mode="json")
    case = {"format": "jouletwin-case/1", "name": "on", "title": "On from here", "site": "park", "start": "2015-01-01"}
    body = {"kind": "scenario", "case": {**case, "days": 0.0834, "run": {"step": "hour"}}, "alone": True}
    place = asked(page, {**body, "begins": begins})
    shares = set()
    while (job := page.get(place).json())["state"] in ("queued", "running"):
        shares.add(job["share"])
        time.sleep(0.02)
    assert job["state"] == "done", job["words"]
    assert len(shares - {None, 0.0, 1.0}) > 0
    record = page.get(f"{place}/result").json()
    assert record["provenance"]["start"] == "2015-07-15T02:00:00+00:00"


def test_a_sweep_goes_on_with_what_an_earlier_attempt_has_done_and_is_compared_and_reported(office):
    page, _ = office
    case = {"format": "jouletwin-case/1", "name": "growth", "title": "More load", "site": "park", "start": "2015-07-15"}
    case |= {
        "days": 0.0834,
        "run": {"step": "hour", "proof": "each_step"},
        "parameters": {"factor": {"default": 1.0, "low": 1.0, "high": 1.2, "steps": 2}},
        "changes": [{"kind": "load_growth", "carrier": "electricity", "factor": "${factor}"}],
    }
    swept = asked(page, {"kind": "sweep", "case": case})
    ran = asked(page, {"kind": "scenario", "case": case, "values": {"factor": 1.2}})
    assert until(page, swept, "done")["words"] == "2 of 2 points have a result"
    found = page.get(f"{swept}/result").json()
    assert [p["values"]["factor"] for p in found["points"]] == [1.0, 1.2]
    assert found["failed"] == {}
    job = until(page, ran, "done")
    figures = page.get(f"{ran}/result").json()["kpis"]
    assert found["points"][1]["kpis"] == figures
    assert page.get(f"{swept}/report", params={"format": "html"}).text.count("More load") > 0
    compared = page.get("/api/v1/comparison", params={"run": job["id"]}).json()
    cost = next(f for f in compared["figures"] if f["kpi"] == "total_cost")
    assert cost["runs"] == [figures["total_cost"]]
    assert cost["base"] == found["points"][0]["kpis"]["total_cost"]
    assert compared["runs"][0]["why"][0].startswith("Total cost rises by")
    assert page.get(f"{ran}/report").content.startswith(b"%PDF-")
    refused = page.get("/api/v1/comparison", params={"run": page.get(swept).json()["id"]})
    assert refused.status_code == 409
    assert "holds no run to compare" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"kind": "sweep", "case": "winter_peak"}, {"winter_peak"}),
        ({"kind": "sweep", "case": "battery_4mwh", "cover": "everything"}, {"body.sweep.cover"}),
        ({"kind": "scenario", "case": CASE}, {"site", "changes[0].factor"}),
        ({"kind": "scenario", "case": "no_such_case"}, {"case"}),
        (
            {
                "kind": "scenario",
                "case": "heat_wave",
                "begins": {"at": "2015-07-15T10:05Z", "stored_kwh": {"barrel": 5}},
            },
            {"begins.stored_kwh.barrel"},
        ),
        ({"kind": "size", "options": OPTIONS}, {"currency", "stages", "options[more].expands"}),
        ({"kind": "explain", "day": "2015-07-15", "asset": "nobody"}, {"asset"}),
        ({"kind": "dispatch", "day": "x", "deadline_s": 0}, {"body.dispatch.day", "body.dispatch.deadline_s"}),
        (
            {"kind": "dispatch", "day": "2015-07-15", "events": ["noon"], "supply_temperature": "hot"},
            {"event", "supply_temperature"},
        ),
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


def test_a_queue_has_an_end_and_unknown_jobs_are_not_found(page):
    for _ in range(queue.QUEUE_MOST):
        asked(page, FLOW)
    full = page.post("/api/v1/jobs", json=FLOW)
    assert (full.status_code, full.headers["retry-after"]) == (429, "10")
    for path in ("", "/result", "/events"):
        assert page.get(f"/api/v1/jobs/none{path}").status_code == 404
    assert page.get("/api/v1/jobs?before=none").status_code == 404
    assert page.delete("/api/v1/jobs/none").status_code == 404
    assert all(s.final == (s not in ("queued", "running")) for s in JobState)


def queued(store_at, tmp_path, park, work):
    """Run ``work(store, ask)`` on a store with a tenant; ``ask`` queues a dispatch."""

    async def run():
        store = Store(store_at)
        await with_tenants(store, HOME)

        async def ask(**more):
            async with store.changing(HOME) as session:
                request = DispatchJob(kind="dispatch", day="2015-07-15", **more)
                return await queue.enqueue(session, store, tmp_path, ANN, request, park)

        try:
            await work(store, ask)
        finally:
            await store.close()

    asyncio.run(run())


def test_every_job_is_claimed_once(store_at, tmp_path, park):
    async def work(store, ask):
        asked = [(await ask()).id for _ in range(12)]
        found = await asyncio.gather(*(queue.claim(store, f"w{n}") for n in range(16)))
        assert sorted(j.id for j in found if j) == sorted(asked)
        assert not await queue.waiting(store, urgent_only=False)

    queued(store_at, tmp_path, park, work)


def test_urgent_jobs_come_first_and_the_rest_in_order(store_at, tmp_path, park):
    async def work(store, ask):
        first, second, urgent = await ask(), await ask(), await ask(urgent=True)
        assert (await queue.claim(store, "w", urgent_only=True)).id == urgent.id
        assert await queue.claim(store, "w", urgent_only=True) is None
        assert [(await queue.claim(store, "w")).id for _ in range(2)] == [first.id, second.id]
        assert await queue.claim(store, "w") is None

    queued(store_at, tmp_path, park, work)


def test_a_worker_that_was_cut_off_is_not_heard_any_more(store_at, tmp_path, park):
    async def work(store, ask):
        await ask()
        old = await queue.claim(store, "old")
        assert await queue.told(store, old, 0.5, "half")
        real = store.clock.now
        store.clock.now = lambda: real() + 2 * queue.LEASE
        assert await queue.waiting(store, urgent_only=True)  # whoever looks takes a lost job back
        new = await queue.claim(store, "new")
        assert (new.id, new.fence) == (old.id, old.fence + 1)
        assert new.folder(tmp_path) != old.folder(tmp_path)
        assert not await queue.told(store, old, 0.9, "nearly")
        assert not await queue.ended(store, old, JobState.DONE, "late")
        assert not await queue.still_mine(store, old)
        assert await queue.ended(store, new, JobState.DONE, "the twin agrees")
        assert not await queue.ended(store, new, JobState.FAILED, "twice")
        job = await queue.one(store, HOME, old.id)
        assert (job.state, job.words, job.share) == (JobState.DONE, "the twin agrees", 1.0)

    queued(store_at, tmp_path, park, work)


def test_a_job_that_kills_its_workers_is_given_up(store_at, tmp_path, park):
    async def work(store, ask):
        job = await ask()
        await queue.released(store, await queue.claim(store, "ended in peace"))
        real, passed = store.clock.now, timedelta()
        store.clock.now = lambda: real() + passed
        for _ in range(queue.ATTEMPTS):
            assert (await queue.claim(store, "w")).id == job.id
            passed += 2 * queue.LEASE
        assert await queue.claim(store, "w") is None
        assert (await queue.one(store, HOME, job.id)).state is JobState.DIED

    queued(store_at, tmp_path, park, work)


def test_only_the_newest_ended_jobs_are_kept(store_at, tmp_path, park, monkeypatch):
    monkeypatch.setattr(queue, "KEPT", 2)

    async def work(store, ask):
        jobs = [await ask() for _ in range(4)]
        for job in jobs[:3]:
            await queue.cancel(store, ANN, job.id)
        await queue.forget_old(store, tmp_path)
        left = await queue.newest_first(store, HOME, None, 10)
        assert [j.id for j in left] == [j.id for j in reversed(jobs[1:])]
        assert not (tmp_path / jobs[0].id).exists()

    queued(store_at, tmp_path, park, work)


def test_other_tenants_see_no_jobs(store_at, tmp_path, park):
    async def work(store, ask):
        await with_tenants(store, "other")
        job = await ask()
        assert await queue.one(store, "other", job.id) is None
        assert await queue.cancel(store, Principal("other", "eve", frozenset(Role)), job.id) is None
        assert list(await queue.newest_first(store, "other", None, 10)) == []

    queued(store_at, tmp_path, park, work)
