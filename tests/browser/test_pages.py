"""Pages beside the rooms, with what they show at their fullest: everybody can use them, light and dark, and nothing complains."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from pydantic import TypeAdapter

from models.offers import OfferSet
from service.app import create_app
from service.backing import Backing
from service.store.engine import Store
from service.web import HOST, Web, listening_socket
from tests.browser.accessible import grave
from tests.service.apps import here, local_app
from tests.service.conftest import park, running  # noqa: F401 # fixtures
from tests.service.studies import ended_study
from tests.service.test_console_outcomes import MATCHES, OFFERS, PACKAGE, PORTRAIT, SWEEP, TRADED

pytestmark = pytest.mark.browser

ENDED = {
    "offers": ("offers", TypeAdapter(OfferSet).dump_json(OFFERS).decode(), None),
    "traded": ("trade_day", TRADED, None),
    "package": ("offers", PACKAGE, "package"),
    "portrait": ("offers", [PORTRAIT], "portrait"),
    "matching": ("offers", MATCHES, "matching"),
    "sweep": ("sweep", SWEEP, None),
}
PAGES = (*ENDED, "waiting", "party", "trace", "book", "trading", "interface", "missing", "login")

INCOMPLETE = ("missing", "portrait")
"""Pages that ask for what is not there: nothing at all, or the readings behind a portrait that was made up."""
PARTS = {"interface": ("header", "nav", "#main > section:nth-of-type(-n+3)", "#main > details:nth-of-type(-n+3)")}
"""Of a page of hundreds of like entries the first ones are looked at."""


@pytest.fixture(scope="module")
def still(running):  # noqa: F811 # the fixture
    """Serve a park that stands still, with a study of every kind, a party and a schedule; give the paths of its pages."""
    app = local_app(running)
    with here(app) as http:
        paths = {name: f"/studies/{ended_study(http, app, *made)}" for name, made in ENDED.items()}
        waiting = http.post("/api/v1/jobs", json={"kind": "scenario", "case": "battery_1mwh"}).json()["id"]
        party = http.post("/api/v1/parties", json={"name": "Quiet Mill", "roles": ["customer"]}).json()["id"]
        plan = running.memory.plan.plan
        start, end = running.clock.now(), running.clock.now() + timedelta(hours=1)
        by_hand = {"battery": [{"at": start.isoformat(), "kw": 300}]}
        words = {"title": "By hand", "start": start.isoformat(), "end": end.isoformat(), "setpoints_kw": by_hand}
        assert http.post("/api/v1/schedules", json=words).status_code == 201
    paths |= {"waiting": f"/studies/{waiting}", "party": f"/customers/parties/{party}", "trace": f"/trace/{plan.id}"}
    paths |= {"book": "/schedule", "trading": "/trading", "interface": "/api/v1/docs", "missing": "/studies/none"}
    paths["login"] = "/login"
    before = app.state.backing
    backing = Backing(Store(before.store.url), before.results, local=True)
    web = Web(create_app(running, backing), running, listening_socket(HOST, 0))
    web.start()
    yield web.address[:-1], paths
    running.closing = True
    web.stop()


@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_every_page(still, look, name):
    address, paths = still
    page, witness = look(f"{address}{paths[name]}?lang=en")
    expect(page.locator("main#main")).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert grave(page, *PARTS.get(name, ())) == [], theme
    if name not in INCOMPLETE:
        assert witness.complaints == []
    assert all(url.startswith(address) for url in witness.requests)


def test_every_page_has_its_words_and_fits_a_phone_in_chinese(still, look):
    address, paths = still
    page, _ = look(f"{address}/schedule?lang=zh", width=390, height=844)
    for name in PAGES:
        page.goto(address + paths[name])
        expect(page.locator("main#main")).to_be_visible()
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, name
        assert page.locator("html").get_attribute("lang") == "zh-CN"
