"""Over a real connection: heads and bodies that come drop by drop or stop half-way, and numbers that are none; a problem, and nothing changed."""

import asyncio
import json
import socket
from contextlib import closing

import httpx
import pytest

from service.limits import Bounded
from service.web import Web, listening_socket
from tests.service.apps import here, local_app

HEAD_S = 0.4
SLOW = 60
SCHEDULE = {"title": "x", "start": "2015-07-15T12:00:00Z", "end": "2015-07-15T13:00:00Z"}
HUGE = "9" * 5000


@pytest.fixture
def served(quiet):
    web = Web(local_app(quiet), quiet, listening_socket("127.0.0.1", 0), head_s=HEAD_S)
    web.start()
    yield web.address
    web.stop()


def connected(address):
    place = httpx.URL(address)
    found = socket.create_connection((place.host, place.port))
    found.settimeout(10)
    return found


def heard(line):
    """Everything until the other side closes."""
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_who_sends_a_head_drop_by_drop_is_told_and_cut_off_and_keeps_nobody_waiting(served):
    drips = [connected(served) for _ in range(SLOW)]
    for line in drips[: SLOW // 2]:
        line.sendall(b"GET /api/v1/snapshot HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert httpx.get(f"{served}api/v1/health/live").status_code == 200
    for number, line in enumerate(drips):
        with closing(line):
            told = heard(line)
            if number >= SLOW // 2:
                assert told == b""
                continue
            head, _, body = told.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408")
            assert b"application/problem+json" in head
            assert json.loads(body)["status"] == 408


def test_the_second_request_of_a_connection_may_not_be_slow_either(served):
    with closing(connected(served)) as line:
        line.sendall(b"GET /api/v1/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /api/v1/health/live HTTP/1.1\r\nHo")
        assert b"HTTP/1.1 408" in heard(line)


def test_a_connection_that_asks_in_time_is_kept(served):
    with httpx.Client(base_url=served) as http:
        for _ in range(3):
            assert http.get("api/v1/health/live").status_code == 200


def test_half_a_body_is_nobodys_wish():
    reached = []

    async def app(scope, receive, send):
        reached.append(await receive())

    said = iter([{"type": "http.request", "body": b"tag,at,value\n", "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(said)

    scope = {"type": "http", "method": "PUT", "path": "/api/v1/telemetry", "headers": []}
    asyncio.run(Bounded(app)(scope, receive, None))
    assert reached == []


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", HUGE, f"1e{HUGE}", '"NaN"', "[]"]
)
def test_a_number_that_is_none_is_a_finding_and_changes_nothing(quiet, number):
    with here(local_app(quiet)) as http:
        kept = {"content-type": "application/json"}
        points = f'[{{"at": "2015-07-15T12:00:00Z", "kw": {number}}}]'
        body = json.dumps(SCHEDULE)[:-1] + f', "setpoints_kw": {{"battery": {points}}}}}'
        series = f'{{"tag": "a", "at": ["2015-07-15T12:00:00Z"], "value": [{number}]}}'
        for place, text in (
            ("schedules", body),
            ("telemetry", f'{{"series": [{series}]}}'),
            ("jobs", f'{{"kind": "dispatch", "day": "2015-07-15", "deadline_s": {number}}}'),
        ):
            answer = http.post(f"/api/v1/{place}", content=text, headers=kept)
            assert answer.status_code in (400, 422), (place, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
        assert http.get("/api/v1/schedules").json()["items"] == []
        assert http.get("/api/v1/jobs").json()["items"] == []
        assert http.get("/api/v1/telemetry/tags").json()["items"] == []
