"""Pages of what came of traders' and customers' studies: offers with their proof, a package with its bills, matches, a sweep."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from models.horizon import Horizon
from models.offers import OfferCurve, OfferProof, OfferSet, OfferStep, ProfileOffer
from tests.service.apps import here, local_app
from tests.service.conftest import NOON
from tests.service.studies import ended_study

HOUR = timedelta(hours=1)
OFFERS = OfferSet(
    site="park",
    currency="CNY",
    time_zone="Asia/Shanghai",
    horizon=Horizon(tuple(NOON + k * HOUR for k in range(3))),
    curves=tuple(
        OfferCurve(
            NOON + k * HOUR,
            NOON + (k + 1) * HOUR,
            tuple(OfferStep(10**8 * p, 1_000_000 * p - 3_000_000, 0.4, 0.2, 0, 20) for p in (1, 2, 4 + k)),
        )
        for k in range(2)
    ),
    reserve=(),
    profiles=(ProfileOffer((0, 1000), 5, "day"),),
    proof=OfferProof(
        "abc123", "grid-1", replayed=120, violated=2, worst={"loading": 0.07}, loss_error_kw=4.2, passes=2
    ),
    forecast="naive",
    seed=1,
    margin_kwh=(0.0, 0.0),
    expected_cost=8123.0,
    distance_kwh={},
)
PACKAGE = {
    "title": "Energy for Quiet Mill",
    "notice": "from its own readings",
    "summary": ["The bill falls from 900.00 to 700.00 CNY."],
    "reasons": ["Sun: pays"],
    "delivery": ["not replayed"],
    "items": [["module", "size"], ["sun", "120 kW"]],
    "bill": [
        ["month", "before", "after", "change"],
        ["2026-01", "1,400.50", "700.25", "-700.25"],
        ["total", "1,400.50", "700.25", "-700.25"],
    ],
    "prices": [["design", "terms"], ["fee (offered)", "9,000"]],
    "needs": [],
}
TRADED = {
    "day": "2015-07-15",
    "currency": "CNY",
    "ok": True,
    "links": [{"stage": "forecast", "digest": "abcdef0123456789", "words": "45 series"}],
    "parts": {"trades": -24265.79818, "grid fee": -8304.33},
    "result": -32570.12,
    "alternatives": {"prices and loads known": -32352.5},
    "certificates": [{"device": "pv_food", "first": 1, "last": 8}, {"device": "wind", "first": 3, "last": 4}],
    "invoice": {"id": "i000001"},
    "equipment": {"battery": 120.5},
    "balances_micro": {"market:trades": -24265798180, "receivable:park": 24265798180, "participant:park": 0},
    "hours": [
        {"start": f"2015-07-14T{16 + k}:00:00+00:00", "position_kwh": -2842.0, "metered_kwh": -2881.2, "price_per_kwh": 0.25,
         "timing": 157.8, "beside": -1.6}
        for k in range(2)
    ],
}  # fmt: skip
MATCHES = {"matches": [{"why": "Roof Works builds it best"}], "gain": 5.0, "first_come_gain": 4.0, "bound": 5.0}
SWEEP = {
    "kind": "grid",
    "currency": "CNY",
    "points": [
        {"number": k, "values": {"energy_kwh": 1000.0 * k, "power_kw": 500.0}, "kpis": {"total_cost": 90.0 - k}}
        for k in (1, 2)
    ],
    "tornado": {},
    "failed": {"3": "no plan carries the heat"},
}


PORTRAIT = {
    "customer": "main",
    "segment": "day",
    "energy": ["works by day"],
    "asset": [],
    "business": ["is closed on Sundays"],
    "sureness": {"coverage_share": 1.0, "estimated_share": 0.02, "days": 42},
    "grade": "fair",
    "figures": {"peak_kw": 60.0},
    "zh": {"energy": ["白天运行"], "asset": [], "business": ["周日停业"]},
    "shapes": {"days": ["2026-01-01"], "year_kw": [[*range(23), None]], "typical_kw": [[60.0] * 24, [20.0] * 24]},
}


@pytest.fixture
def done(quiet):
    """Give who makes studies that have ended with a result that is put there."""
    app = local_app(quiet)
    with here(app) as http:

        def made(kind, content, renamed=None):
            job = ended_study(http, app, kind, content, renamed)
            return http, f"/studies/{job}", f"/console/studies/{job}/charts"

        yield made


def test_offers_are_shown_with_what_was_proven_and_every_curve_is_a_picture(done):
    http, page, charts = done("offers", TypeAdapter(OfferSet).dump_json(OFFERS).decode())
    text = http.get(f"{page}?lang=en").text
    assert "does not hold" in text
    assert [x in text for x in ("<dd>120</dd>", "<dd>2</dd>", "<dd>grid-1</dd>", "<dd>4.2 kW</dd>")] == [True] * 4
    rows = text.split('id="offer-rows"')[1].split("</table>")[0]
    assert rows.count("<tr><td>") == 2
    curve = http.get(f"{charts}/curve?thing=1").json()["lines"][0]
    assert (curve["at"], curve["values"]) == ([100.0, 200.0, 500.0], [-2000.0, -1000.0, 2000.0])
    assert http.get(f"{charts}/curve?thing=2").status_code == 404
    day = http.get(f"{charts}/offers").json()
    assert [len(x["at"]) for x in day["lines"]] == [2] * 5
    assert (day["lines"][0]["values"], day["lines"][0]["upper"]) == ([-2000.0, -2000.0], [1000.0, 2000.0])


def test_a_traded_day_is_shown_from_the_forecast_to_books_that_sum_to_zero(done):
    http, page, charts = done("trade_day", TRADED)
    text = http.get(f"{page}?lang=en").text
    for words in (
        "45 series",
        "abcdef0123",
        "whole, books sum to 0",
        "Market: Day-ahead trades",
        "i000001",
        "Battery",
        "<dd>10</dd>",
    ):
        assert words in text
    books = text.split('id="day-balances"')[1].split("</table>")[0]
    assert (books.count("<tr><td>"), "<b>0.00</b>" in books) == (2, True)
    position, metered, price = http.get(f"{charts}/traded").json()["lines"]
    assert (position["values"], metered["values"]) == ([-2842.0] * 2, [-2881.2] * 2)
    assert price["values"] == [250.0, 250.0]
    assert http.get(f"{charts}/earned").json()["lines"][0]["at"] == ["00:00", "01:00"]
    assert page.rsplit("/", 1)[1] in http.get("/trading?lang=en").text


def test_a_package_is_shown_with_its_bills_before_and_after(done):
    http, page, charts = done("offers", PACKAGE, "package")
    text = http.get(f"{page}?lang=en").text
    for words in ("Energy for Quiet Mill", "The bill falls", "120 kW", "fee (offered)", "not replayed"):
        assert words in text
    before, after = http.get(f"{charts}/bill").json()["lines"]
    assert (before["at"], before["values"], after["values"]) == (["2026-01"], [1400.5], [700.25])


def test_a_portrait_is_shown_in_sentences(done):
    http, page, charts = done("offers", [PORTRAIT], "portrait")
    text = http.get(f"{page}?lang=zh").text
    assert ("白天运行" in text, "works by day" in text) == (True, False)
    rows = http.get(f"{charts}/year").json()["lines"]
    assert (len(rows), rows[7]["values"], rows[23]["values"]) == (24, [7.0], [None])
    working, free = http.get(f"{charts}/typical").json()["lines"]
    assert (working["at"][-1], working["values"][-1], free["values"][0]) == (24.0, 60.0, 20.0)
    assert http.get(f"{charts}/bill").status_code == 404
    text = http.get(f"{page}?lang=en").text
    for words in ("works by day", "is closed on Sundays", "Measured over 42 days", "60 kW", "fairly sure"):
        assert words in text


def test_matches_lead_to_leads_and_a_sweep_shows_its_points_and_what_failed(done):
    http, page, _ = done("offers", MATCHES, "matching")
    assert "Roof Works builds it best" in http.get(page).text
    assert "/leads" in http.get(page).text
    http, page, charts = done("sweep", SWEEP)
    assert "no plan carries the heat" in http.get(page).text
    found = http.get(f"{charts}/sweep").json()
    assert (found["axis_title"], found["lines"][0]["at"], found["lines"][0]["values"]) == (
        "energy_kwh",
        [1000.0, 2000.0],
        [89.0, 88.0],
    )


def test_a_study_without_such_a_result_has_no_such_chart(done):
    http, _, charts = done("sweep", {"points": []})
    assert http.get(f"{charts}/curve").status_code == 404
    assert http.get(f"{charts}/bill").status_code == 404
    assert http.get(f"{charts}/sweep").json()["lines"] == []
    assert http.get(f"{charts}/nothing").status_code == 404
