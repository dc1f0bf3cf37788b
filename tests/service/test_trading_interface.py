"""Trading through the interface: what is sent is checked whole, what is booked sums to zero, and every chain can be followed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from market.documents import SettlementDocument
from tests.service.apps import here, local_app

FLAT = {"bands": [{"name": "flat", "price_per_kwh": 0.5, "windows": [{"start_h": 0, "end_h": 24}]}]}
API = "/api/v1"


@pytest.fixture
def app(running):
    return local_app(running)


@pytest.fixture
def http(app):
    with here(app) as found:
        yield found


def made(answer, status=201):
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer, words):
    assert answer.status_code in (409, 422), answer.text
    assert words in answer.text
    return answer.json()["findings"]


def billed(http, **more):
    contract = {"id": "c-1", "customer": "rose", "meter": "m-1", "tariff": "flat"}
    return http.post(f"{API}/billing-runs", json={"month": "2026-07", "minutes": 60, "contracts": [contract]} | more)


def readings(wh, start="2026-07-01T00:00:00+08:00", count=31 * 24):
    return [{"meter": "m-1", "start": start, "wh": [wh] * count}]


def test_a_month_is_billed_corrected_by_a_reversal_and_its_tariff_is_held(http):
    tariff = made(http.post(f"{API}/tariffs", json={"name": "flat", "document": FLAT}))
    assert tariff["components"] == ["energy"]
    refused(billed(http, contracts=[{"id": "c", "customer": "x", "meter": "m", "tariff": "none"}]), "is not kept")
    (told,) = made(billed(http))["findings"]
    assert "have no reading" in told["message"]

    first = made(billed(http, readings=readings(2_000)))
    bill = made(http.get(f"{API}/bills/{first['bills'][0]}"), 200)
    assert bill["total_micro"] == 744 * 1_000_000  # 744 h at 2 kWh and 0.50
    assert bill["lines"][0]["intervals"] == 744
    again = made(billed(http))
    assert again["bills"] == []
    assert "give a reason" in again["findings"][0]["message"]

    late = made(billed(http, readings=readings(1_000, count=24), reason="meter was read again"))
    back, new = (made(http.get(f"{API}/bills/{b}"), 200) for b in late["bills"])
    assert (back["kind"], back["total_micro"], back["corrects"]) == ("reversal", -bill["total_micro"], bill["id"])
    assert new["total_micro"] == bill["total_micro"] - 12_000_000
    assert new["corrects"] == bill["id"]
    assert [b["id"] for b in http.get(f"{API}/bills?contract=c-1").json()["items"]] == [
        new["id"],
        back["id"],
        bill["id"],
    ]
    page = http.get(f"{API}/bills/{new['id']}/pdf?language=zh")
    assert page.content.startswith(b"%PDF")

    dearer = {"bands": [FLAT["bands"][0] | {"price_per_kwh": 0.6}]}
    change = {"json": {"document": dearer}, "headers": {"If-Match": '"1"'}}
    (finding,) = refused(http.put(f"{API}/tariffs/flat", **change), "begin later, or rebill that month")
    assert finding["place"] == "flat.2026-07"
    same = {"json": {"document": FLAT}, "headers": {"If-Match": '"1"'}}
    text = {"content": json.dumps(dearer), "headers": {"If-Match": '"1"'}}
    refused(http.put(f"{API}/documents/tariff/flat", **text), "begin later, or rebill that month")
    refused(http.delete(f"{API}/documents/tariff/flat", headers={"If-Match": '"1"'}), "keep the tariff")
    assert http.put(f"{API}/tariffs/flat", **same).status_code == 200


def test_bills_are_simulated_without_being_kept(http):
    asked = {"tariff": FLAT, "start": "2026-07-01T00:00:00+08:00", "minutes": 60, "wh": [1_000] * 48}
    found = made(http.post(f"{API}/bills:simulate", json=asked), 200)
    assert found["total_micro"] == 24_000_000
    assert http.get(f"{API}/bills").json()["items"] == []
    refused(http.post(f"{API}/bills:simulate", json=asked | {"minutes": 7}), "meters read every")
    refused(http.post(f"{API}/bills:simulate", json=asked | {"tariff_name": "flat"}), "one of both")
    refused(http.post(f"{API}/bills:simulate", json=asked | {"wh": [1_000] * 47}), "whole local days")


def auction(http, app, *, closes_in=timedelta(hours=1)):
    now = app.state.backing.store.clock.now()
    gate = {"opens": (now - timedelta(hours=2)).isoformat(), "closes": (now + closes_in).isoformat()}
    start = (now + timedelta(days=1)).replace(minute=0, second=0, microsecond=0).isoformat()
    product = {"id": "day-1", "area": "park", "start": start, "gate": gate, "periods": 2}
    people = [
        {"id": "works", "name": "Works"},
        {"id": "grid", "name": "Grid"},
        {"id": "poor", "name": "Poor", "credit": 1},
    ]
    return made(http.post(f"{API}/auctions", json={"product": product, "participants": people}))["id"]


def order(http, auction_id, participant, mwh, price, period=0, **more):
    body = {"auction_id": auction_id, "participant": participant, "period": period, "mwh": mwh, "price": price}
    return http.post(f"{API}/orders", json=body | more)


def closed(app, monkeypatch):
    clock = app.state.backing.store.clock
    later = clock.now() + timedelta(hours=3)
    monkeypatch.setattr(type(clock), "now", lambda _self: later)


def test_orders_are_taken_until_the_gate_closes_and_cleared_into_positions(http, app, monkeypatch):
    one = auction(http, app)
    made(order(http, one, "grid", 5, 300))
    bid = made(order(http, one, "works", -2, 500))
    gone = made(order(http, one, "works", -1, 450))
    made(http.delete(f"{API}/orders/{gone['id']}"), 200)
    refused(order(http, one, "stranger", -1, 1), "is no participant")
    refused(order(http, one, "works", -1.0005, 1), "whole lots")
    refused(order(http, one, "works", -1, 1.001), "whole ticks")
    refused(order(http, one, "poor", -1, 400), "the credit is")
    refused(order(http, one, "works", -1, 1, id=bid["name"]), "is the id of 2 orders")
    refused(http.post(f"{API}/auctions/{one}/clear"), "the gate is open until")
    closed(app, monkeypatch)
    refused(order(http, one, "works", -1, 500), "took orders from")
    refused(http.delete(f"{API}/orders/{bid['id']}"), "took orders from")
    result = made(http.post(f"{API}/auctions/{one}/clear"), 200)["result"]
    assert result["volume_wh"] == [2_000_000, 0]
    refused(http.post(f"{API}/auctions/{one}/clear"), "is cleared")
    contract = {
        "delivery": "day-1",
        "participant": "works",
        "counterparty": "grid",
        "mwh": -3,
        "price": 420,
        "weights": [2, 1],
    }
    made(http.post(f"{API}/contracts-of-energy", json=contract))
    held = http.get(f"{API}/positions?delivery=day-1").json()["items"]
    assert {p["participant"]: p["position_wh"] for p in held} == {
        "grid": [4_000_000, 1_000_000],
        "works": [-4_000_000, -1_000_000],
    }
    assert paged(http, "positions") == held


@pytest.mark.parametrize("after", ["day-1", '["day-1"]', '["day-1", "\\u0000"]', "[1, 2, 3]"])
@pytest.mark.parametrize("name", ["positions", "certificates"])
def test_a_place_in_a_list_that_no_page_named_is_refused(http, name, after):
    assert http.get(f"{API}/{name}", params={"after": after}).status_code == 422


def paged(http, name):
    """Everything of a list, asked for one by one."""
    found, after = [], {}
    while after is not None:
        page = http.get(f"{API}/{name}", params={"limit": 1} | after).json()
        found += page["items"]
        assert len(page["items"]) == 1
        after = {"after": page["next"]} if page["next"] else None
    return found


DELIVERY = {
    "format": "jouletwin-settlement/1",
    "delivery": "day-1",
    "settled_at": "2026-07-02T12:00:00Z",
    "metered_mwh": {"works": [-4.1, -0.9], "grid": [4.1, 0.9]},
    "real_time": [360, 340],
    "reference": [350, 350],
    "trades": [
        {"participant": "works", "period": 0, "mwh": -4, "price": 350},
        {"participant": "grid", "period": 0, "mwh": 4, "price": 350},
    ],
    "bands": [{"free_share": 0.02, "price_share": 0.1}],
}
CAPACITY = {
    "period": 0,
    "required_mw": 1,
    "called_mw": 0.5,
    "offers": [{"id": "battery", "participant": "works", "mw": 1, "price": 30}],
    "done": [{"offer": "battery", "delivered": 0.9}],
}


def test_a_delivery_is_settled_by_versions_invoiced_paid_and_the_books_close(http):
    run = made(http.post(f"{API}/settlement-runs", json={"document": DELIVERY | {"capacity": [CAPACITY]}}))
    parts = {i["part"]: i["amount_micro"] for i in run["items"] if i["participant"] == "works"}
    assert parts["ancillary capacity"] == 30_000_000
    assert parts["ancillary shortfall"] == -6_000_000  # a tenth was missing, at twice the price
    same = made(http.post(f"{API}/settlement-runs", json={"document": DELIVERY | {"capacity": [CAPACITY]}}))
    assert same["id"] == run["id"]
    changed = DELIVERY | {"metered_mwh": {"works": [-4.2, -0.9], "grid": [4.2, 0.9]}}
    refused(http.post(f"{API}/settlement-runs", json={"document": changed}), "needs its reason")
    second = made(http.post(f"{API}/settlement-runs", json={"document": changed, "reason": "late meter"}))
    assert second["version"] == 2

    owed = -second["due_micro"]["works"]
    bad = {"party": "grid", "due": "2099-01-01", "settlement_run": second["id"]}
    refused(http.post(f"{API}/invoices", json=bad), "owes anything")
    invoice = made(http.post(f"{API}/invoices", json=bad | {"party": "works"}))
    assert (invoice["amount_micro"], invoice["state"]) == (owed, "open")
    refused(http.post(f"{API}/invoices", json=bad | {"party": "works"}), "is invoiced to works")
    paid = made(http.post(f"{API}/payments", json={"party": "works", "amount": 100, "text": "transfer"}))
    assert paid["invoices"][0]["paid_micro"] == 100_000_000
    rest = made(http.post(f"{API}/invoices/{invoice['id']}/write-off", json={"reason": "insolvent"}), 200)
    assert rest["state"] == "written off"

    accounts = {a["name"]: a["balance_micro"] for a in http.get(f"{API}/accounts").json()["items"]}
    assert sum(accounts.values()) == 0
    assert accounts["participant:works"] == 0
    assert accounts["receivable:works"] == 0
    check = http.get(f"{API}/accounts/check").json()
    assert check["findings"] == []
    assert check["length"] == len(http.get(f"{API}/accounts/transactions?limit=200").json()["items"])
    lines = http.get(f"{API}/accounts/transactions?limit=200", headers={"Accept": "text/csv"}).text.splitlines()
    assert lines[0].startswith("transaction,at_utc,account,debit,credit")


def test_a_delivery_with_gaps_books_nothing(http):
    gap = DELIVERY | {"metered_mwh": {"works": [-4.1], "grid": [4.1, 0.9]}}
    refused(http.post(f"{API}/settlement-runs", json={"document": gap}), "has 1 values for 2 periods")
    assert http.get(f"{API}/accounts").json()["items"] == []


def test_a_book_is_what_its_journal_makes_of_it(http):
    book = made(http.post(f"{API}/books", json={"title": "hour 18", "highest": 1_000}))["id"]
    sale = {"act": 0, "owner": 1, "side": 1, "tick": 300, "lots": 10}
    buy = {"act": 0, "owner": 2, "side": 0, "tick": 310, "lots": 4}
    sent = made(http.post(f"{API}/books/{book}/events", json={"events": [sale, buy]}), 200)
    assert sent["outcomes"] == ["rests", "filled"]
    own = {"act": 0, "owner": 1, "side": 0, "tick": 300, "lots": 1}
    beyond = buy | {"tick": 2_000}
    sent = made(http.post(f"{API}/books/{book}/events", json={"events": [own, beyond]}), 200)
    assert sent["outcomes"] == ["stopped_self", "bad_price"]
    state = http.get(f"{API}/books/{book}").json()
    assert state["sales"] == [{"tick": 300, "lots": 6}]
    assert state["trades"] == [{"resting": 0, "incoming": 1, "tick": 300, "lots": 4, "event": 1}]
    assert state["events"] == 4


def test_a_certificate_is_issued_once_and_used_once(http):
    issue = {
        "device": "pv",
        "start": "2026-06-01T00:00Z",
        "end": "2026-07-01T00:00Z",
        "wh": 2_600_000,
        "source": "pv",
        "holder": "park",
    }
    (held,) = made(http.post(f"{API}/certificates", json=issue))["items"]
    assert (held["first"], held["last"]) == (1, 2)
    refused(http.post(f"{API}/certificates", json=issue), "no energy is counted twice")
    july = issue | {"start": "2026-07-01T00:00Z", "end": "2026-08-01T00:00Z", "wh": 300_000}
    assert made(http.post(f"{API}/certificates", json=july))["items"] == []
    august = issue | {"start": "2026-08-01T00:00Z", "end": "2026-09-01T00:00Z", "wh": 100_000}
    (third,) = made(http.post(f"{API}/certificates", json=august))["items"]
    assert third["first"] == 3  # what was left of three issues fills one
    move = {"device": "pv", "first": 1, "last": 1, "holder": "park", "to": "works"}
    made(http.post(f"{API}/certificates/transfer", json=move), 200)
    assert paged(http, "certificates") == http.get(f"{API}/certificates").json()["items"]
    refused(http.post(f"{API}/certificates/transfer", json=move), "are held by works")
    use = {"device": "pv", "first": 1, "last": 1, "holder": "works", "purpose": "July"}
    made(http.post(f"{API}/certificates/retire", json=use), 200)
    refused(http.post(f"{API}/certificates/retire", json=use), "were retired for July")
    assert http.get(f"{API}/certificates/check").json() == {"length": 5, "findings": []}
    assert len(http.get(f"{API}/certificates/acts").json()["items"]) == 5


def test_examples_of_the_interface_are_sound():
    from service.api.trading.settlement import DELIVERY as SHOWN

    assert SettlementDocument.model_validate(SHOWN).settled_at > datetime(2026, 1, 1, tzinfo=UTC)
