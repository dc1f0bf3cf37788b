"""One way through the console for each kind of people, on the running park."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import expect

from tests.service.meters import MAP, small_meter

pytestmark = pytest.mark.browser
AT_LAST_MS = 240_000
"""How long a machine that does much else may take to begin anew with another list of devices."""

TARIFF = """
bands:
- {name: flat, price_per_kwh: 0.65, windows: [{start_h: 0, end_h: 24}]}
- {name: peak, price_per_kwh: 0.95, windows: [{start_h: 17, end_h: 22}]}
export_price_per_kwh: 0.3
demand_price_per_kw_month: 36
"""


def readings(days=42):
    """Hours of a mill that works by day, as a file that says its unit."""
    hours = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=k) for k in range(24 * days))
    rows = (f"{at:%Y-%m-%dT%H:%M:%S}+08:00,{60 if 7 <= at.hour < 19 else 22 + at.hour % 5}" for at in hours)
    return "\n".join(["time,main [kWh]", *rows]).encode()


def standing(demo, source, place):
    """Return the alarm of one cause, None where it does not stand."""
    alarms = demo.ask("alarms")["items"]
    return next((a for a in alarms if (a["source"], a["place"]) == (source, place)), None)


def test_an_operator_sees_an_alarm_understands_the_plan_and_takes_over(demo, look):
    page, witness = look(demo.address)
    demo.type_in("unplug pv_hotel")
    lost = demo.wait_for(lambda: standing(demo, "device", "pv_hotel"), "alarm of pv_hotel")
    alarm = page.locator(f"#alarm-{lost['id']}")
    expect(alarm.locator("b")).to_have_text("Photovoltaics, hotel")
    with page.expect_response(f"**/console/alarms/{lost['id']}/acknowledge") as answer:
        alarm.get_by_role("button", name="Seen").click()
    assert answer.value.ok
    expect(alarm).to_have_class(re.compile("^acknowledged"))

    page.get_by_role("link", name="Schedule", exact=True).click()
    expect(page.locator("#plan")).to_contain_text("plan-")
    plan = page.locator("#plan small").inner_text()
    expect(page.locator("#plan small")).not_to_have_text(plan, timeout=180_000)
    expect(page.locator("#network-check")).to_be_visible()
    with page.expect_response(lambda r: "/console/why" in r.url):
        page.locator("#why-card select[name=asset]").select_option("battery")
    expect(page.locator("#why .note")).to_contain_text("one more kWh costs")

    page.locator("#by-hand summary").click()
    page.locator("#takeover select[name=asset]").select_option("battery")
    page.locator("#takeover [name=kw]").fill("99999")
    page.get_by_role("button", name="Take over now").click()
    expect(page.locator("#takeover .answer")).to_contain_text("The unit takes")
    page.locator("#takeover [name=kw]").fill("123")
    page.get_by_role("button", name="Take over now").click()
    applied = page.locator("#book li.applied").first
    expect(applied).to_contain_text("battery 123")
    done = page.locator("#journal-list tbody tr", has_text="Battery").filter(has_text="123.0").first
    expect(done).to_contain_text("applied")
    expect(done).to_contain_text("schedule")
    chain = done.get_by_role("link").get_attribute("href")
    applied.get_by_role("button", name="Stop").click()
    page.locator("#sure").get_by_role("button", name="Yes").click()
    expect(page.locator("#book li.cancelled").first).to_contain_text("battery 123")
    page.goto(demo.address[:-1] + chain)
    expect(page.locator("#trace-commands tr.here")).to_contain_text("applied")
    expect(page.locator("#trace-decided")).to_contain_text("schedule.applied")
    assert standing(demo, "device", "pv_hotel")["state"] == "acknowledged"  # seen once is seen, as long as it is away
    demo.type_in("plug pv_hotel")
    demo.wait_for(lambda: standing(demo, "device", "pv_hotel") is None or None, "end of the alarm of pv_hotel")
    assert witness.complaints == []


def test_a_planner_changes_a_case_runs_it_and_reads_the_comparison(demo, look):
    page, witness = look(demo.address + "scenarios/battery_1mwh")
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("can be run")
    page.locator("[data-field=asset]").fill("batery")
    expect(verdict).to_contain_text("batery")
    expect(page.locator("#run")).to_be_disabled()
    page.locator("[data-field=asset]").fill("battery")
    expect(verdict).to_contain_text("can be run")
    page.locator("#kind").select_option("load_growth")
    page.locator("#add").click()
    expect(verdict).to_contain_text("factor")
    page.locator("[data-field=factor]").fill("1.2")
    expect(verdict).to_contain_text("can be run")
    page.locator("[name=days]").fill("0.125")
    with page.expect_navigation(url=re.compile("/studies/")):
        page.locator("#run").click()
    expect(page.locator("#state")).to_have_text("done", timeout=900_000)
    expect(page.locator("#comparison tbody tr").first).to_be_visible()
    expect(page.locator("#figure-change canvas")).to_be_visible()
    expect(page.locator("#figure-duration canvas")).to_be_visible()
    report = page.get_by_role("link", name="Report PDF").get_attribute("href")
    assert httpx.get(demo.address[:-1] + report, timeout=60).content[:4] == b"%PDF"
    assert witness.complaints == []


def test_a_study_is_cancelled_from_its_page(demo, look):
    page, _ = look(demo.address + "scenarios")
    held = []
    page.route("**/deeds.js", lambda route: held.append(route), times=1)
    with page.expect_request("**/deeds.js"):
        page.locator("#case-unlucky_day").get_by_role("button", name="Run").click()
    expect(page).to_have_url(re.compile("/studies/"))
    page.get_by_role("button", name="Cancel").click()  # somebody is quicker than the script that obeys the button
    held[0].continue_()
    expect(page.locator("#state")).to_have_text("cancelled")


def test_an_admin_lets_somebody_in_tries_a_device_and_puts_it_into_service(demo, look, picture):
    page, witness = look(demo.address + "admin")
    users = page.locator("#users")
    users.locator("summary", has_text="New").click()
    users.get_by_label("name *").fill("short")
    users.get_by_label("password *").fill("short")
    users.get_by_label("planner").check()
    users.get_by_role("button", name="New").click()
    expect(users.locator(".answer.wrong")).to_contain_text("password")
    users.get_by_label("name *").fill("pia")
    users.get_by_label("password *").fill("four quiet words here")
    users.get_by_role("button", name="New").click()
    expect(users.locator("tbody tr", has_text="pia")).to_contain_text("planner")
    audit = page.locator("#audit")
    audit.scroll_into_view_if_needed()
    expect(audit.locator("tbody tr", has_text="user.").first).to_be_visible()

    page.goto(demo.address + "devices")
    page.locator("#shipped").select_option("sunspec_battery")
    map_text = page.locator("#trial [name=text]")
    expect(map_text).to_have_value(re.compile("points"))
    page.locator("#trial [name=port]").fill("1")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial .answer.wrong")).to_be_visible()
    map_text.fill("nothing: here")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial .answer.wrong li").first).to_be_visible()
    with small_meter() as meter:
        goes_live(page, meter)
        picture(page, "devices-live")
        added = page.locator("#device-billing_power")
        added.get_by_role("button", name="Take out").click()
        page.locator("#sure").get_by_role("button", name="Yes").click()
        expect(added).to_have_count(0, timeout=AT_LAST_MS)
    assert [c for c in witness.complaints if "422" not in c and "409" not in c] == []


def goes_live(page, meter):
    """Try the billing meter's map on a real wire, then put it into service, and see its value in the list."""
    commission = page.locator("#commission")
    expect(commission).to_be_hidden()
    page.locator("#trial [name=text]").fill(MAP)
    page.locator("#trial [name=port]").fill(str(meter.port))
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#points tbody tr")).to_contain_text(["322"])
    commission.locator("[name=asset]").select_option("billing_power")
    button, told = commission.get_by_role("button", name="Go live"), commission.locator("[role=status]")
    for _ in range(3):  # a machine that does much else may read too late; the page says so, and a person tries again
        button.click()
        expect(button).to_be_enabled(timeout=AT_LAST_MS)
        if told.count():
            break
    expect(told).to_contain_text("billing_power is in service")
    added = page.locator("#device-billing_power")
    expect(added).to_contain_text("small_meter", timeout=AT_LAST_MS)
    expect(added).to_contain_text("1 / 1", timeout=AT_LAST_MS)


def test_somebody_in_the_field_writes_a_note_that_stays(demo, look):
    page, witness = look(demo.address + "field", width=390, height=844)
    page.get_by_label("What somebody should know").fill("Fan of chiller 1 sounds rough")
    page.get_by_role("button", name="Write it down").click()
    expect(page.locator("#notes")).to_contain_text("Fan of chiller 1 sounds rough")
    page.reload()
    expect(page.locator("#notes")).to_contain_text("local")
    assert witness.complaints == []


def written(page, scope, verb, **values):
    """Fill in and send the form of a sheet or of an opened row: choices by their words, "first" takes the first of them."""
    scope.scroll_into_view_if_needed()  # a sheet is filled when it comes into view
    drawer = scope.locator("details.drawer", has=page.locator("summary", has_text=re.compile(f"^{verb}$")))
    drawer.locator("summary").click()
    for name, value in values.items():
        box = drawer.locator(f"[name={name}]")
        if value == "first":
            box.select_option(index=1)
        elif box.evaluate("box => box.tagName") == "SELECT":
            box.select_option(box.locator("option", has_text=value).first.get_attribute("value"))
        else:
            box.fill(value)
    with page.expect_response(lambda r: r.request.method == "POST") as answer:
        drawer.get_by_role("button").click()
    assert answer.value.ok, answer.value.text()


def stepped(page, sheet, verb, **values):
    """Open the newest row of a sheet and do something with it."""
    sheet.scroll_into_view_if_needed()
    sheet.locator("tbody tr").first.get_by_role("button", name="Open").click()
    written(page, sheet.locator(".opened"), verb, **values)
    expect(sheet.locator(".opened")).to_have_count(0)


def came_of(page, demo):
    """Wait for the study on the page, and return its PDF."""
    expect(page.locator("#state")).to_have_text("done", timeout=900_000)
    path = page.get_by_role("link", name="PDF", exact=True).get_attribute("href")
    return httpx.get(demo.address[:-1] + path, timeout=60).content


def written_down(page):
    """Write the mill into the books and open its page."""
    expect(page.locator("#target-list tbody tr").first).to_be_visible()
    parties = page.locator("#parties")
    parties.scroll_into_view_if_needed()
    parties.locator("summary", has_text="New").click()
    parties.locator("form [name=name]").first.fill("Quiet Mill")
    parties.get_by_label("customer", exact=True).check()
    with page.expect_response(lambda r: r.url.endswith("/api/v1/parties") and r.request.method == "POST") as answer:
        parties.get_by_role("button", name="New").click()
    assert answer.value.status == 201, answer.value.text()
    parties.locator("tbody tr", has_text="Quiet Mill").get_by_role("button", name="Open").click()
    parties.get_by_role("link", name="To its page").click()
    expect(page.locator("#meter-file")).to_be_visible()
    return page.url


def metered(page):
    """Bring a file that is wrong, read what is wrong with it, and bring the right one."""
    named = {"name": "mill.csv", "mimeType": "text/csv"}
    page.locator("#meter-file [name=file]").set_input_files(named | {"buffer": b"time,main [kWh]\nnever,1\n"})
    page.get_by_role("button", name="Check and keep").click()
    expect(page.locator("#meter-file .answer.wrong li").first).to_be_visible()
    page.locator("#meter-file [name=file]").set_input_files(named | {"buffer": readings()})
    page.get_by_role("button", name="Check and keep").click()
    expect(page.locator("#meters dd").first).to_have_text("main")


def portrayed(page, demo):
    """Draw the portrait, and read it in both languages."""
    page.get_by_role("button", name="Draw the portrait").click()
    assert came_of(page, demo)[:4] == b"%PDF"
    expect(page.locator(".portrait li").first).to_contain_text("a year at")
    expect(page.locator("#figure-year canvas").first).to_be_visible()
    expect(page.locator("#figure-typical canvas").first).to_be_visible()
    page.goto(f"{page.url.split('?')[0]}?lang=zh")
    expect(page.locator(".portrait li").first).to_contain_text("年用电")
    page.goto(f"{page.url.split('?')[0]}?lang=en")


def designed(page, demo):
    """Design the package on today's tariff: bills before and after, and a proposal to hand over."""
    page.locator("#design [name=roof_m2]").fill("900")
    page.locator("#design [name=language]").select_option("en")
    page.get_by_role("button", name="Design and prove").click()
    assert came_of(page, demo)[:4] == b"%PDF"
    expect(page.locator("#package li").first).to_contain_text("bill", ignore_case=True)
    expect(page.locator("#figure-bill canvas").first).to_be_visible()


def signed(page, begins, ends):
    """Lead the mill over a proposal to a contract that both sides have signed."""
    written(page, page.locator("#leads"), "New", party_id="Quiet Mill", title="Roof of the mill")
    offer = {"lead_id": "first", "title": "Sun", "fee_micro": "9000", "valid_until": str(ends)}
    written(page, page.locator("#proposals"), "New", **offer)
    stepped(page, page.locator("#proposals"), "Answer", state="accepted", on=str(begins), by="Ms Li")
    terms = {"proposal_id": "first", "title": "Sun", "starts_on": str(begins), "ends_on": str(ends)}
    written(page, page.locator("#contracts"), "New", **terms)
    for side in ("us", "customer"):
        stepped(page, page.locator("#contracts"), "Sign", side=side, by="Mr Wu", on=str(begins))


def test_sales_goes_from_readings_over_a_portrait_and_a_package_to_a_signed_contract_and_its_bill(demo, look):
    httpx.put(f"{demo.address}api/v1/documents/tariff/city", content=TARIFF).raise_for_status()
    page, witness = look(demo.address + "customers?lang=en")
    own = written_down(page)
    metered(page)
    portrayed(page, demo)
    page.goto(own)
    designed(page, demo)

    page.goto(demo.address + "customers")
    today = datetime.now(UTC).date()
    begins, ends = today - timedelta(days=60), today + timedelta(days=3000)
    signed(page, begins, ends)
    fee = '[{"text": "service fee", "amount_micro": 750000000}]'
    month = {"start": str(begins), "end": str(begins + timedelta(days=30)), "lines": fee}
    stepped(page, page.locator("#contracts"), "Settle", **month)
    page.goto(demo.address + "trading")
    invoices = page.locator("#invoices")
    invoices.scroll_into_view_if_needed()
    expect(invoices.locator("tbody tr").first).to_contain_text("750")
    assert [c for c in witness.complaints if "422" not in c] == []
