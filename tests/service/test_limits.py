"""What is sent to break the service: too long, too deep, too slow, numbers that are none, names that are paths or queries; a store without room."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from service.auth.doors import HOME
from service.auth.roles import Role
from service.limits import BODY_MOST, DEEPEST, Bounded, depth
from service.memory import Memory
from service.memory import log as site_log
from service.observed import Lines, log
from tests.service.apps import here
from tests.service.conftest import NOON, play
from tests.service.people import bearer, guarded_app


@pytest.fixture
def engine():
    return "sqlite"


@pytest.fixture
def app(running, inhabited, tmp_path):
    return guarded_app(running, inhabited[0], tmp_path)


@pytest.fixture
def operator(inhabited):
    return bearer(inhabited[1].keys[HOME, Role.OPERATOR])


def test_a_body_that_is_too_long_or_too_deep_is_refused_unread(app, operator):
    with here(app) as http:
        long = http.post("/api/v1/schedules", content=b"[" + b" " * BODY_MOST + b"]", headers=operator)
        assert (long.status_code, long.headers["content-type"]) == (413, "application/problem+json")
        deep = "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)
        assert http.post("/api/v1/schedules", content=deep, headers=operator).status_code == 422
        assert http.post("/api/v1/jobs", content='{"a":' * 100_000, headers=operator).status_code == 422
        assert http.get("/api/v1/schedules", headers=operator).json()["items"] == []
    assert depth(b'{"a": [1, {"b": 2}], "c": []}') == 3


def test_a_body_that_comes_too_slowly_is_not_waited_for():
    async def never(scope, receive, send):
        raise AssertionError("nobody reads it")

    async def drip():
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b" ", "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/v1/jobs", "headers": []}
    asyncio.run(Bounded(never, seconds=0.1)(scope, drip, send))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["status"] == 408


@pytest.mark.parametrize(
    "name",
    ["' OR 1=1 --", "1; DROP TABLE users", "../../etc/passwd", "%2e%2e%2f", "\u0000", "x" * 5000, "🙂", "*", "home"],
)
def test_names_that_are_queries_or_paths_are_names_of_nothing(app, operator, name):
    with here(app) as http:
        for place in ("jobs", "schedules", "trace", "plans", "timeline", "sites"):
            answer = http.get(f"/api/v1/{place}/{name}".replace("\u0000", "%00"), headers=operator)
            assert answer.status_code in (404, 422), (place, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        for query in ({"before": name}, {"limit": "9" * 400}, {"limit": "NaN"}):
            assert http.get("/api/v1/schedules", params=query, headers=operator).status_code in (404, 422)


def test_a_store_without_room_refuses_with_words_and_the_site_is_watched_on(app, operator, monkeypatch):
    def full(*_, **__):
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    with here(app) as http:
        monkeypatch.setattr("service.jobs.queue.enqueue", full)
        refused = http.post("/api/v1/jobs", json={"kind": "dispatch", "day": "2015-07-15"}, headers=operator)
        assert (refused.status_code, "no room left" in refused.json()["detail"]) == (507, True)
        assert http.get("/api/v1/snapshot", headers=operator).status_code == 200


def test_a_store_that_is_away_is_told_and_not_a_bug(app, operator, monkeypatch):
    def away(*_, **__):
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    with here(app) as http:
        assert http.get("/api/v1/health/live").status_code == 200
        ready = http.get("/api/v1/health/ready")
        assert (ready.status_code, ready.json()["store"]) == (200, "ok")
        monkeypatch.setattr(type(app.state.backing.store), "everywhere", away)
        answer = http.get("/api/v1/snapshot", headers=operator)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        ready = http.get("/api/v1/health/ready")
        assert ready.status_code == 503
        assert {"place": "store", "message": "away"} in ready.json()["findings"]


def test_figures_for_prometheus_count_what_was_asked(app, operator):
    with here(app) as http:
        for _ in range(3):
            http.get("/api/v1/snapshot", headers=operator)
        http.get("/api/v1/nowhere", headers=operator)
        text = http.get("/api/v1/metrics", headers=operator).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert figures['jouletwin_requests_total{status="200"}'] == "3"
    assert figures['jouletwin_requests_total{status="404"}'] == "1"
    assert figures["jouletwin_request_seconds_count"] == figures['jouletwin_request_seconds_bucket{le="+Inf"}'] == "4"
    assert int(figures['jouletwin_commands_total{outcome="applied"}']) > 100


def test_every_request_is_one_line_with_its_id_and_no_secret(app, operator, caplog):
    with here(app) as http, caplog.at_level("INFO", log.name):
        answer = http.get("/api/v1/snapshot?x=1", headers=operator | {"X-Request-ID": "abc123"})
        other = http.get("/api/v1/snapshot", headers=operator | {"X-Request-ID": "no\tgood"})
    assert answer.headers["x-request-id"] == "abc123"
    assert len(other.headers["x-request-id"]) == 16
    first, *_ = [json.loads(Lines().format(r)) for r in caplog.records if r.name == log.name]
    assert (first["request"], first["path"], first["status"]) == ("abc123", "/api/v1/snapshot", 200)
    assert "jt_" not in caplog.text


def test_every_event_of_the_site_is_one_line_with_the_ids_of_its_plans(park, caplog):
    memory = Memory(park)
    with caplog.at_level("INFO", site_log.name):
        play(memory, NOON - timedelta(minutes=15), 0.25)
    lines = [json.loads(Lines().format(r)) for r in caplog.records if r.name == site_log.name]
    assert {line["logger"] for line in lines} == {"jouletwin.site"}
    told = {line["message"]: line for line in lines}
    assert told["plan"]["plan_id"] == "plan-2"
    assert told["commands"]["plans"] == ["plan-1"]
    assert [line["event"] for line in lines] == [e.id for e in memory.events.after(0)]
