"""Trading that takes its time: a day's offers and the bills of many, made by a real worker and fetched when they are done."""

import pytest

from service.client import Client
from tests.service.apps import here, local_app
from tests.service.workers import WorkerThread

API = "/api/v1"
FLAT = {"bands": [{"name": "flat", "price_per_kwh": 0.5, "windows": [{"start_h": 0, "end_h": 24}]}]}
MANY, HOURS = 30, 31 * 24


@pytest.fixture
def http(quiet):
    app = local_app(quiet)
    with here(app) as found, WorkerThread(app.state.backing.store.url, app.state.backing.results):
        yield found


def made(answer, status=201):
    assert answer.status_code == status, answer.text
    return answer.json()


def done(http, asked):
    """Wait for a job that has been asked for, and return it with its result."""
    client = Client("", http=http)
    ended = client.wait(client.job(asked["id"]), 240)
    assert ended.state.value == "done", ended.words
    return ended, http.get(f"{API}/jobs/{ended.id}/result").json()


def test_a_worker_makes_offers_and_bills(http):
    offers = offers_with_an_exclusive_group(http)
    bills_of_many_are_issued_once(http, offers.id)


def offers_with_an_exclusive_group(http):
    asked = {"site": "park", "day": "2015-07-15", "paths": 3, "steps": 3, "proven": False}
    ended, offers = done(http, made(http.post(f"{API}/offers:build", json=asked), 202))
    assert "not replayed on a grid" in ended.words
    assert len(offers["curves"]) == 24
    for curve in offers["curves"]:
        prices, quantities = ([s[name] for s in curve["steps"]] for name in ("price_micro", "quantity_wh"))
        assert 1 <= len(prices) <= 3
        assert prices == sorted(prices)
        assert quantities == sorted(quantities)
    assert 1 <= len(offers["profiles"]) <= 3
    assert len({p["group"] for p in offers["profiles"]}) == 1
    table = http.get(f"{API}/jobs/{ended.id}/result?format=csv").text
    assert table.startswith("kind,contract,start")
    return ended


def contracts(count):
    return [{"id": f"c-{k}", "customer": f"customer {k}", "meter": f"m-{k}", "tariff": "flat"} for k in range(count)]


def bills_of_many_are_issued_once(http, other):
    made(http.post(f"{API}/tariffs", json={"name": "flat", "document": FLAT}))
    start = "2026-07-01T00:00:00+08:00"
    for k in range(0, MANY, 10):
        part = [{"meter": f"m-{m}", "start": start, "wh": [1_000 + m] * HOURS} for m in range(k, k + 10)]
        assert made(http.post(f"{API}/meter-deliveries", json={"readings": part}))["intervals"] == 10 * HOURS
    run = {"month": "2026-07", "contracts": contracts(MANY + 1)}
    asked = made(http.post(f"{API}/billing-runs:prepare", json=run), 202)
    ended, found = done(http, asked)
    assert ended.words == f"{MANY} bills can be issued, 1 cannot"
    assert [b["total_micro"] for b in found["bills"]] == [round(HOURS * (1_000 + k) * 500, -4) for k in range(MANY)]
    assert http.get(f"{API}/bills").json()["items"] == []  # nothing is issued yet

    issued = made(http.post(f"{API}/billing-runs:issue", json={"job_id": ended.id}))
    assert len(issued["bills"]) == MANY
    (lacking,) = issued["findings"]
    assert "have no reading" in lacking["message"]
    again = made(http.post(f"{API}/billing-runs:issue", json={"job_id": ended.id}))
    assert again["bills"] == []
    assert len(again["findings"]) == 1 + MANY
    assert sum("give a reason" in f["message"] for f in again["findings"]) == MANY
    assert http.post(f"{API}/billing-runs:issue", json={"job_id": other}).status_code == 409
    assert http.post(f"{API}/billing-runs:issue", json={"job_id": "nobody"}).status_code == 404
