"""The live page in a real browser on the running demo: it moves, it adds up, it complains of nothing and asks nobody else."""

import re
from collections import defaultdict

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def number(text):
    return float(text.replace("\u2009", "").replace("−", "-").replace("–", "nan"))


def ready(page):
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#sankey canvas")).to_be_visible()
    expect(page.locator("#figure-timeline canvas")).to_be_visible()
    expect(page.locator("#figure-asset canvas")).to_be_visible()
    expect(page.locator("#sankey")).to_have_attribute("data-unit", "kW")


NUMBERS = """() => ({
  flows: JSON.parse(document.getElementById("sankey").dataset.flows),
  rows: [...document.querySelectorAll("#balance tbody tr")].map((row) => [
    row.dataset.carrier,
    Object.fromEntries([...row.querySelectorAll("td[data-amount]")].map((cell) => [cell.dataset.name, cell.textContent])),
  ]),
})"""
"""Both are read at once: a second later they are others."""


def balanced(page):
    """Check the numbers that the diagram was drawn from and the table that stands below it."""
    seen = page.evaluate(NUMBERS)
    assert len(seen["flows"]) > 5
    into, out = defaultdict(float), defaultdict(float)
    for source, target, amount in seen["flows"]:
        assert amount > 0
        out[source] += amount
        into[target] += amount
    for node in set(into) & set(out):
        assert into[node] == pytest.approx(out[node], abs=0.05), node
    assert [carrier for carrier, _ in seen["rows"]] == ["electricity", "heat", "gas", "cold"]
    for carrier, cells in seen["rows"]:
        shown = {name: number(text) for name, text in cells.items()}
        gives = shown["supplied"] + shown["discharged"]
        takes = shown["used"] + shown["charged"] + shown["exported"] + shown["difference"]
        assert gives == pytest.approx(takes, abs=4.0), carrier  # six rounded numbers
        assert into[f"carrier:{carrier}"] == pytest.approx(gives + max(-shown["difference"], 0.0), abs=4.0), carrier


def test_the_page_opens_and_its_values_move(demo, look, picture):
    page, witness = look(demo.address)
    ready(page)
    clock = page.locator("#clock")
    shown = page.locator("[data-figure=import_kw]")
    time_before, import_before = clock.inner_text(), shown.inner_text()
    expect(clock).not_to_have_text(time_before)
    expect(shown).not_to_have_text(import_before)
    expect(page.locator("#command-list tbody tr").first).to_be_visible()
    picture(page, "live-wide")
    assert witness.complaints == []
    assert all(url.startswith(demo.address) for url in witness.requests)
    assert len(witness.requests) > 10


def test_the_flow_adds_up_now_and_over_a_period(demo, look):
    page, _ = look(demo.address)
    ready(page)
    balanced(page)
    page.get_by_role("button", name="24 h, kWh").click()
    expect(page.locator("#sankey")).to_have_attribute("data-unit", "kWh")
    balanced(page)
    expect(page.get_by_role("button", name="24 h, kWh")).to_have_attribute("aria-pressed", "true")


def test_a_pulled_plug_is_an_alarm_that_can_be_seen_put_aside_and_brought_back(demo, look):
    page, witness = look(demo.address)
    ready(page)
    demo.type_in("unplug wind")
    alarm = page.locator(f"#alarm-{demo.wait_for(lambda: lost_wind(demo), 'alarm of the wind turbine')}")
    expect(alarm).to_have_class(re.compile("^unacknowledged"))
    deeds = (
        ("Seen", "acknowledge", "acknowledged"),
        ("Aside for 1 h", "shelve", "shelved"),
        ("Bring back", "unshelve", "unacknowledged"),
    )
    for button, deed, state in deeds:
        with page.expect_response(f"**/console/alarms/*/{deed}"):
            alarm.get_by_role("button", name=button).click()
        expect(alarm).to_have_class(re.compile(rf"^{state}"))
    demo.type_in("plug wind")
    expect(alarm).to_have_class(re.compile("^returned"))
    assert witness.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_a_phone(demo, look, picture, theme):
    page, witness = look(demo.address, width=390, height=844, theme=theme)
    ready(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    picture(page, f"live-phone-{theme}")
    assert witness.complaints == []


def test_the_page_in_chinese_and_dark(demo, look, picture):
    page, witness = look(demo.address + "?lang=zh", theme="dark")
    ready(page)
    expect(page.get_by_role("heading", name="能量流")).to_be_visible()
    picture(page, "live-dark-zh")
    assert witness.complaints == []


def lost_wind(demo):
    """Return the number of the alarm that says that the wind turbine is lost, None while it does not stand."""
    alarms = demo.ask("alarms")["items"]
    return next((a["id"] for a in alarms if (a["source"], a["place"]) == ("device", "wind")), None)


def test_one_asset_can_be_chosen(demo, look):
    page, witness = look(demo.address)
    ready(page)
    with page.expect_response(lambda r: "/console/charts/asset" in r.url and "asset=chp1" in r.url) as answer:
        page.locator("#asset").select_option("chp1")
    assert answer.value.json()["panels"][0]["title"] == "Gas engine 1"
    assert witness.complaints == []


def test_the_theme_can_be_chosen_and_is_remembered(demo, look):
    page, _ = look(demo.address)
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_lost_connection_shows_and_heals(demo, look):
    page, _ = look(demo.address)
    ready(page)
    with demo.frozen():
        expect(page.locator("#lost")).to_be_visible()
        expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#lost")).to_be_hidden()


def test_the_interface_is_described_on_a_page_of_its_own(demo, look, picture):
    page, witness = look(demo.address + "api/v1/docs")
    expect(page.get_by_text("/api/v1/snapshot", exact=True)).to_be_visible()
    picture(page, "interface")
    assert witness.complaints == []
    assert all(url.startswith(demo.address) for url in witness.requests)
