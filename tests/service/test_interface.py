"""The HTTP interface through its own client: answers, problem documents, headers, the event stream."""

import asyncio
import json
import re
from datetime import timedelta

import pytest

from service.api.monitoring.endpoints import events
from service.app import HEADERS
from service.console.words import LANGUAGES, TABLE, language_of
from tests.service.apps import here, local_app


def ask(runtime, method, path, **more):
    with here(local_app(runtime)) as client:
        return client.request(method, path, **more)


def get(runtime, path, **more):
    return ask(runtime, "GET", path, **more)


READY = [
    "health",
    "sites",
    "sites/park",
    "snapshot",
    "key-figures",
    "flows",
    "flows?period_h=3",
    "timeline",
    "timeline/battery",
    "plans",
    "plans/latest",
    "plans/plan-1",
    "receipts",
    "docs",
    "openapi.json",
]


@pytest.mark.parametrize("path", READY)
def test_everything_answers_once_the_park_runs(running, path):
    answer = get(running, f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize("path", ["snapshot", "key-figures", "flows", "timeline", "timeline/battery", "plans/latest"])
def test_before_the_first_snapshot_there_is_nothing_yet(quiet, path):
    answer = get(quiet, f"/api/v1/{path}")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "yet" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/v1/sites/elsewhere", 404),
        ("GET", "/api/v1/plans/none", 404),
        ("GET", "/api/v1/timeline/none", 404),
        ("GET", "/api/v1/receipts?before=none", 404),
        ("POST", "/api/v1/snapshot", 405),
        ("GET", "/api/v1/flows?period_h=-1", 422),
        ("GET", "/api/v1/plans?limit=0", 422),
        ("GET", "/static/../cli.py", 404),
        ("GET", "/console/none", 404),
    ],
)
def test_every_error_is_a_problem_document(running, method, path, status):
    answer = ask(running, method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    if status == 422:
        assert problem["findings"][0]["place"].startswith("query.")


def test_a_bug_of_ours_is_a_problem_document_too(running, monkeypatch):
    monkeypatch.setattr("service.api.monitoring.endpoints.key_figures", lambda *_: 1 / 0)
    answer = get(running, "/api/v1/key-figures")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ZeroDivisionError" in answer.json()["detail"]


def test_the_snapshot_has_every_power_with_its_sign(running):
    snapshot = get(running, "/api/v1/snapshot").json()
    assert snapshot["power_kw"]["metal1"]["electricity"] < 0
    assert snapshot["power_kw"]["pv_food"]["electricity"] > 0
    assert {v["quality"] for v in snapshot["values"]} == {"good", "stale", "substituted"}


def test_flows_sum_at_every_node(running):
    for path in ("/api/v1/flows", "/api/v1/flows?period_h=6"):
        view = get(running, path).json()
        for balance in view["balances"]:
            into = balance["supplied"] + balance["discharged"]
            out = balance["used"] + balance["charged"] + balance["exported"] + balance["difference"]
            assert into == pytest.approx(out, abs=0.01)


def test_pages_of_receipts_meet_without_gap_or_overlap(running):
    seen, cursor = [], None
    while True:
        page = get(running, "/api/v1/receipts?limit=100" + (f"&before={cursor}" if cursor else "")).json()
        seen += [r["id"] for r in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [r.command.id for r in running.memory.receipts()]


def test_a_plan_comes_with_its_arrays(running):
    plan = get(running, "/api/v1/plans/latest").json()
    assert len(plan["times"]) == plan["steps"] == 96
    assert len(plan["power_kw"]["battery"]["electricity"]) == 96
    assert plan["solver"]["certified"] is True
    assert plan["findings"][0]["place"] == "park_20kv.bus_8"


def test_openapi_describes_every_route_and_every_problem(running):
    document = get(running, "/api/v1/openapi.json").json()
    assert "Problem" in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for call in methods.values():
            assert call["description"], path
            for status, answer in call["responses"].items():
                if status == "303":  # sends a browser elsewhere
                    assert "content" not in answer, path
                    continue
                assert answer["content"], (path, status)
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])


def test_the_page_shows_figures_and_loads_nothing_from_elsewhere(running):
    page = get(running, "/")
    assert page.status_code == 200
    assert 'data-figure="import_kw"' in page.text
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page.text)
    assert not re.findall(r"<script(?![^>]*(?:src=|application/json))", page.text)
    assert " style=" not in page.text


def test_the_page_before_the_first_snapshot_says_so(quiet):
    page = get(quiet, "/")
    assert "Nothing measured yet" in page.text
    assert "No commands yet" in page.text


def test_the_page_speaks_chinese_when_asked_and_remembers(running):
    page = get(running, "/?lang=zh")
    assert 'lang="zh-CN"' in page.text
    assert "能量流" in page.text
    assert "language=zh" in page.headers["set-cookie"]
    assert "能量流" in get(running, "/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).text


def test_every_word_has_both_languages():
    assert all(len(pair) == len(LANGUAGES) and all(pair) for pair in TABLE.values())
    assert language_of(None, None, "de-DE,zh;q=0.5") == "zh"
    assert language_of("en", "zh", "zh") == "en"
    assert language_of("xx", None, "") == "en"


def test_static_files_are_compressed_and_not_sent_twice(running):
    path = "/static/vendor/echarts-6.1.0/echarts.min.js"
    first = get(running, path, headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    assert "immutable" in first.headers["cache-control"]
    again = get(running, path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


async def collect(runtime, last_event_id, count):
    stream = events(runtime, last_event_id)
    found = [await anext(stream) for _ in range(count)]
    await stream.aclose()
    return found


def test_a_listener_that_was_away_gets_what_it_missed(running):
    log = running.memory.events
    since = log.last_id - 2
    found = asyncio.run(collect(running, since, 3))
    assert [e.id for e in found[:2]] == [str(since + 1), str(since + 2)]
    assert [e.event for e in found] == ["guard", "fault", "snapshot"]
    assert found[2].id is None


def test_a_new_listener_starts_at_the_present(running):
    found = asyncio.run(collect(running, None, 1))
    assert found[0].event == "snapshot"


def test_a_silent_plant_is_still_heard_of(quiet):
    found = asyncio.run(collect(quiet, None, 1))
    assert found[0].event == "ping"


def test_health_tells_when_the_picture_is_old(running, quiet):
    assert get(quiet, "/api/v1/health").json()["status"] == "starting"
    assert get(running, "/api/v1/health").json()["status"] == "ok"
    was = running.clock.instant
    running.clock.instant += timedelta(minutes=5)
    try:
        assert get(running, "/api/v1/health").json()["status"] == "stale"
    finally:
        running.clock.instant = was


def test_the_description_has_an_example_of_every_body_and_every_refusal(running):
    described = local_app(running).openapi()
    forms, lacking = described["components"]["schemas"], []
    for path, deeds in described["paths"].items():
        for method, about in deeds.items():
            if "/health/" not in path and not {"401", "403", "422", "429"} <= about["responses"].keys():
                lacking.append((method, path, "refusals"))
            for media, content in about.get("requestBody", {}).get("content", {}).items():
                form = forms.get(content["schema"].get("$ref", "").rpartition("/")[2], content)
                if "example" not in json.dumps([content, form]) and content["schema"].get("format") != "binary":
                    lacking.append((method, path, media))
    assert lacking == []
