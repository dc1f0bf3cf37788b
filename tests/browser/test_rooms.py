"""Every room of the console, in both languages, wide and on a phone: nothing is missing, nothing is out of reach, nobody else is asked."""

import csv
import io

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.accessible import grave

pytestmark = pytest.mark.browser

ROOMS = {
    "/": "#sankey canvas",
    "/networks": "svg.diagram",
    "/schedule": "#figure-schedule canvas",
    "/scenarios": "#case-heat_wave",
    "/scenarios/battery_1mwh": "#verdict.told",
    "/trading": "[data-sheet]",
    "/customers": "#target-list tbody tr",
    "/customers/hotel": "#figure-year canvas",
    "/devices": "#device-battery",
    "/field": "#states li",
    "/wall": "#sankey canvas",
    "/admin": "#health",
}
PAGE_MOST = 450_000
PASSWORD = "four quiet words here"  # noqa: S105 # of people who live in tests


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_opens_in_both_languages_and_everybody_can_use_it(demo, look, picture, room):
    name = room.strip("/").replace("/", "-") or "live"
    for language, size, theme in (("en", (1440, 900), "light"), ("zh", (390, 844), "dark")):
        page, witness = look(f"{demo.address[:-1]}{room}?lang={language}", width=size[0], height=size[1], theme=theme)
        expect(page.locator(ROOMS[room]).first).to_be_attached()
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("html")).to_have_attribute("lang", {"en": "en", "zh": "zh-CN"}[language])
        assert grave(page) == [], (room, language)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, (room, language)
        picture(page, f"{name}-{language}-{size[0]}")
        assert witness.complaints == [], (room, language)
        assert all(url.startswith(demo.address) for url in witness.requests)


def test_a_page_is_light_on_the_wire(demo):
    """Everything that the first page asks for, as it goes over the wire."""
    files = ["", "static/theme.js", "static/console.css", "static/rooms.css", "static/shell.js", "static/page.js"]
    files += [f"static/{n}.js" for n in ("deeds", "figures", "tour", "flow")]
    files += ["static/vendor/htmx-4.0.1/htmx.min.js", "static/vendor/echarts-6.1.0/echarts.min.js"]
    total = 0
    with httpx.Client(headers={"Accept-Encoding": "gzip"}) as http:
        for path in files:
            with http.stream("GET", demo.address + path) as answer:
                assert answer.status_code == 200, path
                total += sum(len(part) for part in answer.iter_raw())
    assert total < PAGE_MOST


def test_roles_see_only_what_they_may(demo, look):
    for role, sees, not_for in (
        ("viewer", {"Live", "Networks", "Schedule", "Devices"}, ("/admin", "/scenarios", "/trading")),
        ("sales", {"Live", "Scenarios", "Trading", "Customers"}, ("/admin",)),
    ):
        made = httpx.post(
            f"{demo.address}api/v1/users", json={"name": f"{role} one", "password": PASSWORD, "roles": [role]}
        )
        assert made.status_code in (201, 409)
        page, _ = look(demo.address + "login")
        page.get_by_label("Name").fill(f"{role} one")
        page.get_by_label("Password", exact=False).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("nav.rooms")).to_be_visible()
        rooms = set(page.locator("nav.rooms a").all_inner_texts())
        assert sees <= rooms
        assert "Admin" not in rooms
        assert page.locator("#alarms button").count() == 0
        for path in not_for:
            answer = page.goto(demo.address[:-1] + path)
            assert answer.status == 403
            expect(page.get_by_role("heading", name="This is not for your role")).to_be_visible()


def test_charts_can_be_saved_as_tables(demo):
    for chart in ("timeline", "schedule", "asset?asset=battery", "flow", "cost", "days"):
        join = "&" if "?" in chart else "?"
        text = httpx.get(f"{demo.address}console/charts/{chart}{join}format=csv").content.decode("utf-8-sig")
        head, *rows = csv.reader(io.StringIO(text))
        assert rows, chart
        assert [row for row in rows if len(row) != len(head)] == [], chart
    book = httpx.get(f"{demo.address}console/charts/schedule?format=xlsx")
    assert book.content[:2] == b"PK"


def test_the_tour_is_shown_once(demo, browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto(demo.address)
    tour = page.get_by_role("dialog", name="A short tour")
    expect(tour).to_be_visible()
    for _ in range(4):
        tour.get_by_role("button", name="Next").click()
    tour.get_by_role("button", name="Done").click()
    expect(tour).to_be_hidden()
    page.reload()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator(".tour")).to_have_count(0)
    context.close()


def test_the_keyboard_leads_everywhere(demo, look):
    page, _ = look(demo.address)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    expect(page).to_have_url(demo.address + "schedule")
